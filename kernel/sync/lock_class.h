/* Lock classes, from lock_order.def. */
#pragma once

enum lock_class {
#define LOCK(class, rank, kind, what) class,
#include <kernel/sync/lock_order.def>
#undef LOCK
	NR_LOCK_CLASSES
};
