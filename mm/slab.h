/* Kernel objects: typed caches and kmalloc. */
#pragma once
#include <mm/page.h>

struct slab_cache;
/* slab_cache_create - objects of size bytes at align (0: 8).  NULL if no memory. ctor runs once per object or NULL. */
struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align, void (*ctor)(void *));
void *slab_alloc(struct slab_cache *c, gfp_t gfp);	/* NULL if none */
void slab_free(struct slab_cache *c, void *obj);
/* slab_set_reclaimable - objects of this cache go when memory is short (SReclaimable in /proc/meminfo). */
void slab_set_reclaimable(struct slab_cache *c);
/* slab_pages - pages of all slabs, and of those of reclaimable caches. */
void slab_pages(u64 *total, u64 *reclaimable);
void *kmalloc(size_t size, gfp_t gfp);			/* any size; big ones are whole pages */
void *kzalloc(size_t size, gfp_t gfp);
void *kcalloc(size_t n, size_t size, gfp_t gfp);	/* NULL on overflow */
void *krealloc(void *p, size_t new_size, gfp_t gfp);
void kfree(const void *p);				/* NULL allowed; any context */
char *kstrdup(const char *s, gfp_t gfp);
void *kmemdup(const void *p, size_t len, gfp_t gfp);
size_t ksize(const void *p);
void *vmalloc(size_t size);				/* virtually contiguous, thread context; NULL */
void vfree(void *p);					/* thread context */
void *kvmalloc(size_t size, gfp_t gfp);
void kvfree(void *p);
/* kstack_alloc/free - KERNEL_STACK_SIZE with a guard page below, from a per-CPU cache. kstack_free: any thread context with preemption off allowed. */
void *kstack_alloc(void);
void kstack_free(void *stack);
