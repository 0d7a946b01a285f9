/* SPDX-License-Identifier: MIT */
#include "broker/broker.h"

#include "base/bug.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "broker/alarm.h"
#include "broker/broker_loop.h"
#include "broker/change/reaper.h"
#include "broker/router/router.h"
#include "broker/topology/topology.h"
#include "broker/upgrade/upgrade.h"
#include "broker/vhost/vhost.h"
#include "loop/pool.h"
#include "store/store.h"

struct part {
	struct broker *broker;
	unsigned index;
};

static void init_part(void *arg)
{
	const struct part *part = arg;

	broker_loop_init(&part->broker->loops[part->index],
			 store_log_of(part->broker->store, part->index));
	part->broker->loops[part->index].router = router_create();
}

static void fini_part(void *arg)
{
	const struct part *part = arg;

	broker_loop_fini(&part->broker->loops[part->index]);
	router_destroy(part->broker->loops[part->index].router);
}

static void for_each_part(struct broker *broker, void (*visit)(void *arg))
{
	for (unsigned i = 0; i < broker->n_loops; i++) {
		struct part part = {.broker = broker, .index = i};

		loop_pool_visit(i, visit, &part);
	}
}

struct broker *broker_create(unsigned n_loops, struct store *store, const char *default_vhost)
{
	struct broker *broker = mem_zalloc(sizeof(*broker));

	list_init(&broker->vhost_changes);
	broker->store = store;
	broker->n_loops = n_loops;
	broker->queue_memory_max = QUEUE_MEMORY_MAX;
	broker->queue_transient_max = QUEUE_TRANSIENT_MAX;
	atomic_init(&broker->next_transient_id, STORE_TRANSIENT_ID);
	broker->topology = topology_create(n_loops, default_vhost);
	broker->reaper = reaper_create(broker->topology);
	broker->alarms = alarms_create(n_loops, 0);
	broker->loops = mem_zalloc_aligned(CACHE_LINE_SIZE, n_loops * sizeof(*broker->loops));
	for_each_part(broker, init_part);
	return broker;
}

void broker_commit(struct broker *broker, struct store_commit *commit)
{
	broker_loop_self(broker)->n_commits++;
	store_commit(broker->store, commit);
}

void broker_committed(struct broker *broker)
{
	bug_on(broker_loop_self(broker)->n_commits == 0);
	broker_loop_self(broker)->n_commits--;
}

static void turn(void *arg)
{
	(void)arg;
	loop_run_once(true);
}

/* One may be followed by another, on another loop too. */
static void finish_commits(struct broker *broker)
{
	loop_pool_drain();
	for (unsigned i = 0; i < broker->n_loops;) {
		if (broker->loops[i].n_commits == 0) {
			i++;
			continue;
		}
		loop_pool_visit(i, turn, NULL);
		loop_pool_drain();
		i = 0;
	}
}

void broker_destroy(struct broker *broker)
{
	if (!broker)
		return;
	finish_commits(broker);
	vhosts_end(broker);
	upgrades_end(broker->topology);
	reaper_destroy(broker->reaper);
	for_each_part(broker, fini_part);
	alarms_destroy(broker->alarms);
	topology_destroy(broker->topology);
	mem_free(broker->loops);
	mem_free(broker);
}
