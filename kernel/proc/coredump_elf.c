/* A core file: an ELF header, a program header for the notes and one for each mapping, the notes, and from the next page on the memory.
 *
 * Everything's place is known before the first byte is written, so that a pipe can take it: the notes have sizes that do not depend on what is
 * in them, but for the list of files, which is made beforehand.  What gdb and others expect, and in which order, is Linux's.  elf(5), core(5). */
#include <asm/ptrace.h>
#include <linux/auxvec.h>
#include <linux/elf.h>
#include <linux/limits.h>
#include <arch/mmu.h>
#include <arch/ptrace.h>
#include <fs/vfs.h>
#include <kernel/abi/elfcore.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/coredump.h>
#include <kernel/proc/proc_internal.h>
#include <kernel/sched/sched.h>
#include <kernel/time/time.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <mm/vma.h>

#define AUX_SIZE	(2 * sizeof(u64))	/* an entry of the auxiliary vector */
#define FILE_NOTE_MAX	(4ul << 20)	/* a longer list of files is left out, as on Linux */

/* A mapping as it was when the dump began. */
struct segment {
	vaddr_t start, end;
	u64 len;			/* bytes of it that are dumped */
	u64 pgoff;
	u32 flags;			/* VM_* */
	bool anon;			/* pages that are not there are zero */
	bool if_elf;			/* len counts only if it begins like an ELF file */
	struct file *file;		/* referenced, or NULL */
};

struct image {
	struct core_dump *d;
	struct mm *mm;
	struct segment *seg;
	u32 nr, nr_threads;
	char *files;			/* the NT_FILE note, or NULL */
	size_t files_len;
	u32 auxv_len;			/* bytes */
	char page[PAGE_SIZE];
};

/* --- bytes out */

static bool emit(struct core_dump *d, const void *p, size_t n)
{
	if (d->written + n > d->limit || d->written + n < n || fatal_signal_pending(current))
		return false;
	if (vfs_write_kernel(d->file, p, n, &d->pos) != (ssize_t)n)
		return false;
	d->written += n;
	return true;
}

/* The zeroes that were put off: a hole, where the file can have one. */
static bool emit_skipped(struct image *m)
{
	struct core_dump *d = m->d;
	static const char zeroes[256];

	if (d->seekable) {
		d->pos += d->skip;
		d->skip = 0;
	}
	while (d->skip) {
		size_t n = min(d->skip, sizeof(zeroes));

		if (!emit(d, zeroes, n))
			return false;
		d->skip -= n;
	}
	return true;
}

static bool put(struct image *m, const void *p, size_t n)
{
	return emit_skipped(m) && emit(m->d, p, n);
}

/* --- which memory */

static int find_anon(void *arg, vaddr_t addr, const struct pte_info *info, u32 nr)
{
	for (u32 i = 0; i < nr && !info->special; i++)
		if (READ_ONCE(pfn_to_page(info->pfn + i)->flags) & PG_ANON) {
			*(vaddr_t *)arg = max(*(vaddr_t *)arg, addr + i * PAGE_SIZE);
			return 1;
		}
	return 0;
}

/* The first page at or behind at that the program has written to; end: none.  mmap_lock held for reading. */
static vaddr_t next_written_locked(struct mm *mm, vaddr_t at, vaddr_t end)
{
	vaddr_t found = at;
	u64 slot;

	if (!pt_walk(mm, at, end, find_anon, &found))
		found = end;
	if (unlikely(atomic_load(&mm->swapped)))
		found = min(found, pt_next_swap(mm, at, found, 0, 0, &slot));
	return found;
}

static vaddr_t next_written(struct mm *mm, vaddr_t at, vaddr_t end)
{
	rwsem_read_lock(&mm->mmap_lock);
	at = next_written_locked(mm, at, end);
	rwsem_read_unlock(&mm->mmap_lock);
	return at;
}

/* How much of v is dumped, by the process's filter.  mmap_lock held. */
static void judge(struct segment *s, struct vma *v, u32 filter)
{
	const struct inode *i = v->file ? v->file->inode : NULL;
	const u64 whole = v->end - v->start;

	s->len = 0;
	if (v->flags & VM_SPECIAL) {
		s->len = v->ops && v->ops->name && v->ops->name(v) ? whole : 0;	/* the vDSO */
	} else if (v->flags & VM_DONTDUMP) {
		;
	} else if (v->flags & VM_SHARED) {
		s->len = filter & (!i || !READ_ONCE(i->nlink) ? CORE_ANON_SHARED : CORE_FILE_SHARED) ? whole : 0;
	} else if ((filter & CORE_ANON_PRIVATE) && next_written_locked(v->mm, v->start, v->end) < v->end) {
		s->len = whole;
	} else if (!i) {
		;
	} else if (filter & CORE_FILE_PRIVATE) {
		s->len = whole;
	} else if ((filter & CORE_ELF_HEADERS) && !v->pgoff && (v->flags & VM_READ)) {
		s->len = PAGE_SIZE;
		s->if_elf = !(READ_ONCE(i->mode) & 0111);
	}
}

/* The list of mappings, with their files. */
static bool take_segments(struct image *m)
{
	u32 filter = READ_ONCE(current->proc->dump_filter);
	struct mm *mm = m->mm;

	rwsem_read_lock(&mm->mmap_lock);
	m->seg = kvmalloc(max(mm->nr_vmas, 1u) * sizeof(*m->seg), GFP_KERNEL);
	for (struct rb_node *n = m->seg ? rb_first(&mm->vmas) : NULL; n; n = rb_next(n)) {
		struct vma *v = rb_entry(n, struct vma, node);
		struct segment *s = &m->seg[m->nr++];

		*s = (struct segment){ .start = v->start, .end = v->end, .pgoff = v->pgoff, .flags = v->flags, .file = v->file, .anon = !v->file };
		if (v->file)
			file_get(v->file);
		judge(s, v, filter);
	}
	rwsem_read_unlock(&mm->mmap_lock);
	for (u32 i = 0; i < m->nr; i++) {
		struct segment *s = &m->seg[i];
		char magic[SELFMAG];

		if (s->if_elf && (mm_access(mm, s->start, magic, SELFMAG, false, true) != SELFMAG || memcmp(magic, ELFMAG, SELFMAG)))
			s->len = 0;
	}
	return m->seg;
}

static bool put_memory(struct image *m, const struct segment *s)
{
	const vaddr_t end = s->start + s->len;
	vaddr_t at = s->start;

	while (at < end) {
		vaddr_t page = s->anon && !(s->flags & VM_SPECIAL) ? next_written(m->mm, at, end) : at;

		m->d->skip += page - at;
		if (page == end)
			break;
		if (mm_access(m->mm, page, m->page, PAGE_SIZE, false, true) != PAGE_SIZE)
			m->d->skip += PAGE_SIZE;	/* behind the end of its file, or unmapped meanwhile */
		else if (!put(m, m->page, PAGE_SIZE))
			return false;
		if (fatal_signal_pending(current))
			return false;
		at = page + PAGE_SIZE;
	}
	return true;
}

/* --- notes */

static size_t note_size(const char *name, size_t len) { return sizeof(Elf64_Nhdr) + ALIGN_UP(strlen(name) + 1, 4ul) + ALIGN_UP(len, 4ul); }

static bool put_note(struct image *m, const char *name, u32 type, const void *p, size_t len)
{
	const Elf64_Nhdr h = { .n_namesz = (u32)strlen(name) + 1, .n_descsz = (u32)len, .n_type = type };

	if (!put(m, &h, sizeof(h)) || !put(m, name, h.n_namesz))
		return false;
	m->d->skip += ALIGN_UP(h.n_namesz, 4u) - h.n_namesz;
	if (!put(m, p, len))
		return false;
	m->d->skip += ALIGN_UP(len, 4ul) - len;
	return true;
}

/* One try: the note in size bytes.  Returns those it needs, or more than size if they are too few. */
static size_t fill_files(const struct image *m, char *buf, size_t size, char *tmp)
{
	u64 *word = (u64 *)buf, n = 0;
	size_t at;

	for (u32 i = 0; i < m->nr; i++)
		n += m->seg[i].file != NULL;
	at = (2 + 3 * n) * sizeof(u64);
	if (at > size)
		return at;
	*word++ = n;
	*word++ = PAGE_SIZE;
	for (u32 i = 0; i < m->nr; i++) {
		const struct segment *s = &m->seg[i];
		const char *name;
		size_t len;

		if (!s->file)
			continue;
		name = path_string(&s->file->path, tmp, PATH_MAX);
		name = name ? name : "";
		len = strlen(name) + 1;
		if (at + len > size)
			return size + 1;
		*word++ = s->start;
		*word++ = s->end;
		*word++ = s->pgoff;
		memcpy(buf + at, name, len);
		at += len;
	}
	return at;
}

static void list_files(struct image *m)
{
	for (size_t size = 16384; size <= FILE_NOTE_MAX; size *= 4) {
		m->files = kvmalloc(size, GFP_KERNEL);
		if (!m->files)
			return;
		m->files_len = fill_files(m, m->files, size, m->page);
		if (m->files_len <= size)
			return;
		kvfree(m->files);
		m->files = NULL;
	}
}

static struct core_time core_time(u64 ns) { return (struct core_time){ (s64)(ns / NSEC_PER_SEC), (s64)(ns % NSEC_PER_SEC / 1000) }; }

static void fill_status(struct elf_prstatus *s, struct task *t, int sig)
{
	struct process *p = t->proc;
	struct usage kids, u;

	memset(s, 0, sizeof(*s));
	if (t == p->leader)
		usage_of_process(p, &u);
	else
		usage_of_task(t, &u);
	spin_lock_irq(&proc_lock);
	s->ppid = p->parent ? p->parent->pid : 0;
	s->pgrp = p->pgid;
	s->sid = p->sid;
	kids = p->child_usage;
	spin_unlock_irq(&proc_lock);
	s->info.signo = sig;
	s->cursig = (s16)sig;
	s->sigpend = t->pending.set.bits;
	s->sighold = t->blocked.bits;
	s->pid = t->tid;
	s->utime = core_time(u.utime_ns);
	s->stime = core_time(u.stime_ns);
	s->cutime = core_time(kids.utime_ns);
	s->cstime = core_time(kids.stime_ns);
	arch_regset_find(NT_PRSTATUS)->get(t, s->reg);
	s->fpvalid = 1;
}

static void fill_info(struct image *m, struct elf_prpsinfo *i, const struct elf_prstatus *s)
{
	const struct task *t = current;
	ssize_t n;

	memset(i, 0, sizeof(*i));
	i->sname = 'R';
	i->nice = (char)READ_ONCE(t->se.nice);
	i->uid = t->cred->uid;
	i->gid = t->cred->gid;
	i->pid = s->pid;
	i->ppid = s->ppid;
	i->pgrp = s->pgrp;
	i->sid = s->sid;
	memcpy(i->fname, t->comm, sizeof(i->fname));
	n = mm_access(m->mm, m->mm->arg_start, i->psargs, min(m->mm->arg_end - m->mm->arg_start, sizeof(i->psargs) - 1), false, true);
	for (ssize_t k = 0; k < n; k++)
		if (!i->psargs[k])
			i->psargs[k] = ' ';
}

static const char *regset_owner(const struct arch_regset *rs) { return rs->type == NT_PRFPREG ? "CORE" : "LINUX"; }

static size_t regsets_size(void)
{
	const struct arch_regset *rs;
	size_t sum = 0;

	for (u32 i = 0; (rs = arch_regset_at(i)) != NULL; i++)
		if (rs->type != NT_PRSTATUS)
			sum += note_size(regset_owner(rs), rs->size);
	return sum;
}

static bool put_regsets(struct image *m, struct task *t)
{
	const struct arch_regset *rs;

	for (u32 i = 0; (rs = arch_regset_at(i)) != NULL; i++) {
		if (rs->type == NT_PRSTATUS)
			continue;
		rs->get(t, m->page);
		if (!put_note(m, regset_owner(rs), rs->type, m->page, rs->size))
			return false;
	}
	return true;
}

static bool put_process(struct image *m, const struct elf_prstatus *status)
{
	struct elf_prpsinfo info;

	fill_info(m, &info, status);
	return put_note(m, "CORE", NT_PRPSINFO, &info, sizeof(info)) &&
	       put_note(m, "CORE", NT_SIGINFO, m->d->info, sizeof(*m->d->info)) &&
	       put_note(m, "CORE", NT_AUXV, m->mm->auxv, m->auxv_len) &&
	       (!m->files || put_note(m, "CORE", NT_FILE, m->files, m->files_len));
}

/* The dumper comes first: its is the signal, and debuggers take the first for the one that is looked at. */
static bool put_notes(struct image *m)
{
	int sig = m->d->info->si_signo;
	struct elf_prstatus status;

	fill_status(&status, current, sig);
	if (!put_note(m, "CORE", NT_PRSTATUS, &status, sizeof(status)) || !put_process(m, &status) || !put_regsets(m, current))
		return false;
	for (const struct core_thread *c = m->d->state.threads; c; c = c->next) {
		fill_status(&status, c->task, sig);
		if (!put_note(m, "CORE", NT_PRSTATUS, &status, sizeof(status)) || !put_regsets(m, c->task))
			return false;
	}
	return true;
}

static size_t notes_size(const struct image *m)
{
	return m->nr_threads * (note_size("CORE", sizeof(struct elf_prstatus)) + regsets_size()) + note_size("CORE", sizeof(struct elf_prpsinfo)) +
	       note_size("CORE", sizeof(siginfo_t)) + note_size("CORE", m->auxv_len) + (m->files ? note_size("CORE", m->files_len) : 0);
}

/* --- headers */

static bool put_headers(struct image *m, u64 notes_at, size_t notes, u64 data_at)
{
	const u32 nr = m->nr + 1;
	Elf64_Ehdr h = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT, ELFOSABI_NONE }, .e_type = ET_CORE,
			 .e_machine = EM_AARCH64, .e_version = EV_CURRENT, .e_phoff = sizeof(h), .e_ehsize = sizeof(h),
			 .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = nr < PN_XNUM ? (u16)nr : PN_XNUM };
	Elf64_Phdr p = { .p_type = PT_NOTE, .p_offset = notes_at, .p_filesz = notes, .p_align = 4 };
	u64 at = data_at;

	if (nr >= PN_XNUM) {		/* too many for the field: the first section header, behind all else, knows */
		for (u32 i = 0; i < m->nr; i++)
			h.e_shoff += m->seg[i].len;
		h.e_shoff += data_at;
		h.e_shentsize = sizeof(Elf64_Shdr);
		h.e_shnum = 1;
	}
	if (!put(m, &h, sizeof(h)) || !put(m, &p, sizeof(p)))
		return false;
	for (u32 i = 0; i < m->nr; i++) {
		const struct segment *s = &m->seg[i];

		p = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = at, .p_vaddr = s->start, .p_filesz = s->len, .p_memsz = s->end - s->start,
				  .p_align = PAGE_SIZE };
		p.p_flags = (s->flags & VM_READ ? PF_R : 0) | (s->flags & VM_WRITE ? PF_W : 0) | (s->flags & VM_EXEC ? PF_X : 0);
		at += s->len;
		if (!put(m, &p, sizeof(p)))
			return false;
	}
	return true;
}

static bool put_end(struct image *m)
{
	const Elf64_Shdr sh = { .sh_size = 1, .sh_info = m->nr + 1 };

	if (m->nr + 1 >= PN_XNUM)
		return put(m, &sh, sizeof(sh));
	if (!m->d->skip)
		return true;
	m->d->skip--;			/* the file is as long as its headers say */
	return put(m, "", 1);
}

static bool put_all(struct image *m)
{
	u64 notes_at = sizeof(Elf64_Ehdr) + (m->nr + 1) * sizeof(Elf64_Phdr);
	size_t notes = notes_size(m);
	u64 data_at = PAGE_ALIGN(notes_at + notes);

	if (!put_headers(m, notes_at, notes, data_at) || !put_notes(m))
		return false;
	m->d->skip += data_at - (notes_at + notes);
	for (u32 i = 0; i < m->nr; i++)
		if (!put_memory(m, &m->seg[i]))
			return false;
	return put_end(m);
}

bool coredump_elf(struct core_dump *d)
{
	struct image *m = kzalloc(sizeof(*m), GFP_KERNEL);
	bool begun = false;

	if (!m)
		return false;
	m->d = d;
	m->mm = current->mm;
	m->nr_threads = 1;
	for (const struct core_thread *c = d->state.threads; c; c = c->next)
		m->nr_threads++;
	while (m->auxv_len < sizeof(m->mm->auxv) - AUX_SIZE && m->mm->auxv[m->auxv_len / sizeof(u64)] != AT_NULL)
		m->auxv_len += AUX_SIZE;
	m->auxv_len += AUX_SIZE;	/* the last: AT_NULL */
	if (take_segments(m)) {
		list_files(m);
		begun = true;
		(void)put_all(m);
	}
	for (u32 i = 0; i < m->nr; i++)
		if (m->seg[i].file)
			file_put(m->seg[i].file);
	kvfree(m->seg);
	kvfree(m->files);
	kfree(m);
	return begun;
}
