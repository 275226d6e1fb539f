/* For third-party sources only. */
#pragma once
#define CHAR_BIT	8
#define UCHAR_MAX	255
#define INT_MAX		0x7fffffff
#define INT_MIN		(-INT_MAX - 1)
#define UINT_MAX	0xffffffffu
#define LONG_MAX	0x7fffffffffffffffl
#define ULONG_MAX	0xfffffffffffffffful
