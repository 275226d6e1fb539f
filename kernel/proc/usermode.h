/* Programs that the kernel runs: the hot-plug helper. */
#pragma once
#include <kernel/lib/types.h>

#define USERMODE_MAX_ARGS	4u
#define USERMODE_MAX_ENV	64u

/* usermode_run - start the program at path, as root, in init's root directory, without files, with nobody waiting for it.  args and env:
 * strings one behind the other, each ending in a NUL, of so many bytes.  argv[0] is path.  Returns before it runs: 0, -ENOMEM, -E2BIG.
 * What exec says is lost, as on Linux.  Context: thread, may sleep. */
int usermode_run(const char *path, const char *args, size_t args_len, const char *env, size_t env_len);
