/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ACCESS_THROTTLE_H
#define KERNEL_ACCESS_THROTTLE_H

/*
 * How many logins may fail from an address: a bucket of tokens for each IPv4 address and each IPv6
 * network of 64 bits. A login takes one before its password is hashed, and gives it back if that
 * was right. So guessing goes at the rate of the bucket's filling, and costs no hashing beyond it.
 *
 * Clients that share a host or a proxy share its loopback address: their bucket is larger.
 *
 * Of a fixed size: where it is full, the bucket nearby that has failed least is forgotten. One
 * thread at a time.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct throttle;

/* What counts as one address. */
struct throttle_address {
	uint8_t bytes[16];
	bool is_loopback;
	bool is_exempt; /* the control socket: root, or the broker's own user. Never throttled. */
};

/* Of "10.0.0.7", "fe80::1%eth0"; all that is neither (a Unix socket) is one address. */
struct throttle_address throttle_address_of(struct slice host, bool is_loopback);

#define THROTTLE_BURST		20u   /* failures at once */
#define THROTTLE_REFILL_MS	1000u /* and one more after each */
#define THROTTLE_LOOPBACK_TIMES 3u    /* both, for a loopback address */
#define THROTTLE_WAYS		8u
#define THROTTLE_N_SETS		2048u /* 16384 addresses */

struct throttle *throttle_create(void);
void throttle_destroy(struct throttle *throttle);

/* now_ms is monotonic. Whether there is a token. */
bool throttle_may(const struct throttle *throttle, const struct throttle_address *address,
		  uint64_t now_ms);
/* Takes it, if there is one. */
bool throttle_take(struct throttle *throttle, const struct throttle_address *address,
		   uint64_t now_ms);
void throttle_give_back(struct throttle *throttle, const struct throttle_address *address,
			uint64_t now_ms);

#endif
