/* SPDX-License-Identifier: MIT */
#include "command.h"

#define GROUP "Queues, exchanges and bindings"

extern const struct command commands_queues[];
const struct command commands_queues[] = {
	{
		.name = "declare_binding",
		.group = GROUP,
		.usage = "[--vhost <vhost>] <source> <destination> [<routing_key>] [--destination-type <queue | exchange>] "
			 "[--arguments <json>] [--timeout <timeout>]",
		.summary = "Binds a queue or an exchange to an exchange",
		.details = "<source>\n\tthe exchange\n\n"
			   "<destination>\n\tthe queue that is bound to it, or the exchange\n\n"
			   "<routing_key>\n\tby default the empty one\n\n"
			   "--destination-type <queue | exchange>\n\twhat the destination is, by default a queue\n\n"
			   "--arguments <json>\n\ta JSON object, as '{\"x-match\":\"all\"}'\n",
		.parameters = "source destination routing_key?",
		.options = OPTION_DESTINATION_TYPE | OPTION_ARGUMENTS,
		.run = declare_run,
	},
	{
		.name = "declare_exchange",
		.group = GROUP,
		.usage = "[--vhost <vhost>] <exchange> [--type <type>] [--durable <true | false>] "
			 "[--auto-delete <true | false>] [--internal <true | false>] [--arguments <json>] "
			 "[--timeout <timeout>]",
		.summary = "Creates an exchange",
		.details = "<exchange>\n\tname of the exchange\n\n"
			   "--type <type>\n\tdirect (the default), fanout, topic, headers, or a plugin's\n\n"
			   "--durable <true | false>\n\tif it is there after a restart, by default true\n\n"
			   "--auto-delete <true | false>\n\tif it goes with its last binding, by default false\n\n"
			   "--internal <true | false>\n\tif clients may not publish to it, by default false\n\n"
			   "--arguments <json>\n\ta JSON object, as '{\"alternate-exchange\":\"lost\"}'\n",
		.parameters = "exchange",
		.options = OPTION_TYPE | OPTION_DURABLE | OPTION_AUTO_DELETE | OPTION_INTERNAL | OPTION_ARGUMENTS,
		.run = declare_run,
	},
	{
		.name = "declare_queue",
		.group = GROUP,
		.usage = "[--vhost <vhost>] <queue> [--type <type>] [--durable <true | false>] "
			 "[--auto-delete <true | false>] [--arguments <json>] [--timeout <timeout>]",
		.summary = "Creates a queue",
		.details = "<queue>\n\tname of the queue\n\n"
			   "--type <type>\n\tits x-queue-type, by default classic\n\n"
			   "--durable <true | false>\n\tif it is there after a restart, by default true\n\n"
			   "--auto-delete <true | false>\n\tif it goes with its last consumer, by default false\n\n"
			   "--arguments <json>\n\ta JSON object, as '{\"x-message-ttl\":60000}'\n",
		.parameters = "queue",
		.options = OPTION_TYPE | OPTION_DURABLE | OPTION_AUTO_DELETE | OPTION_ARGUMENTS,
		.run = declare_run,
	},
	{
		.name = "delete_binding",
		.group = GROUP,
		.usage = "[--vhost <vhost>] <source> <destination> [<routing_key>] [--destination-type <queue | exchange>] "
			 "[--arguments <json>] [--timeout <timeout>]",
		.summary = "Takes a binding away",
		.details = "<source>\n\tthe exchange\n\n"
			   "<destination>\n\tthe queue that is bound to it, or the exchange\n\n"
			   "<routing_key>\n\tby default the empty one\n\n"
			   "--destination-type <queue | exchange>\n\twhat the destination is, by default a queue\n\n"
			   "--arguments <json>\n\tthose of the binding: another with others stays\n",
		.parameters = "source destination routing_key?",
		.options = OPTION_DESTINATION_TYPE | OPTION_ARGUMENTS,
		.run = declare_run,
	},
	{
		.name = "delete_exchange",
		.group = GROUP,
		.usage = "[--vhost <vhost>] <exchange> [--if-unused|-u] [--timeout <timeout>]",
		.summary = "Deletes an exchange",
		.details = "<exchange>\n\tname of the exchange to delete\n\n"
			   "--if-unused\n\tdelete the exchange only if nothing is bound to it\n",
		.parameters = "exchange",
		.options = OPTION_IF_UNUSED,
		.run = declare_run,
	},
	{
		.name = "delete_queue",
		.group = GROUP,
		.usage = "<queue_name> [--if-empty|-e] [--if-unused|-u] [--timeout <timeout>]",
		.summary = "Deletes a queue",
		.details = "<queue_name>\n\tname of the queue to delete\n\n"
			   "--if-empty\n\tdelete the queue if it is empty (has no messages ready for delivery)\n\n"
			   "--if-unused\n\tdelete the queue only if it has no consumers\n",
		.parameters = "queue_name",
		.options = OPTION_IF_EMPTY | OPTION_IF_UNUSED,
		.run = declare_run,
	},
	{
		.name = "purge_queue",
		.group = GROUP,
		.usage = "<queue> [--timeout <timeout>]",
		.summary = "Purges a queue (removes all messages in it)",
		.details = "<queue>\n\tName of the queue to purge\n",
		.banner = "Purging queue '{queue}' in vhost '{vhost}' ...",
		.parameters = "queue",
		.has_vhost = true,
		.run = call_run,
	},
	{ .name = NULL },
};
