/* SPDX-License-Identifier: MIT */
/* Messages of one batch with the same names: who is asked again, and who is not. */
#include "../unit.h"
#include "arguments_fixture.h"
#include "router_fixture.h"

static unsigned n_asked;

static void counting_route(const void *state, const struct shunt_message *message,
			   struct shunt_sink *sink)
{
	n_asked++;
	fake_route(state, message, sink);
}

/* Every other message only. */
static void fickle_route(const void *state, const struct shunt_message *message,
			 struct shunt_sink *sink)
{
	if (n_asked++ % 2 == 0)
		fake_route(state, message, sink);
}

#define TYPE(name_, route_, by_key_)                                                               \
	static const struct shunt_exchange_type name_##_type = {                                   \
		.size = sizeof(struct shunt_exchange_type),                                        \
		.name = #name_,                                                                    \
		.create = fake_create_direct,                                                      \
		.destroy = fake_destroy,                                                           \
		.bind = fake_bind,                                                                 \
		.unbind = fake_unbind,                                                             \
		.route = route_,                                                                   \
		.routes_by_key = by_key_,                                                          \
	}
TYPE(keyed, counting_route, true);
TYPE(fickle, fickle_route, false);

/* As ABI 1.0 had it; what lies behind its end is not to be read. */
static const struct shunt_exchange_type older_type = {
	.size = offsetof(struct shunt_exchange_type, routes_by_key),
	.name = "older",
	.create = fake_create_direct,
	.destroy = fake_destroy,
	.bind = fake_bind,
	.unbind = fake_unbind,
	.route = fickle_route,
	.routes_by_key = true,
};

static void begin(void)
{
	router_begin(1);
	register_type(&keyed_type);
	register_type(&fickle_type);
	register_type(&older_type);
	n_asked = 0;
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(queue_declare("r", 0), 0);
	CU_ASSERT_EQUAL(exchange_declare("keyed", "keyed", 0), 0);
	CU_ASSERT_EQUAL(exchange_declare("fickle", "fickle", 0), 0);
	CU_ASSERT_EQUAL(exchange_declare("older", "older", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "keyed", "a"), 0);
	CU_ASSERT_EQUAL(queue_bind("r", "keyed", "b"), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "fickle", "a"), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "older", "a"), 0);
}

/* One batch to one exchange, with a key of one letter each; returns how many were unroutable. */
static unsigned publish_batch(const char *exchange, const char *keys)
{
	struct publication publications[ROUTER_BATCH_MAX] = {0};
	struct publish_batch batch = {
		.vhost = vhost, .publications = publications, .count = strlen(keys)};
	unsigned n_unroutable = 0;

	for (size_t i = 0; i < batch.count; i++)
		publications[i].message = make_message(exchange, (char[]){keys[i], '\0'});
	CU_ASSERT_EQUAL(router_publish(broker, &batch, &error), batch.count);
	for (size_t i = 0; i < batch.count; i++) {
		n_unroutable += publications[i].unroutable;
		message_unref(publications[i].message);
	}
	return n_unroutable;
}

static void default_exchange(void)
{
	begin();
	CU_ASSERT_EQUAL(publish_batch("", "qqqrrqxxq"), 2);
	CU_ASSERT_EQUAL(ready("q"), 5);
	CU_ASSERT_EQUAL(ready("r"), 2);
	router_end();
}

/* So few that the clock does not end the read side in between. */
static void one_that_routes_by_key_is_asked_once_a_run(void)
{
	begin();
	CU_ASSERT_EQUAL(publish_batch("keyed", "aabbacc"), 2);
	CU_ASSERT_EQUAL(n_asked, 4);
	CU_ASSERT_EQUAL(ready("q"), 3);
	CU_ASSERT_EQUAL(ready("r"), 2);
	router_end();
}

/* Nothing is known any more in the next batch. */
static void a_binding_between_batches_counts(void)
{
	begin();
	CU_ASSERT_EQUAL(publish_batch("keyed", "aa"), 0);
	CU_ASSERT_EQUAL(queue_bind("r", "keyed", "a"), 0);
	CU_ASSERT_EQUAL(publish_batch("keyed", "aa"), 0);
	CU_ASSERT_EQUAL(queue_unbind("q", "keyed", "a"), 0);
	CU_ASSERT_EQUAL(publish_batch("keyed", "aa"), 0);
	CU_ASSERT_EQUAL(ready("q"), 4);
	CU_ASSERT_EQUAL(ready("r"), 4);
	router_end();
}

static void any_other_is_asked_every_time(void)
{
	begin();
	CU_ASSERT_EQUAL(publish_batch("fickle", "aaaa"), 2);
	CU_ASSERT_EQUAL(n_asked, 4);
	CU_ASSERT_EQUAL(publish_batch("older", "aaaa"), 2);
	CU_ASSERT_EQUAL(n_asked, 8);
	router_end();
}

static void any_other_behind_a_binding_is_asked_every_time(void)
{
	begin();
	CU_ASSERT_EQUAL(exchange_bind("fickle", "keyed", "a"), 0);
	CU_ASSERT_EQUAL(queue_unbind("q", "keyed", "a"), 0);
	CU_ASSERT_EQUAL(publish_batch("keyed", "aaaaaaa"), 7); /* asked as the second each time */
	CU_ASSERT_EQUAL(n_asked, 14);
	router_end();
}

/* The same key on another exchange, and names that are the same only when joined. */
static void other_names_are_others(void)
{
	struct publication publications[4] = {0};
	struct publish_batch batch = {.vhost = NULL, .publications = publications, .count = 4};

	begin();
	CU_ASSERT_EQUAL(exchange_declare("ke", "keyed", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("r", "ke", "yeda"), 0);
	batch.vhost = vhost;
	publications[0].message = make_message("keyed", "a");
	publications[1].message = make_message("ke", "yeda");
	publications[2].message = make_message("ke", "a");
	publications[3].message = make_message("", "q");
	CU_ASSERT_EQUAL(router_publish(broker, &batch, &error), 4);
	CU_ASSERT_TRUE(publications[2].unroutable);
	message_unref(publications[2].message);
	CU_ASSERT_EQUAL(ready("q"), 2);
	CU_ASSERT_EQUAL(ready("r"), 1);
	router_end();
}

UNIT_MAIN("router_repeated", UNIT_TEST(default_exchange),
	  UNIT_TEST(one_that_routes_by_key_is_asked_once_a_run),
	  UNIT_TEST(a_binding_between_batches_counts), UNIT_TEST(any_other_is_asked_every_time),
	  UNIT_TEST(any_other_behind_a_binding_is_asked_every_time),
	  UNIT_TEST(other_names_are_others))
