/* SPDX-License-Identifier: MIT */
/* How a connection is called in logs and lists. */
#include <stdio.h>

#include "conn/connection.h"
#include "net/address.h"

void connection_print_name(const struct connection *c, char ret_text[CONNECTION_NAME_MAX])
{
	char peer[NET_ADDRESS_TEXT_MAX], local[NET_ADDRESS_TEXT_MAX];

	net_address_print(transport_peer(c->transport), peer);
	net_address_print(transport_local(c->transport), local);
	snprintf(ret_text, CONNECTION_NAME_MAX, "%s -> %s", peer, local);
}

const char *connection_state_name(const struct connection *c)
{
	static const char *const names[] = {
		[CONNECTION_HEADER] = "pre_init", [CONNECTION_START_OK] = "starting",
		[CONNECTION_LOGIN] = "securing",  [CONNECTION_TUNE_OK] = "tuning",
		[CONNECTION_OPEN] = "opening",	  [CONNECTION_RUNNING] = "running",
		[CONNECTION_CLOSING] = "closing", [CONNECTION_CLOSED] = "closed",
	};

	return c->is_blocked ? "blocked" : names[c->state];
}
