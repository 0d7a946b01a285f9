/* SPDX-License-Identifier: MIT */
#include "broker/message/held_message.h"
#include "plugin/host.h"

static const struct routed_message *routed_of(const struct shunt_message *message)
{
	return container_of(message, const struct routed_message, view);
}

static const struct shunt_message *host_message_hold(const struct shunt_host *host,
						     const struct shunt_message *message)
{
	const struct routed_message *held = held_message_create(routed_of(message));

	(void)host;
	return held != NULL ? &held->view : NULL;
}

static void host_message_release(const struct shunt_host *host, const struct shunt_message *message)
{
	(void)host;
	if (message != NULL)
		held_message_destroy(routed_of(message));
}

void host_offer_holding(struct shunt_host *host)
{
	host->message_hold = host_message_hold;
	host->message_release = host_message_release;
}
