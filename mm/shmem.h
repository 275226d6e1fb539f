/* Memory that looks like a file: shared anonymous mappings, memfd. */
#pragma once
#include <kernel/lib/types.h>

struct file;
/* shmem_file_create - a file of size bytes without a name in any directory.  0 or -ENOMEM.  Context: thread. */
int __must_check shmem_file_create(const char *name, u64 size, struct file **out);
/* shmem_get_seals, shmem_add_seals - of a memfd; -EINVAL for any other file; -EPERM (sealed), -EBUSY (mapped writable). */
long shmem_get_seals(struct file *f);
long shmem_add_seals(struct file *f, u32 seals);
