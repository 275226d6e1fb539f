/* Programs that nobody built for us: Debian's dynamic bash and python3, from its disk (scripts/mkroot-debian, /dev/vda), found in the page
 * cache, each started and waited for.  A round is fork, execve, the dynamic linker, the program's own start and its end.  */
#include "bench.h"
#include <sys/mount.h>

static char *const env[] = { "PATH=/usr/bin:/bin", "HOME=/root", "LC_ALL=C", NULL };

static void fail(const char *what)
{
	printf("BENCH FAILED %s: %s\n", what, strerror(errno));
	fflush(stdout);
	exit(1);
}

static void run(char *const argv[])
{
	int st;
	pid_t p = fork();
	if (p == 0) {
		execve(argv[0], argv, env);
		_exit(127);
	}
	if (p < 0 || waitpid(p, &st, 0) != p || st != 0)
		fail(argv[0]);
}

int main(void)
{
	static char *const plain[] = { "/usr/bin/true", NULL }, *const bash[] = { "/usr/bin/bash", "-c", "exit 0", NULL },
			  *const pipeline[] = { "/usr/bin/bash", "-c", "echo a | cat > /dev/null", NULL },
			  *const python[] = { "/usr/bin/python3", "-I", "-c", "pass", NULL };
	mkdir("/debian", 0755);
	if (mount("/dev/vda", "/debian", "ext2", MS_RDONLY, ""))
		fail("mount");
	if (mount("devtmpfs", "/debian/dev", "devtmpfs", 0, "") || chroot("/debian") || chdir("/"))
		fail("chroot");
	bench("dynamic_true", 20, run(plain));
	bench("bash_exec", 20, run(bash));
	bench("bash_pipeline", 10, run(pipeline));
	bench("python3_exec", 4, run(python));
	return 0;
}
