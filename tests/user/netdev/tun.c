/* tun and tap: /dev/net/tun, with packet sockets on the other side. */
#include "tap.h"
#include "lo.h"
#include <sys/sysmacros.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>

#define TYPE 0x88b5

/* lo.h's is not needed here. */
static int (*const unused)(int, int, int) __attribute__((unused)) = lo_flags;

static int tun_open(void)
{
	int fd;

	mkdir("/dev/net", 0755);
	mknod("/dev/net/tun", S_IFCHR | 0666, makedev(10, 200));
	chmod("/dev/net/tun", 0666);
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0);
	return fd;
}

static int make(const char *name, int flags, struct ifreq *r)
{
	int fd = tun_open();

	memset(r, 0, sizeof(*r));
	strcpy(r->ifr_name, name);
	r->ifr_flags = (short)flags;
	CHECK_EQ(ioctl(fd, TUNSETIFF, r), 0);
	return fd;
}

static int packet(int type)
{
	int s = socket(AF_PACKET, type, 0);

	CHECK(s >= 0);
	return s;
}

static int up(const char *name)
{
	struct ifreq r = { 0 };
	int s = packet(SOCK_RAW);

	strcpy(r.ifr_name, name);
	CHECK_EQ(ioctl(s, SIOCGIFFLAGS, &r), 0);
	r.ifr_flags |= IFF_UP;
	CHECK_EQ(ioctl(s, SIOCSIFFLAGS, &r), 0);
	CHECK_EQ(ioctl(s, SIOCGIFINDEX, &r), 0);
	close(s);
	return r.ifr_ifindex;
}

static struct sockaddr_ll name_of(int index, int type)
{
	return (struct sockaddr_ll){ .sll_family = AF_PACKET, .sll_ifindex = index, .sll_protocol = htons((uint16_t)type), .sll_halen = 6 };
}

static int bound(int index, int kind, int type)
{
	struct sockaddr_ll ll = name_of(index, type);
	int s = packet(kind);

	CHECK_EQ(bind(s, (void *)&ll, sizeof(ll)), 0);
	return s;
}

TEST(making)
{
	struct ifreq r;
	int fd = tun_open(), other;
	unsigned features = 0;
	char path[64];

	CHECK_EQ(ioctl(fd, TUNGETFEATURES, &features), 0);
	CHECK((features & (IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)) == (IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_VNET_HDR));
	CHECK_ERR(ioctl(fd, TUNGETIFF, &r), EBADFD);
	CHECK_ERR(read(fd, path, 1), EBADFD);
	CHECK_ERR(write(fd, path, 1), EBADFD);
	memset(&r, 0, sizeof(r));
	CHECK_ERR(ioctl(fd, TUNSETIFF, &r), EINVAL);
	strcpy(r.ifr_name, "lo");
	r.ifr_flags = IFF_TAP;
	CHECK_ERR(ioctl(fd, TUNSETIFF, &r), EINVAL);
	close(fd);
	fd = make("", IFF_TAP | IFF_NO_PI, &r);
	CHECK(!strcmp(r.ifr_name, "tap0"));
	other = make("zz%d", IFF_TUN, &r);
	CHECK(!strcmp(r.ifr_name, "zz0"));
	CHECK_ERR(ioctl(other, TUNSETIFF, &r), EEXIST);
	CHECK_EQ(ioctl(other, TUNGETIFF, &r), 0);
	CHECK(!strcmp(r.ifr_name, "zz0") && (r.ifr_flags & (IFF_TUN | IFF_TAP | IFF_NOFILTER)) == (IFF_TUN | IFF_NOFILTER));
	close(other);
	other = tun_open();
	strcpy(r.ifr_name, "tap0");
	r.ifr_flags = IFF_TAP;
	CHECK_ERR(ioctl(other, TUNSETIFF, &r), EBUSY);
	r.ifr_flags = IFF_TUN;
	CHECK_ERR(ioctl(other, TUNSETIFF, &r), EINVAL);
	CHECK(!access("/sys/class/net/tap0/tun_flags", R_OK));
	close(fd);
	CHECK(access("/sys/class/net/tap0", F_OK));
}

TEST(tap_carries_frames)
{
	struct ifreq r;
	int fd = make("tt0", IFF_TAP | IFF_NO_PI, &r), index = up("tt0"), s = bound(index, SOCK_RAW, TYPE);
	unsigned char frame[64] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, TYPE >> 8, TYPE & 0xff, 'h', 'i' }, buf[200];
	struct sockaddr_ll to = name_of(index, TYPE);
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	CHECK_EQ(write(fd, frame, sizeof(frame)), sizeof(frame));
	CHECK_EQ(recv(s, buf, sizeof(buf), 0), sizeof(frame));
	CHECK(!memcmp(buf, frame, sizeof(frame)));
	CHECK_ERR(write(fd, frame, 10), EINVAL);
	frame[14] = 'o';
	CHECK_EQ(sendto(s, frame, sizeof(frame), 0, (void *)&to, sizeof(to)), sizeof(frame));
	for (;;) {		/* the system may have frames of its own to send */
		ssize_t n;

		CHECK_EQ(poll(&p, 1, 20000), 1);
		CHECK(p.revents & POLLIN);
		n = read(fd, buf, sizeof(buf));
		CHECK(n > 0);
		if (buf[12] == TYPE >> 8)
			break;
	}
	CHECK(!memcmp(buf, frame, sizeof(frame)));
}

TEST(tun_carries_packets)
{
	struct ifreq r;
	int fd = make("tt0", IFF_TUN, &r), index = up("tt0"), s = bound(index, SOCK_DGRAM, ETH_P_IP);
	struct { struct tun_pi pi; unsigned char ip[20]; } m = { { 0, htons(ETH_P_IP) }, { 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 253, 0, 0, 10, 9, 8, 7, 10, 9, 8, 6 } }, got;
	struct sockaddr_ll to = name_of(index, ETH_P_IP), from;
	socklen_t len = sizeof(from);
	unsigned char buf[100];

	CHECK_EQ(write(fd, &m, sizeof(m)), sizeof(m));
	CHECK_EQ(recvfrom(s, buf, sizeof(buf), 0, (void *)&from, &len), 20);
	CHECK(!memcmp(buf, m.ip, 20) && from.sll_protocol == htons(ETH_P_IP) && from.sll_hatype == ARPHRD_NONE && from.sll_halen == 0);
	CHECK_EQ(sendto(s, m.ip, 20, 0, (void *)&to, sizeof(to)), 20);
	do
		CHECK(read(fd, &got, sizeof(got)) > 0);
	while (got.pi.proto != htons(ETH_P_IP));
	CHECK(!memcmp(got.ip, m.ip, 20));
	CHECK_EQ(sendto(s, m.ip, 20, 0, (void *)&to, sizeof(to)), 20);
	do
		CHECK(read(fd, &got, 14) > 0);
	while (got.pi.proto != htons(ETH_P_IP));
	CHECK(got.pi.flags & TUN_PKT_STRIP);
	close(fd);
	fd = make("tt1", IFF_TUN | IFF_NO_PI, &r);
	up("tt1");
	m.ip[0] = 0x55;
	CHECK_ERR(write(fd, m.ip, 20), EINVAL);
}

TEST(header_before_frames)
{
	struct ifreq r;
	int fd = make("tt0", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, &r), index = up("tt0"), s = bound(index, SOCK_RAW, TYPE), n = 0;
	struct { struct virtio_net_hdr h; unsigned char frame[64]; } m = { { 0 }, { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, TYPE >> 8, TYPE & 0xff } };
	unsigned char buf[200];

	CHECK_EQ(ioctl(fd, TUNGETVNETHDRSZ, &n), 0);
	CHECK_EQ(n, 10);
	CHECK_EQ(write(fd, &m, 10 + sizeof(m.frame)), 10 + sizeof(m.frame));
	CHECK_EQ(recv(s, buf, sizeof(buf), 0), sizeof(m.frame));
	CHECK_ERR(write(fd, &m, 9), EINVAL);
	n = 12;
	CHECK_EQ(ioctl(fd, TUNSETVNETHDRSZ, &n), 0);
	n = 5;
	CHECK_ERR(ioctl(fd, TUNSETVNETHDRSZ, &n), EINVAL);
}

TEST(header_says_nonsense)
{
	static const struct virtio_net_hdr wrong[] = {
		{ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 60, .csum_offset = 10 }, { .gso_type = 0x42, .gso_size = 10 },
		{ .gso_type = VIRTIO_NET_HDR_GSO_TCPV4 }, { .gso_type = VIRTIO_NET_HDR_GSO_ECN, .gso_size = 10 }, { .hdr_len = 65 },
	};
	struct ifreq r;
	int fd = make("tt0", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, &r);
	struct { struct virtio_net_hdr h; unsigned char frame[64]; } m = { { 0 }, { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, TYPE >> 8, TYPE & 0xff } };

	up("tt0");
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		m.h = wrong[i];
		CHECK_ERR(write(fd, &m, 10 + sizeof(m.frame)), EINVAL);
	}
}

TEST(down_and_nobody)
{
	struct ifreq r;
	int fd = make("tt0", IFF_TAP | IFF_NO_PI, &r);
	char frame[64] = { 0 };

	CHECK_ERR(write(fd, frame, sizeof(frame)), EIO);
	CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	CHECK_ERR(read(fd, frame, sizeof(frame)), EAGAIN);
}

TEST(persistence)
{
	struct ifreq r;
	int fd = make("tt0", IFF_TAP | IFF_NO_PI, &r);

	CHECK_EQ(ioctl(fd, TUNSETPERSIST, 1), 0);
	CHECK_EQ(ioctl(fd, TUNSETOWNER, 1000), 0);
	close(fd);
	CHECK(!access("/sys/class/net/tt0", F_OK));
	if (!fork()) {
		CHECK_EQ(setresuid(1000, 1000, 1000), 0);
		fd = make("tt0", IFF_TAP | IFF_NO_PI, &r);
		_exit(0);
	} else {
		int status;

		wait(&status);
		CHECK_EQ(status, 0);
	}
	fd = make("tt0", IFF_TAP | IFF_NO_PI, &r);
	CHECK_EQ(ioctl(fd, TUNSETPERSIST, 0), 0);
	close(fd);
	CHECK(access("/sys/class/net/tt0", F_OK));
	CHECK_EQ(setresuid(1000, 1000, 1000), 0);
	fd = tun_open();
	CHECK_ERR(ioctl(fd, TUNSETIFF, &r), EPERM);
}

/* The device goes while somebody waits for it, and while packets are on their way. */
TEST(closing_under_traffic)
{
	for (int i = 0; i < 20; i++) {
		struct ifreq r;
		int fd = make("tt0", IFF_TAP | IFF_NO_PI, &r), index = up("tt0"), s = bound(index, SOCK_RAW, TYPE);
		struct sockaddr_ll to = name_of(index, TYPE);
		char frame[100] = { 0 };
		pid_t child = fork();

		if (!child) {
			close(fd);
			for (int k = 0; k < 2000; k++)
				if (sendto(s, frame, sizeof(frame), MSG_DONTWAIT, (void *)&to, sizeof(to)) < 0 && errno != EAGAIN && errno != ENOBUFS)
					break;
			_exit(0);
		}
		for (int k = 0; k < i; k++)
			CHECK(read(fd, frame, sizeof(frame)) > 0);
		close(fd);
		CHECK_EQ(waitpid(child, NULL, 0), child);
		close(s);
		CHECK(access("/sys/class/net/tt0", F_OK));
	}
}

/* Devices that come and go for ever do not use up what names them. */
TEST(the_two_hundredth)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0x0a610002) };
	struct ifreq r;
	unsigned char b[2000];
	int fd = -1, s = socket(AF_INET, SOCK_DGRAM, 0);

	for (int i = 0; i < 200; i++) {
		if (fd >= 0)
			close(fd);
		fd = make("many", IFF_TAP | IFF_NO_PI, &r);
	}
	*(struct sockaddr_in *)&r.ifr_addr = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a610001) };
	CHECK_EQ(ioctl(s, SIOCSIFADDR, &r), 0);
	up("many");
	CHECK_EQ(sendto(s, "hello", 5, 0, (void *)&to, sizeof(to)), 5);
	do
		CHECK(read(fd, b, sizeof(b)) > 14);
	while (!(b[12] == 8 && b[13] == 6 && !memcmp(b + 38, "\12\141\0\2", 4)));	/* who has 10.97.0.2? */
}
