/* TIME_WAIT: segments before lwIP sees them. */
#pragma once
#include <lwip/ip_addr.h>
#include <kernel/lib/types.h>

struct pbuf;

/* tcp_time_wait_tap - p begins with its IP header, of that length.  1: it was for a record, and is consumed.  Context: core locked. */
u8_t tcp_time_wait_tap(struct pbuf *p, const ip_addr_t *local, const ip_addr_t *remote, u32 header);
