/* SPDX-License-Identifier: MIT */
#include "broker/router/send.h"

#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"
#include "broker/alarm.h"
#include "broker/topology/exchange.h"
#include "broker/router/observe.h"
#include "broker/router/state.h"

#define READ_SIDE_NS 80000u

/* False: memory is out. */
static bool find_by_exchange(struct router *router, struct exchange *exchange,
			     struct message *message)
{
	struct amqp_error error;

	return exchange->doomed || router_walk(router, exchange, message, &error) == 0;
}

/*
 * How many it got to before its time was up. For *ret_lost of them there is no memory: they have no
 * targets. To a queue there is nothing to be found, so that takes no time.
 */
static size_t find_targets(struct router *router, const struct router_destination *to,
			   struct message *const *messages, size_t count, size_t *ret_lost)
{
	uint64_t end_ns = clock_monotonic_ns() + READ_SIDE_NS;
	size_t i = 0;

	router_forget_targets(router);
	router_enter_read_side(router);
	do {
		bool is_found = to->exchange ? find_by_exchange(router, to->exchange, messages[i])
					     : router_add_queue(router, to->queue);

		if (!is_found)
			router_cut_targets(router, router->first[i]);
		*ret_lost += !is_found;
		router->first[++i] = router->n_targets;
	} while (i < count && (!to->exchange || clock_monotonic_ns() < end_ns));
	topology_read_end(router->broker->topology);
	return i;
}

static void log_lost(size_t n)
{
	static struct log_limit limit = LOG_LIMIT(5);

	log_limited(&limit, LOG_LEVEL_ERROR, "broker",
		    "what an exchange type sent to a new binding is lost: messages=%zu", n);
}

size_t router_send_take(struct broker *broker, struct vhost *vhost,
			const struct router_destination *to, struct message *const *messages,
			size_t count)
{
	struct router *router = broker_loop_self(broker)->router;
	struct publication publications[ROUTER_BATCH_MAX];
	const struct publish_batch batch = {.vhost = vhost, .publications = publications};
	size_t n_lost = 0, n;

	bug_on(router->is_busy || count == 0 || count > ROUTER_BATCH_MAX);
	router->is_busy = true;
	router->broker = broker;
	router_set_vhost(router, vhost);
	n = find_targets(router, to, messages, count, &n_lost);
	for (size_t i = 0; i < n; i++)
		publications[i] = (struct publication){.message = messages[i]};
	(void)router_hand_over(router, &batch, publications, n);
	for (size_t i = 0; i < n; i++) {
		message_unref(publications[i].message);
		n_lost += publications[i].rejected;
	}
	router->is_busy = false;
	if (n_lost > 0)
		log_lost(n_lost);
	alarms_check(broker->alarms);
	return n;
}
