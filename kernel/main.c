/* The boot, told from the first line of C to the first program.
 *
 * One CPU, interrupts off, until sched_init and the interrupt controller are there; then the others are started and come up by
 * themselves (arch/arm64/smp.c).  This thread becomes CPU 0's idle task at the end.  boot_stage() marks where the time went. */
#include <arch/cpu.h>
#include <arch/hwcap.h>
#include <arch/irqflags.h>
#include <arch/mmu.h>
#include <arch/smp.h>
#include <arch/kmap.h>
#include <drivers/base/fdt.h>
#include <fs/vfs.h>
#include <kernel/debug.h>
#include <kernel/initcall.h>
#include <kernel/irq/irq.h>
#include <kernel/init.h>
#include <kernel/ktest.h>
#include <kernel/main.h>
#include <kernel/params.h>
#include <kernel/percpu.h>
#include <kernel/printk.h>
#include <kernel/sched/sched.h>
#include <kernel/stackguard.h>
#include <kernel/sync/mutex.h>
#include <kernel/time/time.h>
#include <mm/init.h>

extern char _text[], _end[];

static void memory_init(void)
{
	smp_scan();
	fdt_scan_memory();
	bootmem_reserve(image_to_phys(_text), (u64)(_end - _text), "kernel");
	boot_stage("memory map");
	kernel_map_init();
	if (boot_fdt)
		fdt_set_mapping(phys_to_virt(boot_fdt_pa));
	percpu_init();
	boot_stage("kernel map");
	mm_init();
	kernel_map_use_buddy();
	boot_stage("allocators");
}

static void sched_and_time_init(void)
{
	sched_init();
	cpu_identify();
	drivers_probe(DRIVER_IRQCHIP);
	drivers_probe(DRIVER_CLOCK);
	arch_irq_enable();
	rcu_init();
	workqueue_init();
	boot_stage("scheduler");
	smp_start();
	boot_stage("other CPUs");
}

/* The first thread that may sleep: everything that needs files and devices, then the first program. */
static void init_thread(void *arg)
{
	(void)arg;
	drivers_probe(DRIVER_CONSOLE);
	initcalls_run(__initcall_core_start, __initcall_core_end);
	boot_stage("console");
	vfs_init();
	boot_stage("vfs");
	initcalls_run(__initcall_fs_start, __initcall_fs_end);
	boot_stage("filesystems");
	drivers_probe(DRIVER_DEVICE);
	initcalls_run(__initcall_device_start, __initcall_device_end);
	boot_stage("devices");
	if (boot_chosen.initrd_end) {
		u64 size = boot_chosen.initrd_end - boot_chosen.initrd_start;

		initramfs_unpack(phys_to_virt(boot_chosen.initrd_start), size);
		mm_free_initmem(boot_chosen.initrd_start, size);
	}
	boot_stage("initramfs");
	initcalls_run(__initcall_late_start, __initcall_late_end);
	smp_wait();
	kernel_map_boot_over();
	boot_stage("late");
	ktest_run();
	run_init();
}

void __noreturn kernel_main(paddr_t fdt_pa)
{
	clock_init(read_sysreg(cntfrq_el0));
	lock_spin_init();
	cpu_features_init();
	boot_stage("entry");
	fdt_init(fixmap_fdt(fdt_pa), fdt_pa);
	boot_stage("device tree");
	params_parse(boot_chosen.bootargs);
	boot_stage("parameters");
	pr_notice("sarsen: Linux 6.1.0-sarsen-" SARSEN_VERSION " on AArch64, base %016lx\n", (u64)_text);
	memory_init();
	stack_guard_seed();
	sched_and_time_init();
	VERIFY(kthread_create(init_thread, NULL, "init"));
	cpu_idle_loop();
}
