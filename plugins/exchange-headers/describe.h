/* SPDX-License-Identifier: MIT */
#ifndef EXCHANGE_HEADERS_DESCRIBE_H
#define EXCHANGE_HEADERS_DESCRIBE_H

#include <shunt/plugin.h>

/*
 * Why a binding with this x-match is refused, in RabbitMQ's words and with the value as RabbitMQ
 * prints it, <<"text">> for instance. Cut to what fits, with a zero byte at its end.
 */
void describe_bad_match(const struct shunt_host *host, const struct shunt_value *value, char *text,
			size_t size);

#endif
