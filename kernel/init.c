/* Finding and becoming init, by Linux's rules: rdinit= or /init of the initramfs; else, on what root= names if that is given (fs/root.c),
 * init=, or /sbin/init, /etc/init, /bin/init, /bin/sh. */
#include <linux/fcntl.h>
#include <arch/context.h>
#include <fs/root.h>
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/init.h>
#include <kernel/initcall.h>
#include <kernel/lib/fmt.h>
#include <kernel/params.h>
#include <kernel/printk.h>
#include <kernel/proc/proc.h>
#include <kernel/syscall/trace.h>

static const char *rdinit, *init_path;
static char tried[512];

static void param_rdinit(const char *v) { rdinit = v; }
static void param_init(const char *v) { init_path = v; }
BOOT_PARAM("rdinit", param_rdinit);
BOOT_PARAM("init", param_init);

/* Words that are the kernel's, so that init does not get them: nokaslr was read before the kernel was mapped (arch/arm64/kaslr.c), and one
 * CPU runs whatever maxcpus= allows. */
static void param_taken(const char *v) { (void)v; }
BOOT_PARAM("nokaslr", param_taken);
BOOT_PARAM("maxcpus", param_taken);

static void try_init(const char *path)
{
	size_t n = 0;
	int err;

	init_argv[0] = (char *)path;
	err = exec_kernel(path, init_argv, init_envp);
	if (!err) {
		boot_stage("init");
		boot_profile_print();
		arch_enter_user();
	}
	while (tried[n])
		n++;
	scnprintf(tried + n, sizeof(tried) - n, "%s%s (error %d)", n ? ", " : "", path, err);
}

static void open_console(void)
{
	struct file *f;
	int err = vfs_open("/dev/console", O_RDWR, 0, &f);

	if (err) {
		pr_warn("init: no /dev/console, error %d\n", err);
		return;
	}
	for (int fd = 0; fd < 3; fd++) {
		file_get(f);
		if (fd_install_new(f, 0) < 0)
			file_put(f);
	}
	file_put(f);
}

void run_init(void)
{
	static const char *const fallbacks[] = { "/sbin/init", "/etc/init", "/bin/init", "/bin/sh" };
	int err = process_make_init();

	if (err)
		panic("no memory for init, error %d", err);
	if (syscall_trace_boot)
		call_work_set(current, TIF_TRACE);
	open_console();
	if (rdinit)
		try_init(rdinit);
	else
		try_init("/init");
	if (root_wanted())
		root_mount(tried);
	if (init_path) {
		try_init(init_path);
	} else {
		for (u32 i = 0; i < ARRAY_SIZE(fallbacks); i++)
			try_init(fallbacks[i]);
	}
	panic("no init found: tried %s", tried);
}
