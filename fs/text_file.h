/* Files whose text is made by a function when they are read: /proc, /sys. */
#pragma once
#include <fs/seq.h>
#include <fs/vfs.h>

/* The text of one open file: made on the first read and again whenever the position is back at 0; reads in between get pieces of that
 * one text, so they agree with each other. */
struct text { struct mutex mutex; /* LC_FS_PRIVATE */ struct seq seq; bool made; };

/* text_create - NULL: no memory.  text_destroy - with the file. */
struct text *text_create(void);
void text_destroy(struct text *t);
/* text_read - what a file's read does.  make appends the text; 0 or -errno; it runs without the text's mutex, so it may take any lock. */
ssize_t text_read(struct text *t, int (*make)(struct seq *s, void *arg), void *arg, struct iov_iter *to, u64 *pos);
/* text_write_copy - what a program writes, whole, with a NUL behind it: in few (of size few_size) or allocated.  0, -EFAULT, -ENOMEM.
 * text_write_done frees it. */
int text_write_copy(struct iov_iter *from, size_t len, char *few, size_t few_size, char **out);
void text_write_done(char *buf, const char *few);
