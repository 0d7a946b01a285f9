/* SPDX-License-Identifier: MIT */
#include "broker/vhost/vhost.h"

#include "../unit.h"
#include "broker/router/router.h"
#include "topology_fixture.h"

/*
 * Three loops on threads of their own. Loop 0 adds a vhost and deletes it, over and over; the
 * others look for it all the time, declare, bind and publish in it for as long as they are let, and
 * keep it beyond its end. For the thread and address sanitizers; and at the end nothing is left.
 */

#define N_CLIENTS 2
#define ROUNDS	  60
#define WORK_EACH 20 /* rounds of the clients in each life of the vhost */

static _Atomic unsigned n_wrong, n_finished, n_worked, n_missed;
static _Atomic bool is_over;

/* ---- Clients ---- */

struct client {
	struct declare_request request;
	struct loop_task task;
	struct vhost *vhost; /* held */
	unsigned step, round;
	char queue[16], exchange[16];
};

static struct client clients[N_CLIENTS];

static void publish_some(struct client *c)
{
	struct message *message =
		message_create(SLICE_LITERAL("amq.fanout"), SLICE_EMPTY, slice_make("\0\0", 2), 0);
	struct publication publication = {.message = message};
	struct publish_batch batch = {.vhost = c->vhost, .publications = &publication, .count = 1};
	struct amqp_error error = {0};

	message->expiration_ms = MESSAGE_NO_EXPIRATION;
	(void)router_publish(broker, &batch, &error);
	n_wrong += error.code != 0 && error.code != 404;
	message_unref(publication.message);
}

static void prepare(struct client *c, enum declare_operation operation, const char *name)
{
	c->request.operation = operation;
	c->request.name = slice_cstr(name);
}

static bool prepare_step(struct client *c)
{
	c->request = (struct declare_request){.broker = broker,
					      .vhost = c->vhost,
					      .connection = CONNECTION,
					      .done = c->request.done,
					      .asker.loop = loop_index(loop_self())};
	switch (c->step++) {
	case 0:
		prepare(c, DECLARE_QUEUE, c->queue);
		c->request.queue_declare.durable = c->round % 2 == 0;
		return true;
	case 1:
		prepare(c, DECLARE_EXCHANGE, c->exchange);
		c->request.exchange.type = SLICE_LITERAL("direct");
		c->request.exchange.durable = c->round % 2 == 0;
		return true;
	case 2:
		prepare(c, DECLARE_BIND, c->queue);
		c->request.bind.source = slice_cstr(c->exchange);
		return true;
	case 3:
		prepare(c, DECLARE_BIND, c->queue);
		c->request.bind.source = SLICE_LITERAL("amq.fanout");
		return true;
	case 4:
		publish_some(c);
		prepare(c, c->round % 3 == 0 ? DECLARE_QUEUE_DELETE : DECLARE_QUEUE, c->queue);
		c->request.queue_declare.passive = c->round % 3 != 0;
		return true;
	default:
		return false;
	}
}

/* Both may have been declared otherwise in the round before: 406. */
static void stepped(struct declare_request *request)
{
	struct client *c = container_of(request, struct client, request);
	int code = request->error.code;

	n_wrong += code != 0 && code != 404 && code != 406;
	n_wrong += strcmp(c->vhost->name, "v") != 0;
	if (prepare_step(c)) {
		declare_submit(&c->request);
		return;
	}
	vhost_release(c->vhost);
	c->round++;
	n_worked++;
	loop_defer(&c->task);
}

static void look(struct loop_task *task)
{
	struct client *c = container_of(task, struct client, task);

	if (is_over) {
		n_finished++;
		return;
	}
	topology_read_begin(broker->topology);
	c->vhost = topology_vhost(broker->topology, SLICE_LITERAL("v"));
	topology_read_end(broker->topology);
	if (!c->vhost) {
		n_missed++;
		loop_defer(task);
		return;
	}
	(void)vhost_hold(c->vhost);
	c->step = 0;
	c->request.done = stepped;
	(void)prepare_step(c);
	declare_submit(&c->request);
}

static void begin_looking(void *arg)
{
	struct client *c = arg;

	loop_task_init(&c->task, look);
	loop_defer(&c->task);
}

/* ---- Who adds and deletes ---- */

static struct vhost_change change;
static struct loop_task operating;
static unsigned n_rounds, worked_before;

static void submit(enum vhost_operation operation)
{
	change.operation = operation;
	vhost_submit(&change);
}

static void operate(struct loop_task *task)
{
	if (is_over && n_finished == N_CLIENTS)
		loop_pool_stop();
	else if (!is_over && n_worked - worked_before >= WORK_EACH)
		submit(VHOST_DELETE);
	else
		loop_defer(task);
}

static void changed(struct vhost_change *done)
{
	n_wrong += done->result != 0;
	worked_before = n_worked;
	if (done->operation == VHOST_DELETE && ++n_rounds < ROUNDS)
		submit(VHOST_ADD);
	else
		loop_defer(&operating);
	is_over = n_rounds == ROUNDS;
}

static void clients_while_it_comes_and_goes(void)
{
	broker_begin(N_CLIENTS + 1);
	int before = fake_instances;

	for (unsigned i = 0; i < N_CLIENTS; i++) {
		(void)snprintf(clients[i].queue, sizeof(clients[i].queue), "q%u", i);
		(void)snprintf(clients[i].exchange, sizeof(clients[i].exchange), "e%u", i % 2);
		loop_pool_visit(i + 1, begin_looking, &clients[i]);
	}
	change = (struct vhost_change){.broker = broker,
				       .name = SLICE_LITERAL("v"),
				       .settings = VHOST_SETTINGS_NONE,
				       .done = changed};
	loop_task_init(&operating, operate);
	submit(VHOST_ADD);
	CU_ASSERT_EQUAL_FATAL(loop_pool_start(), 0);
	loop_run();

	CU_ASSERT_EQUAL(n_wrong, 0);
	CU_ASSERT_EQUAL(n_rounds, ROUNDS);
	CU_ASSERT_TRUE(n_worked >= ROUNDS * WORK_EACH);
	turn();
	CU_ASSERT_EQUAL(fake_instances, before);
	CU_ASSERT_EQUAL(count_stored(""), 0);
	CU_ASSERT_EQUAL(topology_vhost_count(broker->topology), 1);
	broker_end();
}

UNIT_MAIN("vhost_threads", UNIT_TEST(clients_while_it_comes_and_goes))
