/* FLAGS: -static-pie -fPIE -pie */
/* A position-independent program: it runs at all, somewhere random, W^X everywhere. */
#include "tap.h"

static int data = 42;
static int *pointer = &data;	/* needs a relocation */

TEST(relocated) { CHECK_EQ(*pointer, 42); *pointer = 43; CHECK_EQ(data, 43); }

TEST(no_mapping_is_writable_and_executable)
{
	char line[512];
	FILE *f = fopen("/proc/self/maps", "r");
	int n = 0;
	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		char perm[8];
		unsigned long a, b;
		CHECK(sscanf(line, "%lx-%lx %4s", &a, &b, perm) == 3 && a < b);
		CHECK(!(perm[1] == 'w' && perm[2] == 'x'));
		n++;
	}
	CHECK(n >= 4);
}

TEST(bases_differ_between_runs)
{
	unsigned long base[4][2] = { 0 };
	for (int i = 0; i < 4; i++) {
		int p[2];
		char b[4096] = "";
		pipe(p);
		pid_t pid = fork();
		if (pid == 0) {
			dup2(p[1], 1);
			execl("/proc/self/exe", "pie", "print_bases", (char *)NULL);
			_exit(1);
		}
		close(p[1]);
		size_t n = 0; ssize_t r;
		while ((r = read(p[0], b + n, sizeof(b) - 1 - n)) > 0) n += r;
		wait_status(pid);
		char *q = strstr(b, "BASES ");
		CHECK(q && sscanf(q, "BASES %lx %lx", &base[i][0], &base[i][1]) == 2);
	}
	for (int k = 0; k < 2; k++)
		CHECK(base[0][k] != base[1][k] || base[0][k] != base[2][k] || base[0][k] != base[3][k]);
}

TEST(print_bases)
{
	int on_stack;
	printf("# BASES %lx %lx\n", (unsigned long)&data, (unsigned long)&on_stack);
}
