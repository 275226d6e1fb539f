/* The log's ring of packed records.  Pure: no locks, no clock, no allocation; kernel/printk.c owns one and its lock, the host's unit test
 * owns others. */
#pragma once
#include <kernel/lib/types.h>

#define LOG_LINE_MAX	992u			/* bytes of text in a record */

/* A place in a ring: the next record's number and offset, and the time of the record before it (records keep the difference).
 * Valid while seq is not below the ring's head.seq. */
struct log_cursor { u64 seq, ts_us; u32 off; };

struct log_record { u64 seq, ts_ns; u32 level, facility; size_t len; };

struct logring {
	char *buf;
	u32 size;
	struct log_cursor head, tail;	/* the oldest record; where the next one goes */
	u64 wrap_seq;			/* the record at offset 0 */
};

/* logring_store - append a record, dropping the oldest until it fits.  len: at most LOG_LINE_MAX; size must hold two such records.
 * Not reentrant (one static scratch buffer): the caller's lock covers all rings.  */
void logring_store(struct logring *r, u64 ts_ns, u32 facility, u32 level, const char *text, size_t len);
/* logring_read - the record at cur into rec and text (cut to size); advances.  False: none yet.  *lost: records that cur missed. */
bool logring_read(const struct logring *r, struct log_cursor *cur, struct log_record *rec, char *text, size_t size, u64 *lost);
/* logring_move - into a larger buffer, oldest first; *keep, a cursor, goes on pointing at its record. */
void logring_move(struct logring *r, char *buf, u32 size, struct log_cursor *keep);
