/* Programs: execve.
 *
 * The new address space is built completely beside the old one: segments mapped, interpreter mapped, stack filled through the pages
 * (mm_access), so that every error up to the point of no return is an errno.  Then other threads die, the new space replaces the
 * old, signals and descriptors are reset, and the frame says where to begin.  execve(2), elf(5), getauxval(3). */
#include <asm/resource.h>
#include <linux/auxvec.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/mman.h>
#include <linux/personality.h>
#include <asm/mman.h>
#include <arch/context.h>
#include <arch/hwcap.h>
#include <arch/uaccess.h>
#include <arch/vdso.h>
#include <fs/file.h>
#include <fs/vfs.h>
#include <fs/xattr.h>
#include <kernel/debug.h>
#include <kernel/debug/trace_point.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/proc/elf.h>
#include <kernel/proc/exec_cred.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/proc/ptrace.h>
#include <kernel/proc/rseq.h>
#include <kernel/random/random.h>
#include <kernel/sysctl.h>
#include <kernel/sched/sched.h>
#include <kernel/time/itimer.h>
#include <linux/stat.h>
#include <mm/slab.h>
#include <mm/vma.h>
#include <syscall_protos.h>

#define MAX_ARG_STRLEN	(32 * PAGE_SIZE)
#define HEAD_SIZE	256
#define STACK_TOP	0x0000fffffff00000ul
#define PIE_BASE	0x0000aaaaaaaa0000ul
#define MMAP_TOP_GAP	(128ul << 20)

struct strings { char *buf; size_t len, size; u32 count; };	/* NUL-terminated, one after another */

struct exec {
	struct file *file;
	char head[HEAD_SIZE];
	struct strings args, env;
	char *path;			/* what the caller named, for opening */
	char *name;			/* what the program is called: AT_EXECFN */
	bool name_dies;			/* the name goes through a descriptor that this exec closes */
	struct mm *mm;
	u32 depth;
	u64 entry, interp_base, phdr, phnum, start;
	bool stack_exec, pie;
	u64 bss_end;
	struct exec_cred cred;
	bool unreadable;		/* who executes it may not read it: nor its memory, then */
};

/* --- argument strings */

static int strings_add(struct strings *s, const char *str, size_t len)
{
	if (s->len + len + 1 > s->size) {
		size_t size = max(s->size * 2, ALIGN_UP(s->len + len + 1, 1024ul));
		char *n = kvmalloc(size, GFP_KERNEL);

		if (!n)
			return -ENOMEM;
		memcpy(n, s->buf, s->len);
		kvfree(s->buf);
		s->buf = n;
		s->size = size;
	}
	memcpy(s->buf + s->len, str, len);
	s->buf[s->len + len] = '\0';
	s->len += len + 1;
	s->count++;
	return 0;
}

static int strings_from_user(struct strings *s, const u64 __user *vec, size_t limit)
{
	char *tmp = kmalloc(PAGE_SIZE, GFP_KERNEL);
	int err = tmp ? 0 : -ENOMEM;

	for (u32 i = 0; !err && vec; i++) {
		size_t start = s->len;
		ssize_t n;
		u64 p;

		if (get_user(p, vec + i)) {
			err = -EFAULT;
			break;
		}
		if (!p)
			break;
		do {	/* long strings come in pieces of a page */
			n = strncpy_from_user(tmp, user_ptr(p), PAGE_SIZE);
			if (n != -ENAMETOOLONG && n < 0) {
				err = (int)n;
				break;
			}
			err = strings_add(s, tmp, n == -ENAMETOOLONG ? PAGE_SIZE : (size_t)n);
			if (n == -ENAMETOOLONG && !err) {
				s->len--;
				s->count--;
				p += PAGE_SIZE;
			}
			if (!err && (s->len - start > MAX_ARG_STRLEN || s->len > limit))
				err = -E2BIG;
		} while (!err && n == -ENAMETOOLONG);
	}
	kfree(tmp);
	return err;
}

static int strings_from_kernel(struct strings *s, char *const vec[])
{
	int err = 0;

	for (; *vec && !err; vec++)
		err = strings_add(s, *vec, strlen(*vec));
	return err;
}

/* Put str before all others. */
static int strings_prepend(struct strings *s, const char *str)
{
	struct strings n = { 0 };
	int err = strings_add(&n, str, strlen(str));

	if (!err && s->len)
		err = strings_add(&n, s->buf, s->len - 1);
	if (err) {
		kvfree(n.buf);
		return err;
	}
	n.count = s->count + 1;
	kvfree(s->buf);
	*s = n;
	return 0;
}

static void strings_drop_first(struct strings *s)
{
	size_t n = s->count ? strlen(s->buf) + 1 : 0;

	memmove(s->buf, s->buf + n, s->len - n);
	s->len -= n;
	s->count -= s->count > 0;
}

/* --- ELF */

static int read_phdrs(struct file *f, const Elf64_Ehdr *h, Elf64_Phdr **out)
{
	size_t size = h->e_phnum * sizeof(Elf64_Phdr);
	Elf64_Phdr *ph = kmalloc(size, GFP_KERNEL);
	u64 pos = h->e_phoff;
	ssize_t n;

	if (!ph)
		return -ENOMEM;
	n = vfs_read_kernel(f, ph, size, &pos);
	if (n != (ssize_t)size) {
		kfree(ph);
		return n < 0 ? (int)n : -ENOEXEC;
	}
	*out = ph;
	return 0;
}

static u32 segment_flags(u32 p_flags)
{
	return (p_flags & PF_R ? VM_READ : 0) | (p_flags & PF_W ? VM_WRITE : 0) | (p_flags & PF_X ? VM_EXEC : 0) |
	       VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
}

static int zero_tail(struct mm *mm, u64 from, u64 to)
{
	ssize_t did = mm_access(mm, from, NULL, to - from, true, true);

	return did == (ssize_t)(to - from) ? 0 : did < 0 ? (int)did : -EFAULT;
}

static int map_segment(struct exec *x, struct file *f, const Elf64_Phdr *p, u64 bias)
{
	u64 start = ALIGN_DOWN(p->p_vaddr, PAGE_SIZE) + bias, file_end = p->p_vaddr + p->p_filesz + bias, end = p->p_vaddr + p->p_memsz + bias;
	u32 flags = segment_flags(p->p_flags);
	s64 at = (s64)start;

	if (p->p_filesz)
		at = mm_map(x->mm, f, start, PAGE_ALIGN(file_end) - start, flags, MAP_FIXED, p->p_offset >> PAGE_SHIFT);
	if (at < 0)
		return (int)at;
	if (PAGE_ALIGN(end) > (p->p_filesz ? PAGE_ALIGN(file_end) : start)) {
		u64 from = p->p_filesz ? PAGE_ALIGN(file_end) : start;

		at = mm_map(x->mm, NULL, from, PAGE_ALIGN(end) - from, flags, MAP_FIXED, 0);
		if (at < 0)
			return (int)at;
	}
	return 0;
}

/* Map all segments of f at bias; the tails of file data are zeroed once no lock is held. */
static int map_image(struct exec *x, struct file *f, const Elf64_Phdr *ph, u32 n, u64 bias)
{
	int err = 0;

	rwsem_write_lock(&x->mm->mmap_lock);
	for (u32 i = 0; i < n && !err; i++)
		if (ph[i].p_type == PT_LOAD)
			err = map_segment(x, f, &ph[i], bias);
	rwsem_write_unlock(&x->mm->mmap_lock);
	for (u32 i = 0; i < n && !err; i++) {
		u64 end = ph[i].p_vaddr + ph[i].p_filesz + bias;

		if (ph[i].p_type == PT_LOAD && ph[i].p_memsz > ph[i].p_filesz && ph[i].p_filesz && (ph[i].p_flags & PF_W))
			err = zero_tail(x->mm, end, PAGE_ALIGN(end));	/* ld.so lives in what is left of its last page */
	}
	return err;
}

static int load_interp(struct exec *x, const char *path)
{
	struct elf_extent e = { 0 };
	struct file *f;
	Elf64_Ehdr h;
	Elf64_Phdr *ph;
	u64 pos = 0;
	s64 base;
	int err = vfs_open_exec(AT_FDCWD, path, 0, &f);

	if (err)
		return err;
	err = vfs_read_kernel(f, &h, sizeof(h), &pos) == sizeof(h) ? elf_check_header(&h) : -ELIBBAD;
	if (!err)
		err = read_phdrs(f, &h, &ph);
	if (err) {
		vfs_exec_put(f);
		return err == -ENOEXEC ? -ELIBBAD : err;
	}
	x->unreadable |= inode_permission(f->inode, MAY_READ) != 0;
	err = elf_check_segments(ph, h.e_phnum, &e);
	if (!err) {
		rwsem_write_lock(&x->mm->mmap_lock);
		base = mm_map(x->mm, NULL, 0, e.high - e.low, VM_MAYREAD, 0, 0);	/* a place for all of it */
		rwsem_write_unlock(&x->mm->mmap_lock);
		err = base < 0 ? (int)base : map_image(x, f, ph, h.e_phnum, (u64)base - e.low);
		x->interp_base = (u64)base - e.low;
		x->start = h.e_entry + x->interp_base;
	}
	kfree(ph);
	vfs_exec_put(f);
	return err == -ENOEXEC ? -ELIBBAD : err;
}

static int read_interp(struct exec *x, const Elf64_Phdr *p, char **out)
{
	char *path;
	u64 pos = p->p_offset;

	path = kmalloc(p->p_filesz, GFP_KERNEL);
	if (!path)
		return -ENOMEM;
	if (vfs_read_kernel(x->file, path, p->p_filesz, &pos) != (ssize_t)p->p_filesz || path[p->p_filesz - 1]) {
		kfree(path);
		return -ENOEXEC;
	}
	*out = path;
	return 0;
}

static void note_special(struct exec *x, const Elf64_Phdr *ph, u32 n, u64 e_phoff, u64 bias)
{
	for (u32 i = 0; i < n; i++) {
		u64 end = PAGE_ALIGN(ph[i].p_vaddr + ph[i].p_memsz + bias);

		if (ph[i].p_type == PT_GNU_STACK)
			x->stack_exec = ph[i].p_flags & PF_X;
		if (ph[i].p_type != PT_LOAD)
			continue;
		if (ph[i].p_offset <= e_phoff && e_phoff < ph[i].p_offset + ph[i].p_filesz)
			x->phdr = e_phoff - ph[i].p_offset + ph[i].p_vaddr + bias;
		x->bss_end = max(x->bss_end, end);
		if (ph[i].p_flags & PF_X) {
			x->mm->start_code = ph[i].p_vaddr + bias;
			x->mm->end_code = ph[i].p_vaddr + ph[i].p_filesz + bias;
		} else if (ph[i].p_flags & PF_W) {
			x->mm->start_data = ph[i].p_vaddr + bias;
			x->mm->end_data = ph[i].p_vaddr + ph[i].p_filesz + bias;
		}
	}
}

static u64 randomize_va_space = 2;	/* 0 nothing moves, 1 all but the heap, 2 the heap too */
SYSCTL(randomize_va_space, "kernel/randomize_va_space", .value = &randomize_va_space, .max = 0x7fffffff);

/* Pages by which an area is moved: below mask + 1, a power of two; none where that or personality(2) says so. */
static u64 shift_by(const struct exec *x, u64 mask)
{
	if (!READ_ONCE(randomize_va_space) || READ_ONCE(current->proc->personality) & ~x->cred.clear & ADDR_NO_RANDOMIZE)
		return 0;
	return (random_u64() & mask) * PAGE_SIZE;
}

static void place_areas(struct exec *x)
{
	u64 stack = exec_cred_stack_limit(&x->cred), gap = max(stack == ~0ul ? 1ul << 30 : stack, MMAP_TOP_GAP);
	struct mm *mm = x->mm;

	mm->start_stack = STACK_TOP - shift_by(x, 0x3ffff);
	mm->mmap_base = PAGE_ALIGN(mm->start_stack - min(gap, 1ul << 40) - (1ul << 20)) - shift_by(x, 0xfffffff);
}

/* The attribute by which PaX knows programs that write code and run it where it stands: "m" among its letters.  Its owner has set it. */
static bool marked_wx(struct inode *i)
{
	char flags[8];
	ssize_t n = inode_xattr(i, "user.pax.flags", flags, sizeof(flags));

	return n > 0 && memchr(flags, 'm', (size_t)n);
}

static int load_elf(struct exec *x)
{
	const Elf64_Ehdr *h = (const Elf64_Ehdr *)x->head;
	char *interp = NULL;
	struct elf_extent e = { 0 };
	const Elf64_Phdr *pt_interp;
	Elf64_Phdr *ph;
	u64 bias = 0;
	int err = read_phdrs(x->file, h, &ph);

	if (err)
		return err;
	err = elf_check_segments(ph, h->e_phnum, &e);
	if (!err)
		err = elf_interp(ph, h->e_phnum, &pt_interp);
	if (!err && pt_interp)
		err = read_interp(x, pt_interp, &interp);
	if (err)
		goto out;
	if (h->e_type == ET_DYN) {
		x->pie = true;
		bias = PIE_BASE + shift_by(x, 0xffffff) - e.low;
	} else if (e.low < 65536) {
		err = -EPERM;
		goto out;
	}
	note_special(x, ph, h->e_phnum, h->e_phoff, bias);
	x->mm->wx_allowed = x->stack_exec || marked_wx(x->file->inode);
	err = map_image(x, x->file, ph, h->e_phnum, bias);
	x->entry = x->start = h->e_entry + bias;
	x->phnum = h->e_phnum;
	if (!err && interp)
		err = load_interp(x, interp);
out:
	kfree(interp);
	kfree(ph);
	return err;
}

/* --- the stack */

struct auxv { u64 v[44]; u32 n; };		/* as many as mm->auxv */

static void aux(struct auxv *a, u64 type, u64 value)
{
	a->v[a->n++] = type;
	a->v[a->n++] = value;
}

static void build_auxv(struct exec *x, struct auxv *a, u64 random, u64 execfn, u64 platform)
{
	const struct cred *c = x->cred.new;

	aux(a, AT_SYSINFO_EHDR, x->mm->vdso);
	aux(a, AT_MINSIGSTKSZ, 4720);
	aux(a, AT_HWCAP, arch_hwcap);
	aux(a, AT_PAGESZ, PAGE_SIZE);
	aux(a, AT_CLKTCK, 100);
	aux(a, AT_PHDR, x->phdr);
	aux(a, AT_PHENT, sizeof(Elf64_Phdr));
	aux(a, AT_PHNUM, x->phnum);
	aux(a, AT_BASE, x->interp_base);
	aux(a, AT_FLAGS, 0);
	aux(a, AT_ENTRY, x->entry);
	aux(a, AT_UID, c->uid);
	aux(a, AT_EUID, c->euid);
	aux(a, AT_GID, c->gid);
	aux(a, AT_EGID, c->egid);
	aux(a, AT_SECURE, x->cred.secure);
	aux(a, AT_RANDOM, random);
	aux(a, AT_HWCAP2, arch_hwcap2);
	aux(a, AT_EXECFN, execfn);
	aux(a, AT_PLATFORM, platform);
}

static int poke(struct exec *x, u64 at, const void *p, size_t n)
{
	ssize_t did = mm_access(x->mm, at, (void *)p, n, true, false);

	return did == (ssize_t)n ? 0 : did == -ENOMEM ? -ENOMEM : -E2BIG;	/* else its stack is too small */
}

static u32 fill_pointers(u64 *vec, const struct strings *s, u64 base)
{
	size_t off = 0;
	u32 n = 0;

	while (off < s->len) {
		vec[n++] = base + off;
		off += strlen(s->buf + off) + 1;
	}
	vec[n++] = 0;
	return n;
}

/* From high to low: name, platform, environment, arguments, random bytes; then auxv, envp, argv, argc at the new stack pointer. */
static int build_stack(struct exec *x, u64 *sp_out)
{
	u64 top = x->mm->start_stack, random[2] = { random_u64(), random_u64() };
	u64 execfn = top - 8 - (strlen(x->name) + 1), platform = execfn - 8;
	u64 env = platform - x->env.len, args = env - x->args.len, rnd = ALIGN_DOWN(args - 16, 16ul), sp;
	struct auxv a = { .n = 0 };
	size_t words = 1 + x->args.count + 1 + x->env.count + 1;
	u64 *vec;
	u32 n = 0;
	int err;

	build_auxv(x, &a, rnd, execfn, platform);
	aux(&a, AT_NULL, 0);
	sp = ALIGN_DOWN(rnd - (words + a.n) * 8, 16ul);
	vec = kvmalloc((words + a.n) * 8, GFP_KERNEL);
	if (!vec)
		return -ENOMEM;
	vec[n++] = x->args.count;
	n += fill_pointers(vec + n, &x->args, args);
	n += fill_pointers(vec + n, &x->env, env);
	memcpy(vec + n, a.v, a.n * 8);
	memcpy(x->mm->auxv, a.v, a.n * 8);
	err = poke(x, execfn, x->name, strlen(x->name) + 1);
	if (!err)
		err = poke(x, platform, "aarch64", 8);
	if (!err && x->env.len)
		err = poke(x, env, x->env.buf, x->env.len);
	if (!err && x->args.len)
		err = poke(x, args, x->args.buf, x->args.len);
	if (!err)
		err = poke(x, rnd, random, 16);
	if (!err)
		err = poke(x, sp, vec, (words + a.n) * 8);
	kvfree(vec);
	x->mm->arg_start = args;
	x->mm->arg_end = x->mm->env_start = env;
	x->mm->env_end = platform;
	*sp_out = sp;
	return err;
}

static int setup_stack(struct exec *x, u64 *sp)
{
	size_t need = PAGE_ALIGN(x->args.len + x->env.len + (x->args.count + x->env.count + 64) * 8 + 2 * PATH_MAX) + 32 * PAGE_SIZE;
	int err;

	rwsem_write_lock(&x->mm->mmap_lock);
	err = mm_map_stack(x->mm, x->mm->start_stack, need, x->stack_exec);
	if (!err) {
		u64 brk = PAGE_ALIGN(x->bss_end) + (READ_ONCE(randomize_va_space) > 1 ? shift_by(x, 0x1fff) : 0);

		mm_set_brk(x->mm, brk, brk);
		err = vdso_map(x->mm);
	}
	rwsem_write_unlock(&x->mm->mmap_lock);
	return err ? err : build_stack(x, sp);
}

/* --- scripts, set-id, the switch */

/* name: of the script, which its interpreter is to open. */
static int load_script(struct exec *x, const char *name, char **interp)
{
	char *line = x->head + 2, *end, *arg;
	int err;

	x->head[HEAD_SIZE - 1] = '\0';
	end = strchr(line, '\n');
	if (!end)
		end = line + strlen(line);
	*end = '\0';
	while (end > line && is_space(end[-1]))
		*--end = '\0';
	while (*line == ' ' || *line == '\t')
		line++;
	if (!*line)
		return -ENOEXEC;
	for (arg = line; *arg && *arg != ' ' && *arg != '\t'; arg++)
		;
	if (*arg) {
		*arg++ = '\0';
		while (*arg == ' ' || *arg == '\t')
			arg++;
	}
	strings_drop_first(&x->args);
	err = strings_prepend(&x->args, name);
	if (!err && *arg)
		err = strings_prepend(&x->args, arg);
	if (!err)
		err = strings_prepend(&x->args, line);
	*interp = err ? NULL : kstrdup(line, GFP_KERNEL);
	return err ? err : *interp ? 0 : -ENOMEM;
}

void group_exit_locked(struct process *p, int status);

/* t, alone by now, takes the number of the first thread, which nobody may miss meanwhile: the process bears it, and has run since that began. */
static void become_leader(struct process *p, struct task *t)
{
	struct task *old = p->leader;

	spin_lock_irq(&proc_lock);
	pid_give_up(t);
	spin_unlock_irq(&proc_lock);
	synchronize_rcu();		/* who passes along that chain has passed t: the link is needed anew */
	spin_lock_irq(&proc_lock);
	if (old->ptrace)
		ptrace_unlink_locked(old);
	WRITE_ONCE(t->start_ns, old->start_ns);
	pid_take_over(t, old);
	list_del_rcu(&old->thread_link);
	WRITE_ONCE(p->leader, t);
	spin_unlock_irq(&proc_lock);
	task_put(old);
}

/* Only current may go on: kill the others and wait; current takes the leader's number. */
static int kill_other_threads(void)
{
	struct task *t = current, *i;
	struct process *p = t->proc;

	if (p->nr_threads == 1 && p->leader == t)
		return 0;
	spin_lock_irq(&proc_lock);
	spin_lock(&p->sighand->lock);
	if ((p->group_flags & PROC_GROUP_EXIT) || p->group_exec) {
		spin_unlock(&p->sighand->lock);
		spin_unlock_irq(&proc_lock);
		return -EAGAIN;
	}
	p->group_exec = t;
	list_for_each_entry_rcu(i, &p->threads, thread_link)
		if (i != t) {
			i->pending.set.bits |= sig_bit(SIGKILL);
			signal_wake_locked(i, true);
		}
	spin_unlock(&p->sighand->lock);
	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		if (p->nr_threads == 1)
			break;
		spin_unlock_irq(&proc_lock);
		schedule();
		spin_lock_irq(&proc_lock);
	}
	WRITE_ONCE(t->state, TASK_RUNNING);
	p->group_exec = NULL;
	spin_unlock_irq(&proc_lock);
	if (p->leader != t)
		become_leader(p, t);
	return 0;
}

static void set_comm(const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	task_comm_set(current, base, strlen(base));
}

static void become(struct exec *x, u64 sp)
{
	struct task *t = current;
	struct file *old = t->proc->exe;

	set_comm(x->name);
	t->pflags &= ~(u32)(PF_KTHREAD | PF_FORKNOEXEC);
	futex_exit(t, true);
	if (t->vfork_done) {
		spin_lock_irq(&proc_lock);
		if (t->vfork_done)
			complete(t->vfork_done);
		t->vfork_done = NULL;
		spin_unlock_irq(&proc_lock);
	}
	if (t->mm)
		usage_note_rss(t->proc, t->mm);
	file_get(x->file);
	x->mm->exe = x->file;
	mm_install(x->mm);
	file_get(x->file);
	t->proc->exe = x->file;
	if (old)
		file_put(old);
	atomic_inc(&t->proc->execs);
	t->proc->did_exec = true;	/* before close-on-exec: a parent waiting for that end may look next */
	fdtable_close_on_exec(t->files);
	signal_flush_handlers(t->proc);
	posix_timers_exit(t->proc, true);
	t->altstack = (struct sigaltstack_state){ .flags = 2 /* SS_DISABLE */ };
	rseq_exec();
	t->clear_child_tid = NULL;
	*(struct task **)t->head.kernel_sp = t;
	arch_exec_setup(current_frame(), x->start, sp);
}

/* path is opened; name is what the program sees of it. */
static int exec_binary(struct exec *x, int dirfd, const char *path, const char *name, u32 at_flags)
{
	char *interp = NULL;
	u64 pos = 0, sp;
	ssize_t n;
	int err = vfs_open_exec(dirfd, path, at_flags, &x->file);

	if (err)
		return err;
	memset(x->head, 0, sizeof(x->head));
	n = vfs_read_kernel(x->file, x->head, HEAD_SIZE, &pos);
	if (n < 0)
		err = (int)n;
	else if (n >= 2 && x->head[0] == '#' && x->head[1] == '!')
		err = ++x->depth > 4 ? -ELOOP : x->name_dies ? -ENOENT : load_script(x, name, &interp);
	else if (n < (ssize_t)sizeof(Elf64_Ehdr))
		err = -ENOEXEC;
	if (!err && interp) {
		vfs_exec_put(x->file);
		x->name_dies = false;
		err = exec_binary(x, AT_FDCWD, interp, interp, 0);
		kfree(interp);
		return err;
	}
	if (!err)
		err = elf_check_header((const Elf64_Ehdr *)x->head);
	if (!err)
		err = exec_cred_prepare(&x->cred, x->file);
	if (err)
		goto out;
	x->unreadable = inode_permission(x->file->inode, MAY_READ) != 0;
	x->mm = mm_create();
	if (!x->mm) {
		err = -ENOMEM;
		goto out;
	}
	place_areas(x);
	err = load_elf(x);
	if (!err)
		err = setup_stack(x, &sp);
	if (!err)
		err = kill_other_threads();
	if (!err && current->files)
		err = fdtable_unshare();
	if (!err)
		err = exec_cred_commit(&x->cred, x->unreadable);
	if (err)
		mm_put(x->mm);
	else
		become(x, sp);
out:
	exec_cred_end(&x->cred);
	vfs_exec_put(x->file);
	return err;
}

static void exec_free(struct exec *x)
{
	kvfree(x->args.buf);
	kvfree(x->env.buf);
	kfree(x->path);
	kfree(x->name);
	kfree(x);
}

/* A path from a descriptor is called /dev/fd/N/path, so that the interpreter of a script finds it; execveat(2). */
static int name_program(struct exec *x, int dfd)
{
	size_t size = strlen(x->path) + sizeof("/dev/fd/2147483647/");

	x->name = kmalloc(size, GFP_KERNEL);
	if (!x->name)
		return -ENOMEM;
	if (dfd == AT_FDCWD || x->path[0] == '/') {
		strlcpy(x->name, x->path, size);
		return 0;
	}
	if (x->path[0])
		ksnprintf(x->name, size, "/dev/fd/%d/%s", dfd, x->path);
	else
		ksnprintf(x->name, size, "/dev/fd/%d", dfd);
	x->name_dies = fd_get_cloexec((u32)dfd) > 0;
	return 0;
}

static long do_execveat(int dfd, const char __user *upath, const u64 __user *argv, const u64 __user *envp, u32 flags)
{
	struct exec *x = kzalloc(sizeof(*x), GFP_KERNEL);
	s32 old_tid = current->tid;
	size_t limit = min(max(rlimit(RLIMIT_STACK) / 4, 32 * PAGE_SIZE), 6ul << 20);
	ssize_t n;
	long err;

	if (!x)
		return -ENOMEM;
	x->path = kmalloc(PATH_MAX, GFP_KERNEL);
	err = x->path ? cred_check_nproc() : -ENOMEM;
	if (!err) {
		n = strncpy_from_user(x->path, upath, PATH_MAX);
		err = n < 0 ? n : !n && !(flags & AT_EMPTY_PATH) ? -ENOENT : 0;
	}
	if (!err)
		err = strings_from_user(&x->args, argv, limit);
	if (!err)
		err = strings_from_user(&x->env, envp, limit);
	if (!err && x->args.len + x->env.len > limit)
		err = -E2BIG;
	if (!err && !x->args.count)
		err = strings_add(&x->args, "", 0);	/* as Linux since 5.18: never an empty argv */
	if (!err)
		err = name_program(x, dfd);
	if (!err)
		err = exec_binary(x, dfd, x->path, x->name, flags);
	if (!err)
		sched_exec();
	TRACE_TEXT(sched_exec, x->path, (u64)err);
	exec_free(x);
	if (!err)
		ptrace_exec(old_tid);
	return err;
}

long sys_execve(const char __user *path, void __user *argv, void __user *envp)
{
	return do_execveat(AT_FDCWD, path, argv, envp, 0);
}

long sys_execveat(int dfd, const char __user *path, void __user *argv, void __user *envp, u32 flags)
{
	if (flags & ~(u32)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	return do_execveat(dfd, path, argv, envp, flags);
}

int exec_kernel(const char *path, char *const argv[], char *const envp[])
{
	struct exec *x = kzalloc(sizeof(*x), GFP_KERNEL);
	int err;

	if (!x)
		return -ENOMEM;
	x->name = kstrdup(path, GFP_KERNEL);
	err = x->name ? strings_from_kernel(&x->args, argv) : -ENOMEM;
	if (!err)
		err = strings_from_kernel(&x->env, envp);
	if (!err)
		err = exec_binary(x, AT_FDCWD, path, path, 0);
	exec_free(x);
	return err;
}
