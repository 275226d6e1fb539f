/* What lwIP wants to know of the compiler and of the house it lives in. */
#pragma once
#include <kernel/debug.h>
#include <kernel/lib/types.h>
#include <kernel/random/random.h>
#include <kernel/time/time.h>

#define LWIP_NO_INTTYPES_H	1
#define LWIP_NO_LIMITS_H	1
#define LWIP_NO_UNISTD_H	1
#define LWIP_NO_CTYPE_H		1
#define SSIZE_MAX		0x7fffffffffffffffl

/* For the messages, none of which is compiled in. */
#define X8_F	"02x"
#define U16_F	"u"
#define S16_F	"d"
#define X16_F	"x"
#define U32_F	"u"
#define S32_F	"d"
#define X32_F	"x"
#define SZT_F	"lu"

#define BYTE_ORDER LITTLE_ENDIAN
#define lwip_htons(x)	__builtin_bswap16(x)	/* or they are calls */
#define lwip_htonl(x)	__builtin_bswap32(x)
#define LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS

#define LWIP_PLATFORM_DIAG(x)	do { } while (0)
#define LWIP_PLATFORM_ASSERT(x)	panic("lwip: %s", x)
#define LWIP_RAND()		((u32_t)random_u64())
#define LWIP_PROVIDE_ERRNO	0
