/* SPDX-License-Identifier: MIT */
#include "broker/upgrade/upgrade.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/mem.h"
#include "broker/topology/exchange.h"
#include "broker/topology/exchange_type.h"
#include "broker/change/reaper.h"
#include "broker/topology/write.h"
#include "broker/upgrade/trial.h"
#include "broker/upgrade/state.h"
#include "loop/loop.h"

/*
 * The happy path: the exchanges of each old type are looked through (new ones come to the end of
 * the list). For each a new instance is made, outside of the lock, and told of the bindings in
 * slices of the read side, where no binding comes or goes. When all have been met, a slice of the
 * write side finds that nothing has come meanwhile, registers the new types in the place of the old
 * ones, and swaps exchanges until its time is up; further slices swap the rest. A client that binds
 * to one that is not swapped yet swaps it. A declare that had found the old type finds that it is
 * not registered any more, and begins again.
 *
 * Failures: before the new types are registered, anything is undone by taking the shadows away, in
 * slices. Afterwards nothing can fail.
 */

#define READ_SLICE_NS 80000u

static struct topology *topology_of(const struct upgrade *upgrade)
{
	return upgrade->broker->topology;
}

void upgrade_fail(struct upgrade *upgrade, const char *format, ...)
{
	va_list args;

	bug_on(upgrade->is_committed);
	if (upgrade->has_failed)
		return;
	upgrade->has_failed = true;
	va_start(args, format);
	(void)vsnprintf(upgrade->error, sizeof(upgrade->error), format, args);
	va_end(args);
}

static void again(struct upgrade *upgrade)
{
	loop_defer_background(&upgrade->task);
}

/* Inside a side: what is to be destroyed goes to *ret. */
static void gather_dead(struct upgrade *upgrade, struct list *ret)
{
	list_init(ret);
	list_splice_tail(ret, &upgrade->dead);
}

/* ---- Looking through exchanges ---- */

enum progress {
	MORE,
	FOUND, /* an exchange that needs a shadow */
	NONE,  /* all have one */
};

static struct list *exchanges_of(const struct upgrade *upgrade, const struct upgrade_scan *scan)
{
	return scan->part.old ? &scan->part.old->exchanges : &topology_of(upgrade)->typeless;
}

/* The first part that has exchanges which were not looked at. */
static struct upgrade_scan *unfinished(struct upgrade *upgrade)
{
	for (size_t i = 0; i < upgrade->n_scans; i++) {
		struct upgrade_scan *scan = &upgrade->scans[i];

		if (scan->part.new && scan->scanned->next != exchanges_of(upgrade, scan))
			return scan;
	}
	return NULL;
}

static enum progress look(struct upgrade *upgrade, struct upgrade_scan **ret_scan,
			  struct exchange **ret_exchange)
{
	struct upgrade_scan *scan = unfinished(upgrade);
	struct exchange *exchange;

	if (!scan)
		return NONE;
	scan->scanned = scan->scanned->next;
	exchange = container_of(scan->scanned, struct exchange, of_type);
	if (!scan->part.old && strcmp(exchange->type_name, scan->part.new->functions->name) != 0)
		return MORE;
	atomic_fetch_add(&exchange->refs, 1);
	*ret_scan = scan;
	*ret_exchange = exchange;
	return FOUND;
}

void upgrades_pass_exchange(struct topology *topology, struct exchange *exchange)
{
	struct list *pos;

	list_for_each(pos, &topology->upgrades) {
		struct upgrade *upgrade = container_of(pos, struct upgrade, link);

		for (size_t i = 0; i < upgrade->n_scans; i++) {
			if (upgrade->scans[i].scanned == &exchange->of_type)
				upgrade->scans[i].scanned = exchange->of_type.prev;
		}
	}
}

void upgrades_forget_exchange(struct topology *topology, struct exchange *exchange)
{
	upgrades_pass_exchange(topology, exchange);
	if (!exchange->shadow)
		return;
	shadow_take_away(exchange->shadow);
	topology->must_nudge = true;
}

/* ---- Building ---- */

/* Outside of the lock: takes as long as it takes. */
static void make_shadow(struct upgrade *upgrade, const struct upgrade_part *part,
			struct exchange *exchange)
{
	struct shadow *shadow = mem_zalloc(sizeof(*shadow));
	struct amqp_error error;

	list_init(&shadow->link);
	shadow->upgrade = upgrade;
	shadow->exchange = exchange;
	shadow->old = part->old;
	if (exchange_make_instance(exchange, part->new, &shadow->instance, &error) == 0) {
		upgrade->building = shadow;
		return;
	}
	topology_read_begin(topology_of(upgrade));
	upgrade_fail(upgrade, "exchange '" SLICE_FMT "' in vhost '%s': %s",
		     SLICE_ARG(exchange->node.key), exchange->vhost->name, error.text);
	topology_read_end(topology_of(upgrade));
	exchange_unref(exchange);
	mem_free(shadow);
}

static void became_ready(struct upgrade *upgrade)
{
	upgrade->phase = upgrade->wants_swap ? UPGRADE_SWAP : UPGRADE_WAIT;
	if (upgrade->wants_swap) {
		again(upgrade);
	} else if (!upgrade->was_told_ready) {
		upgrade->was_told_ready = true;
		upgrade->tell(upgrade->context, UPGRADE_READY, NULL);
	}
}

static void build(struct upgrade *upgrade)
{
	struct topology *topology = topology_of(upgrade);
	uint64_t end_ns = clock_monotonic_ns() + READ_SLICE_NS;
	struct upgrade_scan *scan = NULL;
	struct exchange *exchange = NULL;
	enum progress progress = MORE;
	struct list dead;

	topology_read_begin(topology);
	do {
		if (!upgrade->building)
			progress = look(upgrade, &scan, &exchange);
		else if (!shadow_build(upgrade->building))
			upgrade->building = NULL;
	} while (progress == MORE && !upgrade->has_failed && clock_monotonic_ns() < end_ns);
	bool has_failed = upgrade->has_failed;
	gather_dead(upgrade, &dead);
	topology_read_end(topology);

	reaper_take(upgrade->broker->reaper, &dead);
	if (progress == FOUND)
		make_shadow(upgrade, &scan->part, exchange);
	if (has_failed)
		upgrade->phase = UPGRADE_DROP;
	if (progress == NONE && !has_failed)
		became_ready(upgrade);
	else
		again(upgrade);
}

/* ---- Swapping ---- */

/* In the write side. False: it cannot be; has_failed, or there is more to build. */
static bool may_commit(struct upgrade *upgrade)
{
	struct topology *topology = topology_of(upgrade);

	for (size_t i = 0; i < upgrade->n_scans; i++) {
		const struct upgrade_part *part = &upgrade->scans[i].part;
		const struct list *first = part->old ? list_first(&part->old->exchanges) : NULL;

		if (!part->new &&first) {
			const struct exchange *exchange =
				container_of(first, const struct exchange, of_type);

			upgrade_fail(upgrade,
				     "exchange '" SLICE_FMT "' in vhost '%s' is of its type '%s'",
				     SLICE_ARG(exchange->node.key), exchange->vhost->name,
				     exchange->type_name);
		} else if (!part->old) {
			const char *name = part->new->functions->name;
			const struct exchange_type *other =
				exchange_type_find(topology, slice_cstr(name));

			if (other)
				upgrade_fail(upgrade,
					     "exchange type '%s' is there already, by plugin '%s'",
					     name, other->plugin_name);
		}
	}
	return !upgrade->has_failed && !upgrade->building && !unfinished(upgrade);
}

static void commit(struct upgrade *upgrade)
{
	upgrade->is_committed = true;
	for (size_t i = 0; i < upgrade->n_scans; i++) {
		const struct upgrade_part *part = &upgrade->scans[i].part;

		if (part->old) {
			list_remove(&part->old->link);
			part->old->is_current = false;
		}
		if (part->new) {
			list_add_tail(&topology_of(upgrade)->types, &part->new->link);
			part->new->is_current = true;
		}
	}
}

/* True: all are swapped, or taken away. */
static bool change_some(struct upgrade *upgrade)
{
	uint64_t end_us = clock_monotonic_us() + TOPOLOGY_SLICE_US;
	struct list *link;

	while ((link = list_first(&upgrade->shadows)) != NULL) {
		struct shadow *shadow = container_of(link, struct shadow, link);

		if (upgrade->is_committed)
			shadow_swap(topology_of(upgrade), shadow);
		else
			shadow_take_away(shadow);
		if (clock_monotonic_us() >= end_us)
			break;
	}
	if (!list_is_empty(&upgrade->shadows))
		return false;
	list_remove(&upgrade->link);
	return true;
}

static void end(struct upgrade *upgrade, enum upgrade_event event)
{
	loop_cancel(&upgrade->task);
	upgrade->tell(upgrade->context, event, upgrade->has_failed ? upgrade->error : NULL);
	if (upgrade->trial)
		atomic_fetch_sub(&topology_of(upgrade)->n_trials, 1);
	trial_free(upgrade->trial);
	mem_free(upgrade);
}

static void swap(struct upgrade *upgrade)
{
	struct topology *topology = topology_of(upgrade);
	bool is_over = false;
	struct list dead;

	topology_write_begin(topology);
	if (!upgrade->is_committed && may_commit(upgrade))
		commit(upgrade);
	if (upgrade->is_committed)
		is_over = change_some(upgrade);
	else
		upgrade->phase = upgrade->has_failed ? UPGRADE_DROP : UPGRADE_BUILD;
	gather_dead(upgrade, &dead);
	topology_write_end(topology);

	reaper_take(upgrade->broker->reaper, &dead);
	if (is_over)
		end(upgrade, UPGRADE_SWAPPED);
	else
		again(upgrade);
}

/* ---- Dropping ---- */

/* Write side, or the read side on loop 0. */
static void drop_unattached(struct upgrade *upgrade)
{
	struct shadow *shadow = upgrade->building;

	if (!shadow || shadow->is_attached)
		return;
	upgrade->building = NULL;
	shadow->exchange->n_dying++;
	list_add_tail(&upgrade->dead, &shadow->link);
}

static void drop(struct upgrade *upgrade)
{
	struct topology *topology = topology_of(upgrade);
	struct list dead;

	topology_write_begin(topology);
	drop_unattached(upgrade);
	bool is_over = change_some(upgrade);
	gather_dead(upgrade, &dead);
	topology_write_end(topology);

	reaper_take(upgrade->broker->reaper, &dead);
	if (is_over)
		end(upgrade, upgrade->has_failed ? UPGRADE_FAILED : UPGRADE_DROPPED);
	else
		again(upgrade);
}

/* ---- From outside ---- */

static void run(struct loop_task *task)
{
	struct upgrade *upgrade = container_of(task, struct upgrade, task);

	switch (upgrade->phase) {
	case UPGRADE_BUILD:
		build(upgrade);
		break;
	case UPGRADE_WAIT:
		break;
	case UPGRADE_SWAP:
		swap(upgrade);
		break;
	case UPGRADE_DROP:
		drop(upgrade);
		break;
	}
}

struct upgrade *upgrade_create(struct broker *broker, const struct upgrade_part *parts,
			       size_t n_parts, unsigned percent, upgrade_tell_fn tell,
			       void *context)
{
	struct upgrade *upgrade =
		mem_zalloc(sizeof(*upgrade) + n_parts * sizeof(upgrade->scans[0]));

	OWN(0);
	upgrade->broker = broker;
	upgrade->phase = UPGRADE_BUILD;
	upgrade->tell = tell;
	upgrade->context = context;
	upgrade->trial = percent > 0 ? trial_create(percent) : NULL;
	upgrade->n_scans = n_parts;
	list_init(&upgrade->shadows);
	list_init(&upgrade->dead);
	loop_task_init(&upgrade->task, run);
	topology_write_begin(broker->topology);
	for (size_t i = 0; i < n_parts; i++) {
		upgrade->scans[i].part = parts[i];
		upgrade->scans[i].scanned = exchanges_of(upgrade, &upgrade->scans[i]);
	}
	list_add_tail(&broker->topology->upgrades, &upgrade->link);
	topology_write_end(broker->topology);
	if (upgrade->trial)
		atomic_fetch_add(&broker->topology->n_trials, 1);
	again(upgrade);
	return upgrade;
}

void upgrade_swap(struct upgrade *upgrade)
{
	bug_on(upgrade->phase == UPGRADE_SWAP);
	upgrade->wants_swap = true;
	if (upgrade->phase == UPGRADE_WAIT)
		upgrade->phase = UPGRADE_SWAP;
	again(upgrade);
}

void upgrade_drop(struct upgrade *upgrade)
{
	bug_on(upgrade->wants_swap);
	upgrade->phase = UPGRADE_DROP;
	again(upgrade);
}

size_t upgrade_shadow_count(const struct upgrade *upgrade)
{
	return upgrade->n_shadows;
}

struct trial *upgrade_trial(const struct upgrade *upgrade)
{
	return upgrade->trial;
}

/* ---- Nudges ---- */

struct nudge {
	struct letter letter;
	struct topology *topology;
};

/* The list changes on this loop only. Whoever waits looks whether there is something to build. */
static void nudged(struct letter *letter)
{
	struct nudge *nudge = container_of(letter, struct nudge, letter);
	struct list *pos;

	list_for_each(pos, &nudge->topology->upgrades) {
		struct upgrade *upgrade = container_of(pos, struct upgrade, link);

		if (upgrade->phase == UPGRADE_WAIT)
			upgrade->phase = UPGRADE_BUILD;
		again(upgrade);
	}
	mem_free(nudge);
}

void upgrades_nudge(struct topology *topology)
{
	struct nudge *nudge = mem_zalloc(sizeof(*nudge));

	nudge->letter.deliver = nudged;
	nudge->topology = topology;
	loop_post(0, &nudge->letter);
}

void upgrades_end(struct topology *topology)
{
	struct list *link;

	while ((link = list_first(&topology->upgrades)) != NULL) {
		struct upgrade *upgrade = container_of(link, struct upgrade, link);

		loop_cancel(&upgrade->task);
		do
			drop(upgrade);
		while (list_first(&topology->upgrades) == link);
	}
}
