/* Address spaces: struct mm, its VMA tree, faults, and calls of mmap's kin.
 *
 * mmap_lock (LC_MMAP): faults hold it for reading; whoever changes VMAs for writing. */
#pragma once
#include <arch/cpu.h>
#include <arch/mmu.h>
#include <kernel/lib/list.h>
#include <kernel/lib/rbtree.h>
#include <kernel/lib/refcount.h>
#include <kernel/sync/rcu.h>
#include <kernel/sync/rwsem.h>

struct file;
struct vma;
struct page;
struct anon_node;
struct aio_ctx;
struct task;

enum vm_flags {
	VM_READ = 1, VM_WRITE = 2, VM_EXEC = 4, VM_SHARED = 8,
	VM_MAYREAD = 16, VM_MAYWRITE = 32, VM_MAYEXEC = 64,
	VM_GROWSDOWN = 128, VM_LOCKED = 256, VM_DONTCOPY = 512, VM_NORESERVE = 1024, VM_SPECIAL = 2048 /* no struct page rules: vdso */,
	VM_DONTEXPAND = 4096, VM_STACK = 8192, VM_HUGE = 16384, VM_NOHUGE = 32768, VM_WIPEONFORK = 65536, VM_DONTDUMP = 131072,
	VM_RANDOM = 262144, VM_SEQUENTIAL = 524288,	/* MADV_RANDOM, MADV_SEQUENTIAL */
};

struct fault {			/* what a vma's fault operation gets and gives */
	struct vma *vma;
	vaddr_t addr;		/* page aligned */
	u64 index;		/* page index in the object */
	bool write;
	struct page *page;	/* out: a referenced page; NULL when the op mapped itself */
};

struct vm_ops {
	int (*fault)(struct fault *f);		/* 0, -ENOMEM, -EFAULT (SIGBUS), -EIO */
	bool (*map_around)(struct vma *vma, vaddr_t addr);	/* see filemap_map_around; may be missing */
	int (*page_mkwrite)(struct fault *f);	/* a shared file page becomes writable; page locked */
	void (*open)(struct vma *vma);		/* vma was copied or split */
	void (*close)(struct vma *vma);
	const char *(*name)(struct vma *vma);
};

struct vma {
	struct rb_node node;		/* [mmap_lock] */
	vaddr_t start, end;		/* [mmap_lock] */
	u64 gap, max_gap;		/* free space before it; subtree maximum */
	u32 flags;			/* VM_* */
	u32 prot;			/* PROT_K_* for the tables */
	struct mm *mm;
	const struct vm_ops *ops;	/* NULL: anonymous */
	struct file *file;		/* referenced */
	u64 pgoff;			/* page offset in the file */
	u64 moved;			/* pages that mremap has moved it by, mod 2^64; its anonymous pages' index knows nothing of that */
	struct list_head moved_link;	/* [mmap_lock] of mm->moved, if moved */
	struct list_head i_mmap_link;
	void *private;
};

struct mm {
	struct rwsem mmap_lock;		/* LC_MMAP */
	struct rb_root vmas;		/* [mmap_lock] */
	struct vma *vma_cache;		/* [a] last hit */
	u32 nr_vmas;
	struct anon_node *anon;		/* [I] its place among those it was forked from and has forked: mm/rmap.c */
	struct list_head moved;		/* [mmap_lock] VMAs that mremap has moved */
	struct arch_mm arch;
	struct refcount users;		/* tasks, /proc readers */
	u64 id;				/* [I] no two ever have the same */
	vaddr_t start_code, end_code, start_data, end_data, start_brk, brk, start_stack;
	vaddr_t arg_start, arg_end, env_start, env_end, mmap_base, vdso;
	u64 hiwater_vm;			/* [mmap_lock] pages: the most total_vm ever was */
	u64 total_vm, locked_vm, data_vm, exec_vm, stack_vm;	/* pages [mmap_lock] */
	s64 rss_anon, rss_file, rss_shmem;	/* pages [a] */
	s64 swapped;			/* [a] entries that name a slot of a swap area */
	u64 swapoff_seen;		/* [swapoff's mutex] the pass that has been here */
	u64 hiwater_rss;		/* [mmap_lock] pages: the peak up to the last unmapping; mm_peak_rss tells the peak up to now */
	bool wx_allowed;		/* the stack is marked PF_X, or the file is */
	bool oom_victim;
	bool has_pinned;		/* [mmap_lock] pages were pinned for a device to write to, once: mm/pin.c */
	bool thp_disabled;		/* prctl(PR_SET_THP_DISABLE); outlives fork and exec */
	u32 membarrier;			/* [a] commands registered for, see kernel/proc/membarrier.c; fork copies it */
	u32 def_flags;			/* mlockall(MCL_FUTURE) */
	u64 auxv[44];			/* /proc/pid/auxv */
	struct file *exe;
	struct aio_ctx *aio;		/* [mmap_lock] fs/aio.c */
	struct rcu_head rcu;
};

struct mm *mm_create(void);		/* NULL if no memory */
static inline void mm_get(struct mm *mm) { refcount_inc(&mm->users); }
void mm_put(struct mm *mm);		/* last: unmaps all; may sleep */
/* mm_fork - a copy-on-write copy of current's. *out; 0 or -ENOMEM, -EAGAIN. */
int __must_check mm_fork(struct mm **out);
/* mm_install - exec: install mm as current's (drops the old).  mm_exit - current has none any more (drops it). */
void mm_install(struct mm *mm);
void mm_exit(void);

/* mm_switch - this CPU goes to a task with next, which is not what it has; NULL: to a kernel thread.  Context: irqs off. */
static inline void mm_switch(struct mm *next)
{
	if (likely(next))
		arch_mm_switch(next);
	else
		arch_mm_leave();
}

u64 mm_rss(const struct mm *mm);	/* resident pages now; a racy sum */
u64 mm_peak_rss(const struct mm *mm);	/* the most there ever were; 0 for NULL */
static inline void mm_note_peak(struct mm *mm) { mm->hiwater_rss = mm_peak_rss(mm); }	/* before pages go; mmap_lock for writing */

struct vma *vma_find(struct mm *mm, vaddr_t addr);	/* first with end > addr, or NULL; mmap_lock held */

/* vma_link_file - put vma, new, on its file's list of mappings before mm_map() would: for an mmap operation that looks at something of the file under
 * the same lock.  Context: the mapping's i_mmap_lock held for writing, vma->file set; nothing of the vma is mapped yet. */
void vma_link_file(struct vma *vma);
bool vma_may_have_blocks(const struct vma *vma);	/* 2 MiB blocks, by its size and what was asked for; mmap_lock held */
/* mm_map - map into mm (mmap_lock held for writing). addr 0: choose. flags: VM_*; map_flags: MAP_FIXED etc.
 * Returns the address or -errno. file may be NULL; takes its own reference. */
s64 mm_map(struct mm *mm, struct file *file, vaddr_t addr, size_t len, u32 vm_flags, u32 map_flags, u64 pgoff);
int mm_unmap(struct mm *mm, vaddr_t addr, size_t len);	/* mmap_lock for writing */
/* for exec: set up the stack VMA, special mappings */
int mm_map_stack(struct mm *mm, vaddr_t top, size_t size, bool executable);
int mm_map_special(struct mm *mm, vaddr_t addr, size_t len, u32 vm_flags, struct page **pages, const char *name);
int mm_set_brk(struct mm *mm, vaddr_t start, vaddr_t end);

/* mm_fault - resolve a user fault.  addr: the faulting address. 0 resolved; else the signal to send (SIGSEGV/SIGBUS) with *code set
 * (SEGV_MAPERR...), or -EINTR to retry after a fatal signal / -ENOMEM OOM.  Context: thread, irqs on. */
enum { FAULT_WRITE = 1, FAULT_EXEC = 2, FAULT_USER = 4 };
int mm_fault(struct mm *mm, vaddr_t addr, u32 fault_flags, int *code);

/* mm_access - read or write another (or the own) address space's memory by pinning and copying through the linear map; forces past
 * protections when force (ptrace).  buf NULL: zeroes are written.  Returns bytes done; if none, -EFAULT or -ENOMEM. */
ssize_t mm_access(struct mm *mm, vaddr_t addr, void *buf, size_t len, bool write, bool force);
/* mm_pin_page - the page behind addr, referenced, faulted in (for write: COW broken). 0 or -EFAULT... Futex keys use it too.
 * mm_peek_page - the same without a reference: the pointer only says which page it was, and may be another's soon. */
int mm_pin_page(struct mm *mm, vaddr_t addr, bool write, struct page **out);
int mm_peek_page(struct mm *mm, vaddr_t addr, bool write, struct page **out);
/* pages_pin - the pages of current's memory behind [addr, addr + len), at most max, for a device to read, or (write) to write to: faulted in,
 * referenced; one that is written to stays this process's at fork, whose child gets a copy.  How many, from the first on; if none -EFAULT
 * or -ENOMEM.  addr and len: any, checked by user_range_ok.  Context: thread, mmap_lock not held.
 * pages_unpin - they are not needed any more; with write they were, or may have been, written to.  Context: any. */
int pages_pin(vaddr_t addr, size_t len, bool write, struct page **pages, u32 max);
void pages_unpin(struct page **pages, u32 nr, bool write);
/* pins_fork - the pages of from that are pinned, which child has just been given to share, are copied for it.  0, -ENOMEM.  mmap_lock of from
 * held for writing. */
int pins_fork(struct vma *child, struct vma *from);
