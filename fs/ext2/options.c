/* Mount options: ext2's part of mount(8).  What concerns names and times (noatime, ro, ...) comes as flags and is the VFS's. */
#include <fs/ext2/ext2.h>
#include <kernel/errno.h>
#include <kernel/lib/fmt.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <mm/slab.h>

static const struct { const char *name; u32 set, clear; } words[] = {
	{ "bsddf", 0, EXT2_OPT_MINIX_DF }, { "minixdf", EXT2_OPT_MINIX_DF, 0 }, { "grpid", EXT2_OPT_GRPID, 0 }, { "bsdgroups", EXT2_OPT_GRPID, 0 },
	{ "nogrpid", 0, EXT2_OPT_GRPID }, { "sysvgroups", 0, EXT2_OPT_GRPID }, { "user_xattr", EXT2_OPT_XATTR_USER, 0 },
	{ "nouser_xattr", 0, EXT2_OPT_XATTR_USER }, { "acl", EXT2_OPT_ACL, 0 }, { "noacl", 0, EXT2_OPT_ACL }, { "debug", EXT2_OPT_DEBUG, 0 },
	{ "nouid32", EXT2_OPT_NOUID32, 0 }, { "nocheck", 0, 0 }, { "check", 0, 0 }, { "nocheck", 0, 0 }, { "oldalloc", 0, 0 }, { "orlov", 0, 0 },
	{ "nobh", 0, 0 }, { "reservation", 0, 0 }, { "noreservation", 0, 0 }, { "noquota", 0, 0 },
};

static int parse_value(struct ext2_mount_opts *o, const char *name, const char *value)
{
	const char *end;
	u64 n;

	if (!strcmp(name, "errors")) {
		o->errors = !strcmp(value, "continue") ? EXT2_ERRORS_CONTINUE : !strcmp(value, "remount-ro") ? EXT2_ERRORS_RO :
			    !strcmp(value, "panic") ? EXT2_ERRORS_PANIC : 0;
		return o->errors ? 0 : -EINVAL;
	}
	if (!strcmp(name, "check"))
		return strcmp(value, "none") ? -EINVAL : 0;
	n = parse_number(value, &end, 0);
	if (end == value || *end || n > ~0u)
		return -EINVAL;
	if (!strcmp(name, "resuid"))
		o->resuid = (u32)n;
	else if (!strcmp(name, "resgid"))
		o->resgid = (u32)n;
	else if (!strcmp(name, "sb") && n)
		o->sb_block = n;
	else
		return -EINVAL;
	return 0;
}

static int parse_one(struct ext2_mount_opts *o, char *name)
{
	char *value = strchr(name, '=');

	if (value) {
		*value++ = 0;
		return parse_value(o, name, value);
	}
	for (u32 i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(name, words[i].name)) {
			o->flags = (o->flags | words[i].set) & ~words[i].clear;
			return 0;
		}
	return -EINVAL;
}

static bool is_about_quotas(const char *name) { return strstr(name, "quota") || !strncmp(name, "usrj", 4) || !strncmp(name, "grpj", 4); }

int ext2_parse_options(const char *text, struct ext2_mount_opts *o)
{
	char *copy = kstrdup(text, GFP_KERNEL), *at = copy, *name;
	int err = copy ? 0 : -ENOMEM;

	while (!err && (name = strsep(&at, ","))) {
		if (!*name)
			continue;
		err = parse_one(o, name);
		if (err)
			pr_err("ext2: mount option \"%s\" %s\n", name, is_about_quotas(name) ? "is refused: there are no quotas" :
			       "is not known, or its value is not");
	}
	kfree(copy);
	return err;
}

/* What differs from the volume's own defaults, in Linux's words. */
int ext2_show_options(struct super *sb, char *buf, size_t len)
{
	static const char *const errors[] = { "", ",errors=continue", ",errors=remount-ro", ",errors=panic" };
	struct ext2_super *s = ext2_sb(sb);
	const struct ext2_mount_opts *o = &s->opts;
	u32 defm = s->disk->default_mount_opts, def_errors = s->disk->errors;
	size_t n = 0;

#define SHOW(...) n += (size_t)scnprintf(buf + n, len - n, __VA_ARGS__)
	buf[0] = 0;
	if (o->sb_block != 1)
		SHOW(",sb=%lu", o->sb_block);
	if (o->flags & EXT2_OPT_MINIX_DF)
		SHOW(",minixdf");
	if (o->flags & EXT2_OPT_GRPID)
		SHOW(",grpid");
	else if (defm & EXT2_DEFM_BSDGROUPS)
		SHOW(",nogrpid");
	if (o->resuid != s->disk->def_resuid)
		SHOW(",resuid=%u", o->resuid);
	if (o->resgid != s->disk->def_resgid)
		SHOW(",resgid=%u", o->resgid);
	if (o->errors != def_errors)
		SHOW("%s", errors[o->errors & 3]);
	if (o->flags & EXT2_OPT_NOUID32)
		SHOW(",nouid32");
	if (o->flags & EXT2_OPT_DEBUG)
		SHOW(",debug");
	if (!!(o->flags & EXT2_OPT_XATTR_USER) != !!(defm & EXT2_DEFM_XATTR_USER))
		SHOW("%s", o->flags & EXT2_OPT_XATTR_USER ? ",user_xattr" : ",nouser_xattr");
	if (!!(o->flags & EXT2_OPT_ACL) != !!(defm & EXT2_DEFM_ACL))
		SHOW("%s", o->flags & EXT2_OPT_ACL ? ",acl" : ",noacl");
#undef SHOW
	return 0;
}
