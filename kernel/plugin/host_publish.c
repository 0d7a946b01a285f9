/* SPDX-License-Identifier: MIT */
/* What a plugin publishes. */
#include "broker/message/draft_value.h"
#include "plugin/host.h"
#include "plugin/plugin.h"
#include "plugin/publisher.h"

static struct shunt_draft *host_draft(const struct shunt_host *host, struct shunt_bytes vhost,
				      struct shunt_bytes exchange, struct shunt_bytes routing_key,
				      struct shunt_bytes body)
{
	const struct publisher *publisher = plugin_of_host(host)->plugins->config.publisher;
	struct publisher_names names;
	struct slice content;

	if (publisher == NULL || !draft_read_bytes(vhost, &names.vhost) ||
	    !draft_read_bytes(exchange, &names.exchange) ||
	    !draft_read_bytes(routing_key, &names.routing_key) || !draft_read_bytes(body, &content))
		return NULL;
	return publisher_draft(publisher, &names, content);
}

static void host_publish(const struct shunt_host *host, struct shunt_draft *draft,
			 void (*done)(void *context, enum shunt_outcome outcome), void *context)
{
	struct plugin *plugin = plugin_of_host(host);

	publisher_publish_take(plugin->plugins->config.publisher, plugin, draft, done, context);
}

static void host_draft_free(const struct shunt_host *host, struct shunt_draft *draft)
{
	(void)host;
	publisher_draft_free(draft);
}

void host_offer_publishing(struct shunt_host *host)
{
	host->draft = host_draft;
	host->publish = host_publish;
	host->draft_free = host_draft_free;
}
