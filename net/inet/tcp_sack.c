/* TCP: several losses in one window (RFC 6675, without SACK RFC 6582).
 *
 * Theory.  lwIP sends the first segment again when three acknowledgements have said the same, and takes the next one that says more for the end of the
 * trouble.  If more than one was lost, each other one costs three more, which often do not come any more, and then a time-out, after which all
 * is sent again.  So from the first loss on until everything is acknowledged that was under way then (recover), this goes on here, before
 * lwIP sees an acknowledgement:
 * - What the other side says it has beyond (SACK) is kept (sack_ranges.h).  It may take that back, so the bytes are kept, too; after a time-out it
 *   counts no more.
 * - Each acknowledgement says that something has left the wire, and lets one segment of the wire take its place: the first that is missing, was not sent again
 *   yet (again), and is not just late: two full segments and more behind it are there.  One that is acknowledged up to, in recovery, is missing for
 *   certain.  If nothing is known to be missing, what the window allows goes as ever.
 * - TF_INFR stands meanwhile: lwIP does not begin anew, and new bytes need not fill a segment.
 *
 * Sending again is what lwIP does for the first: out of `unacked`, into its place in `unsent` (both in the order of numbers), cut to what is missing by
 * tcp_hook_cut().  It goes when lwIP has looked at the acknowledgement, if it is within the congestion window, which counts from the first hole on.
 *
 * All of it [C].  Memory is taken when something is told for the first time, and given back when there is nothing left to know: most connections never
 * lose anything. */
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>
#include <mm/slab.h>
#include <net/inet/hooks.h>
#include <net/inet/sack_ranges.h>
#include <net/inet/tcp.h>

#define BLOCKS_MAX	4u	/* in one segment */
#define OPT_SACK	5u

struct tcp_sack {
	struct sack_ranges there;
	bool recovering;
	u32 recover;		/* snd_nxt when the first loss was found */
	u32 again;		/* up to here what is missing was sent again */
};

static u32 seqno(const struct tcp_seg *seg) { return lwip_ntohl(seg->tcphdr->seqno); }
static u32 seq_end(const struct tcp_seg *seg) { return seqno(seg) + TCP_TCPLEN(seg); }

static u32 word(const u8 *p) { return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3]; }

/* The blocks of the option; how many. */
static u32 blocks_of(const struct tcp_hdr *hdr, const struct tcp_options_in *o, struct sack_range *b)
{
	u8 v[8 * BLOCKS_MAX];
	u32 n = o->len && !tcp_only_stamp(hdr, o) ? BLOCKS_MAX : 0;

	while (n && !tcp_option(hdr, o, OPT_SACK, v, 8 * n))
		n--;
	for (u32 i = 0; i < n; i++)
		b[i] = (struct sack_range){ word(v + 8 * i), word(v + 8 * i + 4) };
	return n;
}

/* What an acknowledgement of ack tells.  Blocks that begin before it are of what came twice; others that do not lie in what was sent are nonsense. */
static void learn(struct tcp_sack *s, const struct tcp_pcb *pcb, u32 ack, const struct sack_range *b, u32 n)
{
	sack_forget(&s->there, ack);
	for (u32 i = 0; i < n; i++)
		if (seq_before(ack, b[i].from) && seq_before(b[i].from, b[i].to) && !seq_before(pcb->snd_nxt, b[i].to))
			(void)sack_add(&s->there, b[i].from, b[i].to);
}

/* seg, behind prev (NULL: the first) in unacked, goes into its place in unsent. */
static void requeue(struct tcp_pcb *pcb, struct tcp_seg *prev, struct tcp_seg *seg)
{
	struct tcp_seg **at = &pcb->unsent;

	*(prev ? &prev->next : &pcb->unacked) = seg->next;
	if (pcb->unacked_last == seg)
		pcb->unacked_last = prev;
	while (*at && seq_before(seqno(*at), seqno(seg)))
		at = &(*at)->next;
	seg->next = *at;
	*at = seg;
	if (!seg->next)
		pcb->unsent_last = seg;
	pcb->rttest = 0;
}

/* What is missing of [from, end), as far as one segment of the wire goes and one of ours has it, is to be sent again: where that ends, or from. */
static u32 send_again(struct tcpsock *t, struct tcp_pcb *pcb, u32 from, u32 end)
{
	struct tcp_seg *prev = NULL, *seg = pcb->unacked;
	u32 len;

	while (seg && !seq_before(from, seq_end(seg))) {
		prev = seg;
		seg = seg->next;
	}
	if (!seg || seq_before(from, seqno(seg)) || seg->p->ref != 1)	/* waits in unsent as it is; still on its way out */
		return from;
	if (from != seqno(seg)) {
		if (!tcp_hook_cut(pcb, seg, from - seqno(seg)))
			return from;
		prev = seg;
		seg = seg->next;
	}
	len = min(end - from, tcp_wire_data(pcb, seg));
	if (seg->len > len && !tcp_hook_cut(pcb, seg, len))
		return from;
	requeue(pcb, prev, seg);
	t->retransmitted++;
	return seq_end(seg);
}

/* One more segment may go: which? */
static void fill_a_hole(struct tcpsock *t, struct tcp_pcb *pcb, u32 ack)
{
	struct tcp_sack *s = t->sack;
	u32 end, from = sack_missing(&s->there, seq_before(s->again, ack) ? ack : s->again, &end);

	if (from == ack && ack != pcb->lastack && end == from)		/* without SACK: one at least is missing */
		end = s->recover;
	if (end == from || (from != ack && sack_bytes(&s->there, end) <= 2u * pcb->mss))
		return;
	s->again = send_again(t, pcb, from, end);
}

/* lwIP has found the first loss and sent its segment again, if it could. */
static void recovery_begins(struct tcp_sack *s, const struct tcp_pcb *pcb)
{
	s->recovering = true;
	s->recover = pcb->snd_nxt;
	s->again = pcb->unacked && seqno(pcb->unacked) == pcb->lastack ? seq_end(pcb->unacked) : pcb->lastack + pcb->mss;
}

void tcp_sack_segment(struct tcpsock *t, struct tcp_pcb *pcb, const struct tcp_hdr *hdr, const struct tcp_options_in *options)
{
	struct sack_range b[BLOCKS_MAX];
	u32 n = pcb->flags & TF_SACK ? blocks_of(hdr, options, b) : 0, ack = hdr->ackno;

	if (likely(!n && !t->sack && !(pcb->flags & TF_INFR)))
		return;
	if (!(TCPH_FLAGS(hdr) & TCP_ACK) || pcb->state < ESTABLISHED || seq_before(ack, pcb->lastack) || seq_before(pcb->snd_nxt, ack))
		return;
	if (pcb->flags & TF_RTO) {
		tcp_sack_free(t);
		return;
	}
	if (!t->sack)
		t->sack = kzalloc(sizeof(*t->sack), GFP_ATOMIC);
	if (!t->sack)
		return;
	learn(t->sack, pcb, ack, b, n);
	if (!t->sack->recovering && (pcb->flags & TF_INFR))
		recovery_begins(t->sack, pcb);
	if (t->sack->recovering && !seq_before(ack, t->sack->recover))
		t->sack->recovering = false;
	if (t->sack->recovering) {
		tcp_set_flags(pcb, TF_INFR);
		fill_a_hole(t, pcb, ack);
	} else if (!t->sack->there.n) {
		tcp_sack_free(t);
	}
}

u32 tcp_sack_segments(const struct tcpsock *t, const struct tcp_pcb *pcb)
{
	return t->sack ? tcp_wire_segments(pcb, sack_bytes(&t->sack->there, pcb->lastack)) : 0;
}

void tcp_sack_free(struct tcpsock *t)
{
	kfree(t->sack);
	t->sack = NULL;
}
