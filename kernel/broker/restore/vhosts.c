/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "broker/topology/exchange_type.h"
#include "broker/restore/state.h"
#include "broker/topology/write.h"
#include "broker/vhost/vhost.h"

/*
 * Vhosts. One whose definition is marked was being deleted when the process ended: it is not made,
 * and what is there of it goes, the definition last. No loop runs, so the topology is changed
 * without its lock.
 */

/* A vhost that is not made. */
struct doomed_vhost {
	struct map_node node; /* struct restore.doomed_vhosts */
	char *name;
};

bool restore_is_doomed(const struct restore *restore, struct slice name)
{
	return map_count(&restore->doomed_vhosts) > 0 && map_find(&restore->doomed_vhosts, name);
}

static void note_doomed(struct restore *restore, struct slice name)
{
	struct doomed_vhost *doomed = mem_zalloc(sizeof(*doomed));
	char quoted[300];

	doomed->name = mem_printf(SLICE_FMT, SLICE_ARG(name));
	map_insert(&restore->doomed_vhosts, &doomed->node, slice_cstr(doomed->name));
	log_info("restore", "the deletion of a vhost goes on: vhost=%s",
		 log_quote(quoted, sizeof(quoted), name));
}

void restore_delete_doomed_vhosts(struct restore *restore)
{
	struct map_cursor cursor;
	struct map_node *node;

	map_for_each(node, &restore->doomed_vhosts, &cursor) {
		const struct definition definition = {.kind = DEFINITION_VHOST, .name = node->key};

		buffer_clear(&restore->key);
		definition_put_key(&restore->key, &definition);
		restore_delete(restore, buffer_slice(&restore->key));
	}
}

void restore_forget_doomed_vhosts(struct restore *restore)
{
	struct map_cursor cursor;
	struct map_node *node;

	map_for_each(node, &restore->doomed_vhosts, &cursor) {
		struct doomed_vhost *doomed = container_of(node, struct doomed_vhost, node);

		mem_free(doomed->name);
		mem_free(doomed);
	}
	map_fini(&restore->doomed_vhosts);
}

static bool make_vhost(struct restore *restore, const struct definition *definition)
{
	struct topology *topology = restore->broker->topology;
	struct vhost *vhost = vhost_create(topology, definition->name, &definition->settings);

	return exchange_types_bring_to_life(topology, vhost) == 0;
}

static void visit_vhost(void *context, struct slice key, struct slice value, uint64_t revision)
{
	struct restore *restore = context;
	struct definition definition;

	(void)revision;
	if (!restore_read(restore, key, value, DEFINITION_VHOST, &definition))
		return;
	if (memchr(definition.name.data, '\0', definition.name.size)) {
		restore_refuse(restore, key, "it is damaged, or of a later version");
	} else if (definition.is_doomed) {
		note_doomed(restore, definition.name);
	} else if (!make_vhost(restore, &definition)) {
		restore_refuse(restore, key, "its exchanges cannot be made");
	} else {
		restore->n_vhosts++;
	}
}

/* Afterwards this database has its vhosts itself, whatever the configuration says. */
static int make_default_vhost(struct restore *restore)
{
	struct vhost_settings settings = VHOST_SETTINGS_NONE;
	struct definition definition;
	struct buffer key, value;
	int r = 0;

	settings.description = SLICE_LITERAL("Default virtual host"); /* RabbitMQ's */
	definition = definition_of_vhost(slice_cstr(restore->default_vhost), &settings);
	buffer_init(&key);
	buffer_init(&value);
	definition_put_key(&key, &definition);
	definition_put_value(&value, &definition);

	struct store_change change = {.key = buffer_slice(&key), .value = buffer_slice(&value)};

	if (key.failed || value.failed)
		r = -ENOMEM;
	else if (!restore_commit(restore, &change, 1))
		r = -EIO;
	else if (!make_vhost(restore, &definition))
		r = -EINVAL;
	buffer_fini(&key);
	buffer_fini(&value);
	restore->n_vhosts += r == 0;
	return r;
}

/* None in the place of one whose deletion goes on: they may have one name. */
int restore_vhosts(struct restore *restore)
{
	int r = store_definitions_load(restore->broker->store, SLICE_LITERAL("vhost/"), visit_vhost,
				       restore);

	if (r != 0 || restore->n_vhosts > 0 || restore->n_failed > 0 ||
	    map_count(&restore->doomed_vhosts) > 0)
		return r;
	return restore->default_vhost ? make_default_vhost(restore) : 0;
}
