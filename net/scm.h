/* Control messages: what travels beside the bytes of a message.
 *
 * Sending, net/message.c copies the program's control buffer once and scm_parse() takes out what is SOL_SOCKET's: descriptors, which become
 * references on files, and credentials, which are checked.  A family finds its own with scm_next().  Receiving, a family tells what it has by
 * scm_put(); each goes straight to the program's buffer, and MSG_CTRUNC says that there was no room. */
#pragma once
#include <kernel/abi/socket.h>
#include <net/socket.h>

struct user;

/* Descriptors in flight: a reference on each file, counted for the user who sends. */
struct scm_files {
	u32 nr;
	u32 nr_unix;			/* sockets of AF_UNIX among them: these can be a cycle, net/unix_flight.c */
	struct user *user;		/* [I] referenced; NULL: not counted yet */
	struct scm_files *next;		/* on their way out */
	struct file *file[];
};

struct scm {
	/* sending */
	const void *control;		/* the whole, in the kernel; lengths are still the program's: scm_next() checks them */
	u32 control_len;
	bool has_cred;			/* SCM_CREDENTIALS was given, and allowed */
	struct ucred cred;
	struct scm_files *files;	/* SCM_RIGHTS; a family that sends them takes them and leaves NULL */
	/* receiving */
	u64 out;			/* where the next goes: an address of the program's */
	u64 room, used;			/* bytes */
};

/* scm_parse - checks all headers and takes what is SOL_SOCKET's.  0, -EINVAL, -EBADF, -EPERM, -ESRCH, -ENOMEM, -ETOOMANYREFS; on an error there
 * is nothing to free.  Context: thread. */
int scm_parse(struct scm *scm);
/* scm_next - the one after at (NULL: the first), or NULL; its data follow, of cmsg_len - sizeof(struct cmsghdr) bytes that are all there. */
const struct cmsghdr *scm_next(const struct scm *scm, const struct cmsghdr *at);
/* scm_put - one control message to the receiver of m; without room it is cut, and MSG_CTRUNC told.  0, -EFAULT.  Context: thread, may fault. */
int scm_put(struct message *m, int level, int type, const void *data, u32 len);
int scm_put_cred(struct message *m, s32 pid, u32 uid, u32 gid);
/* scm_put_files - new descriptors for the receiver; those without room or number are closed.  Consumes files. */
void scm_put_files(struct message *m, struct scm_files *files);
/* scm_files_dup - another reference on each (MSG_PEEK); NULL: no memory.  scm_files_free - drop them: any thread, no locks. */
struct scm_files *scm_files_dup(const struct scm_files *f);
void scm_files_free(struct scm_files *f);
