/* Who is at the other end: SO_PEERCRED, SO_PEERGROUPS, SO_PASSCRED, SCM_CREDENTIALS. */
#include "sock.h"
#include <grp.h>

static struct ucred peer(int fd)
{
	struct ucred u;
	socklen_t len = sizeof(u);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &len) == 0);
	CHECK_EQ(len, sizeof(u));
	return u;
}

/* The credentials that come with the next message; pid -1: none. */
static struct ucred told(int fd, int flags)
{
	char b[8], c[256];
	struct ucred u = { -1, 0, 0 };
	struct iovec v = { b, 8 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	CHECK(recvmsg(fd, &m, flags) >= 0);
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_CREDENTIALS) memcpy(&u, CMSG_DATA(h), sizeof(u));
	return u;
}

static ssize_t send_cred(int fd, struct ucred u)
{
	char c[CMSG_SPACE(sizeof(u))];
	struct iovec v = { "c", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	memset(c, 0, sizeof(c));
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_CREDENTIALS;
	h->cmsg_len = CMSG_LEN(sizeof(u));
	memcpy(CMSG_DATA(h), &u, sizeof(u));
	return sendmsg(fd, &m, 0);
}

TEST(peercred_of_a_pair)
{
	PAIR(SOCK_STREAM, s);
	struct ucred u = peer(s[0]);
	CHECK_EQ(u.pid, getpid());
	CHECK_EQ(u.uid, getuid());
	PAIR(SOCK_DGRAM, d);
	CHECK_EQ(peer(d[0]).pid, getpid());
}

TEST(peercred_of_the_unconnected)
{
	struct ucred u = peer(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_EQ(u.pid, 0);
	CHECK_EQ(u.uid, (uid_t)-1);
	CHECK_EQ(u.gid, (gid_t)-1);
	u = peer(connected(SOCK_DGRAM, (close(0), bound(SOCK_DGRAM, "@pcd"), "@pcd")));
	CHECK_EQ(u.pid, 0);
}

TEST(peercred_of_a_connection)
{
	scratch();
	int l = listening(SOCK_STREAM, "s", 5), c, n;
	CHECK(chmod("s", 0777) == 0);
	pid_t pid = fork();
	if (!pid) {
		if (setgid(1000) || setuid(1000)) _exit(1);
		c = connected(SOCK_STREAM, "s");
		_exit(peer(c).pid == getppid() && peer(c).uid == 0 ? 7 : 1);
	}
	n = accept(l, NULL, NULL);
	struct ucred u = peer(n);
	CHECK_EQ(u.pid, pid);
	CHECK_EQ(u.uid, 1000);
	CHECK_EQ(u.gid, 1000);
	CHECK(EXITED(wait_status(pid), 7));
	CHECK_EQ(peer(n).pid, pid);
}

TEST(peergroups)
{
	gid_t g[3] = { 5, 6, 7 }, got[8];
	socklen_t len;
	CHECK(setgroups(3, g) == 0);
	PAIR(SOCK_STREAM, s);
	len = sizeof(got);
	CHECK(getsockopt(s[0], SOL_SOCKET, 59 /* SO_PEERGROUPS */, got, &len) == 0);
	CHECK_EQ(len, 12);
	CHECK(!memcmp(got, g, 12));
	len = 4;
	CHECK_ERR(getsockopt(s[0], SOL_SOCKET, 59, got, &len), ERANGE);
	CHECK_EQ(len, 12);
	len = sizeof(got);
	CHECK_ERR(getsockopt(socket(AF_UNIX, SOCK_STREAM, 0), SOL_SOCKET, 59, got, &len), ENODATA);
}

TEST(passcred_tells_the_sender)
{
	PAIR(SOCK_DGRAM, s);
	CHECK(set_int(s[1], SO_PASSCRED, 1) == 0);
	pid_t pid = fork();
	if (!pid) {
		if (setgid(1001) || setuid(1000)) _exit(1);
		_exit(send(s[0], "x", 1, 0) == 1 ? 7 : 1);
	}
	struct ucred u = told(s[1], 0);
	CHECK_EQ(u.pid, pid);
	CHECK_EQ(u.uid, 1000);
	CHECK_EQ(u.gid, 1001);
	CHECK(EXITED(wait_status(pid), 7));
}

TEST(without_passcred_nothing_is_told)
{
	PAIR(SOCK_DGRAM, s);
	CHECK_EQ(send(s[0], "x", 1, 0), 1);
	CHECK_EQ(told(s[1], 0).pid, -1);
	CHECK_EQ(send(s[0], "x", 1, 0), 1);
	CHECK(set_int(s[1], SO_PASSCRED, 1) == 0);
	struct ucred u = told(s[1], 0);		/* sent before anybody wanted to know */
	CHECK_EQ(u.pid, 0);
	CHECK_EQ(u.uid, 65534);
	CHECK_EQ(u.gid, 65534);
}

TEST(explicit_credentials)
{
	PAIR(SOCK_STREAM, s);
	CHECK(set_int(s[1], SO_PASSCRED, 1) == 0);
	CHECK_EQ(send_cred(s[0], (struct ucred){ 1, 77, 78 }), 1);	/* root may say anything */
	struct ucred u = told(s[1], 0);
	CHECK_EQ(u.pid, 1);
	CHECK_EQ(u.uid, 77);
	CHECK_EQ(u.gid, 78);
	CHECK_ERR(send_cred(s[0], (struct ucred){ 99999, 0, 0 }), ESRCH);
	CHECK_ERR(send_cred(s[0], (struct ucred){ getpid(), -1, 0 }), EINVAL);
}

TEST(others_may_only_tell_the_truth)
{
	PAIR(SOCK_STREAM, s);
	pid_t pid = fork();
	if (!pid) {
		if (setgid(1001) || setuid(1000)) _exit(1);
		CHECK_ERR(send_cred(s[0], (struct ucred){ 1, 1000, 1001 }), EPERM);
		CHECK_ERR(send_cred(s[0], (struct ucred){ getpid(), 0, 1001 }), EPERM);
		CHECK_ERR(send_cred(s[0], (struct ucred){ getpid(), 1000, 0 }), EPERM);
		CHECK_EQ(send_cred(s[0], (struct ucred){ getpid(), 1000, 1001 }), 1);
		_exit(7);
	}
	CHECK(EXITED(wait_status(pid), 7));
}

TEST(a_stream_read_ends_where_the_sender_changes)
{
	char b[8];
	struct iovec v = { b, 8 };
	char c[64];
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	PAIR(SOCK_STREAM, s);
	CHECK(set_int(s[1], SO_PASSCRED, 1) == 0);
	CHECK_EQ(write(s[0], "a", 1), 1);
	CHECK_EQ(write(s[0], "b", 1), 1);
	pid_t pid = fork();
	if (!pid) _exit(write(s[0], "c", 1) == 1 ? 7 : 1);
	CHECK(EXITED(wait_status(pid), 7));
	CHECK_EQ(recvmsg(s[1], &m, 0), 2);
	m.msg_controllen = sizeof(c);
	CHECK_EQ(recvmsg(s[1], &m, 0), 1);
}

TEST(no_room_for_credentials)
{
	char b[8], c[8];
	struct iovec v = { b, 8 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = 0 };
	PAIR(SOCK_STREAM, s);
	CHECK(set_int(s[1], SO_PASSCRED, 1) == 0);
	CHECK_EQ(write(s[0], "a", 1), 1);
	CHECK_EQ(recvmsg(s[1], &m, 0), 1);
	CHECK_EQ(m.msg_flags, MSG_CTRUNC);
	CHECK_EQ(m.msg_controllen, 0);
}

TEST(credentials_and_descriptors_together)
{
	char b[8], c[256];
	struct iovec v = { b, 8 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof(c) };
	PAIR(SOCK_STREAM, s);
	CHECK(set_int(s[1], SO_PASSCRED, 1) == 0);
	CHECK_EQ(send_fds(s[0], "x", 1, &s[0], 1), 1);
	CHECK_EQ(recvmsg(s[1], &m, 0), 1);
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	CHECK(h && h->cmsg_type == SCM_CREDENTIALS);
	h = CMSG_NXTHDR(&m, h);
	CHECK(h && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(4));
	CHECK_EQ(m.msg_controllen, CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(4));
}
