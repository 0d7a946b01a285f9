/* SPDX-License-Identifier: MIT */
#include "conn/service.h"

#include "access/accounts.h"
#include "base/bug.h"
#include "base/mem.h"
#include "broker/queue/queue.h"
#include "conn/closing.h"
#include "conn/connection.h"
#include "conn/entry/handshake.h"
#include "conn/placement/placement.h"
#include "conn/placement/pressure.h"
#include "loop/loop.h"

/*
 * An alarm was set or cleared: connections that publish are blocked, or let go on. Who is blocked
 * does not see to it that there is memory again, so that is seen to here.
 */
static void conn_loop_alarm(struct alarm_listener *listener, unsigned set_alarms)
{
	struct conn_loop *home = container_of(listener, struct conn_loop, alarm);
	struct list *pos, *next;

	if ((set_alarms & ~home->alarms & ALARM_MEMORY) != 0)
		queue_page_out_all(home->service->broker);
	home->alarms = set_alarms;
	list_for_each_safe(pos, next, &home->connections) {
		struct connection *c = container_of(pos, struct connection, link);

		if (set_alarms != 0 && c->has_published)
			pressure_note_publish(c);
		else if (set_alarms == 0)
			pressure_unblock(c);
	}
}

struct conn_service *conn_service_create(struct broker *broker, struct access *access,
					 const struct conn_settings *settings, unsigned n_loops)
{
	struct conn_service *service = mem_zalloc(sizeof(*service));

	service->broker = broker;
	service->access = access;
	service->settings = *settings;
	hooks_init(&service->no_hooks);
	service->hooks = settings->hooks != NULL ? settings->hooks : &service->no_hooks;
	handshake_prepare(settings, &service->server_properties);
	service->n_loops = n_loops;
	service->loops =
		mem_zalloc_aligned(_Alignof(struct conn_loop), n_loops * sizeof(*service->loops));
	atomic_init(&service->next_number, 1);
	for (unsigned i = 0; i < n_loops; i++) {
		struct conn_loop *home = &service->loops[i];

		home->service = service;
		list_init(&home->connections);
		closing_init(home);
		placement_init(&home->load, n_loops);
		home->alarm.changed = conn_loop_alarm;
		alarms_listen(broker->alarms, i, &home->alarm);
	}
	return service;
}

void conn_service_destroy(struct conn_service *service)
{
	if (service == NULL)
		return;
	/* Nobody is there any more whom a user's or a vhost's end could concern. */
	access_on_user_deleted(service->access, NULL, NULL);
	service->broker->vhost_closing = NULL;
	for (unsigned i = 0; i < service->n_loops; i++) {
		bug_on(!list_is_empty(&service->loops[i].connections) ||
		       !list_is_empty(&service->loops[i].closings));
		placement_fini(&service->loops[i].load);
	}
	buffer_fini(&service->server_properties);
	mem_free(service->loops);
	mem_free(service);
}

struct conn_loop *conn_loop_self(struct conn_service *service)
{
	return &service->loops[loop_index(loop_self())];
}

void conn_service_dismiss(struct connection *c)
{
	connection_force(c, "broker forced connection closure with reason 'shutdown'",
			 c->home->stop_limit_ms);
}

void conn_service_shutdown(struct conn_service *service, unsigned limit_ms)
{
	struct conn_loop *home = conn_loop_self(service);
	struct list *pos, *next;

	home->is_stopping = true;
	home->stop_limit_ms = limit_ms;
	closing_hurry(home);
	list_for_each_safe(pos, next, &home->connections) {
		struct connection *c = container_of(pos, struct connection, link);

		conn_service_dismiss(c);
	}
}

void conn_service_cut(struct conn_service *service)
{
	struct conn_loop *home = conn_loop_self(service);
	struct list *pos, *next;

	home->is_stopping = true;
	home->stop_limit_ms = 0;
	closing_hurry(home);
	list_for_each_safe(pos, next, &home->connections)
		connection_destroy(container_of(pos, struct connection, link));
}

/* Puts it in its place among those with smaller numbers, at most `limit` of them. */
static unsigned choose(const struct connection *chosen[], unsigned n, unsigned limit,
		       const struct connection *c)
{
	unsigned i = n < limit ? n++ : n - 1;

	for (; i > 0 && chosen[i - 1]->number > c->number; i--)
		chosen[i] = chosen[i - 1];
	chosen[i] = c;
	return n;
}

/* They are in no order, as they come from other loops, too. */
uint64_t conn_service_list(struct conn_service *service, uint64_t after, unsigned limit,
			   void (*visit)(void *context, const struct connection *connection),
			   void *context)
{
	const struct connection *chosen[CONN_SERVICE_LIST_MAX];
	struct conn_loop *home = conn_loop_self(service);
	struct list *pos;
	unsigned n = 0;
	bool has_more = false;

	bug_on(limit == 0 || limit > CONN_SERVICE_LIST_MAX);
	list_for_each(pos, &home->connections) {
		const struct connection *c = container_of(pos, struct connection, link);

		if (c->number <= after)
			continue;
		has_more |= n == limit;
		if (n < limit || c->number < chosen[n - 1]->number)
			n = choose(chosen, n, limit, c);
	}
	for (unsigned i = 0; i < n; i++)
		visit(context, chosen[i]);
	return has_more ? chosen[n - 1]->number : 0;
}
