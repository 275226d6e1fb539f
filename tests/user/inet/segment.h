/* segment.h - segments of a connection whose other end, 10.9.0.7, the test plays on the wire of wire.h. */
#pragma once
#include "wire.h"

struct segment { uint32_t seq, ack; int sport, dport, flags, len, window, mss; unsigned char packet[2000]; };

/* The next segment that the system sends; false: none within ms.  mss: 0 if it has no such option in the first place. */
static inline bool next_segment(int w, struct segment *s, int ms)
{
	unsigned char p[70000];
	int n = wire_read(w, IPPROTO_TCP, p, sizeof(p), ms), off;

	if (!n)
		return false;
	off = p[32] >> 4;
	s->sport = p[20] << 8 | p[21];
	s->dport = p[22] << 8 | p[23];
	s->seq = (uint32_t)p[24] << 24 | p[25] << 16 | p[26] << 8 | p[27];
	s->ack = (uint32_t)p[28] << 24 | p[29] << 16 | p[30] << 8 | p[31];
	s->flags = p[33] & 0x3f;
	s->window = p[34] << 8 | p[35];
	s->mss = off > 5 && p[40] == 2 ? p[42] << 8 | p[43] : 0;
	s->len = n - 20 - off * 4;
	memcpy(s->packet, p, (size_t)n < sizeof(s->packet) ? (size_t)n : sizeof(s->packet));
	return true;
}

static int window = 0xffff, size_told = 1460;		/* of what is sent from here on */

static inline void send_bytes(int w, int sport, int dport, uint32_t seq, uint32_t ack, int flags, int bytes)
{
	static unsigned char t[12 + 24 + 1500];
	unsigned char *h = t + 12;
	struct sockaddr_in from = in4("10.9.0.7", 0), to = in4("10.9.0.1", 0);
	int len = flags & 2 ? 24 : 20;
	unsigned sum;

	memset(t, 0, sizeof(t));
	memcpy(t, &from.sin_addr, 4);
	memcpy(t + 4, &to.sin_addr, 4);
	t[9] = 6;
	t[10] = (unsigned char)((len + bytes) >> 8); t[11] = (unsigned char)(len + bytes);
	h[0] = (unsigned char)(sport >> 8); h[1] = (unsigned char)sport;
	h[2] = (unsigned char)(dport >> 8); h[3] = (unsigned char)dport;
	for (int i = 0; i < 4; i++) {
		h[4 + i] = (unsigned char)(seq >> (24 - 8 * i));
		h[8 + i] = (unsigned char)(ack >> (24 - 8 * i));
	}
	h[12] = (unsigned char)(len / 4 << 4);
	h[13] = (unsigned char)flags;
	h[14] = (unsigned char)(window >> 8); h[15] = (unsigned char)window;
	if (flags & 2) {
		h[20] = 2; h[21] = 4; h[22] = (unsigned char)(size_told >> 8); h[23] = (unsigned char)size_told;
	}
	sum = ~sum16(t, 12 + (size_t)(len + bytes), 0);
	h[16] = (unsigned char)(sum >> 8); h[17] = (unsigned char)sum;
	wire_write(w, "10.9.0.7", "10.9.0.1", IPPROTO_TCP, h, (size_t)(len + bytes));
}

static inline void send_segment(int w, int sport, int dport, uint32_t seq, uint32_t ack, int flags) { send_bytes(w, sport, dport, seq, ack, flags, 0); }
