/* TCP sockets.  Theory in tcp.c. */
#pragma once
#include <kernel/lib/rbtree.h>
#include <kernel/sync/mutex.h>
#include <net/inet/inet.h>

struct pbuf;
struct tcp_hdr;
struct tcp_pcb;

enum tcpsock_urgent { URGENT_NONE, URGENT_EXPECTED, URGENT_THERE, URGENT_TAKEN };	/* EXPECTED: marked, not arrived.  TAKEN: by MSG_OOB, not passed */
enum tcpsock_state { TS_CLOSED, TS_CONNECTING, TS_CONNECTED, TS_LISTENING };

/* Bytes of one chunk that wait to be acknowledged, in the order of sending. */
struct tx_run { struct list_head link; void *chunk; u32 len; };

struct tcpsock {
	struct inet_sock i;
	struct tcp_pcb *pcb;		/* [C] */
	u32 state;			/* [C,r] enum tcpsock_state */
	bool started;			/* [C] connect() went off, and nobody was told how it ended */
	bool done;			/* [C,r] it was connected once: what reads finds an end, not ENOTCONN */
	bool orphan;			/* [C] no file any more */

	struct mutex rx_lock, tx_lock;	/* one reader, one writer: LC_SOCKET */
	struct spinlock lock;		/* LC_SOCKET_QUEUE */
	struct pbuf *rx_head, *rx_tail;	/* [q] what has arrived; head is taken off by who has rx_lock */
	u32 rx_off;			/* [rx_lock] read already of the head */
	u32 rx_bytes;			/* [q] */
	u64 rx_total;			/* [q] of all that ever arrived */
	u32 urgent_at;			/* [q] where in that the urgent byte is */
	u8 urgent, urgent_byte;		/* [q, read racily] enum tcpsock_urgent */
	u32 urgent_marks;		/* [q, a] how many there were */
	bool urgent_skip;		/* [q] the next byte was one that nobody wanted */
	u32 rx_untold;			/* [a] read by the program, unknown to lwIP */
	u32 reads;			/* [racy] since the last write: who only reads acknowledges at once */
	bool rx_fin;			/* [a] no more will come */
	bool rx_answered;		/* [racy] what came last was acknowledged at once: no reader has to see to that */

	u64 tx_acked;			/* [C] bytes ever acknowledged */
	u32 retransmitted;		/* [C] how often, before lwIP's present count ... */
	struct tcp_sack *sack;		/* [C] holes in what was sent; NULL: none is known of */
	u8 nrtx_seen;			/* [C] ... of which so many are in it already */
	u8 nrtx_held;			/* [C] how often that count was held below lwIP's limit: tcp_timer.c */
	u32 segs_in, data_segs_in;	/* [C] segments of the wire, of a connection that has its socket ... */
	u32 segs_out, data_segs_out;	/* [C] ... and those sent again */
	u32 tx_queued;			/* [a] written, and not acknowledged */
	bool tx_full;			/* [a] a writer waits for that to fall */
	u32 tx_limit;			/* [a] how much that may be */
	struct list_head tx_runs;	/* [C] */
	u32 tx_seq;			/* [C] of the first byte of them */
	bool nodelay, corked;		/* [C] */
	bool small;			/* [C] a segment that was not full is under way ... */
	u32 small_end;			/* [C] ... until that is acknowledged */
	u32 held_since;			/* [C] ms: since when bytes wait for more, nothing being under way; 0: none do */
	u32 rx_want;			/* [a] our window, but for TCP_WINDOW_CLAMP */
	u32 rx_owed;			/* [C] by how much the window has to become smaller, as bytes are read */
	u16 maxseg;			/* [C,r] TCP_MAXSEG, 0 */
	u32 keep_idle, keep_interval, keep_count;	/* [C,r] s, s, number; 0: the default */
	u32 user_timeout;		/* [C,r] ms */
	s32 defer_accept, syn_count, linger2;	/* [C,r] as told */
	u32 window_clamp;		/* [C,r] bytes; 0: none */
	u32 notsent_lowat;		/* [C,r] bytes; 0: no limit */
	u32 tx_unsent;			/* [C,r] written, and never sent; kept while there is such a limit */
	bool quickack;
	struct rb_node keep_link;	/* [C] */
	u64 keep_due;			/* [C] ns: parked, and to be probed or ended then; 0: not in that tree */
	u8 syn_tries;			/* [C] SYNs without answer */
	u64 fin_over;			/* [C] ns: closed, and the other's end is waited for until then; 0: not yet */
	u32 watch_since;		/* [C] ms: what tcp_limits.c counts from */
	struct list_head watch_link;	/* [C] */

	struct tcpsock *listener;	/* [C] of one that nobody accepted yet, referenced */
	struct list_head accept_link;	/* [q of the listener] */
	struct list_head accepted;	/* [q] connections that wait for accept() */
	u32 nr_accepted, backlog;	/* [q, read racily] */
	u32 half_open;			/* [C] handshakes under way */
	u64 cookies_until;		/* [C] ns: how long SYN cookies may come back; 0: it never sent any */
	struct tcpsock *spare;		/* [C] for the next of them that ends, or NULL */
};

/* tcpsock_full - nobody else may wait for accept(): as on Linux, one more than listen() said is allowed. */
static inline bool tcpsock_full(const struct tcpsock *l) { return READ_ONCE(l->nr_accepted) > READ_ONCE(l->backlog); }

/* tcpsock_window - what the other side may send before some of it is read. */
static inline u32 tcpsock_window(const struct tcpsock *t)
{
	u32 most = READ_ONCE(t->window_clamp), want = max(atomic_load(&t->rx_want), 2048u);

	return most ? min(want, most) : want;
}

static inline struct tcpsock *tcpsock_of(struct socket *s) { return container_of(s, struct tcpsock, i.s); }

int tcpsock_create(u16 family, struct socket **out);
/* tcpsock_spare - have memory for the next child of listener: false if there is none.  tcpsock_adopt - t becomes the child of a listener, for a pcb whose
 * handshake is over.  Context: core locked. */
bool tcpsock_spare(struct tcpsock *listener);
void tcpsock_adopt(struct tcpsock *t, struct tcpsock *listener, struct tcp_pcb *pcb);
/* tcpsock_attach - callbacks and limits of a new pcb, which takes a reference.  Context: core locked. */
void tcpsock_attach(struct tcpsock *t, struct tcp_pcb *pcb);
void tcpsock_set_window(struct tcpsock *t, struct tcp_pcb *pcb);
void tcpsock_apply_options(struct tcpsock *t);
/* tcpsock_tell - lwIP hears how much was read.  Context: core locked. */
void tcpsock_tell(struct tcpsock *t);
/* tcpsock_drop_runs - what was sent is held no longer.  tcpsock_acked - len bytes more were acknowledged: there is room again, and what no segment
 * refers to is held no longer. */
void tcpsock_drop_runs(struct tcpsock *t);
void tcpsock_acked(struct tcpsock *t, u32 len);
bool tcpsock_writable(const struct tcpsock *t);
/* tcpsock_sends - a segment goes out, with len bytes, of a socket with TCP_NOTSENT_LOWAT.  tcpsock_count_unsent - it has that from now on.
 * Context: core locked. */
void tcpsock_sends(struct tcpsock *t, const struct tcp_pcb *pcb, const struct tcp_hdr *hdr, u32 len);
void tcpsock_count_unsent(struct tcpsock *t);

/* Limits in time (tcp_limits.c).  tcpsock_watch - t has something to count from now on; tcpsock_unwatch - no more.  tcp_limits_tick, _needed - the timer.
 * Context: core locked. */
void tcpsock_watch(struct tcpsock *t);
void tcpsock_unwatch(struct tcpsock *t);
void tcp_limits_tick(void);
bool tcp_limits_needed(void);
int tcp_syn_retries(void);
u32 tcp_fin_seconds(void);	/* how long a closed socket waits for the other side's end; any context */
/* Bytes that wait for more (tcp_cork.c).  tcpsock_output - what was written goes out, but for what does not fill a segment if there is to come more.
 * tcpsock_push - that, too.  _release_more - MSG_MORE holds nothing any more.  _hold_tick - of a pcb with TF_HOLD, now and then.  Context: core locked,
 * there is a pcb, which is no listener. */
void tcpsock_output(struct tcpsock *t, bool more);
void tcpsock_push(struct tcpsock *t);
void tcpsock_release_more(struct tcpsock *t);
void tcpsock_hold_tick(struct tcp_pcb *pcb);
/* Urgent data (tcp_urgent.c).  tcpsock_mark_urgent - the last byte written so far is.  tcpsock_urgent_input - a segment that may have to do with it, its header
 * in host order but for the pointer.  Context: core locked. */
void tcpsock_mark_urgent(struct tcp_pcb *pcb);
void tcpsock_urgent_input(struct tcpsock *t, const struct tcp_pcb *pcb, const struct tcp_hdr *h, const struct pbuf *p);
ssize_t tcpsock_receive_urgent(struct tcpsock *t, struct message *m);
/* tcpsock_until_mark - of len bytes, ahead_by behind the reader's place, how many may be read in one go (0: stop here, since some were read already);
 * *pass: the next one is not to be read, but passed over.  tcpsock_passed_mark - after reading.  Context: reader's lock held. */
size_t tcpsock_until_mark(struct tcpsock *t, size_t len, u32 ahead_by, bool some, bool *pass);
void tcpsock_passed_mark(struct tcpsock *t);
bool tcpsock_at_mark(struct tcpsock *t);		/* SIOCATMARK */
u32 tcpsock_readable_bytes(struct tcpsock *t);		/* SIOCINQ */
/* tcpsock_path_shrank - the way carries no more than mtu: smaller segments from now on, and those on their way once more.  Context: core locked. */
void tcpsock_path_shrank(struct tcpsock *t, u32 mtu);

ssize_t tcpsock_send(struct socket *s, struct message *m);
ssize_t tcpsock_receive(struct socket *s, struct message *m);
u32 tcpsock_poll(struct socket *s, struct file *f, struct poll_table *pt);
long tcpsock_ioctl(struct socket *s, u32 cmd, u64 arg);
int tcpsock_set_option(struct socket *s, int level, int name, const void *value, u32 len);
int tcpsock_get_option(struct socket *s, int level, int name, void *value, u32 *len);
void tcpsock_option_changed(struct socket *s, int name);
int tcpsock_listen(struct socket *s, int backlog);
int tcpsock_accept(struct socket *s, struct socket **out, u32 file_flags);
void tcpsock_stop_listening(struct tcpsock *t);
/* tcp_guard - may lwIP see this segment of a connection?  Changes its options (tcp_guard.c).  Context: core locked. */
struct tcp_hdr;
struct tcp_options_in;
bool tcp_guard(struct tcp_pcb *pcb, const struct tcp_hdr *hdr, const struct tcp_options_in *options);
/* tcp_takes_merged - may segments that were joined (merge.h), from seq on len bytes, come to a connection as one?  It came by the interface of that number.
 * Context: core locked. */
bool tcp_takes_merged(const ip_addr_t *local, u16 lport, const ip_addr_t *remote, u16 rport, u8 netif, u32 seq, u32 len);

/* Large segments (tcp_large.c).  tcp_wire_segments - how many segments of the wire len bytes of data are.  tcp_wire_size - how much data of a packet goes in
 * each segment, by n, if its headers, the IP header first, run bytes of them, are a connection's; 0: they are none's.  Context: core locked. */
struct netif;
struct tcp_seg;
u32 tcp_wire_segments(const struct tcp_pcb *pcb, u32 len);
u32 tcp_wire_data(const struct tcp_pcb *pcb, const struct tcp_seg *seg);	/* of seg's, that fits in one segment of the wire */
bool tcp_ends_small(const struct tcp_pcb *pcb, u32 options, u32 len);	/* len bytes of data do not fill the last segment */
u32 tcp_wire_size(const struct netif *n, const u8 *ip, u32 run);

/* Several losses in one window (tcp_sack.c).  tcp_sack_segment - an acknowledgement of a connection that has its socket, before lwIP sees it, its header in
 * host order: what it tells of holes is noted, and what is to be sent again queued.  tcp_sack_segments - how many the other side has beyond the first
 * hole.  tcp_sack_free - nothing is known any more.  Context: core locked. */
void tcp_sack_segment(struct tcpsock *t, struct tcp_pcb *pcb, const struct tcp_hdr *hdr, const struct tcp_options_in *options);
u32 tcp_sack_segments(const struct tcpsock *t, const struct tcp_pcb *pcb);
void tcp_sack_free(struct tcpsock *t);

/* Connections by their ends (tcp_table.c).  tcp_find - NULL: there is none; tcp_for_each - all of them, but those in TIME_WAIT.  Context: core locked. */
struct tcp_pcb *tcp_find(const ip_addr_t *local, u16 lport, const ip_addr_t *remote, u16 rport);
void tcp_for_each(void (*visit)(const struct tcp_pcb *pcb, void *arg), void *arg);

/* Timers (tcp_timer.c).  tcp_wake - pcb may get something to count in this hold of the core lock.  _begins, _ends - it is a connection; is none any more.
 * tcp_timer_run, _needed_now - every 40 ms; tcp_probe_run - wakes those whose moment (tcp_probe_first, ns, TIME_NEVER) has come.  Context: core locked. */
void tcp_wake(struct tcp_pcb *pcb);
void tcp_timer_begins(struct tcp_pcb *pcb);
void tcp_timer_ends(struct tcp_pcb *pcb);
bool tcp_timer_needed_now(void);
void tcp_timer_run(void);
u64 tcp_probe_first(void);
void tcp_probe_run(u64 now);

/* What is left of connections (timewait.c).  tcp_time_wait_collect - lwIP's pcbs in TIME_WAIT become records; _tick, _needed - their timer; _has - does
 * one keep port from being bound; _yields - may there be a connection between these again?  Context: core locked. */
void tcp_time_wait_collect(void);
void tcp_time_wait_tick(void);
bool tcp_time_wait_needed(void);
bool tcp_time_wait_has(const ip_addr_t *addr, u16 port, bool reuse);
bool tcp_time_wait_yields(const ip_addr_t *source, u16 port, const ip_addr_t *remote, u16 rport);
u32 tcp_time_wait_count(void);
struct time_wait { struct time_wait *next; ip_addr_t local, remote; u16 lport, rport; u32 snd_nxt, rcv_nxt, ts_recent; bool stamps, reuse; u64 until; };
struct time_wait *tcp_time_wait_nth(u32 bucket);
#define TIME_WAIT_BUCKETS 256u

/* Counts for /proc/net. */
extern struct tcp_counts {		/* [C] */
	u64 active_opens, passive_opens, attempt_fails, estab_resets, listen_overflows, listen_drops, segments_in, time_waits, time_wait_overflow;
	u64 cookies_sent, cookies_received, cookies_failed, cookies_instead;
} tcp_counts;
