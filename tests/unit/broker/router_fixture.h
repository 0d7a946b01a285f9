/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BROKER_ROUTER_FIXTURE_H
#define TESTS_UNIT_BROKER_ROUTER_FIXTURE_H

/* A publisher that writes down what it hears, and a store that counts appends. */

#include "broker/endpoint.h"
#include "broker/queue/queue.h"
#include "broker/router/router.h"
#include "topology_fixture.h"

/* ---- Publishing ---- */

static struct endpoint publisher;
static struct publish_outcome outcomes[16384];
static size_t n_outcomes, n_published_calls, n_letters_back;
static uint64_t taken_bytes;
static unsigned n_replies;
static uint64_t last_reply_key;
static struct slice published_by; /* shunt_message.user of what is published */

static inline void published(struct endpoint *endpoint, const struct publish_outcome *told,
			     size_t count, uint64_t taken)
{
	CU_ASSERT_PTR_EQUAL(endpoint, &publisher);
	for (size_t i = 0; i < count; i++)
		outcomes[n_outcomes++] = told[i];
	taken_bytes += taken;
	n_published_calls++;
	n_letters_back += taken > 0;
}

static inline void reply(struct endpoint *endpoint, uint64_t key, struct message *message)
{
	(void)endpoint;
	last_reply_key = key;
	n_replies++;
	message_unref(message);
}

static const struct endpoint_ops ops = {.published = published, .reply = reply};

static size_t n_appends, n_atomic_appends;
static void (*store_real_append)(struct store_log *log, uint64_t epoch,
				 struct store_append *append);

static inline void count_append(struct store_log *log, uint64_t epoch, struct store_append *append)
{
	n_appends++;
	n_atomic_appends += append->is_atomic;
	store_real_append(log, epoch, append);
}

static inline void router_begin(unsigned n_loops)
{
	broker_begin(n_loops);
	publisher = (struct endpoint){.ops = &ops};
	publisher.ref = slots_add(&publisher);
	n_outcomes = n_published_calls = n_letters_back = 0;
	store_real_append = store_ops.append;
	store_ops.append = count_append;
	taken_bytes = 0;
	n_replies = 0;
	published_by = SLICE_EMPTY;
}

static inline void router_end(void)
{
	turn();
	slots_remove(publisher.ref);
	broker_end();
}

static inline struct message *make_message(const char *exchange, const char *key)
{
	struct message *message =
		message_create(slice_cstr(exchange), slice_cstr(key), slice_make("\0\0", 2), 4);

	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	memcpy(message_body_bytes(message), "body", 4);
	message->expiration_ms = MESSAGE_NO_EXPIRATION;
	return message;
}

static struct publication publication;
static struct amqp_error error;

/* One message; true if it was handled. */
static inline bool publish_keys(const char *exchange, const char *key, uint64_t seq,
				const struct slice *extra, uint32_t n_extra)
{
	struct publish_batch batch = {
		.vhost = vhost,
		.user = published_by,
		.publisher = publisher.ref,
		.publications = &publication,
		.count = 1,
		.extra_keys = extra,
		.n_extra_keys = &n_extra,
	};

	error.code = 0;
	publication = (struct publication){.message = make_message(exchange, key), .seq = seq};
	bool handled = router_publish(broker, &batch, &error) == 1;

	if (publication.message) { /* failed, or unroutable: still ours */
		CU_ASSERT_TRUE(!handled || publication.unroutable);
		message_unref(publication.message);
	}
	return handled;
}

static inline bool publish(const char *exchange, const char *key)
{
	return publish_keys(exchange, key, 0, NULL, 0);
}

static inline uint64_t ready(const char *name)
{
	CU_ASSERT_EQUAL_FATAL(queue_declare(name, PASSIVE), 0);
	return asked.request.message_count;
}

#endif
