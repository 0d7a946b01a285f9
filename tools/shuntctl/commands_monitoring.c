/* SPDX-License-Identifier: MIT */
#include "command.h"

#define LIST_USAGE "[--vhost <vhost>] [--no-table-headers] [<column> ...] [--timeout <timeout>]"

extern const struct command commands_monitoring[];
const struct command commands_monitoring[] = {
	{
		.name = "explain_route",
		.group = "Monitoring, observability and health checks",
		.usage = "[--vhost <vhost>] <exchange> <routing_key> [--header <key>=<value> ...] "
			 "[--property <name>=<value> ...] [--user <username>] [--timeout <timeout>]",
		.summary = "Tells where a message would go, and why",
		.details = "<exchange>\n\twhere it would be published; '' is the default exchange\n\n"
			   "<routing_key>\n\tits routing key\n\n"
			   "--header <key>=<value>\n\ta header, as often as needed: a string, or int:5, real:0.5, bool:true, "
			   "null:, string:text\n\n"
			   "--property <name>=<value>\n\ta property: content_type, priority, app_id and so on\n\n"
			   "--user <username>\n\twho is to be taken for its publisher: no one is asked for permissions\n\n"
			   "--formatter <json>\n\talternative formatter\n",
		.n_words_max = 2,
		.options = OPTION_HEADER | OPTION_PROPERTY | OPTION_USER,
		.run = explain_run,
	},
	{
		.name = "list_bindings",
		.banner = "Listing bindings for vhost {vhost}...",
		.group = "Monitoring, observability and health checks",
		.usage = LIST_USAGE,
		.summary = "Lists all bindings on a vhost",
		.columns = "arguments destination_kind destination_name routing_key source_kind source_name",
		.options = OPTION_NO_TABLE_HEADERS,
		.run = list_run,
	},
	{
		.name = "list_channels",
		.banner = "Listing channels ...",
		.group = "Monitoring, observability and health checks",
		.usage = "[--no-table-headers] [<column> ...]",
		.summary = "Lists all channels in the node",
		.columns = "acks_uncommitted confirm connection consumer_count global_prefetch_count "
			   "messages_unacknowledged messages_uncommitted messages_unconfirmed name number pid "
			   "prefetch_count transactional user vhost",
		.options = OPTION_NO_TABLE_HEADERS,
		.run = list_run,
	},
	{
		.name = "list_connections",
		.banner = "Listing connections ...",
		.group = "Monitoring, observability and health checks",
		.usage = "[--no-table-headers] [<column> ...] [--timeout <timeout>]",
		.summary = "Lists AMQP 0.9.1 connections for the node",
		.columns = "auth_mechanism channel_max channels client_properties connected_at frame_max host name "
			   "peer_cert_issuer peer_cert_subject peer_cert_validity peer_host peer_port pid port protocol "
			   "recv_cnt recv_oct send_cnt send_oct send_pend ssl ssl_cipher ssl_hash ssl_key_exchange ssl_protocol state "
			   "timeout user vhost",
		.options = OPTION_NO_TABLE_HEADERS,
		.run = list_run,
	},
	{
		.name = "list_consumers",
		.banner = "Listing consumers in vhost {vhost} ...",
		.group = "Monitoring, observability and health checks",
		.usage = LIST_USAGE,
		.summary = "Lists all consumers for a vhost",
		.columns = "ack_required active activity_status arguments channel_pid consumer_tag exclusive "
			   "prefetch_count priority queue_name",
		.options = OPTION_NO_TABLE_HEADERS,
		.run = list_run,
	},
	{
		.name = "list_exchanges",
		.banner = "Listing exchanges for vhost {vhost} ...",
		.group = "Monitoring, observability and health checks",
		.usage = LIST_USAGE,
		.summary = "Lists exchanges",
		.columns = "arguments auto_delete durable internal name policy type",
		.options = OPTION_NO_TABLE_HEADERS,
		.run = list_run,
	},
	{
		.name = "list_queues",
		.banner = "Timeout: {timeout}.0 seconds ...\nListing queues for vhost {vhost} ...",
		.group = "Monitoring, observability and health checks",
		.usage = "[--vhost <vhost>] [--online] [--offline] [--local] [--no-table-headers] [<column>, ...] "
			 "[--timeout <timeout>]",
		.summary = "Lists queues and their properties",
		.details = "--online\n\tlists only queues on reachable nodes: all of them\n\n"
			   "--offline\n\tlists only queues on unreachable nodes: none\n\n"
			   "--local\n\tonly return queues of this node: all of them\n",
		.columns = "arguments auto_delete consumer_capacity consumer_utilisation consumers disk_reads "
			   "disk_writes durable exclusive exclusive_consumer_pid exclusive_consumer_tag "
			   "head_message_timestamp leader members memory message_bytes message_bytes_paged_out "
			   "message_bytes_persistent message_bytes_ram message_bytes_ready "
			   "message_bytes_unacknowledged messages messages_paged_out messages_persistent messages_ram "
			   "messages_ready messages_ready_ram messages_unacknowledged messages_unacknowledged_ram "
			   "name online owner_pid pid policy slave_pids state synchronised_slave_pids type vhost",
		.options = OPTION_NO_TABLE_HEADERS | OPTION_ONLINE | OPTION_OFFLINE | OPTION_LOCAL,
		.run = list_run,
	},
	{
		.name = "ping",
		.group = "Monitoring, observability and health checks",
		.usage = "[--timeout <timeout>]",
		.summary = "Checks that the broker's process is up and its control socket answers",
		.run = ping_run,
	},
	{
		.name = "status",
		.group = "Monitoring, observability and health checks",
		.usage = "[--unit <unit>] [--timeout <timeout>]",
		.summary = "Displays status of a node",
		.details = "--unit <bytes | kb | mb | gb>\n\tbyte multiple (bytes, kilobytes, megabytes, gigabytes) to use\n\n"
			   "--formatter <json>\n\talternative formatter\n",
		.options = OPTION_UNIT,
		.run = status_run,
	},
	{ .name = NULL },
};
