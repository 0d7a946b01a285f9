/* SPDX-License-Identifier: MIT */
#include "access/throttle.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/mem.h"

/*
 * A bucket is kept as the time at which it will be full again: each token taken moves that away by
 * the time of one filling, and there is a token while it is less than the burst away. So a bucket
 * that is full is one whose time has passed, and its place is free.
 */
struct throttle_bucket {
	struct throttle_address address;
	uint64_t full_at_ms; /* 0: never used */
};

struct throttle {
	struct throttle_bucket sets[THROTTLE_N_SETS][THROTTLE_WAYS];
};

struct throttle *throttle_create(void)
{
	return mem_zalloc(sizeof(struct throttle));
}

void throttle_destroy(struct throttle *throttle)
{
	mem_free(throttle);
}

/* ---- Addresses ---- */

struct throttle_address throttle_address_of(struct slice host, bool is_loopback)
{
	struct throttle_address address = {.is_loopback = is_loopback};
	char text[INET6_ADDRSTRLEN + 32];
	uint8_t bytes[16];

	if (host.size == 0 || host.size >= sizeof(text))
		return address;
	memcpy(text, host.data, host.size);
	text[host.size] = '\0';
	text[strcspn(text, "%")] = '\0';
	if (inet_pton(AF_INET, text, bytes) == 1) {
		memset(address.bytes + 10, 0xff, 2);
		memcpy(address.bytes + 12, bytes, 4);
	} else if (inet_pton(AF_INET6, text, bytes) == 1) {
		memcpy(address.bytes, bytes, 8);
		address.bytes[15] = 1; /* none of the above */
	}
	return address;
}

bool throttle_address_equal(const struct throttle_address *a, const struct throttle_address *b)
{
	return a->is_loopback == b->is_loopback && a->is_exempt == b->is_exempt &&
	       memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* ---- Buckets ---- */

static uint64_t throttle_refill_ms(const struct throttle_address *address)
{
	return address->is_loopback ? THROTTLE_REFILL_MS / THROTTLE_LOOPBACK_TIMES
				    : THROTTLE_REFILL_MS;
}

static uint64_t throttle_burst(const struct throttle_address *address)
{
	return address->is_loopback ? THROTTLE_BURST * THROTTLE_LOOPBACK_TIMES : THROTTLE_BURST;
}

static size_t throttle_set(const struct throttle_address *address)
{
	return (size_t)slice_hash(slice_make(address->bytes, sizeof(address->bytes))) %
	       THROTTLE_N_SETS;
}

/* NULL: it is full. */
static const struct throttle_bucket *throttle_find(const struct throttle *throttle,
						   const struct throttle_address *address)
{
	const struct throttle_bucket *set = throttle->sets[throttle_set(address)];

	for (size_t i = 0; i < THROTTLE_WAYS; i++)
		if (set[i].full_at_ms != 0 && throttle_address_equal(&set[i].address, address))
			return &set[i];
	return NULL;
}

static uint64_t throttle_full_at(const struct throttle *throttle,
				 const struct throttle_address *address, uint64_t now_ms)
{
	const struct throttle_bucket *bucket = throttle_find(throttle, address);

	return bucket != NULL && bucket->full_at_ms > now_ms ? bucket->full_at_ms : now_ms;
}

bool throttle_may(const struct throttle *throttle, const struct throttle_address *address,
		  uint64_t now_ms)
{
	uint64_t refill_ms = throttle_refill_ms(address);

	if (address->is_exempt)
		return true;
	return throttle_full_at(throttle, address, now_ms) + refill_ms <=
	       now_ms + throttle_burst(address) * refill_ms;
}

static void throttle_keep(struct throttle *throttle, const struct throttle_address *address,
			  uint64_t full_at_ms)
{
	struct throttle_bucket *set = throttle->sets[throttle_set(address)], *place = &set[0];

	for (size_t i = 0; i < THROTTLE_WAYS; i++) {
		if (set[i].full_at_ms != 0 && throttle_address_equal(&set[i].address, address)) {
			place = &set[i];
			break;
		}
		if (set[i].full_at_ms < place->full_at_ms)
			place = &set[i];
	}
	*place = (struct throttle_bucket){*address, full_at_ms};
}

bool throttle_take(struct throttle *throttle, const struct throttle_address *address,
		   uint64_t now_ms)
{
	if (!throttle_may(throttle, address, now_ms))
		return false;
	if (!address->is_exempt)
		throttle_keep(throttle, address,
			      throttle_full_at(throttle, address, now_ms) +
				      throttle_refill_ms(address));
	return true;
}

void throttle_give_back(struct throttle *throttle, const struct throttle_address *address,
			uint64_t now_ms)
{
	uint64_t full_at_ms = throttle_full_at(throttle, address, now_ms);

	if (throttle_find(throttle, address) == NULL)
		return;
	full_at_ms -= throttle_refill_ms(address);
	throttle_keep(throttle, address, full_at_ms > now_ms ? full_at_ms : now_ms);
}
