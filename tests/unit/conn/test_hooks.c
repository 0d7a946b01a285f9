/* SPDX-License-Identifier: MIT */
/* Message hooks in the way of two clients: what they decide, and that nothing is counted wrong by it. */
#include "conversation.h"
#include "broker/queue/queue.h"
#include "conn/hooks/hooks.h"
#include "loop/counters.h"

#define QUEUE SLICE_LITERAL("q")
#define OTHER SLICE_LITERAL("other")
#define NONE  SLICE_LITERAL("\0\0")
#define BATCH 5

static struct client a, b; /* on loop 0 and loop 1; the queues are on loop 0 */

/* What the hooks do. `plugin` is one of these. */
struct script {
	enum shunt_decision decision;
	uint16_t code;
	unsigned every; /* only every so many messages, else they pass; 0: all */
	const char *key, *body, *exchange;
	unsigned n_calls;
	uint64_t n_redelivered;
	char queue[16], tag[16], user[16], publisher[16], vhost[16], last_key[16], last_exchange[16];
};

static struct script first, second;
static bool memory_may_fail;

static void copy(char to[16], struct shunt_bytes from)
{
	CU_ASSERT_FATAL(from.size < 16);
	if (from.size != 0)
		memcpy(to, from.data, from.size);
	to[from.size] = '\0';
}

static struct shunt_bytes bytes(const char *text)
{
	return (struct shunt_bytes){(const uint8_t *)text, strlen(text)};
}

static enum shunt_decision act(struct script *script, struct shunt_draft *draft)
{
	if (script->key != NULL)
		CU_ASSERT_EQUAL(draft->set_routing_key(draft, bytes(script->key)), 0);
	if (script->exchange != NULL)
		CU_ASSERT_EQUAL(draft->set_exchange(draft, bytes(script->exchange)), 0);
	if (script->body != NULL)
		CU_ASSERT(draft->set_body(draft, bytes(script->body)) == 0 || memory_may_fail);
	if (script->every != 0 && script->n_calls % script->every != 0)
		return SHUNT_PASS;
	return script->decision;
}

static enum shunt_decision on_publish(void *plugin, const struct shunt_publish *publish, struct shunt_draft *draft,
				      struct shunt_error *error)
{
	struct script *script = plugin;

	script->n_calls++;
	copy(script->user, publish->user);
	copy(script->vhost, publish->message->vhost);
	copy(script->publisher, publish->message->user);
	copy(script->last_key, publish->message->routing_key);
	copy(script->last_exchange, publish->message->exchange);
	CU_ASSERT_PTR_NOT_NULL(publish->peer);
	CU_ASSERT(publish->peer->host.size != 0);
	error->code = script->code;
	(void)snprintf(error->text, sizeof(error->text), "no");
	return act(script, draft);
}

static enum shunt_decision on_deliver(void *plugin, const struct shunt_delivery *delivery, struct shunt_draft *draft)
{
	struct script *script = plugin;

	script->n_calls++;
	script->n_redelivered += delivery->redelivered;
	copy(script->user, delivery->user);
	copy(script->publisher, delivery->message->user);
	copy(script->queue, delivery->queue);
	copy(script->tag, delivery->consumer_tag);
	return act(script, draft);
}

static const struct shunt_hook publish_hook = {.size = sizeof(publish_hook), .name = "p", .publish = on_publish};
static const struct shunt_hook deliver_hook = {.size = sizeof(deliver_hook), .name = "d", .deliver = on_deliver};

static void install(const struct shunt_hook *functions, struct script *script)
{
	const struct hook hook = {.functions = functions, .plugin = script, .owner = script};

	hooks_replace(service->hooks, script, &hook, 1);
}

static void start(void)
{
	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	world_create();
	client_connect(&a, 0);
	client_connect(&b, 1);
	begin(&a);
	begin(&b);
	PUT(&a, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = QUEUE);
	PUT(&a, 1, AMQP_QUEUE_DECLARE, queue_declare, .queue = OTHER);
	PUT(&a, 1, AMQP_CONFIRM_SELECT, confirm_select, .no_wait = true);
	PUT(&b, 1, AMQP_CONFIRM_SELECT, confirm_select, .no_wait = true);
	settle(&a, &b);
}

static void stop(void)
{
	hooks_replace(service->hooks, &first, NULL, 0);
	hooks_replace(service->hooks, &second, NULL, 0);
	client_end(&a);
	client_end(&b);
	settle(&a, &b);
	hooks_fini(service->hooks);
	world_destroy();
	CU_ASSERT_EQUAL(account_kind_total(ACCOUNT_MESSAGE), 0);
}

static void count_ready(void *count, struct queue *queue)
{
	struct queue_stats stats;

	queue_stats(queue, &stats);
	*(uint64_t *)count += stats.ready + (stats.unacknowledged << 32);
}

static uint64_t counted;

static void count_here(void *unused)
{
	(void)unused;
	queue_for_each(broker, count_ready, &counted);
}

/* Of all queues: ready in the lower half, unacknowledged in the upper. */
static uint64_t messages(void)
{
	counted = 0;
	for (unsigned i = 0; i < LOOPS; i++)
		loop_pool_visit(i, count_here, NULL);
	return counted;
}

#define READY(n)   ((uint64_t)(n))
#define UNACKED(n) ((uint64_t)(n) << 32)

static void get(struct client *client, struct slice queue, bool no_ack)
{
	PUT(client, 2, AMQP_BASIC_GET, basic_get, .queue = queue, .no_ack = no_ack);
	settle(&a, &b);
}

static void publish_some(struct client *client, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		publish(client, 1, QUEUE, NONE, 3);
	settle(&a, &b);
}

/* ---- Publish ---- */

static void passes_with_what_it_is_told(void)
{
	start();
	install(&publish_hook, &first);
	publish_some(&b, BATCH);
	CU_ASSERT_EQUAL(first.n_calls, BATCH);
	CU_ASSERT_STRING_EQUAL(first.user, "guest");
	CU_ASSERT_STRING_EQUAL(first.publisher, "guest");
	CU_ASSERT_STRING_EQUAL(first.vhost, "/");
	CU_ASSERT_STRING_EQUAL(first.last_key, "q");
	CU_ASSERT_EQUAL(messages(), READY(BATCH));
	CU_ASSERT_EQUAL(b.last_ack, BATCH);
	stop();
}

static void each_sees_what_the_one_before_has_made(void)
{
	start();
	first.key = "nowhere";
	first.body = "longer than it was";
	second.key = "other";
	install(&publish_hook, &first);
	install(&publish_hook, &second);
	publish_some(&a, BATCH);
	CU_ASSERT_STRING_EQUAL(second.last_key, "nowhere");
	CU_ASSERT_EQUAL(messages(), READY(BATCH));
	get(&b, QUEUE, true);
	CU_ASSERT_EQUAL(b.n_gets, 0);
	get(&b, OTHER, true);
	CU_ASSERT_EQUAL(b.n_gets, 1);
	stop();
}

static void dropped_is_confirmed_in_order_and_not_returned(void)
{
	start();
	first.decision = SHUNT_DROP;
	first.every = 2;
	second.key = NULL;
	install(&publish_hook, &first);
	install(&publish_hook, &second);
	publish_some(&b, 2 * BATCH + 1);
	CU_ASSERT_EQUAL(messages(), READY(BATCH + 1));
	CU_ASSERT_EQUAL(second.n_calls, BATCH + 1);
	CU_ASSERT_EQUAL(b.last_ack, 2 * BATCH + 1);
	first.every = 0;
	publish_some(&b, BATCH); /* on the queue's loop no settle comes back for them */
	CU_ASSERT_EQUAL(b.last_ack, 3 * BATCH + 1);
	CU_ASSERT_EQUAL(b.close_code, 0);
	stop();
}

static void nacked_in_its_place(void)
{
	uint64_t before = counter_sum(COUNTER_MESSAGES_NACKED);

	start();
	first.decision = SHUNT_NACK;
	first.every = 2;
	install(&publish_hook, &first);
	install(&publish_hook, &second);
	publish_some(&b, 2 * BATCH + 1);
	CU_ASSERT_EQUAL(messages(), READY(BATCH + 1));
	CU_ASSERT_EQUAL(second.n_calls, BATCH + 1);
	CU_ASSERT_EQUAL(b.last_ack, 2 * BATCH + 1);
	CU_ASSERT_EQUAL(b.n_nacks, BATCH);
	CU_ASSERT_EQUAL(b.last_nack, 2 * BATCH);
	first.every = 0;
	publish_some(&b, BATCH);
	CU_ASSERT_EQUAL(b.last_ack, 2 * BATCH + 1);
	CU_ASSERT_EQUAL(b.n_nacks, 2 * BATCH);
	CU_ASSERT_EQUAL(b.last_nack, 3 * BATCH + 1);
	CU_ASSERT_EQUAL(b.close_code, 0);
	CU_ASSERT_EQUAL(counter_sum(COUNTER_MESSAGES_NACKED) - before, 2 * BATCH);
	stop();
}

/* Without confirms, and in a transaction: it is dropped. */
static void nacked_without_confirms(void)
{
	start();
	first.decision = SHUNT_NACK;
	install(&publish_hook, &first);
	publish(&b, 2, QUEUE, NONE, 3);
	settle(&a, &b);
	PUT(&b, 2, AMQP_TX_SELECT, tx_select);
	publish(&b, 2, QUEUE, NONE, 3);
	PUT(&b, 2, AMQP_TX_COMMIT, tx_commit);
	settle(&a, &b);
	CU_ASSERT_EQUAL(first.n_calls, 2);
	CU_ASSERT_EQUAL(b.n_commit_oks, 1);
	CU_ASSERT_EQUAL(b.n_nacks, 0);
	CU_ASSERT_EQUAL(messages(), 0);
	stop();
}

static void to_another_exchange(void)
{
	start();
	first.exchange = "none";
	second.exchange = ""; /* back to the default one */
	install(&publish_hook, &first);
	install(&publish_hook, &second);
	publish_some(&b, BATCH);
	CU_ASSERT_STRING_EQUAL(second.last_exchange, "none");
	CU_ASSERT_STRING_EQUAL(second.last_key, "q");
	CU_ASSERT_EQUAL(messages(), READY(BATCH));
	CU_ASSERT_EQUAL(b.last_ack, BATCH);
	second.exchange = NULL;
	publish_some(&b, BATCH);
	CU_ASSERT_EQUAL(b.close_code, 404);
	CU_ASSERT_EQUAL(messages(), READY(BATCH));
	stop();
}

static void rejected_ends_the_channel_and_not_what_came_before(void)
{
	start();
	first.decision = SHUNT_REJECT;
	first.code = SHUNT_ACCESS_REFUSED;
	first.every = 3;
	install(&publish_hook, &first);
	publish_some(&b, BATCH);
	CU_ASSERT_EQUAL(b.close_code, 403);
	CU_ASSERT_EQUAL(first.n_calls, 3);
	CU_ASSERT_EQUAL(messages(), READY(2));
	stop();
}

static void rejected_by_a_hard_code_ends_the_connection(void)
{
	start();
	first.decision = SHUNT_REJECT;
	first.code = SHUNT_NOT_ALLOWED;
	first.every = 3;
	install(&publish_hook, &first);
	publish_some(&b, BATCH);
	CU_ASSERT_EQUAL(b.close_code, 530);
	CU_ASSERT_EQUAL(messages(), READY(2));
	stop();
}

static void no_usable_code_is_541(void)
{
	start();
	first.decision = SHUNT_REJECT;
	first.code = 17;
	install(&publish_hook, &first);
	publish_some(&a, 1);
	CU_ASSERT_EQUAL(a.close_code, 541);
	stop();
}

static void no_decision_is_a_refusal(void)
{
	start();
	first.decision = (enum shunt_decision)77;
	install(&publish_hook, &first);
	publish_some(&a, 1);
	CU_ASSERT_EQUAL(a.close_code, 541);
	CU_ASSERT_EQUAL(messages(), 0);
	stop();
}

static void in_a_transaction(void)
{
	start();
	first.decision = SHUNT_DROP;
	first.every = 2;
	first.key = "other";
	install(&publish_hook, &first);
	PUT(&b, 2, AMQP_TX_SELECT, tx_select);
	for (int i = 0; i < 4; i++)
		publish(&b, 2, QUEUE, NONE, 3);
	settle(&a, &b);
	CU_ASSERT_EQUAL(messages(), 0);
	PUT(&b, 2, AMQP_TX_COMMIT, tx_commit);
	settle(&a, &b);
	CU_ASSERT_EQUAL(b.n_commit_oks, 1);
	CU_ASSERT_EQUAL(messages(), READY(2));
	stop();
}

/* ---- Deliver ---- */

static void consume(struct client *client, unsigned prefetch, bool global, bool no_ack)
{
	PUT(client, 2, AMQP_BASIC_QOS, basic_qos, .prefetch_count = (uint16_t)prefetch, .global = global);
	PUT(client, 2, AMQP_BASIC_CONSUME, basic_consume, .queue = QUEUE, .consumer_tag = SLICE_LITERAL("tag"),
	    .no_ack = no_ack);
	settle(&a, &b);
}

static void ack_all(struct client *client)
{
	PUT(client, 2, AMQP_BASIC_ACK, basic_ack, .multiple = true);
	settle(&a, &b);
}

static void consumer_gets_what_the_hook_has_made(struct client *client)
{
	start();
	first.body = "something else";
	install(&deliver_hook, &first);
	consume(client, 0, false, false);
	publish_some(&a, BATCH);
	CU_ASSERT_EQUAL(client->n_deliveries, BATCH);
	CU_ASSERT_STRING_EQUAL(first.queue, "q");
	CU_ASSERT_STRING_EQUAL(first.tag, "tag");
	CU_ASSERT_EQUAL(messages(), UNACKED(BATCH));
	PUT(client, 2, AMQP_BASIC_NACK, basic_nack, .multiple = true, .requeue = true);
	settle(&a, &b);
	CU_ASSERT_EQUAL(first.n_redelivered, BATCH);
	ack_all(client);
	CU_ASSERT_EQUAL(messages(), 0);
	CU_ASSERT_EQUAL(client->close_code, 0);
	stop();
}

static void rewritten_on_the_same_loop(void)
{
	consumer_gets_what_the_hook_has_made(&a);
}

static void rewritten_on_another_loop(void)
{
	consumer_gets_what_the_hook_has_made(&b);
}

/* With room for one, every second is withheld: so each ack brings the next one but one. */
static void withheld_takes_no_room(struct client *client, bool global, enum shunt_decision decision)
{
	start();
	publish_some(&a, 2 * BATCH);
	first.decision = decision;
	first.every = 2;
	install(&deliver_hook, &first);
	consume(client, 1, global, false);
	for (unsigned i = 1; i <= BATCH; i++) {
		CU_ASSERT_EQUAL(client->n_deliveries, i);
		CU_ASSERT_EQUAL(messages() >> 32, 1);
		PUT(client, 2, AMQP_BASIC_ACK, basic_ack, .delivery_tag = i);
		settle(&a, &b);
	}
	CU_ASSERT_EQUAL(client->n_deliveries, BATCH);
	CU_ASSERT_EQUAL(first.n_calls, 2 * BATCH);
	CU_ASSERT_EQUAL(messages(), 0);
	/* All of them in a row, and then there is still room for one. */
	first.every = 0;
	publish_some(&a, 1000);
	for (int i = 0; i < 1000 && messages() != 0; i++)
		settle(&a, &b);
	CU_ASSERT_EQUAL(messages(), 0);
	first.decision = SHUNT_PASS;
	publish_some(&a, 2);
	CU_ASSERT_EQUAL(client->n_deliveries, BATCH + 1);
	CU_ASSERT_EQUAL(messages(), UNACKED(1) + READY(1));
	CU_ASSERT_EQUAL(client->close_code, 0);
	stop();
}

static void dropped_with_prefetch(void)
{
	withheld_takes_no_room(&a, false, SHUNT_DROP);
	withheld_takes_no_room(&b, false, SHUNT_DROP);
}

static void rejected_with_channel_wide_prefetch(void)
{
	withheld_takes_no_room(&a, true, SHUNT_REJECT);
	withheld_takes_no_room(&b, true, SHUNT_REJECT);
}

/* More than a consumer's credit of bytes goes through all the same. */
static void dropped_gives_credit_back(void)
{
	start();
	first.decision = SHUNT_DROP;
	install(&deliver_hook, &first);
	consume(&b, 0, false, true);
	for (int i = 0; i < 40; i++) {
		publish(&a, 1, QUEUE, NONE, 100000);
		settle(&a, &b);
	}
	CU_ASSERT_EQUAL(first.n_calls, 40);
	CU_ASSERT_EQUAL(messages(), 0);
	CU_ASSERT_EQUAL(b.n_deliveries, 0);
	stop();
}

static void get_goes_on_to_the_next(struct client *client, bool no_ack)
{
	start();
	publish_some(&a, 4);
	first.decision = SHUNT_DROP;
	first.every = 2;
	install(&deliver_hook, &first);
	get(client, QUEUE, no_ack);
	CU_ASSERT_EQUAL(client->n_gets, 1);
	CU_ASSERT_STRING_EQUAL(first.tag, "");
	CU_ASSERT_STRING_EQUAL(first.queue, "q");
	get(client, QUEUE, no_ack); /* the second is dropped */
	CU_ASSERT_EQUAL(client->n_gets, 2);
	CU_ASSERT_EQUAL(first.n_calls, 3);
	get(client, QUEUE, no_ack);
	CU_ASSERT_EQUAL(client->n_gets, 2); /* empty */
	CU_ASSERT_EQUAL(first.n_calls, 4);
	CU_ASSERT_EQUAL(messages(), no_ack ? 0 : UNACKED(2));
	if (!no_ack)
		ack_all(client);
	CU_ASSERT_EQUAL(messages(), 0);
	CU_ASSERT_EQUAL(client->close_code, 0);
	stop();
}

static void get_with_and_without_ack(void)
{
	get_goes_on_to_the_next(&a, false);
	get_goes_on_to_the_next(&a, true);
	get_goes_on_to_the_next(&b, false);
	get_goes_on_to_the_next(&b, true);
}

static void get_of_very_many_that_are_dropped(void)
{
	start();
	publish_some(&a, 3000);
	first.decision = SHUNT_REJECT;
	install(&deliver_hook, &first);
	get(&a, QUEUE, false);
	for (int i = 0; i < 1000 && messages() != 0; i++)
		settle(&a, &b);
	CU_ASSERT_EQUAL(messages(), 0);
	CU_ASSERT_EQUAL(first.n_calls, 3000);
	PUT(&a, 2, AMQP_CHANNEL_CLOSE, channel_close, .reply_code = 200); /* it does not wait any more */
	settle(&a, &b);
	CU_ASSERT_EQUAL(a.n_close_oks, 1);
	stop();
}

/* The client is gone while its get goes through what is dropped. */
static void get_whose_client_goes(void)
{
	start();
	publish_some(&a, 3000);
	first.decision = SHUNT_DROP;
	install(&deliver_hook, &first);
	PUT(&b, 2, AMQP_BASIC_GET, basic_get, .queue = QUEUE);
	write_out(&b);
	for (int i = 0; i < 3; i++) {
		loop_pool_visit(1, turn_here, NULL);
		loop_pool_visit(0, turn_here, NULL);
	}
	client_end(&b);
	settle(&a, &b);
	CU_ASSERT(first.n_calls > 0 && first.n_calls < 3000);
	CU_ASSERT_EQUAL(messages(), READY(3000 - first.n_calls));
	stop();
}

/* ---- Memory ---- */

static void rewrite_all_the_way(void)
{
	first.body = "by the first";
	second.body = "by the second";
	second.decision = SHUNT_DROP;
	second.every = 3;
	install(&publish_hook, &first);
	install(&deliver_hook, &second);
	consume(&b, 2, true, false);
	publish_some(&a, 4);
	ack_all(&b);
	PUT(&b, 2, AMQP_BASIC_CANCEL, basic_cancel, .consumer_tag = SLICE_LITERAL("tag"));
	publish_some(&b, 4);
	get(&a, QUEUE, false);
	get(&b, QUEUE, true);
}

/* Each allocation in turn fails. Whatever the clients are told then, nothing leaks, and what was not delivered stays. */
static void memory_runs_out(void)
{
	bool was_reached = true;
	int n;

	memory_may_fail = true;
	for (n = 1; was_reached; n++) {
		start();
		mem_fault_after(n);
		rewrite_all_the_way();
		was_reached = mem_calls_to_fault < 0;
		mem_fault_after(-1);
		if (!was_reached) {
			CU_ASSERT_EQUAL(a.n_gets, 1);
			CU_ASSERT_EQUAL(a.close_code, 0);
			CU_ASSERT_EQUAL(b.close_code, 0);
		}
		stop();
	}
	memory_may_fail = false;
	CU_ASSERT(n > 20);
}

UNIT_MAIN("hooks", UNIT_TEST(passes_with_what_it_is_told),
	  UNIT_TEST(each_sees_what_the_one_before_has_made), UNIT_TEST(dropped_is_confirmed_in_order_and_not_returned),
	  UNIT_TEST(nacked_in_its_place), UNIT_TEST(nacked_without_confirms), UNIT_TEST(to_another_exchange),
	  UNIT_TEST(rejected_ends_the_channel_and_not_what_came_before),
	  UNIT_TEST(rejected_by_a_hard_code_ends_the_connection), UNIT_TEST(no_usable_code_is_541),
	  UNIT_TEST(no_decision_is_a_refusal), UNIT_TEST(in_a_transaction), UNIT_TEST(rewritten_on_the_same_loop),
	  UNIT_TEST(rewritten_on_another_loop), UNIT_TEST(dropped_with_prefetch),
	  UNIT_TEST(rejected_with_channel_wide_prefetch), UNIT_TEST(dropped_gives_credit_back),
	  UNIT_TEST(get_with_and_without_ack), UNIT_TEST(get_of_very_many_that_are_dropped),
	  UNIT_TEST(get_whose_client_goes), UNIT_TEST(memory_runs_out))
