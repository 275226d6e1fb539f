/* packet(7) on lo. */
#include "tap.h"
#include "lo.h"
#include <linux/filter.h>

#define TYPE 0x88b5	/* for experiments */

static int packet_socket(int type, int protocol)
{
	int s = socket(AF_PACKET, type, htons((uint16_t)protocol));

	CHECK(s >= 0);
	CHECK_EQ(lo_flags(s, IFF_UP, 0), 0);
	return s;
}

static struct sockaddr_ll lo_name(int protocol)
{
	return (struct sockaddr_ll){ .sll_family = AF_PACKET, .sll_ifindex = 1, .sll_protocol = htons((uint16_t)protocol), .sll_halen = 6 };
}

static int bound(int type, int protocol)
{
	struct sockaddr_ll ll = lo_name(protocol);
	int s = packet_socket(type, 0);

	CHECK_EQ(bind(s, (void *)&ll, sizeof(ll)), 0);
	return s;
}

static void send_raw(int s, const char *text, int len)
{
	struct sockaddr_ll ll = lo_name(TYPE);
	unsigned char frame[2000] = { 0 };

	frame[12] = TYPE >> 8;
	frame[13] = TYPE & 0xff;
	memcpy(frame + 14, text, (size_t)len);
	CHECK_EQ(sendto(s, frame, (size_t)len + 14, 0, (void *)&ll, sizeof(ll)), len + 14);
}

TEST(types)
{
	CHECK_ERR(socket(AF_PACKET, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
	CHECK_ERR(socket(AF_PACKET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
	CHECK(socket(AF_PACKET, SOCK_RAW, 0) >= 0);
	CHECK(socket(AF_PACKET, SOCK_DGRAM, 0) >= 0);
}

TEST(binding)
{
	int s = packet_socket(SOCK_RAW, 0);
	struct sockaddr_ll ll = lo_name(TYPE), got;
	socklen_t len = sizeof(got);

	CHECK_ERR(bind(s, (void *)&ll, sizeof(ll) - 1), EINVAL);
	ll.sll_family = AF_INET;
	CHECK_ERR(bind(s, (void *)&ll, sizeof(ll)), EINVAL);
	ll.sll_family = AF_PACKET;
	ll.sll_ifindex = 999;
	CHECK_ERR(bind(s, (void *)&ll, sizeof(ll)), ENODEV);
	ll.sll_ifindex = 1;
	CHECK_EQ(bind(s, (void *)&ll, sizeof(ll)), 0);
	CHECK_EQ(getsockname(s, (void *)&got, &len), 0);
	CHECK_EQ(len, 18);
	CHECK(got.sll_family == AF_PACKET && got.sll_ifindex == 1 && got.sll_protocol == htons(TYPE) && got.sll_hatype == ARPHRD_LOOPBACK && got.sll_halen == 6);
	CHECK_ERR(getpeername(s, (void *)&got, &len), EOPNOTSUPP);
	CHECK_ERR(connect(s, (void *)&ll, sizeof(ll)), EOPNOTSUPP);
	CHECK_ERR(listen(s, 1), EOPNOTSUPP);
}

TEST(raw_sees_the_header)
{
	int in = bound(SOCK_RAW, TYPE), out = packet_socket(SOCK_RAW, 0);
	struct sockaddr_ll from;
	socklen_t len = sizeof(from);
	char buf[100];

	send_raw(out, "hello", 5);
	CHECK_EQ(recvfrom(in, buf, sizeof(buf), 0, (void *)&from, &len), 19);
	CHECK(!memcmp(buf + 14, "hello", 5) && (unsigned char)buf[12] == TYPE >> 8);
	CHECK(len == sizeof(from) && from.sll_protocol == htons(TYPE) && from.sll_pkttype == PACKET_HOST && from.sll_ifindex == 1 && from.sll_halen == 6);
	CHECK_ERR(recv(in, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
}

TEST(dgram_does_not)
{
	int in = bound(SOCK_DGRAM, TYPE), out = packet_socket(SOCK_DGRAM, 0);
	struct sockaddr_ll ll = lo_name(TYPE);
	char buf[100];

	CHECK_EQ(sendto(out, "hello", 5, 0, (void *)&ll, sizeof(ll)), 5);
	CHECK_EQ(recv(in, buf, sizeof(buf), 0), 5);
	CHECK(!memcmp(buf, "hello", 5));
}

TEST(all_see_outgoing_too)
{
	int in = bound(SOCK_RAW, ETH_P_ALL), out = packet_socket(SOCK_RAW, 0), seen = 0, outgoing = 0;
	struct sockaddr_ll from;
	char buf[100];

	send_raw(out, "hello", 5);
	for (int i = 0; i < 2; i++) {
		socklen_t len = sizeof(from);

		CHECK_EQ(recvfrom(in, buf, sizeof(buf), 0, (void *)&from, &len), 19);
		seen += from.sll_pkttype == PACKET_HOST;
		outgoing += from.sll_pkttype == PACKET_OUTGOING;
	}
	CHECK(seen == 1 && outgoing == 1);
	CHECK_ERR(recv(in, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
}

TEST(not_what_it_sent_itself)
{
	int s = bound(SOCK_RAW, ETH_P_ALL), one = 1;
	struct sockaddr_ll from;
	socklen_t len = sizeof(from);
	char buf[100];

	send_raw(s, "hello", 5);
	CHECK_EQ(recvfrom(s, buf, sizeof(buf), 0, (void *)&from, &len), 19);
	CHECK_EQ(from.sll_pkttype, PACKET_HOST);
	CHECK_ERR(recv(s, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(setsockopt(s, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)), 0);
}

TEST(cutting_and_looking)
{
	int in = bound(SOCK_RAW, TYPE), out = packet_socket(SOCK_RAW, 0);
	char buf[100];
	struct iovec v = { buf, 16 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	send_raw(out, "hello", 5);
	CHECK_EQ(recv(in, buf, 4, MSG_PEEK), 4);
	CHECK_EQ(recv(in, buf, 4, MSG_PEEK | MSG_TRUNC), 19);
	CHECK_EQ(recvmsg(in, &m, 0), 16);
	CHECK(m.msg_flags & MSG_TRUNC);
	CHECK_ERR(recv(in, buf, 4, MSG_OOB), EINVAL);
}

TEST(sending_errors)
{
	int s = packet_socket(SOCK_RAW, 0), d = packet_socket(SOCK_DGRAM, 0);
	struct sockaddr_ll ll = lo_name(TYPE);
	static char big[70000];

	CHECK_ERR(send(s, big, 60, 0), ENXIO);
	CHECK_ERR(sendto(s, big, 60, 0, (void *)&ll, sizeof(ll) - 1), EINVAL);
	CHECK_ERR(sendto(s, big, 13, 0, (void *)&ll, sizeof(ll)), EINVAL);
	CHECK_ERR(sendto(s, big, sizeof(big), 0, (void *)&ll, sizeof(ll)), EMSGSIZE);
	CHECK_ERR(sendto(d, big, 65537, 0, (void *)&ll, sizeof(ll)), EMSGSIZE);
	ll.sll_ifindex = 999;
	CHECK_ERR(sendto(s, big, 60, 0, (void *)&ll, sizeof(ll)), ENXIO);
	ll.sll_ifindex = 1;
	CHECK_EQ(lo_flags(s, 0, IFF_UP), 0);
	CHECK_ERR(sendto(s, big, 60, 0, (void *)&ll, sizeof(ll)), ENETDOWN);
}

TEST(the_device_goes_down)
{
	int s = bound(SOCK_RAW, TYPE), err = 0;
	socklen_t len = sizeof(err);
	struct pollfd p = { .fd = s, .events = POLLIN };
	char buf[10];

	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_EQ(lo_flags(s, 0, IFF_UP), 0);
	CHECK_EQ(poll(&p, 1, 20000), 1);
	CHECK(p.revents & POLLERR);
	CHECK_EQ(getsockopt(s, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	CHECK_EQ(err, ENETDOWN);
	CHECK_ERR(recv(s, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(lo_flags(s, IFF_UP, 0), 0);
	send_raw(packet_socket(SOCK_RAW, 0), "again", 5);
	CHECK_EQ(recv(s, buf, sizeof(buf), 0), 10);
}

TEST(filters)
{
	/* those whose first byte behind the header is 'y', cut to 16 bytes */
	struct sock_filter code[] = { { 0x30, 0, 0, 14 }, { 0x15, 0, 1, 'y' }, { 0x06, 0, 0, 16 }, { 0x06, 0, 0, 0 } };
	struct sock_fprog prog = { 4, code };
	int in = bound(SOCK_RAW, TYPE), out = packet_socket(SOCK_RAW, 0);
	char buf[100];

	CHECK_EQ(setsockopt(in, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), 0);
	send_raw(out, "no", 2);
	send_raw(out, "yes", 3);
	CHECK_EQ(recv(in, buf, sizeof(buf), 0), 16);
	CHECK(!memcmp(buf + 14, "ye", 2));
	CHECK_ERR(recv(in, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
}

TEST(statistics_and_auxdata)
{
	int in = bound(SOCK_RAW, TYPE), out = packet_socket(SOCK_RAW, 0), one = 1, room = 2304;
	struct tpacket_stats st;
	struct tpacket_auxdata *aux;
	socklen_t len = sizeof(st);
	char buf[100], control[200];
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c;

	CHECK_EQ(setsockopt(in, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)), 0);
	send_raw(out, "hello", 5);
	CHECK_EQ(recvmsg(in, &m, 0), 19);
	c = CMSG_FIRSTHDR(&m);
	CHECK(c && c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA && c->cmsg_len == CMSG_LEN(sizeof(*aux)));
	aux = (void *)CMSG_DATA(c);
	CHECK(aux->tp_len == 19 && aux->tp_snaplen == 19 && aux->tp_mac == 0 && aux->tp_net == 14 && (aux->tp_status & TP_STATUS_USER));
	CHECK_EQ(getsockopt(in, SOL_PACKET, PACKET_STATISTICS, &st, &len), 0);
	CHECK(st.tp_packets == 1 && st.tp_drops == 0);
	CHECK_EQ(setsockopt(in, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)), 0);
	for (int i = 0; i < 200; i++)
		send_raw(out, "hello", 5);
	CHECK_EQ(getsockopt(in, SOL_PACKET, PACKET_STATISTICS, &st, &len), 0);
	CHECK(st.tp_packets == 200 && st.tp_drops > 0 && st.tp_drops < 200);
	CHECK_EQ(getsockopt(in, SOL_PACKET, PACKET_STATISTICS, &st, &len), 0);
	CHECK_EQ(st.tp_packets, 0);
}

TEST(members)
{
	int s = packet_socket(SOCK_RAW, 0);
	struct packet_mreq r = { .mr_ifindex = 1, .mr_type = PACKET_MR_PROMISC };

	CHECK_EQ(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &r, sizeof(r)), 0);
	CHECK_EQ(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &r, sizeof(r)), 0);
	CHECK_EQ(setsockopt(s, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &r, sizeof(r)), 0);
	CHECK_EQ(setsockopt(s, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &r, sizeof(r)), 0);
	CHECK_EQ(setsockopt(s, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &r, sizeof(r)), 0);	/* of what is not there */
	r.mr_ifindex = 999;
	CHECK_ERR(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &r, sizeof(r)), ENODEV);
	CHECK_ERR(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &r, 4), EINVAL);
	r = (struct packet_mreq){ .mr_ifindex = 1, .mr_type = PACKET_MR_MULTICAST, .mr_alen = 6, .mr_address = { 1, 0, 0x5e, 1, 2, 3 } };
	CHECK_EQ(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &r, sizeof(r)), 0);
	r.mr_alen = 5;
	CHECK_ERR(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &r, sizeof(r)), EINVAL);
}

TEST(stamps)
{
	int in = bound(SOCK_RAW, TYPE);
	struct timespec ts, now;
	char buf[100];

	send_raw(packet_socket(SOCK_RAW, 0), "hello", 5);
	CHECK_EQ(recv(in, buf, sizeof(buf), 0), 19);
	CHECK_EQ(ioctl(in, 0x8907 /* SIOCGSTAMPNS */, &ts), 0);
	clock_gettime(CLOCK_REALTIME, &now);
	CHECK(ts.tv_sec <= now.tv_sec && now.tv_sec - ts.tv_sec < 60);
}

TEST(readiness)
{
	int in = bound(SOCK_RAW, TYPE), n = 0;
	struct pollfd p = { .fd = in, .events = POLLIN | POLLOUT };

	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLOUT);
	send_raw(packet_socket(SOCK_RAW, 0), "hello", 5);
	CHECK_EQ(poll(&p, 1, 20000), 1);
	CHECK_EQ(p.revents, POLLIN | POLLOUT);
	CHECK_EQ(ioctl(in, FIONREAD, &n), 0);
	CHECK_EQ(n, 19);
}

/* More than a device or a socket keeps: nothing is lost on the way out, and memory comes back. */
TEST(many)
{
	int out = packet_socket(SOCK_RAW, 0), n = 0;
	socklen_t len = sizeof(n);
	char frame[1000] = { 0 };

	CHECK_EQ(getsockopt(out, SOL_SOCKET, SO_SNDBUF, &n, &len), 0);
	for (int i = 0; i < 5000; i++)
		send_raw(out, frame, sizeof(frame));
	CHECK_EQ(ioctl(out, TIOCOUTQ, &n), 0);
	CHECK_EQ(n, 0);
}


/* tcpdump -i lo beside a long stream: every segment is shown, and answered by the other side. */
TEST(a_stream_that_is_watched)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	static char b[65536];
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), d, watch;
	long left = 32l << 20, sent = 0;

	CHECK(lo_flags(l, IFF_UP, 0) == 0);
	watch = bound(SOCK_RAW, ETH_P_ALL);
	CHECK_EQ(bind(l, (void *)&a, sizeof(a)), 0);
	CHECK_EQ(listen(l, 1), 0);
	CHECK_EQ(getsockname(l, (void *)&a, &len), 0);
	CHECK_EQ(connect(c, (void *)&a, sizeof(a)), 0);
	d = accept(l, NULL, NULL);
	CHECK(d >= 0);
	while (left > 0) {
		ssize_t n = sent < 32l << 20 ? send(c, b, sizeof(b), MSG_DONTWAIT) : 0, r;

		CHECK(n >= 0 || errno == EAGAIN);
		sent += n > 0 ? n : 0;
		while ((r = recv(d, b, sizeof(b), MSG_DONTWAIT)) > 0)
			left -= r;
		CHECK(r < 0 && errno == EAGAIN);
	}
	CHECK(recv(watch, b, sizeof(b), MSG_DONTWAIT) > 40);
}
