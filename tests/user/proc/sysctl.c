/* /proc/sys: what can be read, what a write changes, what is refused. */
#include "tap.h"
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>

static char b[8192];

static const char *value(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	CHECK(read_file(path, b, sizeof(b)) >= 0);
	b[strcspn(b, "\n")] = 0;
	return b;
}

static int set(const char *name, const char *text)
{
	char path[256];
	int fd, err;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return errno;
	err = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : errno;
	close(fd);
	return err;
}

TEST(numbers_are_checked)
{
	char old[64];

	snprintf(old, sizeof(old), "%s", value("kernel/pid_max"));
	CHECK_EQ(set("kernel/pid_max", "5000\n"), 0);
	CHECK(!strcmp(value("kernel/pid_max"), "5000"));
	CHECK_EQ(set("kernel/pid_max", " 6000 \n"), 0);
	CHECK(!strcmp(value("kernel/pid_max"), "6000"));
	CHECK_EQ(set("kernel/pid_max", "300"), EINVAL);
	CHECK_EQ(set("kernel/pid_max", "4194305"), EINVAL);
	CHECK_EQ(set("kernel/pid_max", "-1"), EINVAL);
	CHECK_EQ(set("kernel/pid_max", "many"), EINVAL);
	CHECK_EQ(set("kernel/pid_max", "99999999999999999999999999"), EINVAL);
	CHECK(!strcmp(value("kernel/pid_max"), "6000"));
	CHECK_EQ(set("kernel/pid_max", old), 0);
}

TEST(pid_max_bounds_new_numbers)
{
	char old[64];

	snprintf(old, sizeof(old), "%s", value("kernel/pid_max"));
	CHECK_EQ(set("kernel/pid_max", "400"), 0);
	for (int i = 0; i < 300; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		CHECK(pid > 0 && pid < 400);
		CHECK(EXITED(wait_status(pid), 0));
	}
	CHECK_EQ(set("kernel/pid_max", old), 0);
}

TEST(negative_where_it_means_something)
{
	CHECK_EQ(set("kernel/panic", "-1"), 0);
	CHECK(!strcmp(value("kernel/panic"), "-1"));
	CHECK_EQ(set("kernel/panic", "0"), 0);
	CHECK_EQ(set("kernel/panic", "1x"), EINVAL);
	CHECK(!strcmp(value("kernel/panic"), "0"));
}

TEST(host_name)
{
	struct utsname u;
	char old[128];

	snprintf(old, sizeof(old), "%s", value("kernel/hostname"));
	CHECK_EQ(set("kernel/hostname", "stone\nignored"), 0);
	CHECK(!strcmp(value("kernel/hostname"), "stone"));
	CHECK(uname(&u) == 0 && !strcmp(u.nodename, "stone"));
	CHECK(sethostname("menhir", 6) == 0);
	CHECK(!strcmp(value("kernel/hostname"), "menhir"));
	CHECK_EQ(set("kernel/hostname", old), 0);
	CHECK_EQ(set("kernel/ostype", "Minix"), EACCES);	/* nobody may: but root opens anything */
}

TEST(print_stack)	/* what the next one runs */
{
	int here;

	printf("STACK %p\n", (void *)&here);
	fflush(stdout);
	CHECK((unsigned long)&here > 4096);
}

TEST(addresses_stay_where_nothing_is_random)
{
	void *first = NULL, *at;

	CHECK_EQ(set("kernel/randomize_va_space", "0"), 0);
	for (int i = 0; i < 3; i++) {
		char text[2048] = "", *line;
		int p[2];
		size_t n = 0;
		ssize_t got;

		CHECK(pipe(p) == 0);
		pid_t pid = fork();
		if (pid == 0) {
			dup2(p[1], 1);
			execl("/proc/self/exe", "sysctl", "print_stack", (char *)NULL);
			_exit(1);
		}
		close(p[1]);
		while ((got = read(p[0], text + n, sizeof(text) - 1 - n)) > 0)
			n += (size_t)got;
		close(p[0]);
		CHECK(EXITED(wait_status(pid), 0));
		line = strstr(text, "STACK ");
		CHECK(line && sscanf(line, "STACK %p", &at) == 1);
		CHECK(!first || at == first);
		first = at;
	}
	CHECK_EQ(set("kernel/randomize_va_space", "2"), 0);
}

TEST(limit_of_mappings)
{
	char old[64];
	int n = 0;

	snprintf(old, sizeof(old), "%s", value("vm/max_map_count"));
	CHECK_EQ(set("vm/max_map_count", "100"), 0);
	while (n < 200 && mmap(NULL, 4096, n % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		n++;
	CHECK(errno == ENOMEM && n > 50 && n < 100);
	CHECK_EQ(set("vm/max_map_count", old), 0);
}

TEST(lowest_address)
{
	char old[64];

	snprintf(old, sizeof(old), "%s", value("vm/mmap_min_addr"));
	CHECK_EQ(set("vm/mmap_min_addr", "131072"), 0);
	pid_t pid = fork();
	if (pid == 0) {
		CHECK(setuid(1000) == 0);
		CHECK_ERR((long)mmap((void *)65536, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EPERM);
		CHECK(mmap((void *)131072, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == (void *)131072);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(set("vm/mmap_min_addr", old), 0);
}

TEST(only_root_writes)
{
	pid_t pid = fork();

	if (pid == 0) {
		CHECK(setgid(1000) == 0 && setuid(1000) == 0);
		CHECK_EQ(set("kernel/pid_max", "5000"), EACCES);
		CHECK_EQ(set("kernel/hostname", "mine"), EACCES);
		CHECK(atoi(value("kernel/cap_last_cap")) == 40);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(the_log_can_be_for_root_alone)
{
	char old[64];

	snprintf(old, sizeof(old), "%s", value("kernel/dmesg_restrict"));
	for (int restricted = 0; restricted < 2; restricted++) {
		CHECK_EQ(set("kernel/dmesg_restrict", restricted ? "1" : "0"), 0);
		pid_t pid = fork();

		if (pid == 0) {
			CHECK(setgid(1000) == 0 && setuid(1000) == 0);
			long n = syscall(SYS_syslog, 3, b, (int)sizeof(b));
			CHECK(restricted ? n == -1 && errno == EPERM : n >= 0);
			_exit(0);
		}
		CHECK(EXITED(wait_status(pid), 0));
	}
	CHECK_EQ(set("kernel/dmesg_restrict", old), 0);
}
