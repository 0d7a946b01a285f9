/* SPDX-License-Identifier: MIT */
#include "broker/topology/topology.h"

#include <errno.h>

#include "../unit.h"
#include "base/log.h"
#include "broker/topology/dense.h"
#include "broker/topology/write.h"
#include "topology_fixture.h"

/* ---- Dense indexes ---- */

static void dense_reuses(void)
{
	struct dense dense;
	int objects[3];

	dense_init(&dense);
	for (uint32_t i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(dense_add(&dense, &objects[i]), i);
	CU_ASSERT_PTR_EQUAL(dense_get(&dense, 1), &objects[1]);
	dense_remove(&dense, 1);
	dense_remove(&dense, 0);
	CU_ASSERT_PTR_NULL(dense_get(&dense, 1));
	CU_ASSERT_PTR_NULL(dense_get(&dense, 3));
	CU_ASSERT_PTR_NULL(dense_get(&dense, UINT32_MAX));
	CU_ASSERT_EQUAL(dense_add(&dense, &objects[0]), 0);
	CU_ASSERT_EQUAL(dense_add(&dense, &objects[1]), 1);
	CU_ASSERT_EQUAL(dense_add(&dense, &objects[0]), 3);
	CU_ASSERT_EQUAL(dense.limit, 4);
	dense_fini(&dense);
}

static void dense_grows(void)
{
	struct dense dense;
	static int objects[5000];

	dense_init(&dense);
	for (uint32_t i = 0; i < 5000; i++)
		CU_ASSERT_EQUAL(dense_add(&dense, &objects[i]), i);
	for (uint32_t i = 0; i < 5000; i++)
		CU_ASSERT_PTR_EQUAL(dense_get(&dense, i), &objects[i]);
	dense_fini(&dense);
}

/* ---- What is there from the beginning ---- */

static const struct exchange *find(const char *name)
{
	topology_read_begin(broker->topology);
	const struct exchange *exchange = topology_exchange(vhost, slice_cstr(name));
	topology_read_end(broker->topology);
	return exchange;
}

static void predeclared(void)
{
	static const char *const names[][2] = {
		{"", "direct"},
		{"amq.direct", "direct"},
		{"amq.fanout", "fanout"},
		{"amq.topic", "topic"},
		{"amq.headers", "headers"},
		{"amq.match", "headers"},
		{"amq.rabbitmq.trace", "topic"},
	};

	broker_begin(1);
	CU_ASSERT_EQUAL(map_count(&vhost->exchanges), 7);
	for (size_t i = 0; i < 7; i++) {
		const struct exchange *exchange = find(names[i][0]);

		CU_ASSERT_PTR_NOT_NULL_FATAL(exchange);
		CU_ASSERT_STRING_EQUAL(exchange->type_name, names[i][1]);
		CU_ASSERT_TRUE(exchange->durable);
		CU_ASSERT_FALSE(exchange->auto_delete);
		CU_ASSERT_EQUAL(exchange->internal, i == 6);
	}
	CU_ASSERT_PTR_NULL(find("")->type);
	CU_ASSERT_PTR_NOT_NULL(find("amq.direct")->type);
	CU_ASSERT_PTR_NULL(find("amq.topic")->type);
	CU_ASSERT_PTR_NULL(topology_vhost(broker->topology, SLICE_LITERAL("other")));
	broker_end();
}

static void count_type(void *context, const struct exchange_type *type)
{
	(void)type;
	++*(int *)context;
}

static int failing_create(void *plugin, const struct shunt_exchange *exchange, void **ret_state,
			  struct shunt_error *error)
{
	(void)plugin;
	(void)exchange;
	(void)ret_state;
	fake_say(error, SHUNT_INTERNAL_ERROR, "no");
	return -1;
}

static void types(void)
{
	static const struct shunt_exchange_type failing = FAKE_TYPE("topic", failing_create, );
	int n = 0;

	broker_begin(1);
	CU_ASSERT_EQUAL(exchange_type_register(broker->topology, &fake_direct, NULL, "again"),
			-EEXIST);
	CU_ASSERT_PTR_NOT_NULL(exchange_type_find(broker->topology, SLICE_LITERAL("direct")));
	CU_ASSERT_PTR_NULL(exchange_type_find(broker->topology, SLICE_LITERAL("directo")));
	exchange_type_for_each(broker->topology, count_type, &n);
	CU_ASSERT_EQUAL(n, 3);
	CU_ASSERT_EQUAL(fake_instances, 2); /* amq.direct, amq.fanout */
	log_set_level(LOG_LEVEL_ERROR);
	CU_ASSERT_EQUAL(exchange_type_register(broker->topology, &failing, NULL, "failing"),
			-EINVAL);
	broker_end();
}

static void generation_grows(void)
{
	uint64_t before;

	broker_begin(1);
	before = topology_generation(broker->topology);
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", 0), 0);
	CU_ASSERT_TRUE(topology_generation(broker->topology) > before);
	before = topology_generation(broker->topology);
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", 0), 0); /* changes nothing */
	CU_ASSERT_EQUAL(topology_generation(broker->topology), before);
	broker_end();
}

/* ---- Placing ---- */

static void placing(void)
{
	unsigned on[2] = {0, 0};

	broker_begin(2);
	for (int i = 0; i < 200; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "q%d", i);
		CU_ASSERT_EQUAL_FATAL(queue_declare(name, 0), 0);
		on[asked.request.queue.loop]++;
		if (i < 40)
			CU_ASSERT_EQUAL(asked.request.queue.loop,
					0); /* not more than what is fair yet */
	}
	CU_ASSERT_TRUE(on[1] > 20);
	CU_ASSERT_TRUE(on[0] >= on[1]);
	/* Exclusive ones stay with their connection. */
	for (int i = 0; i < 200; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "x%d", i);
		CU_ASSERT_EQUAL_FATAL(queue_declare(name, EXCLUSIVE), 0);
		CU_ASSERT_EQUAL(asked.request.queue.loop, 0);
	}
	broker_end();
}

/* ---- Lists ---- */

static int n_seen;

static void see_exchange(void *context, const struct exchange *exchange)
{
	(void)context;
	(void)exchange;
	n_seen++;
}

static void lists_of_exchanges(void)
{
	uint64_t cursor = 0;
	int n_calls = 0;

	broker_begin(1);
	for (int i = 0; i < 50; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "e%d", i);
		CU_ASSERT_EQUAL_FATAL(exchange_declare(name, "direct", 0), 0);
	}
	CU_ASSERT_EQUAL(exchange_delete("e25", false), 0);
	n_seen = 0;
	do {
		int before = n_seen;

		cursor = topology_list_exchanges(broker->topology, vhost, cursor, 10, see_exchange,
						 NULL);
		CU_ASSERT_TRUE(n_seen - before <= 10);
		n_calls++;
	} while (cursor != 0);
	CU_ASSERT_EQUAL(n_seen, 7 + 49);
	CU_ASSERT_TRUE(n_calls >= 6);
	broker_end();
}

static void see_binding(void *context, const struct binding *binding)
{
	size_t *n = context;

	if (binding->source->node.key.size == 0) {
		CU_ASSERT_TRUE(slice_equal(
			slice_make(binding->view.routing_key.data, binding->view.routing_key.size),
			binding->queue->node.key));
		n[0]++;
	} else {
		n[1]++;
	}
}

static void lists_of_bindings(void)
{
	uint64_t cursor = 0;
	size_t n[2] = {0, 0};

	broker_begin(1);
	for (int i = 0; i < 30; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "q%d", i);
		CU_ASSERT_EQUAL_FATAL(queue_declare(name, 0), 0);
		CU_ASSERT_EQUAL_FATAL(queue_bind(name, "amq.direct", "a"), 0);
		CU_ASSERT_EQUAL_FATAL(queue_bind(name, "amq.direct", "b"), 0);
	}
	do
		cursor = topology_list_bindings(broker->topology, vhost, cursor, 7, see_binding, n);
	while (cursor != 0);
	CU_ASSERT_EQUAL(n[0], 30);
	CU_ASSERT_EQUAL(n[1], 60);
	broker_end();
}

UNIT_MAIN("topology", UNIT_TEST(dense_reuses), UNIT_TEST(dense_grows), UNIT_TEST(predeclared),
	  UNIT_TEST(types), UNIT_TEST(generation_grows), UNIT_TEST(placing),
	  UNIT_TEST(lists_of_exchanges), UNIT_TEST(lists_of_bindings))
