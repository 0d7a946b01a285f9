/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_SETTING_LIST_H
#define KERNEL_PLUGIN_SETTING_LIST_H

/*
 * What the configuration says to plugins and scripts, as it was read once. It stays as it is, so
 * any thread may look; what is handed to a plugin from it is there until the plugin is closed.
 * Counted at home.
 */

#include <stdbool.h>
#include <stddef.h>

struct plugin_setting;

struct setting_list {
	unsigned refs;
	struct plugin_setting *items; /* in the order of the configuration */
	size_t n;
};

/* The caller's reference. Texts are copied. */
struct setting_list *setting_list_create(const struct plugin_setting *items, size_t n);

/* The same with those of scripts replaced. */
struct setting_list *setting_list_with_scripts(const struct setting_list *list,
					       const struct plugin_setting *items, size_t n);

/* The same with more at its end, which count more. */
struct setting_list *setting_list_with(const struct setting_list *list,
				       const struct plugin_setting *items, size_t n);

struct setting_list *setting_list_ref(struct setting_list *list);
void setting_list_unref(struct setting_list *list);

bool setting_is_of(const struct plugin_setting *setting, const char *name, bool is_script);

/* The last one counts. NULL: it is not set. */
const char *setting_list_find(const struct setting_list *list, const char *name, bool is_script,
			      const char *key);

/* Whether both say the same to it. */
bool setting_lists_agree(const struct setting_list *list, const struct setting_list *other,
			 const char *name, bool is_script);

#endif
