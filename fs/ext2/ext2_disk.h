/* The layout of ext2 on the disk.  All numbers are little-endian, as this machine is; all structures are naturally aligned.
 * Source: "The Second Extended File System" (D. Poirier), and what e2fsprogs 1.47 makes and accepts. */
#pragma once
#include <kernel/lib/types.h>

#define EXT2_SUPER_OFFSET	1024u	/* bytes from the start of the volume */
#define EXT2_MAGIC		0xef53u
#define EXT2_GOOD_OLD_REV	0u
#define EXT2_DYNAMIC_REV	1u
#define EXT2_GOOD_OLD_INODE	128u
#define EXT2_GOOD_OLD_FIRST	11u
#define EXT2_ROOT_INO		2u
#define EXT2_MIN_BLOCK		1024u
#define EXT2_MAX_BLOCK		4096u	/* here: a page */

struct ext2_super_block {
	u32 inodes_count, blocks_count, r_blocks_count, free_blocks_count, free_inodes_count;
	u32 first_data_block;		/* 1 with blocks of 1 KiB, else 0 */
	u32 log_block_size, log_frag_size;
	u32 blocks_per_group, frags_per_group, inodes_per_group;
	u32 mtime, wtime;
	u16 mnt_count, max_mnt_count, magic, state, errors, minor_rev_level;
	u32 lastcheck, checkinterval, creator_os, rev_level;
	u16 def_resuid, def_resgid;
	/* revision 1 */
	u32 first_ino;
	u16 inode_size, block_group_nr;
	u32 feature_compat, feature_incompat, feature_ro_compat;
	u8 uuid[16];
	char volume_name[16], last_mounted[64];
	u32 algorithm_usage_bitmap;
	u8 prealloc_blocks, prealloc_dir_blocks;
	u16 reserved_gdt_blocks;
	u8 journal_uuid[16];
	u32 journal_inum, journal_dev, last_orphan, hash_seed[4];
	u8 def_hash_version, jnl_backup_type;
	u16 desc_size;
	u32 default_mount_opts, first_meta_bg;
	u32 mkfs_time, jnl_blocks[17];
	u32 later[172];			/* ext4's */
};
_Static_assert(sizeof(struct ext2_super_block) == 1024, "the superblock");

enum ext2_state { EXT2_VALID_FS = 1, EXT2_ERROR_FS = 2 };
enum ext2_errors { EXT2_ERRORS_CONTINUE = 1, EXT2_ERRORS_RO = 2, EXT2_ERRORS_PANIC = 3 };
enum ext2_compat { EXT2_DIR_PREALLOC = 1, EXT2_IMAGIC_INODES = 2, EXT3_HAS_JOURNAL = 4, EXT2_EXT_ATTR = 8, EXT2_RESIZE_INODE = 0x10,
		   EXT2_DIR_INDEX = 0x20, EXT2_SPARSE_SUPER2 = 0x200 };
enum ext2_ro_compat { EXT2_SPARSE_SUPER = 1, EXT2_LARGE_FILE = 2, EXT2_BTREE_DIR = 4 };
enum ext2_incompat { EXT2_COMPRESSION = 1, EXT2_FILETYPE = 2, EXT3_RECOVER = 4, EXT3_JOURNAL_DEV = 8, EXT2_META_BG = 0x10 };
#define EXT2_RO_COMPAT_KNOWN	((u32)(EXT2_SPARSE_SUPER | EXT2_LARGE_FILE | EXT2_BTREE_DIR))
#define EXT2_INCOMPAT_KNOWN	((u32)(EXT2_FILETYPE | EXT2_META_BG))
enum ext2_default_opts { EXT2_DEFM_DEBUG = 1, EXT2_DEFM_BSDGROUPS = 2, EXT2_DEFM_XATTR_USER = 4, EXT2_DEFM_ACL = 8, EXT2_DEFM_UID16 = 0x10 };

struct ext2_group_desc {
	u32 block_bitmap, inode_bitmap, inode_table;
	u16 free_blocks_count, free_inodes_count, used_dirs_count, pad;
	u32 reserved[3];
};
_Static_assert(sizeof(struct ext2_group_desc) == 32, "a group descriptor");

#define EXT2_NDIR	12u		/* direct blocks */
#define EXT2_IND	12u
#define EXT2_DIND	13u
#define EXT2_TIND	14u
#define EXT2_N_BLOCKS	15u

struct ext2_disk_inode {
	u16 mode, uid_low;
	u32 size, atime, ctime, mtime, dtime;
	u16 gid_low, links_count;
	u32 blocks;			/* of 512 bytes, indirect blocks included */
	u32 flags, osd1;
	u32 block[EXT2_N_BLOCKS];
	u32 generation, file_acl;
	u32 size_high;			/* of a regular file; was the ACL of a directory */
	u32 faddr;
	u8 frag, fsize;
	u16 pad1, uid_high, gid_high;
	u32 reserved2;
};
_Static_assert(sizeof(struct ext2_disk_inode) == 128, "an inode");

/* What an inode of 256 bytes and more has behind those 128: as much of this as extra_isize says; then, if EXT2_XATTR_MAGIC stands there,
 * extended attributes to its end. */
struct ext2_inode_extra {
	u16 extra_isize, checksum_hi;
	u32 ctime_extra, mtime_extra, atime_extra;	/* nanoseconds << 2 | bits 32 and 33 of the seconds (which are signed without them) */
	u32 crtime, crtime_extra;
	u32 version_hi, projid;
};
_Static_assert(sizeof(struct ext2_inode_extra) == 32, "the rest of an inode");
#define EXT2_EXTRA_HAS(extra_isize, field)	((extra_isize) >= __builtin_offsetof(struct ext2_inode_extra, field) + 4)
#define EXT2_TIME_MIN	(-0x80000000ll)		/* seconds: 1901 */
#define EXT2_TIME_MAX	0x7fffffffll		/* 2038, */
#define EXT2_TIME_MAX_EXTRA	0x37fffffffll	/* or 2446 */

enum ext2_inode_flags {
	EXT2_SECRM_FL = 1, EXT2_UNRM_FL = 2, EXT2_COMPR_FL = 4, EXT2_SYNC_FL = 8, EXT2_IMMUTABLE_FL = 0x10, EXT2_APPEND_FL = 0x20,
	EXT2_NODUMP_FL = 0x40, EXT2_NOATIME_FL = 0x80, EXT2_INDEX_FL = 0x1000, EXT2_JOURNAL_DATA_FL = 0x4000, EXT2_NOTAIL_FL = 0x8000,
	EXT2_DIRSYNC_FL = 0x10000, EXT2_TOPDIR_FL = 0x20000, EXT4_EXTENTS_FL = 0x80000,
};
#define EXT2_FL_USER_VISIBLE	0x3dfffu
#define EXT2_FL_USER_MODIFIABLE	0x380ffu
#define EXT2_FL_INHERITED	((u32)(EXT2_SECRM_FL | EXT2_UNRM_FL | EXT2_COMPR_FL | EXT2_SYNC_FL | EXT2_NODUMP_FL | EXT2_NOATIME_FL | \
				       EXT2_JOURNAL_DATA_FL | EXT2_NOTAIL_FL | EXT2_DIRSYNC_FL))
#define EXT2_FL_REG_MASK	(~(u32)(EXT2_DIRSYNC_FL | EXT2_TOPDIR_FL))	/* what a regular file may have */
#define EXT2_FL_OTHER_MASK	((u32)(EXT2_NODUMP_FL | EXT2_NOATIME_FL))	/* a special file */

struct ext2_dirent {
	u32 inode;			/* 0: unused */
	u16 rec_len;			/* to the next one: a multiple of 4 */
	u8 name_len, file_type;		/* the type only with EXT2_FILETYPE: before, the length had two bytes */
	char name[];
};
#define EXT2_DIRENT_LEN(name_len)	(((u32)(name_len) + 8 + 3) & ~3u)
#define EXT2_NAME_LEN	255u
enum ext2_file_type { EXT2_FT_UNKNOWN, EXT2_FT_REG, EXT2_FT_DIR, EXT2_FT_CHR, EXT2_FT_BLK, EXT2_FT_FIFO, EXT2_FT_SOCK, EXT2_FT_LNK, EXT2_FT_MAX };

#define EXT2_LINK_MAX	32000u

/* A block of extended attributes: header, entries sorted by (index, name length, name) from the front, values from the back.  In an inode:
 * the magic number alone, then the same, offsets counted from the first entry, without hashes. */
#define EXT2_XATTR_MAGIC	0xea020000u
#define EXT2_XATTR_REFCOUNT_MAX	1024u
struct ext2_xattr_header { u32 magic, refcount, blocks, hash, reserved[4]; };
struct ext2_xattr_entry {
	u8 name_len, name_index;
	u16 value_offs;			/* in this block */
	u32 value_block, value_size, hash;
	char name[];
};
_Static_assert(sizeof(struct ext2_xattr_header) == 32 && sizeof(struct ext2_xattr_entry) == 16, "extended attributes");
#define EXT2_XATTR_LEN(name_len)	(((u32)(name_len) + (u32)sizeof(struct ext2_xattr_entry) + 3) & ~3u)
#define EXT2_XATTR_ROUND(size)		(((u32)(size) + 3) & ~3u)
enum ext2_xattr_index { EXT2_XATTR_USER = 1, EXT2_XATTR_ACL_ACCESS = 2, EXT2_XATTR_ACL_DEFAULT = 3, EXT2_XATTR_TRUSTED = 4, EXT2_XATTR_SECURITY = 6 };
