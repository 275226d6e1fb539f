/* ends.h - two guests joined by two virtio wires (scripts/test-user --wire): who has which address.
 *
 * The near one runs the tests, the far one the agent that far/far.h speaks to.  eth0 is the wire that is tested; the agent is told what to
 * do over the other, so that a test may do to eth0 what it likes.  The host names the devices by their hardware addresses: 02:00:00:08:00:0N is the tested
 * wire, 02:00:00:09:00:0N the other, N is 1 near and 2 far.  */
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define NEAR4	"10.8.0.1"
#define FAR4	"10.8.0.2"
#define NEAR6	"fd08::1"
#define FAR6	"fd08::2"
#define AGENT4	"10.8.1.2"		/* on the other wire */
#define AGENT_PORT 7007

/* ends_name - the interface with that hardware address, 02:00:00:KIND:00:N.  name: IFNAMSIZ bytes.  Returns 0, or -1: there is none. */
static inline int ends_name(char *name, int kind, int n)
{
	unsigned char want[6] = { 2, 0, 0, (unsigned char)kind, 0, (unsigned char)n };
	int s = socket(AF_INET, SOCK_DGRAM, 0), found = -1;

	for (int i = 1; i < 10 && found; i++) {
		struct ifreq r = { .ifr_ifindex = i };

		if (ioctl(s, SIOCGIFNAME, &r) || ioctl(s, SIOCGIFHWADDR, &r) || memcmp(r.ifr_hwaddr.sa_data, want, 6))
			continue;
		strcpy(name, r.ifr_name);
		found = 0;
	}
	close(s);
	return found;
}

/* ends_up - bring an interface up with an address of a /24.  Returns 0, or -1 and errno. */
static inline int ends_up(const char *name, const char *address)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = inet_addr(address) }, mask = { .sin_family = AF_INET, .sin_addr.s_addr = inet_addr("255.255.255.0") };
	int s = socket(AF_INET, SOCK_DGRAM, 0), bad;
	struct ifreq r = { 0 };

	strcpy(r.ifr_name, name);
	memcpy(&r.ifr_addr, &a, sizeof(a));
	bad = ioctl(s, SIOCSIFADDR, &r);
	memcpy(&r.ifr_addr, &mask, sizeof(mask));
	bad = bad || ioctl(s, SIOCSIFNETMASK, &r);
	memset(&r.ifr_ifru, 0, sizeof(r.ifr_ifru));
	bad = bad || ioctl(s, SIOCGIFFLAGS, &r);
	r.ifr_flags |= IFF_UP;
	bad = bad || ioctl(s, SIOCSIFFLAGS, &r);
	close(s);
	return bad ? -1 : 0;
}

/* ends_up6 - an IPv6 address of a /64, waited for until it may be used (nobody else has it).  Returns 0, or -1 and errno. */
static inline int ends_up6(const char *name, const char *address)
{
	struct { struct in6_addr address; uint32_t prefix; int index; } r = { .prefix = 64, .index = (int)if_nametoindex(name) };
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 };
	int s = socket(AF_INET6, SOCK_DGRAM, 0), bad;

	inet_pton(AF_INET6, address, &r.address);
	a.sin6_addr = r.address;
	bad = ioctl(s, SIOCSIFADDR, &r);
	for (int i = 0; !bad && i < 200; i++) {
		if (!bind(s, (struct sockaddr *)&a, sizeof(a)))
			break;
		usleep(50000);
	}
	close(s);
	return bad ? -1 : 0;
}

/* ends_setup - configure guest n, 1 or 2.  Returns 0, or -1: it was said what is missing. */
static inline int ends_setup(int n)
{
	static const struct { int kind; const char *four[2]; } wires[] = { { 8, { NEAR4, FAR4 } }, { 9, { "10.8.1.1", AGENT4 } } };
	char name[IFNAMSIZ] = "lo";

	ends_up(name, "127.0.0.1");
	for (int i = 0; i < 2; i++)
		if (ends_name(name, wires[i].kind, n) || ends_up(name, wires[i].four[n - 1]) || (!i && ends_up6(name, n == 1 ? NEAR6 : FAR6))) {
			printf("# wire %d: errno %d\n", i, errno);
			return -1;
		}
	return 0;
}
