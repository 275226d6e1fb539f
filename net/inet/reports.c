/* Reports about what a socket has sent: ip(7), IP_RECVERR.
 *
 * ICMP's answers, our own EMSGSIZE and the ends of sends without copying wait in a queue beside the one of what has arrived, until
 * recvmsg(MSG_ERRQUEUE) asks; poll tells of them by EPOLLERR.  The queue is made when an option asks for it the first time.  Who reads a report of
 * ICMP's makes the next one the socket's pending error, or none, as on Linux.
 *
 * MSG_ZEROCOPY copies here: the chunk that the bytes are copied to is what goes out, and nobody waits for its pages.  Linux does the same on loopback and
 * says so; so do we. */
#include <lwip/pbuf.h>
#include <fs/iov.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <linux/eventpoll.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <mm/slab.h>
#include <net/inet/inet.h>
#include <net/inet/reports.h>
#include <net/scm.h>

#define QUOTED_MOST	1280u	/* of the packet that a report is about */

struct inet_report {
	struct list_head link;
	struct sock_extended_err ee;
	ip_addr_t to, offender;
	u16 port;
	u8 has_name, has_offender;
	u32 len;
	u8 bytes[];
};

int reports_want(struct inet_sock *i)
{
	struct inet_reports *r, *none = NULL;

	if (atomic_load(&i->reports))
		return 0;
	r = kzalloc(sizeof(*r), GFP_ATOMIC);
	if (!r)
		return -ENOMEM;
	spin_lock_init(&r->lock, LC_SOCKET_QUEUE);
	list_init(&r->queue);
	if (!__atomic_compare_exchange_n(&i->reports, &none, r, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		kfree(r);
	return 0;
}

void reports_free(struct inet_sock *i)
{
	struct inet_report *e, *next;

	if (!i->reports)
		return;
	list_for_each_entry_safe(e, next, &i->reports->queue, link)
		kfree(e);
	kfree(i->reports);
}

static bool from_icmp(const struct inet_report *e)
{
	return e->ee.ee_origin == SO_EE_ORIGIN_ICMP || e->ee.ee_origin == SO_EE_ORIGIN_ICMP6;
}

static void append(struct inet_sock *i, struct inet_report *e)
{
	struct inet_reports *r = i->reports;
	u32 size = e->len + (u32)sizeof(*e);
	irqflags_t flags = spin_lock_irqsave(&r->lock);
	bool room = r->bytes + size <= (u32)READ_ONCE(i->s.receive_max);

	if (room) {
		list_add_tail(&e->link, &r->queue);
		r->bytes += size;
	}
	spin_unlock_irqrestore(&r->lock, flags);
	if (room)
		socket_wake(&i->s, EPOLLERR);
	else
		kfree(e);
}

void report_queue(struct inet_sock *i, const struct sock_extended_err *ee, const ip_addr_t *to, u16 port, const ip_addr_t *offender, const struct pbuf *p,
		  u32 off)
{
	u32 len = p && p->tot_len > off ? min(p->tot_len - off, QUOTED_MOST) : 0;
	struct inet_report *e;

	if (!atomic_load(&i->reports))
		return;
	e = kmalloc(sizeof(*e) + len, GFP_ATOMIC);
	if (!e)
		return;
	*e = (struct inet_report){ .ee = *ee, .to = *to, .port = port, .has_name = true, .has_offender = offender != NULL, .len = len };
	if (offender)
		e->offender = *offender;
	if (len)
		pbuf_copy_partial(p, e->bytes, (u16_t)len, (u16_t)off);
	append(i, e);
}

void report_local(struct inet_sock *i, int error, const ip_addr_t *to, u32 info)
{
	struct sock_extended_err ee = { .ee_errno = (u32)error, .ee_origin = SO_EE_ORIGIN_LOCAL, .ee_info = info };

	if (IP_IS_V6(to) ? i->opt.recverr6 : i->opt.recverr)
		report_queue(i, &ee, to, i->rport, NULL, NULL, 0);
}

/* Ends that follow one another are told as one, from ee_info to ee_data. */
void report_zerocopy(struct inet_sock *i)
{
	struct inet_reports *r = atomic_load(&i->reports);
	struct inet_report *e, *last;
	irqflags_t flags;
	bool grown = false;
	u32 number;

	if (!r)
		return;
	flags = spin_lock_irqsave(&r->lock);
	number = r->zerocopy_next++;
	last = list_empty(&r->queue) ? NULL : list_last_entry(&r->queue, struct inet_report, link);
	if (last && last->ee.ee_origin == SO_EE_ORIGIN_ZEROCOPY && last->ee.ee_data + 1 == number) {
		last->ee.ee_data = number;
		grown = true;
	}
	spin_unlock_irqrestore(&r->lock, flags);
	e = grown ? NULL : kzalloc(sizeof(*e), GFP_ATOMIC);
	if (!e)
		return;
	e->ee = (struct sock_extended_err){ .ee_origin = SO_EE_ORIGIN_ZEROCOPY, .ee_code = SO_EE_CODE_ZEROCOPY_COPIED, .ee_info = number, .ee_data = number };
	append(i, e);
}

/* Takes the first; *next: the error that is pending now, *known: that is so. */
static struct inet_report *take(struct inet_reports *r, s32 *next, bool *more)
{
	irqflags_t flags = spin_lock_irqsave(&r->lock);
	struct inet_report *e = NULL;

	*next = 0;
	*more = false;
	if (!list_empty(&r->queue)) {
		e = list_first_entry(&r->queue, struct inet_report, link);
		list_del(&e->link);
		r->bytes -= e->len + (u32)sizeof(*e);
		if (!list_empty(&r->queue)) {
			const struct inet_report *n = list_first_entry(&r->queue, struct inet_report, link);

			*more = true;
			*next = from_icmp(n) ? (s32)n->ee.ee_errno : 0;
		}
	}
	spin_unlock_irqrestore(&r->lock, flags);
	return e;
}

/* The control message: what it was, and who said so. */
static int tell(const struct inet_sock *i, struct message *m, const struct inet_report *e)
{
	bool six = i->s.family == AF_INET6;
	struct { struct sock_extended_err ee; struct sockaddr_in offender; } four = { .ee = e->ee };
	struct { struct sock_extended_err ee; struct sockaddr_in6 offender; } both = { .ee = e->ee };
	struct sockaddr_any name;
	int len;

	if (!m->scm)
		return 0;
	if (e->has_offender) {
		len = inet_address_out(i, &e->offender, 0, &name);
		memcpy(six ? (void *)&both.offender : (void *)&four.offender, &name, (size_t)len);
	}
	return six ? scm_put(m, SOL_IPV6, IPV6_RECVERR, &both, sizeof(both)) : scm_put(m, SOL_IP, IP_RECVERR, &four, sizeof(four));
}

ssize_t reports_receive(struct inet_sock *i, struct message *m)
{
	struct inet_reports *r = atomic_load(&i->reports);
	struct inet_report *e;
	bool more = false;
	ssize_t ret;
	s32 next;
	u32 n;

	e = r ? take(r, &next, &more) : NULL;
	if (!e)
		return -EAGAIN;
	if (next || from_icmp(e))
		atomic_store(&i->s.error, next);
	if (more)
		socket_wake(&i->s, EPOLLERR);
	n = (u32)min(m->iter->count, (size_t)e->len);
	ret = copy_to_iter(e->bytes, n, m->iter) == n ? (ssize_t)n : -EFAULT;
	if (n < e->len)
		m->out_flags |= MSG_TRUNC;
	if (m->name && e->has_name)
		m->name_len = (u32)inet_address_out(i, &e->to, e->port, m->name);
	if (ret >= 0 && tell(i, m, e))
		ret = -EFAULT;
	m->out_flags |= MSG_ERRQUEUE;
	kfree(e);
	return ret;
}
