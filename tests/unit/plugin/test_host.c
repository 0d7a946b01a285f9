/* SPDX-License-Identifier: MIT */
#include "plugin/host.h"

#include <pthread.h>

#include "../amqp/exact.h"
#include "amqp/table.h"
#include "amqp/table_writer.h"
#include "base/log.h"
#include "base/mem.h"
#include "host_fixture.h"
#include "loop/loop.h"
#include "loop/pool.h"
#include "plugin/plugin.h"

static void versions_and_every_function(void)
{
	const struct shunt_host *host = host_begin();

	CU_ASSERT_EQUAL(host->size, sizeof(*host));
	CU_ASSERT_EQUAL(host->abi_major, SHUNT_ABI_MAJOR);
	CU_ASSERT_EQUAL(host->abi_minor, SHUNT_ABI_MINOR);
	CU_ASSERT_STRING_EQUAL(host->broker_version, PACKAGE_VERSION);
	CU_ASSERT_TRUE(SHUNT_HAS(host, struct shunt_host, loop_index));
	CU_ASSERT_TRUE(host->register_exchange_type && host->config && host->log &&
		       host->allocate && host->reallocate && host->free && host->hash &&
		       host->table_next && host->table_find && host->array_next &&
		       host->message_headers && host->message_property && host->loop_count &&
		       host->loop_index);
	host_end();
}

static void each_plugin_has_its_own(void)
{
	const struct shunt_host *host;

	settings[0] = (struct plugin_setting){"probe", "text", "mine", "-o", false};
	plugins_begin(1);
	ASSERT_LOADS("rival");
	ASSERT_LOADS("probe");
	host = probe_get()->host;
	ASSERT_TEXT(host->config(host, "text"), "mine");
	ASSERT_TEXT(plugin_name(plugin_of_host(host)), "probe");
	(void)plugins_end();
}

/* ---- Log ---- */

static const char *logged(const struct shunt_host *host, int level, const char *text)
{
	capture_begin();
	host->log(host, (enum shunt_log_level)level, text);
	return capture_end();
}

static void assert_ends(const char *text, const char *end)
{
	size_t n = strlen(end);

	CU_ASSERT_TRUE(strlen(text) > n && strcmp(text + strlen(text) - n, end) == 0);
}

static void log_levels(void)
{
	const struct shunt_host *host = host_begin();

	log_set_level(LOG_LEVEL_DEBUG);
	assert_ends(logged(host, SHUNT_LOG_ERROR, "one"), "Z E plugin: probe: one\n");
	assert_ends(logged(host, SHUNT_LOG_WARNING, "two"), "Z W plugin: probe: two\n");
	assert_ends(logged(host, SHUNT_LOG_INFO, "three"), "Z I plugin: probe: three\n");
	assert_ends(logged(host, SHUNT_LOG_DEBUG, "four"), "Z D plugin: probe: four\n");
	assert_ends(logged(host, 99, "five"), "Z I plugin: probe: five\n");
	assert_ends(logged(host, -1, "six"), "Z I plugin: probe: six\n");
	log_set_level(LOG_LEVEL_WARNING);
	assert_ends(logged(host, SHUNT_LOG_WARNING, "seven"), "Z W plugin: probe: seven\n");
	ASSERT_TEXT(logged(host, SHUNT_LOG_INFO, "eight"), "");
	ASSERT_TEXT(logged(host, SHUNT_LOG_DEBUG, "nine"), "");
	log_set_level(LOG_LEVEL_INFO);
	host_end();
}

/* Neither a format nor several lines. */
static void log_takes_text_as_it_is(void)
{
	const struct shunt_host *host = host_begin();

	assert_ends(logged(host, SHUNT_LOG_ERROR, "100%s %n"), "Z E plugin: probe: 100%s %n\n");
	assert_ends(logged(host, SHUNT_LOG_ERROR, "one\ntwo"), "Z E plugin: probe: one?two\n");
	assert_ends(logged(host, SHUNT_LOG_ERROR, ""), "Z E plugin: probe: \n");
	host_end();
}

/* ---- Memory ---- */

static void memory(void)
{
	const struct shunt_host *host = host_begin();
	char *block = host->allocate(host, 10), *moved;

	CU_ASSERT_PTR_NOT_NULL_FATAL(block);
	memcpy(block, "123456789", 10);
	moved = host->reallocate(host, block, 100000);
	CU_ASSERT_PTR_NOT_NULL_FATAL(moved);
	ASSERT_TEXT(moved, "123456789");
	host->free(host, moved);
	moved = host->reallocate(host, NULL, 10);
	CU_ASSERT_PTR_NOT_NULL(moved);
	host->free(host, moved);
	host->free(host, NULL);
	host_end();
}

static void memory_that_is_out_is_no_end(void)
{
	const struct shunt_host *host = host_begin();
	char *block = host->allocate(host, 10);

	CU_ASSERT_PTR_NOT_NULL_FATAL(block);
	memcpy(block, "123456789", 10);
	mem_fault_after(1);
	CU_ASSERT_PTR_NULL(host->allocate(host, 10));
	mem_fault_after(1);
	CU_ASSERT_PTR_NULL(host->reallocate(host, block, 20));
	mem_fault_after(-1);
	ASSERT_TEXT(block, "123456789");
	host->free(host, block);
	host_end();
}

/* ---- Hash ---- */

static void hash_is_the_same_for_the_same_bytes(void)
{
	const struct shunt_host *host = host_begin();
	char text[512], copy[513];
	uint64_t last = 0;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)i;
	memcpy(copy + 1, text, sizeof(text));
	for (size_t n = 0; n <= sizeof(text); n++) {
		uint64_t hash = host->hash(host, text, n);

		CU_ASSERT_EQUAL(hash, host->hash(host, copy + 1, n));
		CU_ASSERT_NOT_EQUAL(hash, last);
		last = hash;
	}
	CU_ASSERT_EQUAL(host->hash(host, NULL, 0), host->hash(host, text, 0));
	copy[1]++;
	CU_ASSERT_NOT_EQUAL(host->hash(host, text, 100), host->hash(host, copy + 1, 100));
	host_end();
}

/* What the algorithm gives on every machine (xxHash's own test values), so that it may be stored. */
static void stable_hash_is_the_same_for_ever(void)
{
	const struct shunt_host *host = host_begin();

	CU_ASSERT_EQUAL(host->stable_hash(host, NULL, 0, 0), UINT64_C(0x2d06800538d394c2));
	CU_ASSERT_EQUAL(host->stable_hash(host, "a", 1, 0), UINT64_C(0xe6c632b61e964e1f));
	CU_ASSERT_EQUAL(host->stable_hash(host, "abc", 3, 0), UINT64_C(0x78af5f94892f3950));
	CU_ASSERT_NOT_EQUAL(host->stable_hash(host, "abc", 3, 1), host->stable_hash(host, "abc", 3, 0));
	host_end();
}

/* ---- Random ---- */

static const struct shunt_host *random_host;
static uint64_t random_elsewhere[2];

static void *draw(void *arg)
{
	(void)arg;
	for (int i = 0; i < 2; i++)
		random_elsewhere[i] = random_host->random(random_host);
	return NULL;
}

/* Each bit about half of the time; other numbers on other threads. */
static void random_numbers(void)
{
	unsigned counts[64] = {0};
	pthread_t thread;
	uint64_t first;

	random_host = host_begin();
	first = random_host->random(random_host);
	for (int i = 0; i < 10000; i++) {
		uint64_t number = random_host->random(random_host);

		for (int bit = 0; bit < 64; bit++)
			counts[bit] += (unsigned)(number >> bit & 1);
	}
	for (int bit = 0; bit < 64; bit++)
		CU_ASSERT_TRUE(counts[bit] > 4500 && counts[bit] < 5500);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, draw, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_join(thread, NULL), 0);
	CU_ASSERT_NOT_EQUAL(random_elsewhere[0], random_elsewhere[1]);
	CU_ASSERT_NOT_EQUAL(random_elsewhere[0], first);
	host_end();
}

/* ---- Tables ---- */

static void table_next_over_all_types(void)
{
	const struct shunt_host *host = host_begin();
	struct shunt_bytes table = bytes_of(TABLE_OF_ALL_TYPES), name;
	struct shunt_value value;
	char met[TYPE_COUNT + 1] = "";
	size_t position = 0;

	for (size_t i = 0; i < TYPE_COUNT; i++) {
		memset(&value, 0x5a, sizeof(value));
		CU_ASSERT_TRUE_FATAL(host->table_next(host, table, &position, &name, &value));
		/* the key is the type's letter */
		CU_ASSERT_EQUAL_FATAL(name.size, 1);
		CU_ASSERT_EQUAL((char)name.data[0], value.type);
		check_value(&value);
		met[i] = value.type;
	}
	ASSERT_TEXT(met, "SIDTFAbBdflLsuitxV");
	CU_ASSERT_EQUAL(position, table.size);
	CU_ASSERT_FALSE(host->table_next(host, table, &position, &name, &value));
	CU_ASSERT_FALSE(host->table_next(host, table, &position, &name, &value));
	host_end();
}

static void table_find_of_all_types(void)
{
	const struct shunt_host *host = host_begin();
	struct shunt_bytes table = bytes_of(TABLE_OF_ALL_TYPES);
	struct shunt_value value;

	for (const char *type = "SIDTFAbBdflLsuitxV"; *type != '\0'; type++) {
		char name[2] = {*type, '\0'};

		CU_ASSERT_TRUE_FATAL(host->table_find(host, table, name, &value));
		CU_ASSERT_EQUAL(value.type, *type);
		check_value(&value);
	}
	memset(&value, 0x5a, sizeof(value));
	CU_ASSERT_FALSE(host->table_find(host, table, "q", &value));
	CU_ASSERT_FALSE(host->table_find(host, table, "", &value));
	CU_ASSERT_FALSE(host->table_find(host, table, "SS", &value));
	CU_ASSERT_EQUAL(value.type, 0x5a);
	host_end();
}

static void table_find_takes_the_first(void)
{
	const struct shunt_host *host = host_begin();
	struct shunt_bytes table = bytes_of(SLICE_LITERAL("\1at\0\1bV\1at\1"));
	struct shunt_value value;

	CU_ASSERT_TRUE_FATAL(host->table_find(host, table, "a", &value));
	CU_ASSERT_FALSE(value.boolean);
	host_end();
}

static void nothing_in_an_empty_table(void)
{
	const struct shunt_host *host = host_begin();
	struct shunt_bytes none = {NULL, 0}, name;
	struct shunt_value value;
	size_t position = 0;

	CU_ASSERT_FALSE(host->table_next(host, none, &position, &name, &value));
	CU_ASSERT_FALSE(host->array_next(host, none, &position, &value));
	CU_ASSERT_FALSE(host->table_find(host, none, "a", &value));
	CU_ASSERT_EQUAL(position, 0);
	host_end();
}

static void nested_tables_and_arrays(void)
{
	const struct shunt_host *host = host_begin();
	struct shunt_bytes table = bytes_of(TABLE_OF_ALL_TYPES), name;
	struct shunt_value outer, inner;
	size_t position = 0;

	CU_ASSERT_TRUE_FATAL(host->table_find(host, table, "F", &outer));
	CU_ASSERT_TRUE_FATAL(host->table_next(host, outer.bytes, &position, &name, &inner));
	CU_ASSERT_TRUE(bytes_are(name, "a"));
	CU_ASSERT_EQUAL(inner.type, 'V');
	CU_ASSERT_FALSE(host->table_next(host, outer.bytes, &position, &name, &inner));

	CU_ASSERT_TRUE_FATAL(host->table_find(host, table, "A", &outer));
	position = 0;
	CU_ASSERT_TRUE_FATAL(host->array_next(host, outer.bytes, &position, &inner));
	CU_ASSERT_EQUAL(inner.type, 'V');
	CU_ASSERT_TRUE_FATAL(host->array_next(host, outer.bytes, &position, &inner));
	CU_ASSERT_EQUAL(inner.type, 't');
	CU_ASSERT_TRUE(inner.boolean);
	CU_ASSERT_FALSE(host->array_next(host, outer.bytes, &position, &inner));
	host_end();
}

/* The values of the table, without their keys. */
static void array_next_over_all_types(void)
{
	const struct shunt_host *host = host_begin();
	struct slice table = TABLE_OF_ALL_TYPES;
	struct amqp_table_iter iter;
	struct amqp_table_writer writer;
	struct buffer buffer;
	struct amqp_value each;
	struct shunt_value outer, value;
	struct slice key;
	size_t position = 0, n = 0;

	buffer_init(&buffer);
	amqp_table_writer_init(&writer, &buffer);
	amqp_table_begin_array(&writer, "all");
	amqp_table_iter_init(&iter, table);
	while (amqp_table_iter_next(&iter, &key, &each) == 1)
		amqp_array_put_value(&writer, &each);
	amqp_table_end(&writer);
	CU_ASSERT_EQUAL_FATAL(amqp_table_writer_finish(&writer), 0);

	CU_ASSERT_TRUE_FATAL(host->table_find(host, (struct shunt_bytes){buffer.data, buffer.size},
					      "all", &outer));
	while (host->array_next(host, outer.bytes, &position, &value)) {
		CU_ASSERT_EQUAL("SIDTFAbBdflLsuitxV"[n], value.type);
		check_value(&value);
		n++;
	}
	CU_ASSERT_EQUAL(n, TYPE_COUNT);
	CU_ASSERT_EQUAL(position, outer.bytes.size);
	buffer_fini(&buffer);
	host_end();
}

/* Such are not handed to plugins; and yet nothing is read beyond the end. */
static void truncated_tables(void)
{
	const struct shunt_host *host = host_begin();
	struct slice whole = TABLE_OF_ALL_TYPES;

	for (size_t size = 0; size < whole.size; size++) {
		struct slice copy = exact_copy(whole, size);
		struct shunt_bytes table = bytes_of(copy), name;
		struct shunt_value value;
		size_t position = 0, n = 0;

		while (host->table_next(host, table, &position, &name, &value))
			n++;
		CU_ASSERT_TRUE(n < TYPE_COUNT && position <= size);
		CU_ASSERT_FALSE(host->table_find(host, table, "V", &value));
		position = 0;
		while (host->array_next(host, table, &position, &value))
			;
		CU_ASSERT_TRUE(position <= size);
		exact_free(copy);
	}
	host_end();
}

/* ---- Loops ---- */

static const struct shunt_host *visited_host;
static unsigned visited_index;

static void visit_loop(void *arg)
{
	(void)arg;
	visited_index = visited_host->loop_index(visited_host);
}

static void loops(void)
{
	CU_ASSERT_EQUAL_FATAL(loop_pool_create(3), 0);
	visited_host = host_begin();
	CU_ASSERT_EQUAL(visited_host->loop_count(visited_host), 3);
	CU_ASSERT_EQUAL(visited_host->loop_index(visited_host), 0);
	for (unsigned i = 0; i < 3; i++) {
		loop_pool_visit(i, visit_loop, NULL);
		CU_ASSERT_EQUAL(visited_index, i);
	}
	host_end();
	loop_pool_destroy();
}

/* No thread of the broker's, no end of the broker. */
static void loop_index_outside(void)
{
	const struct shunt_host *host = host_begin();

	CU_ASSERT_PTR_NULL_FATAL(loop_self());
	CU_ASSERT_EQUAL(host->loop_index(host), 0);
	host_end();
}

UNIT_MAIN("host", UNIT_TEST(versions_and_every_function), UNIT_TEST(each_plugin_has_its_own),
	  UNIT_TEST(log_levels), UNIT_TEST(log_takes_text_as_it_is), UNIT_TEST(memory),
	  UNIT_TEST(memory_that_is_out_is_no_end), UNIT_TEST(hash_is_the_same_for_the_same_bytes),
	  UNIT_TEST(stable_hash_is_the_same_for_ever), UNIT_TEST(random_numbers),
	  UNIT_TEST(table_next_over_all_types), UNIT_TEST(table_find_of_all_types),
	  UNIT_TEST(table_find_takes_the_first), UNIT_TEST(nothing_in_an_empty_table),
	  UNIT_TEST(nested_tables_and_arrays), UNIT_TEST(array_next_over_all_types),
	  UNIT_TEST(truncated_tables), UNIT_TEST(loops), UNIT_TEST(loop_index_outside))
