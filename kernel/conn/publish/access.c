/* SPDX-License-Identifier: MIT */
/*
 * The channel remembers the last exchange. What is remembered of others, and of topics, is the
 * connection's (conn/decisions.h), and made only where it is needed: a channel that stays with one
 * exchange never does.
 */
#include "conn/publish/access.h"

#include <errno.h>

#include "base/mem.h"
#include "conn/permission.h"

/* The channel's first one, or all may be different now. */
static int publish_ask_first(struct channel *ch, struct slice exchange, bool *ret_remember,
			     struct amqp_error *error)
{
	struct channel_publish *p = ch->publish;
	bool asks_topics = permission_asks_topics(ch);

	if (permission_check_write(ch, exchange, ret_remember, error) != 0) {
		p->access = PUBLISH_NOT_ASKED;
		return -EPROTO;
	}
	p->access = asks_topics ? PUBLISH_WITH_TOPICS : PUBLISH_ALLOWED;
	return 0;
}

static int publish_ask_access(struct channel *ch, struct slice exchange, uint64_t generation,
			      struct amqp_error *error)
{
	struct channel_publish *p = ch->publish;
	bool is_another = p->access != PUBLISH_NOT_ASKED && p->access_generation == generation;
	bool remember;
	int result = is_another ? permission_check_often(ch, ACCESS_WRITE, ACCESS_RESOURCE_EXCHANGE,
							 exchange, &remember, error)
				: publish_ask_first(ch, exchange, &remember, error);

	if (result != 0)
		return -EPROTO;
	p->access_generation = remember ? generation : PUBLISH_ASK_AGAIN;
	p->access_topology = 0;
	p->access_exchange_size = (uint8_t)exchange.size;
	slice_copy(p->access_exchange, exchange);
	return 0;
}

/* The channel's last exchange may have become a topic exchange, or one no more. */
static bool publish_covers_topics(struct channel *ch, struct slice exchange)
{
	uint64_t topology = topology_generation(ch->connection->service->broker->topology);
	struct channel_publish *p = ch->publish;

	if (p->access_topology != topology) {
		p->access_covers_topics = permission_covers_topics(ch, exchange);
		p->access_topology = topology;
	}
	return p->access_covers_topics;
}

/* Another exchange than the last one, but the key was found right for it, which comes behind
 * writing to it: so it is, whatever type the exchange is of by now. */
static bool publish_is_known_topic(struct channel *ch, const struct amqp_basic_publish *m,
				   uint64_t generation)
{
	const struct channel_publish *p = ch->publish;

	return p->access == PUBLISH_WITH_TOPICS && p->access_generation == generation &&
	       permission_has_topic(ch, generation, m->exchange, m->routing_key);
}

/* A key that is remembered stands for its exchange as well. */
static int publish_check_topic(struct channel *ch, struct slice exchange, struct slice routing_key,
			       struct amqp_error *error)
{
	return ch->publish->access_generation == PUBLISH_ASK_AGAIN
		       ? permission_check_topic_once(ch, ACCESS_WRITE_TOPIC, exchange, routing_key,
						     error)
		       : permission_check_topic(ch, ACCESS_WRITE_TOPIC, exchange, routing_key,
						error);
}

int publish_examine_access(struct channel *ch, const struct amqp_basic_publish *m,
			   uint64_t generation, struct amqp_error *error)
{
	struct channel_publish *p = ch->publish;

	if (p->access == PUBLISH_NOT_ASKED || !publish_was_asked(p, m->exchange, generation)) {
		if (publish_is_known_topic(ch, m, generation))
			return 0;
		if (publish_ask_access(ch, m->exchange, generation, error) != 0)
			return -EPROTO;
	}
	if (p->access == PUBLISH_ALLOWED || !publish_covers_topics(ch, m->exchange))
		return 0;
	return publish_check_topic(ch, m->exchange, m->routing_key, error);
}

int publish_access_extra_topics(struct channel *ch, struct amqp_error *error)
{
	struct channel_publish *p = ch->publish;
	struct slice *keys;
	uint32_t n;
	int result = 0;

	if (p->access != PUBLISH_WITH_TOPICS || p->extra.n == 0 ||
	    !permission_covers_topics(ch, p->exchange))
		return 0;
	keys = mem_try_alloc(p->extra.n * sizeof(*keys));
	if (keys == NULL)
		return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
	n = extra_keys_read(buffer_slice(&p->extra.bytes), p->extra.n, keys);
	for (uint32_t i = 0; i < n && result == 0; i++)
		result =
			publish_check_topic(ch, p->exchange, keys[i], error);
	mem_free(keys);
	return result;
}
