/* Directory entries as getdents64 gives them (no UAPI header has them). */
#pragma once
#include <kernel/lib/types.h>

struct linux_dirent64 { u64 d_ino; s64 d_off; u16 d_reclen; u8 d_type; char d_name[]; };
enum { DT_UNKNOWN = 0, DT_FIFO = 1, DT_CHR = 2, DT_DIR = 4, DT_BLK = 6, DT_REG = 8, DT_LNK = 10, DT_SOCK = 12 };
static inline u32 mode_to_dt(u32 mode) { return mode >> 12 & 15; }
