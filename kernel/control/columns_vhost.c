/* SPDX-License-Identifier: MIT */
/* list_vhosts: on loop 0. */
#include <string.h>

#include "broker/broker.h"
#include "broker/vhost/vhost.h"
#include "conn/service.h"
#include "control/columns.h"

#define VHOST_SLICE 64

struct vhost_row {
	struct slice name;
	const struct vhost_settings *settings;
	const char *node;
};

struct vhost_visit {
	const struct listing_scope *scope;
	struct listing_sink *sink;
};

static json_t *vhost_name(const void *object)
{
	return column_text(((const struct vhost_row *)object)->name);
}

static json_t *vhost_description(const void *object)
{
	return column_text(((const struct vhost_row *)object)->settings->description);
}

static json_t *vhost_tags(const void *object)
{
	struct slice tags = ((const struct vhost_row *)object)->settings->tags;
	json_t *array = json_array();
	size_t begin = 0;

	for (size_t i = 0; tags.size != 0 && i <= tags.size; i++) {
		if (i < tags.size && tags.data[i] != ',')
			continue;
		json_array_append_new(array, column_text(slice_make(tags.data + begin, i - begin)));
		begin = i + 1;
	}
	return array;
}

static json_t *vhost_default_queue_type(const void *object)
{
	struct slice type = ((const struct vhost_row *)object)->settings->default_queue_type;

	return type.size != 0 ? column_text(type) : json_string("undefined");
}

static json_t *vhost_tracing(const void *object)
{
	(void)object;
	return json_false();
}

static json_t *vhost_cluster_state(const void *object)
{
	return json_pack("{s:s}", ((const struct vhost_row *)object)->node, "running");
}

static const struct column vhost_columns[] = {
	{"name", vhost_name},
	{"description", vhost_description},
	{"tags", vhost_tags},
	{"default_queue_type", vhost_default_queue_type},
	{"tracing", vhost_tracing},
	{"cluster_state", vhost_cluster_state},
	{NULL, NULL},
};
static const char *const vhost_defaults[] = {"name", NULL};

static void visit_vhost(void *context, struct slice name, const struct vhost_settings *settings)
{
	const struct vhost_visit *visit = context;
	const struct vhost_row row = {name, settings,
				      visit->scope->connections->settings.cluster_name};

	visit->sink->row(visit->sink, &row);
}

static bool vhost_visit(const struct listing_scope *scope, struct listing_position *position,
			unsigned slice, struct listing_sink *sink)
{
	struct vhost_visit visit = {scope, sink};

	position->number = vhost_list(scope->broker, position->number, slice, visit_vhost, &visit);
	return position->number != 0;
}

const struct listing_kind listing_vhosts = {
	.command = "list_vhosts",
	.columns = vhost_columns,
	.defaults = vhost_defaults,
	.slice = VHOST_SLICE,
	.visit = vhost_visit,
};
