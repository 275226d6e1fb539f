/* Moving pages between files and pipes. */
#pragma once
#include <fs/vfs.h>

/* splice_direct - up to len bytes from in, whose pages are in the page cache (splice_has_pages), to out: written from those pages.  Bytes, or the error
 * if none.  splice_to_pipe - into a pipe: what can be read at once and fits, waiting for the first.  Positions move.
 * Context: thread, may sleep; no locks but the position's. */
bool splice_has_pages(const struct file *in);
long splice_direct(struct file *in, u64 *in_pos, struct file *out, u64 *out_pos, size_t len);
long splice_to_pipe(struct file *in, u64 *pos, struct file *out, size_t len, bool nonblock);
