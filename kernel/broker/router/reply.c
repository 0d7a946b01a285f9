/* SPDX-License-Identifier: MIT */
#include "broker/router/reply.h"

#include <pthread.h>
#include <stdio.h>

#include "base/bug.h"
#include "base/random.h"
#include "broker/endpoint.h"
#include "broker/router/router.h"
#include "loop/loop.h"

/*
 * A name is the prefix, a dot, the endpoint's ref in hex (loop, slot, serial), a dot, and the key
 * and a seal in hex. The key says that the sender was given the name. The seal says that we made
 * it: a made-up ref could name a slot that holds no endpoint but a queue, and must not be looked
 * at. It is SipHash-2-4 under a secret of this process.
 */
#define SEALED_PREFIX ROUTER_REPLY_PREFIX "."
#define REF_DIGITS    32u
#define KEY_DIGITS    16u
#define SEAL_DIGITS   16u
#define NAME_SIZE     (sizeof(SEALED_PREFIX) - 1 + REF_DIGITS + 1 + KEY_DIGITS + SEAL_DIGITS)

/* ---- The seal ---- */

/* Drawn once, a constant from then on. */
static uint64_t secret[2];
static pthread_once_t secret_once = PTHREAD_ONCE_INIT;

static void draw_secret(void)
{
	random_bytes(secret, sizeof(secret));
}

static uint64_t rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static void sip_rounds(uint64_t v[4], int n)
{
	for (; n > 0; n--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static uint64_t seal_of(struct actor_ref ref, uint64_t key)
{
	uint64_t words[] = {(uint64_t)ref.loop << 32 | ref.slot, ref.serial, key,
			    (uint64_t)24 << 56};

	(void)pthread_once(&secret_once, draw_secret);
	uint64_t v[4] = {
		secret[0] ^ 0x736f6d6570736575,
		secret[1] ^ 0x646f72616e646f6d,
		secret[0] ^ 0x6c7967656e657261,
		secret[1] ^ 0x7465646279746573,
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		v[3] ^= words[i];
		sip_rounds(v, 2);
		v[0] ^= words[i];
	}
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- The name ---- */

size_t router_reply_name(const struct endpoint *endpoint, char *ret_name, size_t size)
{
	struct actor_ref ref = endpoint->ref;
	uint64_t key = endpoint->reply_key;

	bug_on(key == 0 || size <= NAME_SIZE);
	int n = snprintf(ret_name, size, SEALED_PREFIX "%08x%08x%016llx.%016llx%016llx", ref.loop,
			 ref.slot, (unsigned long long)ref.serial, (unsigned long long)key,
			 (unsigned long long)seal_of(ref, key));

	bug_on(n != (int)NAME_SIZE);
	return (size_t)n;
}

/* Reads n lower-case hexadecimal digits; false if they are others. */
static bool read_hex(const uint8_t **at, unsigned n, uint64_t *ret)
{
	uint64_t value = 0;

	for (; n > 0; n--, (*at)++) {
		uint8_t c = **at;

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	*ret = value;
	return true;
}

bool router_reply_parse(struct slice name, struct actor_ref *ret_endpoint, uint64_t *ret_key)
{
	uint64_t loop, slot, serial, key, seal;
	const uint8_t *at;

	if (name.size != NAME_SIZE || !slice_starts_with(name, SLICE_LITERAL(SEALED_PREFIX)))
		return false;
	at = name.data + sizeof(SEALED_PREFIX) - 1;
	if (!read_hex(&at, 8, &loop) || !read_hex(&at, 8, &slot) || !read_hex(&at, 16, &serial) ||
	    *at++ != '.' || !read_hex(&at, 16, &key) || !read_hex(&at, 16, &seal))
		return false;

	struct actor_ref ref = {.loop = (uint32_t)loop, .slot = (uint32_t)slot, .serial = serial};

	if (key == 0 || seal != seal_of(ref, key))
		return false;
	*ret_endpoint = ref;
	*ret_key = key;
	return true;
}

bool router_reply_name_is_valid(struct slice name)
{
	struct actor_ref ref;
	uint64_t key;

	if (!router_reply_parse(name, &ref, &key))
		return false;
	if (ref.loop != loop_index(loop_self()))
		return true;

	const struct endpoint *endpoint = slots_get(ref);

	return endpoint && endpoint->reply_key == key;
}

void router_reply_deliver(struct actor_ref ref, uint64_t key, struct message *message)
{
	struct endpoint *endpoint = slots_get(ref);

	if (endpoint && endpoint->reply_key == key)
		endpoint->ops->reply(endpoint, key, message_ref(message));
}
