/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/topology/definition.h"
#include "broker/topology/exchange.h"
#include "broker/topology/write.h"
#include "broker/vhost/state.h"
#include "loop/loop.h"

/*
 * Adding: the vhost is made with its exchanges, which are pending, as a client's new ones are: so
 * an upgrade of their type meets them. The definition goes to the store; then it becomes visible,
 * or all is taken out again.
 */

static struct topology *topology_of(const struct vhost_work *work)
{
	return work->change->broker->topology;
}

static struct vhost_home *find_home(const struct broker *broker, struct slice name)
{
	struct map_node *node = map_find(&broker->topology->vhost_homes, name);

	return node ? container_of(node, struct vhost_home, node) : NULL;
}

static void begin(struct vhost_work *work);

/* ---- Its end ---- */

/* The first of them may be the next change, for which the others wait again. */
static void wake(struct list *waiting)
{
	struct list woken, *link;

	list_init(&woken);
	list_splice_tail(&woken, waiting);
	while ((link = list_pop(&woken)) != NULL)
		begin(container_of(link, struct vhost_work, waiting));
}

static void tell(struct loop_task *task)
{
	struct vhost_work *work = container_of(task, struct vhost_work, finish);
	struct vhost_change *change = work->change;

	list_remove(&work->active);
	mem_free(work->texts);
	mem_free(work);
	change->work = NULL;
	change->done(change);
}

void vhost_finish(struct vhost_work *work, int result, const char *reason)
{
	struct vhost_change *change = work->change;

	change->result = result;
	(void)snprintf(change->reason, sizeof(change->reason), "%s", reason);
	loop_defer(&work->finish);
}

/* ---- The store ---- */

static void commit_done(struct store_commit *commit, enum store_result result, uint64_t revision)
{
	struct vhost_work *work = container_of(commit, struct vhost_work, commit);

	(void)revision;
	broker_committed(work->change->broker);
	if (result != STORE_DURABLE)
		log_error("broker", "the store did not take a change of a vhost: result=%d",
			  (int)result);
	work->committed(work, result == STORE_DURABLE);
}

void vhost_commit(struct vhost_work *work, const struct definition *definition, bool is_deletion,
		  void (*committed)(struct vhost_work *work, bool is_stored))
{
	struct buffer key, value;

	buffer_init(&key);
	buffer_init(&value);
	definition_put_key(&key, definition);
	definition_put_value(&value, definition);

	bool is_complete = !key.failed && !value.failed;
	struct store_change change = {
		.key = buffer_slice(&key),
		.value = is_deletion ? SLICE_EMPTY : buffer_slice(&value),
		.expected_revision = STORE_ANY_REVISION,
	};

	work->committed = committed;
	if (is_complete) {
		work->commit = (struct store_commit){
			.changes = &change, .n_changes = 1, .done = commit_done};
		broker_commit(work->change->broker, &work->commit);
	}
	buffer_fini(&key);
	buffer_fini(&value);
	if (!is_complete)
		committed(work, false);
}

/* ---- Adding ---- */

static void make_visible(struct topology *topology, struct vhost *vhost)
{
	struct map_cursor cursor;
	struct map_node *node;

	topology_write_begin(topology);
	map_for_each(node, &vhost->exchanges, &cursor)
		container_of(node, struct exchange, node)->pending = false;
	map_insert(&topology->vhosts, &vhost->node, slice_cstr(vhost->name));
	topology_write_end(topology);
}

static void added(struct vhost_work *work, bool is_stored)
{
	struct vhost_home *home = work->vhost->home;
	struct list waiting;

	list_init(&waiting);
	list_splice_tail(&waiting, &home->waiting);
	if (is_stored) {
		home->state = VHOST_THERE;
		make_visible(topology_of(work), work->vhost);
		vhost_finish(work, 0, "");
	} else {
		vhost_unmake(topology_of(work), work->vhost);
		vhost_finish(work, -EIO, "the definition could not be stored");
	}
	wake(&waiting);
}

static bool is_good_name(struct slice name)
{
	return name.size > 0 && name.size <= VHOST_NAME_MAX && !memchr(name.data, '\0', name.size);
}

static bool are_good_settings(const struct vhost_settings *settings)
{
	return settings->description.size <= VHOST_TEXT_MAX &&
	       settings->tags.size <= VHOST_TEXT_MAX &&
	       settings->default_queue_type.size <= VHOST_TEXT_MAX;
}

static void add(struct vhost_work *work)
{
	struct vhost_change *change = work->change;
	struct amqp_error error;

	work->vhost = vhost_make(topology_of(work), change->name, &change->settings);
	if (vhost_predeclare(topology_of(work), work->vhost, &error) != 0) {
		vhost_unmake(topology_of(work), work->vhost);
		vhost_finish(work, -EINVAL, error.text);
		return;
	}

	struct definition definition =
		definition_of_vhost(change->name, &work->vhost->home->settings);

	vhost_commit(work, &definition, false, added);
}

/* ---- Settings ---- */

static void is_set(struct vhost_work *work, bool is_stored)
{
	struct vhost_home *home = work->vhost->home;

	home->state = VHOST_THERE;
	if (is_stored) {
		topology_write_begin(topology_of(work));
		vhost_take_settings(work->vhost, &work->settings, work->texts);
		topology_write_end(topology_of(work));
		work->texts = NULL;
	}
	vhost_finish(work, is_stored ? 0 : -EIO,
		     is_stored ? "" : "the definition could not be stored");
	wake(&home->waiting);
}

/* What it has now where the change keeps it. */
static struct vhost_settings merge(const struct vhost_change *change,
				   const struct vhost_settings *now)
{
	struct vhost_settings merged = change->settings;

	if (change->keep & VHOST_KEEP_DESCRIPTION)
		merged.description = now->description;
	if (change->keep & VHOST_KEEP_TAGS)
		merged.tags = now->tags;
	if (change->keep & VHOST_KEEP_DEFAULT_QUEUE_TYPE)
		merged.default_queue_type = now->default_queue_type;
	if (change->keep & VHOST_KEEP_LIMITS) {
		merged.max_connections = now->max_connections;
		merged.max_queues = now->max_queues;
	}
	return merged;
}

static void set(struct vhost_work *work)
{
	struct vhost_change *change = work->change;
	struct vhost_settings merged = merge(change, &work->vhost->home->settings);

	work->settings = vhost_copy_settings(&merged, &work->texts);
	work->vhost->home->state = VHOST_CHANGING;

	struct definition definition = definition_of_vhost(change->name, &work->settings);

	vhost_commit(work, &definition, false, is_set);
}

/* ---- From outside ---- */

static void refuse(struct vhost_work *work, int result, const char *why)
{
	char reason[sizeof(work->change->reason)];

	(void)snprintf(reason, sizeof(reason), "vhost '" SLICE_FMT "' %s",
		       SLICE_ARG(work->change->name), why);
	vhost_finish(work, result, reason);
}

static void begin_on(struct vhost_work *work, struct vhost_home *home)
{
	bool is_going = home && (home->state == VHOST_GOING || home->state == VHOST_STUCK);

	switch (work->change->operation) {
	case VHOST_ADD:
		if (is_going)
			refuse(work, -EBUSY, "is being deleted");
		else if (home)
			refuse(work, -EEXIST, "already exists");
		else
			add(work);
		break;
	case VHOST_SET:
		if (home && !is_going)
			set(work);
		else
			refuse(work, -ENOENT, "not found");
		break;
	case VHOST_DELETE:
		if (home && home->state != VHOST_GOING)
			vhost_delete(work);
		else
			refuse(work, -ENOENT, "not found");
		break;
	}
}

/* From the beginning each time: when it is submitted, and when what it waited for is over. */
static void begin(struct vhost_work *work)
{
	struct vhost_home *home = find_home(work->change->broker, work->change->name);

	work->vhost = home ? home->vhost : NULL;
	if (home && (home->state == VHOST_ADDING || home->state == VHOST_CHANGING))
		list_add_tail(&home->waiting, &work->waiting);
	else
		begin_on(work, home);
}

void vhost_submit(struct vhost_change *change)
{
	struct vhost_work *work = mem_zalloc(sizeof(*work));

	OWN(0);
	change->work = work;
	change->result = 0;
	change->reason[0] = '\0';
	work->change = change;
	list_init(&work->waiting);
	loop_task_init(&work->finish, tell);
	list_add_tail(&change->broker->vhost_changes, &work->active);
	if (!is_good_name(change->name) && change->operation == VHOST_ADD)
		vhost_finish(work, -EINVAL, "a vhost's name has 1 to 255 bytes, and no NUL");
	else if (!are_good_settings(&change->settings) && change->operation != VHOST_DELETE)
		vhost_finish(work, -EINVAL, "a text of the vhost is too long");
	else
		begin(work);
}

void vhosts_end(struct broker *broker)
{
	struct list *link;

	while ((link = list_first(&broker->vhost_changes)) != NULL) {
		struct vhost_work *work = container_of(link, struct vhost_work, active);

		list_remove(&work->waiting);
		vhost_delete_abandon(work);
		if (!loop_task_is_armed(&work->finish))
			vhost_finish(work, -EIO, "the broker ends");
		loop_cancel(&work->finish);
		tell(&work->finish);
	}
}

/* ---- Looking ---- */

static bool is_there(const struct vhost_home *home)
{
	return home->state == VHOST_THERE || home->state == VHOST_CHANGING;
}

uint64_t vhost_list(struct broker *broker, uint64_t after, unsigned limit,
		    void (*visit)(void *context, struct slice name,
				  const struct vhost_settings *settings),
		    void *context)
{
	struct list *pos;

	OWN(0);
	list_for_each(pos, &broker->topology->vhosts_in_order) {
		const struct vhost_home *home = container_of(pos, struct vhost_home, in_order);

		if (home->number <= after || !is_there(home))
			continue;
		if (limit-- == 0)
			return after;
		visit(context, home->node.key, &home->settings);
		after = home->number;
	}
	return 0;
}

bool vhost_settings_of(struct broker *broker, struct slice name,
		       struct vhost_settings *ret_settings)
{
	const struct vhost_home *home = find_home(broker, name);

	OWN(0);
	if (!home || !is_there(home))
		return false;
	*ret_settings = home->settings;
	return true;
}
