/* SPDX-License-Identifier: MIT */
/* Who is at the other end of a connection. */
#include <string.h>

#include "conn/connection.h"
#include "net/arrival.h"
#include "net/tls_session.h"

/* The texts stay the transport's. */
static void connection_describe_peer(struct connection *c)
{
	const struct net_address *address = transport_peer(c->transport);

	c->peer = (struct shunt_peer){
		.size = sizeof(c->peer),
		.host = {(const uint8_t *)address->host, strlen(address->host)},
		.port = address->port,
		.is_loopback = address->is_loopback,
		.is_tls = c->tls != NULL,
	};
	if (c->tls != NULL) {
		struct slice certificate = tls_session_certificate(c->tls);

		c->peer.certificate = (struct shunt_bytes){certificate.data, certificate.size};
	}
}

void connection_open_transport(struct connection *c, const struct arrived *arrived,
			       const struct transport_handler *handler)
{
	c->tls = arrived->tls;
	if (arrived->tls != NULL)
		c->transport =
			transport_create_layered(arrived->fd, &tls_layer, arrived->tls, handler, c);
	else
		c->transport = transport_create(arrived->fd, handler, c);
	if (arrived->has_addresses)
		transport_set_addresses(c->transport, &arrived->peer, &arrived->local);
	connection_describe_peer(c);
}

void conn_service_accept(struct conn_service *service, int fd)
{
	const struct arrived arrived = {.fd = fd};

	conn_service_take(service, &arrived);
}
