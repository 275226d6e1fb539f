/* Which received segments are joined, and what comes of them: net/inet/merge.c. */
#include <kernel/lib/string.h>
#include <net/checksum.h>
#include <net/inet/merge.h>
#include <tests/unit/unit.h>

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECE = 64 };

/* A segment as a test wants it; what it does not say is usual. */
struct made {
	bool six;
	u32 seq, ack, len, stamp, echo, other_options;
	u16 source, window, extra;		/* extra: bytes of padding behind the datagram */
	u8 flags, tos, ttl, mac, host;
	bool stamps, df, damaged, bad_header, fragment, ip_options, checked;
	u16 gso;
};

static u32 nr_freed;
static void freed(struct packet *p)
{
	nr_freed++;
	host_free(p->piece[0].data);
	host_free(p);
}

static void put16(u8 *p, u32 v) { p[0] = (u8)(v >> 8); p[1] = (u8)v; }
static void put32(u8 *p, u32 v) { put16(p, v >> 16); put16(p + 2, v); }
static u32 get16(const u8 *p) { return (u32)p[0] << 8 | p[1]; }

/* The bytes of the stream: known by their number. */
static u8 byte_of(u32 seq) { return (u8)(seq * 7 + (seq >> 8)); }

static u32 put_ip(u8 *f, const struct made *m, u32 transport)
{
	u8 *ip = f + 14;

	if (m->six) {
		ip[0] = 0x60;
		ip[1] = m->tos;
		put16(ip + 4, transport);
		ip[6] = 6;
		ip[7] = m->ttl;
		ip[8] = ip[24] = 0xfd;
		ip[23] = m->host;
		ip[39] = 2;
		return 40;
	}
	ip[0] = m->ip_options ? 0x46 : 0x45;
	ip[1] = m->tos;
	put16(ip + 2, transport + 20 + (m->ip_options ? 4 : 0));
	put16(ip + 4, (u32)unit_random() & 0xffff);
	put16(ip + 6, m->fragment ? 0x2000 : m->df ? 0x4000 : 0);
	ip[8] = m->ttl;
	ip[9] = 6;
	ip[12] = 10, ip[15] = m->host;
	ip[16] = 10, ip[19] = 2;
	put16(ip + 10, 0);
	put16(ip + 10, (u16)~__builtin_bswap16(checksum(ip, (ip[0] & 15) * 4u)) ^ (m->bad_header ? 0x100 : 0));
	return (ip[0] & 15) * 4u;
}

static struct packet *make(struct made m)
{
	u32 options = m.stamps ? 12 : m.other_options ? 4 : 0, transport = 20 + options + m.len;
	u32 len = 14 + (m.six ? 40 : m.ip_options ? 24 : 20) + transport + m.extra, at;
	struct packet *p = host_alloc(sizeof(*p));
	u8 *f = host_alloc(len), *tcp;
	u64 sum;

	memset(f, 0, len);
	f[0] = m.mac;
	put16(f + 12, m.six ? 0x86dd : 0x800);
	m.ttl = m.ttl ? m.ttl : 64;
	at = 14 + put_ip(f, &m, transport);
	tcp = f + at;
	put16(tcp, m.source ? m.source : 1000);
	put16(tcp + 2, 80);
	put32(tcp + 4, m.seq);
	put32(tcp + 8, m.ack);
	tcp[12] = (u8)((5 + options / 4) << 4);
	tcp[13] = m.flags ? m.flags : ACK;
	put16(tcp + 14, m.window ? m.window : 500);
	if (m.stamps) {
		put32(tcp + 20, 0x0101080a);
		put32(tcp + 24, m.stamp);
		put32(tcp + 28, m.echo);
	} else if (m.other_options) {
		put32(tcp + 20, m.other_options);
	}
	for (u32 i = 0; i < m.len; i++)
		tcp[20 + options + i] = byte_of(m.seq + i);
	sum = m.six ? checksum_add(0, f + 22, 32) : checksum_add(0, f + 26, 8);
	sum = checksum_fold(sum) + __builtin_bswap16((u16)transport) + __builtin_bswap16(6);
	put16(tcp + 16, (u16)~__builtin_bswap16(checksum_fold(checksum_fold(checksum_add(0, tcp, transport)) + sum)) ^ (m.damaged ? 1 : 0));
	packet_init(p, freed, NULL);
	packet_add(p, f, len);
	p->gso_size = m.gso;
	p->checksum = m.checked ? PACKET_SUM_GOOD : PACKET_SUM_NONE;
	return p;
}

static LIST_HEAD(list);
static void add(struct made m) { struct packet *p = make(m); list_add_tail(&p->link, &list); }

/* Segments in the first packet of the list, and how many packets it has; -1: what hangs together is not whole. */
static s32 hangs(struct packet *p, u32 *packets)
{
	struct merge_note *n = merge_note(p);
	u32 behind = 0;

	*packets = 1;
	for (struct packet *q = n->next; q; q = merge_note(q)->next, (*packets)++)
		behind += q->len - n->payload;
	return behind == n->behind ? n->segments : -1;
}

/* Merges the list; are there as many packets left as said, each of so many segments?  All is put. */
static bool come_to(const char *what)
{
	struct packet *p, *next;
	bool good = true;
	u32 packets;

	merge_packets(&list, true);
	list_for_each_entry_safe(p, next, &list, link) {
		s32 n = hangs(p, &packets);

		if (n != *what - '0') {
			unit_note("%d segments, not %c", n, *what ? *what : '-');
			good = false;
		}
		what += *what != 0;
		list_del(&p->link);
		merge_put(p);
	}
	return good && !*what && !host_live();
}

static struct made four = { .seq = 5000, .len = 100, .host = 9 }, six = { .six = true, .seq = 5000, .len = 100, .host = 9 };

static struct made after(struct made m, u32 bytes) { m.seq += bytes; return m; }

TEST(in_order)
{
	for (u32 k = 0; k < 4; k++) {
		struct made m = k & 1 ? six : four;

		m.checked = k & 2;
		add(m);
		add(after(m, 100));
		add(after(m, 200));
		EXPECT(come_to("3"));
		add(m);
		EXPECT(come_to("1"));
	}
}

TEST(numbers_wrap)
{
	struct made m = four;

	m.seq = 0xffffffce;
	add(m);
	add(after(m, 100));
	EXPECT(come_to("2"));
}

TEST(holes_overlaps_repetitions)
{
	static const u32 places[] = { 101, 99, 0, 200, 50, -100u };

	for (u32 k = 0; k < ARRAY_SIZE(places); k++) {
		add(four);
		add(after(four, places[k]));
		EXPECT(come_to("11"));
	}
	/* What follows the odd one is joined to that. */
	add(four);
	add(after(four, 200));
	add(after(four, 300));
	add(after(four, 100));
	EXPECT(come_to("121"));
}

static bool apart(struct made a, struct made b, const char *what)
{
	add(a);
	add(b);
	return come_to(what);
}

TEST(what_parts)
{
	for (u32 k = 0; k < 2; k++) {
		struct made m = k ? six : four, b;

#define DIFFERS(change, what) do { b = after(m, 100); b.change; EXPECT(apart(m, b, what)); } while (0)
		DIFFERS(flags = ACK | PSH, "2");
		DIFFERS(flags = ACK | FIN, "11");
		DIFFERS(flags = ACK | RST, "11");
		DIFFERS(flags = ACK | URG, "11");
		DIFFERS(flags = ACK | SYN, "11");
		DIFFERS(flags = ACK | ECE, "11");
		DIFFERS(flags = PSH, "11");
		DIFFERS(len = 0, "11");
		DIFFERS(ack = 1, "11");
		DIFFERS(window = 501, "11");
		DIFFERS(source = 1001, "11");
		DIFFERS(host = 8, "11");
		DIFFERS(tos = 3, "11");
		DIFFERS(ttl = 63, "11");
		DIFFERS(mac = 2, "11");
		DIFFERS(mac = 1, "11");
		DIFFERS(stamps = true, "11");
		DIFFERS(other_options = 0x01010101, "11");
		DIFFERS(damaged = true, "11");
		DIFFERS(extra = 1, "11");
		DIFFERS(six = !m.six, "11");
		DIFFERS(gso = 50, "12");
		DIFFERS(checked = true, "2");
		if (k)
			continue;
		DIFFERS(df = true, "11");
		DIFFERS(bad_header = true, "11");
		DIFFERS(fragment = true, "11");
		DIFFERS(ip_options = true, "11");
	}
}

/* One that counts by itself parts its flow, not another. */
TEST(order_of_a_flow)
{
	struct made other = four, end = after(four, 100), bare = after(four, 100);

	other.source = 7;
	bare.len = 0;
	end.len = 0;
	end.flags = FIN | ACK;
	add(four);
	add(other);
	add(bare);
	add(after(four, 100));
	add(after(other, 100));
	add(end);
	add(after(four, 200));
	EXPECT(come_to("121111"));
}

TEST(stamps)
{
	struct made m = four, b;

	m.stamps = true;
	m.stamp = 0xfffffff0;
	m.echo = 7;
	b = after(m, 100);
	EXPECT(apart(m, b, "2"));
	b.stamp = 5;			/* later, around the corner */
	EXPECT(apart(m, b, "2"));
	b.stamp = 0xffffffef;
	EXPECT(apart(m, b, "11"));
	b = after(m, 100);
	b.echo = 6;
	EXPECT(apart(m, b, "11"));
	b.echo = 8;
	EXPECT(apart(m, b, "2"));
	m.stamps = b.stamps = false;
	m.other_options = b.other_options = 0x01010101;
	EXPECT(apart(m, b, "2"));
}

TEST(most)
{
	struct made m = four;

	m.len = 30000;
	add(m);
	add(after(m, 30000));
	m = after(m, 60000);
	m.len = 65535 - 54 - 60000;
	add(m);
	EXPECT(come_to("3"));
	m = four;
	m.len = 30000;
	add(m);
	add(after(m, 30000));
	m = after(m, 60000);
	m.len = 65535 - 54 - 60000 + 1;
	add(m);
	EXPECT(come_to("21"));
}

TEST(many_flows)
{
	for (u32 round = 0; round < 3; round++)
		for (u32 k = 0; k < 8; k++) {
			struct made m = after(four, round * 100);

			m.source = (u16)(k + 1);
			add(m);
		}
	EXPECT(come_to("33333333"));
	/* One more than are held at a time: the first is given up, and nothing is lost. */
	for (u32 round = 0; round < 2; round++)
		for (u32 k = 0; k < 9; k++) {
			struct made m = after(four, round * 100);

			m.source = (u16)(k + 1);
			add(m);
		}
	merge_packets(&list, true);
	u32 segments = 0, packets;
	while (!list_empty(&list)) {
		struct packet *p = list_first_entry(&list, struct packet, link);

		EXPECT(hangs(p, &packets) > 0);
		segments += packets;
		list_del(&p->link);
		merge_put(p);
	}
	EXPECT_EQ(segments, 18);
	EXPECT_EQ(host_live(), 0);
}

TEST(joined_by_the_device)
{
	struct made m = four;

	m.len = 1000;
	m.gso = 300;
	add(m);
	EXPECT(come_to("4"));
	add(m);
	add(after(m, 1000));
	EXPECT(come_to("44"));
	add(m);
	EXPECT(come_to("4"));
}

TEST(nothing_is_joined_unless_wanted)
{
	u32 packets;

	add(four);
	add(after(four, 100));
	merge_packets(&list, false);
	while (!list_empty(&list)) {
		struct packet *p = list_first_entry(&list, struct packet, link);

		EXPECT_EQ(hangs(p, &packets), 1);
		list_del(&p->link);
		merge_put(p);
	}
}

/* The sealed header says what all have. */
TEST(sealed)
{
	for (u32 k = 0; k < 400; k++) {
		struct made m = k & 1 ? six : four;
		u32 nr = 2 + (u32)unit_below(10), total = 0, push = 0;
		struct packet *p;
		u8 *ip;

		for (u32 i = 0; i < nr; i++) {
			m.len = 1 + (u32)unit_below(1460);
			m.flags = unit_below(5) ? ACK : ACK | PSH;
			push |= m.flags & PSH;
			total += m.len;
			add(m);
			m = after(m, m.len);
		}
		merge_packets(&list, true);
		p = list_first_entry(&list, struct packet, link);
		list_del(&p->link);
		EXPECT(list_empty(&list));
		merge_seal(p);
		ip = (u8 *)p->piece[0].data + 14;
		EXPECT_EQ(ip[k & 1 ? 40 + 13 : 20 + 13], ACK | push);
		if (k & 1) {
			EXPECT_EQ(get16(ip + 4), 20 + total);
		} else {
			EXPECT_EQ(get16(ip + 2), 40 + total);
			EXPECT_EQ(checksum(ip, 20), 0xffff);
		}
		merge_put(p);
		EXPECT_EQ(host_live(), 0);
	}
}

/* Each frame cut anywhere, and each byte of the headers changed: nothing is read that is not there, and what is taken for data is. */
TEST(nonsense)
{
	for (u32 k = 0; k < 2; k++) {
		struct packet *p = make(k ? six : four);
		u32 headers = k ? 74 : 54;
		struct merge_frame f;

		for (u32 run = 0; run <= p->len; run++) {
			u8 *at = (u8 *)host_guarded(256) + 256 - run;

			memcpy(at, p->piece[0].data, run);
			EXPECT((merge_look(at, run, p->len, &f) == MERGE_DATA) == (run >= headers));
		}
		for (u32 i = 0; i < headers; i++)
			for (u32 v = 0; v < 256; v++) {
				u8 *at = (u8 *)p->piece[0].data, was = at[i];

				at[i] = (u8)v;
				if (merge_look(at, p->len, p->len, &f) != MERGE_OTHER)
					EXPECT(f.payload + f.len <= p->len && f.transport + 20u <= f.payload);
				at[i] = was;
			}
		packet_put(p);
	}
}

/* Streams of random segments: whatever is joined, each flow's bytes come in the order in which they came. */
TEST(streams)
{
	for (u32 round = 0; round < 300; round++) {
		struct made m[3] = { four, six, four };
		u32 next[3], n = 1 + (u32)unit_below(64);

		m[2].source = 5;
		for (u32 i = 0; i < n; i++) {
			u32 k = (u32)unit_below(3);
			struct made s = m[k];

			s.len = 1 + (u32)unit_below(300);
			s.flags = unit_below(20) ? ACK : (u8)(ACK | unit_below(64));
			s.damaged = !unit_below(30);
			add(s);
			m[k] = after(m[k], s.len);
		}
		for (u32 k = 0; k < 3; k++)
			next[k] = 5000;
		merge_packets(&list, true);
		while (!list_empty(&list)) {
			struct packet *p = list_first_entry(&list, struct packet, link);
			const u8 *frame = p->piece[0].data;
			u32 k = frame[12] == 0x86 ? 1 : get16(frame + 34) == 5 ? 2 : 0;

			list_del(&p->link);
			for (struct packet *q = p; q; q = merge_note(q)->next) {
				const u8 *f = q->piece[0].data, *tcp = f + (k == 1 ? 54 : 34);
				u32 seq = get16(tcp + 4) << 16 | get16(tcp + 6);

				EXPECT_EQ(seq, next[k]);
				EXPECT(q == p || !memcmp(f + (k == 1 ? 22 : 26), frame + (k == 1 ? 22 : 26), k == 1 ? 36 : 12));
				next[k] += q->len - (u32)(tcp - f) - 20;
			}
			merge_put(p);
		}
		for (u32 k = 0; k < 3; k++)
			EXPECT_EQ(next[k], m[k].seq);
		EXPECT_EQ(host_live(), 0);
	}
}
