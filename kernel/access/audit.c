/* SPDX-License-Identifier: MIT */
#include "access/audit.h"

#include <stdarg.h>
#include <stdio.h>

/* What is longer is cut by log_quote(): a user's name fits, unless it is all escapes. */
#define AUDIT_BY_SIZE	300
#define AUDIT_FROM_SIZE 400

bool audit_is_on(void)
{
	return log_level() >= LOG_LEVEL_INFO;
}

static bool audit_may_log(struct log_limit *limit)
{
	return limit != NULL ? log_limit_take(limit, LOG_LEVEL_INFO) : audit_is_on();
}

void audit(const struct audit_actor *actor, struct log_limit *limit, const char *event,
	   const char *details, ...)
{
	char by[AUDIT_BY_SIZE], from[AUDIT_FROM_SIZE], text[LOG_LINE_SIZE];
	const char *blank;
	va_list args;

	if (!audit_may_log(limit))
		return;
	va_start(args, details);
	(void)vsnprintf(text, sizeof(text), details, args);
	va_end(args);
	log_quote(by, sizeof(by), actor->by);
	log_quote(from, sizeof(from), actor->from);
	blank = text[0] != '\0' ? " " : "";
	if (limit != NULL)
		log_taken(limit, LOG_LEVEL_INFO, "audit", "event=%s by=%s from=%s%s%s", event, by,
			  from, blank, text);
	else
		log_write(LOG_LEVEL_INFO, "audit", "event=%s by=%s from=%s%s%s", event, by, from,
			  blank, text);
}
