/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_NET_ADDRESS_H
#define KERNEL_NET_ADDRESS_H

/* Socket addresses as text, as they are logged, listed and configured. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/slice.h"

struct net_address {
	char host[64]; /* "10.0.0.7", "::1", "unix"; an IPv4 address mapped into IPv6 is shown as
			  IPv4 */
	uint16_t port; /* 0 where there is none */
	bool is_loopback;
};

struct net_address net_address_of(const struct sockaddr *address, socklen_t size);

/* "10.0.0.7:5672", "[::1]:5672", "unix". */
#define NET_ADDRESS_TEXT_MAX 80
void net_address_print(const struct net_address *address, char ret_text[NET_ADDRESS_TEXT_MAX]);

/*
 * Takes "127.0.0.1:5672", "[::1]:5672", "::1:5672", "name:5672" or "5672" apart. The host becomes
 * "" for all addresses. Returns 0 or -EINVAL.
 */
int net_address_parse(struct slice text, char ret_host[256], uint16_t *ret_port);

#endif
