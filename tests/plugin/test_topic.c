/* SPDX-License-Identifier: MIT */
#include "exchange_case.h"

#include "../../plugins/exchange-topic/match.h"
#include "../unit/unit.h"

#include <stdio.h>
#include <string.h>

/* ---- A model: dynamic programming over the words of the pattern and of the key ---- */

static unsigned split(struct shunt_bytes key, struct shunt_bytes *words)
{
	unsigned count = 0;
	size_t start = 0;

	if (key.size == 0)
		return 0;
	for (size_t i = 0; i <= key.size; i++) {
		if (i < key.size && key.data[i] != '.')
			continue;
		words[count].data = key.data + start;
		words[count++].size = i - start;
		start = i + 1;
	}
	return count;
}

static bool word_is(struct shunt_bytes word, const char *text)
{
	return word.size == strlen(text) && memcmp(word.data, text, word.size) == 0;
}

static bool pattern_matches(struct shunt_bytes pattern, struct shunt_bytes key)
{
	struct shunt_bytes patterns[256], words[256];
	unsigned pattern_count = split(pattern, patterns);
	unsigned count = split(key, words);
	bool before[257] = {true}, here[257];

	for (unsigned i = 0; i < pattern_count; i++) {
		bool any = word_is(patterns[i], "*");

		for (unsigned k = 0; k <= count; k++) {
			if (word_is(patterns[i], "#"))
				here[k] = before[k] || (k > 0 && here[k - 1]);
			else
				here[k] = k > 0 && before[k - 1] &&
					  (any || (patterns[i].size == words[k - 1].size &&
						   memcmp(patterns[i].data, words[k - 1].data,
							  words[k - 1].size) == 0));
		}
		memcpy(before, here, sizeof(before));
	}
	return before[count];
}

static bool matches(const struct shunt_binding *binding, const struct case_message *message)
{
	return pattern_matches(binding->routing_key, message->fake.message.routing_key);
}

/* Few words, many wildcards, some empty words, some long ones. */
static void random_key(uint64_t *random, bool pattern, char *text)
{
	static const char *const words[] = {"a", "b", "c", "",
					    "a-word-that-is-longer-than-fifteen-bytes"};
	unsigned count = (unsigned)(case_random(random) % 7);
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < count; i++) {
		uint64_t r = case_random(random);
		const char *word = words[r % 64 == 0 ? 4 : r / 64 % 24 == 0 ? 3 : r % 3];

		if (pattern && r / 4096 % 3 == 0)
			word = r / 65536 % 2 ? "*" : "#";
		used += (size_t)sprintf(text + used, "%s%s", i > 0 ? "." : "", word);
	}
}

static void make_binding(uint64_t *random, struct case_binding *binding)
{
	char text[400];

	random_key(random, true, text);
	case_set_key(binding, text);
}

static void make_message(uint64_t *random, struct case_message *message)
{
	char text[400];

	random_key(random, false, text);
	case_message_set_key(message, text);
}

static const struct case_model model = {make_binding, make_message, matches, NULL};

static size_t route_key(struct exchange_case *c, const char *key)
{
	struct case_message message = {0};

	case_message_set_key(&message, key);
	return case_route(c, &message);
}

static void bind_key(struct exchange_case *c, size_t index, const char *key)
{
	case_set_key(&c->bindings[index], key);
	CU_ASSERT_EQUAL_FATAL(case_bind(c, index), 0);
}

/* ---- Meaning ---- */

/* As RabbitMQ 3.10.8 answers. A key matches if it stands in the row of the pattern. */
static void matches_as_rabbitmq_does(void)
{
	static const char *const keys[] = {
		"",   ".",  "..", "a",	"a.b", "a..b", "a.x.b", "a.",	 ".a", "*",	"#",
		"**", "a*", "#a", "a#", "a.#", "*.a",  "#.a",	"a.*.b", "x",  "a.b.c", "A",
	};
	static const struct {
		const char *pattern;
		const char *keys[sizeof(keys) / sizeof(keys[0]) + 1];
	} rows[] = {
		{"", {""}},
		{"*", {"a", "*", "#", "**", "a*", "#a", "a#", "x", "A"}},
		{".", {"."}},
		{"..", {".."}},
		{"*.*", {".", "a.b", "a.", ".a", "a.#", "*.a", "#.a"}},
		{"a", {"a"}},
		{"a.b", {"a.b"}},
		{"a..b", {"a..b"}},
		{"a.*.b", {"a..b", "a.x.b", "a.*.b"}},
		{"a.#.b", {"a.b", "a..b", "a.x.b", "a.*.b"}},
		{"a.", {"a."}},
		{".a", {".a"}},
		{"*.a", {".a", "*.a", "#.a"}},
		{"a.*", {"a.b", "a.", "a.#"}},
		{"#.a", {"a", ".a", "*.a", "#.a"}},
		{"a.#", {"a", "a.b", "a..b", "a.x.b", "a.", "a.#", "a.*.b", "a.b.c"}},
		{"**", {"**"}},
		{"a*", {"a*"}},
		{"#a", {"#a"}},
		{"a#", {"a#"}},
		{"*.*.*", {"..", "a..b", "a.x.b", "a.*.b", "a.b.c"}},
		{"#.", {".", "..", "a."}},
		{".#", {".", "..", ".a"}},
		{"#.a.#",
		 {"a", "a.b", "a..b", "a.x.b", "a.", ".a", "a.#", "*.a", "#.a", "a.*.b", "a.b.c"}},
		{"#.*.*",
		 {".", "..", "a.b", "a..b", "a.x.b", "a.", ".a", "a.#", "*.a", "#.a", "a.*.b",
		  "a.b.c"}},
	};
	static const char *const everything[] = {"#", "#.#", "#.#.#"};
	static const char *const one_or_more[] = {"#.*", "*.#", "#.*.#"};
	struct exchange_case c;

	case_open(&c, NULL, 40);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		bind_key(&c, i, rows[i].pattern);
	for (size_t i = 0; i < 3; i++)
		bind_key(&c, 30 + i, everything[i]);
	for (size_t i = 0; i < 3; i++)
		bind_key(&c, 35 + i, one_or_more[i]);
	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
		size_t count = route_key(&c, keys[k]);
		size_t expected = keys[k][0] ? 6 : 3;

		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			bool match = false;

			for (size_t n = 0; rows[i].keys[n]; n++)
				match |= strcmp(rows[i].keys[n], keys[k]) == 0;
			if (case_answered(&c, count, i) != match)
				(void)fprintf(stderr, "pattern '%s' key '%s'\n", rows[i].pattern,
					      keys[k]);
			CU_ASSERT_EQUAL(case_answered(&c, count, i), match);
			expected += match;
		}
		CU_ASSERT_EQUAL(count, expected);
	}
	case_close(&c);
}

/* Patterns of one meaning share a node, and still are bound and unbound one by one. */
static void equal_patterns_are_separate_bindings(void)
{
	static const char *const patterns[] = {"a.#.*", "a.*.#", "a.#.*.#", "a.#.#.*"};
	struct exchange_case c;

	case_open(&c, NULL, 4);
	for (size_t i = 0; i < 4; i++)
		bind_key(&c, i, patterns[i]);
	CU_ASSERT_EQUAL(route_key(&c, "a"), 0);
	CU_ASSERT_EQUAL(route_key(&c, "a.b"), 4);
	CU_ASSERT_EQUAL(route_key(&c, "a.b.c"), 4);
	for (size_t i = 0; i < 4; i++) {
		case_unbind(&c, i);
		CU_ASSERT_EQUAL(route_key(&c, "a.b.c"), 3 - i);
		CU_ASSERT(!case_answered(&c, 3 - i, i));
	}
	CU_ASSERT_EQUAL(c.host.live, c.live_empty);
	case_close(&c);
}

/* 256 words, which is the most: every position of the sets is in use. */
static void longest_keys(void)
{
	char dots[256], deep[256], key[256];
	struct exchange_case c;

	memset(dots, '.', 255);
	dots[255] = '\0';
	for (size_t i = 0; i < 255; i++)
		deep[i] = i % 2 == 0 ? '*' : '.';
	deep[255] = '\0';
	for (size_t i = 0; i < 255; i++)
		key[i] = i % 2 == 0 ? 'k' : '.';
	key[255] = '\0';
	case_open(&c, NULL, 8);
	bind_key(&c, 0, dots);
	bind_key(&c, 1, deep); /* 128 words */
	bind_key(&c, 2, "#");
	bind_key(&c, 3, "#.k");
	bind_key(&c, 4, "#..");
	bind_key(&c, 5, "#.k.#.k");
	deep[0] = '#'; /* 127 words and any number */
	bind_key(&c, 6, deep);
	CU_ASSERT_EQUAL(route_key(&c, dots), 4);
	CU_ASSERT(case_answered(&c, 4, 0) && case_answered(&c, 4, 2));
	CU_ASSERT(case_answered(&c, 4, 4) && case_answered(&c, 4, 6));
	CU_ASSERT_EQUAL(route_key(&c, key), 5);
	CU_ASSERT(case_answered(&c, 5, 1) && case_answered(&c, 5, 3) && case_answered(&c, 5, 5));
	key[253] = '\0'; /* 127 words */
	CU_ASSERT_EQUAL(route_key(&c, key), 4);
	CU_ASSERT(!case_answered(&c, 4, 1) && case_answered(&c, 4, 6));
	case_close(&c);
}

/* Words are read by eight bytes, at every place in a key. */
static void words_of_all_lengths(void)
{
	static const char *const tails[] = {"", ".", ".b", ".b.c.d.e.f.g.h.i"};
	struct exchange_case c;
	char text[64];

	case_open(&c, NULL, 4 * 41);
	for (unsigned i = 0; i < 4 * 41; i++) {
		memset(text, 'w', i / 4);
		(void)strcpy(text + i / 4, tails[i % 4]);
		bind_key(&c, i, text);
	}
	for (unsigned i = 0; i < 4 * 41; i++) {
		memset(text, 'w', i / 4);
		(void)strcpy(text + i / 4, tails[i % 4]);
		CU_ASSERT_EQUAL_FATAL(route_key(&c, text), 1);
		CU_ASSERT_PTR_EQUAL(c.answer[0], &c.bindings[i].binding);
		if (i < 4)
			continue;
		text[i / 4 - 1] = 'v';
		CU_ASSERT_EQUAL(route_key(&c, text), 0);
	}
	case_close(&c);
}

/* A word that ends in NUL bytes is not the word without them. */
static void words_with_zero_bytes(void)
{
	static const char zeros[12] = "a";
	struct exchange_case c;
	struct case_message message = {0};

	case_open(&c, NULL, sizeof(zeros) + 1);
	for (unsigned size = 1; size <= sizeof(zeros); size++) {
		c.bindings[size].binding.routing_key =
			(struct shunt_bytes){(const uint8_t *)zeros, size};
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, size), 0);
	}
	case_message_set_key(&message, "");
	for (unsigned size = 1; size <= sizeof(zeros); size++) {
		message.fake.message.routing_key =
			(struct shunt_bytes){(const uint8_t *)zeros, size};
		CU_ASSERT_EQUAL(case_route(&c, &message), 1);
		CU_ASSERT_PTR_EQUAL(c.answer[0], &c.bindings[size].binding);
	}
	for (unsigned size = 1; size <= sizeof(zeros); size++)
		case_unbind(&c, size);
	CU_ASSERT_EQUAL(c.host.live, c.live_empty);
	case_message_fini(&message);
	case_close(&c);
}

/* More nodes of one depth than are looked at together, and more bindings than one call of emit
 * takes. */
static void all_combinations_of_wildcards(void)
{
	struct exchange_case c;
	char text[32];

	case_open(&c, NULL, 1024);
	for (unsigned i = 0; i < 1024; i++) {
		for (unsigned k = 0; k < 10; k++)
			(void)sprintf(text + 2 * k, "%c.", i >> k & 1 ? '*' : 'w');
		text[19] = '\0';
		bind_key(&c, i, text);
	}
	CU_ASSERT_EQUAL(route_key(&c, "w.w.w.w.w.w.w.w.w.w"), 1024);
	CU_ASSERT_EQUAL(route_key(&c, "w.w.w.w.w.w.w.w.w.x"), 512);
	CU_ASSERT_EQUAL(route_key(&c, "x.x.x.x.x.x.x.x.x.x"), 1);
	CU_ASSERT_EQUAL(route_key(&c, "w.w.w.w.w.w.w.w.w"), 0);
	case_close(&c);
}

/* ---- Cost ---- */

static void key_of_words(char *key, unsigned words, const char *cycle)
{
	for (unsigned i = 0; i < words; i++) {
		key[2 * i] = cycle[i % strlen(cycle)];
		key[2 * i + 1] = '.';
	}
	key[2 * words - 1] = '\0';
}

static uint64_t lookups_of(struct exchange_case *c, const char *key)
{
	match_lookups = 0;
	(void)route_key(c, key);
	return match_lookups;
}

/* A pattern of n words has n nodes; from each at most one edge a distinct word, and two wildcards,
 * are looked for. */
static void patterns_with_many_hashes_stay_cheap(void)
{
	static const char *const patterns[] = {
		"#.a.#.a.#.a.#.b",
		"#.a.#.a.#.a.#.a.#.a.#.a.#.a.#.a.#.a.#.a.#.a.#.a.#.a.#.a.#.a.#.b",
		"#.a.*.#.a.*.#.a.*.#.a.*.#.a.*.#.a.*.#.a.*.#.a.*.#.a.*.#.b",
		"*.#.a.b.#.a.b.#.a.b.#.a.b.#.a.b.#.a.b.#.a.b.#.a.b.#.c",
	};
	char key[256];

	for (size_t i = 0; i < 4; i++) {
		size_t states = strlen(patterns[i]) / 2 + 1;
		struct exchange_case c;

		case_open(&c, NULL, 1);
		bind_key(&c, 0, patterns[i]);
		key_of_words(key, 127, "a");
		CU_ASSERT(lookups_of(&c, key) <= states * 3);
		key_of_words(key, 127, "ab");
		CU_ASSERT(lookups_of(&c, key) <= states * 4);
		case_close(&c);
	}
}

/* All patterns of `#`, a and b up to 14 words: still no more than nodes times distinct words. */
static void many_patterns_with_many_hashes_stay_cheap(void)
{
	struct exchange_case c;
	char key[256];
	size_t nodes = 0;

	case_open(&c, NULL, 4096);
	for (unsigned i = 0; i < 128; i++) {
		for (unsigned k = 0; k < 7; k++)
			(void)sprintf(key + 4 * k, "#.%c.", i >> k & 1 ? 'a' : 'b');
		key[27] = '\0';
		bind_key(&c, i, key);
	}
	for (unsigned k = 1; k <= 7; k++)
		nodes += (size_t)2 << k;
	key_of_words(key, 127, "ab");
	CU_ASSERT(lookups_of(&c, key) <= nodes * 2);
	CU_ASSERT_EQUAL(route_key(&c, key), 64);
	case_close(&c);
}

/* Ten or ten thousand other bindings: a message looks for the same edges. */
static void other_bindings_cost_nothing(void)
{
	struct exchange_case c;
	uint64_t few, many;
	char text[64];

	case_open(&c, NULL, 20000);
	bind_key(&c, 0, "orders.eu.paid");
	bind_key(&c, 1, "orders.*.paid");
	bind_key(&c, 2, "#.paid");
	for (unsigned i = 3; i < 13; i++) {
		(void)sprintf(text, "orders.eu.%u", i);
		bind_key(&c, i, text);
	}
	few = lookups_of(&c, "orders.eu.paid");
	for (unsigned i = 13; i < 20000; i++) {
		(void)sprintf(text, i % 2 ? "orders.eu.%u" : "%u.eu.paid", i);
		bind_key(&c, i, text);
	}
	many = lookups_of(&c, "orders.eu.paid");
	CU_ASSERT_EQUAL(few, many);
	CU_ASSERT_EQUAL(route_key(&c, "orders.eu.paid"), 3);
	case_close(&c);
}

/* ---- Changes ---- */

static void agrees_with_the_model(void)
{
	struct exchange_case c;

	case_open(&c, &model, 400);
	case_run_random(&c, 1, 8000);
	case_close(&c);
}

/* All edges of a table and all words in one bucket, and long words with the key of the empty one.
 */
static void agrees_when_all_hashes_collide(void)
{
	struct exchange_case c;
	struct trie *trie;

	case_open(&c, &model, 100);
	trie = c.state;
	memset(&trie->top.seeds, 0, sizeof(trie->top.seeds));
	memset(&trie->deep.seeds, 0, sizeof(trie->deep.seeds));
	memset(&trie->words.index.seeds, 0, sizeof(trie->words.index.seeds));
	case_run_random(&c, 2, 3000);
	case_close(&c);
}

static void survives_failing_allocations(void)
{
	struct exchange_case c;

	case_open(&c, &model, 100);
	case_run_memory(&c, 3, 600);
	case_close(&c);
}

/* Keys without wildcards, so that the tables get large and small again. */
/* So many that segments of the largest size come and go, in an order that is not theirs. */
static void grows_and_shrinks(void)
{
	struct exchange_case c;
	char text[64];
	size_t bound = 70000;

	case_open(&c, NULL, bound);
	for (unsigned round = 0; round < 2; round++) {
		for (size_t i = 0; i < bound; i++) {
			(void)sprintf(text, "%zu.a-word-of-some-length-%zu.x", i % 100, i);
			bind_key(&c, i, text);
		}
		for (size_t step = 0; step < bound; step++) {
			size_t i = step * 7919 % bound;

			(void)sprintf(text, "%zu.a-word-of-some-length-%zu.x", i % 100, i);
			CU_ASSERT_EQUAL(route_key(&c, text), 1);
			CU_ASSERT_PTR_EQUAL(c.answer[0], &c.bindings[i].binding);
			if (i % 1000 != 0) {
				case_unbind(&c, i);
				CU_ASSERT_EQUAL(route_key(&c, text), 0);
			}
		}
		for (size_t i = 0; i < bound; i += 1000)
			case_unbind(&c, i);
		CU_ASSERT_EQUAL(c.host.live, c.live_empty);
	}
	case_close(&c);
}

static void destroy_frees_what_is_bound(void)
{
	struct exchange_case c;
	uint64_t random = 4;

	case_open(&c, &model, 2000);
	for (size_t i = 0; i < 2000; i++) {
		make_binding(&random, &c.bindings[i]);
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, i), 0);
	}
	case_close(&c);
}

static void routes_on_several_loops_at_once(void)
{
	struct exchange_case c;

	case_open(&c, &model, 300);
	case_run_threads(&c, 5, 2000);
	case_close(&c);
}

UNIT_MAIN("exchange-topic", UNIT_TEST(matches_as_rabbitmq_does),
	  UNIT_TEST(equal_patterns_are_separate_bindings), UNIT_TEST(longest_keys),
	  UNIT_TEST(words_of_all_lengths), UNIT_TEST(words_with_zero_bytes),
	  UNIT_TEST(all_combinations_of_wildcards), UNIT_TEST(patterns_with_many_hashes_stay_cheap),
	  UNIT_TEST(many_patterns_with_many_hashes_stay_cheap),
	  UNIT_TEST(other_bindings_cost_nothing), UNIT_TEST(agrees_with_the_model),
	  UNIT_TEST(agrees_when_all_hashes_collide), UNIT_TEST(survives_failing_allocations),
	  UNIT_TEST(grows_and_shrinks), UNIT_TEST(destroy_frees_what_is_bound),
	  UNIT_TEST(routes_on_several_loops_at_once))
