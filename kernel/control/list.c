/* SPDX-License-Identifier: MIT */
/*
 * Lists: rows are made on the loop that owns the objects, as lines of JSON, a slice at a time; a
 * letter takes the order there and the lines back. Loop 0 writes them out and orders the next slice
 * once the client has taken most of the last ones: a list of any length costs little memory, and no
 * loop works on it for long at a time.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/topology/topology.h"
#include "broker/vhost/vhost.h"
#include "control/client.h"
#include "control/columns.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

#define LISTING_COLUMNS_MAX 64

/*
 * What a slice may take. How much that is depends on columns and arguments: slices begin small, and
 * grow or shrink with what the last one took.
 */
#define LISTING_SLICE_FIRST 8u
#define LISTING_SLICE_US    400u

static const struct listing_kind *const listing_kinds[] = {
	&listing_queues,   &listing_exchanges, &listing_bindings, &listing_connections,
	&listing_channels, &listing_consumers, &listing_vhosts,
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
	unsigned loop, slice;
	struct listing_position position;
	bool has_more; /* on this loop */
	struct buffer lines;
};

static void listing_row(struct listing_sink *sink, const void *object)
{
	struct listing *listing = container_of(sink, struct listing, sink);
	json_t *row = json_array();
	char *text;

	for (size_t i = 0; i < listing->n_columns; i++) {
		json_t *value = listing->columns[i]->value(object);

		json_array_append_new(row, value != NULL ? value : json_null());
	}
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
	vhost_release(listing->scope.vhost);
	mem_free(listing);
}

static void listing_make(struct letter *letter);

static void listing_order(struct listing *listing)
{
	listing->letter.deliver = listing_make;
	loop_post(listing->loop, &listing->letter);
}

/* The client has room again, or is gone. */
static void listing_go_on(void *context)
{
	struct listing *listing = context;

	if (control_client_get(listing->client) != NULL)
		listing_order(listing);
	else
		listing_free(listing);
}

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
	if (!listing->has_more) {
		listing->loop++;
		listing->position = (struct listing_position){0};
	}
	if (listing->loop < (listing->kind->on_every_loop ? loop_count() : 1)) {
		control_client_when_ready(client, listing_go_on, listing);
		return;
	}
	listing_free(listing);
	control_client_ok(client);
}

static void listing_adapt(struct listing *listing, uint64_t taken_us)
{
	unsigned wanted = listing->slice;

	if (taken_us > LISTING_SLICE_US)
		wanted /= 2;
	else if (taken_us < LISTING_SLICE_US / 3)
		wanted *= 2;
	if (wanted == 0)
		wanted = 1;
	listing->slice = wanted < listing->kind->slice ? wanted : listing->kind->slice;
}

/* On the loop that owns the objects. */
static void listing_make(struct letter *letter)
{
	struct listing *listing = container_of(letter, struct listing, letter);
	const struct listing_kind *kind = listing->kind;

	uint64_t began_us = clock_monotonic_us();

	listing->has_more =
		kind->visit(&listing->scope, &listing->position, listing->slice, &listing->sink);
	listing_adapt(listing, clock_monotonic_us() - began_us);
	listing->letter.deliver = listing_came_back;
	loop_post(0, &listing->letter);
}

/* ---- The request ---- */

static const struct column *listing_find_column(const struct listing_kind *kind, const char *name)
{
	for (const struct column *column = kind->columns; column->name != NULL; column++)
		if (strcmp(column->name, name) == 0)
			return column;
	return NULL;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names that are no columns, in order, as "a,b". */
static void listing_print_unknown(const struct listing *listing, const json_t *names,
				  struct buffer *ret_text)
{
	size_t n = json_array_size(names), n_unknown = 0;
	const char **unknown = mem_zalloc((n + 1) * sizeof(*unknown));

	for (size_t i = 0; i < n; i++) {
		const char *name = json_string_value(json_array_get(names, i));

		if (name != NULL && listing_find_column(listing->kind, name) == NULL)
			unknown[n_unknown++] = name;
	}
	qsort(unknown, n_unknown, sizeof(*unknown), compare_names);
	for (size_t i = 0; i < n_unknown; i++)
		buffer_printf(ret_text, "%s%s", i != 0 ? "," : "", unknown[i]);
	mem_free(unknown);
}

static bool listing_choose_columns(struct listing *listing, const json_t *names)
{
	size_t n = json_array_size(names);

	for (size_t i = 0; i < n; i++) {
		const char *name = json_string_value(json_array_get(names, i));
		const struct column *column =
			name != NULL ? listing_find_column(listing->kind, name) : NULL;

		if (column == NULL || listing->n_columns == LISTING_COLUMNS_MAX)
			return false;
		listing->columns[listing->n_columns++] = column;
	}
	for (const char *const *name = listing->kind->defaults; n == 0 && *name != NULL; name++)
		listing->columns[listing->n_columns++] = listing_find_column(listing->kind, *name);
	return true;
}

static void listing_refuse_columns(struct control_client *client, const struct listing *listing,
				   const json_t *names)
{
	struct buffer text;

	buffer_init(&text);
	listing_print_unknown(listing, names, &text);
	if (text.size != 0)
		control_client_fail(client, CONTROL_USAGE, "Info key(s) %s are not supported",
				    buffer_cstr(&text));
	else
		control_client_fail(client, CONTROL_USAGE,
				    "Too many columns, or a column that is no name");
	buffer_fini(&text);
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
	listing->slice = LISTING_SLICE_FIRST;
	buffer_init(&listing->lines);
	return listing;
}

void control_list(struct control_client *client, const json_t *request)
{
	struct listing *listing = listing_create(client, request);
	const char *vhost = json_string_value(json_object_get(request, "vhost"));
	const json_t *columns = json_object_get(request, "columns");

	if (listing->kind->has_vhost) {
		vhost = vhost != NULL ? vhost : "/";
		struct vhost *found =
			topology_vhost(listing->scope.broker->topology, slice_cstr(vhost));

		if (found == NULL) {
			listing_free(listing);
			control_client_fail(client, CONTROL_DATA,
					    "Virtual host '%s' does not exist", vhost);
			return;
		}
		listing->scope.vhost = vhost_hold(found);
	}
	if (!listing_choose_columns(listing, columns)) {
		listing_refuse_columns(client, listing, columns);
		listing_free(listing);
		return;
	}
	listing_send_header(client, listing);
	listing_order(listing);
}
