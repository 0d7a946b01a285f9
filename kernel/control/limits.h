/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONTROL_LIMITS_H
#define KERNEL_CONTROL_LIMITS_H

/*
 * Limits as operators write them: {"max-connections": 10, "max-queues": -1}. A negative number is
 * no limit.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIMIT_NONE INT64_C(-1)

struct limit {
	const char *name;
	int64_t value; /* LIMIT_NONE */
};

/*
 * Those that the text names are changed, the others stay. False with RabbitMQ's text of what is
 * wrong with it; `what` is "user-limits" or "limits".
 */
bool limits_read(const char *definition, const char *what, struct limit *limits, size_t n,
		 char *ret_reason, size_t size);

/* Those that there are, as RabbitMQ writes them: {"max-channels":20,"max-connections":10}. The
 * limits are in order of their names. NULL only without memory; free() it. */
char *limits_write(const struct limit *limits, size_t n);

#endif
