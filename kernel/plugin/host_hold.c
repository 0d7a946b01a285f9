/* SPDX-License-Identifier: MIT */
#include "plugin/host_hold.h"

#include "broker/held_message.h"

static const struct routed_message *routed_of(const struct shunt_message *message)
{
	return container_of(message, const struct routed_message, view);
}

const struct shunt_message *host_message_hold(const struct shunt_host *host,
					      const struct shunt_message *message)
{
	const struct routed_message *held = held_message_create(routed_of(message));

	(void)host;
	return held != NULL ? &held->view : NULL;
}

void host_message_release(const struct shunt_host *host, const struct shunt_message *message)
{
	(void)host;
	if (message != NULL)
		held_message_destroy(routed_of(message));
}
