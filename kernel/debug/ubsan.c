/* UBSAN: what gcc calls when behaviour is undefined; and the stack protector's guard.  Each report is a WARN with a place. */
#ifdef CONFIG_DEBUG
#include <arch/atomic.h>
#include <arch/cpu.h>
#include <kernel/debug.h>
#include <kernel/printk.h>
#include <kernel/panic.h>

struct location { const char *file; u32 line, column; };

static void report(struct location *loc, const char *what)
{
	u32 line = atomic_xchg(&loc->line, 0u);	/* each place reports once */

	if (!line)
		return;
	printk(LOG_WARN "WARN: UBSAN: %s, %s:%u:%u\n", what, loc->file, line, loc->column);
	backtrace_print();
}

/* The data structures differ by handler, but all that we call begin with the place. */
#define HANDLER1(name, what) \
	void __ubsan_handle_##name(struct location *loc); \
	void __ubsan_handle_##name(struct location *loc) { report(loc, what); }
HANDLER1(type_mismatch_v1, "bad pointer")
HANDLER1(out_of_bounds, "index out of bounds")
HANDLER1(shift_out_of_bounds, "shift out of bounds")
HANDLER1(load_invalid_value, "invalid bool or enum")
HANDLER1(add_overflow, "overflow in +")
HANDLER1(sub_overflow, "overflow in -")
HANDLER1(mul_overflow, "overflow in *")
HANDLER1(negate_overflow, "overflow in negation")
HANDLER1(divrem_overflow, "division overflow")
HANDLER1(pointer_overflow, "pointer overflow")
HANDLER1(vla_bound_not_positive, "array bound not positive")
HANDLER1(nonnull_arg, "null argument")
HANDLER1(invalid_builtin, "invalid builtin argument")

void __ubsan_handle_builtin_unreachable(struct location *loc);
void __ubsan_handle_missing_return(struct location *loc);
void __ubsan_handle_builtin_unreachable(struct location *loc) { panic("UBSAN: unreachable code reached, %s:%u", loc->file, loc->line); }
void __ubsan_handle_missing_return(struct location *loc) { panic("UBSAN: missing return, %s:%u", loc->file, loc->line); }

#endif
