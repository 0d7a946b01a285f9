/* SPDX-License-Identifier: MIT */
/*
 * Timers of plugins. They run while the plugin is in force: what it starts before is only noted,
 * and begins to count when it is; afterwards none is armed any more.
 */
#include "base/mem.h"
#include "loop/loop.h"
#include "plugin/host.h"
#include "plugin/plugin.h"

struct shunt_timer {
	struct list link; /* plugin.timers */
	struct plugin *plugin;
	struct loop_timer timer;
	void (*fire)(void *context);
	void *context;
	uint64_t delay_ms, repeat_ms;
	bool is_wanted; /* started, and still to fire */
};

/* The plugin may do with the timer what it likes. */
static void fired(struct loop_timer *loop_timer)
{
	struct shunt_timer *timer = container_of(loop_timer, struct shunt_timer, timer);

	timer->is_wanted = timer->repeat_ms != 0;
	if (timer->is_wanted)
		loop_timer_start_ms(loop_timer, timer->repeat_ms);
	timer->fire(timer->context);
}

static struct shunt_timer *host_timer_create(const struct shunt_host *host,
					     void (*fire)(void *context), void *context)
{
	struct plugin *plugin = plugin_of_host(host);
	struct shunt_timer *timer = mem_try_zalloc(sizeof(*timer));

	if (timer == NULL)
		return NULL;
	timer->plugin = plugin;
	timer->fire = fire;
	timer->context = context;
	loop_timer_init(&timer->timer, fired);
	list_add_tail(&plugin->timers, &timer->link);
	return timer;
}

static void host_timer_start(const struct shunt_host *host, struct shunt_timer *timer,
			     uint64_t delay_ms, uint64_t repeat_ms)
{
	(void)host;
	timer->delay_ms = delay_ms;
	timer->repeat_ms = repeat_ms;
	timer->is_wanted = true;
	if (timer->plugin->phase == PLUGIN_ACTIVE)
		loop_timer_start_ms(&timer->timer, delay_ms);
}

static void host_timer_stop(const struct shunt_host *host, struct shunt_timer *timer)
{
	(void)host;
	timer->is_wanted = false;
	loop_timer_stop(&timer->timer);
}

static void host_timer_free(const struct shunt_host *host, struct shunt_timer *timer)
{
	if (timer == NULL)
		return;
	host_timer_stop(host, timer);
	list_remove(&timer->link);
	mem_free(timer);
}

/* ---- With the plugin ---- */

void plugin_start_timers(struct plugin *plugin)
{
	struct list *pos;

	list_for_each(pos, &plugin->timers) {
		struct shunt_timer *timer = container_of(pos, struct shunt_timer, link);

		if (timer->is_wanted)
			loop_timer_start_ms(&timer->timer, timer->delay_ms);
	}
}

void plugin_stop_timers(struct plugin *plugin)
{
	struct list *pos;

	list_for_each(pos, &plugin->timers)
		loop_timer_stop(&container_of(pos, struct shunt_timer, link)->timer);
}

void plugin_free_timers(struct plugin *plugin)
{
	struct list *node;

	while ((node = list_pop(&plugin->timers)) != NULL)
		mem_free(container_of(node, struct shunt_timer, link));
}

void host_offer_timers(struct shunt_host *host)
{
	host->timer_create = host_timer_create;
	host->timer_start = host_timer_start;
	host->timer_stop = host_timer_stop;
	host->timer_free = host_timer_free;
}
