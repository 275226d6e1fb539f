/* CPU features and /proc/cpuinfo.  Arm ARM D13.2 (ID registers). */
#include <asm/hwcap.h>
#include <arch/cpu.h>
#include <arch/hwcap.h>
#include <arch/ptrace.h>
#include <fs/seq.h>
#include <fs/vfs.h>
#include <kernel/time/time.h>

u64 arch_hwcap, arch_hwcap2;

static const struct { u64 cap; const char *name; } names[] = {
	{ HWCAP_FP, "fp" }, { HWCAP_ASIMD, "asimd" }, { HWCAP_AES, "aes" }, { HWCAP_PMULL, "pmull" }, { HWCAP_SHA1, "sha1" },
	{ HWCAP_SHA2, "sha2" }, { HWCAP_CRC32, "crc32" }, { HWCAP_ATOMICS, "atomics" },
};

static DEFINE_PER_CPU(u64, cpu_midr);

void cpu_identify(void)
{
	this_cpu(cpu_midr) = read_sysreg(midr_el1);
	arch_debug_init();
}

static u32 field(u64 reg, u32 shift) { return reg >> shift & 15; }

void cpu_features_init(void)
{
	u64 isar0 = read_sysreg(id_aa64isar0_el1), pfr0 = read_sysreg(id_aa64pfr0_el1);

	if (field(pfr0, 16) != 15)
		arch_hwcap |= HWCAP_FP;
	if (field(pfr0, 20) != 15)
		arch_hwcap |= HWCAP_ASIMD;
	if (field(isar0, 4) >= 1)
		arch_hwcap |= HWCAP_AES;
	if (field(isar0, 4) >= 2)
		arch_hwcap |= HWCAP_PMULL;
	if (field(isar0, 8))
		arch_hwcap |= HWCAP_SHA1;
	if (field(isar0, 12))
		arch_hwcap |= HWCAP_SHA2;
	if (field(isar0, 16))
		arch_hwcap |= HWCAP_CRC32;
	if (field(isar0, 20) >= 2)
		arch_hwcap |= HWCAP_ATOMICS;
}

static int cpuinfo_show(struct seq *s, void *arg)
{
	(void)arg;
	for (u32 cpu = 0; cpu < nr_cpus; cpu++) {
		u64 midr = per_cpu(cpu_midr, cpu);

		if (!(atomic_load(&cpu_online_mask) & BIT(cpu)))
			continue;
		seq_printf(s, "processor\t: %u\nBogoMIPS\t: %lu.%02lu\nFeatures\t:", cpu, clock_freq_hz() * 2 / 1000000,
			   clock_freq_hz() * 2 / 10000 % 100);
		for (u32 i = 0; i < ARRAY_SIZE(names); i++)
			if (arch_hwcap & names[i].cap)
				seq_printf(s, " %s", names[i].name);
		seq_printf(s, "\nCPU implementer\t: 0x%02lx\nCPU architecture: 8\nCPU variant\t: 0x%lx\nCPU part\t: 0x%03lx\n"
			   "CPU revision\t: %lu\n\n", midr >> 24 & 0xff, midr >> 20 & 15, midr >> 4 & 0xfff, midr & 15);
	}
	return 0;
}
PROC_FILE(cpuinfo, .path = "cpuinfo", .mode = 0444, .show = cpuinfo_show);
