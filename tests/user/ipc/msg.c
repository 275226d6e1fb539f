/* Message queues of System V: msgget, msgsnd, msgrcv, msgctl; which message comes; who waits; removal; limits; bad arguments. */
#define TAP_TIMEOUT 120
#include "ipc.h"

struct m { long type; char text[16384]; };
static struct m out_, in_;

static int make(void)
{
	int id = msgget(IPC_PRIVATE, 0600);
	CHECK(id >= 0);
	return id;
}
static void gone(int id) { CHECK(msgctl(id, IPC_RMID, NULL) == 0); }
static int put(int id, long type, const char *text, int flags)
{
	out_.type = type;
	strcpy(out_.text, text);
	return msgsnd(id, &out_, strlen(text), flags);
}
/* The text that comes, "" if none does. */
static const char *get(int id, long type, int flags)
{
	memset(&in_, 0, sizeof(in_));
	ssize_t n = msgrcv(id, &in_, sizeof(in_.text), type, flags);
	return n < 0 ? "" : in_.text;
}
static struct msqid_ds stat_of(int id)
{
	struct msqid_ds ds;
	CHECK(msgctl(id, IPC_STAT, &ds) == 0);
	return ds;
}
/* A child that receives, and says by its exit status what: the text's first letter, or 128 + errno. */
static pid_t receiver(int id, long type, int flags)
{
	pid_t pid = fork_flushed();
	if (pid == 0) {
		ssize_t n = msgrcv(id, &in_, sizeof(in_.text), type, flags);
		_exit(n < 0 ? 128 + errno : in_.text[0]);
	}
	CHECK(wait_state(pid, 'S'));
	return pid;
}
static pid_t sender(int id, long type, size_t len)
{
	pid_t pid = fork_flushed();
	if (pid == 0) {
		out_.type = type;
		memset(out_.text, 'a' + type, sizeof(out_.text));
		_exit(msgsnd(id, &out_, len, 0) ? 128 + errno : 0);
	}
	CHECK(wait_state(pid, 'S'));
	return pid;
}

TEST(get_and_keys)
{
	key_t k = own_key(0);
	CHECK_ERR(msgget(k, 0600), ENOENT);
	int id = msgget(k, IPC_CREAT | IPC_EXCL | 0600);
	CHECK(id >= 0);
	CHECK_ERR(msgget(k, IPC_CREAT | IPC_EXCL), EEXIST);
	CHECK_EQ(msgget(k, IPC_CREAT | 0600), id);
	CHECK_EQ(msgget(k, 0), id);
	int other = make();
	CHECK(other != id);
	gone(id);
	gone(other);
	CHECK_ERR(msgget(k, 0), ENOENT);
	CHECK_ERR(msgctl(id, IPC_RMID, NULL), EINVAL);
}

TEST(in_order)
{
	int id = make();
	CHECK(put(id, 1, "one", 0) == 0 && put(id, 2, "two", 0) == 0 && put(id, 3, "three", 0) == 0);
	struct msqid_ds ds = stat_of(id);
	CHECK_EQ(ds.msg_qnum, 3);
	CHECK_EQ(ds.msg_cbytes, 11);
	CHECK_EQ(msgrcv(id, &in_, sizeof(in_.text), 0, 0), 3);
	CHECK(in_.type == 1 && !strncmp(in_.text, "one", 3));
	CHECK(!strcmp(get(id, 0, 0), "two") && in_.type == 2);
	CHECK(!strcmp(get(id, 0, 0), "three"));
	CHECK_ERR(msgrcv(id, &in_, 10, 0, IPC_NOWAIT), ENOMSG);
	CHECK_EQ(stat_of(id).msg_qnum, 0);
	gone(id);
}

TEST(by_type)
{
	int id = make();
	CHECK(put(id, 5, "e", 0) == 0 && put(id, 3, "c", 0) == 0 && put(id, 9, "i", 0) == 0 && put(id, 3, "C", 0) == 0 && put(id, 4, "d", 0) == 0);
	CHECK(!strcmp(get(id, 9, 0), "i"));
	CHECK(!strcmp(get(id, 3, 0), "c"));
	CHECK_ERR(msgrcv(id, &in_, 10, 7, IPC_NOWAIT), ENOMSG);
	CHECK_ERR(msgrcv(id, &in_, 10, -2, IPC_NOWAIT), ENOMSG);
	CHECK(!strcmp(get(id, -4, 0), "C"));
	CHECK(!strcmp(get(id, -5, 0), "d"));
	CHECK(!strcmp(get(id, LONG_MIN, 0), "e"));
	gone(id);
}

TEST(all_but_a_type)
{
	int id = make();
	CHECK(put(id, 1, "a", 0) == 0 && put(id, 2, "b", 0) == 0 && put(id, 1, "c", 0) == 0);
	CHECK(!strcmp(get(id, 1, MSG_EXCEPT), "b"));
	CHECK_ERR(msgrcv(id, &in_, 10, 1, MSG_EXCEPT | IPC_NOWAIT), ENOMSG);
	CHECK(!strcmp(get(id, 0, MSG_EXCEPT), "a"));
	CHECK(!strcmp(get(id, -1, MSG_EXCEPT), "c"));
	gone(id);
}

TEST(too_long)
{
	int id = make();
	CHECK(put(id, 1, "0123456789", 0) == 0);
	CHECK_ERR(msgrcv(id, &in_, 5, 0, 0), E2BIG);
	CHECK_EQ(stat_of(id).msg_qnum, 1);
	CHECK_EQ(msgrcv(id, &in_, 5, 0, MSG_NOERROR), 5);
	CHECK(!strncmp(in_.text, "01234", 5));
	CHECK_EQ(stat_of(id).msg_qnum, 0);
	CHECK(put(id, 1, "x", 0) == 0);
	CHECK_EQ(msgrcv(id, &in_, 0, 0, MSG_NOERROR), 0);
	CHECK(put(id, 1, "", 0) == 0);
	CHECK_EQ(msgrcv(id, &in_, 0, 0, 0), 0);
	gone(id);
}

TEST(sizes)
{
	int id = make();
	static const size_t sizes[] = { 0, 1, 7, 8, 4047, 4048, 4049, 4072, 4080, 4096, 8191, 8192 };
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t n = sizes[i];
		out_.type = 1 + i;
		for (size_t j = 0; j < n; j++) out_.text[j] = (j * 7 + n) & 0xff;
		CHECK(msgsnd(id, &out_, n, 0) == 0);
		memset(&in_, 0x55, sizeof(in_));
		CHECK_EQ(msgrcv(id, &in_, sizeof(in_.text), 0, 0), n);
		CHECK_EQ(in_.type, 1 + i);
		CHECK(!memcmp(in_.text, out_.text, n) && in_.text[n] == 0x55);
	}
	gone(id);
}

TEST(bad_arguments)
{
	int id = make();
	out_.type = 1;
	CHECK_ERR(msgsnd(id, &out_, 8193, 0), EINVAL);
	CHECK_ERR(msgsnd(id, &out_, -1, 0), EINVAL);
	CHECK_ERR(msgsnd(id, &out_, SIZE_MAX / 2, 0), EINVAL);
	CHECK_ERR(msgsnd(-1, &out_, 1, 0), EINVAL);
	CHECK_ERR(msgsnd(0x7fffffff, &out_, 1, 0), EINVAL);
	CHECK_ERR(msgsnd(id, HOLE, 1, 0), EFAULT);
	CHECK_ERR(msgsnd(id, BAD, 1, 0), EFAULT);
	CHECK_ERR(msgsnd(-1, HOLE, 1, 0), EFAULT);
	out_.type = 0;
	CHECK_ERR(msgsnd(id, &out_, 1, 0), EINVAL);
	out_.type = -1;
	CHECK_ERR(msgsnd(id, &out_, 1, 0), EINVAL);
	CHECK_ERR(msgrcv(-1, &in_, 1, 0, IPC_NOWAIT), EINVAL);
	CHECK_ERR(msgrcv(id, &in_, -1, 0, IPC_NOWAIT), EINVAL);
	CHECK_ERR(msgrcv(0x7fffffff, &in_, 1, 0, IPC_NOWAIT), EINVAL);
	CHECK_ERR(msgrcv(id, HOLE, 1, 0, IPC_NOWAIT), ENOMSG);
	char *edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(munmap(edge + 4096, 4096) == 0);
	*(long *)(edge + 4096 - 16) = 1;
	CHECK_ERR(msgsnd(id, edge + 4096 - 16, 9, 0), EFAULT);
	CHECK(msgsnd(id, edge + 4096 - 16, 8, 0) == 0);
	CHECK_ERR(msgrcv(id, HOLE, 100, 0, 0), EFAULT);
	CHECK_EQ(stat_of(id).msg_qnum, 0);
	CHECK(msgsnd(id, edge + 4096 - 16, 8, 0) == 0);
	CHECK_ERR(msgrcv(id, edge + 4096 - 12, 100, 0, 0), EFAULT);
	CHECK(msgsnd(id, edge + 4096 - 16, 8, 0) == 0);
	CHECK_EQ(msgrcv(id, edge + 4096 - 16, 100, 0, 0), 8);
	CHECK_ERR(msgctl(id, 99, NULL), EINVAL);
	CHECK_ERR(msgctl(id, -1, NULL), EINVAL);
	CHECK_ERR(msgctl(-1, IPC_STAT, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_msgctl, id, IPC_STAT, HOLE), EFAULT);
	CHECK_ERR(syscall(SYS_msgctl, id, IPC_SET, BAD), EFAULT);
	CHECK_ERR(syscall(SYS_msgctl, 0, MSG_INFO, HOLE), EFAULT);
	CHECK_ERR(syscall(SYS_msgctl, id, IPC_STAT | 0x100, &in_), EINVAL);
	gone(id);
}

TEST(copy_by_number)
{
	int id = make();
	CHECK(put(id, 7, "zero", 0) == 0 && put(id, 8, "one", 0) == 0);
	CHECK_ERR(msgrcv(id, &in_, 10, 0, MSG_COPY), EINVAL);
	CHECK_ERR(msgrcv(id, &in_, 10, 0, MSG_COPY | MSG_EXCEPT | IPC_NOWAIT), EINVAL);
	errno = 0;
	if (msgrcv(id, &in_, 10, 0, MSG_COPY | IPC_NOWAIT) < 0 && errno == ENOSYS) SKIP("kernel without MSG_COPY");
	CHECK(!strcmp(get(id, 1, MSG_COPY | IPC_NOWAIT), "one") && in_.type == 8);
	CHECK(!strcmp(get(id, 0, MSG_COPY | IPC_NOWAIT), "zero") && in_.type == 7);
	CHECK_ERR(msgrcv(id, &in_, 10, 2, MSG_COPY | IPC_NOWAIT), ENOMSG);
	CHECK_ERR(msgrcv(id, &in_, 10, -1, MSG_COPY | IPC_NOWAIT), ENOMSG);
	CHECK_ERR(msgrcv(id, &in_, 2, 0, MSG_COPY | IPC_NOWAIT), E2BIG);
	CHECK_ERR(msgrcv(id, &in_, 2, 0, MSG_COPY | IPC_NOWAIT | MSG_NOERROR), EINVAL);
	CHECK_ERR(msgrcv(id, HOLE, 10, 5, MSG_COPY | IPC_NOWAIT), EFAULT);
	CHECK_EQ(stat_of(id).msg_qnum, 2);
	CHECK_EQ(stat_of(id).msg_lrpid, 0);
	gone(id);
}

TEST(full_by_bytes)
{
	int id = make(), n = 0;
	struct msqid_ds ds = stat_of(id);
	CHECK_EQ(ds.msg_qbytes, 16384);
	out_.type = 1;
	CHECK(msgsnd(id, &out_, 8192, 0) == 0 && msgsnd(id, &out_, 8000, 0) == 0);
	CHECK_ERR(msgsnd(id, &out_, 193, IPC_NOWAIT), EAGAIN);
	CHECK(msgsnd(id, &out_, 192, IPC_NOWAIT) == 0);
	CHECK_ERR(msgsnd(id, &out_, 1, IPC_NOWAIT), EAGAIN);
	CHECK(msgsnd(id, &out_, 0, IPC_NOWAIT) == 0);
	ds.msg_qbytes = 5;
	CHECK(msgctl(id, IPC_SET, &ds) == 0);
	CHECK_ERR(msgsnd(id, &out_, 0, IPC_NOWAIT), EAGAIN);
	while (msgrcv(id, &in_, sizeof(in_.text), 0, IPC_NOWAIT) >= 0) n++;
	CHECK_EQ(n, 4);
	for (n = 0; msgsnd(id, &out_, 0, IPC_NOWAIT) == 0; n++) ;
	CHECK_EQ(n, 5);		/* as many messages as bytes */
	gone(id);
}

TEST(receiver_waits)
{
	int id = make();
	pid_t any = receiver(id, 0, 0);
	CHECK(put(id, 4, "x", 0) == 0);
	CHECK(EXITED(wait_status(any), 'x'));
	CHECK_EQ(stat_of(id).msg_lrpid, any);
	CHECK_EQ(stat_of(id).msg_lspid, getpid());
	pid_t a = receiver(id, 5, 0), b = receiver(id, 6, 0), c = receiver(id, -3, 0), d = receiver(id, 5, MSG_EXCEPT);
	CHECK(put(id, 6, "b", 0) == 0);
	CHECK(EXITED(wait_status(b), 'b'));
	CHECK(put(id, 3, "c", 0) == 0);
	CHECK(EXITED(wait_status(c), 'c'));
	CHECK(put(id, 5, "a", 0) == 0);
	CHECK(EXITED(wait_status(a), 'a'));
	CHECK(put(id, 5, "n", 0) == 0);
	CHECK(put(id, 7, "d", 0) == 0);
	CHECK(EXITED(wait_status(d), 'd'));
	CHECK_EQ(stat_of(id).msg_qnum, 1);
	gone(id);
}

TEST(receivers_in_order)
{
	int id = make();
	pid_t a = receiver(id, 0, 0), b = receiver(id, 0, 0), c = receiver(id, 0, 0);
	CHECK(put(id, 1, "1", 0) == 0 && put(id, 1, "2", 0) == 0 && put(id, 1, "3", 0) == 0);
	CHECK(EXITED(wait_status(a), '1'));
	CHECK(EXITED(wait_status(b), '2'));
	CHECK(EXITED(wait_status(c), '3'));
	gone(id);
}

TEST(a_receiver_with_a_small_buffer)
{
	int id = make();
	pid_t pid = fork_flushed();
	if (pid == 0) _exit(msgrcv(id, &in_, 2, 0, 0) < 0 ? 128 + errno : 0);
	CHECK(wait_state(pid, 'S'));
	pid_t next = receiver(id, 0, 0);
	CHECK(put(id, 1, "long", 0) == 0);
	CHECK(EXITED(wait_status(pid), 128 + E2BIG));
	CHECK(EXITED(wait_status(next), 'l'));
	pid = fork_flushed();
	if (pid == 0) _exit(msgrcv(id, &in_, 2, 0, MSG_NOERROR) == 2 && in_.text[1] == 'o' && !in_.text[2] ? 0 : 1);
	CHECK(wait_state(pid, 'S'));
	CHECK(put(id, 1, "long", 0) == 0);
	CHECK(EXITED(wait_status(pid), 0));
	gone(id);
}

TEST(sender_waits)
{
	int id = make();
	out_.type = 1;
	CHECK(msgsnd(id, &out_, 8192, 0) == 0 && msgsnd(id, &out_, 8192, 0) == 0);
	pid_t a = sender(id, 2, 8192), b = sender(id, 3, 100);
	out_.type = 4;
	CHECK(msgsnd(id, &out_, 0, IPC_NOWAIT) == 0);	/* an empty one fits */
	CHECK_EQ(stat_of(id).msg_qnum, 3);
	CHECK_EQ(msgrcv(id, &in_, 8192, 1, 0), 8192);
	CHECK(EXITED(wait_status(a), 0));
	CHECK_EQ(stat_of(id).msg_cbytes, 16384);
	CHECK_EQ(msgrcv(id, &in_, 8192, 1, 0), 8192);
	CHECK(EXITED(wait_status(b), 0));
	CHECK_EQ(stat_of(id).msg_lspid, b);
	CHECK_EQ(msgrcv(id, &in_, 8192, 2, 0), 8192);
	CHECK(in_.text[8191] == 'c');
	CHECK_EQ(msgrcv(id, &in_, 8192, 3, 0), 100);
	gone(id);
}

TEST(more_room_lets_senders_go)
{
	int id = make();
	out_.type = 1;
	CHECK(msgsnd(id, &out_, 8192, 0) == 0 && msgsnd(id, &out_, 8192, 0) == 0);
	pid_t a = sender(id, 2, 10);
	struct msqid_ds ds = stat_of(id);
	ds.msg_qbytes = 20000;
	CHECK(msgctl(id, IPC_SET, &ds) == 0);
	CHECK(EXITED(wait_status(a), 0));
	CHECK_EQ(stat_of(id).msg_qnum, 3);
	CHECK_EQ(stat_of(id).msg_qbytes, 20000);
	gone(id);
}

TEST(removal_wakes)
{
	int id = make();
	pid_t a = receiver(id, 5, 0);
	out_.type = 1;
	CHECK(msgsnd(id, &out_, 8192, 0) == 0 && msgsnd(id, &out_, 8192, 0) == 0);
	pid_t b = sender(id, 1, 8192);
	gone(id);
	CHECK(EXITED(wait_status(a), 128 + EIDRM));
	CHECK(EXITED(wait_status(b), 128 + EIDRM));
	CHECK_ERR(msgsnd(id, &out_, 1, 0), EINVAL);
}

static void signalled(int flags, bool send)
{
	int id = make();
	out_.type = 1;
	CHECK(msgsnd(id, &out_, 8192, 0) == 0 && msgsnd(id, &out_, 8192, 0) == 0);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		catch(SIGUSR1, flags);
		_exit((send ? msgsnd(id, &out_, 100, 0) : (int)msgrcv(id, &in_, 100, 9, 0)) < 0 ? 128 + errno : 0);
	}
	CHECK(wait_state(pid, 'S'));
	kill(pid, SIGUSR1);
	CHECK(EXITED(wait_status(pid), 128 + EINTR));
	CHECK_EQ(stat_of(id).msg_qnum, 2);
	gone(id);
}
TEST(signals) { signalled(0, true); signalled(0, false); signalled(SA_RESTART, true); signalled(SA_RESTART, false); }

TEST(a_stop_is_no_interruption)
{
	int id = make();
	pid_t pid = receiver(id, 0, 0);
	kill(pid, SIGSTOP);
	int st;
	CHECK(waitpid(pid, &st, WUNTRACED) == pid && WIFSTOPPED(st));
	kill(pid, SIGCONT);
	CHECK(wait_state(pid, 'S'));
	CHECK(put(id, 1, "y", 0) == 0);
	CHECK(EXITED(wait_status(pid), 'y'));
	pid = receiver(id, 0, 0);
	kill(pid, SIGKILL);
	CHECK(KILLED(wait_status(pid), SIGKILL));
	CHECK(put(id, 1, "z", 0) == 0);
	CHECK_EQ(stat_of(id).msg_qnum, 1);
	gone(id);
}

TEST(stat_and_set)
{
	int id = msgget(own_key(1), IPC_CREAT | 0640);
	time_t now = time(NULL);
	struct msqid_ds ds = stat_of(id);
	CHECK(ds.msg_perm.mode == 0640 && ds.msg_perm.__ipc_perm_key == own_key(1));
	CHECK(ds.msg_stime == 0 && ds.msg_rtime == 0 && ds.msg_ctime >= now - 2);
	CHECK(ds.msg_lspid == 0 && ds.msg_lrpid == 0 && ds.msg_cbytes == 0);
	CHECK(put(id, 1, "x", 0) == 0);
	ds = stat_of(id);
	CHECK(ds.msg_stime >= now - 2 && ds.msg_rtime == 0 && ds.msg_lspid == getpid());
	get(id, 0, 0);
	CHECK(stat_of(id).msg_rtime >= now - 2);
	ds.msg_perm.uid = 1000; ds.msg_perm.gid = 1000; ds.msg_perm.mode = 0xfff; ds.msg_qbytes = 100;
	CHECK(msgctl(id, IPC_SET, &ds) == 0);
	ds = stat_of(id);
	CHECK(ds.msg_perm.mode == 0777 && ds.msg_perm.uid == 1000 && ds.msg_perm.cuid == 0 && ds.msg_qbytes == 100);
	ds.msg_perm.gid = -1;
	CHECK_ERR(msgctl(id, IPC_SET, &ds), EINVAL);
	ds.msg_perm.gid = 0;
	CHECK(msgctl(id, IPC_SET, &ds) == 0);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		become(1000, 1000);
		ds.msg_qbytes = 16385;
		CHECK_ERR(msgctl(id, IPC_SET, &ds), EPERM);
		ds.msg_qbytes = 16384;
		CHECK(msgctl(id, IPC_SET, &ds) == 0);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	gone(id);
}

TEST(permissions)
{
	int mine = make(), all = msgget(IPC_PRIVATE, 0666), in = msgget(IPC_PRIVATE, 0602), from = msgget(IPC_PRIVATE, 0604);
	struct msqid_ds ds;
	CHECK(put(from, 1, "x", 0) == 0);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		become(1000, 1000);
		CHECK_ERR(put(mine, 1, "x", 0), EACCES);
		CHECK_ERR(msgrcv(mine, &in_, 10, 0, IPC_NOWAIT), EACCES);
		CHECK_ERR(msgctl(mine, IPC_STAT, &ds), EACCES);
		CHECK_ERR(msgctl(mine, IPC_RMID, NULL), EPERM);
		ds = stat_of(all);
		CHECK_ERR(msgctl(all, IPC_SET, &ds), EPERM);
		CHECK(put(all, 1, "x", 0) == 0 && !strcmp(get(all, 0, 0), "x"));
		CHECK(put(in, 1, "x", 0) == 0);
		CHECK_ERR(msgrcv(in, &in_, 10, 0, IPC_NOWAIT), EACCES);
		CHECK(!strcmp(get(from, 0, 0), "x"));
		CHECK_ERR(put(from, 1, "x", 0), EACCES);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	gone(mine); gone(all); gone(in); gone(from);
}

TEST(who_waits_is_asked_again)
{
	int id = msgget(IPC_PRIVATE, 0666);
	struct msqid_ds ds = stat_of(id);
	pid_t pid = fork_flushed();
	if (pid == 0) { become(1000, 1000); _exit(msgrcv(id, &in_, 100, 0, 0) < 0 ? 128 + errno : 0); }
	CHECK(wait_state(pid, 'S'));
	CHECK(msgctl(id, IPC_SET, &ds) == 0);
	CHECK(wait_state(pid, 'S'));
	ds.msg_perm.mode = 0600;
	CHECK(msgctl(id, IPC_SET, &ds) == 0);
	CHECK(EXITED(wait_status(pid), 128 + EACCES));
	gone(id);
}

TEST(info_and_stat_by_slot)
{
	int id = make(), highest;
	struct msginfo info;
	struct msqid_ds ds;
	CHECK(put(id, 1, "hello", 0) == 0);
	memset(&info, 0, sizeof(info));
	CHECK(msgctl(0, IPC_INFO, (void *)&info) >= 0);
	CHECK(info.msgmax == 8192 && info.msgmnb == 16384 && info.msgmni == 32000 && info.msgssz == 16 && info.msgtql == 16384);
	CHECK(info.msgpool == 512000 && info.msgmap == 16384 && info.msgseg == 0xffff);
	highest = msgctl(0, MSG_INFO, (void *)&info);
	CHECK(highest >= 0 && info.msgpool >= 1 && info.msgmap >= 1 && info.msgtql >= 5);
	CHECK_EQ(msgctl(id & 32767, MSG_STAT, &ds), id);
	CHECK_EQ(ds.msg_qnum, 1);
	CHECK_ERR(msgctl(highest + 1, MSG_STAT, &ds), EINVAL);
	pid_t pid = fork_flushed();
	if (pid == 0) {
		become(1000, 1000);
		CHECK_ERR(msgctl(id & 32767, MSG_STAT, &ds), EACCES);
		CHECK_EQ(msgctl(id & 32767, MSG_STAT_ANY, &ds), id);
		_exit(0);
	}
	CHECK(EXITED(wait_status(pid), 0));
	gone(id);
}

TEST(proc_sysvipc)
{
	int id = msgget(own_key(5), IPC_CREAT | 0640);
	char buf[8192], want[200], *line;
	CHECK(put(id, 1, "hello", 0) == 0);
	CHECK(read_file("/proc/sysvipc/msg", buf, sizeof(buf)) > 0);
	const char *head = "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n";
	CHECK(!strncmp(buf, head, strlen(head)));
	struct msqid_ds ds = stat_of(id);
	snprintf(want, sizeof(want), "%10d %10d  %4o  %10u %10u %5u %5u %5u %5u %5u %5u %10lu %10lu %10lu\n", own_key(5), id, 0640, 5, 1, getpid(),
		 0, 0, 0, 0, 0, (long)ds.msg_stime, 0l, (long)ds.msg_ctime);
	line = strstr(buf, want);
	CHECK(line && line[-1] == '\n');
	gone(id);
}

TEST(sysctl)
{
	char buf[64];
	struct msginfo info;
	CHECK(read_file("/proc/sys/kernel/msgmax", buf, sizeof(buf)) > 0 && !strcmp(buf, "8192\n"));
	CHECK(read_file("/proc/sys/kernel/msgmnb", buf, sizeof(buf)) > 0 && !strcmp(buf, "16384\n"));
	CHECK(read_file("/proc/sys/kernel/msgmni", buf, sizeof(buf)) > 0 && !strcmp(buf, "32000\n"));
	write_file("/proc/sys/kernel/msgmax", "16000");
	write_file("/proc/sys/kernel/msgmnb", "15000");
	int id = make();
	CHECK_EQ(stat_of(id).msg_qbytes, 15000);
	out_.type = 1;
	CHECK_ERR(msgsnd(id, &out_, 16000, IPC_NOWAIT), EAGAIN);
	CHECK(msgsnd(id, &out_, 15000, IPC_NOWAIT) == 0);
	CHECK_ERR(msgsnd(id, &out_, 16001, IPC_NOWAIT), EINVAL);
	write_file("/proc/sys/kernel/msgmax", "8192\n");
	write_file("/proc/sys/kernel/msgmnb", "16384\n");
	CHECK_EQ(msgrcv(id, &in_, 16000, 0, 0), 15000);
	CHECK(msgctl(0, MSG_INFO, (void *)&info) >= 0);
	snprintf(buf, sizeof(buf), "%d", info.msgpool);
	write_file("/proc/sys/kernel/msgmni", buf);
	CHECK_ERR(msgget(IPC_PRIVATE, 0600), ENOSPC);
	write_file("/proc/sys/kernel/msgmni", "32000");
	int fd = open("/proc/sys/kernel/msgmni", O_WRONLY);
	CHECK(write(fd, "32769", 5) == -1 && errno == EINVAL);
	CHECK(write(fd, "-1", 2) == -1 && errno == EINVAL);
	gone(id);
}

TEST(every_byte_through)
{
	enum { KIDS = 4, N = 400 };
	int id = make();
	long sum = 0;
	fflush(stdout);
	for (int k = 0; k < KIDS; k++)
		if (fork() == 0) {
			for (int i = 1; i <= N; i++) {
				out_.type = k + 1;
				*(int *)out_.text = i;
				if (msgsnd(id, &out_, 4 + i * 3, 0)) _exit(1);
			}
			_exit(0);
		}
	int last[KIDS] = { 0 };
	for (int i = 0; i < KIDS * N; i++) {
		ssize_t n = msgrcv(id, &in_, sizeof(in_.text), 0, 0);
		int v = *(int *)in_.text;
		CHECK_EQ(n, 4 + v * 3);
		CHECK_EQ(v, last[in_.type - 1] + 1);
		last[in_.type - 1] = v;
		sum += v;
	}
	CHECK_EQ(sum, (long)KIDS * N * (N + 1) / 2);
	for (int k = 0; k < KIDS; k++) { int st; CHECK(wait(&st) > 0 && EXITED(st, 0)); }
	CHECK_EQ(stat_of(id).msg_qnum, 0);
	gone(id);
}

TEST(removal_races)
{
	for (int round = 0; round < 60; round++) {
		int id = make();
		fflush(stdout);
		for (int k = 0; k < 4; k++)
			if (fork() == 0) {
				out_.type = 1;
				while (k & 1 ? msgsnd(id, &out_, 3000, 0) == 0 : msgrcv(id, &in_, 3000, 0, 0) == 3000) ;
				_exit(errno == EIDRM || errno == EINVAL ? 0 : 1);
			}
		for (volatile int i = 0; i < round * 5000; i++) ;
		gone(id);
		for (int k = 0; k < 4; k++) { int st; CHECK(wait(&st) > 0 && EXITED(st, 0)); }
	}
}
