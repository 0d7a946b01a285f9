/* SPDX-License-Identifier: MIT */
#include "conn/entry/opening.h"

#include <errno.h>
#include <string.h>

#include "access/accounts.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/topology/topology.h"
#include "broker/vhost/vhost.h"
#include "conn/audit.h"
#include "conn/channel.h"
#include "conn/heartbeat.h"

/* ---- connection.open ---- */

static int opening_take_user(struct connection *c, struct amqp_error *error)
{
	int64_t limit;

	if (access_take_connection(c->service->access, c->user, &limit)) {
		c->counts_for_user = true;
		return 0;
	}
	return amqp_error_set(error, AMQP_NOT_ALLOWED,
			      "connection refused for user '%s': user connection limit (%lld) is "
			      "reached",
			      c->user->name, (long long)limit);
}

static int opening_ask(struct connection *c, struct slice vhost, struct amqp_error *error)
{
	const struct access_question question = {
		.user = c->user,
		.operation = ACCESS_VHOST,
		.resource = ACCESS_RESOURCE_VHOST,
		.vhost = vhost,
		.name = vhost,
		.peer = &c->peer,
	};
	struct access_reply reply;

	if (access_authorize(c->service->access, &question, &reply))
		return 0;
	return amqp_error_set(error, AMQP_NOT_ALLOWED,
			      "access to vhost '" SLICE_FMT "' refused for user '%s'%s%s",
			      SLICE_ARG(vhost), c->user->name, reply.reason[0] != '\0' ? ": " : "",
			      reply.reason);
}

static int opening_take_vhost(const struct connection *c, struct vhost *vhost,
			      struct amqp_error *error)
{
	int64_t limit;

	if (vhost_take_connection(vhost, &limit))
		return 0;
	return amqp_error_set(error, AMQP_NOT_ALLOWED,
			      "access to vhost '%s' refused for user '%s': connection limit (%lld) "
			      "is reached",
			      vhost->name, c->user->name, (long long)limit);
}

/* In RabbitMQ's order: the vhost, its limit, the user's limit, whether he may. All in one turn, so
 * that the vhost is there. */
static int opening_enter(struct connection *c, struct slice name, struct amqp_error *error)
{
	struct topology *topology = c->service->broker->topology;
	struct vhost *vhost;

	topology_read_begin(topology);
	vhost = topology_vhost(topology, name);
	topology_read_end(topology);
	if (vhost == NULL)
		return amqp_error_set(error, AMQP_NOT_ALLOWED, "vhost " SLICE_FMT " not found",
				      SLICE_ARG(name));
	if (opening_take_vhost(c, vhost, error) != 0)
		return -EPROTO;
	if (opening_take_user(c, error) != 0 || opening_ask(c, name, error) != 0) {
		vhost_give_connection(vhost);
		return -EPROTO;
	}
	c->vhost = vhost_hold(vhost);
	c->counts_in_vhost = true;
	return 0;
}

int opening_connection(struct connection *c, const struct amqp_connection_open *m,
		       struct amqp_error *error)
{
	static struct log_limit limit = LOG_LIMIT(100);
	struct amqp_method ok = {.id = AMQP_CONNECTION_OPEN_OK};
	char name[CONNECTION_NAME_MAX];

	if (opening_enter(c, m->virtual_host, error) != 0) {
		opening_give_back(c);
		conn_audit_refusal(c, "connect", "vhost", m->virtual_host, SLICE_EMPTY);
		return -EPROTO;
	}
	c->state = CONNECTION_RUNNING;
	connection_send(c, 0, &ok);
	heartbeat_start(c);
	if (log_limit_take(&limit, LOG_LEVEL_INFO)) {
		connection_print_name(c, name);
		log_taken(&limit, LOG_LEVEL_INFO, "conn",
			  "connection opened: name=\"%s\" user=\"%s\" vhost=\"%s\"", name,
			  c->user->name, c->vhost->name);
	}
	return 0;
}

void opening_give_back(struct connection *c)
{
	if (c->counts_for_user)
		access_give_connection(c->service->access, c->user);
	if (c->counts_in_vhost)
		vhost_give_connection(c->vhost);
	c->counts_for_user = c->counts_in_vhost = false;
}

/* ---- channel.open ---- */

/* A slot for the channel number, which the peer chose: the table grows to its size at most. */
static int opening_grow_channels(struct connection *c, unsigned number)
{
	unsigned n = c->n_slots != 0 ? c->n_slots : 2;
	struct channel **channels;

	while (n <= number)
		n *= 2;
	if (n == c->n_slots)
		return 0;
	channels = mem_try_zalloc(
		n * sizeof(struct channel *)); /* a large one takes memory only where it is used */
	if (channels == NULL)
		return -ENOMEM;
	if (c->n_slots != 0)
		memcpy(channels, c->channels, c->n_slots * sizeof(struct channel *));
	mem_free(c->channels);
	c->channels = channels;
	c->n_slots = n;
	return 0;
}

static int opening_take_channel(struct connection *c, struct amqp_error *error)
{
	int64_t limit;

	if (c->channel_max != 0 && c->n_open >= c->channel_max)
		return amqp_error_set(error, AMQP_NOT_ALLOWED,
				      "number of channels opened (%u) has reached the negotiated "
				      "channel_max (%u)",
				      c->n_open, (unsigned)c->channel_max);
	if (access_take_channel(c->service->access, c->user, &limit))
		return 0;
	return amqp_error_set(error, AMQP_NOT_ALLOWED,
			      "number of channels opened for user '%s' has reached the maximum "
			      "allowed user limit of (%lld)",
			      c->user->name, (long long)limit);
}

int opening_channel(struct connection *c, const struct amqp_frame *frame, struct amqp_error *error)
{
	struct amqp_method m = {0}, ok = {.id = AMQP_CHANNEL_OPEN_OK};
	bool decoded;

	if (frame->type != AMQP_FRAME_METHOD)
		return amqp_error_set(error, AMQP_UNEXPECTED_FRAME,
				      "expected method frame, got non method frame instead");
	decoded = amqp_method_decode(&m, frame->payload) == 0;
	error->method_id = m.id;
	if (!decoded || m.id != AMQP_CHANNEL_OPEN)
		return amqp_error_set(error, AMQP_CHANNEL_ERROR, "expected 'channel.open'");
	if (opening_take_channel(c, error) != 0)
		return -EPROTO;
	if (opening_grow_channels(c, frame->channel) != 0 ||
	    channel_create(c, frame->channel) == NULL) {
		opening_give_back_channel(c);
		return amqp_error_set(error, AMQP_RESOURCE_ERROR, "out of memory");
	}
	connection_send(c, frame->channel, &ok);
	return 0;
}

void opening_give_back_channel(struct connection *c)
{
	access_give_channel(c->service->access, c->user);
}
