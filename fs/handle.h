/* Handles: a file named by its superblock and a few words, for name_to_handle_at(2).  Theory in handle.c. */
#pragma once
#include <fs/vfs.h>

#define HANDLE_WORDS	3u	/* at most */

/* What a filesystem does for it.  Handles of all of them are Linux's type 1. */
struct handle_ops {
	/* encode - the words by which find will find the inode, and no later one of its number; how many, -ENOMEM.  Context: thread. */
	int (*encode)(struct inode *i, u32 *words);
	/* find - the inode, referenced.  The words come from a program.  0, -ESTALE, -ENOMEM and what reading gives.  Context: thread. */
	int (*find)(struct super *sb, const u32 *words, u32 nr, struct inode **out);
	/* parent - of a directory that has a name, referenced.  The super's rename mutex and dir's lock (any mode) held. */
	int (*parent)(struct inode *dir, struct inode **out);
	/* name_of - under which child stands in dir: NUL-terminated, NAME_MAX + 1 bytes.  0, -ENOENT.  dir's lock held (any mode). */
	int (*name_of)(struct inode *dir, const struct inode *child, char *name);
};

/* handle_encode - what identifies the inode, on a filesystem without handles too (then nothing leads back): how many words, -ENOMEM. */
int handle_encode(struct inode *i, u32 words[HANDLE_WORDS]);
