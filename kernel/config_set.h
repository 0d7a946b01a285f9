/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONFIG_SET_H
#define KERNEL_CONFIG_SET_H

/* Between the two files that read the configuration: lines and settings. */

#include "config.h"

/* One setting; `where` is its "file:line", or "-o". As config_read(). */
int config_set(struct config *config, const char *name, const char *value, const char *where,
	       char ret_error[CONFIG_ERROR_MAX]);

#endif
