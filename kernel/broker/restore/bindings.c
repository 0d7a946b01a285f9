/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "broker/topology/binding.h"
#include "broker/topology/exchange.h"
#include "broker/restore/state.h"
#include "broker/topology/write.h"

/*
 * A binding may be in the store without its ends: when the process was killed after an end was
 * deleted, and before the binding, which was being made just then, was taken out again
 * (declare_bind.c). Nobody was told that it is there, so it goes. A queue is known by its id, as
 * another may have the name by now.
 */

#define DELETIONS_MAX 1000u /* in a commit */

struct ends {
	struct exchange *source, *exchange;
	struct queue_entry *queue;
};

static struct exchange *find_source(struct restore *restore, struct slice name)
{
	struct exchange *source = restore->source;

	if (!source || source->vhost != restore->vhost || !slice_equal(source->node.key, name))
		source = topology_any_exchange(restore->vhost, name);
	restore->source = source;
	return source;
}

static struct queue_entry *find_queue(struct restore *restore, struct slice name, uint64_t id)
{
	struct queue_entry *queue = restore->destination;

	if (!queue || queue->vhost != restore->vhost || !slice_equal(queue->node.key, name))
		queue = topology_any_queue(restore->vhost, name);
	restore->destination = queue;
	return queue && queue->id == id ? queue : NULL;
}

static bool find_ends(struct restore *restore, const struct definition *definition,
		      struct ends *ret)
{
	*ret = (struct ends){.source = find_source(restore, definition->source)};
	if (definition->destination_is_exchange)
		ret->exchange = topology_any_exchange(restore->vhost, definition->name);
	else
		ret->queue = find_queue(restore, definition->name, definition->id);
	return ret->source && (ret->exchange || ret->queue);
}

static void note_dangling(struct restore *restore, struct slice key)
{
	static struct log_limit limit = LOG_LIMIT(20);
	char quoted[512];

	log_limited(&limit, LOG_LEVEL_WARNING, "restore",
		    "a binding that was not complete is dropped: key=%s",
		    log_quote(quoted, sizeof(quoted), key));
	restore_delete(restore, key);
}

void restore_delete(struct restore *restore, struct slice key)
{
	if (restore->n_dangling == restore->dangling_capacity) {
		restore->dangling_capacity = restore->dangling_capacity * 2 + 16;
		restore->dangling_ends =
			mem_realloc(restore->dangling_ends,
				    restore->dangling_capacity * sizeof(*restore->dangling_ends));
	}
	buffer_append_slice(&restore->dangling, key);
	restore->dangling_ends[restore->n_dangling++] = restore->dangling.size;
}

/* Were its arguments not sorted, it could be there twice. */
static bool is_in_order(const struct binding *binding, const struct definition *definition)
{
	const struct shunt_bytes *arguments = &binding->view.arguments;

	return slice_equal(slice_make(arguments->data, arguments->size), definition->arguments);
}

static void make_binding(struct restore *restore, struct slice key,
			 const struct definition *definition, const struct ends *ends)
{
	struct binding_options options = {
		.source = definition->source,
		.destination = definition->name,
		.routing_key = definition->routing_key,
		.arguments = definition->arguments,
		.destination_is_exchange = definition->destination_is_exchange,
	};
	struct binding *binding = binding_create(&options);
	struct amqp_error error;

	if (!binding) {
		restore_refuse(restore, key, "out of memory, or its key is too long");
		return;
	}
	binding->durable = true;
	if (!is_in_order(binding, definition)) {
		restore_refuse(restore, key, "it is damaged, or of a later version");
		mem_free(binding);
	} else if (binding_insert(restore->broker->topology, binding, ends->source, ends->queue,
				  ends->exchange, &error) != 0) {
		restore_refuse(restore, key, "%s", error.text);
		mem_free(binding);
	} else {
		restore->n_bindings++;
	}
}

static void visit_binding(void *context, struct slice key, struct slice value, uint64_t revision)
{
	struct restore *restore = context;
	struct definition definition;
	struct ends ends;

	(void)revision;
	if (!restore_read(restore, key, value, DEFINITION_BINDING, &definition))
		return;
	if (definition.source.size == 0)
		restore_refuse(restore, key, "it is damaged, or of a later version");
	else if (find_ends(restore, &definition, &ends))
		make_binding(restore, key, &definition, &ends);
	else
		note_dangling(restore, key);
}

/* The keys from `from` on, as many as one commit takes. */
static size_t delete_some(struct restore *restore, struct store_change *changes, size_t from)
{
	size_t n = 0, begin = from > 0 ? restore->dangling_ends[from - 1] : 0;

	for (; n < DELETIONS_MAX && from + n < restore->n_dangling; n++) {
		size_t end = restore->dangling_ends[from + n];

		changes[n] = (struct store_change){
			.key = slice_make(restore->dangling.data + begin, end - begin),
			.expected_revision = STORE_ANY_REVISION,
		};
		begin = end;
	}
	return restore_commit(restore, changes, n) ? n : 0;
}

static int delete_dangling(struct restore *restore)
{
	struct store_change *changes;
	int r = 0;

	if (restore->dangling.failed)
		return -ENOMEM;
	changes = mem_zalloc(DELETIONS_MAX * sizeof(*changes));
	for (size_t done = 0; done < restore->n_dangling;) {
		size_t n = delete_some(restore, changes, done);

		if (n == 0) {
			r = -EIO;
			break;
		}
		done += n;
	}
	mem_free(changes);
	return r;
}

int restore_bindings(struct restore *restore)
{
	int r = store_definitions_load(restore->broker->store, SLICE_LITERAL("binding/"),
				       visit_binding, restore);

	if (r != 0 || restore->n_failed > 0)
		return r;
	restore_delete_doomed_vhosts(restore);
	return delete_dangling(restore);
}
