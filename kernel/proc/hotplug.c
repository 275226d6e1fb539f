/* The hot-plug helper: a program run for each uevent, if one is named in /proc/sys/kernel/hotplug (mdev, usually).
 *
 * It gets the event as its environment, and the subsystem as its argument.  Helpers run side by side and may overtake each other: SEQNUM tells. */
#include <drivers/base/device.h>
#include <kernel/errno.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/proc/usermode.h>
#include <kernel/sync/mutex.h>
#include <mm/slab.h>

#define PATH_SIZE	256

static DEFINE_MUTEX(helper_mutex, LC_UTS);
static char helper[PATH_SIZE];			/* [helper_mutex] empty: none */

static int helper_show(struct seq *s, void *arg)
{
	char path[PATH_SIZE];

	(void)arg;
	mutex_lock(&helper_mutex);
	strlcpy(path, helper, sizeof(path));
	mutex_unlock(&helper_mutex);
	seq_printf(s, "%s\n", path);
	return 0;
}

static int helper_write(const char *buf, size_t len, void *arg)
{
	const char *end = strchr(buf, '\n');
	size_t n = end ? (size_t)(end - buf) : len;

	(void)arg;
	if (n >= PATH_SIZE)
		return -ENOENT;
	mutex_lock(&helper_mutex);
	memcpy(helper, buf, n);
	helper[n] = 0;
	mutex_unlock(&helper_mutex);
	return 0;
}
PROC_FILE(hotplug, .path = "sys/kernel/hotplug", .mode = 0644, .show = helper_show, .write = helper_write);

static int helper_store(void *object, const char *buf, size_t len) { return helper_write(buf, len, object); }
KOBJECT_ATTR(uevent_helper, &sys_kernel, .name = "uevent_helper", .show = helper_show, .store = helper_store);

static bool helper_wanted(void) { return READ_ONCE(helper[0]); }

static void helper_event(struct device *d, enum device_action action, const char *env, size_t len)
{
	static const char fixed[] = "HOME=/\0PATH=/sbin:/bin:/usr/sbin:/usr/bin";
	const char *subsystem = d->class ? d->class->name : d->bus->name;
	char path[PATH_SIZE], *all = kvmalloc(sizeof(fixed) + len, GFP_KERNEL);
	int err = -ENOMEM;

	(void)action;
	if (all) {
		memcpy(all, fixed, sizeof(fixed));
		memcpy(all + sizeof(fixed), env, len);
		mutex_lock(&helper_mutex);
		strlcpy(path, helper, sizeof(path));
		mutex_unlock(&helper_mutex);
		err = usermode_run(path, subsystem, strlen(subsystem) + 1, all, sizeof(fixed) + len);
		kvfree(all);
	}
	if (err)
		pr_warn("hotplug: %s: error %d\n", device_name(d), err);
}
DEVICE_LISTENER(hotplug, .event = helper_event, .wanted = helper_wanted);
