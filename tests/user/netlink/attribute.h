/* attribute.h - requests by netlink: a header, the family's one behind it, then attributes. */
#pragma once
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* One more attribute of a request, for which there is room behind it. */
static inline void put(void *request, int type, const void *data, int len)
{
	struct nlmsghdr *h = request;
	struct rtattr *a = (void *)((char *)request + NLMSG_ALIGN(h->nlmsg_len));

	a->rta_type = (unsigned short)type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, (size_t)len);
	h->nlmsg_len = NLMSG_ALIGN(h->nlmsg_len) + RTA_ALIGN(a->rta_len);
}
