/* SPDX-License-Identifier: MIT */
#include "plugin/setting_list.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "plugin/loader.h"

static void add(struct setting_list *list, const struct plugin_setting *setting)
{
	list->items = mem_realloc(list->items, (list->n + 1) * sizeof(*list->items));
	list->items[list->n++] = (struct plugin_setting){
		.plugin = mem_strdup(setting->plugin),
		.key = mem_strdup(setting->key),
		.value = mem_strdup(setting->value),
		.where = mem_strdup(setting->where),
		.is_script = setting->is_script,
	};
}

static struct setting_list *create(void)
{
	struct setting_list *list = mem_zalloc(sizeof(*list));

	list->refs = 1;
	return list;
}

struct setting_list *setting_list_create(const struct plugin_setting *items, size_t n)
{
	struct setting_list *list = create();

	for (size_t i = 0; i < n; i++)
		add(list, &items[i]);
	return list;
}

struct setting_list *setting_list_with_scripts(const struct setting_list *list,
					       const struct plugin_setting *items, size_t n)
{
	struct setting_list *other = create();

	for (size_t i = 0; i < list->n; i++)
		if (!list->items[i].is_script)
			add(other, &list->items[i]);
	for (size_t i = 0; i < n; i++)
		if (items[i].is_script)
			add(other, &items[i]);
	return other;
}

struct setting_list *setting_list_with(const struct setting_list *list,
				       const struct plugin_setting *items, size_t n)
{
	struct setting_list *other = setting_list_create(list->items, list->n);

	for (size_t i = 0; i < n; i++)
		add(other, &items[i]);
	return other;
}

struct setting_list *setting_list_ref(struct setting_list *list)
{
	list->refs++;
	return list;
}

void setting_list_unref(struct setting_list *list)
{
	if (--list->refs != 0)
		return;
	for (size_t i = 0; i < list->n; i++) {
		/* They are shown as const; they are ours. */
		mem_free((char *)(uintptr_t)list->items[i].plugin);
		mem_free((char *)(uintptr_t)list->items[i].key);
		mem_free((char *)(uintptr_t)list->items[i].value);
		mem_free((char *)(uintptr_t)list->items[i].where);
	}
	mem_free(list->items);
	mem_free(list);
}

bool setting_is_of(const struct plugin_setting *setting, const char *name, bool is_script)
{
	return setting->is_script == is_script && strcmp(setting->plugin, name) == 0;
}

const char *setting_list_find(const struct setting_list *list, const char *name, bool is_script,
			      const char *key)
{
	for (size_t i = list->n; i > 0; i--)
		if (setting_is_of(&list->items[i - 1], name, is_script) &&
		    strcmp(list->items[i - 1].key, key) == 0)
			return list->items[i - 1].value;
	return NULL;
}

/* Whether the other one has all that this one has. */
static bool has_all(const struct setting_list *list, const struct setting_list *other,
		    const char *name, bool is_script)
{
	for (size_t i = 0; i < list->n; i++) {
		const char *key = list->items[i].key, *theirs;

		if (!setting_is_of(&list->items[i], name, is_script))
			continue;
		theirs = setting_list_find(other, name, is_script, key);
		if (theirs == NULL ||
		    strcmp(theirs, setting_list_find(list, name, is_script, key)) != 0)
			return false;
	}
	return true;
}

bool setting_lists_agree(const struct setting_list *list, const struct setting_list *other,
			 const char *name, bool is_script)
{
	return list == other ||
	       (has_all(list, other, name, is_script) && has_all(other, list, name, is_script));
}
