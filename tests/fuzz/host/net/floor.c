/* What net/inet stands on, for tests/fuzz/host/net.c: one CPU, virtual time, pages in an arena that the sanitizer watches, two devices.  The engine is
 * included whole, since its beginning and its timer are its own. */
#include <arch/uaccess.h>
#include <fs/iov.h>
#include <fs/seq.h>
#include <kernel/irq/irq.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/random/random.h>
#include <kernel/sysctl.h>
#include <kernel/time/time.h>
#include <mm/page.h>
#include <net/inet/notify.h>
#include <net/inet/route.h>
#include <net/netdev.h>
#include <net/scm.h>
#include <net/inet/engine.c>
#include <tests/fuzz/host/net/floor.h>

void __asan_poison_memory_region(const volatile void *p, size_t n);
void __asan_unpoison_memory_region(const volatile void *p, size_t n);
size_t malloc_usable_size(void *p);

/* --- pages: blocks of each order on a list of their own, never joined */

#define PAGES 4096u
static struct page pages[PAGES];
static u8 arena[PAGES * PAGE_SIZE] __aligned(PAGE_SIZE);
char *unit_memory = (char *)arena;
u64 page_array, page_base_pfn, page_end_pfn;
static u32 page_next;
static struct page *page_free_list[8];
u32 net_pages;

struct page *page_alloc(u32 order, gfp_t gfp)
{
	struct page *p = page_free_list[order];

	(void)gfp;
	if (p) {
		page_free_list[order] = (struct page *)p->private;
	} else {
		if (page_next + (1u << order) > PAGES)
			return NULL;
		p = &pages[page_next];
		page_next += 1u << order;
	}
	p->order = (u8)order;
	p->refs = 1;
	net_pages++;
	__asan_unpoison_memory_region(page_address(p), PAGE_SIZE << order);
	return p;
}

void page_put_last(struct page *p)
{
	__asan_poison_memory_region(page_address(p), PAGE_SIZE << p->order);
	p->private = (u64)page_free_list[p->order];
	page_free_list[p->order] = p;
	net_pages--;
}

u64 page_nr_total(void) { return 32768; }
size_t ksize(const void *p) { return malloc_usable_size((void *)p); }
void *kmemdup(const void *p, size_t n, gfp_t gfp)
{
	void *to = kmalloc(n, gfp);

	return to ? memcpy(to, p, n) : NULL;
}
void *krealloc(void *p, size_t n, gfp_t gfp)
{
	void *to = kmalloc(n, gfp);

	if (to && p)
		memcpy(to, p, min(n, ksize(p)));
	if (to)
		kfree(p);
	return to;
}

/* --- time */

u64 net_now = 1000 * NSEC_PER_SEC;
static u64 armed;

u64 clock_mono_ns(void) { return net_now; }
u64 clock_real_ns(void) { return net_now; }
void timer_init(struct timer *t, void (*fn)(struct timer *t)) { (void)t; (void)fn; }
void timer_arm(struct timer *t, u64 ns) { (void)t; armed = ns; }
void work_init_as(struct work *w, enum work_kind kind, void (*fn)(struct work *)) { (void)w; (void)kind; (void)fn; }
bool work_queue(struct work *w) { (void)w; return true; }

bool net_timers(u64 until)
{
	if (!armed || armed > until) {
		net_now = max(net_now, until);
		return false;
	}
	net_now = max(net_now, armed);
	armed = 0;
	run_timers(&core_work);
	return true;
}

bool net_timers_armed(void) { return armed; }

/* --- chance: the same in each run */

static u64 chance;
u64 random_u64(void) { return chance = chance * 6364136223846793005ull + 1442695040888963407ull; }
void random_bytes(void *to, size_t n) { for (size_t i = 0; i < n; i++) ((u8 *)to)[i] = (u8)(random_u64() >> 32); }

/* --- devices */

DEFINE_MUTEX(net_config_lock, LC_NET_CONFIG);
static struct netdev_stats counts[2];
static struct netdev lo, eth;
struct netdev *loopback_dev = &lo;
u32 netdev_nr_taps, loopback_waiting;
bool mutex_held(const struct mutex *m) { return m->owner; }
void wake_up(struct wait_queue *wq) { (void)wq; }
void mutex_lock_pi(struct mutex *m, struct pi_lock *pi) { (void)pi; mutex_lock(m); }
void mutex_unlock_pi(struct mutex *m, struct pi_lock *pi) { (void)pi; mutex_unlock(m); }

void netdev_allmulti(struct netdev *dev, int more) { (void)dev; (void)more; }
struct netdev *netdev_by_index(u32 index) { return index == 1 ? &lo : index == 2 ? &eth : NULL; }
struct netdev *netdev_by_name(const char *name) { return !strcmp(name, "lo") ? &lo : !strcmp(name, "eth0") ? &eth : NULL; }
void netdev_put(struct netdev *dev) { (void)dev; }
void loopback_receive(void) { }

void netdev_transmit(struct netdev *dev, struct list_head *packets)
{
	struct packet *p;

	list_for_each_entry(p, packets, link) {
		static u8 bytes[70000];
		u32 len = packet_copy(p, 0, bytes, sizeof(bytes));

		if (len != p->len)
			host_die("a packet is not as long as it says", __FILE__, __LINE__);
		if (!p->gso_size && len > dev->mtu + 14)
			host_die("a packet is larger than the wire takes", __FILE__, __LINE__);
		if (dev == &eth)
			net_sent(bytes, len);
	}
	packet_list_put(packets);
}

struct netdev *net_floor_init(void)
{
	page_array = (u64)pages - (UNIT_PHYS >> PAGE_SHIFT) * sizeof(struct page);
	page_base_pfn = UNIT_PHYS >> PAGE_SHIFT;
	page_end_pfn = page_base_pfn + PAGES;
	__asan_poison_memory_region(arena, sizeof(arena));
	lo = (struct netdev){ .name = "lo", .index = 1, .type = 772, .address_len = 6, .header_len = 14, .flags = IFF_LOOPBACK, .carrier = 1, .mtu = 65536, .stats = &counts[0] };
	eth = (struct netdev){ .name = "eth0", .index = 2, .type = 1, .address_len = 6, .header_len = 14, .flags = IFF_BROADCAST | IFF_MULTICAST, .carrier = 1, .mtu = 1500,
			       .address = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 }, .stats = &counts[1] };
	refcount_set(&lo.refs, 1);
	refcount_set(&eth.refs, 1);
	return engine_init() ? NULL : &eth;
}

/* --- sockets have no files here; nobody is woken */

void socket_init(struct socket *s, const struct socket_ops *ops, u16 family, u16 type, u16 protocol)
{
	*s = (struct socket){ .ops = ops, .family = family, .type = type, .protocol = protocol, .receive_timeout = TIME_NEVER, .send_timeout = TIME_NEVER,
			      .receive_max = 212992, .send_max = 212992, .receive_low = 1, .linger = -1, .peek_off = -1 };
	wait_queue_init(&s->wait);
}
void socket_fini(struct socket *s) { (void)s; }
int socket_take_error(struct socket *s) { int e = s->error; s->error = 0; return -e; }
void socket_set_error(struct socket *s, int error) { s->error = error; }
void socket_wake(struct socket *s, u32 events) { (void)s; (void)events; }
void socket_urgent(struct socket *s) { (void)s; }
void socket_wake_sync(struct socket *s, u32 events) { (void)s; (void)events; }
u64 socket_deadline(const struct socket *s, u32 flags, bool sending) { (void)s; (void)flags; (void)sending; return 0; }
int socket_wait_error(const struct socket *s, int err, bool sending) { (void)s; (void)sending; return err ? -11 : 0; }
void socket_waiter_init(struct socket_waiter *w, u32 events) { wait_entry_init(&w->we); w->events = events; }
void socket_stamp(struct socket *s, struct message *m, u64 ns) { (void)s; (void)m; (void)ns; }
int wait_check(u32 state, u64 deadline) { (void)state; (void)deadline; return -110; }

void iov_iter_kernel(struct iov_iter *it, struct iov_seg *seg, void *buf, size_t len)
{
	*seg = (struct iov_seg){ (u64)buf, len };
	*it = (struct iov_iter){ .kernel = true, .nr = 1, .segs = seg, .count = len };
}
void iov_iter_next(struct iov_iter *it) { (void)it; }
size_t copy_to_iter(const void *from, size_t len, struct iov_iter *to)
{
	len = min(len, to->count);
	memcpy((char *)to->segs->base + to->off, from, len);
	iov_iter_advance(to, len);
	return len;
}
size_t copy_from_iter(void *to, size_t len, struct iov_iter *from)
{
	len = min(len, from->count);
	memcpy(to, (char *)from->segs->base + from->off, len);
	iov_iter_advance(from, len);
	return len;
}

/* --- what nobody here asks for */

bool capable(int cap) { (void)cap; return true; }
void seq_printf(struct seq *s, const char *fmt, ...) { (void)s; (void)fmt; }
void seq_puts(struct seq *s, const char *text) { (void)s; (void)text; }
int sysctl_show(struct seq *s, void *arg) { (void)s; (void)arg; return 0; }
int sysctl_write(const char *buf, size_t len, void *arg) { (void)buf; (void)len; (void)arg; return 0; }
const struct cmsghdr *scm_next(const struct scm *scm, const struct cmsghdr *at) { (void)scm; (void)at; return NULL; }
int scm_put(struct message *m, int level, int type, const void *data, u32 len) { (void)m; (void)level; (void)type; (void)data; (void)len; return 0; }
int user_put_4(void __user *p, u64 v) { (void)p; (void)v; return -14; }
unsigned long user_copy_in(void *to, const void __user *from, unsigned long n) { (void)to; (void)from; return n; }
int copy_from_user_failed(void *to, size_t len, size_t left) { (void)to; (void)len; (void)left; return -14; }
void notify_address4(const struct interface *i, bool added) { (void)i; (void)added; }
void notify_address6(const struct netdev *dev, const ip6_addr_t *a, u8 prefix, bool added) { (void)dev; (void)a; (void)prefix; (void)added; }
void notify_route(const struct route *r, bool added) { (void)r; (void)added; }
long inet_ioctl(struct socket *s, u32 cmd, u64 arg) { (void)s; (void)cmd; (void)arg; return -25; }
