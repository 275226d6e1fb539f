#pragma once
#include "../../../../arch/arm64/include/arch/atomic.h"
#undef smp_mb
#undef smp_rmb
#undef smp_wmb
#define smp_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
