/* Address space for device windows. */
#pragma once
#include <kernel/lib/types.h>

/* vmalloc_reserve - size bytes of kernel address space with nothing mapped, for ever.  0 if there is none.  Context: thread. */
vaddr_t vmalloc_reserve(size_t size);
