/* Between the files of the device model. */
#pragma once
#include <drivers/base/device.h>

/* bus_ready, class_ready - registered, now or before. */
int bus_ready(struct bus *bus);
int class_ready(struct device_class *class);
/* device_unbind_for_good - d is going: its driver gives it back, and none takes it. */
void device_unbind_for_good(struct device *d);
bool device_is_partition(const struct device *d);
/* device_member_link - a kobject_type's link() of a directory whose links lead to the devices for which is() holds.  [t] held. */
struct kobject *device_member_link(u64 *pos, bool (*is)(const struct device *d, const void *arg), const void *arg, char *name);
int device_uevent_store(void *device, const char *buf, size_t len);
