/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_NET_RANGE_H
#define KERNEL_NET_RANGE_H

/* Ranges of addresses, as they are configured: "10.0.0.0/8", "192.0.2.7", "2001:db8::/32". */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct net_range {
	uint8_t bytes[16]; /* IPv4 as mapped into IPv6 */
	unsigned n_bits;   /* of these, from the front, that must be equal */
};

/* 0, or -EINVAL; also if bits behind the range's are set, which is a slip more often than not. */
int net_range_parse(const char *text, struct net_range *ret_range)
	__attribute__((warn_unused_result));

/* Of another family than the Internet's: in none, but for Unix sockets, which are the loopback's.
 */
bool net_range_has(const struct net_range *range, const struct sockaddr_storage *address);

#endif
