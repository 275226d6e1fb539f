/* One file against its picture in memory: a million operations, mapped, buffered and direct, mixed in random order.
 *
 * Every read is compared at once; the whole file now and then, after its cache was dropped or the volume mounted anew.  What a
 * mapping leaves behind the file's end must be zeroes when the file grows (POSIX on mmap; TAIL=0 does not ask for it, since Linux 6.1
 * shows such bytes when the file grows before they were written back).  SEED= OPS= chance and number; SIZE= the file's greatest length;
 * FILE=/dev/vda1 or so instead of a file on the ext2 (no truncation, no mapping beyond).  On a difference: the operation, the place, and
 * the last operations that touched it.
 *
 * FAULTS=: on a disk that misbehaves.  A byte then is sure (an fsync that went well came after it was written); or pending; or lost: an error was
 * told after it was written, which is told once, so it stays lost until it is written again.  Only the sure ones are compared, and they must be
 * right whatever failed meanwhile. */
#include "disk.h"
#include <sys/uio.h>

#define RECENT	4096

struct deed { long op; const char *what; long at, len; };
static struct deed recent[RECENT];
static struct chance chance;
static unsigned char *model, *buffer;
static long size, size_max, op;
static int fd = -1, fd_direct = -1, fd_append = -1;
static const char *path = DISK "/fsx";
static bool verbose, device;
enum { SURE, PENDING, LOST };
static unsigned char *unsure;		/* FAULTS=: of each byte of the file */
static long troubles;

static void did(const char *what, long at, long len)
{
	recent[op % RECENT] = (struct deed){ op, what, at, len };
	if (verbose)
		say("op %ld %s %ld %ld (size %ld)\n", op, what, at, len, size);
}

/* A call failed.  For a reason that a disk may have: go on; its bytes may be anything. */
static void failed(const char *what, long at, long len)
{
	if (!trouble(errno))
		FATAL("operation %ld: %s at %ld, %ld bytes", op, what, at, len);
	troubles++;
	for (long i = 0; i < size_max; i++)
		if (unsure[i])
			unsure[i] = LOST;
}

/* The rest of its blocks, too: one that was a hole and cannot be written holds, after an error that is told, what was there before. */
static void written(long at, long len)
{
	long first = at & -4096l, end = (at + len + 4095) & -4096l;

	for (long i = first; i < end && faults(); i++)
		if (unsure[i] == SURE || (i >= at && i < at + len))
			unsure[i] = PENDING;
}

/* The same, where it counts. */
static bool same(const unsigned char *got, long at, long len)
{
	if (!faults())
		return !memcmp(got, model + at, (size_t)len);
	for (long i = 0; i < len; i++)
		if (got[i] != model[at + i] && !unsure[at + i])
			return false;
	return true;
}

static void differ(long at, const unsigned char *got, long len, const char *what)
{
	long i = 0;

	while (got[i] == model[at + i] || (faults() && unsure[at + i]))
		i++;
	say("## fatal operation %ld, %s of %ld bytes at %ld: byte %ld (0x%lx) is %02x, not %02x; file of %ld\n", op, what, len, at, at + i, at + i,
	    got[i], model[at + i], size);
	for (long n = op > RECENT ? op - RECENT + 1 : 0; n <= op; n++) {
		struct deed *d = &recent[n % RECENT];
		if (d->what && d->op == n && d->at <= at + i && at + i < d->at + d->len)
			say("#   %ld %s at %ld, %ld bytes\n", d->op, d->what, d->at, d->len);
	}
	exit(1);
}

static void open_it(void)
{
	fd = open(path, O_RDWR | (device ? 0 : O_CREAT), 0600);
	fd_direct = open(path, O_RDWR | O_DIRECT);
	fd_append = open(path, O_WRONLY | O_APPEND);
	if (fd < 0 || fd_direct < 0 || fd_append < 0)
		FATAL("open %s", path);
}
static void close_it(void) { close(fd); close(fd_direct); close(fd_append); }

static void check_size(void)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || (!device && st.st_size != size))
		FATAL("operation %ld: the file has %ld bytes, not %ld", op, (long)st.st_size, size);
}

static void read_at(int from, long at, long len, const char *what)
{
	long n = pread(from, buffer, (size_t)len, at), want = at >= size ? 0 : len < size - at ? len : size - at;

	did(what, at, len);
	if (n < 0)
		failed(what, at, len);
	if (n != want && !(faults() && n < want))
		FATAL("operation %ld: %s at %ld gives %ld of %ld bytes, file of %ld", op, what, at, n, want, size);
	if (n > 0 && !same(buffer, at, n))
		differ(at, buffer, n, what);
}

static void grow(long to)
{
	if (to > size)
		size = to;		/* beyond the end the model is zero */
}

/* After trouble: the file is as long as it says. */
static void new_size(void)
{
	struct stat st;

	if (device || fstat(fd, &st) < 0)
		return;
	if (st.st_size < size) {
		memset(model + st.st_size, 0, (size_t)(size - st.st_size));
		memset(unsure + st.st_size, LOST, (size_t)(size - st.st_size));
	}
	size = st.st_size;
}

/* n bytes of len were written, or trouble was met. */
static void result(const char *what, long at, long len, long n)
{
	written(at, len);
	if (n == len) {
		grow(at + len);
		return;
	}
	if (n >= 0 && !faults())
		FATAL("operation %ld: %s at %ld gives %ld of %ld", op, what, at, n, len);
	if (n < 0)
		failed(what, at, len);
	new_size();
	if (size < at + len)		/* what lies beyond is zero again */
		memset(model + (size > at ? size : at), 0, (size_t)(at + len - (size > at ? size : at)));
}

static void write_at(int to, long at, long len, const char *what)
{
	long n;

	did(what, at, len);
	pattern(model + at, (size_t)len, (uint64_t)op);
	memcpy(buffer, model + at, (size_t)len);
	n = pwrite(to, buffer, (size_t)len, at);
	result(what, at, len, n);
}

static void append(long len)
{
	if (size + len > size_max)
		return;
	did("append", size, len);
	pattern(model + size, (size_t)len, (uint64_t)op);
	memcpy(buffer, model + size, (size_t)len);
	result("append", size, len, write(fd_append, buffer, (size_t)len));
}

/* A mapping of the pages around [at, at + len), which end with the file's last page. */
static void mapped(long at, long len, bool writes)
{
	long page = at & -4096l, span;
	unsigned char *m;

	if (at >= size)
		return;
	if (len > size - at)
		len = size - at;
	span = (at - page + len + 4095) & -4096l;
	did(writes ? "mapped write" : "mapped read", at, len);
	m = mmap(NULL, (size_t)span, PROT_READ | PROT_WRITE, below(&chance, 8) ? MAP_SHARED : writes ? MAP_SHARED : MAP_PRIVATE, fd, page);
	if (m == MAP_FAILED)
		FATAL("operation %ld: mmap at %ld", op, page);
	if (writes) {
		pattern(model + at, (size_t)len, (uint64_t)op);
		written(at, len);
		if (!TOUCH(memcpy(m + (at - page), model + at, (size_t)len)))
			failed("mapped write", at, len);
		else if (page + span > size && below(&chance, 2) && parameter("TAIL", 1))
			m[span - 1] = 0xee;		/* beyond the end: nobody may ever see it in the file */
		if (below(&chance, 10) == 0 && msync(m, (size_t)span, below(&chance, 2) ? MS_SYNC : MS_ASYNC) < 0)
			failed("msync", at, len);
	} else {
		bool right = true;
		if (!TOUCH(right = same(m + (at - page), at, len)))
			failed("mapped read", at, len);
		if (!right)
			differ(at, m + (at - page), len, "mapped read");
	}
	munmap(m, (size_t)span);
}

static void set_size(long to)
{
	did("truncate", to < size ? to : size, to < size ? size - to : to - size);
	if (to < size) {
		memset(model + to, 0, (size_t)(size - to));
		written(to, size - to);
	} else {
		written(size, to - size);
	}
	if (ftruncate(fd, to) < 0) {
		failed("truncate", to, 0);
		new_size();
		return;
	}
	size = to;
}

static void punch(long at, long len)
{
	long end = at + len < size ? at + len : size;

	did("punch", at, len);
	if (at < end)
		written(at, end - at);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len) < 0)
		failed("punch", at, len);
	if (at < end)
		memset(model + at, 0, (size_t)(end - at));
}

static void vectors(long at, long len)
{
	struct iovec v[5];
	long first = len / 5, n;

	for (int i = 0; i < 5; i++)
		v[i] = (struct iovec){ buffer + i * first, (size_t)(i < 4 ? first : len - 4 * first) };
	did("vector write", at, len);
	pattern(model + at, (size_t)len, (uint64_t)op);
	memcpy(buffer, model + at, (size_t)len);
	n = pwritev(fd, v, 5, at);
	result("vector write", at, len, n);
}

static void whole(void)
{
	check_size();
	for (long at = 0; at < size; at += 65536)
		read_at(fd, at, 65536, "whole read");
}

static void mount_it(void)
{
	if (!device && mount(DEVICE, DISK, "ext2", 0, getenv("MOUNT_OPTIONS") ? getenv("MOUNT_OPTIONS") : "") < 0)
		FATAL("mount");
}

/* What was promised is sure. */
static void synced(int answer)
{
	if (answer < 0)
		failed("fsync", 0, 0);
	for (long i = 0; i < size_max && !answer && faults(); i++)
		if (unsure[i] == PENDING)
			unsure[i] = SURE;
}

static void open_again(void)
{
	close_it();
	open_it();
}

static void rarely(void)
{
	switch (below(&chance, 8)) {
	case 0: did("fsync", 0, 0); synced(fsync(fd)); break;
	case 1: did("fdatasync", 0, 0); synced(fdatasync(fd)); break;
	case 2: did("dontneed", 0, 0); posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); break;
	case 3: did("reopen", 0, 0); open_again(); break;
	case 4: did("sync_file_range", 0, 0); if (sync_file_range(fd, 0, 0, 7) < 0) failed("sync_file_range", 0, 0); break;
	case 5: check_size(); break;
	default:
		if (below(&chance, 20))
			break;
		if (below(&chance, 2)) {
			did("drop caches", 0, 0);
			drop_caches();
		} else if (!faults()) {
			did("remount", 0, 0);
			close_it();
			if (!device && umount(DISK) < 0)
				FATAL("umount");
			mount_it();
			open_it();
		}
		whole();
	}
}

static void one(void)
{
	long at = (long)below(&chance, (uint64_t)size_max), len = 1 + (long)below(&chance, below(&chance, 8) ? 5000 : 65536);
	long sector = at & -512l, sectors = ((len + 511) & -512l);

	if (at + len > size_max)
		at = size_max - len;
	if (sector + sectors > size_max)
		sector = size_max - sectors;
	if (parameter("DIRECT", 512) == 4096) {
		sector &= -4096l;
		sectors = (sectors + 4095) & -4096l;
		if (sector + sectors > size_max)
			sector = size_max - sectors;
	}
	switch (below(&chance, 32)) {
	case 0 ... 5: read_at(fd, at, len, "read"); break;
	case 6 ... 11: write_at(fd, at, len, "write"); break;
	case 12 ... 14: mapped(at, len, false); break;
	case 15 ... 19: mapped(at, len, true); break;
	case 20: case 21: read_at(fd_direct, sector, sectors, "direct read"); break;
	case 22: case 23: write_at(fd_direct, sector, sectors, "direct write"); break;
	case 24: case 25: if (!device) set_size(at); break;
	case 26: case 27: if (!device) punch(at, len * (1 + (long)below(&chance, 8))); break;
	case 28: if (!device) append(len); break;
	case 29: vectors(at, len); break;
	default: rarely();
	}
}

int main(void)
{
	long ops = parameter("OPS", 1000000);

	seed_chance(&chance, (uint64_t)parameter("SEED", 1));
	size_max = parameter("SIZE", 512 * 1024);
	verbose = parameter("VERBOSE", 0);
	if (getenv("FILE")) {
		path = getenv("FILE");
		device = true;
	}
	model = mmap(NULL, (size_t)size_max + 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsure = mmap(NULL, (size_t)size_max + 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	buffer = mmap(NULL, 1 << 18, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mkdir(DISK, 0755);
	mount_it();
	open_it();
	if (device) {
		size = size_max;	/* the device itself is larger; beyond the picture nobody looks */
		if (pwrite(fd, model, (size_t)size, 0) != size)
			FATAL("clearing %s", path);
	}
	faults_on();
	for (op = 0; op < ops; op++) {
		one();
		if (op % 10000 == 0)
			say("## at %ld\n", op);
	}
	faults_tell();
	faults_off();
	if (faults())			/* from the disk */
		drop_caches();
	whole();
	close_it();
	if (!device && umount(DISK) < 0)
		FATAL("umount");
	if (faults())
		say("# %ld calls met trouble\n", troubles);
	say("## done %ld\n", op);
	return 0;
}
