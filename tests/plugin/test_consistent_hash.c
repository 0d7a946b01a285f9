/* SPDX-License-Identifier: MIT */
#include "exchange_case.h"

#include "../../plugins/exchange-consistent-hash/siphash.h"
#include "../unit/unit.h"

#include <string.h>

#define QUEUES 200
#define KEYS   200000 /* where no other number is said */

static char queues[QUEUES][8];

static struct shunt_bytes text_bytes(const char *text)
{
	return (struct shunt_bytes){(const uint8_t *)text, strlen(text)};
}

/* ---- A model: all points of all bindings, one after the other, in numbers ---- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint64_t reversed(uint32_t bits)
{
	uint64_t r = 0;

	for (unsigned i = 0; i < 32; i++)
		r |= (uint64_t)(bits >> i & 1u) << (31 - i);
	return r;
}

static uint64_t hash_of(const struct exchange_case *c, struct shunt_bytes bytes, uint64_t seed)
{
	return c->host.host.stable_hash(&c->host.host, bytes.data, bytes.size, seed);
}

/* Of digits. */
static uint64_t weight_of(struct shunt_bytes key)
{
	uint64_t weight = 0;

	for (size_t i = 0; i < key.size; i++)
		weight = weight * 10 + (uint64_t)(key.data[i] - '0');
	return weight;
}

/* The distance of the nearest point, in 2^-32 of one. */
static long double distance_of(const struct shunt_binding *binding, const uint32_t *probes)
{
	uint64_t weight = weight_of(binding->routing_key);
	unsigned level = 63u - (unsigned)__builtin_clzl(weight);
	uint64_t seed = binding->destination_is_exchange, nearest = UINT64_MAX;

	seed = siphash(seed, 0, binding->destination);
	seed = siphash(seed, 0, binding->routing_key);
	seed = siphash(seed, 0, binding->arguments);
	for (uint64_t i = 0; i < (96 * weight) >> level; i++) {
		uint32_t position = (uint32_t)mix(seed + i * 0x9e3779b97f4a7c15u);

		for (size_t k = 0; k < 12; k++) {
			uint64_t distance = reversed(position ^ probes[k]);

			nearest = distance < nearest ? distance : nearest;
		}
	}
	return (long double)nearest / (long double)(1ull << level);
}

static bool is_same_place(const struct shunt_binding *a, const struct shunt_binding *b)
{
	return a->destination.data == b->destination.data &&
	       a->destination_is_exchange == b->destination_is_exchange;
}

static bool accepts(const struct exchange_case *c, const struct case_message *message, size_t count)
{
	uint64_t hash = hash_of(c, message->fake.message.routing_key, 0);
	const struct shunt_binding *nearest = NULL;
	long double least = 0;
	uint32_t probes[12];

	for (uint64_t i = 0; i < 12; i += 2) {
		probes[i] = (uint32_t)mix(hash + i * 0x9e3779b97f4a7c15u);
		probes[i + 1] = (uint32_t)(mix(hash + i * 0x9e3779b97f4a7c15u) >> 32);
	}
	for (size_t i = 0; i < c->count; i++) {
		long double distance;

		if (!c->bindings[i].bound)
			continue;
		distance = distance_of(&c->bindings[i].binding, probes);
		if (!nearest || distance < least) {
			nearest = &c->bindings[i].binding;
			least = distance;
		}
	}
	if (!nearest)
		return count == 0;
	return count == 1 && ((const struct case_binding *)c->answer[0])->bound &&
	       is_same_place(c->answer[0], nearest);
}

static void make_binding(uint64_t *random, struct case_binding *binding)
{
	static const char *const weights[] = {"1", "1", "1", "2", "3", "10", "100", "4294967295"};

	binding->binding.destination = text_bytes(queues[case_random(random) % QUEUES]);
	binding->binding.destination_is_exchange = case_random(random) % 4 == 0;
	if (case_random(random) % 4 == 0)
		fake_table_put(&binding->arguments, "n", 'I', (int64_t)(case_random(random) % 3));
	case_set_key(binding, weights[case_random(random) % 8]);
}

static void set_number(struct case_message *message, uint64_t number)
{
	char key[32];

	(void)snprintf(key, sizeof(key), "key %llu", (unsigned long long)number);
	case_message_set_key(message, key);
}

static void make_message(uint64_t *random, struct case_message *message)
{
	set_number(message, case_random(random) % 100000);
}

static const struct case_model model = {make_binding, make_message, NULL, accepts};

/* ---- Declaring ---- */

static void says(const struct exchange_case *c, struct fake_table *arguments, const char *text)
{
	struct shunt_exchange exchange = c->exchange;
	struct shunt_error error = {0};
	int result;

	exchange.arguments = fake_table_bytes(arguments);
	result = c->host.type->validate(c->host.plugin, &exchange, &error);
	CU_ASSERT_EQUAL(result, text ? -1 : 0);
	if (text) {
		CU_ASSERT_EQUAL(error.code, SHUNT_PRECONDITION_FAILED);
		CU_ASSERT_STRING_EQUAL(error.text, text);
	}
	fake_table_fini(arguments);
	memset(arguments, 0, sizeof(*arguments));
}

static void refuses_arguments_as_rabbitmq(void)
{
	struct fake_table arguments = {0};
	struct exchange_case c;

	case_open(&c, &model, 0);
	says(&c, &arguments, NULL);
	fake_table_put_text(&arguments, "hash-header", "h");
	says(&c, &arguments, NULL);
	fake_table_put_text(&arguments, "hash-property", "timestamp");
	says(&c, &arguments, NULL);
	fake_table_put_text(&arguments, "hash-property", "app_id");
	says(&c, &arguments, "Unsupported property: app_id");
	fake_table_put_text(&arguments, "hash-property", "");
	says(&c, &arguments, "Unsupported property: ");
	fake_table_put(&arguments, "hash-property", 'I', 5);
	says(&c, &arguments, "hash-property must be a string");
	fake_table_put_text(&arguments, "hash-header", "h");
	fake_table_put_text(&arguments, "hash-property", "nope");
	says(&c, &arguments, "hash-header and hash-property are mutually exclusive");
	case_close(&c);
}

static void weighs(struct exchange_case *c, struct shunt_bytes key, const char *text)
{
	struct shunt_error error = {0};
	int result;

	c->bindings[0].binding.routing_key = key;
	result = c->host.type->validate_binding(c->state, &c->bindings[0].binding, &error);
	CU_ASSERT_EQUAL(result, text ? -1 : 0);
	if (text) {
		CU_ASSERT_EQUAL(error.code, SHUNT_PRECONDITION_FAILED);
		CU_ASSERT_STRING_EQUAL(error.text, text);
	}
}

static void refuses_weights_as_rabbitmq(void)
{
	static const char *const good[] = {"1", "01", "+1", "99999999999999999999"};
	static const char *const low[] = {"0", "-1", "-0", "+0", "-99999999999999999999"};
	static const char *const bad[][2] = {{"", "<<>>"},
					     {"abc", "<<\"abc\">>"},
					     {"1.5", "<<\"1.5\">>"},
					     {" 1", "<<\" 1\">>"},
					     {"a\"b", "<<\"a\\\"b\">>"},
					     {"a\nb", "<<\"a\\nb\">>"},
					     {"-", "<<\"-\">>"},
					     {"1-", "<<\"1-\">>"},
					     {"\x01\x02", "<<1,2>>"},
					     {"\xc3\xa9", "<<\"\xc3\xa9\">>"}};
	struct exchange_case c;
	uint8_t longest[255];
	char text[300];

	case_open(&c, &model, 1);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		weighs(&c, text_bytes(good[i]), NULL);
	for (size_t i = 0; i < sizeof(low) / sizeof(*low); i++)
		weighs(&c, text_bytes(low[i]), "The binding key must be greater than 0");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		(void)snprintf(text, sizeof(text), "The binding key must be an integer: %s",
			       bad[i][1]);
		weighs(&c, text_bytes(bad[i][0]), text);
	}
	memset(longest, 1, sizeof(longest));
	(void)snprintf(text, sizeof(text), "The binding key must be an integer: <<");
	for (size_t length = strlen(text); length < 253; length = strlen(text))
		(void)snprintf(text + length, 254 - length, "1,");
	weighs(&c, (struct shunt_bytes){longest, sizeof(longest)}, text);
	case_close(&c);
}

/* ---- Where keys go ---- */

static void bind_queue(struct exchange_case *c, size_t index, const char *queue, const char *weight)
{
	c->bindings[index].binding.destination = text_bytes(queue);
	case_set_key(&c->bindings[index], weight);
	CU_ASSERT_EQUAL_FATAL(case_bind(c, index), 0);
}

static size_t place_of(struct exchange_case *c, uint64_t number)
{
	struct case_message message = {0};

	set_number(&message, number);
	CU_ASSERT_EQUAL_FATAL(case_route(c, &message), 1);
	return (size_t)((const struct case_binding *)c->answer[0] - c->bindings);
}

static void routes_to_one_binding(void)
{
	struct case_message message = {0};
	struct exchange_case c;

	case_open(&c, &model, 2);
	case_message_set_key(&message, "any");
	CU_ASSERT_EQUAL(case_route(&c, &message), 0);
	bind_queue(&c, 0, "a", "1");
	bind_queue(&c, 1, "b", "1");
	CU_ASSERT_EQUAL(case_route(&c, &message), 1);
	case_unbind(&c, 0);
	CU_ASSERT_EQUAL(case_route(&c, &message), 1);
	CU_ASSERT(case_answered(&c, 1, 1));
	case_close(&c);
}

/* Whether the share of each is off by less than this. */
static void check_shares(const char *const *weights, size_t count, uint64_t keys, double limit)
{
	struct exchange_case c;
	size_t got[16] = {0};
	double sum = 0;

	case_open(&c, &model, count);
	for (size_t i = 0; i < count; i++) {
		bind_queue(&c, i, queues[i], weights[i]);
		sum += strtod(weights[i], NULL);
	}
	for (uint64_t i = 0; i < keys; i++)
		got[place_of(&c, i)]++;
	for (size_t i = 0; i < count; i++) {
		double due = (double)keys * strtod(weights[i], NULL) / sum;
		double deviation = ((double)got[i] - due) / due;

		(void)printf("  %s: %.2f %%\n", weights[i], deviation * 100);
		CU_ASSERT(deviation < limit && deviation > -limit);
	}
	case_close(&c);
}

static void shares_are_even(void)
{
	static const char *const weights[] = {"1", "1", "1", "1", "1", "1", "1", "1", "1", "1"};

	check_shares(weights, 10, 1000000, 0.04);
}

static void shares_follow_the_weights(void)
{
	static const char *const weights[] = {"1", "2", "3", "5", "7", "10", "20", "31"};

	check_shares(weights, 8, KEYS, 0.06);
}

/* Bindings come and go: only what must moves. `places` are those of all keys before. */
static void check_moves(struct exchange_case *c, const uint8_t *places, size_t come, size_t gone,
			size_t *ret_moved)
{
	size_t moved = 0, astray = 0;

	for (uint64_t i = 0; i < KEYS; i++) {
		size_t place = place_of(c, i);

		moved += place != places[i];
		astray += place != places[i] && place != come && places[i] != gone;
	}
	CU_ASSERT_EQUAL(astray, 0);
	*ret_moved = moved;
}

static void few_keys_move(void)
{
	static uint8_t places[KEYS];
	struct exchange_case c;
	size_t moved, had = 0;

	case_open(&c, &model, 11);
	for (size_t i = 0; i < 10; i++)
		bind_queue(&c, i, queues[i], "1");
	for (uint64_t i = 0; i < KEYS; i++)
		places[i] = (uint8_t)place_of(&c, i);
	bind_queue(&c, 10, queues[10], "1");
	check_moves(&c, places, 10, SIZE_MAX, &moved);
	(void)printf("  an eleventh binding: %zu of %d keys\n", moved, KEYS);
	CU_ASSERT(moved > KEYS / 11 * 95 / 100 && moved < KEYS / 11 * 105 / 100);
	case_unbind(&c, 10);
	check_moves(&c, places, SIZE_MAX, SIZE_MAX, &moved);
	CU_ASSERT_EQUAL(moved, 0);
	case_unbind(&c, 3);
	check_moves(&c, places, SIZE_MAX, 3, &moved);
	for (uint64_t i = 0; i < KEYS; i++)
		had += places[i] == 3;
	CU_ASSERT_EQUAL(moved, had);
	case_close(&c);
}

/* The same bindings, after others came and went, and in another order. */
static void order_makes_no_difference(void)
{
	struct exchange_case a, b;

	case_open(&a, &model, QUEUES);
	case_open(&b, &model, QUEUES);
	for (size_t i = 0; i < QUEUES; i++)
		bind_queue(&a, i, queues[i], i % 3 ? "1" : "6");
	for (size_t i = 50; i < QUEUES; i++)
		case_unbind(&a, i);
	for (size_t i = 50; i-- > 0;)
		bind_queue(&b, i, queues[i], i % 3 ? "1" : "6");
	for (uint64_t i = 0; i < 100000; i++)
		CU_ASSERT_EQUAL_FATAL(place_of(&a, i), place_of(&b, i));
	case_close(&a);
	case_close(&b);
}

/* Pinned: a change of these sends the messages of users elsewhere. */
static void routes_as_ever(void)
{
	static const char expected[] = "4424414023143244411324220233212102233441";
	char got[sizeof(expected)] = "";
	struct exchange_case c;

	case_open(&c, &model, 5);
	for (size_t i = 0; i < 5; i++)
		bind_queue(&c, i, queues[i], i == 4 ? "3" : "1");
	for (uint64_t i = 0; i + 1 < sizeof(expected); i++)
		got[i] = (char)('0' + place_of(&c, i));
	CU_ASSERT_STRING_EQUAL(got, expected);
	case_close(&c);
}

/* ---- What is hashed ---- */

/* Opens it with 50 queues, so that different values hardly go to the same place. */
static void open_by(struct exchange_case *c, struct fake_table *arguments, const char *argument,
		    const char *value)
{
	memset(arguments, 0, sizeof(*arguments));
	fake_table_put_text(arguments, argument, value);
	case_open_declared(c, &model, 50, arguments);
	for (size_t i = 0; i < 50; i++)
		bind_queue(c, i, queues[i], "1");
}

static size_t place_of_header(struct exchange_case *c, char type, int64_t value)
{
	struct case_message message = {0};
	size_t place;

	set_number(&message, (uint64_t)value); /* must not matter */
	fake_table_put_text(&message.headers, "other", "o");
	if (type == 'S')
		fake_table_put_text(&message.headers, "h", value ? "one" : "other");
	else if (type)
		fake_table_put(&message.headers, "h", type, value);
	CU_ASSERT_EQUAL_FATAL(case_route(c, &message), 1);
	place = (size_t)((const struct case_binding *)c->answer[0] - c->bindings);
	case_message_fini(&message);
	return place;
}

static void hashes_a_header(void)
{
	struct fake_table arguments;
	struct exchange_case c;
	size_t differ = 0;

	open_by(&c, &arguments, "hash-header", "h");
	CU_ASSERT_EQUAL(place_of_header(&c, 'I', 7), place_of_header(&c, 'l', 7));
	CU_ASSERT_EQUAL(place_of_header(&c, 0, 1), place_of_header(&c, 0, 2));
	CU_ASSERT_NOT_EQUAL(place_of_header(&c, 'S', 0), place_of_header(&c, 'S', 1));
	for (int64_t i = 0; i < 100; i++)
		differ += place_of_header(&c, 'I', i) != place_of_header(&c, 'I', i + 1);
	CU_ASSERT(differ > 85);
	case_close(&c);
	fake_table_fini(&arguments);
}

static size_t place_of_property(struct exchange_case *c, enum shunt_property property, char type,
				int64_t value)
{
	struct case_message message = {0};
	char text[24];

	(void)snprintf(text, sizeof(text), "%lld", (long long)value);
	set_number(&message, (uint64_t)value); /* must not matter */
	message.fake.has_property = type != 0;
	message.fake.property = property;
	message.fake.value = (struct shunt_value){.type = type, .integer = value};
	if (type == 'S')
		message.fake.value.bytes = text_bytes(text);
	CU_ASSERT_EQUAL_FATAL(case_route(c, &message), 1);
	return (size_t)((const struct case_binding *)c->answer[0] - c->bindings);
}

static void check_property(const char *name, enum shunt_property property, char type)
{
	struct fake_table arguments;
	struct exchange_case c;
	size_t differ = 0;

	open_by(&c, &arguments, "hash-property", name);
	CU_ASSERT_EQUAL(place_of_property(&c, property, 0, 1),
			place_of_property(&c, property, 0, 2));
	CU_ASSERT_EQUAL(place_of_property(&c, SHUNT_APP_ID, 'S', 1),
			place_of_property(&c, property, 0, 2));
	for (int64_t i = 0; i < 100; i++) {
		CU_ASSERT_EQUAL(place_of_property(&c, property, type, i),
				place_of_property(&c, property, type, i));
		differ += place_of_property(&c, property, type, i) !=
			  place_of_property(&c, property, type, i + 1);
	}
	CU_ASSERT(differ > 85);
	case_close(&c);
	fake_table_fini(&arguments);
}

static void hashes_a_property(void)
{
	check_property("message_id", SHUNT_MESSAGE_ID, 'S');
	check_property("correlation_id", SHUNT_CORRELATION_ID, 'S');
	check_property("timestamp", SHUNT_TIMESTAMP, 'T');
}

/* ---- Memory ---- */

static void absurd_weights_take_little_memory(void)
{
	struct exchange_case c;
	char weight[256];
	long bytes;

	case_open(&c, &model, 101);
	memset(weight, '9', 255);
	weight[255] = '\0';
	bytes = c.host.bytes;
	for (size_t i = 0; i < 100; i++)
		bind_queue(&c, i, queues[i], weight);
	(void)printf("  %ld bytes a binding\n", (c.host.bytes - bytes) / 100);
	CU_ASSERT(c.host.bytes - bytes < 100 * 8192);
	bind_queue(&c, 100, queues[100], "1");
	for (uint64_t i = 0; i < 10000; i++)
		CU_ASSERT_NOT_EQUAL(place_of(&c, i), 100);
	case_close(&c);
}

static void agrees_with_the_model(void)
{
	struct exchange_case c;

	case_open(&c, &model, 60);
	case_run_random(&c, 1, 2000);
	case_close(&c);
}

static void survives_failing_allocations(void)
{
	struct exchange_case c;

	case_open(&c, &model, 20);
	case_run_memory(&c, 2, 100);
	case_close(&c);
}

static void destroy_frees_what_is_bound(void)
{
	struct exchange_case c;
	uint64_t random = 4;

	case_open(&c, &model, 1000);
	for (size_t i = 0; i < 1000; i++) {
		make_binding(&random, &c.bindings[i]);
		CU_ASSERT_EQUAL_FATAL(case_bind(&c, i), 0);
	}
	case_close(&c);
}

static void routes_on_several_loops_at_once(void)
{
	struct exchange_case c;

	case_open(&c, &model, 50);
	case_run_threads(&c, 3, 2000);
	case_close(&c);
}

int main(void)
{
	static const struct unit_test tests[] = {
		UNIT_TEST(refuses_arguments_as_rabbitmq),
		UNIT_TEST(refuses_weights_as_rabbitmq),
		UNIT_TEST(routes_to_one_binding),
		UNIT_TEST(shares_are_even),
		UNIT_TEST(shares_follow_the_weights),
		UNIT_TEST(few_keys_move),
		UNIT_TEST(order_makes_no_difference),
		UNIT_TEST(routes_as_ever),
		UNIT_TEST(hashes_a_header),
		UNIT_TEST(hashes_a_property),
		UNIT_TEST(absurd_weights_take_little_memory),
		UNIT_TEST(agrees_with_the_model),
		UNIT_TEST(survives_failing_allocations),
		UNIT_TEST(destroy_frees_what_is_bound),
		UNIT_TEST(routes_on_several_loops_at_once),
	};

	for (unsigned i = 0; i < QUEUES; i++)
		(void)snprintf(queues[i], sizeof(queues[i]), "q%u", i);
	return unit_run("exchange-consistent-hash", tests, sizeof(tests) / sizeof(*tests));
}
