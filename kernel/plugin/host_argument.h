/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_HOST_ARGUMENT_H
#define KERNEL_PLUGIN_HOST_ARGUMENT_H

/* shunt_host.argument. */

#include <shunt/plugin.h>

bool host_argument(const struct shunt_host *host, struct shunt_bytes table,
		   const struct shunt_argument *argument, struct shunt_value *ret_value);

#endif
