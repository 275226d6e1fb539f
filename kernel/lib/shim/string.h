/* For third-party sources only: the names they expect, from our library. */
#pragma once
#include <kernel/lib/string.h>
