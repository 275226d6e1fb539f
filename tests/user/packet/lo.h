/* lo, brought up by whoever includes this: no other device need be there. */
#pragma once
#include <net/if.h>
#include <linux/if_arp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <linux/if_packet.h>
#include <linux/if_ether.h>
#include <arpa/inet.h>

static int lo_flags(int s, int set, int clear)
{
	struct ifreq r = { .ifr_name = "lo" };

	if (ioctl(s, SIOCGIFFLAGS, &r))
		return -1;
	r.ifr_flags = (short)((r.ifr_flags | set) & ~clear);
	return ioctl(s, SIOCSIFFLAGS, &r);
}
