/* Programs that the kernel runs: the hot-plug helper, the one that core_pattern names. */
#pragma once
#include <kernel/lib/types.h>

struct file;

#define USERMODE_MAX_ARGS	64u
#define USERMODE_MAX_ENV	64u

/* usermode_run - start the program at path, as root, in init's root directory, without files, with nobody waiting for it.  args and env:
 * strings one behind the other, each ending in a NUL, of so many bytes.  argv[0] is path.  Returns before it runs: 0, -ENOMEM, -E2BIG.
 * What exec says is lost, as on Linux.  Context: thread, may sleep. */
int usermode_run(const char *path, const char *args, size_t args_len, const char *env, size_t env_len);
/* usermode_run_reading - the program args[0], with in, whose reference is consumed, as its standard input and without an environment; it dumps
 * no core into another's pipe.  Returns when it runs: 0; -ENOMEM, -E2BIG, or what exec says.  Context: thread, may sleep. */
int usermode_run_reading(const char *args, size_t args_len, struct file *in);
