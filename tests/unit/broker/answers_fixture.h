/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_BROKER_ANSWERS_FIXTURE_H
#define TESTS_UNIT_BROKER_ANSWERS_FIXTURE_H

/* Messages with properties, and exchange types that count how often they are asked. */

#include "amqp/properties.h"
#include "amqp/table.h"
#include "arguments_fixture.h"
#include "router_fixture.h"

static inline struct message *make_message_with(const char *exchange, const char *key,
						const struct amqp_properties *properties)
{
	struct message *message;
	struct buffer raw;

	buffer_init(&raw);
	CU_ASSERT_EQUAL_FATAL(amqp_properties_append(properties, &raw), 0);
	message = message_create(slice_cstr(exchange), slice_cstr(key), buffer_slice(&raw), 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	buffer_fini(&raw);
	return message;
}

/* headers: what is in arguments_buffer. */
static inline struct message *make_message_with_headers(const char *exchange, const char *key,
							struct slice headers)
{
	const struct amqp_properties properties = {.flags = AMQP_PROPERTY_HEADERS,
						   .headers = headers};

	return make_message_with(exchange, key, &properties);
}

/* Takes the messages; how many reached no queue. */
static inline unsigned publish_messages(struct message **messages, size_t count)
{
	struct publication publications[ROUTER_BATCH_MAX] = {0};
	struct publish_batch batch = {
		.vhost = vhost, .user = published_by, .publications = publications, .count = count};
	unsigned n_unroutable = 0;

	for (size_t i = 0; i < count; i++)
		publications[i].message = messages[i];
	CU_ASSERT_EQUAL(router_publish(broker, &batch, &error), count);
	for (size_t i = 0; i < count; i++) {
		n_unroutable += publications[i].unroutable;
		message_unref(publications[i].message);
	}
	return n_unroutable;
}

static inline bool publish_message(struct message *message)
{
	return publish_messages(&message, 1) == 0;
}

static unsigned n_asked;
static bool varies; /* their answers */

/* To the queue named by the header `to`, a text; without one, to all. */
static inline void route_by_header(const void *state, const struct shunt_message *message,
				   struct shunt_sink *sink)
{
	const struct routed_message *routed = container_of(message, struct routed_message, view);
	const struct fake_exchange *exchange = state;
	struct amqp_properties properties;
	struct amqp_value to = {.type = 0};
	struct list *pos;

	n_asked++;
	if (varies)
		router_answer_varies();
	CU_ASSERT_EQUAL(amqp_properties_decode(&properties, message_properties(routed->message)),
			0);
	(void)amqp_table_find(properties.headers, "to", &to);
	list_for_each(pos, &exchange->bound) {
		const struct shunt_binding *binding =
			container_of(pos, struct fake_bound, link)->binding;

		if (to.type == 0 || (to.type == AMQP_VALUE_STRING &&
				     slice_equal(to.bytes, slice_make(binding->routing_key.data,
								      binding->routing_key.size))))
			sink->emit(sink, &binding, 1);
	}
}

/* By the routing key. */
static inline void route_by_key_counted(const void *state, const struct shunt_message *message,
					struct shunt_sink *sink)
{
	n_asked++;
	if (varies)
		router_answer_varies();
	fake_route(state, message, sink);
}

#define ANSWERING_TYPE(name_, route_, ...)                                                         \
	{                                                                                          \
		.size = sizeof(struct shunt_exchange_type), .name = (name_),                       \
		.create = fake_create_direct, .destroy = fake_destroy, .bind = fake_bind,          \
		.unbind = fake_unbind, .route = (route_), __VA_ARGS__                              \
	}

#endif
