/* A volume of one's own: /dev/scratch2, made with mke2fs by the host and mounted by nobody else. */
#pragma once
#include "tap.h"
#include <ftw.h>

#define VOLUME "/dev/scratch2"
static char where[] = "/tmp/vol-XXXXXX";

static inline void attach(unsigned long flags, const char *options) { CHECK(mount(VOLUME, where, "ext2", flags, options) == 0); }
static inline void detach(void) { CHECK(chdir("/") == 0 && umount(where) == 0); }
static inline void remount(unsigned long flags, const char *options) { CHECK(mount(NULL, where, NULL, MS_REMOUNT | flags, options) == 0); }

static int wipe_one(const char *path, const struct stat *st, int kind, struct FTW *f) { return remove(path); }

/* have_volume - mounted, with an empty directory `test` in it as the working directory. */
static inline void have_volume(const char *options)
{
	if (access(VOLUME, F_OK)) SKIP("no disk");
	CHECK(mkdtemp(where));
	attach(0, options);
	CHECK(chdir(where) == 0);
	nftw("test", wipe_one, 16, FTW_DEPTH | FTW_PHYS);
	CHECK(mkdir("test", 0755) == 0 && chdir("test") == 0);
}

/* again - unmounted and mounted: what is seen from here on comes from the disk. */
static inline void again(unsigned long flags, const char *options)
{
	detach();
	attach(flags, options);
	CHECK(chdir(where) == 0 && chdir("test") == 0);
}
static inline void done(void) { detach(); CHECK(rmdir(where) == 0); }
