/* One block of a directory: entries from end to end, each saying how far it is to the next.  Pure: also run on the host.
 * block: size bytes, from the disk, believed in nothing.
 *
 * In blocks that were begun here no entry reaches over the end of a sector, though the format would allow it.  A sector is what a device
 * writes whole: if power fails in the middle of a block, each of its sectors is an old or a new one, and all of them still fit together. */
#pragma once
#include <fs/ext2/ext2_disk.h>

/* ext2_dirblock_wrong - NULL, or what is wrong with the entry at off.  inodes: how many there are.
 * ext2_dirblock_find - 1: *off is the entry of that name; 0: it is not there; -1: *off is a damaged entry.
 * ext2_dirblock_is - 1: that is the name of the entry at off; 0: it is another's; -1: the entry is damaged.
 * ext2_dirblock_room - as find, an entry (used or not) in which an entry for name_len bytes has room, from the entry at *off on.
 * ext2_dirblock_insert - into the room found at off; returns where the new entry stands.
 * ext2_dirblock_remove - the entry at off; its room goes to the one before it in its sector.
 * ext2_dirblock_init - unused entries as long as a sector.
 * ext2_dirblock_empty - as find, 1: there is nothing but "." and "..". */
const char *ext2_dirblock_wrong(const void *block, u32 size, u32 off, u32 inodes);
int ext2_dirblock_find(const void *block, u32 size, u32 inodes, const char *name, u32 len, u32 *off);
int ext2_dirblock_is(const void *block, u32 size, u32 inodes, const char *name, u32 len, u32 off);
int ext2_dirblock_room(const void *block, u32 size, u32 inodes, u32 name_len, u32 *off);
u32 ext2_dirblock_insert(void *block, u32 off, const char *name, u32 len, u32 ino, u8 type);
void ext2_dirblock_remove(void *block, u32 size, u32 off);
void ext2_dirblock_init(void *block, u32 size);
int ext2_dirblock_empty(const void *block, u32 size, u32 inodes, u32 *off);
static inline struct ext2_dirent *ext2_dirent_at(const void *block, u32 off) { return (struct ext2_dirent *)((char *)(u64)block + off); }
