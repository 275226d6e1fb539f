/* Pseudo-terminals, as fs/devpts sees them: each mount of devpts is an instance of its own, with its own numbers.  (fs/devpts/devpts.c) */
#pragma once
#include <fs/vfs.h>

#define PTY_INDEX_MAX	(1u << 20)

/* devpts_of - the instance that a multiplexer stands for: the file system that it is a node of, or what is mounted on "pts" beside it.  *where: its
 * root, referenced.  0, -ENOENT (no such name is known there), -ENODEV.  Context: thread. */
int devpts_of(const struct path *ptmx, struct path *where);
/* devpts_add - a node for pty, that user's unless the mount says whose, with the smallest free number of the instance; keeps the superblock.
 * 0, -ENOSPC, -ENOMEM.
 * devpts_remove - it goes.  Context: thread, may sleep. */
int devpts_add(struct super *sb, void *pty, u32 uid, u32 gid, u32 *index);
void devpts_remove(struct super *sb, u32 index);
/* devpts_pty - whose node it is, after get(pty), or NULL: it has gone, or was never one.  Context: thread; get may not sleep. */
void *devpts_pty(const struct inode *node, void (*get)(void *pty));
/* devpts_open - open the node number index of the instance at where.  0, -EIO (it has gone), what an open returns.  Context: thread. */
int devpts_open(const struct path *where, u32 index, u32 o_flags, struct file **out);
