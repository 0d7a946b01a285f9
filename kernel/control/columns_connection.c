/* SPDX-License-Identifier: MIT */
/* list_connections: on every loop, of its own connections. */
#include "base/buffer.h"
#include "broker/topology/topology.h"
#include "conn/connection.h"
#include "control/columns.h"
#include "control/columns_tls.h"

static json_t *connection_pid(const void *object)
{
	return column_connection_pid(((const struct connection *)object)->number);
}

static json_t *connection_name(const void *object)
{
	char text[CONNECTION_NAME_MAX];

	connection_print_name(object, text);
	return json_string(text);
}

static json_t *connection_peer_host(const void *object)
{
	return column_address(transport_peer(((const struct connection *)object)->transport)->host);
}

static json_t *connection_peer_port(const void *object)
{
	return json_integer(transport_peer(((const struct connection *)object)->transport)->port);
}

static json_t *connection_host(const void *object)
{
	return column_address(transport_local(((const struct connection *)object)->transport).host);
}

static json_t *connection_port(const void *object)
{
	return json_integer(transport_local(((const struct connection *)object)->transport).port);
}

static json_t *connection_user(const void *object)
{
	const struct connection *c = object;

	return column_text(slice_cstr(c->user != NULL ? c->user->name : ""));
}

static json_t *connection_mechanism(const void *object)
{
	const struct connection *c = object;

	return json_string(c->user != NULL ? c->user->mechanism : "");
}

static json_t *connection_vhost(const void *object)
{
	const struct connection *c = object;

	return column_text(slice_cstr(c->vhost != NULL ? c->vhost->name : ""));
}

static json_t *connection_state(const void *object)
{
	return json_string(connection_state_name(object));
}

static json_t *connection_channels(const void *object)
{
	return column_number(((const struct connection *)object)->n_open);
}

static json_t *connection_protocol(const void *object)
{
	(void)object;
	return json_pack("[i, i, i]", 0, 9, 1);
}

static json_t *connection_timeout(const void *object)
{
	return column_number(((const struct connection *)object)->heartbeat_s);
}

static json_t *connection_frame_max(const void *object)
{
	return column_number(((const struct connection *)object)->frame_max);
}

static json_t *connection_channel_max(const void *object)
{
	return column_number(((const struct connection *)object)->channel_max);
}

static json_t *connection_client_properties(const void *object)
{
	const struct connection *c = object;

	return column_table(c->client_properties != NULL ? buffer_slice(c->client_properties)
							 : SLICE_LITERAL(""));
}

static json_t *connection_connected_at(const void *object)
{
	return column_number(((const struct connection *)object)->connected_at_ms);
}

static json_t *connection_recv_oct(const void *object)
{
	return column_number(transport_bytes_read(((const struct connection *)object)->transport));
}

static json_t *connection_send_oct(const void *object)
{
	return column_number(
		transport_bytes_written(((const struct connection *)object)->transport));
}

static json_t *connection_recv_cnt(const void *object)
{
	return column_number(transport_reads(((const struct connection *)object)->transport));
}

static json_t *connection_send_cnt(const void *object)
{
	return column_number(transport_writes(((const struct connection *)object)->transport));
}

static json_t *connection_send_pend(const void *object)
{
	return column_number(transport_queued(((const struct connection *)object)->transport));
}

static const struct column connection_columns[] = {
	{"pid", connection_pid},
	{"name", connection_name},
	{"port", connection_port},
	{"host", connection_host},
	{"peer_port", connection_peer_port},
	{"peer_host", connection_peer_host},
	{"ssl", column_ssl},
	{"ssl_protocol", column_ssl_protocol},
	{"ssl_key_exchange", column_ssl_key_exchange},
	{"ssl_cipher", column_ssl_cipher},
	{"ssl_hash", column_ssl_hash},
	{"peer_cert_subject", column_peer_cert_subject},
	{"peer_cert_issuer", column_peer_cert_issuer},
	{"peer_cert_validity", column_peer_cert_validity},
	{"state", connection_state},
	{"channels", connection_channels},
	{"protocol", connection_protocol},
	{"auth_mechanism", connection_mechanism},
	{"user", connection_user},
	{"vhost", connection_vhost},
	{"timeout", connection_timeout},
	{"frame_max", connection_frame_max},
	{"channel_max", connection_channel_max},
	{"client_properties", connection_client_properties},
	{"connected_at", connection_connected_at},
	{"recv_oct", connection_recv_oct},
	{"recv_cnt", connection_recv_cnt},
	{"send_oct", connection_send_oct},
	{"send_cnt", connection_send_cnt},
	{"send_pend", connection_send_pend},
	{NULL, NULL},
};
static const char *const connection_defaults[] = {"user", "peer_host", "peer_port", "state", NULL};

static void visit_connection(void *context, const struct connection *connection)
{
	struct listing_sink *sink = context;

	sink->row(sink, connection);
}

static bool connection_visit(const struct listing_scope *scope, struct listing_position *position,
			     unsigned slice, struct listing_sink *sink)
{
	position->number = conn_service_list(scope->connections, position->number, slice,
					     visit_connection, sink);
	return position->number != 0;
}

const struct listing_kind listing_connections = {
	.command = "list_connections",
	.columns = connection_columns,
	.defaults = connection_defaults,
	.on_every_loop = true,
	.slice = 64,
	.visit = connection_visit,
};
