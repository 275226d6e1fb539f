/* The random generator: ChaCha20 with fast key erasure.
 *
 * One key.  Each request runs one block from it: the first half replaces the key at once, so that a later look at memory tells nothing
 * of what was given out; the second half is the answer, or the key of a stream for longer ones, generated without the lock.
 * Input is mixed by xoring it over the key and running a block.
 * It is seeded from the device tree's rng-seed and kaslr-seed and from the counter's jitter; since the counter may be constant under
 * record and replay, nothing ever waits for entropy: the generator counts as ready after its first seeding, and says in the log
 * when that was jitter alone.
 * A device that is a source (random_source_add) is asked once when it comes, and then when somebody reads, at most once a minute.
 * Single words (ASLR, AT_RANDOM) come from a batch per CPU, each erased as it is given out; what is mixed in makes batches stale.
 * Locking: random_lock (LC_RANDOM).  Source: D. J. Bernstein, "Fast-key-erasure random-number generators" (2017). */
#include <arch/cpu.h>
#include <arch/irqflags.h>
#include <arch/uaccess.h>
#include <drivers/base/fdt.h>
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/initcall.h>
#include <kernel/lib/chacha20.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/random/random.h>
#include <kernel/sync/rcu.h>
#include <kernel/sync/spinlock.h>
#include <kernel/task.h>
#include <kernel/time/time.h>
#include <linux/random.h>
#include <syscall_protos.h>

static DEFINE_SPINLOCK(random_lock, LC_RANDOM);
static u8 key[32];			/* [random_lock] */
static bool seeded;			/* [random_lock] */
static u32 mixed;			/* [random_lock] how often input was mixed in; read racily */

#define BATCH 32
struct batch { u32 left, mixed; u64 words[BATCH]; };
static DEFINE_PER_CPU(struct batch, batch);	/* own CPU, interrupts off */

/* erase_locked - run a block: its first half is the new key, the second goes to out */
static void erase_locked(u8 out[32])
{
	struct chacha20 c;
	u8 block[64];

	chacha20_init(&c, key);
	chacha20_block(&c, block);
	memcpy(key, block, 32);
	memcpy(out, block + 32, 32);
	memset(block, 0, sizeof(block));
}

static void mix_locked(const u8 *p, size_t len)
{
	u8 unused[32];

	do {
		size_t n = min_t(size_t, len, 32);

		for (size_t i = 0; i < n; i++)
			key[i] ^= p[i];
		erase_locked(unused);
		p += n;
		len -= n;
	} while (len);
}

void random_mix(const void *data, size_t len)
{
	irqflags_t flags = spin_lock_irqsave(&random_lock);

	mix_locked(data, len);
	mixed++;
	spin_unlock_irqrestore(&random_lock, flags);
}

static void seed_locked(void)
{
	u64 jitter[4] = { 0 };

	if (boot_chosen.rng_seed_len)
		mix_locked(boot_chosen.rng_seed, boot_chosen.rng_seed_len);
	if (boot_chosen.kaslr_seed)
		mix_locked((const u8 *)&boot_chosen.kaslr_seed, 8);
	for (int i = 0; i < 64; i++)
		jitter[i & 3] = (jitter[i & 3] << 7 | jitter[i & 3] >> 57) ^ clock_counter();
	mix_locked((const u8 *)jitter, sizeof(jitter));
	seeded = true;
}

static void start_stream(u8 first[32])
{
	irqflags_t flags = spin_lock_irqsave(&random_lock);
	u64 now = clock_counter();

	if (unlikely(!seeded))
		seed_locked();
	for (int i = 0; i < 8; i++)
		key[i] ^= (u8)(now >> i * 8);
	erase_locked(first);
	spin_unlock_irqrestore(&random_lock, flags);
}

void random_bytes(void *buf, size_t len)
{
	struct chacha20 c;
	u8 first[32], block[64];
	u8 *p = buf;

	start_stream(first);
	if (len <= 32) {
		memcpy(p, first, len);
	} else {
		chacha20_init(&c, first);
		for (; len; p += min_t(size_t, len, 64), len -= min_t(size_t, len, 64)) {
			chacha20_block(&c, block);
			memcpy(p, block, min_t(size_t, len, 64));
		}
		memset(&c, 0, sizeof(c));
		memset(block, 0, sizeof(block));
	}
	memset(first, 0, sizeof(first));
	barrier();
}

u64 random_u64(void)
{
	irqflags_t flags = arch_irq_save();
	struct batch *b = this_cpu_ptr(&batch);
	u64 word;

	if (unlikely(!b->left || b->mixed != READ_ONCE(mixed))) {
		b->mixed = READ_ONCE(mixed);
		random_bytes(b->words, sizeof(b->words));
		b->left = BATCH;
	}
	word = b->words[--b->left];
	b->words[b->left] = 0;
	arch_irq_restore(flags);
	return word;
}

/* --- sources */

#define REFRESH_NS	(60 * NSEC_PER_SEC)

static struct random_source *source;	/* [R] */
static u64 refresh_at = TIME_NEVER;	/* [a] on the monotonic clock; never while there is no source */

void random_source_add(struct random_source *s)
{
	atomic_store_release(&source, s);
	s->want(s);
	atomic_store(&refresh_at, clock_mono_ns() + REFRESH_NS);
}

void random_source_remove(struct random_source *s)
{
	if (!atomic_cas(&source, s, (struct random_source *)NULL))
		return;
	atomic_store(&refresh_at, TIME_NEVER);
	synchronize_rcu();
}

void random_refresh(void)
{
	u64 at = atomic_load(&refresh_at), now;
	struct random_source *s;

	if (likely(at == TIME_NEVER))
		return;
	now = clock_mono_ns();
	if (now < at || !atomic_cas(&refresh_at, at, now + REFRESH_NS))
		return;
	rcu_read_lock();
	s = atomic_load_acquire(&source);
	if (s)
		s->want(s);
	rcu_read_unlock();
}

#define MAX_RANDOM	((size_t)0x7ffff000)	/* a call, as for read(2) */

ssize_t random_fill_user(void __user *buf, size_t len)
{
	struct chacha20 c;
	u8 block[256];
	size_t done = 0;

	random_refresh();
	start_stream(block);
	if (len <= 32)
		return copy_to_user(buf, block, len) ? -EFAULT : (ssize_t)len;
	chacha20_init(&c, block);
	len = min(len, MAX_RANDOM);
	while (done < len) {
		size_t n = min_t(size_t, len - done, sizeof(block)), left;

		for (size_t i = 0; i < n; i += 64)
			chacha20_block(&c, block + i);
		left = copy_to_user_partial((char __user *)buf + done, block, n);
		done += n - left;
		if (left)
			break;
		if ((done & 4095) == 0 && signal_pending())
			break;
	}
	memset(&c, 0, sizeof(c));
	return done ? (ssize_t)done : -EFAULT;
}

long sys_getrandom(void __user *buf, size_t len, u32 flags)
{
	if (flags & ~(u32)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if ((flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if (!user_range_ok(buf, min(len, MAX_RANDOM)))
		return -EFAULT;
	return len ? random_fill_user(buf, len) : 0;
}

static int random_init(void)
{
	irqflags_t flags = spin_lock_irqsave(&random_lock);

	seed_locked();
	spin_unlock_irqrestore(&random_lock, flags);
	if (boot_chosen.rng_seed_len < 32 && !boot_chosen.kaslr_seed)
		pr_warn("random: no seed in the device tree; seeded from timer jitter alone\n");
	return 0;
}
BOOT_INIT(core, random_init);

/* --- /proc/sys/kernel/random ---------------------------------------------------------------------------------------------------- */
static int number_show(struct seq *s, void *arg)
{
	seq_printf(s, "%lu\n", (u64)arg);
	return 0;
}

static void put_uuid(struct seq *s, const u8 *u)
{
	seq_printf(s, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x\n", u[0], u[1], u[2], u[3], u[4], u[5],
		   (u[6] & 15) | 64, u[7], (u[8] & 63) | 128, u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

static int uuid_show(struct seq *s, void *arg)
{
	u8 u[16];

	(void)arg;
	random_bytes(u, sizeof(u));
	put_uuid(s, u);
	return 0;
}

static int boot_id_show(struct seq *s, void *arg)
{
	static u8 id[16];
	static u32 made;

	(void)arg;
	if (atomic_cas_acquire(&made, 0u, 1u))
		random_bytes(id, sizeof(id));
	put_uuid(s, id);
	return 0;
}
PROC_FILE(entropy_avail, .path = "sys/kernel/random/entropy_avail", .mode = 0444, .show = number_show, .arg = (void *)256);
PROC_FILE(poolsize, .path = "sys/kernel/random/poolsize", .mode = 0444, .show = number_show, .arg = (void *)256);
PROC_FILE(uuid, .path = "sys/kernel/random/uuid", .mode = 0444, .show = uuid_show);
PROC_FILE(boot_id, .path = "sys/kernel/random/boot_id", .mode = 0444, .show = boot_id_show);
