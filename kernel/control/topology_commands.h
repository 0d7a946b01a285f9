/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONTROL_TOPOLOGY_COMMANDS_H
#define KERNEL_CONTROL_TOPOLOGY_COMMANDS_H

/*
 * All take "vhost". What is declared again is left as it is if it is the same, else refused, as for
 * clients. "durable" is true unless it is said otherwise: there is no connection behind it.
 */

#include "control/client.h"

/* "queue", "durable", "auto_delete", "arguments" (an object). */
void control_declare_queue(struct control_client *client, const json_t *request);
/* "queue_name", "if_empty", "if_unused". */
void control_delete_queue(struct control_client *client, const json_t *request);
/* "queue". */
void control_purge_queue(struct control_client *client, const json_t *request);

/* "exchange", "type", "durable", "auto_delete", "internal", "arguments". */
void control_declare_exchange(struct control_client *client, const json_t *request);
/* "exchange", "if_unused". */
void control_delete_exchange(struct control_client *client, const json_t *request);

/* "source", "destination", "destination_type" ("queue" or "exchange"), "routing_key", "arguments".
 */
void control_declare_binding(struct control_client *client, const json_t *request);
void control_delete_binding(struct control_client *client, const json_t *request);

#endif
