/* The data-race detector (make RACE=1); theory in race.c.  In other builds all of this vanishes. */
#pragma once
#include <kernel/lib/types.h>

#ifdef CONFIG_RACE
#define __no_race __attribute__((no_sanitize_thread))
struct race_task { s32 off, marked; };		/* in struct task; [own] */

/* race_check - tell of an access that the compiler does not see (assembly).  Context: any. */
void race_check(const volatile void *p, size_t len, bool write) __attribute__((access(none, 1)));
/* race_off, race_back - current's accesses in between are no business of the detector.  They nest.  Context: any. */
void race_off(void);
void race_back(void);
/* race_marked_begin, _end - plain accesses in between are as good as marked ones: a sequence counter is looked at afterwards.  They
 * nest.  Context: any. */
void race_marked_begin(void);
void race_marked_end(void);
/* race_assert - watch p for a while (more often than chance would): any write by another CPU is reported, and with exclusive any read. */
void race_assert(const volatile void *p, size_t len, bool exclusive);
/* race_flush - print the reports that wait.  Context: nothing held. */
void race_flush(void);
/* race_reports - how many races will have been printed, a pair of functions counts once.  race_quiet - while set, they are
 * dropped, so that a test may make one.  race_found - how many were found in all, dropped ones too.  Context: any. */
u32 race_reports(void);
u32 race_found(void);
void race_quiet(bool on);
#else
#define __no_race
static inline void race_check(const volatile void *p, size_t len, bool write) { (void)p; (void)len; (void)write; }
static inline void race_off(void) { }
static inline void race_back(void) { }
static inline void race_marked_begin(void) { }
static inline void race_marked_end(void) { }
static inline void race_assert(const volatile void *p, size_t len, bool exclusive) { (void)p; (void)len; (void)exclusive; }
static inline void race_flush(void) { }
#endif

/* data_race(expr) - its value; accesses in it may race, and whoever writes this says in a comment why that does no harm. */
#define data_race(expr) ({ race_off(); __auto_type __dr = (expr); race_back(); __dr; })
/* ASSERT_EXCLUSIVE_WRITER(x) - nobody else writes x now, not even marked.  ASSERT_EXCLUSIVE_ACCESS(x) - nobody else touches it. */
#define ASSERT_EXCLUSIVE_WRITER(x) race_assert(&(x), sizeof(x), false)
#define ASSERT_EXCLUSIVE_ACCESS(x) race_assert(&(x), sizeof(x), true)
