/* SPDX-License-Identifier: MIT */
#include "broker/upgrade/upgrade.h"

#include "../unit.h"
#include "upgrade_fixture.h"

/*
 * Three loops on threads of their own: loop 0 swaps versions of direct one after the other, tries
 * some before, and routes; loop 1 routes all the time; loop 2 declares, binds, unbinds and deletes.
 * What is always bound gets every message once. For the thread sanitizer, too.
 */

#define N_SWAPS	   300u
#define N_IN_BATCH 16u
#define N_EXTRA	   50u

static struct endpoint publishers[2];
static _Atomic uint64_t n_sent;
static _Atomic unsigned n_wrong, n_running;
static _Atomic bool is_over;
static unsigned n_swapped;

static void heard(struct endpoint *endpoint, const struct publish_outcome *got, size_t count,
		  uint64_t taken)
{
	(void)endpoint;
	(void)got;
	(void)count;
	(void)taken;
}

static const struct endpoint_ops quiet_ops = {.published = heard};

/* ---- Routing ---- */

struct sender {
	struct loop_task task;
	struct endpoint *publisher;
};

static struct sender senders[2];

static void send_batch(const struct sender *sender)
{
	struct publication publications[N_IN_BATCH];
	struct publish_batch batch = {.vhost = vhost,
				      .publisher = sender->publisher->ref,
				      .publications = publications,
				      .count = N_IN_BATCH};
	struct amqp_error said;

	for (size_t i = 0; i < N_IN_BATCH; i++) {
		struct message *message = message_create(
			SLICE_LITERAL("e"), i % 2 == 0 ? SLICE_LITERAL("k") : SLICE_LITERAL("none"),
			slice_make("\0\0", 2), 0);

		message->expiration_ms = MESSAGE_NO_EXPIRATION;
		publications[i] = (struct publication){.message = message};
	}
	n_wrong += router_publish(broker, &batch, &said) != N_IN_BATCH;
	for (size_t i = 0; i < N_IN_BATCH; i++) {
		n_wrong += publications[i].unroutable != (i % 2 == 1);
		message_unref(publications[i].message);
	}
	n_sent += N_IN_BATCH / 2;
}

static void send_on(struct loop_task *task)
{
	const struct sender *sender = container_of(task, struct sender, task);

	if (is_over) {
		slots_remove(sender->publisher->ref);
		n_running--;
		return;
	}
	send_batch(sender);
	loop_defer_next(task);
}

static void begin_sending(void *arg)
{
	struct sender *sender = arg;

	*sender->publisher = (struct endpoint){.ops = &quiet_ops};
	sender->publisher->ref = slots_add(sender->publisher);
	loop_task_init(&sender->task, send_on);
	loop_defer(&sender->task);
	n_running++;
}

/* ---- Changing ---- */

static struct declare_request change;
static struct loop_task changing;
static unsigned change_step;

/* A queue that comes, is bound to both exchanges, is unbound, and goes. */
static void prepare_change(unsigned step)
{
	switch (step) {
	case 0:
		change.operation = DECLARE_QUEUE;
		change.name = SLICE_LITERAL("x");
		break;
	case 1:
		change.operation = DECLARE_EXCHANGE;
		change.name = SLICE_LITERAL("f");
		change.exchange.type = SLICE_LITERAL("direct");
		break;
	case 2:
	case 3:
		change.operation = DECLARE_BIND;
		change.name = SLICE_LITERAL("x");
		change.bind.source = step == 2 ? SLICE_LITERAL("e") : SLICE_LITERAL("f");
		change.bind.routing_key = SLICE_LITERAL("other");
		break;
	case 4:
		change.operation = DECLARE_EXCHANGE_DELETE;
		change.name = SLICE_LITERAL("f");
		break;
	default:
		change.operation = DECLARE_QUEUE_DELETE;
		change.name = SLICE_LITERAL("x");
		break;
	}
}

static void changed(struct declare_request *request)
{
	n_wrong += request->error.code != 0;
	loop_defer_next(&changing);
}

static void next_change(struct loop_task *task)
{
	(void)task;
	if (is_over && change_step % 6 == 0) {
		n_running--;
		return;
	}
	change = (struct declare_request){
		.broker = broker, .vhost = vhost, .connection = CONNECTION, .done = changed};
	prepare_change(change_step++ % 6);
	declare_submit(&change);
}

static void begin_changing(void *arg)
{
	(void)arg;
	n_running++;
	loop_task_init(&changing, next_change);
	loop_defer(&changing);
}

/* ---- Swapping ---- */

static struct loop_task swapping;
static struct exchange_type *spent[N_SWAPS];

static void next_swap(struct loop_task *task)
{
	if (n_swapped < N_SWAPS) {
		begin_upgrade(&next_direct, "direct", n_swapped % 3 == 0 ? 100 : 0);
		if (n_swapped % 3 != 0)
			upgrade_swap(upgrade);
		return;
	}
	is_over = true;
	if (n_running > 0)
		loop_defer_next(task);
	else
		loop_pool_stop();
}

static void heard_of_swap(void *context, enum upgrade_event event, const char *text)
{
	(void)context;
	(void)text;
	if (event == UPGRADE_READY) {
		upgrade_swap(upgrade);
		return;
	}
	n_wrong += event != UPGRADE_SWAPPED;
	spent[n_swapped++] = old_type;
	loop_defer_next(&swapping);
}

static void swap_under_load(void)
{
	broker_begin(3);
	reset_upgrade();
	next_binds_left = UINT32_MAX;
	CU_ASSERT_EQUAL(queue_declare("q", 0), 0);
	CU_ASSERT_EQUAL(exchange_declare("e", "direct", 0), 0);
	CU_ASSERT_EQUAL(queue_bind("q", "e", "k"), 0);
	for (unsigned i = 0; i < N_EXTRA; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "k%u", i);
		CU_ASSERT_EQUAL(queue_bind("q", "e", key), 0);
	}
	tell_upgrade = heard_of_swap;
	for (unsigned i = 0; i < 2; i++) {
		senders[i].publisher = &publishers[i];
		loop_pool_visit(i, begin_sending, &senders[i]);
	}
	loop_pool_visit(2, begin_changing, NULL);
	loop_task_init(&swapping, next_swap);
	loop_defer(&swapping);
	CU_ASSERT_EQUAL_FATAL(loop_pool_start(), 0);
	loop_run();

	CU_ASSERT_EQUAL(n_wrong, 0);
	CU_ASSERT_EQUAL(n_swapped, N_SWAPS);
	CU_ASSERT_TRUE(n_sent > 0);
	turn();
	CU_ASSERT_EQUAL(ready("q"), n_sent);
	broker_end();
	for (unsigned i = 0; i < N_SWAPS; i++)
		exchange_type_free(spent[i]);
}

UNIT_MAIN("upgrade_threads", UNIT_TEST(swap_under_load))
