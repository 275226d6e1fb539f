/* Bad arguments of socket calls, whole ranges of them: address lengths from 0 to beyond, families of others, counts and lengths that lie.
 * Linux's answers stand in bad_linux.h, one line a sweep: "errno*count ...".  To renew it:
 *     scripts/test-on-linux --tests socket/bad --verbose --append TABLE_PRINT=1 | sed -n 's/^#! //p' > tests/user/socket/bad_linux.h */
#include "tap.h"
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static const struct { const char *name, *errnos; } answers[] = {
#include "bad_linux.h"
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct kind { const char *name; int family, type, protocol; } kinds[] = {
	{ "unix-stream", AF_UNIX, SOCK_STREAM, 0 }, { "unix-dgram", AF_UNIX, SOCK_DGRAM, 0 }, { "unix-seqpacket", AF_UNIX, SOCK_SEQPACKET, 0 },
	{ "tcp", AF_INET, SOCK_STREAM, 0 }, { "tcp6", AF_INET6, SOCK_STREAM, 0 }, { "udp", AF_INET, SOCK_DGRAM, 0 }, { "udp6", AF_INET6, SOCK_DGRAM, 0 },
	{ "raw", AF_INET, SOCK_RAW, 253 }, { "raw6", AF_INET6, SOCK_RAW, 253 }, { "packet", AF_PACKET, SOCK_RAW, 0 }, { "packet-dgram", AF_PACKET, SOCK_DGRAM, 0 },
	{ "route", AF_NETLINK, SOCK_RAW, NETLINK_ROUTE },
};
static const int lengths[] = { -1, INT_MIN, INT_MAX, 129, 200, 4096, 65536 };
#define SWEEP 140

static char line[8192], label[100];
static int run_errno, run_count, wrong;
static bool telling;

static void flush_run(void)
{
	if (run_count) sprintf(line + strlen(line), run_count > 1 ? "%s%d*%d" : "%s%d", *line ? " " : "", run_errno, run_count);
	run_count = 0;
}
static void begin(const struct kind *k, const char *what) { line[0] = 0; snprintf(label, sizeof(label), "%s %s", k->name, what); }
static void note(long r)
{
	int e = r < 0 ? errno : 0;
	if (run_count && run_errno != e) flush_run();
	run_errno = e;
	run_count++;
}
static void end(void)
{
	flush_run();
	if (telling) { printf("#! { \"%s\", \"%s\" },\n", label, line); return; }
	for (unsigned i = 0; i < COUNT(answers); i++)
		if (!strcmp(answers[i].name, label)) {
			if (!strcmp(answers[i].errnos, line)) return;
			printf("# %s: %s\n#   on Linux: %s\n", label, line, answers[i].errnos);
			wrong++;
			return;
		}
	printf("# %s: no answer of Linux\n", label);
	wrong++;
}

static int make(const struct kind *k)
{
	int s = socket(k->family, k->type | SOCK_NONBLOCK, k->protocol);
	CHECK(s >= 0);
	return s;
}

/* An address of the family: of nobody (to == true), or of ours. */
static union { struct sockaddr_storage s; struct sockaddr_in in; struct sockaddr_in6 in6; struct sockaddr_un un; struct sockaddr_ll ll; struct sockaddr_nl nl; char b[8192]; } name;
static void name_of(int family, bool to)
{
	memset(&name, 0, sizeof(name));
	name.s.ss_family = (sa_family_t)family;
	switch (family) {
	case AF_INET: name.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK); name.in.sin_port = to ? htons(1) : 0; break;
	case AF_INET6: name.in6.sin6_addr = in6addr_loopback; name.in6.sin6_port = to ? htons(1) : 0; break;
	case AF_UNIX: memset(name.un.sun_path, 'x', sizeof(name) - offsetof(struct sockaddr_un, sun_path)); if (to) name.un.sun_path[0] = 'y'; break;
	case AF_PACKET: name.ll.sll_ifindex = 1; name.ll.sll_protocol = htons(0x88b5); name.ll.sll_halen = 6; break;
	}
}

static void remove_names(const struct kind *k)
{
	char path[120];
	if (k->family != AF_UNIX) return;
	for (int i = 1; i <= 108; i++) { memset(path, 'x', 119); path[i] = 0; unlink(path); }
}

static void prepare(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	char words[4096];
	telling = read_file("/proc/cmdline", words, sizeof(words)) > 0 && strstr(words, "TABLE_PRINT");
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_EQ(ioctl(s, SIOCSIFFLAGS, &r), 0);
	close(s);
	scratch();
	signal(SIGPIPE, SIG_IGN);
}

TEST(bind_lengths)
{
	prepare();
	for (const struct kind *k = kinds; k < kinds + COUNT(kinds); k++) {
		begin(k, "bind");
		for (int len = 0; len < SWEEP + (int)COUNT(lengths); len++) {
			int s = make(k);
			name_of(k->family, false);
			note(bind(s, (void *)&name, len < SWEEP ? (socklen_t)len : (socklen_t)lengths[len - SWEEP]));
			close(s);
			remove_names(k);
		}
		end();
	}
	CHECK_EQ(wrong, 0);
}

TEST(bind_families)
{
	prepare();
	for (const struct kind *k = kinds; k < kinds + COUNT(kinds); k++) {
		begin(k, "bind family");
		for (int family = 0; family < 48; family++) {
			int s = make(k);
			name_of(k->family, false);
			name.s.ss_family = (sa_family_t)family;
			note(bind(s, (void *)&name, k->family == AF_UNIX ? 8 : k->family == AF_PACKET ? 20 : k->family == AF_NETLINK ? 12 : 28));
			close(s);
			remove_names(k);
		}
		end();
	}
	CHECK_EQ(wrong, 0);
}

/* Whether a refusal comes at once is a matter of luck. */
static long connected(long r) { if (r < 0 && (errno == EINPROGRESS || errno == ECONNREFUSED)) errno = EINPROGRESS; return r; }

TEST(connect_lengths_and_families)
{
	prepare();
	for (const struct kind *k = kinds; k < kinds + COUNT(kinds); k++) {
		begin(k, "connect");
		for (int len = 0; len < SWEEP + (int)COUNT(lengths); len++) {
			int s = make(k);
			name_of(k->family, true);
			note(connected(connect(s, (void *)&name, len < SWEEP ? (socklen_t)len : (socklen_t)lengths[len - SWEEP])));
			close(s);
		}
		end();
		begin(k, "connect family");
		for (int family = 0; family < 48; family++) {
			int s = make(k);
			name_of(k->family, true);
			name.s.ss_family = (sa_family_t)family;
			note(connected(connect(s, (void *)&name, 28)));
			close(s);
		}
		end();
	}
	CHECK_EQ(wrong, 0);
}

TEST(send_lengths)
{
	prepare();
	for (const struct kind *k = kinds; k < kinds + COUNT(kinds); k++) {
		begin(k, "sendto");
		for (int len = 0; len < SWEEP + (int)COUNT(lengths); len++) {
			int s = make(k);
			name_of(k->family, true);
			note(connected(sendto(s, line, 20, MSG_NOSIGNAL, (void *)&name, len < SWEEP ? (socklen_t)len : (socklen_t)lengths[len - SWEEP])));
			close(s);
		}
		end();
		begin(k, "sendmsg name");
		for (int len = 0; len < SWEEP + (int)COUNT(lengths); len++) {
			struct iovec v = { line, 20 };
			struct msghdr m = { .msg_name = &name, .msg_namelen = len < SWEEP ? (socklen_t)len : (socklen_t)lengths[len - SWEEP], .msg_iov = &v, .msg_iovlen = 1 };
			int s = make(k);
			name_of(k->family, true);
			note(connected(sendmsg(s, &m, MSG_NOSIGNAL)));
			close(s);
		}
		end();
	}
	CHECK_EQ(wrong, 0);
}

/* Names that are asked for, with room that lies. */
TEST(asked_lengths)
{
	prepare();
	for (const struct kind *k = kinds; k < kinds + COUNT(kinds); k++) {
		for (int peer = 0; peer < 2; peer++) {
			int s = make(k);
			begin(k, peer ? "getpeername" : "getsockname");
			for (int len = 0; len < SWEEP + (int)COUNT(lengths); len++) {
				socklen_t l = len < SWEEP ? (socklen_t)len : (socklen_t)lengths[len - SWEEP];
				long r = (peer ? getpeername : getsockname)(s, (void *)&name, &l);
				note(r);
				if (!r) { errno = 1000 + (int)l; note(-1); }
			}
			end();
			close(s);
		}
	}
	CHECK_EQ(wrong, 0);
}

struct raw_header { void *name; uint32_t namelen, pad; struct iovec *iov; uint64_t iovlen; void *control; uint64_t controllen; uint32_t flags, pad2; };

TEST(vectors)
{
	static const uint64_t counts[] = { 0, 1, 2, 1023, 1024, 1025, 4096, 1u << 31, ~0u, 1ull << 32, 1ull << 60, ~0ull };
	static const uint64_t sizes[] = { 0, 1, LONG_MAX, 1ull << 63, ~0ull };
	static struct iovec v[5000];
	prepare();
	for (const struct kind *k = kinds; k < kinds + COUNT(kinds); k++) {
		int s = make(k);
		for (int in = 0; in < 2; in++) {
			begin(k, in ? "recvmsg vector" : "sendmsg vector");
			for (unsigned i = 0; i < COUNT(counts); i++)
				for (unsigned j = 0; j < COUNT(sizes); j++) {
					struct raw_header h = { .iov = v, .iovlen = counts[i] };
					memset(v, 0, sizeof(v));
					v[0] = v[1] = (struct iovec){ line, sizes[j] };
					note(syscall(in ? SYS_recvmsg : SYS_sendmsg, s, &h, MSG_NOSIGNAL | MSG_DONTWAIT));
				}
			end();
		}
		close(s);
	}
	CHECK_EQ(wrong, 0);
}

/* Control buffers and messages in them whose lengths lie; the program's own descriptors come to no harm. */
TEST(control_that_lies)
{
	static const uint64_t totals[] = { 0, 1, 15, 16, 17, 19, 20, 23, 24, 25, 28, 31, 32, 40, 48, 1032, 1040, 20480, 1 << 20, 1ull << 32, ~0ull };
	static const uint64_t lens[] = { 0, 1, 15, 16, 17, 20, 23, 24, 28, 32, 33, 40, 1028, 1032, 1u << 31, 1ull << 32, 1ull << 63, ~0ull, ~15ull };
	static const int types[] = { SCM_RIGHTS, SCM_CREDENTIALS, 0, 3, 99, -1 };
	static uint64_t control[200000];
	int s[2];
	prepare();
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
	for (unsigned t = 0; t < COUNT(types); t++)
		for (unsigned i = 0; i < COUNT(totals); i++) {
			char what[60];
			snprintf(what, sizeof(what), "control type %d of %llu", types[t], (unsigned long long)totals[i]);
			begin(&kinds[1], what);
			for (unsigned j = 0; j < COUNT(lens); j++) {
				struct iovec v = { line, 1 };
				struct raw_header h = { .iov = &v, .iovlen = 1, .control = control, .controllen = totals[i] };
				memset(control, 0, 4096);
				control[0] = lens[j];
				((int *)control)[2] = SOL_SOCKET;
				((int *)control)[3] = types[t];
				note(syscall(SYS_sendmsg, s[0], &h, MSG_DONTWAIT));
				recv(s[1], line + 4000, 1, MSG_DONTWAIT);
			}
			end();
		}
	CHECK_EQ(wrong, 0);
}
