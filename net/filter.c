/* Classic BPF (McCanne and Jacobson, 1993; Linux's Documentation/networking/filter.rst): an accumulator, an index, sixteen scratch words.
 *
 * A program is checked once, when it is given, so that running it needs few checks: every code is known, jumps go forward and stay inside, so it
 * ends; the last instruction returns; constant shifts and divisors are sane; no scratch word is read on a path that has not written it (the
 * words' state at a jump's target is the intersection over all jumps to it, and jumps only go forward, so one pass suffices).  What is left
 * for the run: loads beyond the bytes and divisions by an X of zero end the program with 0.
 *
 * Loads at negative offsets ask for what is known beside the bytes (SKF_AD_OFF), or count from the network header (SKF_NET_OFF). */
#include <net/filter.h>
#include <arch/uaccess.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <arch/cpu.h>
#include <kernel/random/random.h>
#include <linux/filter.h>
#include <mm/slab.h>
#include <net/packet.h>
#include <net/socket.h>

#define AD(what)	((u32)SKF_AD_OFF + (what))

/* --- the check --- */

static bool code_known(u16 code)
{
	switch (code) {
	case BPF_LD | BPF_W | BPF_ABS: case BPF_LD | BPF_H | BPF_ABS: case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LD | BPF_W | BPF_IND: case BPF_LD | BPF_H | BPF_IND: case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_W | BPF_LEN: case BPF_LD | BPF_IMM: case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_W | BPF_LEN: case BPF_LDX | BPF_B | BPF_MSH: case BPF_LDX | BPF_IMM: case BPF_LDX | BPF_MEM:
	case BPF_ST: case BPF_STX: case BPF_MISC | BPF_TAX: case BPF_MISC | BPF_TXA: case BPF_RET | BPF_K: case BPF_RET | BPF_A:
	case BPF_ALU | BPF_ADD | BPF_K: case BPF_ALU | BPF_ADD | BPF_X: case BPF_ALU | BPF_SUB | BPF_K: case BPF_ALU | BPF_SUB | BPF_X:
	case BPF_ALU | BPF_MUL | BPF_K: case BPF_ALU | BPF_MUL | BPF_X: case BPF_ALU | BPF_DIV | BPF_K: case BPF_ALU | BPF_DIV | BPF_X:
	case BPF_ALU | BPF_MOD | BPF_K: case BPF_ALU | BPF_MOD | BPF_X: case BPF_ALU | BPF_AND | BPF_K: case BPF_ALU | BPF_AND | BPF_X:
	case BPF_ALU | BPF_OR | BPF_K: case BPF_ALU | BPF_OR | BPF_X: case BPF_ALU | BPF_XOR | BPF_K: case BPF_ALU | BPF_XOR | BPF_X:
	case BPF_ALU | BPF_LSH | BPF_K: case BPF_ALU | BPF_LSH | BPF_X: case BPF_ALU | BPF_RSH | BPF_K: case BPF_ALU | BPF_RSH | BPF_X:
	case BPF_ALU | BPF_NEG: case BPF_JMP | BPF_JA:
	case BPF_JMP | BPF_JEQ | BPF_K: case BPF_JMP | BPF_JEQ | BPF_X: case BPF_JMP | BPF_JGE | BPF_K: case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_K: case BPF_JMP | BPF_JGT | BPF_X: case BPF_JMP | BPF_JSET | BPF_K: case BPF_JMP | BPF_JSET | BPF_X:
		return true;
	}
	return false;
}

/* What stands at SKF_AD_OFF and above must be something that we tell. */
static bool beside_known(u32 k)
{
	switch (k) {
	case AD(SKF_AD_PROTOCOL): case AD(SKF_AD_PKTTYPE): case AD(SKF_AD_IFINDEX): case AD(SKF_AD_MARK): case AD(SKF_AD_QUEUE):
	case AD(SKF_AD_HATYPE): case AD(SKF_AD_RXHASH): case AD(SKF_AD_CPU): case AD(SKF_AD_ALU_XOR_X): case AD(SKF_AD_VLAN_TAG):
	case AD(SKF_AD_VLAN_TAG_PRESENT): case AD(SKF_AD_PAY_OFFSET): case AD(SKF_AD_RANDOM): case AD(SKF_AD_VLAN_TPID):
	case AD(SKF_AD_NLATTR): case AD(SKF_AD_NLATTR_NEST):
		return true;
	}
	return k < (u32)SKF_AD_OFF;
}

static bool insn_ok(const struct filter_insn *i, u32 pc, u32 nr)
{
	if (!code_known(i->code))
		return false;
	switch (i->code) {
	case BPF_ALU | BPF_DIV | BPF_K: case BPF_ALU | BPF_MOD | BPF_K:
		return i->k;
	case BPF_ALU | BPF_LSH | BPF_K: case BPF_ALU | BPF_RSH | BPF_K:
		return i->k < 32;
	case BPF_LD | BPF_MEM: case BPF_LDX | BPF_MEM: case BPF_ST: case BPF_STX:
		return i->k < BPF_MEMWORDS;
	case BPF_JMP | BPF_JA:
		return i->k < nr - pc - 1;
	case BPF_LD | BPF_W | BPF_ABS: case BPF_LD | BPF_H | BPF_ABS: case BPF_LD | BPF_B | BPF_ABS:
		return beside_known(i->k);
	}
	return BPF_CLASS(i->code) != BPF_JMP || (pc + i->jt + 1 < nr && pc + i->jf + 1 < nr);
}

/* No scratch word is read before it was written: state[pc], the words surely written when pc is reached. */
static bool scratch_ok(const struct filter_insn *insn, u32 nr, u16 *state)
{
	u16 have = 0;

	memset(state, 0xff, nr * sizeof(*state));
	for (u32 pc = 0; pc < nr; pc++) {
		const struct filter_insn *i = &insn[pc];

		have &= state[pc];
		switch (i->code) {
		case BPF_ST: case BPF_STX:
			have |= (u16)(1u << i->k);
			break;
		case BPF_LD | BPF_MEM: case BPF_LDX | BPF_MEM:
			if (!(have >> i->k & 1))
				return false;
			break;
		case BPF_JMP | BPF_JA:
			state[pc + 1 + i->k] &= have;
			have = 0xffff;
			break;
		default:
			if (BPF_CLASS(i->code) == BPF_JMP) {
				state[pc + 1 + i->jt] &= have;
				state[pc + 1 + i->jf] &= have;
				have = 0xffff;
			}
		}
	}
	return true;
}

int filter_check(const struct filter_insn *insn, u32 nr)
{
	u16 *state;
	bool ok;

	if (!nr || nr > FILTER_MAX)
		return -EINVAL;
	for (u32 pc = 0; pc < nr; pc++)
		if (!insn_ok(&insn[pc], pc, nr))
			return -EINVAL;
	if (BPF_CLASS(insn[nr - 1].code) != BPF_RET)
		return -EINVAL;
	state = kmalloc(nr * sizeof(*state), GFP_KERNEL);
	if (!state)
		return -ENOMEM;
	ok = scratch_ok(insn, nr, state);
	kfree(state);
	return ok ? 0 : -EINVAL;
}

int filter_create(const struct sock_fprog *prog, struct filter **out)
{
	struct filter *f;
	int err;

	BUILD_BUG_ON(sizeof(struct filter_insn) != sizeof(struct sock_filter));
	if (!prog->filter || !prog->len || prog->len > FILTER_MAX)
		return -EINVAL;
	f = kmalloc(sizeof(*f) + prog->len * sizeof(f->insn[0]), GFP_KERNEL);
	if (!f)
		return -ENOMEM;
	refcount_set(&f->refs, 1);
	f->nr = prog->len;
	err = copy_from_user(f->insn, user_ptr((u64)prog->filter), f->nr * sizeof(f->insn[0]));
	if (!err)
		err = filter_check(f->insn, f->nr);
	if (err) {
		kfree(f);
		return err;
	}
	*out = f;
	return 0;
}

static void filter_free_rcu(struct rcu_head *head) { kfree(container_of(head, struct filter, rcu)); }

void filter_put(struct filter *f)
{
	if (refcount_dec_and_test(&f->refs))
		call_rcu(&f->rcu, filter_free_rcu);
}

struct filter *filter_share(struct socket *s)
{
	struct filter *f;

	if (likely(!READ_ONCE(s->filter)))
		return NULL;
	rcu_read_lock();
	f = rcu_dereference(s->filter);
	if (f && !refcount_inc_not_zero(&f->refs))
		f = NULL;
	rcu_read_unlock();
	return f;
}

/* --- the run --- */

static bool load_bytes(const struct filter_input *in, u32 off, u32 size, u32 *value)
{
	u8 buf[4];
	const u8 *b;

	if (in->load)
		return in->load(in, off, size, value);
	if (off >= in->len || size > in->len - off)
		return false;
	b = in->data ? (const u8 *)in->data + off : packet_header(in->packet, off, size, buf);
	if (!b)
		return false;
	*value = size == 1 ? b[0] : size == 2 ? (u32)b[0] << 8 | b[1] : (u32)b[0] << 24 | (u32)b[1] << 16 | (u32)b[2] << 8 | b[3];
	return true;
}

static u32 beside(const struct filter_input *in, u32 k, u32 a, u32 x)
{
	switch (k) {
	case AD(SKF_AD_PROTOCOL): return in->protocol;
	case AD(SKF_AD_PKTTYPE): return in->pkttype;
	case AD(SKF_AD_IFINDEX): return in->ifindex;
	case AD(SKF_AD_MARK): return in->mark;
	case AD(SKF_AD_QUEUE): return in->queue;
	case AD(SKF_AD_HATYPE): return in->hatype;
	case AD(SKF_AD_CPU): return smp_cpu_id();
	case AD(SKF_AD_ALU_XOR_X): return a ^ x;
	case AD(SKF_AD_PAY_OFFSET): return in->net_off;
	case AD(SKF_AD_RANDOM): return (u32)random_u64();
	}
	return 0;
}

/* A load from an offset that the program computed: false ends it. */
static bool load(const struct filter_input *in, u16 code, u32 off, u32 *a, u32 x)
{
	u32 size = BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;

	if (likely((s32)off >= 0))
		return load_bytes(in, off, size, a);
	if (off >= (u32)SKF_AD_OFF) {
		*a = beside(in, off, *a, x);
		return true;
	}
	if (off >= (u32)SKF_NET_OFF)
		return load_bytes(in, in->net_off + (off - (u32)SKF_NET_OFF), size, a);
	if (off >= (u32)SKF_LL_OFF)
		return load_bytes(in, off - (u32)SKF_LL_OFF, size, a);
	return false;
}

/* False: a division by zero. */
static bool alu(u16 code, u32 *a, u32 v)
{
	switch (BPF_OP(code)) {
	case BPF_ADD: *a += v; break;
	case BPF_SUB: *a -= v; break;
	case BPF_MUL: *a *= v; break;
	case BPF_DIV: if (!v) return false; *a /= v; break;
	case BPF_MOD: if (!v) return false; *a %= v; break;
	case BPF_AND: *a &= v; break;
	case BPF_OR: *a |= v; break;
	case BPF_XOR: *a ^= v; break;
	case BPF_LSH: *a <<= v & 31; break;
	case BPF_RSH: *a >>= v & 31; break;
	case BPF_NEG: *a = -*a; break;
	}
	return true;
}

static u32 jump(const struct filter_insn *i, u32 a, u32 v)
{
	bool yes;

	switch (BPF_OP(i->code)) {
	case BPF_JA: return i->k;
	case BPF_JEQ: yes = a == v; break;
	case BPF_JGT: yes = a > v; break;
	case BPF_JGE: yes = a >= v; break;
	default: yes = a & v; break;
	}
	return yes ? i->jt : i->jf;
}

u32 filter_run(const struct filter *f, const struct filter_input *in)
{
	u32 a = 0, x = 0, mem[BPF_MEMWORDS];

	for (const struct filter_insn *i = f->insn;; i++) {
		u32 v = BPF_SRC(i->code) == BPF_X ? x : i->k;

		switch (BPF_CLASS(i->code)) {
		case BPF_RET:
			return BPF_RVAL(i->code) == BPF_A ? a : i->k;
		case BPF_ALU:
			if (!alu(i->code, &a, v))
				return 0;
			break;
		case BPF_JMP:
			i += jump(i, a, v);
			break;
		case BPF_ST:
			mem[i->k] = a;
			break;
		case BPF_STX:
			mem[i->k] = x;
			break;
		case BPF_MISC:
			if (BPF_MISCOP(i->code) == BPF_TAX)
				x = a;
			else
				a = x;
			break;
		default: {		/* BPF_LD, BPF_LDX */
			u32 *to = BPF_CLASS(i->code) == BPF_LD ? &a : &x;

			switch (BPF_MODE(i->code)) {
			case BPF_IMM: *to = i->k; break;
			case BPF_MEM: *to = mem[i->k]; break;
			case BPF_LEN: *to = in->len; break;
			case BPF_MSH:
				if (!load(in, BPF_B, i->k, &v, x))
					return 0;
				x = (v & 0xf) << 2;
				break;
			default:
				if (!load(in, i->code, BPF_MODE(i->code) == BPF_IND ? x + i->k : i->k, &a, x))
					return 0;
			}
		}
		}
	}
}

u32 socket_filter(struct socket *s, const struct filter_input *in)
{
	const struct filter *f;
	u32 keep = in->len;

	if (likely(!READ_ONCE(s->filter)))
		return keep;
	rcu_read_lock();
	f = rcu_dereference(s->filter);
	if (f)
		keep = min(filter_run(f, in), in->len);
	rcu_read_unlock();
	return keep;
}
