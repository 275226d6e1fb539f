/* Files whose text is made by a function when they are read: /proc, /sys. */
#pragma once
#include <fs/seq.h>
#include <fs/vfs.h>

/* The text of one open file, made in one of two ways.
 *
 * Whole (text_read): on the first read and again whenever the position is back at 0; reads in between get pieces of that one text, so they
 * agree with each other.
 *
 * By pieces (text_read_pieces), for what may be long and costs much to make: a list of records, of which a read makes as many as it returns.
 * seq is then the piece of the file that begins at base, and cursor tells where the list goes on behind it; what it means is the maker's
 * business, 0 is the start.  A position that is neither in the piece nor just behind it is found by making all that is before it.  The list may
 * change between two reads; each piece is as the list was when it was made.  Each piece is made outside the mutex and installed whole, so
 * that readers of the same open file at the same time cost each other a piece made twice, and never mix. */
struct text { struct mutex mutex; /* LC_FS_PRIVATE */ struct seq seq; bool made; u64 base, cursor; };
#define TEXT_PIECE	3072u		/* bytes; longer by the last record of it, and yet mostly within a page */

/* text_create - NULL: no memory.  text_destroy - with the file. */
struct text *text_create(void);
void text_destroy(struct text *t);
/* text_read - what a file's read does.  make appends the text; 0 or -errno; it runs without the text's mutex, so it may take any lock. */
ssize_t text_read(struct text *t, int (*make)(struct seq *s, void *arg), void *arg, struct iov_iter *to, u64 *pos);
/* text_read_pieces - a read of a text made by pieces: at most what is left of the piece that *pos is in, and one piece more.  more appends records
 * from *cursor on until s->len is TEXT_PIECE or above, and moves *cursor; it appends nothing at the end.  0 or -errno; no mutex is held. */
ssize_t text_read_pieces(struct text *t, int (*more)(struct seq *s, u64 *cursor, void *arg), void *arg, struct iov_iter *to, u64 *pos);
/* text_write_copy - what a program writes, whole, with a NUL behind it: in few (of size few_size) or allocated.  0, -EFAULT, -ENOMEM.
 * text_write_done frees it. */
int text_write_copy(struct iov_iter *from, size_t len, char *few, size_t few_size, char **out);
void text_write_done(char *buf, const char *few);
