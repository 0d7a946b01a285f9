/* SPDX-License-Identifier: MIT */
#include "conn/peer.h"

#include <string.h>

#include "conn/connection.h"

void peer_describe(const struct connection *c, struct shunt_peer *ret_peer)
{
	const struct net_address *address = transport_peer(c->transport);

	*ret_peer = (struct shunt_peer){
		.size = sizeof(*ret_peer),
		.host = {(const uint8_t *)address->host, strlen(address->host)},
		.port = address->port,
		.is_loopback = address->is_loopback,
	};
}
