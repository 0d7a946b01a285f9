/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_HOST_HOLD_H
#define KERNEL_PLUGIN_HOST_HOLD_H

/* shunt_host.message_hold and message_release. */

#include <shunt/plugin.h>

const struct shunt_message *host_message_hold(const struct shunt_host *host,
					      const struct shunt_message *message);
void host_message_release(const struct shunt_host *host, const struct shunt_message *message);

#endif
