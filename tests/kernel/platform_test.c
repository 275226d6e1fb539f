/* The log, symbols, the generator, formatting of what panics print. */
#include <kernel/ktest.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/params.h>
#include <kernel/printk.h>
#include <kernel/random/random.h>
#include <kernel/symbols.h>
#include <kernel/time/time.h>

KTEST(log, stores_and_reads_back)
{
	struct log_cursor cur;
	struct log_record rec;
	char text[64];
	u64 lost;

	log_end(&cur);
	printk(LOG_DEBUG "ktest: a line %d\n", 42);
	EXPECT(log_next(&cur, &rec, text, sizeof(text), &lost));
	EXPECT(rec.level == 7 && rec.facility == 0 && lost == 0);
	EXPECT(rec.len == 16 && !memcmp(text, "ktest: a line 42", 16));
	EXPECT(!log_has(&cur));
}

KTEST(log, splits_lines)
{
	struct log_cursor cur;
	struct log_record rec;
	char text[64];
	u64 lost;

	log_end(&cur);
	printk(LOG_DEBUG "one\ntwo\n");
	EXPECT(log_next(&cur, &rec, text, sizeof(text), &lost) && rec.len == 3);
	EXPECT(log_next(&cur, &rec, text, sizeof(text), &lost) && rec.len == 3 && !memcmp(text, "two", 3));
}

KTEST(log, format)
{
	struct log_record rec = { .ts_ns = 12345678, .len = 2 };
	char line[40];

	log_format(&rec, "hi", line, sizeof(line));
	EXPECT(!strcmp(line, "[    0.012345] hi\n"));
}

KTEST(log, ratelimit)
{
	struct ratelimit rl = { NSEC_PER_SEC, 3, 0, 0, 0 };
	u32 passed = 0;

	for (int i = 0; i < 10; i++)
		passed += ratelimit_ok(&rl);
	EXPECT(passed == 3 && rl.missed == 7);
}

KTEST(symbols, finds_functions)
{
	const char *name;
	u64 off, size;
	char buf[64];

	EXPECT(symbol_lookup((u64)printk + 4, &name, &off, &size));
	EXPECT(!strcmp(name, "printk") && off == 4 && size > 4);
	EXPECT(!symbol_lookup((u64)_etext + 64, &name, &off, &size));
	ksnprintf(buf, sizeof(buf), "%pS", (void *)((u64)printk + 8));
	EXPECT(str_has_prefix(buf, "printk+0x8/"));
}

KTEST(symbols, walks_the_stack)
{
	u64 pcs[8];
	const char *name;
	u64 off, size;

	EXPECT(stack_walk((u64)__builtin_frame_address(0), pcs, 8) >= 2);
	EXPECT(symbol_lookup(pcs[0], &name, &off, &size) && str_has_prefix(name, "run_suite"));
}

KTEST(random, differs)
{
	u8 a[100], b[100];
	u32 ones = 0;

	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	EXPECT(memcmp(a, b, sizeof(a)));
	for (u32 i = 0; i < sizeof(a); i++)
		for (u32 bit = 0; bit < 8; bit++)
			ones += a[i] >> bit & 1;
	EXPECT(ones > 300 && ones < 500);
}

KTEST(params, values)
{
	size_t len;
	const char *v = param_value("a=1 quiet b=xyz a=22 -- a=3", "a", &len);

	EXPECT(v && len == 2 && !memcmp(v, "22", 2));
	EXPECT(param_value("a=1 quiet", "quiet", &len) && len == 0);
	EXPECT(!param_value("ab=1", "a", &len));
}
