/* SPDX-License-Identifier: MIT */
#include "broker/router_send.h"

#include "base/bug.h"
#include "base/log.h"
#include "broker/alarm.h"
#include "broker/exchange.h"
#include "broker/router_observe.h"
#include "broker/router_state.h"

/* False: memory is out. */
static bool find_by_exchange(struct router *router, struct exchange *exchange,
			     struct message *message)
{
	struct amqp_error error;

	return exchange->doomed || router_walk(router, exchange, message, &error) == 0;
}

/* Returns for how many there is no memory: they have no targets. */
static size_t find_targets(struct router *router, const struct router_destination *to,
			   struct message *const *messages, size_t count)
{
	size_t n_lost = 0;

	router_forget_targets(router);
	router_enter_read_side(router);
	for (size_t i = 0; i < count; i++) {
		bool is_found = to->exchange ? find_by_exchange(router, to->exchange, messages[i])
					     : router_add_queue(router, to->queue);

		if (!is_found)
			router_cut_targets(router, router->first[i]);
		n_lost += !is_found;
		router->first[i + 1] = router->n_targets;
	}
	topology_read_end(router->broker->topology);
	return n_lost;
}

static void log_lost(size_t n)
{
	static struct log_limit limit = LOG_LIMIT(5);

	log_limited(&limit, LOG_LEVEL_ERROR, "broker",
		    "what an exchange type sent to a new binding is lost: messages=%zu", n);
}

void router_send_take(struct broker *broker, struct vhost *vhost,
		      const struct router_destination *to, struct message *const *messages,
		      size_t count)
{
	struct router *router = broker_loop_self(broker)->router;
	struct publication publications[ROUTER_BATCH_MAX];
	const struct publish_batch batch = {.vhost = vhost, .publications = publications};

	bug_on(router->is_busy || count > ROUTER_BATCH_MAX);
	router->is_busy = true;
	router->broker = broker;
	router_set_vhost(router, vhost);
	size_t n_lost = find_targets(router, to, messages, count);

	for (size_t i = 0; i < count; i++)
		publications[i] = (struct publication){.message = messages[i]};
	(void)router_hand_over(router, &batch, publications, count);
	for (size_t i = 0; i < count; i++) {
		message_unref(publications[i].message);
		n_lost += publications[i].rejected;
	}
	router->is_busy = false;
	if (n_lost > 0)
		log_lost(n_lost);
	alarms_check(broker->alarms);
}
