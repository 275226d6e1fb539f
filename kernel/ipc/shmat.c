/* Shared memory of System V in an address space: shmat, shmdt.  shmop(2).
 *
 * A file of each attachment leads from its VMAs to the segment.  Its mapping operations are those of the segment's file, with counting around
 * them.  A VMA that is copied or split counts as one more; so does a call between its look at the segment and the mapping. */
#include <asm/mman.h>
#include <fs/file.h>
#include <fs/inode.h>
#include <fs/vfs.h>
#include <kernel/errno.h>
#include <kernel/ipc/shm_internal.h>
#include <kernel/proc/proc.h>
#include <linux/fcntl.h>
#include <mm/filemap.h>
#include <mm/mm_internal.h>
#include <syscall_protos.h>

static const struct vm_ops *pages;	/* [I] once set: what tmpfs gives every mapping */

static struct shm_segment *segment_of(const struct vma *vma) { return vma->file->private; }

/* Whose address space it is may be another's who just ends it for them. */
static s32 caller(void) { return current->proc ? current_pid() : 0; }

static void shm_open(struct vma *vma)
{
	struct shm_segment *s = segment_of(vma);

	spin_lock(&s->ipc.lock);
	s->attached++;
	s->atime = ipc_now();
	s->lpid = caller();
	spin_unlock(&s->ipc.lock);
}

static void shm_close(struct vma *vma)
{
	struct shm_segment *s = segment_of(vma);

	spin_lock(&s->ipc.lock);
	s->dtime = ipc_now();
	s->lpid = caller();
	spin_unlock(&s->ipc.lock);
	shm_detached(s);
}

static int shm_fault(struct fault *f) { return READ_ONCE(pages)->fault(f); }
static bool shm_map_around(struct vma *vma, vaddr_t addr) { return READ_ONCE(pages)->map_around(vma, addr); }

static const struct vm_ops shm_vm_ops = { .fault = shm_fault, .map_around = shm_map_around, .open = shm_open, .close = shm_close };

static int shm_mmap(struct file *f, struct vma *vma)
{
	int err = filemap_mmap(f, vma);

	if (err)
		return err;
	WRITE_ONCE(pages, vma->ops);
	vma->ops = &shm_vm_ops;
	shm_open(vma);
	return 0;
}

static int shm_fsync(struct file *f, u64 start, u64 end, bool datasync)
{
	(void)f; (void)start; (void)end; (void)datasync;
	return 0;
}

static void shm_release(struct file *f)
{
	struct shm_segment *s = f->private;

	ipc_put(&s->ipc);
}

static const struct file_ops shm_fops = {
	.seek = noop_seek, .mmap = shm_mmap, .fsync = shm_fsync, .release = shm_release,
};

/* The file of one attachment; it takes over a reference to the segment, of which a call is counted.  0 or -ENOMEM. */
static int attachment_create(struct shm_segment *s, int flags, struct file **out)
{
	const struct dentry *d = s->file->path.dentry;
	int err;

	inode_get(s->file->inode);
	err = anon_file_on(d->name, s->file->inode, &shm_fops, s, flags & SHM_RDONLY ? O_RDONLY : O_RDWR, out);
	if (err)
		inode_put(s->file->inode);
	return err;
}

static s64 map(struct file *f, vaddr_t addr, size_t len, int flags)
{
	u32 vm_flags = VM_SHARED | VM_READ | VM_MAYREAD | VM_MAYEXEC | (flags & SHM_EXEC ? VM_EXEC : 0);
	struct mm *mm = current->mm;
	s64 at = -EINVAL;

	if (!(flags & SHM_RDONLY))
		vm_flags |= VM_WRITE | VM_MAYWRITE;
	if (rwsem_write_lock_killable(&mm->mmap_lock))
		return -EINTR;
	vm_flags |= mm->def_flags;
	if (!addr || (flags & SHM_REMAP) || (addr + len >= addr && vma_range_free(mm, addr, addr + len)))
		at = mm_map(mm, f, addr, len, vm_flags, addr ? MAP_FIXED : 0, 0);
	rwsem_write_unlock(&mm->mmap_lock);
	if (at > 0 && (vm_flags & VM_LOCKED))
		mm_populate(mm, (vaddr_t)at, len);
	return at;
}

static s64 attach(struct shm_segment *s, vaddr_t addr, int flags)
{
	struct file *f;
	s64 at = attachment_create(s, flags, &f);

	if (at) {
		shm_detached(s);
		ipc_put(&s->ipc);
		return at;
	}
	at = map(f, addr, PAGE_ALIGN(s->size), flags);
	shm_detached(s);
	file_put_now(f);
	return at;
}

long sys_shmat(int id, unsigned long addr, int flags)
{
	u32 wanted = flags & SHM_RDONLY ? IPC_READ : IPC_READ | IPC_WRITE;
	struct ipc_object *o;
	int err;

	if (id < 0)
		return -EINVAL;
	if (addr & (PAGE_SIZE - 1)) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		addr = ALIGN_DOWN(addr, PAGE_SIZE);
	}
	if (!addr && (flags & SHM_REMAP))
		return -EINVAL;
	err = ipc_obtain(&shm_kind, id, &o);
	if (err)
		return err;
	err = ipc_lock_permitted(o, wanted | (flags & SHM_EXEC ? 0111 : 0));
	if (err) {
		ipc_put(o);
		return err;
	}
	shm_segment_of(o)->attached++;
	spin_unlock(&o->lock);
	return attach(shm_segment_of(o), addr, flags);
}

/* Is it a piece of what was attached at addr, where it was put? */
static bool piece_of(const struct vma *vma, vaddr_t addr)
{
	return vma->ops == &shm_vm_ops && (vma->start - addr) >> PAGE_SHIFT == vma->pgoff;
}

long sys_shmdt(unsigned long addr)
{
	struct mm *mm = current->mm;
	struct file *f = NULL;
	struct vma *vma, *next;
	u64 size = 0;
	int err = -EINVAL;

	if (addr & (PAGE_SIZE - 1))
		return -EINVAL;
	if (rwsem_write_lock_killable(&mm->mmap_lock))
		return -EINTR;
	for (vma = vma_find(mm, addr); vma; vma = next) {
		next = vma_next(vma);
		if (f && vma->end - addr > size)
			break;
		if (!piece_of(vma, addr) || (f && vma->file != f))
			continue;
		if (!f) {
			f = vma->file;
			file_get(f);
			size = PAGE_ALIGN(segment_of(vma)->size);
		}
		err = mm_unmap(mm, vma->start, vma->end - vma->start);
	}
	rwsem_write_unlock(&mm->mmap_lock);
	if (f)
		file_put_now(f);
	return err;
}
