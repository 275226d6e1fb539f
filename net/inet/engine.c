/* The protocol engine: lwIP as a library.
 *
 * Theory.  lwIP has no threads here.  Whoever has something for it (a system call, a device's receive thread with a batch of packets, a
 * timer) takes the core lock, calls it, and gives the lock back; that is all there is to its "main loop".  Under the lock belong: lwIP's own
 * data (pcbs, segments, interfaces, caches), the tables of ports, TIME_WAIT records, addresses and routes (which change under net_config_lock
 * as well), and in each socket what is marked [C].
 *
 * What does not need it: reading what has arrived, and polling.  A socket has a queue of pbufs with a spin lock of its own; callbacks
 * of lwIP, with the core locked, put pbufs there and wake; readers take them from there, and only now and then tell lwIP that the window
 * has grown.  So a pbuf is either the core's or one queue's, its count is touched by its one owner, and SYS_LIGHTWEIGHT_PROT is not needed.
 * Bytes that several hold at once are counted by what they lie in: received ones by their struct packet, sent ones by their chunk
 * (chunk.h): both counts are atomic.
 *
 * Loopback.  A packet for ourselves is put on a list, and comes in before the one who sent it gives up the lock: no thread, no switch.  What
 * it causes (acknowledgements, more data) goes the same way until nothing is left; after LOOP_BATCH packets the lock is given up for a moment, so
 * that one stream does not keep all others out.  After LOOP_MAX a thread goes on: packets that answer each other for ever keep no call.
 * Who waits for what came in so is woken when the lock is given up (net_core_wake): a reader who ran at once would soon wait for the lock, and lend its
 * priority for it: twice the switches of address space, of which each costs the emulator's whole translation cache of addresses.
 *
 * Lifetimes.  A TCP connection is two objects: lwIP's pcb, and our socket (tcp.c).  The pcb holds a reference on the socket, given back by
 * the destructor that lwIP calls for its extension argument (tcp_free), wherever that happens; the socket's pointer to the pcb is [C] and
 * cleared by the same.  So either may go first: a closed file leaves the socket with a pcb that still sends; a reset leaves a file
 * with a socket that has none.  Callbacks run with the core locked; they take at most the socket's queue lock and wake.
 *
 * Timers.  lwIP's periodic functions run from a work item that a timer queues, each only while it has something to count: connections, groups,
 * fragments, addresses in use.  With none the timer is not armed, and the machine sleeps.  lwIP counts in runs of these functions, not in time: what may
 * still hold memory is therefore counted in runs here, too.  (A machine that stood still for a minute has not run one of them; whoever looked at
 * the clock stopped then, and kept what fragments had left behind.)
 *
 * Memory.  Everything comes from kmalloc, without sleeping; inet_mem_bytes counts, and beyond a quarter of all memory there is no more: lwIP
 * drops packets then, as it would on a full pool.
 *
 * Rejected: tcpip_thread and its mailboxes (two switches a call); a lock for each connection (lwIP's input path has static state). */
#include <lwip/etharp.h>
#include <lwip/igmp.h>
#include <lwip/init.h>
#include <lwip/ip4_frag.h>
#include <lwip/ip6_frag.h>
#include <lwip/mld6.h>
#include <lwip/nd6.h>
#include <lwip/netif.h>
#include <lwip/priv/nd6_priv.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>
#include <kernel/initcall.h>
#include <kernel/irq/irq.h>
#include <kernel/lib/string.h>
#include <kernel/sync/mutex.h>
#include <kernel/sync/pi.h>
#include <kernel/time/time.h>
#include <mm/slab.h>
#include <net/inet/buffer.h>
#include <net/inet/dgram.h>
#include <net/inet/engine.h>
#include <net/inet/interface.h>
#include <net/inet/interface_internal.h>
#include <net/inet/neighbour.h>
#include <net/inet/route.h>
#include <net/inet/tcp.h>
#include <net/netdev.h>
#include <net/packet.h>

#define LOOP_BATCH	64
#define LOOP_MAX	4096		/* packets that one call takes on; a thread takes what is left */
#define WAKES		4u		/* sockets whose waiters are woken when the core is unlocked; of more, at once */
#define LINGER		30u		/* runs: how long tables are counted down after they were last used */
#define FRAGMENTS_LAST	(LWIP_MAX(IP_REASS_MAXAGE, IPV6_REASS_MAXAGE) + 2u)	/* runs until all pieces of datagrams are gone */
#define LIFE_ENDLESS	0xf0000000u	/* s: an advertised lifetime that no machine sees the end of */

static DEFINE_MUTEX(net_core, LC_NET_CORE);
static struct pi_lock net_core_pi;		/* [PI] who waits for it, lends */
static LIST_HEAD(loop_packets);			/* [C] */
static struct wake_later { struct inet_sock *of; u32 events; } woken[WAKES];	/* [C] */
static u32 nr_woken;				/* [C] */
static bool looping;				/* [C] what comes in is ours, and its sender works for its receiver */
static u32 fragments_left, links_left, neighbours_left;	/* [C] runs of the timers that look at fragments, ARP's table and neighbours */
s64 inet_mem_bytes;

u32_t sys_now(void)
{
	return (u32_t)(clock_mono_ns() / NSEC_PER_MSEC);
}

/* --- memory ---------------------------------------------------------------------------------------------------------------------- */

void *inet_mem_alloc(size_t size)
{
	void *p;

	if (unlikely(atomic_load(&inet_mem_bytes) > (s64)(page_nr_total() << PAGE_SHIFT) / 4))
		return NULL;
	p = kmalloc(size, GFP_ATOMIC);
	if (likely(p))
		__atomic_fetch_add(&inet_mem_bytes, (s64)ksize(p), __ATOMIC_RELAXED);
	return p;
}

void *inet_mem_calloc(size_t n, size_t size)
{
	void *p = inet_mem_alloc(n * size);

	if (p)
		memset(p, 0, n * size);
	return p;
}

void inet_mem_free(void *p)
{
	__atomic_fetch_sub(&inet_mem_bytes, (s64)ksize(p), __ATOMIC_RELAXED);
	kfree(p);
}

/* --- timers ---------------------------------------------------------------------------------------------------------------------- */

static bool fragments_needed(void) { return fragments_left; }
static bool arp_needed(void) { return links_left; }
static bool nd6_needed(void) { return neighbours_left; }

static bool groups_needed(void)
{
	struct netif *n;

	NETIF_FOREACH(n) {
		struct igmp_group *g;
		struct mld_group *m;

		for (g = netif_igmp_data(n); g; g = g->next)
			if (g->timer)
				return true;
		for (m = netif_mld6_data(n); m; m = m->next)
			if (m->timer)
				return true;
	}
	return false;
}

static void groups_tmr(void)
{
	igmp_tmr();
	mld6_tmr();
}

static void fragments_tmr(void)
{
	fragments_left--;
	ip_reass_tmr();
	ip6_reass_tmr();
}

static void arp_tmr(void)
{
	links_left--;
	etharp_tmr();
}

/* Does an interface look for routers, or for others with its address, or has it an address that does not last? */
static bool interface_waits6(const struct netif *n)
{
	if (!netif_is_up(n))
		return false;
	if (n->rs_count > 0 && n->ip6_autoconfig_enabled)
		return true;
	for (int i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++)
		if (ip6_addr_istentative(netif_ip6_addr_state(n, i)) || (ip6_addr_isvalid(netif_ip6_addr_state(n, i)) && !netif_ip6_addr_isstatic(n, i)))
			return true;
	return false;
}

/* Is there something in IPv6's tables that nobody will end but their timer?  A neighbour who was asked for, above all with packets that wait for him;
 * a router or network whose time runs. */
static bool nd6_waits(void)
{
	const struct netif *n;

	NETIF_FOREACH(n)
		if (interface_waits6(n))
			return true;
	for (u32 i = 0; i < LWIP_ND6_NUM_NEIGHBORS; i++) {
		u8 state = neighbor_cache[i].state;

		if (neighbor_cache[i].q || state == ND6_INCOMPLETE || state == ND6_DELAY || state == ND6_PROBE)
			return true;
	}
	for (u32 i = 0; i < LWIP_ND6_NUM_ROUTERS; i++)
		if (default_router_list[i].neighbor_entry)
			return true;
	for (u32 i = 0; i < LWIP_ND6_NUM_PREFIXES; i++)
		if (prefix_list[i].netif && prefix_list[i].invalidation_timer < LIFE_ENDLESS)
			return true;
	return false;
}

/* The tables are looked through once they have not been used for a while, not at each unlock: whatever fills them uses the link (net_link_used). */
static void neighbours_tmr(void)
{
	nd6_tmr();
	neighbours_keep6();
	routes_learned_look();
	if (!--neighbours_left && nd6_waits())
		neighbours_left = 1;
}

static struct periodic {
	void (*run)(void);
	bool (*needed)(void);
	u32 ms;
	u64 due;			/* ns; 0: it does not run */
} periodics[] = {			/* [C] */
	{ tcp_timer_run, tcp_timer_needed_now, TCP_TMR_INTERVAL, 0 },
	{ tcp_limits_tick, tcp_limits_needed, 100, 0 },
	{ tcp_time_wait_tick, tcp_time_wait_needed, 1000, 0 },
	{ arp_tmr, arp_needed, ARP_TMR_INTERVAL, 0 },
	{ groups_tmr, groups_needed, IGMP_TMR_INTERVAL, 0 },
	{ neighbours_tmr, nd6_needed, ND6_TMR_INTERVAL, 0 },
	{ fragments_tmr, fragments_needed, IP_TMR_INTERVAL, 0 },
};

static struct timer core_timer;
static struct work core_work;
static u64 core_armed;			/* [C] for when, 0: not */

void sys_timeouts_init(void) { }

static void core_fired(struct timer *t)
{
	(void)t;
	work_queue(&core_work);
}

static void arm_timers(void)
{
	u64 now = 0, first = tcp_probe_first();

	for (u32 i = 0; i < ARRAY_SIZE(periodics); i++) {
		struct periodic *p = &periodics[i];

		if (!p->due && p->needed()) {
			now = now ? now : clock_mono_ns();
			p->due = now + p->ms * NSEC_PER_MSEC;
		}
		if (p->due && p->due < first)
			first = p->due;
	}
	if (first != TIME_NEVER && (!core_armed || first < core_armed)) {
		core_armed = first;
		timer_arm(&core_timer, first);
	}
}

static void run_timers(struct work *w)
{
	u64 now;

	(void)w;
	net_core_lock();
	core_armed = 0;
	now = clock_mono_ns();
	tcp_probe_run(now);
	for (u32 i = 0; i < ARRAY_SIZE(periodics); i++) {
		struct periodic *p = &periodics[i];

		if (!p->due || p->due > now)
			continue;
		p->run();
		p->due = !p->needed() ? 0 : max(p->due + p->ms * NSEC_PER_MSEC, now + p->ms * NSEC_PER_MSEC / 2);
	}
	net_core_unlock();
}

void net_fragment_seen(void)
{
	fragments_left = FRAGMENTS_LAST;
}

void net_link_used(void)
{
	links_left = neighbours_left = LINGER;
}

/* --- the lock -------------------------------------------------------------------------------------------------------------------- */

void net_core_lock(void)
{
	mutex_lock_pi(&net_core, &net_core_pi);
}

bool net_core_held(void)
{
	return mutex_held(&net_core);
}

void net_loop(struct packet *p)
{
	list_add_tail(&p->link, &loop_packets);
}

static void loop_on(struct work *w)
{
	(void)w;
	net_core_lock();
	net_core_unlock();
}
static struct work loop_work = { .link = LIST_HEAD_INIT(loop_work.link), .fn = loop_on, .kind = WORK_BRIEF };

void net_core_wake(struct inet_sock *i, u32 events)
{
	ASSERT(net_core_held());
	for (u32 k = 0; k < nr_woken; k++)
		if (woken[k].of == i && woken[k].events == events)
			return;
	if (!looping || nr_woken == WAKES) {
		socket_wake(&i->s, events);
		return;
	}
	inet_get(i);
	woken[nr_woken++] = (struct wake_later){ i, events };
}

/* Nobody who is to be woken waits for our next turn: no preemption between the unlock and the last of them. */
static void let_go(void)
{
	struct wake_later mine[WAKES];
	u32 n = nr_woken;

	looping = false;
	nr_woken = 0;
	for (u32 k = 0; k < n; k++)
		mine[k] = woken[k];
	preempt_disable();
	mutex_unlock_pi(&net_core, &net_core_pi);
	for (u32 k = 0; k < n; k++)
		socket_wake(&mine[k].of->s, mine[k].events);
	preempt_enable();
	for (u32 k = 0; k < n; k++)
		inet_put(mine[k].of);
}

void net_core_unlock(void)
{
	for (u32 n = 0; !list_empty(&loop_packets); ) {
		struct packet *p = list_first_entry(&loop_packets, struct packet, link);

		list_del(&p->link);
		looping = true;
		interface_loop_input(p);
		if (++n == LOOP_MAX) {
			work_queue(&loop_work);
			break;
		}
		if (n % LOOP_BATCH == 0) {
			let_go();
			mutex_lock_pi(&net_core, &net_core_pi);
		}
	}
	tcp_time_wait_collect();
	interface_flush();
	arm_timers();
	let_go();
	loopback_run();		/* what packet sockets wanted to see went through the device */
}

static int engine_init(void)
{
	timer_init(&core_timer, core_fired);
	work_init_as(&core_work, WORK_BRIEF, run_timers);
	net_core_lock();
	buffer_init();
	lwip_init();
	dgram_init();
	net_core_unlock();
	return 0;
}
BOOT_INIT(core, engine_init);
