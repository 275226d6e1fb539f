/* netdevice(7) on lo: names, indices, flags, MTU, hardware address, queue length; who may change them. */
#include "tap.h"
#include "lo.h"
#include <linux/sockios.h>

static int any_socket(void)
{
	int s = socket(AF_PACKET, SOCK_DGRAM, 0);

	CHECK(s >= 0);
	return s;
}

static struct ifreq ask(int s, unsigned long cmd)
{
	struct ifreq r = { .ifr_name = "lo" };

	CHECK_EQ(ioctl(s, cmd, &r), 0);
	return r;
}

TEST(index_and_name)
{
	int s = any_socket();
	struct ifreq r = ask(s, SIOCGIFINDEX);

	CHECK_EQ(r.ifr_ifindex, 1);
	memset(r.ifr_name, 0, sizeof(r.ifr_name));
	CHECK_EQ(ioctl(s, SIOCGIFNAME, &r), 0);
	CHECK(!strcmp(r.ifr_name, "lo"));
	r.ifr_ifindex = 12345;
	CHECK_ERR(ioctl(s, SIOCGIFNAME, &r), ENODEV);
	strcpy(r.ifr_name, "nosuch");
	CHECK_ERR(ioctl(s, SIOCGIFINDEX, &r), ENODEV);
	CHECK_ERR(ioctl(s, SIOCGIFFLAGS, NULL), EFAULT);
	strcpy(r.ifr_name, "lo:1");
	CHECK_EQ(ioctl(s, SIOCGIFINDEX, &r), 0);
	CHECK(r.ifr_ifindex == 1 && !strcmp(r.ifr_name, "lo:1"));
}

/* The flags of "lo:1" are those of an address. */
TEST(second_address_goes_alone)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f090909) };
	int s = any_socket();
	struct ifreq r = { .ifr_name = "lo:1" };

	CHECK_EQ(lo_flags(s, IFF_UP, 0), 0);
	r.ifr_flags = IFF_UP;
	CHECK_ERR(ioctl(s, SIOCSIFFLAGS, &r), EADDRNOTAVAIL);
	memcpy(&r.ifr_addr, &a, sizeof(a));
	CHECK_EQ(ioctl(s, SIOCSIFADDR, &r), 0);
	CHECK_EQ(ioctl(s, SIOCGIFADDR, &r), 0);
	memset(&r.ifr_ifru, 0, sizeof(r.ifr_ifru));
	CHECK_EQ(ioctl(s, SIOCSIFFLAGS, &r), 0);
	CHECK_ERR(ioctl(s, SIOCGIFADDR, &r), EADDRNOTAVAIL);
	CHECK(ask(s, SIOCGIFFLAGS).ifr_flags & IFF_UP);
}

TEST(what_lo_is)
{
	int s = any_socket();

	CHECK_EQ(ask(s, SIOCGIFMTU).ifr_mtu, 65536);
	CHECK_EQ(ask(s, SIOCGIFTXQLEN).ifr_qlen, 1000);
	CHECK_EQ(ask(s, SIOCGIFMETRIC).ifr_metric, 0);
	CHECK_EQ(ask(s, SIOCGIFHWADDR).ifr_hwaddr.sa_family, ARPHRD_LOOPBACK);
	CHECK(ask(s, SIOCGIFFLAGS).ifr_flags & IFF_LOOPBACK);
}

TEST(up_and_down)
{
	int s = any_socket();

	CHECK_EQ(lo_flags(s, IFF_UP, 0), 0);
	CHECK_EQ(ask(s, SIOCGIFFLAGS).ifr_flags & (IFF_UP | IFF_RUNNING | IFF_BROADCAST | IFF_LOOPBACK), IFF_UP | IFF_RUNNING | IFF_LOOPBACK);
	CHECK_EQ(lo_flags(s, 0, IFF_UP), 0);
	CHECK_EQ(ask(s, SIOCGIFFLAGS).ifr_flags & (IFF_UP | IFF_RUNNING), 0);
	CHECK_EQ(lo_flags(s, IFF_PROMISC, 0), 0);
	CHECK(ask(s, SIOCGIFFLAGS).ifr_flags & IFF_PROMISC);
	CHECK_EQ(lo_flags(s, 0, IFF_PROMISC), 0);
	CHECK(!(ask(s, SIOCGIFFLAGS).ifr_flags & IFF_PROMISC));
}

TEST(mtu_and_queue)
{
	int s = any_socket();
	struct ifreq r = { .ifr_name = "lo", .ifr_mtu = 1400 };

	CHECK_EQ(ioctl(s, SIOCSIFMTU, &r), 0);
	CHECK_EQ(ask(s, SIOCGIFMTU).ifr_mtu, 1400);
	r.ifr_mtu = -1;
	CHECK_ERR(ioctl(s, SIOCSIFMTU, &r), EINVAL);
	r.ifr_mtu = 65536;
	CHECK_EQ(ioctl(s, SIOCSIFMTU, &r), 0);
	r.ifr_qlen = 50;
	CHECK_EQ(ioctl(s, SIOCSIFTXQLEN, &r), 0);
	CHECK_EQ(ask(s, SIOCGIFTXQLEN).ifr_qlen, 50);
	r.ifr_qlen = -1;
	CHECK_ERR(ioctl(s, SIOCSIFTXQLEN, &r), EINVAL);
	r.ifr_qlen = 1000;
	CHECK_EQ(ioctl(s, SIOCSIFTXQLEN, &r), 0);
}

TEST(refusals)
{
	int s = any_socket();
	struct ifreq r = { .ifr_name = "lo" };

	CHECK_ERR(ioctl(s, SIOCGIFSLAVE, &r), EINVAL);
	r.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	CHECK_ERR(ioctl(s, SIOCSIFHWADDR, &r), EINVAL);
	r.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	CHECK_ERR(ioctl(s, SIOCADDMULTI, &r), EINVAL);
	strcpy(r.ifr_newname, "a/b");
	CHECK_EQ(lo_flags(s, 0, IFF_UP), 0);
	CHECK_ERR(ioctl(s, SIOCSIFNAME, &r), EINVAL);
	CHECK_ERR(ioctl(s, 0x89ab, &r), ENOTTY);
}

TEST(renaming)
{
	int s = any_socket();
	struct ifreq r = { .ifr_name = "lo" };

	CHECK_EQ(lo_flags(s, 0, IFF_UP), 0);
	CHECK(!access("/sys/class/net/lo/mtu", R_OK));
	strcpy(r.ifr_newname, "other0");
	CHECK_EQ(ioctl(s, SIOCSIFNAME, &r), 0);
	CHECK(access("/sys/class/net/lo", F_OK) && !access("/sys/class/net/other0/mtu", R_OK));
	strcpy(r.ifr_name, "other0");
	CHECK_EQ(ioctl(s, SIOCGIFINDEX, &r), 0);
	CHECK_EQ(r.ifr_ifindex, 1);
	strcpy(r.ifr_newname, "lo");
	CHECK_EQ(ioctl(s, SIOCSIFNAME, &r), 0);
	CHECK(!access("/sys/class/net/lo/mtu", R_OK) && access("/sys/class/net/other0", F_OK));
}

TEST(without_privilege)
{
	int s = any_socket();
	struct ifreq r = { .ifr_name = "lo" };

	CHECK_EQ(setresuid(1000, 1000, 1000), 0);
	CHECK_EQ(ioctl(s, SIOCGIFFLAGS, &r), 0);
	CHECK_ERR(ioctl(s, SIOCSIFFLAGS, &r), EPERM);
	strcpy(r.ifr_name, "nosuch");
	CHECK_ERR(ioctl(s, SIOCSIFMTU, &r), EPERM);
	CHECK_ERR(socket(AF_PACKET, SOCK_RAW, 0), EPERM);
}

TEST(proc_and_sys)
{
	char line[512], link[64] = "";
	FILE *f = fopen("/proc/net/dev", "r");
	bool found = false;

	CHECK(f);
	CHECK(fgets(line, sizeof(line), f) && !strncmp(line, "Inter-|   Receive", 17));
	CHECK(fgets(line, sizeof(line), f) && !strncmp(line, " face |bytes    packets", 23));
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "    lo:", 7)) {
			unsigned long n[16];

			found = true;
			CHECK_EQ(sscanf(line + 7, "%lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu", n, n + 1, n + 2, n + 3, n + 4, n + 5,
					n + 6, n + 7, n + 8, n + 9, n + 10, n + 11, n + 12, n + 13, n + 14, n + 15), 16);
			CHECK_EQ(n[1], n[9]);
			CHECK_EQ(n[0], n[8]);
		}
	fclose(f);
	CHECK(found);
	CHECK_EQ(readlink("/proc/net", link, sizeof(link) - 1), 8);
	CHECK(!strcmp(link, "self/net"));
	CHECK(!access("/sys/class/net/lo/statistics/rx_bytes", R_OK));
}

static long sys_number(const char *name)
{
	char path[128], text[64];
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/class/net/lo/%s", name);
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n < 0)
		return -errno;
	text[n] = 0;
	return strtol(text, NULL, 0);
}

TEST(sys_attributes)
{
	int s = any_socket(), fd;

	CHECK_EQ(lo_flags(s, IFF_UP, 0), 0);
	CHECK_EQ(sys_number("ifindex"), 1);
	CHECK_EQ(sys_number("iflink"), 1);
	CHECK_EQ(sys_number("mtu"), 65536);
	CHECK_EQ(sys_number("type"), ARPHRD_LOOPBACK);
	CHECK_EQ(sys_number("addr_len"), 6);
	CHECK_EQ(sys_number("carrier"), 1);
	CHECK_EQ(sys_number("flags") & (IFF_UP | IFF_LOOPBACK), IFF_UP | IFF_LOOPBACK);
	CHECK_EQ(sys_number("speed"), -EINVAL);
	CHECK_EQ(lo_flags(s, 0, IFF_UP), 0);
	CHECK_EQ(sys_number("carrier"), -EINVAL);
	fd = open("/sys/class/net/lo/mtu", O_WRONLY);
	CHECK_EQ(write(fd, "1300\n", 5), 5);
	CHECK_EQ(sys_number("mtu"), 1300);
	CHECK_EQ(write(fd, "65536", 5), 5);
	CHECK_ERR(write(fd, "x", 1), EINVAL);
}

TEST(the_interfaces_configuration)
{
	char buf[4096];
	struct ifconf c = { .ifc_len = sizeof(buf), .ifc_buf = buf };
	int s = any_socket();

	CHECK_EQ(ioctl(s, SIOCGIFCONF, &c), 0);
	CHECK(c.ifc_len >= 0 && c.ifc_len % (int)sizeof(struct ifreq) == 0);
	c.ifc_buf = NULL;
	CHECK_EQ(ioctl(s, SIOCGIFCONF, &c), 0);
	CHECK_ERR(ioctl(s, SIOCGIFCONF, NULL), EFAULT);
}

