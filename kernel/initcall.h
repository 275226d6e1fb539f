/* Registration: typed sections bounded by symbols that kernel.lds declares. */
#pragma once
#include <kernel/lib/types.h>

/* BOOT_INIT(stage, fn) - fn() runs in that stage, in link order within it. Stages are called from main.c by name.
 *   core:   memory and scheduler work; no devices       device: drivers register and probe
 *   fs:     filesystems register                         late:   everything is there, before init is run
 *   sysfs:  the first time that sysfs is mounted: devices that only programs look at */
struct initcall { int (*fn)(void); const char *name; };
#define BOOT_INIT(stage, func) \
	static const struct initcall __initcall_##func __used __section(".initcall." #stage) = { func, #func }
void initcalls_run(const struct initcall *start, const struct initcall *end);
extern const struct initcall __initcall_core_start[], __initcall_core_end[], __initcall_device_start[], __initcall_device_end[],
	__initcall_fs_start[], __initcall_fs_end[], __initcall_sysfs_start[], __initcall_sysfs_end[], __initcall_late_start[], __initcall_late_end[];

/* BOOT_PARAM("name", fn) - fn(value) for name=value (value NULL for a bare name) on the command line; early: before memory. */
struct boot_param { const char *name; void (*fn)(const char *value); };
#define BOOT_PARAM(pname, func) BOOT_PARAM_LINE(pname, func, __LINE__)
#define BOOT_PARAM_LINE(pname, func, line) BOOT_PARAM_NAMED(pname, func, line)
#define BOOT_PARAM_NAMED(pname, func, line) \
	static const struct boot_param __boot_param_##func##_##line __used __section(".boot_params") = { pname, func }
extern const struct boot_param __boot_params_start[], __boot_params_end[];
/* boot_stage - mark the end of a named stage in the boot profile */
void boot_stage(const char *name);
/* boot_profile_print - with "bootprof" on the command line: the stages so far, before init starts */
void boot_profile_print(void);
