/* SPDX-License-Identifier: MIT */
/* Class channel, and access.request, which lives on in old clients. AMQP 0-9-1 section 1.5. */
#include "conn/channel.h"
#include "conn/publish/publish.h"

int method_channel_open(struct channel *ch, const struct amqp_channel_open *m,
			struct amqp_error *error)
{
	(void)ch, (void)m;
	return amqp_error_set(error, AMQP_CHANNEL_ERROR, "second 'channel.open' seen");
}

int method_channel_flow(struct channel *ch, const struct amqp_channel_flow *m,
			struct amqp_error *error)
{
	struct amqp_method ok = {.id = AMQP_CHANNEL_FLOW_OK};

	if (!m->active)
		return amqp_error_set(error, AMQP_NOT_IMPLEMENTED, "active=false");
	ok.channel_flow_ok.active = true;
	connection_send(ch->connection, ch->number, &ok);
	return 0;
}

/* The server never sends channel.flow, so this answers nothing. */
int method_channel_flow_ok(struct channel *ch, const struct amqp_channel_flow_ok *m,
			   struct amqp_error *error)
{
	(void)ch, (void)m;
	return amqp_error_set(error, AMQP_COMMAND_INVALID, "unimplemented method");
}

int method_channel_close(struct channel *ch, const struct amqp_channel_close *m,
			 struct amqp_error *error)
{
	(void)m, (void)error;
	publish_flush_confirms(ch);
	channel_close(ch);
	return 0;
}

int method_channel_close_ok(struct channel *ch, const struct amqp_channel_close_ok *m,
			    struct amqp_error *error)
{
	(void)ch, (void)m;
	return amqp_error_set(error, AMQP_COMMAND_INVALID, "unimplemented method");
}

int method_access_request(struct channel *ch, const struct amqp_access_request *m,
			  struct amqp_error *error)
{
	struct amqp_method ok = {.id = AMQP_ACCESS_REQUEST_OK};

	(void)m, (void)error;
	ok.access_request_ok.ticket = 1;
	connection_send(ch->connection, ch->number, &ok);
	return 0;
}
