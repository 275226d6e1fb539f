/* Programs that the kernel runs.  A kernel thread becomes a process, a child of init that is reaped when it ends, and executes the program. */
#include <asm/resource.h>
#include <arch/context.h>
#include <fs/file.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/usermode.h>
#include <kernel/sched/sched.h>
#include <mm/slab.h>

/* For one that is waited for until it runs: on the caller's stack. */
struct started { struct completion done; int err; };

struct helper {
	struct file *in;		/* its standard input, or NULL: no files */
	struct started *started;	/* NULL: nobody waits */
	char *argv[USERMODE_MAX_ARGS + 1], *envp[USERMODE_MAX_ENV + 1];
	char text[];
};

static void tell(struct helper *h, int err)
{
	if (!h->started)
		return;
	h->started->err = err;
	complete(&h->started->done);
}

/* The file becomes descriptor 0 of a process that has none.  It is not to dump core into a pipe of its own. */
static int take_input(struct helper *h)
{
	int fd;

	if (!h->in)
		return 0;
	current->proc->rlim->lim[RLIMIT_CORE].cur = current->proc->rlim->lim[RLIMIT_CORE].max = 1;
	fd = fd_install_new(h->in, 0);
	if (fd >= 0)
		h->in = NULL;
	return min(fd, 0);
}

static void helper_thread(void *arg)
{
	struct helper *h = arg;
	int err = process_make_helper();
	bool made = !err;

	if (made)
		err = take_input(h);
	if (!err)
		err = exec_kernel(h->argv[0], h->argv, h->envp);
	if (h->in)
		file_put_now(h->in);
	tell(h, err);
	kvfree(h);
	if (!made)
		kthread_exit();
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

/* All strings of argv, the path the first of them, and of envp. */
static int run(const char *args, size_t args_len, const char *env, size_t env_len, struct file *in, struct started *started)
{
	struct helper *h = kvmalloc(sizeof(*h) + args_len + env_len, GFP_KERNEL);
	int err;

	if (!h)
		return -ENOMEM;
	memset(h, 0, sizeof(*h));
	memcpy(h->text, args, args_len);
	memcpy(h->text + args_len, env, env_len);
	h->in = in;
	h->started = started;
	err = split(h->text, args_len, h->argv, USERMODE_MAX_ARGS);
	if (!err)
		err = split(h->text + args_len, env_len, h->envp, USERMODE_MAX_ENV);
	if (!err && !kthread_create(helper_thread, h, "helper"))
		err = -ENOMEM;
	if (err)
		kvfree(h);
	return err;
}

int usermode_run(const char *path, const char *args, size_t args_len, const char *env, size_t env_len)
{
	size_t path_len = strlen(path) + 1;
	char *all = kmalloc(path_len + args_len, GFP_KERNEL);
	int err;

	if (!all)
		return -ENOMEM;
	memcpy(all, path, path_len);
	memcpy(all + path_len, args, args_len);
	err = run(all, path_len + args_len, env, env_len, NULL, NULL);
	kfree(all);
	return err;
}

int usermode_run_reading(const char *args, size_t args_len, struct file *in)
{
	struct started started;
	int err;

	completion_init(&started.done);
	err = run(args, args_len, "", 0, in, &started);
	if (err) {
		file_put_now(in);
		return err;
	}
	wait_for_completion(&started.done);
	return started.err;
}
