/* SPDX-License-Identifier: MIT */

/* plugins/lua/library/shared.h, and the global of scripts. */

#include "library/shared.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "lua_case.h"
#include "unit.h"

#define SECOND UINT64_C(1000000)

static const struct shared_number one = {.integer = 1};

static struct shared_name name_of(const char *text)
{
	return (struct shared_name){text, strlen(text)};
}

static lua_Integer get(struct shared_table *table, const char *name, uint64_t now_us)
{
	struct shared_number number = shared_get(table, name_of(name), now_us);

	CU_ASSERT_FALSE(number.is_float);
	return number.integer;
}

static lua_Integer add(struct shared_table *table, const char *name, lua_Integer n, uint64_t ttl_us,
		       uint64_t now_us)
{
	struct shared_number sum = {.integer = -1};

	CU_ASSERT_EQUAL(shared_add(table, name_of(name), (struct shared_number){.integer = n},
				   ttl_us, now_us, &sum),
			0);
	return sum.integer;
}

static void numbers_are_kept(void)
{
	struct shared_table *table = shared_table_acquire(NULL, "a");
	struct shared_number half = {.is_float = true, .real = 0.5}, sum;

	CU_ASSERT_EQUAL(get(table, "a", 0), 0);
	CU_ASSERT_EQUAL(add(table, "a", 2, 0, 0), 2);
	CU_ASSERT_EQUAL(add(table, "a", 3, 0, 0), 5);
	CU_ASSERT_EQUAL(get(table, "a", 0), 5);
	CU_ASSERT_EQUAL(get(table, "b", 0), 0);
	CU_ASSERT_EQUAL(shared_add(table, name_of("a"), half, 0, 0, &sum), 0);
	CU_ASSERT_TRUE(sum.is_float);
	CU_ASSERT_EQUAL(sum.real, 5.5);
	CU_ASSERT_EQUAL(shared_set(table, name_of("a"), one, 0, 0), 0);
	CU_ASSERT_EQUAL(get(table, "a", 0), 1);
	/* as Lua's integers do */
	CU_ASSERT_EQUAL(add(table, "c", LUA_MAXINTEGER, 0, 0), LUA_MAXINTEGER);
	CU_ASSERT_EQUAL(add(table, "c", 1, 0, 0), LUA_MININTEGER);
	CU_ASSERT_EQUAL(shared_table_count(table), 2);
	shared_table_release(table);
}

static void time_ends_them(void)
{
	struct shared_table *table = shared_table_acquire(NULL, "a");

	CU_ASSERT_EQUAL(add(table, "a", 1, SECOND, 0), 1);
	/* the time counts from the beginning */
	CU_ASSERT_EQUAL(add(table, "a", 1, SECOND, SECOND - 1), 2);
	CU_ASSERT_EQUAL(get(table, "a", SECOND - 1), 2);
	CU_ASSERT_EQUAL(get(table, "a", SECOND), 0);
	CU_ASSERT_EQUAL(add(table, "a", 1, SECOND, SECOND), 1);
	CU_ASSERT_EQUAL(shared_set(table, name_of("a"), one, SECOND, SECOND + 1), 0);
	CU_ASSERT_EQUAL(get(table, "a", 2 * SECOND), 1);
	CU_ASSERT_EQUAL(get(table, "a", 2 * SECOND + 1), 0);
	CU_ASSERT_EQUAL(shared_set(table, name_of("a"), one, 0, 0), 0);
	CU_ASSERT_EQUAL(get(table, "a", UINT64_MAX), 1);
	CU_ASSERT_EQUAL(shared_table_count(table), 1);
	shared_table_release(table);
}

static unsigned take_all(struct shared_table *table, double per_second, double burst,
			 uint64_t now_us)
{
	unsigned count = 0;
	bool taken = true;

	while (count < 1000 && taken) {
		CU_ASSERT_EQUAL(shared_take(table, name_of("a"), per_second, burst, now_us, &taken),
				0);
		count += taken;
	}
	return count;
}

static void buckets_fill(void)
{
	struct shared_table *table = shared_table_acquire(NULL, "a");

	CU_ASSERT_EQUAL(take_all(table, 10, 5, 0), 5);
	CU_ASSERT_EQUAL(take_all(table, 10, 5, 0), 0);
	CU_ASSERT_EQUAL(take_all(table, 10, 5, SECOND / 20), 0);
	CU_ASSERT_EQUAL(take_all(table, 10, 5, SECOND / 10), 1);
	CU_ASSERT_EQUAL(take_all(table, 10, 5, SECOND / 10 + SECOND * 3 / 10), 3);
	CU_ASSERT_EQUAL(take_all(table, 10, 5, SECOND * 100), 5);
	/* another loop's clock was read before */
	CU_ASSERT_EQUAL(take_all(table, 10, 5, SECOND * 99), 0);
	CU_ASSERT_EQUAL(take_all(table, 10, 5, SECOND * 101), 5);
	/* a number of the same name is another thing */
	CU_ASSERT_EQUAL(get(table, "a", 0), 0);
	shared_table_release(table);
}

static void oldest_goes(void)
{
	struct shared_table *table = shared_table_acquire(NULL, "a");
	char name[32];

	for (unsigned i = 0; i < 3 * SHARED_NAMES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "name %u", i);
		(void)add(table, name, (lua_Integer)i, 0, 0);
		/* is used all the time, and stays */
		if (i % 100 == 0)
			(void)add(table, "used", 1, 0, 0);
	}
	CU_ASSERT_EQUAL(shared_table_count(table), SHARED_NAMES_MAX);
	CU_ASSERT_EQUAL(get(table, "used", 0), (3 * SHARED_NAMES_MAX + 99) / 100);
	CU_ASSERT_EQUAL(get(table, "name 0", 0), 0);
	CU_ASSERT_EQUAL(get(table, "name 1000", 0), 0);
	CU_ASSERT_EQUAL(get(table, name, 0), 3 * SHARED_NAMES_MAX - 1);
	/* names that are longer than what goes */
	for (unsigned i = 0; i < SHARED_NAMES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "a longer name %u", i);
		(void)add(table, name, 1, 0, 0);
	}
	CU_ASSERT_EQUAL(shared_table_count(table), SHARED_NAMES_MAX);
	shared_table_release(table);
}

static void versions_share(void)
{
	struct shared_tables *tables = shared_tables_create();
	struct shared_table *first = shared_table_acquire(tables, "a"),
			    *second = shared_table_acquire(tables, "a"),
			    *other = shared_table_acquire(tables, "b");

	CU_ASSERT_PTR_EQUAL(first, second);
	CU_ASSERT_PTR_NOT_EQUAL(first, other);
	(void)add(first, "n", 7, 0, 0);
	shared_table_release(first);
	CU_ASSERT_EQUAL(get(second, "n", 0), 7);
	CU_ASSERT_EQUAL(get(other, "n", 0), 0);
	shared_table_release(second);
	first = shared_table_acquire(tables, "a");
	CU_ASSERT_EQUAL(get(first, "n", 0), 0);
	shared_table_release(first);
	shared_table_release(other);
	shared_tables_destroy(tables);
}

#define THREADS 4
#define ROUNDS	20000

/* CUnit counts on one thread only. Returns NULL if all went well. */
static void *work(void *context)
{
	struct shared_table *table = context;
	struct shared_number sum;
	char name[32];
	bool taken;

	for (unsigned i = 0; i < ROUNDS; i++) {
		(void)snprintf(name, sizeof(name), "%u", i % 5000);
		if (shared_add(table, name_of("all"), one, 0, i, &sum) < 0 ||
		    shared_add(table, name_of(name), one, 100, i, &sum) < 0 ||
		    shared_take(table, name_of(name), 1000, 10, i, &taken) < 0 ||
		    shared_get(table, name_of("all"), i).integer == 0)
			return table;
	}
	return NULL;
}

static void loops_share(void)
{
	struct shared_table *table = shared_table_acquire(NULL, "a");
	pthread_t threads[THREADS];

	for (unsigned i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, work, table), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		void *failed = NULL;

		CU_ASSERT_EQUAL(pthread_join(threads[i], &failed), 0);
		CU_ASSERT_PTR_NULL(failed);
	}
	CU_ASSERT_EQUAL(get(table, "all", 0), THREADS * ROUNDS);
	CU_ASSERT_EQUAL(shared_table_count(table), 10001);
	shared_table_release(table);
}

/* ---- As scripts see it ---- */

static void scripts_use_it(void)
{
	CU_ASSERT_STRING_EQUAL(lua_case_of("function f() shared.add('a') "
					   "return shared.add('a', 4) .. shared.get('a') end"),
			       "55");
	CU_ASSERT_STRING_EQUAL(lua_case_of("function f() shared.set('a', 1.5) "
					   "return shared.add('a', 1) end"),
			       "2.5");
	CU_ASSERT_STRING_EQUAL(lua_case_of("function f() local n = 0 for i = 1, 10 do "
					   "if shared.take('a', 0, 3) then n = n + 1 end end "
					   "return n end"),
			       "3");
	/* less than one a second still gives one */
	CU_ASSERT_STRING_EQUAL(lua_case_of("function f() return shared.take('a', 0.1) and "
					   "not shared.take('a', 0.1) end"),
			       "true");
}

static bool fails(const char *call, const char *with)
{
	char source[256];
	const char *said;

	(void)snprintf(source, sizeof(source), "function f() return %s end", call);
	said = lua_case_of(source);
	return strncmp(said, "failed: ", 8) == 0 && strstr(said, with) != NULL;
}

static void wrong_arguments_are_refused(void)
{
	CU_ASSERT(fails("shared.add(('x'):rep(256))", "longer than 255 bytes"));
	CU_ASSERT(fails("shared.add({})", "string expected"));
	CU_ASSERT(fails("shared.add('a', '1')", "number expected"));
	CU_ASSERT(fails("shared.add('a', 1, 0)", "seconds"));
	CU_ASSERT(fails("shared.add('a', 1, 0/0)", "seconds"));
	CU_ASSERT(fails("shared.set('a')", "number expected"));
	CU_ASSERT(fails("shared.take('a', -1)", "0 or more"));
	CU_ASSERT(fails("shared.take('a', 0/0)", "0 or more"));
	CU_ASSERT(fails("shared.take('a', 1, 0.5)", "1 or more"));
}

UNIT_MAIN("lua/shared", UNIT_TEST(numbers_are_kept), UNIT_TEST(time_ends_them),
	  UNIT_TEST(buckets_fill), UNIT_TEST(oldest_goes), UNIT_TEST(versions_share),
	  UNIT_TEST(loops_share), UNIT_TEST(scripts_use_it), UNIT_TEST(wrong_arguments_are_refused))
