/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNTCTL_PLUGIN_INFO_H
#define TOOLS_SHUNTCTL_PLUGIN_INFO_H

#include <jansson.h>

/* What `plugin info` shows of the broker's answer: sections, those without content left out. */
void plugin_info_print(const json_t *info);

#endif
