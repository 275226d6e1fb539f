/* The load under which a machine is switched off: WORKERS= processes make, fill, rename, link, cut and remove files; whenever a file and
 * its directory were fsynced it is told over the console, and from then on left alone until its end is announced:
 *
 *   ## kept NAME SIZE TAG.	it must be there, with SIZE bytes of pattern(TAG), whatever happens
 *   ## going NAME 0 0.		from now on it may be gone
 *
 * The line comes after the call has returned, and is out of the machine before the next call; without its full stop it was cut by the
 * machine's end.  scripts/crash kills the machine and looks. */
#include "disk.h"
#include <sys/file.h>
#include <sys/wait.h>
#include <termios.h>

#define KEPT	24
#define LENGTH	(96 * 1024)

static struct chance chance;
static unsigned char buffer[LENGTH];
static int me;

static void tell(const char *fmt, const char *name, long size, unsigned long long tag)
{
	char line[256];
	int n = snprintf(line, sizeof(line), fmt, name, size, tag), lock = open("/tmp/lock", O_RDWR | O_CREAT, 0600);
	flock(lock, LOCK_EX);		/* lines of others must not come between */
	if (write(1, line, (size_t)n) != n || tcdrain(1) < 0)
		_exit(1);
	close(lock);
}

/* A call failed: by our fault, or may the disk not be as it should? */
#define OR_TROUBLE(what, path) do { if (!trouble(errno)) FATAL("%s %s", what, path); failures++; read_only |= errno == EROFS; } while (0)
static long failures;
static bool read_only;

static bool sync_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);
	bool ok = fd >= 0 && fsync(fd) == 0;
	if (!ok)
		OR_TROUBLE("fsync of", path);
	if (fd >= 0)
		close(fd);
	return ok;
}

/* Where a call stops short, the next says why. */
static bool write_whole(int fd, long from, long to)
{
	while (from < to) {
		ssize_t n = pwrite(fd, buffer + from, (size_t)(to - from), from);
		if (n <= 0)
			return false;
		from += n;
	}
	return true;
}

static bool fill(int fd, long size)
{
	long half = (long)below(&chance, (uint64_t)size + 1);
	return write_whole(fd, half, size) && write_whole(fd, 0, half);
}

static bool fill_mapped(int fd, long size)
{
	unsigned char *m;

	if (ftruncate(fd, size) < 0)
		return false;
	m = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (m == MAP_FAILED)
		return false;
	memcpy(m, buffer, (size_t)size);
	munmap(m, (size_t)size);
	return true;
}

/* A file that will be promised: written by pieces, some through a mapping (not where that may be a SIGBUS), some after a hole.  false: the
 * disk did not let us. */
static bool make_kept(long n, unsigned long long tag)
{
	char name[128], dir[64], temporary[160];
	long size = 1 + (long)below(&chance, below(&chance, 4) ? 9000 : LENGTH);
	bool renamed = below(&chance, 3) == 0;
	int fd;

	snprintf(dir, sizeof(dir), DISK "/w%d", me);
	snprintf(name, sizeof(name), "%s/k%ld", dir, n);
	snprintf(temporary, sizeof(temporary), "%s/new", dir);
	fd = open(renamed ? temporary : name, O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (fd < 0) {
		OR_TROUBLE("open", name);
		return false;
	}
	pattern(buffer, (size_t)size, tag);
	if (!(below(&chance, 4) == 0 && !faults() ? fill_mapped(fd, size) : fill(fd, size)) || fsync(fd) < 0) {
		OR_TROUBLE("writing", name);
		close(fd);
		return false;
	}
	close(fd);
	if (renamed && rename(temporary, name) < 0) {
		OR_TROUBLE("rename to", name);
		return false;
	}
	if (!sync_dir(dir))
		return false;
	tell("## kept %s %ld %llu.\n", name + strlen(DISK), size, tag);
	return true;
}

/* Commotion beside them: nothing of this is promised. */
static void disturb(void)
{
	char a[128], b[128];
	int fd;

	snprintf(a, sizeof(a), DISK "/w%d/t%ld", me, (long)below(&chance, 16));
	snprintf(b, sizeof(b), DISK "/w%d/s%ld/t%ld", me, (long)below(&chance, 3), (long)below(&chance, 16));
	switch (below(&chance, 8)) {
	case 0: unlink(a); break;
	case 1: if (rename(a, b) < 0) { *strrchr(b, '/') = 0; mkdir(b, 0755); } break;
	case 2: link(a, b); break;
	case 3: unlink(b); *strrchr(b, '/') = 0; rmdir(b); break;
	case 4: if (truncate(a, (off_t)below(&chance, 300000)) < 0) return; break;
	case 5: symlink("somewhere-else-that-is-rather-far-away-from-here-and-does-not-fit-into-the-inode", a); break;
	default:
		fd = open(a, O_RDWR | O_CREAT, 0644);
		if (fd < 0)
			return;
		pattern(buffer, LENGTH, below(&chance, 1000));
		if (pwrite(fd, buffer, 1 + below(&chance, LENGTH), (off_t)below(&chance, 500000)) < 0 && errno != ENOSPC && errno != EFBIG && !trouble(errno))
			FATAL("pwrite %s", a);
		if (below(&chance, 16) == 0)
			fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)below(&chance, 300000), 100000);
		close(fd);
	}
	if (below(&chance, 200) == 0)
		sync();
	if (faults() && below(&chance, 40) == 0)
		write_text("/proc/sys/vm/drop_caches", "3\n");
}

static void work(uint64_t seed)
{
	char name[128];
	long next = 0, rounds = parameter("ROUNDS", 0);

	seed_chance(&chance, seed * 64 + (uint64_t)me);
	snprintf(name, sizeof(name), DISK "/w%d", me);
	if (mkdir(name, 0755) < 0)
		FATAL("mkdir %s", name);
	sync_dir(DISK);
	if (faults() && me == 0)
		faults_on();
	for (; (!rounds || next < rounds) && !read_only; next++) {
		make_kept(next, draw(&chance) >> 1);
		for (long n = (long)below(&chance, 30); n; n--)
			disturb();
		if (next >= KEPT) {		/* the oldest goes */
			snprintf(name, sizeof(name), DISK "/w%d/k%ld", me, next - KEPT);
			tell("## going %s %ld %llu.\n", name + strlen(DISK), 0, 0);
			if (unlink(name) < 0 && errno != ENOENT)
				OR_TROUBLE("unlink", name);
		}
	}
	if (failures)
		say("# worker %d: %ld failures%s\n", me, failures, read_only ? ", then read-only" : "");
	exit(0);
}

/* ROUNDS= came to their end: the faults are over, or (STAY=1) last until the disk is let go. */
static int finish(int workers)
{
	int status, bad = 0;

	while (workers--)
		if (wait(&status) < 0 || status)
			bad = 1;
	faults_tell();
	if (parameter("STAY", 0) == 0) {
		faults_off();
		sync();
	}
	if (umount(DISK) < 0)
		FATAL("umount");
	return bad;
}

int main(void)
{
	int workers = (int)parameter("WORKERS", 3);

	mkdir(DISK, 0755);
	if (mount(DEVICE, DISK, "ext2", 0, getenv("MOUNT_OPTIONS") ? getenv("MOUNT_OPTIONS") : "") < 0)
		FATAL("mount");
	for (me = 0; me < workers; me++)
		if (fork() == 0)
			work((uint64_t)parameter("SEED", 1));
	say("## load\n");
	if (parameter("ROUNDS", 0))
		return finish(workers);
	wait(NULL);
	say("## fatal a worker ended\n");
	return 1;
}
