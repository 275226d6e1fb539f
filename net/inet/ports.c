/* Ports: who has which, and who may have the same.
 *
 * A hash table for each protocol, under the core lock.  Two sockets may share a port if they do not share an address, if both said SO_REUSEADDR
 * (TCP: and who has it does not listen; connections that a listener has left behind do not count), or if both said SO_REUSEPORT and
 * belong to one user.  What is left of a connection (TIME_WAIT) keeps its port from those who do not say SO_REUSEADDR.
 *
 * A free port is looked for from a random place on, so that the next one cannot be guessed.  For a connection that has none any port will do
 * that no bound socket has and from which there is no connection to the same place. */
#include <kernel/errno.h>
#include <kernel/lib/hash.h>
#include <kernel/random/random.h>
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/lib/string.h>
#include <mm/slab.h>
#include <net/inet/engine.h>
#include <net/inet/inet.h>
#include <net/inet/tcp.h>

struct port_table tcp_ports = { .tcp = true }, udp_ports, udplite_ports, ping_ports, raw_ports;

static s64 range_first = 32768, range_last = 60999;

struct list_head *port_bucket(struct port_table *t, u16 port)
{
	if (!t->bucket) {
		t->bucket = kmalloc(PORT_BUCKETS * sizeof(*t->bucket), GFP_ATOMIC);
		if (!t->bucket)
			return NULL;
		for (u32 k = 0; k < PORT_BUCKETS; k++)
			list_init(&t->bucket[k]);
	}
	return &t->bucket[port % PORT_BUCKETS];
}

bool inet_address_is_any(const ip_addr_t *a)
{
	return IP_IS_ANY_TYPE_VAL(*a) || ip_addr_isany(a);
}

bool inet_takes(const ip_addr_t *local, const ip_addr_t *to)
{
	if (IP_IS_ANY_TYPE_VAL(*local))
		return true;
	return IP_GET_TYPE(local) == IP_GET_TYPE(to) && (ip_addr_isany(local) || ip_addr_cmp_zoneless(local, to));
}

static bool overlap(const ip_addr_t *a, const ip_addr_t *b)
{
	if (IP_IS_ANY_TYPE_VAL(*a) || IP_IS_ANY_TYPE_VAL(*b))
		return true;
	return IP_GET_TYPE(a) == IP_GET_TYPE(b) && (ip_addr_isany(a) || ip_addr_isany(b) || ip_addr_cmp_zoneless(a, b));
}

/* a wants what b has. */
static bool may_share(const struct inet_sock *a, const struct inet_sock *b)
{
	if (socket_option(&a->s, SO_REUSEADDR) && socket_option(&b->s, SO_REUSEADDR) && !(a->ports->tcp && b->listening))
		return true;
	return socket_option(&a->s, SO_REUSEPORT) && socket_option(&b->s, SO_REUSEPORT) && a->s.uid == b->s.uid;
}

bool port_conflict(const struct inet_sock *i, const ip_addr_t *addr, u16 port)
{
	struct list_head *bucket = port_bucket(i->ports, port);
	u32 device = (u32)READ_ONCE(i->s.bound_device);
	const struct inet_sock *o;

	if (!bucket)
		return true;
	list_for_each_entry(o, bucket, port_link) {
		if (o == i || o->lport != port || !overlap(addr, &o->local))
			continue;
		if (device && socket_bound_elsewhere(&o->s, device))
			continue;
		if (!may_share(i, o))
			return true;
	}
	return i->ports->tcp && tcp_time_wait_has(addr, port, socket_option(&i->s, SO_REUSEADDR));
}

static int enter(struct inet_sock *i, u16 port, bool inherited)
{
	struct list_head *bucket = port_bucket(i->ports, port);

	if (!bucket)
		return -ENOMEM;
	i->lport = port;
	i->inherited = inherited;
	if (inherited)
		list_add_tail(&i->port_link, bucket);
	else
		list_add(&i->port_link, bucket);
	i->ports->users++;
	return 0;
}

static u32 range(u32 *first)
{
	s64 lo = READ_ONCE(range_first), hi = READ_ONCE(range_last);

	*first = (u32)lo;
	return (u32)(hi > lo ? hi - lo + 1 : 1);
}

int port_take(struct inet_sock *i, const ip_addr_t *addr, u16 port)
{
	u32 first, n = range(&first), at = (u32)random_u64() % n;

	if (port)
		return port_conflict(i, addr, port) ? -EADDRINUSE : enter(i, port, false);
	for (u32 k = 0; k < n; k++) {
		u16 p = (u16)(first + (at + k) % n);

		if (!port_conflict(i, addr, p))
			return enter(i, p, false);
	}
	return -EADDRINUSE;
}

/* Is port free for a connection from source to i->remote? */
static bool free_for(const struct inet_sock *i, const ip_addr_t *source, u16 port)
{
	struct list_head *bucket = port_bucket(i->ports, port);
	const struct inet_sock *o;

	if (!bucket)
		return false;
	list_for_each_entry(o, bucket, port_link) {
		if (o->lport != port)
			continue;
		if (o->port_given || !o->rport)
			return false;
		if (o->rport == i->rport && ip_addr_cmp(&o->remote, &i->remote) && ip_addr_cmp(&o->local, source))
			return false;
	}
	return !i->ports->tcp || tcp_time_wait_yields(source, port, &i->remote, i->rport);
}

int port_take_for(struct inet_sock *i, const ip_addr_t *source)
{
	u32 first, n = range(&first), at = (u32)random_u64() % n;

	for (u32 k = 0; k < n; k++) {
		u16 p = (u16)(first + (at + k) % n);

		if (free_for(i, source, p))
			return enter(i, p, false);
	}
	return -EADDRNOTAVAIL;
}

void port_inherit(struct inet_sock *i, u16 port)
{
	if (enter(i, port, true))
		i->lport = 0;
}

void port_free(struct inet_sock *i)
{
	if (!i->lport)
		return;
	list_del(&i->port_link);
	i->ports->users--;
	i->lport = 0;
}

/* "first last", as Linux shows it. */
static int range_show(struct seq *s, void *arg)
{
	(void)arg;
	seq_printf(s, "%ld\t%ld\n", READ_ONCE(range_first), READ_ONCE(range_last));
	return 0;
}

bool parse_range(const char *s, u64 *first, u64 *last)
{
	bool both;

	while (is_space(*s))
		s++;
	both = is_digit(*s);
	*first = parse_number(s, &s, 10);
	while (is_space(*s))
		s++;
	both &= is_digit(*s);
	*last = parse_number(s, &s, 10);
	return both;
}

static int range_write(const char *buf, size_t len, void *arg)
{
	u64 lo, hi;

	(void)arg;
	(void)len;
	(void)parse_range(buf, &lo, &hi);
	if (!lo || lo > hi || hi > 65535)
		return -EINVAL;
	WRITE_ONCE(range_first, (s64)lo);
	WRITE_ONCE(range_last, (s64)hi);
	return 0;
}
PROC_FILE(ip_local_port_range, .path = "sys/net/ipv4/ip_local_port_range", .mode = 0644, .show = range_show, .write = range_write);
