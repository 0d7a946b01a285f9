/* SPDX-License-Identifier: MIT */

/* The bindings of an exchange of a script's type, against a model: a list that is looked through.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange/bindings.h"
#include "fake_host.h"
#include "fake_services.h"
#include "unit.h"

#define MANY 600
#define KEYS 97

static struct fake_host fake;
static struct bindings bindings;
static struct shunt_binding model[MANY];
static struct entry *entries[MANY]; /* NULL: not bound */
static char keys[KEYS][16];
static uint64_t seed;

static uint64_t next_random(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return seed >> 33;
}

static void begin(uint64_t hash_mask)
{
	fake_host_init(&fake, 1);
	fake.hash_mask = hash_mask;
	bindings_init(&bindings, &fake.host);
	memset(entries, 0, sizeof(entries));
	seed = 1;
	for (size_t i = 0; i < KEYS; i++)
		(void)snprintf(keys[i], sizeof(keys[i]), "key.%zu", i);
	for (size_t i = 0; i < MANY; i++)
		model[i] = (struct shunt_binding){.size = sizeof(model[i])};
}

static void end(void)
{
	bindings_fini(&bindings);
	CU_ASSERT_EQUAL(atomic_load(&fake.live), 0);
	fake_services_fini(&fake);
}

static int add(size_t i)
{
	static uint64_t last_id;
	const char *key = keys[next_random() % KEYS];

	model[i].id = ++last_id;
	model[i].routing_key = (struct shunt_bytes){(const uint8_t *)key, strlen(key)};
	entries[i] = bindings_add(&bindings, &model[i]);
	return entries[i] ? 0 : -1;
}

static void take_out(size_t i)
{
	uint32_t slot = entries[i]->slot;

	bindings_remove(&bindings, entries[i]);
	entries[i] = NULL;
	CU_ASSERT_PTR_NULL(bindings_at_slot(&bindings, slot, model[i].id));
}

/* Every binding is in its place in each of the three; nothing else is. */
static void check(void)
{
	size_t count = 0, of_keys = 0;

	for (size_t i = 0; i < MANY; i++) {
		const struct key *key;

		if (!entries[i])
			continue;
		count++;
		CU_ASSERT_PTR_EQUAL(bindings.all[entries[i]->place], &model[i]);
		CU_ASSERT_PTR_EQUAL(bindings.entries[entries[i]->place], entries[i]);
		CU_ASSERT_PTR_EQUAL(bindings_at_slot(&bindings, entries[i]->slot, model[i].id),
				    entries[i]);
		key = keys_find(&bindings.keys, model[i].routing_key);
		CU_ASSERT_PTR_NOT_NULL_FATAL(key);
		CU_ASSERT_PTR_EQUAL(key->bindings[entries[i]->key_place], &model[i]);
		CU_ASSERT_PTR_EQUAL(key->entries[entries[i]->key_place], entries[i]);
	}
	CU_ASSERT_EQUAL(bindings.count, count);
	for (size_t i = 0; i < KEYS; i++) {
		const struct key *key =
			keys_find(&bindings.keys,
				  (struct shunt_bytes){(const uint8_t *)keys[i], strlen(keys[i])});

		of_keys += key ? key->count : 0;
	}
	CU_ASSERT_EQUAL(of_keys, count);
}

static void run_random(uint64_t hash_mask)
{
	begin(hash_mask);
	for (unsigned round = 0; round < 6000; round++) {
		size_t i = next_random() % MANY;

		if (entries[i])
			take_out(i);
		else
			CU_ASSERT_EQUAL_FATAL(add(i), 0);
		if (round % 100 == 0)
			check();
	}
	check();
	for (size_t i = 0; i < MANY; i++)
		if (entries[i])
			take_out(i);
	CU_ASSERT_EQUAL(atomic_load(&fake.live), 0); /* without bindings it keeps nothing */
	end();
}

static void as_the_model_says(void)
{
	run_random(UINT64_MAX);
}

static void as_the_model_says_when_all_hashes_are_alike(void)
{
	run_random(0);
	run_random(3);
}

static void without_memory_nothing_changes(void)
{
	begin(UINT64_MAX);
	for (unsigned round = 0; round < 4000; round++) {
		size_t i = next_random() % MANY;
		bool was_refused;

		if (entries[i]) {
			take_out(i);
			continue;
		}
		fake_host_fail(&fake, 1 + (long)(next_random() % 4), round % 2 == 0);
		was_refused = add(i) != 0;
		fake_host_fail_off(&fake);
		if (was_refused)
			CU_ASSERT_TRUE(atomic_load(&fake.failed));
		if (round % 50 == 0)
			check();
	}
	check();
	end();
}

static void a_key_may_be_empty_and_hold_any_byte(void)
{
	static const uint8_t bytes[] = {0, 1, 0};
	struct entry *empty, *zeros;

	begin(UINT64_MAX);
	model[0].id = 1000001;
	model[1].id = 1000002;
	model[1].routing_key = (struct shunt_bytes){bytes, sizeof(bytes)};
	empty = bindings_add(&bindings, &model[0]);
	zeros = bindings_add(&bindings, &model[1]);
	CU_ASSERT_PTR_EQUAL(keys_find(&bindings.keys, model[0].routing_key), empty->key);
	CU_ASSERT_PTR_EQUAL(keys_find(&bindings.keys, model[1].routing_key), zeros->key);
	CU_ASSERT_PTR_NULL(keys_find(&bindings.keys, (struct shunt_bytes){bytes, 2}));
	end();
}

UNIT_MAIN("lua_bindings", UNIT_TEST(as_the_model_says),
	  UNIT_TEST(as_the_model_says_when_all_hashes_are_alike),
	  UNIT_TEST(without_memory_nothing_changes),
	  UNIT_TEST(a_key_may_be_empty_and_hold_any_byte))
