/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_CONSISTENT_HASH_WEIGHT_H
#define EXCHANGE_CONSISTENT_HASH_WEIGHT_H

/* The routing key of a binding: its weight, in digits. */

#include <shunt/plugin.h>

/* What is more counts as this. */
#define WEIGHT_MAX UINT32_MAX

/* 0 and the weight, or -1: 406, with RabbitMQ's text. */
int weight_parse(struct shunt_bytes key, uint32_t *ret_weight, struct shunt_error *error);

#endif
