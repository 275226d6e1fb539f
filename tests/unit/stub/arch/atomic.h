#pragma once
#include "../../../../arch/arm64/include/arch/atomic.h"
#undef smp_mb
#undef smp_rmb
#undef smp_wmb
#undef dma_mb
#undef dma_rmb
#undef dma_wmb
#define dma_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define dma_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define dma_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#define smp_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
