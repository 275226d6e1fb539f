/* Programs that the kernel runs.  A kernel thread becomes a process, a child of init that is reaped when it ends, and executes the program. */
#include <arch/context.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/usermode.h>
#include <kernel/sched/sched.h>
#include <mm/slab.h>

struct helper {
	char *argv[USERMODE_MAX_ARGS + 1], *envp[USERMODE_MAX_ENV + 1];
	char text[];
};

static void helper_thread(void *arg)
{
	struct helper *h = arg;
	int err = process_make_helper();

	if (err) {
		kvfree(h);
		kthread_exit();
	}
	err = exec_kernel(h->argv[0], h->argv, h->envp);
	kvfree(h);
	if (err)
		process_exit(127 << 8);
	arch_enter_user();
}

/* Strings in text, of len bytes, to a vector that ends with NULL. */
static int split(char *text, size_t len, char **vector, u32 max)
{
	u32 n = 0;

	for (char *s = text; s < text + len; s += strlen(s) + 1) {
		if (n == max)
			return -E2BIG;
		vector[n++] = s;
	}
	return 0;
}

int usermode_run(const char *path, const char *args, size_t args_len, const char *env, size_t env_len)
{
	size_t path_len = strlen(path) + 1;
	struct helper *h = kvmalloc(sizeof(*h) + path_len + args_len + env_len, GFP_KERNEL);
	char *at;
	int err;

	if (!h)
		return -ENOMEM;
	memset(h, 0, sizeof(*h));
	at = h->text;
	memcpy(at, path, path_len);
	memcpy(at + path_len, args, args_len);
	memcpy(at + path_len + args_len, env, env_len);
	err = split(at, path_len + args_len, h->argv, USERMODE_MAX_ARGS);
	if (!err)
		err = split(at + path_len + args_len, env_len, h->envp, USERMODE_MAX_ENV);
	if (!err && !kthread_create(helper_thread, h, "helper"))
		err = -ENOMEM;
	if (err)
		kvfree(h);
	return err;
}
