/* Shared memory of System V: shmget, shmat, shmdt, shmctl; who counts as attached; when a segment goes; where it is mapped; limits. */
#define TAP_TIMEOUT 120
#include "ipc.h"
#include <sys/prctl.h>

#define PAGE 4096ul
#ifndef SHM_HUGETLB
#define SHM_HUGETLB 04000
#endif
#ifndef SHM_NORESERVE
#define SHM_NORESERVE 010000
#endif
#ifndef SHM_HUGE_SHIFT
#define SHM_HUGE_SHIFT 26
#endif

static int make(size_t size)
{
	int id = shmget(IPC_PRIVATE, size, 0600);
	CHECK(id >= 0);
	return id;
}
static void gone(int id) { CHECK(shmctl(id, IPC_RMID, NULL) == 0); }
static char *at(int id, const void *addr, int flags)
{
	char *p = shmat(id, addr, flags);
	CHECK(p != (void *)-1);
	return p;
}
static struct shmid_ds stat_of(int id)
{
	struct shmid_ds ds;
	CHECK(shmctl(id, IPC_STAT, &ds) == 0);
	return ds;
}
static long nattch(int id) { return stat_of(id).shm_nattch; }
static bool exists(int id)
{
	struct shmid_ds ds;
	return shmctl(id, IPC_STAT, &ds) == 0;
}
/* Room for `pages` that nobody has. */
static char *hole(int pages)
{
	char *p = mmap(NULL, pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED && munmap(p, pages * PAGE) == 0);
	return p;
}
static volatile char touched_value;
static char *touched;
static void touch_read(void) { touched_value = *touched; }
static void touch_write(void) { *(volatile char *)touched = 1; }
static bool faults(char *p, void (*how)(void), int sig) { touched = p; return KILLED(in_child(how), sig); }

TEST(get_and_keys)
{
	key_t k = own_key(0);
	CHECK_ERR(shmget(k, 100, 0600), ENOENT);
	int id = shmget(k, 5000, IPC_CREAT | IPC_EXCL | 0600);
	CHECK(id >= 0);
	CHECK_ERR(shmget(k, 100, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	CHECK_EQ(shmget(k, 5000, IPC_CREAT | 0600), id);
	CHECK_EQ(shmget(k, 0, 0), id);
	CHECK_ERR(shmget(k, 5001, 0), EINVAL);
	CHECK_ERR(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
	CHECK_ERR(shmget(own_key(1), 0, IPC_CREAT), EINVAL);
	CHECK_ERR(shmget(IPC_PRIVATE, -1ul, 0600), EINVAL);
	CHECK_ERR(shmget(IPC_PRIVATE, -1ul - (1 << 24) + 1, 0600), EINVAL);
	CHECK_ERR(shmget(IPC_PRIVATE, -1ul - (1 << 25), 0600), EINVAL);
	CHECK_ERR(shmget(IPC_PRIVATE, 1ul << 50, 0600), ENOMEM);
	gone(id);
	CHECK_ERR(shmget(k, 0, 0), ENOENT);
	CHECK_ERR(shmctl(id, IPC_RMID, NULL), EINVAL);
}

TEST(memory_is_shared_and_stays)
{
	int id = make(3 * PAGE);
	char *a = at(id, NULL, 0), *b = at(id, NULL, 0);
	CHECK(a != b);
	for (int i = 0; i < 3; i++) CHECK(a[i * PAGE] == 0);
	strcpy(a + PAGE, "hello");
	CHECK(!strcmp(b + PAGE, "hello"));
	pid_t pid = fork_flushed();
	if (pid == 0) { char *c = at(id, NULL, 0); _exit(strcmp(c + PAGE, "hello") || (strcpy(c, "kid"), 0)); }
	CHECK(EXITED(wait_status(pid), 0));
	CHECK(!strcmp(b, "kid"));
	CHECK(shmdt(a) == 0 && shmdt(b) == 0);
	a = at(id, NULL, 0);
	CHECK(!strcmp(a, "kid") && !strcmp(a + PAGE, "hello"));
	CHECK(shmdt(a) == 0);
	gone(id);
}

TEST(attach_counts)
{
	int id = make(4 * PAGE);
	CHECK_EQ(nattch(id), 0);
	char *a = at(id, NULL, 0), *b = at(id, NULL, SHM_RDONLY);
	CHECK_EQ(nattch(id), 2);
	int p[2], q[2];
	char c;
	CHECK(pipe(p) == 0 && pipe(q) == 0);
	pid_t pid = fork_flushed();
	if (pid == 0) { write(p[1], "x", 1); read(q[0], &c, 1); _exit(0); }
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(nattch(id), 4);
	write(q[1], "x", 1);
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(nattch(id), 2);
	CHECK(shmdt(b) == 0);
	CHECK_EQ(nattch(id), 1);
	CHECK(munmap(a, 4 * PAGE) == 0);
	CHECK_EQ(nattch(id), 0);
	pid = fork_flushed();
	if (pid == 0) {
		at(id, NULL, 0);
		execl("/proc/self/exe", "shm", "no-such-test", NULL);
		_exit(1);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(nattch(id), 0);
	gone(id);
}

TEST(pieces_count_and_shmdt_takes_all)
{
	int id = make(8 * PAGE);
	char *a = at(id, NULL, 0);
	CHECK(munmap(a + 2 * PAGE, PAGE) == 0);
	CHECK_EQ(nattch(id), 2);
	CHECK(mprotect(a + 5 * PAGE, PAGE, PROT_READ) == 0);
	CHECK_EQ(nattch(id), 4);
	CHECK(mprotect(a + 5 * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK_EQ(nattch(id), 4);	/* they do not grow together again */
	char *other = mmap(a + 2 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(other == a + 2 * PAGE);
	CHECK(shmdt(a) == 0);
	CHECK_EQ(nattch(id), 0);
	CHECK(!faults(other, touch_read, SIGSEGV));
	CHECK(faults(a, touch_read, SIGSEGV) && faults(a + 7 * PAGE, touch_read, SIGSEGV));
	munmap(other, PAGE);
	gone(id);
}

TEST(shmdt_by_the_first_address_alone)
{
	int id = make(4 * PAGE);
	char *a = at(id, NULL, 0);
	CHECK_ERR(shmdt(a + PAGE), EINVAL);
	CHECK_ERR(shmdt(a + 1), EINVAL);
	CHECK_ERR(shmdt(NULL), EINVAL);
	CHECK_ERR(shmdt(BAD), EINVAL);
	char *m = mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK_ERR(shmdt(m), EINVAL);
	CHECK(munmap(a, PAGE) == 0);
	CHECK(shmdt(a) == 0);		/* the rest of it */
	CHECK_EQ(nattch(id), 0);
	CHECK_ERR(shmdt(a), EINVAL);
	gone(id);
}

TEST(addresses)
{
	int id = make(2 * PAGE);
	char *h = hole(8);
	CHECK(at(id, h + PAGE, 0) == h + PAGE);
	CHECK_ERR((long)shmat(id, h + PAGE, 0), EINVAL);
	CHECK_ERR((long)shmat(id, h + 2 * PAGE, 0), EINVAL);
	CHECK_ERR((long)shmat(id, h, 0), EINVAL);
	CHECK_ERR((long)shmat(id, h + 4 * PAGE + 1, 0), EINVAL);
	CHECK(at(id, h + 4 * PAGE + 100, SHM_RND) == h + 4 * PAGE);
	CHECK_EQ(nattch(id), 2);
	CHECK_ERR((long)shmat(id, NULL, SHM_REMAP), EINVAL);
	CHECK_ERR((long)shmat(id, (void *)100, SHM_REMAP | SHM_RND), EINVAL);
	CHECK_ERR((long)shmat(-1, NULL, 0), EINVAL);
	CHECK_ERR((long)shmat(0x7fffffff, NULL, 0), EINVAL);
	CHECK_ERR((long)shmat(id, BAD, 0), EINVAL);
	CHECK_ERR((long)shmat(id, (void *)-PAGE, 0), EINVAL);
	CHECK_ERR((long)shmat(id, (void *)(1ul << 60), 0), ENOMEM);
	CHECK_EQ(nattch(id), 2);
	CHECK(shmdt(h + PAGE) == 0 && shmdt(h + 4 * PAGE) == 0);
	gone(id);
}

TEST(remap)
{
	int id = make(2 * PAGE), other = make(PAGE);
	char *m = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(m, 'm', 4 * PAGE);
	CHECK_ERR((long)shmat(id, m + PAGE, 0), EINVAL);
	CHECK(at(id, m + PAGE, SHM_REMAP) == m + PAGE);
	CHECK(m[0] == 'm' && m[PAGE] == 0 && m[3 * PAGE] == 'm');
	m[PAGE] = 's';
	CHECK(at(other, m + PAGE, SHM_REMAP) == m + PAGE);
	CHECK(m[PAGE] == 0);
	CHECK_EQ(nattch(id), 1);
	char *again = at(id, NULL, 0);
	CHECK(again[0] == 's');
	CHECK(shmdt(again) == 0 && shmdt(m + PAGE) == 0);
	CHECK_EQ(nattch(other), 0);
	munmap(m, 4 * PAGE);
	CHECK_EQ(nattch(id), 0);
	gone(id); gone(other);
}

TEST(read_only)
{
	int id = make(PAGE);
	char *w = at(id, NULL, 0), *r = at(id, NULL, SHM_RDONLY);
	w[0] = 'w';
	CHECK(r[0] == 'w');
	CHECK(faults(r, touch_write, SIGSEGV));
	CHECK_ERR(mprotect(r, PAGE, PROT_READ | PROT_WRITE), EACCES);
	CHECK(mprotect(r, PAGE, PROT_NONE) == 0 && mprotect(r, PAGE, PROT_READ) == 0);
	CHECK(mprotect(w, PAGE, PROT_READ) == 0 && mprotect(w, PAGE, PROT_READ | PROT_WRITE) == 0);
	gone(id);
}

/* deviates: what may be written may not be executed at the same time */
TEST(executable)
{
	int id = shmget(IPC_PRIVATE, PAGE, 0700);
	static const unsigned code[] = { 0x52800540, 0xd65f03c0 };	/* mov w0, #42; ret */
	char *w = at(id, NULL, 0);
	memcpy(w, code, sizeof(code));
	__builtin___clear_cache(w, w + sizeof(code));
	char *x = at(id, NULL, SHM_RDONLY | SHM_EXEC);
	CHECK_EQ(((int (*)(void))(void *)x)(), 42);
	if (on_sarsen()) {
		CHECK_ERR((long)shmat(id, NULL, SHM_EXEC), EACCES);
	} else {
		char *wx = at(id, NULL, SHM_EXEC);
		CHECK_EQ(((int (*)(void))(void *)wx)(), 42);
		CHECK(shmdt(wx) == 0);
	}
	CHECK_EQ(nattch(id), 2);
	CHECK(shmdt(w) == 0 && shmdt(x) == 0);
	gone(id);
	id = shmget(IPC_PRIVATE, PAGE, 0666);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		become(1000, 1000);
		CHECK_ERR((long)shmat(id, NULL, SHM_EXEC | SHM_RDONLY), EACCES);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	gone(id);
}

TEST(the_last_page)
{
	int id = make(PAGE + 10);
	char *a = at(id, NULL, 0);
	CHECK_EQ(stat_of(id).shm_segsz, PAGE + 10);
	memset(a, 'x', 2 * PAGE);
	CHECK_EQ(nattch(id), 1);
	CHECK(shmdt(a) == 0);
	CHECK(faults(a, touch_read, SIGSEGV));
	gone(id);
}

TEST(removed_with_the_last_attachment)
{
	key_t k = own_key(0);
	int id = shmget(k, PAGE, IPC_CREAT | 0600);
	char *a = at(id, NULL, 0), *b = at(id, NULL, 0);
	gone(id);
	CHECK_ERR(shmget(k, 0, 0), ENOENT);
	struct shmid_ds ds = stat_of(id);
	CHECK_EQ(ds.shm_perm.mode, 01600);
	CHECK_EQ(ds.shm_perm.__ipc_perm_key, IPC_PRIVATE);
	CHECK_EQ(ds.shm_nattch, 2);
	int other = shmget(k, PAGE, IPC_CREAT | IPC_EXCL | 0600);
	CHECK(other >= 0 && other != id);
	char *c = at(id, NULL, 0);	/* by its id it can be had */
	a[0] = 'z';
	CHECK(c[0] == 'z');
	gone(id);			/* once more changes nothing */
	CHECK(shmdt(a) == 0 && shmdt(b) == 0);
	CHECK_EQ(nattch(id), 1);
	CHECK(shmdt(c) == 0);
	CHECK(!exists(id));
	CHECK_ERR((long)shmat(id, NULL, 0), EINVAL);
	gone(other);
}

TEST(removed_by_exit)
{
	int id = make(PAGE);
	char *a = at(id, NULL, 0);
	int p[2];
	char c;
	CHECK(pipe(p) == 0);
	pid_t pid = fork_flushed();
	if (pid == 0) { close(p[1]); read(p[0], &c, 1); _exit(a[0]); }
	a[0] = 5;
	gone(id);
	CHECK(shmdt(a) == 0);
	CHECK(exists(id));
	close(p[1]);
	CHECK(EXITED(wait_status(pid), 5));
	CHECK(!exists(id));
	pid = fork_flushed();
	if (pid == 0) { id = make(PAGE); at(id, NULL, 0)[0] = 1; gone(id); kill(getpid(), SIGKILL); }
	CHECK(KILLED(wait_status(pid), SIGKILL));
}

TEST(stat_and_set)
{
	time_t now = time(NULL);
	int id = shmget(own_key(2), 777, IPC_CREAT | 0640);
	struct shmid_ds ds;
	memset(&ds, 0xff, sizeof(ds));
	CHECK(shmctl(id, IPC_STAT, &ds) == 0);
	CHECK(ds.shm_segsz == 777 && ds.shm_perm.mode == 0640 && ds.shm_perm.__ipc_perm_key == own_key(2));
	CHECK(ds.shm_atime == 0 && ds.shm_dtime == 0 && ds.shm_ctime >= now - 2 && ds.shm_cpid == getpid() && ds.shm_lpid == 0);
	pid_t pid = fork_flushed();
	if (pid == 0) { char *a = at(id, NULL, 0); _exit(shmdt(a)); }
	CHECK(EXITED(wait_status(pid), 0));
	ds = stat_of(id);
	CHECK(ds.shm_atime >= now - 2 && ds.shm_dtime >= now - 2 && ds.shm_lpid == pid && ds.shm_cpid == getpid());
	ds.shm_perm.uid = 1000; ds.shm_perm.gid = 1001; ds.shm_perm.mode = 0xffff; ds.shm_segsz = 1;
	CHECK(shmctl(id, IPC_SET, &ds) == 0);
	ds = stat_of(id);
	CHECK(ds.shm_perm.mode == 0777 && ds.shm_perm.uid == 1000 && ds.shm_perm.gid == 1001 && ds.shm_perm.cuid == 0 && ds.shm_segsz == 777);
	ds.shm_perm.uid = -1;
	CHECK_ERR(shmctl(id, IPC_SET, &ds), EINVAL);
	CHECK_ERR(shmctl(id, 99, &ds), EINVAL);
	CHECK_ERR(shmctl(id, -1, &ds), EINVAL);
	CHECK_ERR(shmctl(-1, IPC_STAT, &ds), EINVAL);
	CHECK_ERR(syscall(SYS_shmctl, id, IPC_STAT, HOLE), EFAULT);
	CHECK_ERR(syscall(SYS_shmctl, id, IPC_SET, BAD), EFAULT);
	CHECK_ERR(syscall(SYS_shmctl, 0, IPC_INFO, HOLE), EFAULT);
	CHECK_ERR(syscall(SYS_shmctl, 0, SHM_INFO, HOLE), EFAULT);
	gone(id);
}

TEST(permissions)
{
	int mine = make(PAGE), ro = shmget(own_key(3), PAGE, IPC_CREAT | 0604), all = shmget(IPC_PRIVATE, PAGE, 0666), wo = shmget(IPC_PRIVATE, PAGE, 0602);
	struct shmid_ds ds;
	pid_t pid = fork_flushed();
	if (pid == 0) {
		become(1000, 1000);
		CHECK_ERR((long)shmat(mine, NULL, SHM_RDONLY), EACCES);
		CHECK_ERR(shmctl(mine, IPC_STAT, &ds), EACCES);
		CHECK_ERR(shmctl(mine, IPC_RMID, NULL), EPERM);
		CHECK_ERR(shmctl(mine, SHM_LOCK, NULL), EPERM);
		CHECK_ERR(shmctl(mine, SHM_UNLOCK, NULL), EPERM);
		CHECK_ERR((long)shmat(ro, NULL, 0), EACCES);
		at(ro, NULL, SHM_RDONLY);
		CHECK_ERR((long)shmat(wo, NULL, 0), EACCES);
		at(all, NULL, 0)[0] = 1;
		ds = stat_of(all);
		CHECK_ERR(shmctl(all, IPC_SET, &ds), EPERM);
		CHECK_ERR(shmctl(all, IPC_RMID, &ds), EPERM);
		CHECK_EQ(shmget(own_key(3) & 0, 1, 0600) >= 0, 1);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	CHECK_EQ(nattch(all), 0);
	gone(mine); gone(ro); gone(all); gone(wo);
}

TEST(keeping_in_memory)
{
	int id = make(4 * PAGE);
	CHECK(shmctl(id, SHM_LOCK, NULL) == 0);
	CHECK_EQ(stat_of(id).shm_perm.mode, 02600);
	CHECK(shmctl(id, SHM_LOCK, NULL) == 0);
	CHECK(shmctl(id, SHM_UNLOCK, NULL) == 0);
	CHECK_EQ(stat_of(id).shm_perm.mode, 0600);
	CHECK(shmctl(id, SHM_UNLOCK, NULL) == 0);
	CHECK_ERR(shmctl(0x7fffffff, SHM_LOCK, NULL), EINVAL);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		struct rlimit rl = { 4 * PAGE, 4 * PAGE };
		CHECK(setrlimit(RLIMIT_MEMLOCK, &rl) == 0);
		become(1234, 1234);
		int a = make(2 * PAGE), b = make(2 * PAGE), c = make(PAGE);
		CHECK(shmctl(a, SHM_LOCK, NULL) == 0 && shmctl(b, SHM_LOCK, NULL) == 0);
		CHECK_ERR(shmctl(c, SHM_LOCK, NULL), ENOMEM);
		CHECK(shmctl(a, SHM_UNLOCK, NULL) == 0);
		CHECK(shmctl(c, SHM_LOCK, NULL) == 0);
		gone(b);		/* gives back what it took */
		CHECK(shmctl(a, SHM_LOCK, NULL) == 0);
		rl.rlim_cur = 0;
		CHECK(setrlimit(RLIMIT_MEMLOCK, &rl) == 0);
		CHECK_ERR(shmctl(c, SHM_LOCK, NULL), EPERM);
		CHECK(shmctl(c, SHM_UNLOCK, NULL) == 0);
		gone(a); gone(c);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	gone(id);
}

TEST(huge_pages_are_not_there)
{
	char buf[64] = "";
	if (read_file("/proc/sys/vm/nr_hugepages", buf, sizeof(buf)) > 0 && atoi(buf)) SKIP("huge pages are set aside");
	CHECK_ERR(shmget(IPC_PRIVATE, 2 << 20, SHM_HUGETLB | 0600), ENOMEM);
	CHECK_ERR(shmget(IPC_PRIVATE, 2 << 20, SHM_HUGETLB | 0600 | 21 << SHM_HUGE_SHIFT), ENOMEM);
	CHECK_ERR(shmget(IPC_PRIVATE, 2 << 20, SHM_HUGETLB | 0600 | 13 << SHM_HUGE_SHIFT), EINVAL);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		struct rlimit rl = { PAGE, PAGE };
		setrlimit(RLIMIT_MEMLOCK, &rl);
		become(1234, 1234);
		CHECK_ERR(shmget(IPC_PRIVATE, 2 << 20, SHM_HUGETLB | 0600), EPERM);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(info_and_stat_by_slot)
{
	int id = make(3 * PAGE + 1), highest;
	struct shminfo lim;
	struct { int used; unsigned long tot, rss, swp, a, s; } info;
	struct shmid_ds ds;
	char *a = at(id, NULL, 0);
	memset(a, 1, 2 * PAGE);
	CHECK(shmctl(0, IPC_INFO, (void *)&lim) >= 0);
	CHECK(lim.shmmax == -1ul - (1 << 24) && lim.shmall == -1ul - (1 << 24) && lim.shmmin == 1 && lim.shmmni == 4096 && lim.shmseg == 4096);
	highest = shmctl(0, SHM_INFO, (void *)&info);
	CHECK(highest >= 0 && info.used >= 1 && info.tot >= 4 && info.rss + info.swp >= 2);
	CHECK_EQ(shmctl(id & 32767, SHM_STAT, &ds), id);
	CHECK_EQ(ds.shm_segsz, 3 * PAGE + 1);
	CHECK_ERR(shmctl(highest + 1, SHM_STAT, &ds), EINVAL);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		become(1000, 1000);
		CHECK_ERR(shmctl(id & 32767, SHM_STAT, &ds), EACCES);
		CHECK_EQ(shmctl(id & 32767, SHM_STAT_ANY, &ds), id);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	gone(id);
}

TEST(proc_sysvipc)
{
	int id = shmget(own_key(5), 5 * PAGE + 1, IPC_CREAT | 0640);
	char buf[16384], want[300], *line;
	char *a = at(id, NULL, 0);
	memset(a, 1, 2 * PAGE);
	CHECK(read_file("/proc/sysvipc/shm", buf, sizeof(buf)) > 0);
	const char *head = "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime"
			   "                   rss                  swap\n";
	CHECK(!strncmp(buf, head, strlen(head)));
	struct shmid_ds ds = stat_of(id);
	snprintf(want, sizeof(want), "%10d %10d  %4o %21lu %5u %5u  %5lu %5u %5u %5u %5u %10lu %10lu %10lu %21lu %21lu\n", own_key(5), id, 0640,
		 5 * PAGE + 1, getpid(), getpid(), 1ul, 0, 0, 0, 0, (long)ds.shm_atime, 0l, (long)ds.shm_ctime, 2 * PAGE, 0ul);
	line = strstr(buf, want);
	CHECK(line && line[-1] == '\n');
	gone(id);
	snprintf(want, sizeof(want), "%10d %10d  %4o %21lu ", 0, id, 01640, 5 * PAGE + 1);
	CHECK(read_file("/proc/sysvipc/shm", buf, sizeof(buf)) > 0);
	CHECK(strstr(buf, want));
}

TEST(maps_name_it)
{
	int id = shmget(0x00abcdef, PAGE, IPC_CREAT | 0600), other = make(PAGE);
	char *a = at(id, NULL, 0), *b = at(other, NULL, SHM_RDONLY), buf[16384], want[100];
	CHECK(read_file("/proc/self/maps", buf, sizeof(buf)) > 0);
	snprintf(want, sizeof(want), "%08lx-%08lx rw-s 00000000 ", (long)a, (long)a + PAGE);
	char *line = strstr(buf, want);
	CHECK(line);
	unsigned ino = 0;
	CHECK_EQ(sscanf(line + strlen(want), "%*x:%*x %u", &ino), 1);
	CHECK_EQ(ino, id);
	char *name = strchr(line, '/');
	CHECK(name && !strncmp(name, "/SYSV00abcdef (deleted)\n", 24));
	snprintf(want, sizeof(want), "%08lx-%08lx r--s ", (long)b, (long)b + PAGE);
	line = strstr(buf, want);
	CHECK(line && (name = strchr(line, '/')) && !strncmp(name, "/SYSV00000000 (deleted)\n", 24));
	gone(id); gone(other);
}

TEST(sysctl)
{
	char buf[64], big[64];
	int fd;
	snprintf(big, sizeof(big), "%lu\n", -1ul - (1 << 24));
	CHECK(read_file("/proc/sys/kernel/shmmax", buf, sizeof(buf)) > 0 && !strcmp(buf, big));
	CHECK(read_file("/proc/sys/kernel/shmall", buf, sizeof(buf)) > 0 && !strcmp(buf, big));
	CHECK(read_file("/proc/sys/kernel/shmmni", buf, sizeof(buf)) > 0 && !strcmp(buf, "4096\n"));
	CHECK(read_file("/proc/sys/kernel/shm_rmid_forced", buf, sizeof(buf)) > 0 && !strcmp(buf, "0\n"));
	struct { int used; unsigned long tot, rss, swp, a, s; } info;
	CHECK(shmctl(0, SHM_INFO, (void *)&info) >= 0);
	write_file("/proc/sys/kernel/shmmax", "10000\n");
	CHECK_ERR(shmget(IPC_PRIVATE, 10001, 0600), EINVAL);
	int id = make(10000);
	write_file("/proc/sys/kernel/shmmax", big);
	snprintf(buf, sizeof(buf), "%lu", info.tot + 5);
	write_file("/proc/sys/kernel/shmall", buf);
	CHECK_ERR(shmget(IPC_PRIVATE, 2 * PAGE + 1, 0600), ENOSPC);
	gone(make(2 * PAGE));
	write_file("/proc/sys/kernel/shmall", big);
	snprintf(buf, sizeof(buf), "%d", info.used + 1);
	write_file("/proc/sys/kernel/shmmni", buf);
	CHECK_ERR(shmget(IPC_PRIVATE, 1, 0600), ENOSPC);
	write_file("/proc/sys/kernel/shmmni", "4096");
	gone(id);
	fd = open("/proc/sys/kernel/shmmax", O_WRONLY);
	CHECK(write(fd, "abc", 3) == -1 && errno == EINVAL);
	close(fd);
	fd = open("/proc/sys/kernel/shmmni", O_WRONLY);
	CHECK(write(fd, "32769", 5) == -1 && errno == EINVAL);
	close(fd);
	fd = open("/proc/sys/kernel/shm_rmid_forced", O_WRONLY);
	CHECK(write(fd, "2", 1) == -1 && errno == EINVAL);
	close(fd);
}

TEST(rmid_forced)
{
	int mine = make(PAGE), p[2];
	CHECK(pipe(p) == 0);
	pid_t pid = fork_flushed();
	if (pid == 0) { int id = make(PAGE); write(p[1], &id, sizeof(id)); _exit(0); }
	int orphan, kids;
	CHECK_EQ(read(p[0], &orphan, sizeof(orphan)), sizeof(orphan));
	CHECK(EXITED(wait_status(pid), 0));
	CHECK(exists(orphan));
	write_file("/proc/sys/kernel/shm_rmid_forced", "1");
	CHECK(!exists(orphan) && exists(mine));
	pid = fork_flushed();
	if (pid == 0) { int id = make(PAGE); at(id, NULL, 0); write(p[1], &id, sizeof(id)); _exit(0); }
	CHECK_EQ(read(p[0], &kids, sizeof(kids)), sizeof(kids));
	CHECK(EXITED(wait_status(pid), 0));
	CHECK(!exists(kids));
	pid = fork_flushed();
	if (pid == 0) { int id = make(PAGE); write(p[1], &id, sizeof(id)); _exit(0); }
	CHECK_EQ(read(p[0], &kids, sizeof(kids)), sizeof(kids));
	CHECK(EXITED(wait_status(pid), 0));
	CHECK(!exists(kids));
	char *a = at(mine, NULL, 0);
	CHECK(shmdt(a) == 0);
	CHECK(!exists(mine));
	write_file("/proc/sys/kernel/shm_rmid_forced", "0");
}

TEST(moved_by_mremap)
{
	int id = make(2 * PAGE);
	char *a = at(id, NULL, 0), *h = hole(4);
	a[PAGE] = 'q';
	char *b = mremap(a, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, h);
	CHECK(b == h && b[PAGE] == 'q');
	CHECK_EQ(nattch(id), 1);
	CHECK_ERR(shmdt(a), EINVAL);
	CHECK(shmdt(b) == 0);
	CHECK_EQ(nattch(id), 0);
	gone(id);
}

TEST(calls_reach_it)
{
	int id = make(4 * PAGE), p[2];
	char *a = at(id, NULL, 0), b[8];
	CHECK(pipe(p) == 0 && write(p[1], "through", 8) == 8);
	CHECK_EQ(read(p[0], a + PAGE - 3, 8), 8);
	CHECK(!strcmp(a + PAGE - 3, "through"));
	CHECK_EQ(write(p[1], a + PAGE - 3, 8), 8);
	CHECK(read(p[0], b, 8) == 8 && !strcmp(b, "through"));
	CHECK(msync(a, 4 * PAGE, MS_SYNC) == 0);
	CHECK(madvise(a, PAGE, MADV_DONTNEED) == 0);
	CHECK(a[PAGE - 3] == 't');
	gone(id);
}

TEST(locked_future_memory)
{
	pid_t pid = fork_flushed();
	if (pid == 0) {
		int id = make(4 * PAGE);
		CHECK(mlockall(MCL_FUTURE) == 0);
		char *a = at(id, NULL, 0);
		unsigned char in[4] = { 0 };
		CHECK(mincore(a, 4 * PAGE, in) == 0);
		CHECK((in[0] & in[1] & in[2] & in[3] & 1) == 1);
		gone(id);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
}

TEST(many_segments)
{
	enum { N = 500 };
	static int id[N];
	for (int i = 0; i < N; i++) {
		id[i] = shmget(own_key(0) + (i << 12), PAGE, IPC_CREAT | IPC_EXCL | 0600);
		CHECK(id[i] >= 0);
		int *p = (int *)at(id[i], NULL, 0);
		*p = i;
		CHECK(shmdt(p) == 0);
	}
	for (int i = 0; i < N; i++) {
		int *p = (int *)at(shmget(own_key(0) + (i << 12), 0, 0), NULL, SHM_RDONLY);
		CHECK_EQ(*p, i);
		CHECK(shmdt(p) == 0);
		gone(id[i]);
	}
}

TEST(removal_races)
{
	for (int round = 0; round < 60; round++) {
		int id = make(2 * PAGE);
		fflush(stdout);
		for (int k = 0; k < 4; k++)
			if (fork() == 0) {
				for (int i = 0; i < 30; i++) {	/* a removed one can still be attached, so they must come to an end by themselves */
					char *a = shmat(id, NULL, 0);
					if (a == (void *)-1) _exit(errno == EIDRM || errno == EINVAL ? 0 : 1);
					a[PAGE] = k;
					if (k == 3) { pid_t kid = fork(); if (kid == 0) _exit(0); if (wait_status(kid)) _exit(2); }
					if (shmdt(a)) _exit(3);
				}
				_exit(0);
			}
		for (volatile int i = 0; i < round * 5000; i++) ;
		CHECK(shmctl(id, IPC_RMID, NULL) == 0 || errno == EINVAL);
		for (int k = 0; k < 4; k++) { int st; CHECK(wait(&st) > 0 && EXITED(st, 0)); }
		CHECK(!exists(id));
	}
}
