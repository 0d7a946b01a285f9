/* SPDX-License-Identifier: MIT */
/* Messages that are routed, for plugins. */
#include "amqp/plugin_table.h"
#include "broker/router/router.h"
#include "plugin/host.h"

static struct slice host_properties(const struct shunt_message *view)
{
	const struct routed_message *routed = container_of(view, const struct routed_message, view);

	return message_properties(routed->message);
}

static struct shunt_bytes host_message_headers(const struct shunt_host *host,
					       const struct shunt_message *message)
{
	(void)host;
	return plugin_properties_headers(host_properties(message));
}

static bool host_message_property(const struct shunt_host *host,
				  const struct shunt_message *message, enum shunt_property property,
				  struct shunt_value *ret_value)
{
	(void)host;
	return plugin_properties_find(host_properties(message), property, ret_value);
}

void host_offer_messages(struct shunt_host *host)
{
	host->message_headers = host_message_headers;
	host->message_property = host_message_property;
}

/* ---- Answers ---- */

static void host_answer_varies(const struct shunt_host *host)
{
	(void)host;
	router_answer_varies();
}

void host_offer_routing(struct shunt_host *host)
{
	host->answer_varies = host_answer_varies;
}
