/* Chunks: the pages that bytes on their way out lie in.
 *
 * A program's bytes are copied once, into a chunk; pbufs, packets, and on loopback the receiver's pbufs only point there, and each that may
 * outlive the others holds a reference.  A chunk is one block of pages; every page of it knows the first (page->private), so that any address
 * inside leads to the count. */
#pragma once
#include <mm/page.h>

/* chunk_alloc - room for up to want bytes, less if memory is scattered, at least a page; *room says how many.  NULL: no memory.
 * Context: thread, may sleep. */
void *chunk_alloc(size_t want, u32 *room);
/* chunk_share - room for up to want bytes (*got) in a chunk that this CPU's users share, with a reference for them.  Behind what the same user had last, if it
 * was the last.  NULL: no memory.  Context: thread, may sleep. */
void *chunk_share(const void *user, size_t want, u32 *got);
static inline struct page *chunk_of(const void *p) { return (struct page *)virt_to_page(p)->private; }
static inline void chunk_get(const void *p) { page_get(chunk_of(p)); }
static inline void chunk_put(const void *p) { page_put(chunk_of(p)); }
