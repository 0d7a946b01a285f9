/* SPDX-License-Identifier: MIT */
#include "broker/change/removal.h"

#include "base/bug.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/topology/binding.h"
#include "broker/topology/definition.h"
#include "broker/topology/exchange.h"
#include "broker/queue/queue.h"
#include "broker/topology/write.h"
#include "loop/loop.h"

/*
 * The happy path of a small removal without anything durable: removal_begin() dooms and takes out
 * all in the one write side of the caller, removal_continue() frees and calls done().
 *
 * No pointer is kept into a list between slices, as others may change the lists meanwhile: dooming
 * a binding takes it out of the lists of its ends, so "the first that is left" is where the work
 * goes on. A doomed binding, however, is in the removal's own list, and so are doomed exchanges:
 * nobody else changes those.
 */

#define STEPS_PER_LOOK 8

static void slice_init(struct removal_slice *slice)
{
	*slice = (struct removal_slice){.end_us = clock_monotonic_us() + TOPOLOGY_SLICE_US};
	list_init(&slice->woken);
	list_init(&slice->bindings);
	list_init(&slice->exchanges);
}

/* Is there time for one step more? */
static bool may_go_on(struct removal *removal)
{
	return ++removal->slice.n_steps % STEPS_PER_LOOK != 0 ||
	       clock_monotonic_us() < removal->slice.end_us;
}

static void next_slice_arrived(struct letter *letter);
static void run_again(struct removal *removal);
static void commit_done(struct store_commit *commit, enum store_result result, uint64_t revision);

struct removal *removal_create(struct broker *broker, void (*done)(struct removal *removal),
			       void *context)
{
	struct removal *removal = mem_zalloc(sizeof(*removal));

	removal->broker = broker;
	removal->done = done;
	removal->context = context;
	list_init(&removal->exchanges);
	removal->scanned = &removal->exchanges;
	list_init(&removal->bindings);
	buffer_init(&removal->changes.keys);
	removal->changes.exchange = &removal->exchanges;
	removal->changes.binding = &removal->bindings;
	removal->next_slice.deliver = next_slice_arrived;
	removal->commit.done = commit_done;
	return removal;
}

/* ---- Dooming ---- */

void removal_add_queue(struct removal *removal, struct queue_entry *entry)
{
	bug_on(entry->pending || entry->doomed);
	entry->doomed = true;
	entry->removal = removal;
	removal->entry = entry;
	removal->durable |= entry->durable;
}

void removal_add_exchange(struct removal *removal, struct exchange *exchange)
{
	bug_on(exchange->pending || exchange->doomed);
	exchange->doomed = true;
	list_add_tail(&removal->exchanges, &exchange->removed);
	removal->durable |= exchange->durable;
}

void removal_add_binding(struct removal *removal, struct binding *binding)
{
	struct exchange *source = binding->source;

	binding_unlink(binding);
	if (!binding->pending) {
		list_add_tail(&removal->bindings, &binding->to_destination);
		removal->durable |= binding->durable;
	}
	if (source->auto_delete && source->n_outgoing == 0 && !source->doomed)
		removal_add_exchange(removal, source);
}

/* Both return false when the slice is over. */
static bool doom_incoming(struct removal *removal, struct list *incoming)
{
	struct list *link;

	while ((link = list_first(incoming)) != NULL) {
		if (!may_go_on(removal))
			return false;
		removal_add_binding(removal, container_of(link, struct binding, to_destination));
	}
	return true;
}

static bool doom_outgoing(struct removal *removal, struct list *outgoing)
{
	struct list *link;

	while ((link = list_first(outgoing)) != NULL) {
		if (!may_go_on(removal))
			return false;
		removal_add_binding(removal, container_of(link, struct binding, from_source));
	}
	return true;
}

static bool doom(struct removal *removal)
{
	if (removal->entry && !doom_incoming(removal, &removal->entry->incoming))
		return false;
	while (removal->scanned->next != &removal->exchanges) {
		struct exchange *exchange =
			container_of(removal->scanned->next, struct exchange, removed);

		if (!doom_incoming(removal, &exchange->incoming) ||
		    !doom_outgoing(removal, &exchange->outgoing))
			return false;
		removal->scanned = removal->scanned->next;
	}
	return true;
}

/* ---- Taking out ---- */

static void take_out_entry(struct removal *removal)
{
	struct queue_entry *entry = removal->entry;

	if (!entry || removal->entry_is_out)
		return;
	removal->entry_is_out = true;
	queue_entry_remove(removal->broker->topology, entry);
	turns_pass(&entry->turns, &removal->slice.woken);
	removal->slice.queue_ends = true;
}

static void take_out_binding(struct removal *removal, struct binding *binding)
{
	binding_detach(removal->broker->topology, binding);
	turns_pass(&binding->source->turns, &removal->slice.woken);
	list_add_tail(&removal->slice.bindings, &binding->to_destination);
}

static bool take_out(struct removal *removal)
{
	struct list *link;

	while ((link = list_first(&removal->bindings)) != NULL) {
		if (!may_go_on(removal))
			return false;
		list_remove(link);
		take_out_binding(removal, container_of(link, struct binding, to_destination));
	}
	while ((link = list_first(&removal->exchanges)) != NULL) {
		struct exchange *exchange = container_of(link, struct exchange, removed);

		if (!may_go_on(removal))
			return false;
		list_remove(link);
		exchange_remove(removal->broker->topology, exchange);
		turns_pass(&exchange->turns, &removal->slice.woken);
		list_add_tail(&removal->slice.exchanges, link);
	}
	take_out_entry(removal);
	return true;
}

/* ---- Bringing back, when the store failed ---- */

static bool is_alive(const struct binding *binding)
{
	return !binding->source->doomed &&
	       (binding->queue ? !binding->queue->doomed : !binding->exchange->doomed);
}

static bool revive(struct removal *removal)
{
	struct list *link;

	if (removal->entry && !removal->entry_is_out && removal->entry->doomed) {
		removal->entry->doomed = false;
		removal->entry->removal = NULL;
		turns_pass(&removal->entry->turns, &removal->slice.woken);
	}
	while ((link = list_pop(&removal->exchanges)) != NULL) {
		struct exchange *exchange = container_of(link, struct exchange, removed);

		exchange->doomed = false;
		turns_pass(&exchange->turns, &removal->slice.woken);
	}
	while ((link = list_first(&removal->bindings)) != NULL) {
		struct binding *binding = container_of(link, struct binding, to_destination);

		if (!may_go_on(removal))
			return false;
		list_remove(link);
		turns_pass(&binding->source->turns, &removal->slice.woken);
		/* An end may have been removed by another meanwhile; or there is no memory to tell
		 * an instance of it that came meanwhile. */
		if (!is_alive(binding) ||
		    binding_relink(removal->broker->topology, binding) != 0)
			take_out_binding(removal, binding);
	}
	return true;
}

/* ---- Outside of the write side ---- */

static void drop_entry(void *object)
{
	queue_entry_unref(object);
}

/* The entry outlives the queue, whose memory is retired: what is retired first is destroyed first.
 */
static void end_queue(struct removal *removal)
{
	struct queue_entry *entry = removal->entry;
	struct queue *queue = slots_get(entry->queue);

	bug_on(!queue);
	removal->entry = NULL;
	removal->n_messages = queue_destroy(queue);
	loop_retire(entry, drop_entry);
}

static void after_slice(struct removal *removal)
{
	struct list *link;

	turns_wake(&removal->slice.woken);
	while ((link = list_pop(&removal->slice.bindings)) != NULL)
		binding_release(container_of(link, struct binding, to_destination));
	while ((link = list_pop(&removal->slice.exchanges)) != NULL)
		exchange_unref(container_of(link, struct exchange, removed));
	if (removal->slice.queue_ends)
		end_queue(removal);
}

/* ---- The phases ---- */

/* As much as fits in this slice of the write side. */
static void run_slice(struct removal *removal)
{
	if (removal->phase == REMOVAL_DOOM && doom(removal)) {
		/* What is not durable goes at once: an exclusive queue does not outlive its
		 * connection for the store's sake. */
		if (removal->entry && !removal->entry->durable)
			take_out_entry(removal);
		removal->phase = removal->durable ? REMOVAL_GATHER : REMOVAL_FREE;
	}
	if ((removal->phase == REMOVAL_FREE && take_out(removal)) ||
	    (removal->phase == REMOVAL_REVIVE && revive(removal)))
		removal->phase = REMOVAL_END;
}

static void post_next_slice(struct removal *removal)
{
	if (removal->is_posted)
		return;
	removal->is_posted = true;
	loop_post(loop_index(loop_self()), &removal->next_slice);
}

/* ---- What goes to the store ---- */

static bool make_room(struct removal_changes *changes)
{
	size_t wanted = changes->capacity > 0 ? 2 * changes->capacity : 16;
	struct store_change *items;

	if (changes->count < changes->capacity)
		return true;
	items = mem_try_realloc(changes->items, wanted * sizeof(*items));
	if (!items)
		return false;
	changes->items = items;
	changes->capacity = wanted;
	return true;
}

static void add_change(struct removal_changes *changes, const struct definition *definition)
{
	size_t before = changes->keys.size;

	if (!make_room(changes)) {
		changes->has_failed = true;
		return;
	}
	definition_put_key(&changes->keys, definition);
	changes->has_failed |= changes->keys.failed;
	changes->items[changes->count++] = (struct store_change){
		.key.size = changes->keys.size - before,
		.expected_revision = STORE_ANY_REVISION,
	};
}

static void gather_entry(struct removal *removal)
{
	removal->changes.has_entry = true;
	if (removal->entry && removal->entry->durable) {
		struct definition definition = definition_of_queue(removal->entry);

		add_change(&removal->changes, &definition);
	}
}

static void gather_exchange(struct removal_changes *changes)
{
	changes->exchange = changes->exchange->next;

	const struct exchange *exchange = container_of(changes->exchange, struct exchange, removed);

	if (exchange->durable) {
		struct definition definition = definition_of_exchange(exchange);

		add_change(changes, &definition);
	}
}

static void gather_binding(struct removal_changes *changes)
{
	changes->binding = changes->binding->next;

	const struct binding *binding =
		container_of(changes->binding, struct binding, to_destination);

	if (binding->durable) {
		struct definition definition = definition_of_binding(binding);

		add_change(changes, &definition);
	}
}

/* False: there is no more, or no memory for it. */
static bool gather_next(struct removal *removal)
{
	struct removal_changes *changes = &removal->changes;

	if (changes->has_failed)
		return false;
	if (!changes->has_entry)
		gather_entry(removal);
	else if (changes->exchange->next != &removal->exchanges)
		gather_exchange(changes);
	else if (changes->binding->next != &removal->bindings)
		gather_binding(changes);
	else
		return false;
	return true;
}

/* The keys have stopped moving: lets each change have its own. */
static void point_at_keys(struct removal_changes *changes)
{
	size_t at = 0;

	for (size_t i = 0; i < changes->count; i++) {
		changes->items[i].key.data = changes->keys.data + at;
		at += changes->items[i].key.size;
	}
}

/* Not in the turn in which they were copied: of 100 000 they take a millisecond to give back. */
static void changes_fini(struct removal_changes *changes)
{
	mem_free(changes->items);
	changes->items = NULL;
	buffer_fini(&changes->keys);
}

static void commit(struct removal *removal)
{
	struct removal_changes *changes = &removal->changes;

	if (changes->has_failed) {
		amqp_error_set(&removal->error, AMQP_RESOURCE_ERROR, "out of memory");
		changes_fini(changes);
		removal->phase = REMOVAL_REVIVE;
		post_next_slice(removal);
	} else {
		point_at_keys(changes);
		removal->phase = REMOVAL_COMMIT;
		removal->commit.changes = changes->items;
		removal->commit.n_changes = changes->count;
		broker_commit(removal->broker, &removal->commit);
	}
}

/* As much as fits in a slice; when all is there, it goes to the store. */
static void gather(struct removal *removal)
{
	uint64_t end_us = clock_monotonic_us() + TOPOLOGY_SLICE_US;

	for (unsigned n = 1; gather_next(removal); n++) {
		if (n % STEPS_PER_LOOK == 0 && clock_monotonic_us() > end_us &&
		    !loop_pool_is_stopping()) {
			post_next_slice(removal);
			return;
		}
	}
	commit(removal);
}

static void commit_done(struct store_commit *store_commit, enum store_result result,
			uint64_t revision)
{
	struct removal *removal = container_of(store_commit, struct removal, commit);

	(void)revision;
	changes_fini(&removal->changes);
	broker_committed(removal->broker);
	removal->phase = REMOVAL_FREE;
	if (result != STORE_DURABLE) {
		log_error("broker", "the store did not take a deletion, which is undone: result=%d",
			  (int)result);
		amqp_error_set(&removal->error, AMQP_INTERNAL_ERROR,
			       "the deletion could not be stored");
		removal->phase = REMOVAL_REVIVE;
	}
	run_again(removal);
}

static void end(struct removal *removal)
{
	void (*done)(struct removal * removal) = removal->done;

	removal->phase = REMOVAL_OVER;
	if (done)
		done(removal);
	if (!removal->is_posted)
		mem_free(removal);
}

/* What follows a slice. */
static void proceed(struct removal *removal)
{
	if (removal->phase == REMOVAL_GATHER)
		gather(removal);
	else if (removal->phase == REMOVAL_END)
		end(removal);
	else
		post_next_slice(removal);
}

void removal_begin(struct removal *removal)
{
	slice_init(&removal->slice);
	run_slice(removal);
}

static void run_one_slice(struct removal *removal)
{
	topology_write_begin(removal->broker->topology);
	removal_begin(removal);
	topology_write_end(removal->broker->topology);
	after_slice(removal);
}

static bool is_in_slices(const struct removal *removal)
{
	return removal->phase == REMOVAL_DOOM || removal->phase == REMOVAL_FREE ||
	       removal->phase == REMOVAL_REVIVE;
}

/* When the loops stop, there is nobody left to wait for, and not for long somebody to go on. */
static void run_again(struct removal *removal)
{
	do
		run_one_slice(removal);
	while (loop_pool_is_stopping() && is_in_slices(removal));
	proceed(removal);
}

/* Somebody may have hurried it meanwhile: then it is over, or waits for the store. */
static void next_slice_arrived(struct letter *letter)
{
	struct removal *removal = container_of(letter, struct removal, next_slice);

	removal->is_posted = false;
	if (removal->phase == REMOVAL_OVER)
		mem_free(removal);
	else if (removal->phase == REMOVAL_GATHER)
		gather(removal);
	else if (removal->phase != REMOVAL_COMMIT)
		run_again(removal);
}

void removal_continue(struct removal *removal)
{
	after_slice(removal);
	while (removal->is_urgent && !removal->entry_is_out)
		run_one_slice(removal);
	proceed(removal);
}

/* While its queue ends, it may be hurried again: then it is on its way already. */
void removal_hurry(struct removal *removal)
{
	if (removal->entry_is_out)
		return;
	bug_on(!removal->entry || removal->entry->durable);
	while (!removal->entry_is_out)
		run_one_slice(removal);
	proceed(removal);
}
