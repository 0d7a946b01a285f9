/* SPDX-License-Identifier: MIT */
#include "admin/parameters.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "loop/loop.h"
#include "store/fields.h"
#include "store/store.h"

/*
 * An array in the order of the store's keys. There are few of them, or they come in that order: at
 * the start from the store, and so an insertion moves little.
 */

#define NAME_MAX_SIZE 255u

enum kind { KIND_GLOBAL = 'g', KIND_OF_VHOST = 'r' };

/* Never given another meaning. */
enum field { FIELD_VHOST = 1, FIELD_NAME = 2, FIELD_COMPONENT = 3, FIELD_VALUE = 4 };

struct parameter {
	struct parameter_view view; /* its slices, and the key, lie behind the struct */
	struct slice key;
};

struct parameters {
	struct broker *broker;
	struct parameter **items;
	size_t n, capacity;
};

/* ---- Keys and values ---- */

static void put_key(struct buffer *buffer, const struct parameter_view *view)
{
	if (!view->vhost.data) {
		buffer_append_cstr(buffer, "global-parameter/");
	} else {
		buffer_append_cstr(buffer, "parameter/");
		fields_put_key_part(buffer, view->vhost);
		fields_put_key_part(buffer, view->component);
	}
	buffer_append_slice(buffer, view->name);
}

static void put_value(struct buffer *buffer, const struct parameter_view *view)
{
	fields_begin(buffer, view->vhost.data ? KIND_OF_VHOST : KIND_GLOBAL);
	if (view->vhost.data) {
		fields_put(buffer, FIELD_VHOST, view->vhost);
		fields_put(buffer, FIELD_COMPONENT, view->component);
	}
	fields_put(buffer, FIELD_NAME, view->name);
	fields_put(buffer, FIELD_VALUE, view->value);
}

static bool is_good(const struct parameter_view *view)
{
	return view->name.size > 0 && view->name.size <= NAME_MAX_SIZE &&
	       view->vhost.size <= NAME_MAX_SIZE && view->component.size <= NAME_MAX_SIZE &&
	       (!view->vhost.data || (view->vhost.size > 0 && view->component.size > 0));
}

static bool read_value(struct slice value, struct parameter_view *ret)
{
	struct fields_reader reader;

	*ret = (struct parameter_view){0};
	if (fields_open(&reader, value) != 0 ||
	    (reader.kind != KIND_GLOBAL && reader.kind != KIND_OF_VHOST))
		return false;
	while (fields_next(&reader)) {
		if (reader.field == FIELD_VHOST)
			ret->vhost = reader.bytes;
		else if (reader.field == FIELD_COMPONENT)
			ret->component = reader.bytes;
		else if (reader.field == FIELD_NAME)
			ret->name = reader.bytes;
		else if (reader.field == FIELD_VALUE)
			ret->value = reader.bytes;
	}
	return fields_are_good(&reader) && is_good(ret) && ret->value.size > 0;
}

/* ---- What is there ---- */

/* Where the key is, or would be. */
static size_t find(const struct parameters *parameters, struct slice key, bool *ret_is_there)
{
	size_t low = 0, high = parameters->n;

	*ret_is_there = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = slice_compare(parameters->items[middle]->key, key);

		if (order == 0)
			*ret_is_there = true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct slice copy(uint8_t **at, struct slice from)
{
	struct slice to = slice_make(*at, from.size);

	slice_copy(*at, from);
	*at += from.size;
	return to;
}

/* NULL when memory is out. */
static struct parameter *create(struct slice key, const struct parameter_view *view)
{
	struct parameter *parameter =
		mem_try_zalloc(sizeof(*parameter) + key.size + view->vhost.size +
			       view->component.size + view->name.size + view->value.size);
	uint8_t *at = (uint8_t *)(parameter + 1);

	if (!parameter)
		return NULL;
	parameter->key = copy(&at, key);
	if (view->vhost.data)
		parameter->view.vhost = copy(&at, view->vhost);
	parameter->view.component = copy(&at, view->component);
	parameter->view.name = copy(&at, view->name);
	parameter->view.value = copy(&at, view->value);
	return parameter;
}

static void insert(struct parameters *parameters, struct parameter *parameter)
{
	bool is_there;
	size_t at = find(parameters, parameter->key, &is_there);

	if (is_there) {
		mem_free(parameters->items[at]);
		parameters->items[at] = parameter;
		return;
	}
	if (parameters->n == parameters->capacity) {
		parameters->capacity = parameters->capacity > 0 ? parameters->capacity * 2 : 16;
		parameters->items = mem_realloc(parameters->items,
						parameters->capacity * sizeof(*parameters->items));
	}
	memmove(parameters->items + at + 1, parameters->items + at,
		(parameters->n - at) * sizeof(*parameters->items));
	parameters->items[at] = parameter;
	parameters->n++;
}

static void remove_key(struct parameters *parameters, struct slice key)
{
	bool is_there;
	size_t at = find(parameters, key, &is_there);

	if (!is_there)
		return;
	mem_free(parameters->items[at]);
	parameters->n--;
	memmove(parameters->items + at, parameters->items + at + 1,
		(parameters->n - at) * sizeof(*parameters->items));
}

bool parameters_find(const struct parameters *parameters, const struct parameter_view *like,
		     struct parameter_view *ret_parameter)
{
	struct buffer key;
	bool is_there;
	size_t at;

	OWN(0);
	buffer_init(&key);
	put_key(&key, like);
	at = find(parameters, buffer_slice(&key), &is_there);
	if (is_there)
		*ret_parameter = parameters->items[at]->view;
	buffer_fini(&key);
	return is_there;
}

static bool matches(struct slice wanted, struct slice is)
{
	return !wanted.data || (is.data && slice_equal(wanted, is));
}

void parameters_each(const struct parameters *parameters, struct slice vhost,
		     struct slice component,
		     void (*visit)(void *context, const struct parameter_view *parameter),
		     void *context)
{
	OWN(0);
	for (size_t i = 0; i < parameters->n; i++) {
		const struct parameter_view *view = &parameters->items[i]->view;

		if (matches(vhost, view->vhost) && matches(component, view->component))
			visit(context, view);
	}
}

size_t parameters_count(const struct parameters *parameters)
{
	return parameters->n;
}

/* ---- Changes ---- */

/* Where bytes lie in a buffer that may still grow. */
struct span {
	size_t at, size;
};

/* A change on its way: the keys, and what is to be there under them (made NULL: nothing). */
struct edit_work {
	struct store_commit commit;
	struct loop_task refused;
	struct parameters *parameters;
	struct parameters_edits *edits;
	struct buffer bytes; /* keys and values, one behind the other */
	size_t n;
	struct edit_item {
		struct span key, value;
		struct parameter *made;
	} items[];
};

static struct slice bytes_of(const struct edit_work *work, struct span span)
{
	return slice_make(work->bytes.data + span.at, span.size);
}

static void work_free(struct edit_work *work)
{
	for (size_t i = 0; i < work->n; i++)
		mem_free(work->items[i].made);
	buffer_fini(&work->bytes);
	mem_free(work);
}

static void finish(struct edit_work *work, int result)
{
	struct parameters_edits *edits = work->edits;

	edits->result = result;
	edits->work = NULL;
	work_free(work);
	edits->done(edits);
}

static void committed(struct store_commit *commit, enum store_result result, uint64_t revision)
{
	struct edit_work *work = container_of(commit, struct edit_work, commit);
	struct parameters *parameters = work->parameters;

	(void)revision;
	broker_committed(parameters->broker);
	for (size_t i = 0; result == STORE_DURABLE && i < work->n; i++) {
		struct edit_item *item = &work->items[i];

		if (item->made)
			insert(parameters, item->made);
		else
			remove_key(parameters, bytes_of(work, item->key));
		item->made = NULL;
	}
	finish(work, result == STORE_DURABLE ? 0 : -EIO);
}

/* There was nothing to be done, or it cannot be: then the result is there already. */
static void finish_refused(struct loop_task *task)
{
	struct edit_work *work = container_of(task, struct edit_work, refused);

	finish(work, work->edits->result);
}

static struct span appended(const struct edit_work *work, size_t begin)
{
	return (struct span){begin, work->bytes.size - begin};
}

static struct edit_item *add_key(struct edit_work *work, const struct parameter_view *view)
{
	struct edit_item *item = &work->items[work->n++];
	size_t begin = work->bytes.size;

	put_key(&work->bytes, view);
	item->key = appended(work, begin);
	return item;
}

static void add_item(struct edit_work *work, const struct parameter_view *view)
{
	struct edit_item *item = add_key(work, view);
	size_t begin = work->bytes.size;

	if (!view->value.data)
		return;
	put_value(&work->bytes, view);
	item->value = appended(work, begin);
}

/* 0, -EINVAL, -ENOMEM. */
static int gather(struct edit_work *work)
{
	const struct parameters_edits *edits = work->edits;

	for (size_t i = 0; i < edits->n; i++) {
		if (!is_good(&edits->items[i]))
			return -EINVAL;
		add_item(work, &edits->items[i]);
	}
	for (size_t i = 0; edits->forget.data && i < work->parameters->n; i++) {
		const struct parameter_view *view = &work->parameters->items[i]->view;

		if (view->vhost.data && slice_equal(view->vhost, edits->forget))
			add_key(work, view);
	}
	return work->bytes.failed ? -ENOMEM : 0;
}

/* The buffer has its last place. */
static int make_changes(struct edit_work *work, struct store_change *changes)
{
	for (size_t i = 0; i < work->n; i++) {
		struct edit_item *item = &work->items[i];
		bool is_there = item->value.size > 0;

		changes[i] = (struct store_change){
			.key = bytes_of(work, item->key),
			.value = is_there ? bytes_of(work, item->value) : SLICE_EMPTY,
			.expected_revision = STORE_ANY_REVISION,
		};
		if (!is_there)
			continue;
		item->made = create(changes[i].key, &work->edits->items[i]);
		if (!item->made)
			return -ENOMEM;
	}
	return 0;
}

static int submit(struct edit_work *work)
{
	int result = gather(work);
	struct store_change *changes;

	if (result != 0)
		return result;
	changes = mem_try_alloc((work->n + 1) * sizeof(*changes));
	if (!changes)
		return -ENOMEM;
	result = make_changes(work, changes);
	if (result == 0 && work->n > 0) {
		work->commit = (struct store_commit){
			.changes = changes, .n_changes = work->n, .done = committed};
		broker_commit(work->parameters->broker, &work->commit);
	}
	mem_free(changes);
	return result;
}

void parameters_edit(struct parameters *parameters, struct parameters_edits *edits)
{
	size_t n = edits->n + (edits->forget.data ? parameters->n : 0);
	struct edit_work *work = mem_zalloc(sizeof(*work) + n * sizeof(*work->items));

	OWN(0);
	work->parameters = parameters;
	work->edits = edits;
	edits->work = work;
	buffer_init(&work->bytes);
	loop_task_init(&work->refused, finish_refused);
	edits->result = submit(work);
	if (edits->result != 0 || work->n == 0)
		loop_defer(&work->refused);
}

/* ---- Start and end ---- */

struct restoring {
	struct parameters *parameters;
	struct buffer key;
	size_t n_failed;
};

static void visit(void *context, struct slice key, struct slice value, uint64_t revision)
{
	static struct log_limit limit = LOG_LIMIT(20);
	struct restoring *restoring = context;
	struct parameter *parameter = NULL;
	struct parameter_view view;
	char quoted[512];

	(void)revision;
	buffer_clear(&restoring->key);
	if (read_value(value, &view)) {
		put_key(&restoring->key, &view);
		if (slice_equal(buffer_slice(&restoring->key), key))
			parameter = create(key, &view);
	}
	if (parameter) {
		insert(restoring->parameters, parameter);
		return;
	}
	restoring->n_failed++;
	log_limited(&limit, LOG_LEVEL_ERROR, "restore",
		    "a parameter cannot be brought back: key=%s reason=\"it is damaged, or of a "
		    "later version\"",
		    log_quote(quoted, sizeof(quoted), key));
}

int parameters_restore(struct broker *broker, struct parameters **ret_parameters, char *ret_reason,
		       size_t size)
{
	struct restoring restoring = {.parameters = mem_zalloc(sizeof(struct parameters))};
	int r;

	restoring.parameters->broker = broker;
	buffer_init(&restoring.key);
	r = store_definitions_load(broker->store, SLICE_LITERAL("global-parameter/"), visit,
				   &restoring);
	if (r == 0)
		r = store_definitions_load(broker->store, SLICE_LITERAL("parameter/"), visit,
					   &restoring);
	buffer_fini(&restoring.key);
	if (r == 0 && restoring.n_failed == 0) {
		*ret_parameters = restoring.parameters;
		return 0;
	}
	if (r != 0)
		(void)snprintf(ret_reason, size, "cannot bring back the parameters: %s",
			       strerror(-r));
	else
		(void)snprintf(ret_reason, size,
			       "cannot bring back all of the parameters: failed=%zu",
			       restoring.n_failed);
	parameters_destroy(restoring.parameters);
	return -1;
}

void parameters_destroy(struct parameters *parameters)
{
	if (!parameters)
		return;
	for (size_t i = 0; i < parameters->n; i++)
		mem_free(parameters->items[i]);
	mem_free(parameters->items);
	mem_free(parameters);
}
