/* Random bytes. */
#pragma once
#include <kernel/lib/types.h>

/* random_bytes - len bytes nobody can predict.  Context: any; before random_init they are as good as the timer's jitter. */
void random_bytes(void *buf, size_t len);
u64 random_u64(void);
/* random_mix - stir in input; never lowers what is there.  Context: any. */
void random_mix(const void *data, size_t len);
/* random_fill_user - for read and getrandom: bytes done, or -EFAULT if none. */
ssize_t random_fill_user(void __user *buf, size_t len);

/* A device that brings random bytes.  want: fetch some and random_mix them; asked now and then by those who read the generator, not by a
 * clock, so that an idle machine stays idle.  Context: thread; must not sleep.  When random_source_remove returns, want runs no more. */
struct random_source { void (*want)(struct random_source *s); };
void random_source_add(struct random_source *s);
void random_source_remove(struct random_source *s);
/* random_refresh - ask the source, if it was not in the last minute.  Context: thread, no locks. */
void random_refresh(void);
