/* SPDX-License-Identifier: MIT */

/*
 * Bindings whose arguments somebody has chosen. The fast hash that plugins get keeps no secret when
 * its seed is known: where eight bytes of what is hashed are what it mixes them with, the next
 * eight do not count. Bindings that are told apart by those alone must have points of their own all
 * the same, or all of them lie in one place, where each is a step for each message, bind and
 * unbind.
 */

#include "exchange_case.h"

#include "../../plugins/exchange-consistent-hash/siphash.h"
#include "../unit/unit.h"

#include <string.h>

#define BINDINGS 200
#define KEYS	 20000

/* XXH3's, of the bytes 16 to 23 of 64. */
#define SECRET 0x78e5c0cc4ee679cbu

static struct shunt_bytes text_bytes(const char *text)
{
	return (struct shunt_bytes){(const uint8_t *)text, strlen(text)};
}

static uint64_t hash_of(const struct exchange_case *c, struct shunt_bytes bytes, uint64_t seed)
{
	return c->host.host.stable_hash(&c->host.host, bytes.data, bytes.size, seed);
}

/* 16 bytes of name, type and size, 8 that are as the hash has them, and the number. */
static void choose(struct fake_table *arguments, uint64_t seed, uint64_t number)
{
	uint8_t bytes[48] = {0};
	uint64_t blind = SECRET + seed;

	for (size_t i = 0; i < 8; i++) {
		bytes[i] = (uint8_t)(blind >> (8 * i));
		bytes[8 + i] = (uint8_t)(number >> (8 * i));
	}
	fake_table_put_bytes(arguments, "ten-bytes.", 'S', bytes, sizeof(bytes));
}

static void bind_chosen(struct exchange_case *c)
{
	uint64_t seed = hash_of(c, text_bytes("1"), hash_of(c, text_bytes("q"), 0)), first = 0;

	for (size_t i = 0; i < BINDINGS; i++) {
		struct case_binding *binding = &c->bindings[i];
		uint64_t hash;

		binding->binding.destination = text_bytes("q");
		choose(&binding->arguments, seed, i);
		hash = hash_of(c, fake_table_bytes(&binding->arguments), seed);
		first = i == 0 ? hash : first;
		CU_ASSERT_EQUAL_FATAL(hash, first); /* or these are no chosen ones */
		case_set_key(binding, "1");
		CU_ASSERT_EQUAL_FATAL(case_bind(c, i), 0);
	}
}

static void chosen_bindings_have_points_of_their_own(void)
{
	size_t got[BINDINGS] = {0}, served = 0;
	struct exchange_case c;

	case_open(&c, NULL, BINDINGS);
	bind_chosen(&c);
	for (uint64_t i = 0; i < KEYS; i++) {
		struct case_message message = {0};
		char key[24];

		(void)snprintf(key, sizeof(key), "%llu", (unsigned long long)i);
		case_message_set_key(&message, key);
		CU_ASSERT_EQUAL_FATAL(case_route(&c, &message), 1);
		got[(const struct case_binding *)c.answer[0] - c.bindings]++;
	}
	for (size_t i = 0; i < BINDINGS; i++)
		served += got[i] > 0;
	(void)printf("  %zu of %d bindings get messages\n", served, BINDINGS);
	CU_ASSERT(served == BINDINGS);
	case_close(&c);
}

/* The vectors of its authors: the key is 00 01 02 ..., the text as well. */
static void siphash_is_as_published(void)
{
	static const struct {
		size_t size;
		uint64_t hash;
	} vectors[] = {
		{0, 0x726fdb47dd0e0e31u}, {1, 0x74f839c593dc67fdu}, {7, 0xab0200f58b01d137u},
		{8, 0x93f5f5799a932462u}, {9, 0x9e0082df0ba9e4b0u}, {15, 0xa129ca6149be45e5u},
	};
	uint8_t text[15];

	for (uint8_t i = 0; i < sizeof(text); i++)
		text[i] = i;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++)
		CU_ASSERT_EQUAL(siphash(0x0706050403020100u, 0x0f0e0d0c0b0a0908u,
					(struct shunt_bytes){text, vectors[i].size}),
				vectors[i].hash);
}

int main(void)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(chosen_bindings_have_points_of_their_own),
		UNIT_TEST(siphash_is_as_published),
	};

	return unit_run("exchange-consistent-hash, chosen", tests, sizeof(tests) / sizeof(*tests));
}
