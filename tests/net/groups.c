/* What a host of scripts/test-netdev sends to groups, in IPv4 and IPv6: one is joined on eth0, then left, another never was.
 * The host says by a datagram to our own address, behind the others on the wire, when it is time: "leave", then "end". */
#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT	7000

static unsigned joined[2], strange[2];	/* datagrams to the group that was joined, to another; IPv4, IPv6 */

static void die(const char *what) { perror(what); exit(1); }

static int listener(int family)
{
	int s = socket(family, SOCK_DGRAM, 0), on = 1;
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };

	if (s < 0 || (family == AF_INET6 && setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on))) ||
	    bind(s, family == AF_INET ? (void *)&a4 : (void *)&a6, family == AF_INET ? sizeof(a4) : sizeof(a6)))
		die("a socket");
	return s;
}

static void change(int s4, int s6, int join)
{
	struct ip_mreqn m4 = { .imr_ifindex = (int)if_nametoindex("eth0") };
	struct ipv6_mreq m6 = { .ipv6mr_interface = if_nametoindex("eth0") };

	inet_pton(AF_INET, "239.1.2.3", &m4.imr_multiaddr);
	inet_pton(AF_INET6, "ff15::1:2:3", &m6.ipv6mr_multiaddr);
	if (setsockopt(s4, IPPROTO_IP, join ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &m4, sizeof(m4)) ||
	    setsockopt(s6, IPPROTO_IPV6, join ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &m6, sizeof(m6)))
		die(join ? "joining" : "leaving");
}

/* What is there by now; 1: and the host's word. */
static int drain(int s, int which, const char *word)
{
	char text[64];
	ssize_t n;
	int said = 0;

	while ((n = recv(s, text, sizeof(text) - 1, MSG_DONTWAIT)) >= 0) {
		text[n] = 0;
		joined[which] += !strcmp(text, "joined");
		strange[which] += !strcmp(text, "strange");
		said |= !strcmp(text, word);
	}
	return said;
}

static void hear(int s4, int s6, const char *word)
{
	struct pollfd p = { s4, POLLIN, 0 };

	memset(joined, 0, sizeof(joined));
	memset(strange, 0, sizeof(strange));
	do {
		if (poll(&p, 1, 30000) < 1)
			die("the host says nothing");
	} while (!drain(s4, 0, word));
	drain(s6, 1, word);	/* came earlier */
	printf("%s: %u %u joined, %u %u strange\n", word, joined[0], joined[1], strange[0], strange[1]);
}

int main(void)
{
	int s4 = listener(AF_INET), s6 = listener(AF_INET6);

	setbuf(stdout, NULL);
	change(s4, s6, 1);
	printf("listening\n");
	hear(s4, s6, "leave");
	change(s4, s6, 0);
	printf("gone\n");
	hear(s4, s6, "end");
	return 0;
}
