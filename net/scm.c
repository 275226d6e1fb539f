/* Control messages: descriptors, credentials, and whatever a family tells beside the bytes.  Contracts in scm.h. */
#include <net/scm.h>
#include <arch/uaccess.h>
#include <fs/file.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/user.h>
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <mm/slab.h>

/* --- sending --- */

const struct cmsghdr *scm_next(const struct scm *scm, const struct cmsghdr *at)
{
	u64 off = 0, left;

	if (at)
		off = (u64)((const char *)at - (const char *)scm->control) + CMSG_ALIGN_K(at->cmsg_len);
	if (off > scm->control_len)
		return NULL;
	left = scm->control_len - off;
	return left < sizeof(struct cmsghdr) ? NULL : (const struct cmsghdr *)((const char *)scm->control + off);
}

static bool header_ok(const struct scm *scm, const struct cmsghdr *c)
{
	u64 left = scm->control_len - (u64)((const char *)c - (const char *)scm->control);

	return c->cmsg_len >= sizeof(*c) && c->cmsg_len <= left;
}

/* More descriptors: those of several messages come together. */
static int take_files(struct scm *scm, const struct cmsghdr *c)
{
	const s32 *fds = (const s32 *)(c + 1);
	u64 nr = (c->cmsg_len - sizeof(*c)) / sizeof(s32);
	struct scm_files *l = scm->files;

	if (!nr)
		return 0;
	if (nr > SCM_MAX_FD || (l && l->nr + nr > SCM_MAX_FD))
		return -EINVAL;
	l = krealloc(l, sizeof(*l) + ((l ? l->nr : 0) + nr) * sizeof(l->file[0]), GFP_KERNEL);
	if (!l)
		return -ENOMEM;
	if (!scm->files)
		memset(l, 0, sizeof(*l));
	scm->files = l;
	for (u64 i = 0; i < nr; i++) {
		struct file *f = fd_get_any(fds[i]);

		if (!f)
			return -EBADF;
		l->file[l->nr++] = f;
	}
	return 0;
}

static int take_cred(struct scm *scm, const struct cmsghdr *c)
{
	const struct cred *me = current_cred();
	struct ucred u;

	if (c->cmsg_len != CMSG_LEN_K(sizeof(u)))
		return -EINVAL;
	memcpy(&u, c + 1, sizeof(u));
	if (u.uid == ~0u || u.gid == ~0u)
		return -EINVAL;
	if (u.pid != current_pid() && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (u.uid != me->uid && u.uid != me->euid && u.uid != me->suid && !capable(CAP_SETUID))
		return -EPERM;
	if (u.gid != me->gid && u.gid != me->egid && u.gid != me->sgid && !capable(CAP_SETGID))
		return -EPERM;
	if (u.pid != current_pid()) {
		bool there;

		rcu_read_lock();
		there = task_find(u.pid);
		rcu_read_unlock();
		if (!there)
			return -ESRCH;
	}
	scm->cred = u;
	scm->has_cred = true;
	return 0;
}

int scm_parse(struct scm *scm)
{
	int err = 0;

	for (const struct cmsghdr *c = scm_next(scm, NULL); c && !err; c = scm_next(scm, c)) {
		if (!header_ok(scm, c))
			err = -EINVAL;
		else if (c->cmsg_level != SOL_SOCKET)
			continue;
		else if (c->cmsg_type == SCM_RIGHTS)
			err = take_files(scm, c);
		else if (c->cmsg_type == SCM_CREDENTIALS)
			err = take_cred(scm, c);
		else if (c->cmsg_type != SO_MARK && c->cmsg_type != SO_TXTIME && c->cmsg_type != SO_TIMESTAMPING_OLD)
			err = -EINVAL;		/* those are the family's, and may stand here */
	}
	if (err && scm->files) {
		scm_files_free(scm->files);
		scm->files = NULL;
	}
	return err;
}

/* --- receiving --- */

/* The header of a message with len bytes of data, of which room is left for *fits.  False: not even for itself. */
static bool put_begin(struct message *m, u32 len, u32 *fits)
{
	struct scm *scm = m->scm;

	if (!scm || scm->room < sizeof(struct cmsghdr)) {
		m->out_flags |= MSG_CTRUNC;
		return false;
	}
	*fits = len;
	if (scm->room < CMSG_LEN_K(len)) {
		m->out_flags |= MSG_CTRUNC;
		*fits = (u32)(scm->room - sizeof(struct cmsghdr));
	}
	return true;
}

static void put_end(struct scm *scm, u32 len)
{
	u64 space = min((u64)CMSG_SPACE_K(len), scm->room);

	scm->out += space;
	scm->room -= space;
	scm->used += space;
}

int scm_put(struct message *m, int level, int type, const void *data, u32 len)
{
	struct cmsghdr c = { .cmsg_level = level, .cmsg_type = type };
	u32 fits;

	if (!put_begin(m, len, &fits))
		return 0;
	c.cmsg_len = CMSG_LEN_K(fits);
	if (copy_to_user(user_ptr(m->scm->out), &c, sizeof(c)) || copy_to_user(user_ptr(m->scm->out + sizeof(c)), data, fits))
		return -EFAULT;
	put_end(m->scm, fits);
	return 0;
}

int scm_put_cred(struct message *m, s32 pid, u32 uid, u32 gid)
{
	struct ucred u = { pid, uid, gid };

	return scm_put(m, SOL_SOCKET, SCM_CREDENTIALS, &u, sizeof(u));
}

/* Descriptors for the first of files, as many as fit: how many. */
static u32 install_files(struct message *m, struct scm_files *files, u32 most)
{
	u32 flags = m->flags & MSG_CMSG_CLOEXEC ? O_CLOEXEC : 0, i;
	s32 __user *to = user_ptr(m->scm->out + sizeof(struct cmsghdr));

	for (i = 0; i < min(files->nr, most); i++) {
		int fd = fd_reserve(0, flags);

		if (fd < 0)
			break;
		if (put_user(fd, to + i)) {
			fd_cancel(fd);
			break;
		}
		file_get(files->file[i]);
		fd_install(fd, files->file[i]);
	}
	return i;
}

void scm_put_files(struct message *m, struct scm_files *files)
{
	struct cmsghdr c = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	struct scm *scm = m->scm;
	u32 most = scm && scm->room > sizeof(c) ? (u32)min((scm->room - sizeof(c)) / sizeof(s32), (u64)SCM_MAX_FD) : 0;
	u32 n = most ? install_files(m, files, most) : 0;

	if (n) {
		c.cmsg_len = CMSG_LEN_K(n * sizeof(s32));
		if (!copy_to_user(user_ptr(scm->out), &c, sizeof(c)))
			put_end(scm, n * (u32)sizeof(s32));
	}
	if (n < files->nr)
		m->out_flags |= MSG_CTRUNC;
	scm_files_free(files);
}

/* --- lists of files --- */

struct scm_files *scm_files_dup(const struct scm_files *f)
{
	struct scm_files *d = kmalloc(sizeof(*d) + f->nr * sizeof(d->file[0]), GFP_KERNEL);

	if (!d)
		return NULL;
	memset(d, 0, sizeof(*d));
	d->nr = f->nr;
	for (u32 i = 0; i < f->nr; i++) {
		d->file[i] = f->file[i];
		file_get(d->file[i]);
	}
	return d;
}

void scm_files_free(struct scm_files *f)
{
	for (u32 i = 0; i < f->nr; i++)
		file_put(f->file[i]);
	kfree(f);
}
