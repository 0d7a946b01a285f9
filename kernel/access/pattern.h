/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ACCESS_PATTERN_H
#define KERNEL_ACCESS_PATTERN_H

/*
 * Patterns of permissions: PCRE2 on bytes, not anchored, as RabbitMQ's re:run() without options. An
 * empty one stands for ^$. What a match may cost is bounded: one that would take longer is none.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/compiler.h"
#include "base/slice.h"

/*
 * Those in use, each text compiled once, as most permissions have ".*". Belongs to home, where
 * patterns are taken and given back; any loop may match.
 */
struct patterns;
struct pattern;

struct patterns *patterns_create(void) MUST_USE;
/* All of them were given back. */
void patterns_destroy(struct patterns *patterns);

/* NULL, with a reason: it does not compile, or is longer than ACCESS_PATTERN_MAX allows. */
const struct pattern *patterns_take(struct patterns *patterns, struct slice text, char *ret_reason,
				    size_t size) MUST_USE;
/* NULL is fine. */
void patterns_give(struct patterns *patterns, const struct pattern *pattern);

/* NULL matches nothing. */
bool pattern_matches(const struct pattern *pattern, struct slice subject);

/*
 * A topic permission's pattern with "{username}" and "{vhost}" replaced by the names, which mean
 * themselves there and nothing to PCRE2: they are escaped, unless they stand between \Q and \E.
 * (RabbitMQ pastes them in as they are.)
 */
void pattern_expand(struct buffer *buffer, struct slice text, struct slice username,
		    struct slice vhost);

#endif
