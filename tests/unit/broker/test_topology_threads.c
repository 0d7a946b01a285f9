/* SPDX-License-Identifier: MIT */
#include "broker/topology/topology.h"

#include <pthread.h>

#include "../unit.h"
#include "broker/endpoint.h"
#include "broker/queue/queue.h"
#include "broker/router/router.h"

static const char *const direct_depends[] = {"routing_key", NULL};
#define FAKE_DIRECT_DEPENDS direct_depends
#include "topology_fixture.h"

/*
 * Three loops on threads of their own. Loop 0 routes all the time; the others declare, bind, unbind
 * and delete, each queues and exchanges of its own and some that both use, durable and not. Answers
 * of direct exchanges are remembered meanwhile. For the thread sanitizer; and what must always be
 * there is.
 */

#define N_CHANGERS 2
#define ROUNDS	   500

static struct endpoint publisher;
static uint64_t n_published, bytes_out, bytes_back;
static _Atomic unsigned n_finished, n_wrong; /* CUnit is for one thread */
static _Atomic bool has_routed;
static struct loop_task routing;

/* ---- Routing ---- */

static void published(struct endpoint *endpoint, const struct publish_outcome *outcomes,
		      size_t count, uint64_t taken)
{
	(void)endpoint;
	(void)outcomes;
	(void)count;
	bytes_back += taken;
}

static const struct endpoint_ops ops = {.published = published};

static void route_batch(void)
{
	static const char *const to[][2] = {{"amq.fanout", ""},
					    {"", "always"},
					    {"amq.direct", "k"},
					    {"", "own1"},
					    {"shared", "k"}};
	struct publication publications[10];
	struct publish_batch batch = {.vhost = vhost,
				      .publisher = publisher.ref,
				      .publications = publications,
				      .count = 10};
	struct amqp_error error;

	for (size_t i = 0; i < 10; i++) {
		struct message *message =
			message_create(slice_cstr(to[i % 5][0]), slice_cstr(to[i % 5][1]),
				       slice_make("\0\0", 2), 0);

		message->expiration_ms = MESSAGE_NO_EXPIRATION;
		publications[i] = (struct publication){.message = message, .seq = ++n_published};
	}

	size_t n = router_publish(broker, &batch, &error);

	if (n != 10 && (error.code != 404 || n % 5 != 4)) /* "shared" comes and goes */
		n_wrong++;
	for (size_t i = 0; i < 10; i++) {
		if (i < n) {
			n_wrong += i % 5 == 1 && publications[i].unroutable;
			bytes_out += publications[i].inflight_bytes;
		}
		message_unref(publications[i].message);
	}
}

static void purged(struct queue_request *request)
{
	mem_free(request);
}

static void purge(const char *name)
{
	struct amqp_error error;
	struct actor_ref ref;

	if (declare_find_queue(broker, vhost, slice_cstr(name), 0, &ref, &error) != 0)
		return;

	struct queue_request *request = mem_zalloc(sizeof(*request));

	request->operation = QUEUE_PURGE;
	request->queue = ref;
	request->asker = publisher.ref;
	request->connection = CONNECTION;
	request->done = purged;
	queue_request_submit(request);
}

static void route_on(struct loop_task *task)
{
	if (n_finished == N_CHANGERS) {
		loop_pool_stop();
		return;
	}
	route_batch();
	has_routed = true;
	purge("always");
	purge("both");
	loop_defer(task);
}

/* ---- Changing ---- */

struct changer {
	struct declare_request request;
	unsigned number;
	int step, round;
	char own_queue[16], own_exchange[16];
};

static struct changer changers[N_CHANGERS + 1];

static void next(struct declare_request *request);

static void prepare(struct changer *c, enum declare_operation operation, const char *name)
{
	c->request = (struct declare_request){
		.operation = operation,
		.broker = broker,
		.vhost = vhost,
		.connection = CONNECTION,
		.done = next,
		.name = slice_cstr(name),
		.asker.loop = c->number,
	};
}

static void prepare_queue(struct changer *c, const char *name, bool durable)
{
	prepare(c, DECLARE_QUEUE, name);
	c->request.queue_declare.durable = durable;
}

static void prepare_exchange(struct changer *c, const char *name, bool durable)
{
	prepare(c, DECLARE_EXCHANGE, name);
	c->request.exchange.type = SLICE_LITERAL("direct");
	c->request.exchange.durable = durable;
	c->request.exchange.auto_delete = true;
}

static void prepare_bind(struct changer *c, enum declare_operation operation, const char *name,
			 const char *source, bool is_exchange)
{
	prepare(c, operation, name);
	c->request.bind.source = slice_cstr(source);
	c->request.bind.routing_key = SLICE_LITERAL("k");
	c->request.bind.destination_is_exchange = is_exchange;
}

/* Returns false at the end of a round. */
static bool prepare_step(struct changer *c)
{
	bool durable = c->round % 3 == 0;

	switch (c->step++) {
	case 0:
		prepare_queue(c, c->own_queue, durable);
		return true;
	case 1:
		prepare_exchange(c, c->own_exchange, durable);
		return true;
	case 2:
		prepare_bind(c, DECLARE_BIND, c->own_queue, "amq.fanout", false);
		return true;
	case 3:
		prepare_bind(c, DECLARE_BIND, c->own_queue, c->own_exchange, false);
		return true;
	case 4:
		prepare_bind(c, DECLARE_BIND, c->own_exchange, "amq.direct", true);
		return true;
	case 5:
		prepare_queue(c, "both", true);
		return true;
	case 6:
		prepare_exchange(c, "shared", true);
		return true;
	case 7:
		prepare_bind(c, DECLARE_BIND, "both", "shared", false);
		return true;
	case 8:
		prepare_bind(c, DECLARE_BIND, "both", "amq.fanout", false);
		return true;
	case 9:
		prepare_bind(c, DECLARE_UNBIND, "both", "shared", false);
		return true;
	case 10:
		prepare_bind(c, DECLARE_UNBIND, c->own_queue, "amq.fanout", false);
		return true;
	case 11:
		prepare(c, DECLARE_QUEUE_DELETE, "both");
		return true;
	case 12:
		prepare(c, DECLARE_QUEUE_DELETE, c->own_queue);
		return true;
	default:
		return false;
	}
}

/* What is not shared must succeed; what is may have been taken away by the other. */
static void check(const struct declare_request *request)
{
	int code = request->error.code;
	bool is_own = slice_starts_with(request->name, SLICE_LITERAL("own"));

	if (code != 0 && (is_own || code != 404))
		n_wrong++;
}

static void next(struct declare_request *request)
{
	struct changer *c = container_of(request, struct changer, request);

	if (loop_index(loop_self()) != c->number)
		n_wrong++;
	check(request);
	if (!prepare_step(c)) {
		c->step = 0;
		if (++c->round >= ROUNDS && has_routed) { /* on a busy machine it may begin late */
			n_finished++;
			return;
		}
		(void)prepare_step(c);
	}
	declare_submit(&c->request);
}

static void begin_changing(void *arg)
{
	struct changer *c = arg;

	(void)prepare_step(c);
	declare_submit(&c->request);
}

static void route_while_others_change(void)
{
	broker_begin(N_CHANGERS + 1);
	publisher = (struct endpoint){.ops = &ops};
	publisher.ref = slots_add(&publisher);
	CU_ASSERT_EQUAL(queue_declare("always", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("always", "amq.fanout", ""), 0);
	n_finished = n_wrong = 0;
	for (unsigned i = 1; i <= N_CHANGERS; i++) {
		changers[i].number = i;
		(void)snprintf(changers[i].own_queue, sizeof(changers[i].own_queue), "own%u", i);
		(void)snprintf(changers[i].own_exchange, sizeof(changers[i].own_exchange), "ext%u",
			       i);
		loop_pool_visit(i, begin_changing, &changers[i]);
	}
	loop_task_init(&routing, route_on);
	loop_defer(&routing);
	CU_ASSERT_EQUAL_FATAL(loop_pool_start(), 0);
	loop_run();

	CU_ASSERT_EQUAL(n_wrong, 0);
	CU_ASSERT_EQUAL(bytes_out, bytes_back);
	CU_ASSERT_TRUE(n_published > 0);
	slots_remove(publisher.ref);
	CU_ASSERT_EQUAL(queue_delete("always", false, false), 0);
	CU_ASSERT_EQUAL(queue_delete("both", false, false), 0);
	for (unsigned i = 1; i <= N_CHANGERS; i++)
		CU_ASSERT_FALSE(has_queue(changers[i].own_queue) ||
				has_exchange(changers[i].own_exchange));
	CU_ASSERT_EQUAL(exchange_delete("shared", false), 0);
	CU_ASSERT_EQUAL(count_bindings(), 0);
	CU_ASSERT_EQUAL(count_stored(""), 0);
	broker_end();
}

UNIT_MAIN("topology_threads", UNIT_TEST(route_while_others_change))
