/* netlink(7), rtnetlink(7): links; uevents. */
#include "attribute.h"
#include "tap.h"
#include <linux/if_arp.h>
#include <linux/if.h>
#include <sys/socket.h>

static char buf[32768] __attribute__((aligned(8)));

static int nl_socket(int protocol)
{
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	CHECK(s >= 0);
	return s;
}

struct request { struct nlmsghdr h; union { struct ifinfomsg link; struct rtgenmsg gen; }; char more[256]; };

static struct request link_request(int type, int flags)
{
	struct request r = { .h = { NLMSG_LENGTH(sizeof(struct ifinfomsg)), (uint16_t)type, (uint16_t)(NLM_F_REQUEST | flags), 77, 0 } };

	return r;
}

static struct nlmsghdr *ask(int s, struct request *r)
{
	CHECK_EQ(send(s, r, r->h.nlmsg_len, 0), r->h.nlmsg_len);
	CHECK(recv(s, buf, sizeof(buf), 0) >= (ssize_t)sizeof(struct nlmsghdr));
	return (void *)buf;
}

static int error_of(int s, struct request *r)
{
	struct nlmsghdr *h = ask(s, r);

	CHECK(h->nlmsg_type == NLMSG_ERROR && h->nlmsg_seq == 77);
	return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
}

static struct rtattr *find(struct nlmsghdr *h, int type)
{
	struct rtattr *a = IFLA_RTA(NLMSG_DATA(h));
	int len = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(struct ifinfomsg)));

	for (; RTA_OK(a, len); a = RTA_NEXT(a, len))
		if (a->rta_type == type)
			return a;
	return NULL;
}

TEST(names)
{
	int a = nl_socket(NETLINK_ROUTE), b = nl_socket(NETLINK_ROUTE);
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK }, got;
	socklen_t len = sizeof(got);

	CHECK_ERR(socket(AF_NETLINK, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
	CHECK_ERR(socket(AF_NETLINK, SOCK_RAW, 99), EPROTONOSUPPORT);
	CHECK_EQ(getsockname(a, (void *)&got, &len), 0);
	CHECK(len == 12 && got.nl_pid == 0);
	CHECK_ERR(bind(a, (void *)&nl, 11), EINVAL);
	CHECK_EQ(bind(a, (void *)&nl, sizeof(nl)), 0);
	CHECK_EQ(getsockname(a, (void *)&got, &len), 0);
	CHECK_EQ(got.nl_pid, getpid());
	CHECK_EQ(bind(b, (void *)&nl, sizeof(nl)), 0);
	CHECK_EQ(getsockname(b, (void *)&got, &len), 0);
	CHECK(got.nl_pid && got.nl_pid != (unsigned)getpid());
	nl.nl_pid = 4711;
	CHECK_ERR(bind(b, (void *)&nl, sizeof(nl)), EINVAL);
	close(b);
	b = nl_socket(NETLINK_ROUTE);
	nl.nl_pid = (unsigned)getpid();
	CHECK_ERR(bind(b, (void *)&nl, sizeof(nl)), EADDRINUSE);
	nl.nl_groups = RTMGRP_LINK;
	nl.nl_pid = 4711;
	CHECK_EQ(bind(b, (void *)&nl, sizeof(nl)), 0);
	CHECK_EQ(getsockname(b, (void *)&got, &len), 0);
	CHECK(got.nl_pid == 4711 && got.nl_groups == RTMGRP_LINK);
	CHECK_EQ(getpeername(b, (void *)&got, &len), 0);
	CHECK(got.nl_pid == 0 && got.nl_groups == 0);
}

TEST(one_link)
{
	int s = nl_socket(NETLINK_ROUTE);
	struct request r = link_request(RTM_GETLINK, 0);
	struct ifinfomsg *i;
	struct nlmsghdr *h;

	r.link.ifi_index = 1;
	h = ask(s, &r);
	i = NLMSG_DATA(h);
	CHECK(h->nlmsg_type == RTM_NEWLINK && h->nlmsg_seq == 77 && h->nlmsg_pid == (unsigned)getpid() && !(h->nlmsg_flags & NLM_F_MULTI));
	CHECK(i->ifi_index == 1 && i->ifi_type == ARPHRD_LOOPBACK && (i->ifi_flags & IFF_LOOPBACK));
	CHECK(find(h, IFLA_IFNAME) && !strcmp(RTA_DATA(find(h, IFLA_IFNAME)), "lo"));
	CHECK(find(h, IFLA_MTU) && *(unsigned *)RTA_DATA(find(h, IFLA_MTU)) == 65536);
	CHECK(find(h, IFLA_ADDRESS) && RTA_PAYLOAD(find(h, IFLA_ADDRESS)) == 6);
	CHECK(find(h, IFLA_TXQLEN) && find(h, IFLA_OPERSTATE) && find(h, IFLA_STATS) && find(h, IFLA_STATS64) && find(h, IFLA_QDISC));
	r = link_request(RTM_GETLINK, 0);
	put(&r, IFLA_IFNAME, "lo", 3);
	CHECK_EQ(ask(s, &r)->nlmsg_type, RTM_NEWLINK);
}

TEST(errors)
{
	int s = nl_socket(NETLINK_ROUTE), one = 1;
	struct request r = link_request(RTM_GETLINK, 0);
	struct nlmsghdr *h;

	CHECK_EQ(error_of(s, &r), -EINVAL);
	r.link.ifi_index = 999;
	CHECK_EQ(error_of(s, &r), -ENODEV);
	h = (void *)buf;
	CHECK_EQ(h->nlmsg_len, NLMSG_LENGTH(sizeof(int) + r.h.nlmsg_len));
	CHECK(!memcmp((char *)NLMSG_DATA(h) + 4, &r, r.h.nlmsg_len));
	CHECK_EQ(setsockopt(s, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one)), 0);
	CHECK_EQ(error_of(s, &r), -ENODEV);
	CHECK(h->nlmsg_len == NLMSG_LENGTH(sizeof(struct nlmsgerr)) && (h->nlmsg_flags & NLM_F_CAPPED));
	r = link_request(RTM_NEWLINK, NLM_F_ACK);
	r.link.ifi_index = 999;
	CHECK_EQ(error_of(s, &r), -ENODEV);
	r.h.nlmsg_type = 0xfff0;
	CHECK_EQ(error_of(s, &r), -EOPNOTSUPP);
	r = link_request(RTM_GETLINK, NLM_F_ACK);
	r.h.nlmsg_type = NLMSG_NOOP;
	CHECK_EQ(error_of(s, &r), 0);
}

TEST(dump)
{
	int s = nl_socket(NETLINK_ROUTE), links = 0, done = 0;
	struct request r = link_request(RTM_GETLINK, NLM_F_DUMP);

	CHECK_EQ(send(s, &r, r.h.nlmsg_len, 0), r.h.nlmsg_len);
	while (!done) {
		ssize_t n = recv(s, buf, sizeof(buf), 0);
		struct nlmsghdr *h = (void *)buf;

		CHECK(n > 0);
		for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			CHECK(h->nlmsg_seq == 77 && (h->nlmsg_flags & NLM_F_MULTI));
			if (h->nlmsg_type == NLMSG_DONE) {
				CHECK(!done && h->nlmsg_len >= NLMSG_LENGTH(sizeof(int)) && *(int *)NLMSG_DATA(h) == 0);
				done = 1;
			} else {
				CHECK_EQ(h->nlmsg_type, RTM_NEWLINK);
				links++;
			}
		}
	}
	CHECK(links >= 1);
	CHECK_ERR(recv(s, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	r = link_request(RTM_GETLINK, NLM_F_DUMP);	/* as libc's getifaddrs does */
	r.h.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg));
	CHECK_EQ(ask(s, &r)->nlmsg_type, RTM_NEWLINK);
}

TEST(changes_are_told)
{
	int s = nl_socket(NETLINK_ROUTE), ear = nl_socket(NETLINK_ROUTE);
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK }, from;
	socklen_t len = sizeof(from);
	struct request r = link_request(RTM_NEWLINK, NLM_F_ACK);
	struct nlmsghdr *h = (void *)buf;
	unsigned mtu = 1500;

	CHECK_EQ(bind(ear, (void *)&nl, sizeof(nl)), 0);
	r.link.ifi_index = 1;
	put(&r, IFLA_MTU, &mtu, 4);
	CHECK_EQ(error_of(s, &r), 0);
	CHECK(recvfrom(ear, buf, sizeof(buf), 0, (void *)&from, &len) > 0);
	CHECK(h->nlmsg_type == RTM_NEWLINK && h->nlmsg_pid == 0 && from.nl_pid == 0 && from.nl_groups == RTMGRP_LINK);
	CHECK(*(unsigned *)RTA_DATA(find(h, IFLA_MTU)) == 1500);
	mtu = 65536;
	r = link_request(RTM_SETLINK, NLM_F_ACK);
	put(&r, IFLA_IFNAME, "lo", 3);
	put(&r, IFLA_MTU, &mtu, 4);
	CHECK_EQ(error_of(s, &r), 0);
	r = link_request(RTM_NEWLINK, NLM_F_ACK);
	r.link.ifi_index = 1;
	r.link.ifi_flags = r.link.ifi_change = IFF_UP;
	CHECK_EQ(error_of(s, &r), 0);
	r.link.ifi_flags = 0;
	CHECK_EQ(error_of(s, &r), 0);
	r.h.nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
	CHECK_EQ(error_of(s, &r), -EEXIST);
}

TEST(several_in_one)
{
	int s = nl_socket(NETLINK_ROUTE);
	struct request r[2] = { link_request(RTM_GETLINK, 0), link_request(RTM_GETLINK, 0) };
	char both[256];

	r[0].link.ifi_index = r[1].link.ifi_index = 1;
	r[1].h.nlmsg_seq = 78;
	memcpy(both, &r[0], r[0].h.nlmsg_len);
	memcpy(both + r[0].h.nlmsg_len, &r[1], r[1].h.nlmsg_len);
	CHECK_EQ(send(s, both, 2 * r[0].h.nlmsg_len, 0), 2 * r[0].h.nlmsg_len);
	for (unsigned i = 0; i < 2; i++) {
		CHECK(recv(s, buf, sizeof(buf), 0) > 0);
		CHECK_EQ(((struct nlmsghdr *)buf)->nlmsg_seq, 77 + i);
	}
}

TEST(nonsense_is_ignored)
{
	int s = nl_socket(NETLINK_ROUTE);
	struct request r = link_request(RTM_GETLINK, 0);

	r.link.ifi_index = 1;
	CHECK_EQ(send(s, &r, 10, 0), 10);
	r.h.nlmsg_len = 5;
	CHECK_EQ(send(s, &r, 32, 0), 32);
	r.h.nlmsg_len = 1000;
	CHECK_EQ(send(s, &r, 32, 0), 32);
	r.h.nlmsg_len = 32;
	r.h.nlmsg_flags = 0;
	CHECK_EQ(send(s, &r, 32, 0), 32);
	CHECK_ERR(recv(s, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	CHECK_ERR(send(s, buf, 1 << 20, 0), EMSGSIZE);
	CHECK_ERR(send(s, buf, 0, 0), ENODATA);
}

TEST(looking_and_cutting)
{
	int s = nl_socket(NETLINK_ROUTE);
	struct request r = link_request(RTM_GETLINK, 0);
	struct pollfd p = { .fd = s, .events = POLLIN };
	ssize_t n;

	r.link.ifi_index = 1;
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_EQ(send(s, &r, r.h.nlmsg_len, 0), r.h.nlmsg_len);
	CHECK_EQ(poll(&p, 1, 0), 1);
	n = recv(s, buf, 1, MSG_PEEK | MSG_TRUNC);
	CHECK(n > 300);
	CHECK_EQ(recv(s, buf, 16, 0), 16);
	CHECK_ERR(recv(s, buf, 16, MSG_DONTWAIT), EAGAIN);
}

TEST(without_privilege)
{
	int s;
	struct request r = link_request(RTM_NEWLINK, NLM_F_ACK);
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_pid = 1 };

	CHECK_EQ(setresuid(1000, 1000, 1000), 0);
	s = nl_socket(NETLINK_ROUTE);
	r.link.ifi_index = 1;
	CHECK_EQ(error_of(s, &r), -EPERM);
	CHECK_ERR(sendto(s, &r, r.h.nlmsg_len, 0, (void *)&nl, sizeof(nl)), EPERM);
	r = link_request(RTM_GETLINK, 0);
	r.link.ifi_index = 1;
	CHECK_EQ(ask(s, &r)->nlmsg_type, RTM_NEWLINK);
}

TEST(groups)
{
	int s = nl_socket(NETLINK_ROUTE), group = RTNLGRP_LINK;
	struct sockaddr_nl nl;
	socklen_t len = sizeof(nl);

	CHECK_EQ(setsockopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)), 0);
	CHECK_EQ(getsockname(s, (void *)&nl, &len), 0);
	CHECK_EQ(nl.nl_groups, 1);
	CHECK_EQ(setsockopt(s, SOL_NETLINK, NETLINK_DROP_MEMBERSHIP, &group, sizeof(group)), 0);
	CHECK_EQ(getsockname(s, (void *)&nl, &len), 0);
	CHECK_EQ(nl.nl_groups, 0);
	group = 0;
	CHECK_ERR(setsockopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)), EINVAL);
	CHECK_ERR(setsockopt(s, SOL_NETLINK, 999, &group, sizeof(group)), ENOPROTOOPT);
}

TEST(uevents)
{
	int s = nl_socket(NETLINK_KOBJECT_UEVENT), one = 1, fd, tries;
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	char control[200];
	struct iovec v = { buf, sizeof(buf) - 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control), .msg_name = &nl,
			    .msg_namelen = sizeof(nl) };
	const char *want = "change@/devices/virtual/mem/null";
	struct cmsghdr *c;
	ssize_t n;

	CHECK_EQ(bind(s, (void *)&nl, sizeof(nl)), 0);
	CHECK_EQ(setsockopt(s, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)), 0);
	fd = open("/sys/class/mem/null/uevent", O_WRONLY);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "change", 6), 6);
	for (tries = 0; tries < 100; tries++) {
		n = recvmsg(s, &m, 0);
		CHECK(n > 0);
		buf[n] = 0;
		if (!strcmp(buf, want))
			break;
	}
	CHECK(tries < 100);
	CHECK(nl.nl_pid == 0 && nl.nl_groups == 1);
	c = CMSG_FIRSTHDR(&m);
	CHECK(c && c->cmsg_type == SCM_CREDENTIALS && ((struct ucred *)CMSG_DATA(c))->uid == 0 && ((struct ucred *)CMSG_DATA(c))->pid == 0);
	CHECK(!strcmp(buf + strlen(want) + 1, "ACTION=change"));
	CHECK(!strcmp(buf + strlen(want) + 1 + 14, "DEVPATH=/devices/virtual/mem/null"));
}

TEST(between_programs)
{
	int a = nl_socket(NETLINK_USERSOCK), b = nl_socket(NETLINK_USERSOCK);
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_pid = 4712 }, from;
	socklen_t len = sizeof(from);

	CHECK_ERR(sendto(a, "x", 1, 0, (void *)&nl, sizeof(nl)), ECONNREFUSED);
	CHECK_EQ(bind(b, (void *)&nl, sizeof(nl)), 0);
	CHECK_EQ(sendto(a, "hello", 5, 0, (void *)&nl, sizeof(nl)), 5);
	CHECK_EQ(recvfrom(b, buf, sizeof(buf), 0, (void *)&from, &len), 5);
	CHECK_EQ(from.nl_pid, getpid());
	CHECK_EQ(connect(a, (void *)&nl, sizeof(nl)), 0);
	CHECK_EQ(send(a, "again", 5, 0), 5);
	CHECK_EQ(recv(b, buf, sizeof(buf), 0), 5);
}

