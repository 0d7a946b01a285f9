/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONFIG_SHOW_H
#define KERNEL_CONFIG_SHOW_H

#include <jansson.h>

#include "config.h"

/*
 * A configuration as a JSON object, by key: numbers, truths, texts, and arrays for keys that may be
 * there more than once. Secrets are left out. The caller's reference.
 */
json_t *config_show(const struct config *config);

/* Notes what was set, for keys whose value cannot be told from the configuration. config_set()'s.
 */
void config_note(struct config *config, const char *key, const char *value);
void config_forget_notes(struct config *config);

#endif
