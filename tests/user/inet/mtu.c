/* What a device's MTU means for its addresses: below 68 bytes there is no IPv4, below 1,280 no IPv6. */
#include "inet.h"

static int lo_mtu(int mtu)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_mtu = mtu };
	int s = socket(AF_INET, SOCK_DGRAM, 0), err = ioctl(s, SIOCSIFMTU, &r);

	close(s);
	return err;
}

static void lo_down(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK_EQ(ioctl(s, SIOCSIFFLAGS, &r), 0);
	close(s);
}

/* Is there a way to 127.0.0.1, and to ::1? */
static int way4(int len)
{
	struct sockaddr_in a = in4("127.0.0.1", 9);
	static char b[9000];
	int s = socket(AF_INET, SOCK_DGRAM, 0), err = sendto(s, b, (size_t)len, 0, SA(a)) < 0 ? errno : 0;

	close(s);
	return err;
}

static int bind6(void)
{
	struct sockaddr_in6 a = in6("::1", 0);
	int s = socket(AF_INET6, SOCK_DGRAM, 0), err = bind(s, SA(a)) ? errno : 0;

	close(s);
	return err;
}

TEST(too_small_for_addresses)
{
	struct ifreq r = { .ifr_name = "lo" };
	int s;

	lo_up();
	s = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_EQ(ioctl(s, SIOCGIFADDR, &r), 0);
	CHECK(way4(10) == 0 && bind6() == 0);
	CHECK_EQ(lo_mtu(1279), 0);
	CHECK_EQ(bind6(), EADDRNOTAVAIL);
	CHECK_EQ(way4(10), 0);
	CHECK_EQ(lo_mtu(68), 0);
	CHECK_EQ(way4(8000), 0);		/* many fragments */
	CHECK_EQ(lo_mtu(67), 0);
	CHECK_ERR(ioctl(s, SIOCGIFADDR, &r), EADDRNOTAVAIL);
	CHECK_EQ(way4(10), ENETUNREACH);
	((struct sockaddr_in *)&r.ifr_addr)->sin_family = AF_INET;
	((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK_ERR(ioctl(s, SIOCSIFADDR, &r), ENOBUFS);
	CHECK_EQ(lo_mtu(0), 0);
	CHECK_EQ(way4(10), ENETUNREACH);
	CHECK_EQ(lo_mtu(65536), 0);
	lo_down();
	lo_up();
	CHECK(way4(10) == 0 && bind6() == 0);
	CHECK_EQ(ioctl(s, SIOCGIFADDR, &r), 0);
}
