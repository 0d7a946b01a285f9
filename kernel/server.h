/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_SERVER_H
#define KERNEL_SERVER_H

/* The whole broker: made from a configuration, run until it is told to stop, taken down. On loop
 * 0's thread. */

#include "config.h"

/* Exit statuses (sysexits.h); users and scripts rely on them. */
enum server_status {
	SERVER_OK = 0,
	SERVER_USAGE = 64,
	SERVER_OWN_FAULT = 70,
	SERVER_DATA = 73, /* data directory unusable, or in use */
	SERVER_CONFIG = 78,
};

struct server;

/*
 * Everything but what needs turning loops. On failure one line has been logged, *ret_server is NULL
 * and the status says what it was. With only_check nothing listens, and the data directory is not
 * touched. source: what the configuration was read from, for SIGHUP; borrowed.
 */
enum server_status server_create(struct config *config, const struct config_source *source,
				 bool only_check, struct server **ret_server);

/* Imports definitions, opens the sockets, and serves until SIGTERM, SIGINT or `shuntctl stop`. On
 * failure one line has been logged. */
enum server_status server_run(struct server *server);

void server_destroy(struct server *server);

#endif
