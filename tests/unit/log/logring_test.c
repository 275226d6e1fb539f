/* The ring of packed log records on the host: what goes in comes out, in order, whatever is dropped; how many lines it keeps. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <kernel/logring.h>

static int failures, number;

static void check(bool ok, const char *name)
{
	printf("%sok %d - %s\n", ok ? "" : "not ", ++number, name);
	failures += !ok;
}

#define MODEL 100000u
static struct { char text[LOG_LINE_MAX]; u32 len, level, facility; u64 us; } *model;

static void model_store(struct logring *r, u64 seq, u64 us)
{
	u32 len = rand() % 10 ? (u32)rand() % 90 : (u32)rand() % (LOG_LINE_MAX + 1);
	bool wild = rand() % 3 == 0;

	for (u32 i = 0; i < len; i++)
		model[seq].text[i] = wild ? (char)rand() : "eta oinsr.0123:[]"[rand() % 17];
	model[seq].len = len;
	model[seq].level = (u32)rand() % 8;
	model[seq].facility = rand() % 4 ? 0 : (u32)rand() % 256;
	model[seq].us = us;
	logring_store(r, us * 1000 + 999, model[seq].facility, model[seq].level, model[seq].text, len);
}

static bool same(const struct log_record *rec, const char *text)
{
	u64 i = rec->seq;

	return rec->len == model[i].len && !memcmp(text, model[i].text, rec->len) && rec->level == model[i].level &&
	       rec->facility == model[i].facility && rec->ts_ns == model[i].us * 1000;
}

/* A writer and readers that lag by different amounts; every record read is the model's, none is read twice or left out in silence. */
static void random_walk(u32 size, unsigned seed)
{
	char *buf = malloc(size), *big = malloc(3 * size), name[80], text[LOG_LINE_MAX];
	struct logring r = { .buf = buf, .size = size };
	struct log_cursor readers[4] = { 0 };
	struct log_record rec;
	u64 us = 0, lost, wrong = 0, seen = 0;

	srand(seed);
	for (u64 seq = 0; seq < 20000; seq++) {
		us += (u64)rand() % (rand() % 50 ? 3000 : 1000000000000ull);
		model_store(&r, seq, us);
		for (u32 i = 0; i < 4; i++) {
			u64 expect = readers[i].seq;

			while (rand() % (i + 1) == 0 && logring_read(&r, &readers[i], &rec, text, sizeof(text), &lost)) {
				wrong += rec.seq != expect + lost || !same(&rec, text);
				expect = rec.seq + 1;
				seen++;
			}
		}
		if (seq == 10000) {
			u64 keep = readers[1].seq;

			if (keep < r.head.seq)
				logring_read(&r, &readers[1], &rec, text, sizeof(text), &lost);
			logring_move(&r, big, 3 * size, &readers[1]);
			for (u32 i = 0; i < 4; i++)
				if (i != 1)
					readers[i] = r.tail;	/* only the kept cursor survives a move */
		}
	}
	snprintf(name, sizeof(name), "ring of %u bytes, seed %u: %lu records read back", size, seed, (unsigned long)seen);
	check(!wrong && seen > 20000, name);
	free(buf);
	free(big);
}

/* Lines like the kernel's own, 75 characters: 256 KiB keep 4,096 of them. */
static void capacity(void)
{
	static char buf[256 << 10];
	struct logring r = { .buf = buf, .size = sizeof(buf) };
	char line[128];

	for (u32 i = 0; i < 20000; i++) {
		int n = snprintf(line, sizeof(line), "virtio_blk: disk vda: %u sectors of 512 bytes, write cache on, flushes %u", 260000 + i, i);

		while (n < 75) {
			line[n] = "the quick brown fox"[n % 19];
			n++;
		}
		logring_store(&r, (u64)i * 1234567, 0, 6, line, 75);
	}
	printf("# %lu lines of 75 characters in 256 KiB\n", (unsigned long)(r.tail.seq - r.head.seq));
	check(r.tail.seq - r.head.seq >= 4096, "4,096 lines of 75 characters in 256 KiB");
}

static void cut_short(void)
{
	static char buf[8192];
	struct logring r = { .buf = buf, .size = sizeof(buf) };
	struct log_cursor cur = { 0 };
	struct log_record rec;
	char text[4];
	u64 lost;

	logring_store(&r, 0, 1, 3, "there", 5);
	check(logring_read(&r, &cur, &rec, text, 3, &lost) && rec.len == 3 && !memcmp(text, "the", 3), "a small buffer gets the beginning");
	check(!logring_read(&r, &cur, &rec, text, 3, &lost), "and there is no more");
}

int main(void)
{
	model = calloc(MODEL, sizeof(*model));
	for (unsigned seed = 1; seed <= 5; seed++) {
		random_walk(4100, seed);
		random_walk(65536, seed);
	}
	capacity();
	cut_short();
	printf("1..%d\n", number);
	return failures != 0;
}
