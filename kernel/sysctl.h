/* Tunables: numbers under /proc/sys, one line each in the file that owns the variable. */
#pragma once
#include <fs/vfs.h>

/* value may be read by anybody at any time (READ_ONCE); writers come one after the other through /proc. */
struct sysctl { void *value /* u64 or s64 */; s64 min, max; };

/* SYSCTL(ident, "dir/name", .value = &variable, .min = , .max = ) - a decimal number, read by all and written by root, refused with
 * EINVAL outside [min, max].  proc(5). */
#define SYSCTL(ident, file, ...)										\
	static const struct sysctl __sysctl_##ident = { __VA_ARGS__ };						\
	PROC_FILE(sysctl_##ident, .path = "sys/" file, .mode = 0644, .show = sysctl_show, .write = sysctl_write,	\
		  .arg = (void *)&__sysctl_##ident)

/* The two halves of such a file; arg is its struct sysctl.  Context: thread. */
int sysctl_show(struct seq *s, void *arg);
int sysctl_write(const char *buf, size_t len, void *arg);
