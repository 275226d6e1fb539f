/* reboot(2). */
#include <arch/irqflags.h>
#include <arch/cpu.h>
#include <arch/uaccess.h>
#include <drivers/base/device.h>
#include <drivers/power/power.h>
#include <fs/super.h>
#include <kernel/debug/race.h>
#include <kernel/errno.h>
#include <kernel/printk.h>
#include <kernel/proc/proc.h>
#include <kernel/proc/signal.h>
#include <linux/capability.h>
#include <linux/reboot.h>
#include <syscall_protos.h>

static bool cad_enabled = true;

static bool magic_ok(u32 m1, u32 m2)
{
	return m1 == LINUX_REBOOT_MAGIC1 && (m2 == LINUX_REBOOT_MAGIC2 || m2 == LINUX_REBOOT_MAGIC2A || m2 == LINUX_REBOOT_MAGIC2B ||
					     m2 == LINUX_REBOOT_MAGIC2C);
}

/* File systems first, while their devices still answer. */
static void quiesce(void)
{
	supers_read_only();
	devices_shutdown();
}

long sys_reboot(int magic1, int magic2, unsigned cmd, void __user *arg)
{
	char why[64];

	if (!capable(CAP_SYS_BOOT))
		return -EPERM;
	if (!magic_ok((u32)magic1, (u32)magic2))
		return -EINVAL;
	race_flush();
	switch (cmd) {
	case LINUX_REBOOT_CMD_CAD_ON:
	case LINUX_REBOOT_CMD_CAD_OFF:
		cad_enabled = cmd == LINUX_REBOOT_CMD_CAD_ON;
		return 0;
	case LINUX_REBOOT_CMD_RESTART2:
		if (strncpy_from_user(why, arg, sizeof(why)) == -EFAULT)
			return -EFAULT;
		fallthrough;
	case LINUX_REBOOT_CMD_RESTART:
		quiesce();
		pr_notice("reboot: Restarting system\n");
		power_reset();
	case LINUX_REBOOT_CMD_POWER_OFF:
		quiesce();
		pr_notice("reboot: Power down\n");
		power_off();
	case LINUX_REBOOT_CMD_HALT:
		quiesce();
		pr_notice("reboot: System halted\n");
		arch_irq_disable();
		for (;;)
			cpu_wait_for_interrupt();
	default:
		return -EINVAL;
	}
}
