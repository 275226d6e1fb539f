/* procfs, inside: the tree of fixed files, and the directories of processes. */
#pragma once
#include <fs/inode.h>
#include <fs/seq.h>
#include <fs/vfs.h>

struct task;

struct proc_inode {
	struct inode vfs;
	const struct proc_node *node;		/* [I] a fixed file or directory, or NULL */
	const struct pid_entry *entry;		/* [I] a file of a process, or NULL */
	s32 pid, tid;				/* [I] of a process's files */
	u64 start_ns;				/* [I] so that a number used again is another process */
	s32 fd;					/* [I] /proc/<pid>/fd/N */
	bool thread;				/* [I] below /proc/<pid>/task */
};
static inline struct proc_inode *proc_i(const struct inode *i) { return container_of(i, struct proc_inode, vfs); }

/* A file of a process: text by show, a jump by get_link, or a directory by ops. */
struct pid_entry {
	const char *name;
	u32 mode;
	int (*show)(struct seq *s, struct task *t);
	/* A long text by pieces, as text_read_pieces wants it. */
	int (*show_from)(struct seq *s, struct task *t, u64 *cursor);
	int (*show_thread)(struct seq *s, struct task *t);	/* below task/, if that differs */
	int (*show_fd)(struct seq *s, struct task *t, s32 fd);	/* of a directory of descriptors: its files' text */
	int (*get_link)(struct task *t, struct path *out);
	int (*write)(struct task *t, const char *buf, size_t len);
	bool process_only;			/* not below task/: a tree walked would have no end */
	bool guarded;				/* opened and read only by who may look into the process: -EACCES */
	int (*lookup)(struct super *sb, struct inode **out);	/* of a directory that is the same for all */
	const struct inode_ops *iops;
	const struct file_ops *fops;
};
extern const struct pid_entry pid_entries[];	/* ends with a NULL name */

struct inode *proc_new_inode(struct super *sb, u32 mode, u64 ino);
/* proc_task - the task behind a process's inode, referenced; NULL if it is gone. */
struct task *proc_task(const struct inode *i);
/* pid_lookup / pid_next - /proc/<name>; the smallest pid at or above n, or -1. */
int pid_lookup(struct inode *root, s32 pid, struct inode **out);
s32 pid_next(s32 n);
int proc_net_lookup(struct super *sb, struct inode **out);	/* the directory "net" */
bool pid_alive_rcu(const struct inode *i);	/* RCU read side */
/* proc_no_create, proc_no_mkdir - the operations of every directory here: what is not there cannot be made (-ENOENT, as on Linux). */
int proc_no_create(struct inode *dir, const char *name, u32 len, u32 mode, dev_t_k rdev, struct inode **out);
int proc_no_mkdir(struct inode *dir, const char *name, u32 len, u32 mode, struct inode **out);
extern const struct file_ops proc_text_fops, proc_mem_fops;
int proc_text_open(struct inode *inode, struct file *f);
/* proc_may_inspect - may current look into t?  As ptrace(2) says, by the ids for files. */
bool proc_may_inspect(struct task *t);
/* proc_open_guarded - -EACCES if the process behind a guarded file is not current's to look into; -ESRCH: it is gone. */
int proc_open_guarded(const struct inode *inode);
int task_stat_show(struct seq *s, struct task *t), thread_stat_show(struct seq *s, struct task *t);
int task_schedstat_show(struct seq *s, struct task *t);
int task_statm_show(struct seq *s, struct task *t), task_status_show(struct seq *s, struct task *t);
int task_maps_from(struct seq *s, struct task *t, u64 *cursor), task_smaps_from(struct seq *s, struct task *t, u64 *cursor);
int task_smaps_rollup_show(struct seq *s, struct task *t);
int task_auxv_show(struct seq *s, struct task *t), task_stack_show(struct seq *s, struct task *t), task_personality_show(struct seq *s, struct task *t);
int task_io_show(struct seq *s, struct task *t), thread_io_show(struct seq *s, struct task *t);
int task_oom_score_show(struct seq *s, struct task *t);
extern const struct file_ops proc_pagemap_fops;
int proc_path_link(struct path *p, char *buf, size_t size);	/* readlink of a jump; drops *p */
