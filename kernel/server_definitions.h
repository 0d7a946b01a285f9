/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_SERVER_DEFINITIONS_H
#define KERNEL_SERVER_DEFINITIONS_H

#include "server.h"

struct admin;

/*
 * Definitions at the start, when the other loops turn already and nobody can connect yet: an import
 * that a crash has cut off, then what the configuration names. This loop is turned meanwhile.
 * SERVER_CONFIG: something was refused, which is logged. SERVER_OK also when the loops were stopped
 * meanwhile.
 */
enum server_status server_load_definitions(struct admin *admin, const struct config *config);

/* What can be known of the files that the configuration names without the broker. SERVER_CONFIG:
 * something would be refused, which is logged. */
enum server_status server_check_definitions(const struct config *config);

#endif
