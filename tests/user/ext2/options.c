/* Mount options and flags: as /proc/mounts and statfs show them, and what a remount makes of them. */
#include "ext2.h"
#include <sys/statfs.h>

static char line[512];

/* The options of the volume in /proc/mounts. */
static const char *shown(void)
{
	static char options[256];
	FILE *f = fopen("/proc/mounts", "r");

	CHECK(f);
	options[0] = 0;
	while (fgets(line, sizeof(line), f)) {
		char at[128], type[32];
		if (sscanf(line, "%*s %127s %31s %255s", at, type, options) == 3 && !strcmp(at, where)) {
			CHECK(!strcmp(type, "ext2"));
			fclose(f);
			return options;
		}
	}
	fclose(f);
	CHECK(!"mounted");
	return NULL;
}

static long flags(void) { struct statfs s; CHECK(statfs(where, &s) == 0); return s.f_flags; }
#define CHECK_SHOWN(text) do { const char *s_ = shown(); if (strcmp(s_, text)) { printf("# %s:%d: shown %s, not %s\n", __FILE__, __LINE__, s_, text); fflush(stdout); _exit(1); } } while (0)

static void place(void)
{
	if (access(VOLUME, F_OK)) SKIP("no disk");
	CHECK(mkdtemp(where));
}

TEST(flags_of_the_mount)
{
	static const struct { unsigned long flags; const char *text; long statfs; } all[] = {
		{ 0, "rw,relatime", 0x1020 }, { MS_RDONLY, "ro,relatime", 0x1021 }, { MS_NOSUID, "rw,nosuid,relatime", 0x1022 },
		{ MS_NODEV, "rw,nodev,relatime", 0x1024 }, { MS_NOEXEC, "rw,noexec,relatime", 0x1028 }, { MS_NOATIME, "rw,noatime", 0x420 },
		{ MS_NODIRATIME, "rw,nodiratime,relatime", 0x1820 }, { MS_STRICTATIME, "rw", 0x20 }, { MS_SYNCHRONOUS, "rw,sync,relatime", 0x1030 },
		{ MS_DIRSYNC, "rw,dirsync,relatime", 0x1020 },
		{ MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_RDONLY | MS_SYNCHRONOUS, "ro,sync,nosuid,nodev,noexec,noatime", 0x43f },
	};

	place();
	for (unsigned n = 0; n < sizeof(all) / sizeof(all[0]); n++) {
		attach(all[n].flags, "");
		CHECK_SHOWN(all[n].text);
		CHECK_EQ(flags(), all[n].statfs);
		detach();
	}
	CHECK(rmdir(where) == 0);
}

TEST(options_of_ext2)
{
	static const struct { const char *option, *text; } all[] = {
		{ "errors=remount-ro", "rw,relatime,errors=remount-ro" }, { "errors=panic", "rw,relatime,errors=panic" }, { "errors=continue", "rw,relatime" },
		{ "minixdf", "rw,relatime,minixdf" }, { "bsddf", "rw,relatime" }, { "grpid", "rw,relatime,grpid" }, { "bsdgroups", "rw,relatime,grpid" },
		{ "nogrpid", "rw,relatime" }, { "resuid=7", "rw,relatime,resuid=7" }, { "resgid=8", "rw,relatime,resgid=8" },
		{ "nouid32", "rw,relatime,nouid32" }, { "debug", "rw,relatime,debug" }, { "acl,user_xattr", "rw,relatime" },
	};

	place();
	for (unsigned n = 0; n < sizeof(all) / sizeof(all[0]); n++) {
		attach(0, all[n].option);
		CHECK_SHOWN(all[n].text);
		detach();
	}
	CHECK_ERR(mount(VOLUME, where, "ext2", 0, "nonsense"), EINVAL);
	CHECK_ERR(mount(VOLUME, where, "ext2", 0, "errors=nonsense"), EINVAL);
	CHECK_ERR(mount(VOLUME, where, "ext2", 0, "resuid=x"), EINVAL);
	CHECK(rmdir(where) == 0);
}

TEST(remounted)
{
	place();
	attach(0, "errors=remount-ro");
	remount(MS_NOATIME, "");
	CHECK_SHOWN("rw,noatime,errors=remount-ro");
	remount(MS_SYNCHRONOUS | MS_RELATIME, "errors=continue,minixdf");
	CHECK_SHOWN("rw,sync,relatime,minixdf");
	CHECK_EQ(flags(), 0x1030);
	CHECK_ERR(mount(NULL, where, NULL, MS_REMOUNT | MS_RDONLY, "nonsense"), EINVAL);
	CHECK_SHOWN("rw,sync,relatime,minixdf");
	remount(MS_RDONLY | MS_RELATIME, "bsddf");
	CHECK_SHOWN("ro,relatime");
	CHECK_EQ(flags(), 0x1021);
	remount(MS_RELATIME, "");
	CHECK_SHOWN("rw,relatime");
	CHECK(mount(where, where, NULL, MS_BIND, NULL) == 0);		/* one place of it read-only */
	CHECK(mount(NULL, where, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_RELATIME, NULL) == 0);
	CHECK_EQ(flags(), 0x1021);
	CHECK_ERR(open(strcat(strcpy(line, where), "/x"), O_CREAT | O_RDWR, 0600), EROFS);
	CHECK(umount(where) == 0);
	CHECK_EQ(flags(), 0x1020);
	detach();
	CHECK(rmdir(where) == 0);
}
