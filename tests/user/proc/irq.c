/* /proc/irq and /proc/interrupts: whose interrupt a line is, and moving it.  The serial port's line serves: it is there on any machine
 * that runs these tests.  (That interrupts come where they were sent, tests/phases/e.exp sees by typing.) */
#include "tap.h"
#include <dirent.h>

static char text[16384];
static int ncpu;

static const char *slurp(const char *path)
{
	CHECK(read_file(path, text, sizeof(text)) >= 0);
	text[strcspn(text, "\n")] = 0;
	return text;
}

static const char *line_file(int irq, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "/proc/irq/%d/%s", irq, name);
	return path;
}

static const char *line_value(int irq, const char *name) { return slurp(line_file(irq, name)); }

static int set(const char *path, const char *s)
{
	int fd = open(path, O_WRONLY), err;

	if (fd < 0)
		return errno;
	err = write(fd, s, strlen(s)) == (ssize_t)strlen(s) ? 0 : errno;
	close(fd);
	return err;
}

/* The line of /proc/interrupts that ends in this name, or whose label is it. */
static bool interrupts_line(const char *name, char *line, size_t size)
{
	FILE *f = fopen("/proc/interrupts", "r");
	bool found = false;

	CHECK(f);
	while (!found && fgets(line, size, f)) {
		size_t n = strlen(line);

		if (n && line[n - 1] == '\n')
			line[--n] = 0;
		found = (n >= strlen(name) && !strcmp(line + n - strlen(name), name)) || !strncmp(line + strspn(line, " "), name, strlen(name));
	}
	fclose(f);
	return found;
}

static int line_number(const char *name)
{
	char line[1024];

	CHECK(interrupts_line(name, line, sizeof(line)));
	return atoi(line);
}

static int uart(void) { return line_number(on_sarsen() ? "ttyAMA0" : "uart-pl011"); }
static int timer(void) { return line_number("arch_timer"); }

TEST(interrupts_has_a_column_for_each_cpu)
{
	char line[1024], *p = line;
	FILE *f = fopen("/proc/interrupts", "r");
	int columns = 0;

	CHECK(f && fgets(line, sizeof(line), f));
	CHECK(!strncmp(line, "           CPU0 ", 16));
	while ((p = strstr(p, "CPU"))) {
		CHECK_EQ(atoi(p + 3), columns);
		columns++;
		p++;
	}
	CHECK_EQ(columns, sysconf(_SC_NPROCESSORS_ONLN));
	fclose(f);
}

TEST(lines_name_controller_number_and_trigger)
{
	char line[1024], chip[64], trigger[64], name[64], *p;
	int number;

	CHECK(interrupts_line("arch_timer", line, sizeof(line)));
	p = strchr(line, ':') + 1;
	for (int i = 0; i < sysconf(_SC_NPROCESSORS_ONLN); i++)
		strtoul(p, &p, 10);
	CHECK_EQ(sscanf(p, "%63s %d %63s %63s", chip, &number, trigger, name), 4);
	CHECK(!strncmp(chip, "GIC", 3) && !strcmp(trigger, "Level") && number == 27);
}

TEST(ipis_and_errors_are_counted)
{
	char line[1024];

	CHECK(interrupts_line("Err:", line, sizeof(line)));
	CHECK_EQ(strtoul(strchr(line, ':') + 1, NULL, 10), 0);
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP("one CPU");
	CHECK(interrupts_line("IPI0:", line, sizeof(line)));
	CHECK(strstr(line, "      Rescheduling interrupts"));
	CHECK(interrupts_line("IPI1:", line, sizeof(line)));
	CHECK(strstr(line, "      Function call interrupts"));
}

TEST(the_total_of_stat_is_their_sum)
{
	char line[256];
	FILE *f = fopen("/proc/stat", "r");
	unsigned long before = 0, after = 0;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "intr ", 5))
			before = strtoul(line + 5, NULL, 10);
	fclose(f);
	CHECK(before > 0);
	usleep(2000);
	f = fopen("/proc/stat", "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "intr ", 5))
			after = strtoul(line + 5, NULL, 10);
	fclose(f);
	CHECK(after > before);		/* the timer's, at least */
}

TEST(files_of_a_line)
{
	static const struct { const char *name; mode_t mode; } files[] = {
		{ "smp_affinity", 0644 }, { "smp_affinity_list", 0644 }, { "effective_affinity", 0444 }, { "effective_affinity_list", 0444 },
	};
	struct stat st;

	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		CHECK_EQ(stat(line_file(uart(), files[i].name), &st), 0);
		CHECK_EQ(st.st_mode & 07777, files[i].mode);
	}
	CHECK_EQ(stat("/proc/irq/default_smp_affinity", &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0644);
	CHECK_ERR(stat("/proc/irq/999", &st), ENOENT);
}

TEST(an_interrupt_is_moved)
{
	int irq = uart();
	char old[64], want[32];

	ncpu = sysconf(_SC_NPROCESSORS_ONLN);
	if (ncpu < 2)
		SKIP("one CPU");
	snprintf(old, sizeof(old), "%s", line_value(irq, "smp_affinity"));
	for (int cpu = ncpu - 1; cpu >= 0; cpu--) {
		snprintf(want, sizeof(want), "%x\n", 1 << cpu);
		CHECK_EQ(set(line_file(irq, "smp_affinity"), want), 0);
		CHECK_EQ(strtoul(line_value(irq, "smp_affinity"), NULL, 16), 1 << cpu);
		CHECK_EQ(strtoul(line_value(irq, "effective_affinity"), NULL, 16), 1 << cpu);
		CHECK_EQ(atoi(line_value(irq, "smp_affinity_list")), cpu);
		CHECK_EQ(atoi(line_value(irq, "effective_affinity_list")), cpu);
	}
	CHECK_EQ(set(line_file(irq, "smp_affinity"), old), 0);
}

TEST(masks_that_are_refused)
{
	int irq = uart();
	const char *hex = "smp_affinity", *list = "smp_affinity_list";
	char absent[32];

	ncpu = sysconf(_SC_NPROCESSORS_ONLN);
	CHECK_EQ(set(line_file(irq, hex), "0"), EINVAL);
	CHECK_EQ(set(line_file(irq, hex), "zz"), EINVAL);
	CHECK_EQ(set(line_file(irq, hex), "8000000000"), EOVERFLOW);
	snprintf(absent, sizeof(absent), "%x", 1 << ncpu);
	CHECK_EQ(set(line_file(irq, hex), absent), EOVERFLOW);
	snprintf(absent, sizeof(absent), "%x", 1 << ncpu | 1);
	CHECK_EQ(set(line_file(irq, hex), absent), EOVERFLOW);	/* not even beside one that runs */
	snprintf(absent, sizeof(absent), "%d", ncpu);
	CHECK_EQ(set(line_file(irq, list), absent), ERANGE);
	CHECK_EQ(set(line_file(irq, list), "\n"), EINVAL);
	CHECK_EQ(set(line_file(irq, list), "1-0"), EINVAL);
	CHECK_EQ(set(line_file(irq, list), "cpu0"), EINVAL);
	CHECK_EQ(set(line_file(irq, list), "100000"), ERANGE);
	CHECK_EQ(set("/proc/irq/default_smp_affinity", "0"), EINVAL);
	CHECK_EQ(set(line_file(irq, "effective_affinity"), "1"), EIO);
}

TEST(each_cpus_own_line_cannot_be_moved)
{
	int irq = timer();

	CHECK_EQ(set(line_file(irq, "smp_affinity"), "1"), EIO);
	CHECK_EQ(set(line_file(irq, "smp_affinity_list"), "0"), EIO);
	CHECK_EQ(set(line_file(irq, "smp_affinity"), "zz"), EIO);
	CHECK_EQ(strtoul(line_value(irq, "effective_affinity"), NULL, 16), 0);
}

TEST(others_may_not)
{
	CHECK_EQ(setuid(1000), 0);
	CHECK_EQ(set(line_file(uart(), "smp_affinity"), "1"), EACCES);
	CHECK_EQ(set("/proc/irq/default_smp_affinity", "1"), EACCES);
	CHECK(strtoul(slurp("/proc/irq/default_smp_affinity"), NULL, 16) & 1);
}
