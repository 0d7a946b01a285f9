/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_SERVER_ADMIN_H
#define KERNEL_SERVER_ADMIN_H

/* What is restored beside the broker itself, and how those who administer it reach connections. */

#include <stddef.h>

#include "base/compiler.h"

struct access;
struct admin;
struct broker;
struct config;
struct conn_service;
struct store;

/* Before the loops run: broker, users and administration, from the store. 0, or -1 with one line of
 * reason. */
int server_restore_from(const struct config *config, struct broker *broker, struct access *access,
			struct store *store, struct admin **ret_admin, char *ret_reason,
			size_t size) MUST_USE;

/* Before the loops run: who is deleted has his connections closed, and so has a vhost. */
void server_connect_closing(struct broker *broker, struct access *access,
			    struct conn_service *connections);

#endif
