/* SPDX-License-Identifier: MIT */
/*
 * Lists: rows are made on the loop that owns the objects, as lines of JSON, a slice at a time; a letter takes the order
 * there and the lines back. Loop 0 writes them out and orders the next slice, so that no more than one is in memory.
 */
#include <string.h>

#include "base/mem.h"
#include "broker/broker.h"
#include "broker/topology.h"
#include "control/client.h"
#include "control/columns.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

#define LISTING_COLUMNS_MAX 32
#define LISTING_SLICE 256u

static const struct listing_kind *const listing_kinds[] = {
	&listing_queues, &listing_exchanges, &listing_bindings, &listing_connections, &listing_consumers,
};

/* One list on its way; goes between loop 0 and the others as the letter itself. */
struct listing {
	struct letter letter;
	struct listing_sink sink;
	const struct listing_kind *kind;
	struct listing_scope scope;
	const struct column *columns[LISTING_COLUMNS_MAX];
	size_t n_columns;
	struct actor_ref client;
	unsigned loop;
	uint64_t cursor;
	struct buffer lines;
};

static void listing_row(struct listing_sink *sink, const void *object)
{
	struct listing *listing = container_of(sink, struct listing, sink);
	json_t *row = json_array();
	char *text;

	for (size_t i = 0; i < listing->n_columns; i++)
		json_array_append_new(row, listing->columns[i]->value(object));
	text = json_dumps(row, JSON_COMPACT);
	json_decref(row);
	if (text == NULL) {
		listing->lines.failed = true;
		return;
	}
	buffer_append_cstr(&listing->lines, text);
	buffer_append_byte(&listing->lines, '\n');
	mem_free(text);
}

static void listing_free(struct listing *listing)
{
	buffer_fini(&listing->lines);
	mem_free(listing);
}

static void listing_order(struct listing *listing);

/* On loop 0: lines have come. */
static void listing_came_back(struct letter *letter)
{
	struct listing *listing = container_of(letter, struct listing, letter);
	struct control_client *client = control_client_get(listing->client);

	if (client == NULL) {
		listing_free(listing);
		return;
	}
	control_client_send_raw(client, &listing->lines);
	buffer_clear(&listing->lines);
	if (listing->cursor == 0)
		listing->loop++;
	if (listing->loop < (listing->kind->on_every_loop ? loop_count() : 1)) {
		listing_order(listing);
		return;
	}
	listing_free(listing);
	control_client_ok(client);
}

/* On the loop that owns the objects. */
static void listing_make(struct letter *letter)
{
	struct listing *listing = container_of(letter, struct listing, letter);

	listing->cursor = listing->kind->visit(&listing->scope, listing->cursor, LISTING_SLICE, &listing->sink);
	listing->letter.deliver = listing_came_back;
	loop_post(0, &listing->letter);
}

static void listing_order(struct listing *listing)
{
	listing->letter.deliver = listing_make;
	loop_post(listing->loop, &listing->letter);
}

/* ---- The request ---- */

static const struct column *listing_find_column(const struct listing_kind *kind, const char *name)
{
	for (const struct column *column = kind->columns; column->name != NULL; column++)
		if (strcmp(column->name, name) == 0)
			return column;
	return NULL;
}

static bool listing_choose_columns(struct listing *listing, const json_t *names, const char **ret_unknown)
{
	size_t n = json_array_size(names);

	for (size_t i = 0; i < n; i++) {
		const char *name = json_string_value(json_array_get(names, i));
		const struct column *column = name != NULL ? listing_find_column(listing->kind, name) : NULL;

		if (column == NULL || listing->n_columns == LISTING_COLUMNS_MAX) {
			*ret_unknown = name != NULL ? name : "";
			return false;
		}
		listing->columns[listing->n_columns++] = column;
	}
	for (const char *const *name = listing->kind->defaults; n == 0 && *name != NULL; name++)
		listing->columns[listing->n_columns++] = listing_find_column(listing->kind, *name);
	return true;
}

static void listing_send_header(struct control_client *client, const struct listing *listing)
{
	json_t *names = json_array();

	for (size_t i = 0; i < listing->n_columns; i++)
		json_array_append_new(names, json_string(listing->columns[i]->name));
	control_client_send(client, json_pack("{s:o}", "columns", names));
}

static const struct listing_kind *listing_kind_of(const char *command)
{
	for (size_t i = 0; i < sizeof(listing_kinds) / sizeof(*listing_kinds); i++)
		if (strcmp(listing_kinds[i]->command, command) == 0)
			return listing_kinds[i];
	return NULL;
}

static struct listing *listing_create(struct control_client *client, const json_t *request)
{
	const struct control_config *config = control_client_config(client);
	struct listing *listing = mem_zalloc(sizeof(*listing));

	listing->kind = listing_kind_of(json_string_value(json_object_get(request, "command")));
	listing->sink.row = listing_row;
	listing->client = control_client_ref(client);
	listing->scope.broker = config->broker;
	listing->scope.connections = config->connections;
	buffer_init(&listing->lines);
	return listing;
}

void control_list(struct control_client *client, const json_t *request)
{
	struct listing *listing = listing_create(client, request);
	const char *vhost = json_string_value(json_object_get(request, "vhost")), *unknown;

	if (listing->kind->has_vhost) {
		vhost = vhost != NULL ? vhost : "/";
		listing->scope.vhost = topology_vhost(listing->scope.broker->topology, slice_cstr(vhost));
		if (listing->scope.vhost == NULL) {
			listing_free(listing);
			control_client_fail(client, CONTROL_DATA, "Virtual host '%s' does not exist", vhost);
			return;
		}
	}
	if (!listing_choose_columns(listing, json_object_get(request, "columns"), &unknown)) {
		listing_free(listing);
		control_client_fail(client, CONTROL_USAGE, "unknown column '%s'", unknown);
		return;
	}
	listing_send_header(client, listing);
	listing_order(listing);
}
