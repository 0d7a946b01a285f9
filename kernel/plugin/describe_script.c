/* SPDX-License-Identifier: MIT */
#include "plugin/describe_script.h"

#include <string.h>

#include "base/buffer.h"
#include "plugin/describe.h"
#include "plugin/plugin.h"

struct description {
	struct shunt_report report;
	struct buffer text;
};

static void print(struct shunt_report *report, struct shunt_bytes text)
{
	struct description *description = container_of(report, struct description, report);

	buffer_append_slice(&description->text, slice_make(text.data, text.size));
}

/* What the language says of it; null: nothing. */
static json_t *report_of(const struct plugin *plugin)
{
	const struct shunt_language *language = plugin->script->language;
	struct description description;
	json_t *value = NULL;

	description.report = (struct shunt_report){sizeof(description.report), print};
	buffer_init(&description.text);
	if (language->describe)
		language->describe(plugin->state, &description.report);
	if (description.text.size > 0)
		value = describe_text((const char *)description.text.data, description.text.size);
	buffer_fini(&description.text);
	return value ? value : json_null();
}

json_t *script_describe(const struct plugin *plugin)
{
	const struct plugin_script *script = plugin->script;
	json_t *object;

	if (!script)
		return json_null();
	object = json_object();
	json_object_set_new(object, "language", describe_text(script->language->name, strlen(script->language->name)));
	json_object_set_new(object, "plugin", describe_text(script->owner->name, strlen(script->owner->name)));
	json_object_set_new(object, "size", json_integer((json_int_t)script->source->size));
	json_object_set_new(object, "can_roll_back", json_boolean(script->before));
	json_object_set_new(object, "report", report_of(plugin));
	return object;
}
