/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BROKER_RESTORE_FIXTURE_H
#define TESTS_UNIT_BROKER_RESTORE_FIXTURE_H

/*
 * One store, and brokers on it one after the other. The engine in memory keeps what it has while it
 * lives, so a broker that ends and one that begins are a restart.
 */

#include "base/log.h"
#include "broker/topology/definition.h"
#include "broker/restore/restore.h"
#include "broker/router/router.h"
#include "topology_fixture.h"

static unsigned n_loops;
static bool is_unclean, ids_are_out;
static char reason[256];

static inline bool hooked_is_clean(const struct store *s)
{
	(void)s;
	return !is_unclean;
}

static uint64_t (*real_ids)(struct store *s, unsigned n);

static inline uint64_t hooked_ids(struct store *s, unsigned n)
{
	return ids_are_out ? 0 : real_ids(s, n);
}

static inline int start_without_fanout(const char *default_vhost)
{
	broker = broker_create(n_loops, store, NULL);
	register_type(&fake_direct);
	int r = restore_broker(broker, default_vhost, reason, sizeof(reason));
	vhost = topology_vhost(broker->topology, slice_cstr(default_vhost));
	return r;
}

static inline int start(const char *default_vhost)
{
	broker = broker_create(n_loops, store, NULL);
	register_type(&fake_direct);
	register_type(&fake_fanout);
	register_type(&fake_picky);
	int r = restore_broker(broker, default_vhost, reason, sizeof(reason));
	vhost = topology_vhost(broker->topology, slice_cstr(default_vhost));
	return r;
}

static inline void begin(unsigned loops)
{
	n_loops = loops;
	is_unclean = ids_are_out = false;
	store_begin(loops);
	real_ids = store_ops.ids;
	store_ops.ids = hooked_ids;
	store_ops.is_clean = hooked_is_clean;
	log_set_level(LOG_LEVEL_ERROR);
	CU_ASSERT_EQUAL_FATAL(start("/"), 0);
}

static inline void stop(void)
{
	turn();
	broker_destroy(broker);
	broker = NULL;
	turn();
}

static inline void restart(void)
{
	stop();
	CU_ASSERT_EQUAL_FATAL(start("/"), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(vhost);
}

static inline void end(void)
{
	broker_end();
	log_set_level(LOG_LEVEL_INFO);
}

static inline void assert_fails(const char *text)
{
	stop();
	CU_ASSERT_EQUAL(start("/"), -1);
	CU_ASSERT_STRING_EQUAL(reason, text);
	if (strcmp(reason, text) != 0)
		(void)printf("\n    reason: %s\n", reason);
}

/* ---- Messages ---- */

static inline struct message *make(const char *exchange, const char *key, const char *body,
				   uint64_t expiration_ms)
{
	struct message *m = message_create(slice_cstr(exchange), slice_cstr(key),
					   slice_make("\x10\0\2", 3), (uint32_t)strlen(body));
	struct amqp_error error;

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	memcpy(message_body_bytes(m), body, strlen(body));
	CU_ASSERT_EQUAL(message_read_properties(m, &error), 0);
	CU_ASSERT_TRUE(m->persistent);
	m->expiration_ms = expiration_ms;
	return m;
}

/* The reply code; 0. */
static inline int publish(const char *exchange, const char *key, const char *body)
{
	struct publication publication = {.message =
						  make(exchange, key, body, MESSAGE_NO_EXPIRATION)};
	struct publish_batch batch = {.vhost = vhost, .publications = &publication, .count = 1};
	struct amqp_error error = {.code = 0};

	(void)router_publish(broker, &batch, &error);
	message_unref(publication.message); /* if it is still ours */
	turn();
	return error.code;
}

static inline struct actor_ref find(const char *name)
{
	struct actor_ref ref = ACTOR_REF_NONE;
	struct amqp_error error;

	CU_ASSERT_EQUAL_FATAL(declare_find_queue(broker, vhost, slice_cstr(name), 0, &ref, &error),
			      0);
	return ref;
}

#define GET_TURNS_MAX 100u

struct getting {
	struct actor_ref queue;
	struct queue_request request;
	enum queue_outcome outcome;
	char text[64]; /* body, "'": redelivered */
	bool is_done;
};

static inline void got(struct queue_request *request)
{
	container_of(request, struct getting, request)->is_done = true;
}

static inline void get_here(void *arg)
{
	struct getting *g = arg;
	struct delivery *delivery = &g->request.get.delivery;

	g->request.operation = QUEUE_GET;
	g->request.queue = g->queue;
	g->request.done = got;
	g->request.asker.loop = g->queue.loop;
	queue_request_submit(&g->request);
	/* The body is in the store yet. */
	for (unsigned i = 0; i < GET_TURNS_MAX && !g->is_done; i++)
		loop_run_once(false);
	CU_ASSERT_TRUE_FATAL(g->is_done);
	CU_ASSERT_EQUAL_FATAL(g->request.error.code, 0);
	if (!delivery->message)
		return;
	(void)snprintf(g->text, sizeof(g->text), "%.*s%s",
		       SLICE_ARG(message_body(delivery->message)),
		       delivery->redelivered ? "'" : "");
	queue_settle(g->queue, ACTOR_REF_NONE, QUEUE_NO_CONSUMER, g->outcome, &delivery->seq, 1);
	message_unref(delivery->message);
}

/* The first message; "": none. */
static inline const char *get_and(const char *queue, enum queue_outcome outcome)
{
	static struct getting g;

	g = (struct getting){.queue = find(queue), .outcome = outcome};
	loop_pool_visit(g.queue.loop, get_here, &g);
	turn();
	return g.text;
}

static inline const char *get(const char *queue)
{
	return get_and(queue, QUEUE_ACK);
}

/* Its messages, with blanks between. */
static inline const char *drain(const char *queue)
{
	static char all[1024];
	const char *text;

	all[0] = '\0';
	while (*(text = get(queue)) != '\0') {
		if (all[0] != '\0')
			strcat(all, " ");
		strcat(all, text);
	}
	return all;
}

#define ASSERT_DRAINED(queue, text) CU_ASSERT_STRING_EQUAL(drain(queue), text)

static inline struct queue_entry *entry_of(const char *name)
{
	topology_read_begin(broker->topology);
	struct queue_entry *entry = topology_queue(vhost, slice_cstr(name));
	topology_read_end(broker->topology);
	CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
	return entry;
}

/* ---- Into the store, past the broker ---- */

struct waiting {
	struct store_commit commit;
	bool is_done;
};

static inline void put_done(struct store_commit *commit, enum store_result result,
			    uint64_t revision)
{
	(void)revision;
	CU_ASSERT_EQUAL(result, STORE_DURABLE);
	container_of(commit, struct waiting, commit)->is_done = true;
}

static inline void put(struct slice key, struct slice value)
{
	struct store_change change = {
		.key = key, .value = value, .expected_revision = STORE_ANY_REVISION};
	struct waiting waiting = {.commit = {.changes = &change, .n_changes = 1, .done = put_done}};

	store_commit(store, &waiting.commit);
	turn();
	CU_ASSERT_TRUE_FATAL(waiting.is_done);
}

static inline void define(const struct definition *definition)
{
	struct buffer key, value;

	buffer_init(&key);
	buffer_init(&value);
	definition_put_key(&key, definition);
	definition_put_value(&value, definition);
	put(buffer_slice(&key), buffer_slice(&value));
	buffer_fini(&key);
	buffer_fini(&value);
}

#endif
