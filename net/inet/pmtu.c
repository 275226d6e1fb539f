/* Path MTU discovery (RFC 1191, RFC 8201): who sends what must not be cut, hears from the router that could not forward it how much it can.
 *
 * What was heard is kept for each destination for ten minutes (mtu_expires), in a small hash table; most machines never have an entry, and
 * then a look-up is a comparison.  The oldest entry goes when there are too many.  Who believes a report has checked before that it quotes a packet of a
 * socket of ours (raw.c).  lwIP keeps a table of its own for IPv6, by which it cuts datagrams; this one says what sockets are told. */
#include <kernel/lib/hash.h>
#include <kernel/lib/list.h>
#include <kernel/sysctl.h>
#include <kernel/time/time.h>
#include <mm/slab.h>
#include <net/inet/pmtu.h>

#define BUCKETS		64u
#define ENTRIES_MAX	1024u
#define MTU_LEAST6	1280u

struct path_mtu { struct list_head link, age; ip_addr_t to; u32 mtu; u64 until; };

static u64 no_discovery, least4 = 552, expires_s = 600;
SYSCTL(ip_no_pmtu_disc, "net/ipv4/ip_no_pmtu_disc", .value = &no_discovery, .max = 1);
SYSCTL(min_pmtu, "net/ipv4/route/min_pmtu", .value = &least4, .min = 68, .max = 65535);
SYSCTL(mtu_expires, "net/ipv4/route/mtu_expires", .value = &expires_s, .min = 1, .max = 1000000);

static struct list_head buckets[BUCKETS];	/* [C] */
static LIST_HEAD(by_age);			/* [C] the oldest first */
static u32 nr_paths;				/* [C] */

bool pmtu_discovery(void) { return !READ_ONCE(no_discovery); }

static struct list_head *bucket_of(const ip_addr_t *to)
{
	const u32 *w = ip_2_ip6(to)->addr;
	u64 key = IP_IS_V6(to) ? ((u64)w[0] << 32 | w[1]) ^ ((u64)w[3] << 32 | w[2]) : ip_2_ip4(to)->addr;

	return &buckets[hash_64(key, 6) % BUCKETS];
}

static void forget(struct path_mtu *p)
{
	list_del(&p->link);
	list_del(&p->age);
	nr_paths--;
	kfree(p);
}

static struct path_mtu *find(const ip_addr_t *to)
{
	struct path_mtu *p;

	list_for_each_entry(p, bucket_of(to), link)
		if (ip_addr_cmp_zoneless(&p->to, to)) {
			if (p->until > clock_mono_ns())
				return p;
			forget(p);
			return NULL;
		}
	return NULL;
}

u32 pmtu_of(const ip_addr_t *to, u32 mtu)
{
	const struct path_mtu *p = likely(!nr_paths) ? NULL : find(to);

	return p && p->mtu < mtu ? p->mtu : mtu;
}

u32 pmtu_learn(const ip_addr_t *to, u32 said)
{
	u32 mtu = max(said, IP_IS_V6(to) ? MTU_LEAST6 : (u32)READ_ONCE(least4));
	struct path_mtu *p;

	if (!buckets[0].next)
		for (u32 k = 0; k < BUCKETS; k++)
			list_init(&buckets[k]);
	p = find(to);
	if (p)
		forget(p);
	else if (nr_paths == ENTRIES_MAX)
		forget(list_first_entry(&by_age, struct path_mtu, age));
	p = kmalloc(sizeof(*p), GFP_ATOMIC);
	if (!p)
		return 0;
	*p = (struct path_mtu){ .to = *to, .mtu = mtu, .until = clock_mono_ns() + READ_ONCE(expires_s) * NSEC_PER_SEC };
	list_add_tail(&p->link, bucket_of(to));
	list_add_tail(&p->age, &by_age);
	nr_paths++;
	return mtu;
}
