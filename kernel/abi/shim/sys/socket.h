/* For UAPI headers that ask for libc's: what they want of it. */
#pragma once
#include <kernel/abi/socket.h>
