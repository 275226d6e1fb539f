/* The kernel command line. */
#pragma once
#include <kernel/lib/types.h>

#define CMDLINE_SIZE	2048
#define INIT_WORDS_MAX	32

extern char boot_cmdline[CMDLINE_SIZE];		/* as given, for /proc/cmdline */
/* What the kernel did not know, for init: bare words (and all after "--") and name=value; NULL-terminated.  argv[0] is left for the
 * caller of exec (init_argv[0] is NULL until then); init_envp begins with HOME and TERM. */
extern char *init_argv[INIT_WORDS_MAX + 2];
extern char *init_envp[INIT_WORDS_MAX + 4];

/* params_parse - split the line, call every BOOT_PARAM of matching name in the order given, keep the rest for init.
 * Context: boot, once. */
void params_parse(const char *cmdline);
/* param_value - the value of the last name=value on the line, without dispatch; *len set.  NULL if absent ("" for a bare name).
 * Usable before params_parse has run. */
const char *param_value(const char *cmdline, const char *name, size_t *len);
