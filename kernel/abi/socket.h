/* What programs and the kernel say to each other about sockets, where the UAPI headers are silent: families, types, flags, headers. */
#pragma once
#include <kernel/lib/types.h>
#include <asm/socket.h>
#include <linux/uio.h>

enum { AF_UNSPEC = 0, AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10, AF_NETLINK = 16, AF_PACKET = 17, AF_MAX = 46 };
enum { SOCK_STREAM = 1, SOCK_DGRAM = 2, SOCK_RAW = 3, SOCK_RDM = 4, SOCK_SEQPACKET = 5, SOCK_DCCP = 6, SOCK_PACKET = 10, SOCK_MAX = 11 };
enum { SOCK_NONBLOCK = 00004000 /* O_NONBLOCK */, SOCK_CLOEXEC = 02000000 /* O_CLOEXEC */ };
enum { SHUT_RD = 0, SHUT_WR = 1, SHUT_RDWR = 2 };
enum { SOMAXCONN = 4096 };

enum { SOL_IP = 0, SOL_TCP = 6, SOL_UDP = 17, SOL_IPV6 = 41, SOL_ICMPV6 = 58, SOL_UDPLITE = 136, SOL_RAW = 255, SOL_PACKET = 263, SOL_NETLINK = 270 };

#define MSG_OOB			0x1u
#define MSG_PEEK		0x2u
#define MSG_DONTROUTE		0x4u
#define MSG_CTRUNC		0x8u
#define MSG_PROBE		0x10u
#define MSG_TRUNC		0x20u
#define MSG_DONTWAIT		0x40u
#define MSG_EOR			0x80u
#define MSG_WAITALL		0x100u
#define MSG_CONFIRM		0x800u
#define MSG_ERRQUEUE		0x2000u
#define MSG_NOSIGNAL		0x4000u
#define MSG_MORE		0x8000u
#define MSG_WAITFORONE		0x10000u
#define MSG_BATCH		0x40000u	/* sendmmsg: more messages follow */
#define MSG_ZEROCOPY		0x4000000u
#define MSG_FASTOPEN		0x20000000u
#define MSG_CMSG_CLOEXEC	0x40000000u
#define MSG_CMSG_COMPAT		0x80000000u

enum { SCM_RIGHTS = 1, SCM_CREDENTIALS = 2 };
#define SCM_MAX_FD	253

/* msghdr of sendmsg and recvmsg, as programs lay it out. */
struct user_msghdr {
	u64 msg_name;			/* user pointers, read with user_ptr() */
	s32 msg_namelen;
	u64 msg_iov, msg_iovlen;
	u64 msg_control, msg_controllen;
	u32 msg_flags;
};
_Static_assert(sizeof(struct user_msghdr) == 56, "as struct msghdr of arm64");
struct mmsghdr { struct user_msghdr msg_hdr; u32 msg_len; };
_Static_assert(sizeof(struct mmsghdr) == 64, "as libc's");

struct cmsghdr { u64 cmsg_len; s32 cmsg_level, cmsg_type; };	/* data follow; each header at a multiple of 8 */
#define CMSG_ALIGN_K(len)	ALIGN_UP((u64)(len), 8)
#define CMSG_LEN_K(len)		(sizeof(struct cmsghdr) + (len))
#define CMSG_SPACE_K(len)	(sizeof(struct cmsghdr) + CMSG_ALIGN_K(len))

struct sockaddr { u16 sa_family; char sa_data[14]; };	/* as the structures of ioctl hold it */
struct ucred { s32 pid; u32 uid, gid; };
struct linger { s32 l_onoff, l_linger; };
