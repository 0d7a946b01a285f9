/* SPDX-License-Identifier: MIT */
#include "broker/change/arguments.h"

#include <errno.h>

#include "amqp/table.h"
#include "base/log.h"

/* RabbitMQ: MAX_EXPIRY_TIMER, ten years. */
#define EXPIRY_MAX_MS 315360000000

/* Which queue types know an argument. */
enum {
	CLASSIC = 1,
	QUORUM = 2,
	STREAM = 4,
};

/* What a value is checked against: the queue in question, for texts, and all arguments. */
struct check {
	struct slice arguments, name, vhost;
	const char *argument;
	struct amqp_error *error;
};

#define RS_QUEUE  "queue '" SLICE_FMT "' in vhost '" SLICE_FMT "'"
#define RS_ARG(c) SLICE_ARG((c)->name), SLICE_ARG((c)->vhost)
#define INVALID(c, format, ...)                                                                    \
	amqp_error_set((c)->error, AMQP_PRECONDITION_FAILED,                                       \
		       "invalid arg '%s' for " RS_QUEUE ": " format, (c)->argument, RS_ARG(c),     \
		       __VA_ARGS__)

/* ---- Checks of one value: 0, or 406 with the error set ---- */

static int unacceptable_type(struct check *c, const struct amqp_value *value)
{
	return INVALID(c, "{unacceptable_type,%s}", amqp_value_type_name(value->type));
}

static int check_integer(struct check *c, const struct amqp_value *value)
{
	if (amqp_value_is_integer(value))
		return 0;
	return INVALID(c, "\"expected integer, got %s\"", amqp_value_type_name(value->type));
}

static int check_not_negative(struct check *c, const struct amqp_value *value)
{
	int r = check_integer(c, value);

	if (r == 0 && value->integer < 0)
		r = INVALID(c, "{value_negative,%lld}", (long long)value->integer);
	return r;
}

static int check_positive(struct check *c, const struct amqp_value *value)
{
	int r = check_not_negative(c, value);

	if (r == 0 && value->integer == 0)
		r = INVALID(c, "{value_zero,%d}", 0);
	return r;
}

static int check_expiry(struct check *c, const struct amqp_value *value)
{
	int r = check_not_negative(c, value);

	if (r == 0 && value->integer > EXPIRY_MAX_MS)
		r = INVALID(c, "{value_too_large,%lld}", (long long)value->integer);
	return r;
}

static int check_expires(struct check *c, const struct amqp_value *value)
{
	int r = check_positive(c, value);

	return r != 0 ? r : check_expiry(c, value);
}

static int check_max_priority(struct check *c, const struct amqp_value *value)
{
	int r = check_not_negative(c, value);

	if (r == 0 && value->integer > 255)
		r = INVALID(c, "{max_value_exceeded,%lld}", (long long)value->integer);
	return r;
}

static int check_bool(struct check *c, const struct amqp_value *value)
{
	return value->type == AMQP_VALUE_BOOL ? 0 : unacceptable_type(c, value);
}

static int check_string(struct check *c, const struct amqp_value *value)
{
	return value->type == AMQP_VALUE_STRING ? 0 : unacceptable_type(c, value);
}

static bool is_one_of(const struct amqp_value *value, const char *const *words)
{
	for (; *words; words++) {
		if (slice_equal(value->bytes, slice_cstr(*words)))
			return true;
	}
	return false;
}

static int check_overflow(struct check *c, const struct amqp_value *value)
{
	static const char *const words[] = {"drop-head", "reject-publish", "reject-publish-dlx",
					    NULL};
	int r = check_string(c, value);

	return r != 0 || is_one_of(value, words) ? r : INVALID(c, "%s", "invalid_overflow");
}

static int check_strategy(struct check *c, const struct amqp_value *value)
{
	static const char *const words[] = {"at-most-once", "at-least-once", NULL};
	int r = check_string(c, value);

	return r != 0 || is_one_of(value, words) ? r : INVALID(c, "%s", "invalid_dlx_strategy");
}

static int check_mode(struct check *c, const struct amqp_value *value)
{
	static const char *const words[] = {"default", "lazy", NULL};
	int r = check_string(c, value);

	if (r != 0 || is_one_of(value, words))
		return r;
	return INVALID(c, "\"unsupported queue mode '" SLICE_FMT "'\"", SLICE_ARG(value->bytes));
}

static int check_version(struct check *c, const struct amqp_value *value)
{
	int r = check_not_negative(c, value);

	if (r == 0 && value->integer != 1 && value->integer != 2)
		r = INVALID(c, "\"unsupported queue version '%lld'\"", (long long)value->integer);
	return r;
}

static int check_type(struct check *c, const struct amqp_value *value)
{
	static const char *const words[] = {"classic", "quorum", "stream", NULL};
	int r = check_string(c, value);

	if (r != 0 || is_one_of(value, words))
		return r;
	return INVALID(c, "\"unsupported queue type '" SLICE_FMT "'\"", SLICE_ARG(value->bytes));
}

static int check_dead_letter_key(struct check *c, const struct amqp_value *value)
{
	struct amqp_value exchange;
	int r = check_string(c, value);

	if (r == 0 && !amqp_table_find(c->arguments, "x-dead-letter-exchange", &exchange))
		r = INVALID(c, "%s", "routing_key_but_no_dlx_defined");
	return r;
}

/* Accepted by RabbitMQ whatever it is. */
static int check_nothing(struct check *c, const struct amqp_value *value)
{
	(void)c;
	(void)value;
	return 0;
}

/* ---- The table ---- */

enum fate {
	BUILT,
	IGNORED, /* accepted, with a line in the log */
	UNBUILT, /* 540 */
};

static const struct argument {
	const char *name;
	unsigned types;
	enum fate fate;
	int (*check)(struct check *check, const struct amqp_value *value);
} known[] = {
	// clang-format off
	{ "x-queue-type",                    CLASSIC | QUORUM | STREAM, BUILT,   check_type },
	{ "x-expires",                       CLASSIC | QUORUM,          BUILT,   check_expires },
	{ "x-message-ttl",                   CLASSIC | QUORUM,          BUILT,   check_expiry },
	{ "x-delivery-limit",                QUORUM,                    BUILT,   check_integer },
	{ "x-dead-letter-exchange",          CLASSIC | QUORUM,          UNBUILT, check_string },
	{ "x-dead-letter-routing-key",       CLASSIC | QUORUM,          UNBUILT, check_dead_letter_key },
	{ "x-dead-letter-strategy",          QUORUM,                    UNBUILT, check_strategy },
	{ "x-max-length",                    CLASSIC | QUORUM,          UNBUILT, check_not_negative },
	{ "x-max-length-bytes",              CLASSIC | QUORUM | STREAM, UNBUILT, check_not_negative },
	{ "x-max-in-memory-length",          QUORUM,                    IGNORED, check_not_negative },
	{ "x-max-in-memory-bytes",           QUORUM,                    IGNORED, check_not_negative },
	{ "x-max-priority",                  CLASSIC,                   UNBUILT, check_max_priority },
	{ "x-overflow",                      CLASSIC | QUORUM,          UNBUILT, check_overflow },
	{ "x-queue-mode",                    CLASSIC,                   IGNORED, check_mode },
	{ "x-queue-version",                 CLASSIC,                   IGNORED, check_version },
	{ "x-single-active-consumer",        CLASSIC | QUORUM,          UNBUILT, check_bool },
	{ "x-quorum-initial-group-size",     QUORUM,                    IGNORED, check_positive },
	{ "x-queue-leader-locator",          CLASSIC | QUORUM | STREAM, IGNORED, check_string },
	{ "x-queue-master-locator",          CLASSIC,                   IGNORED, check_nothing },
	{ "x-max-age",                       STREAM,                    UNBUILT, check_string },
	{ "x-stream-max-segment-size-bytes", STREAM,                    UNBUILT, check_not_negative },
	{ "x-stream-filter-size-bytes",      STREAM,                    UNBUILT, check_not_negative },
	{ "x-initial-cluster-size",          STREAM,                    UNBUILT, check_positive },
	// clang-format on
};
#define N_KNOWN (sizeof(known) / sizeof(known[0]))

static const struct argument *find_known(struct slice name)
{
	for (size_t i = 0; i < N_KNOWN; i++) {
		if (slice_equal(slice_cstr(known[i].name), name))
			return &known[i];
	}
	return NULL;
}

/* The arguments are checked, or were when the queue was made. */
static unsigned type_of(struct slice arguments)
{
	struct amqp_value value;

	if (!amqp_table_find(arguments, "x-queue-type", &value) || value.type != AMQP_VALUE_STRING)
		return CLASSIC;
	if (slice_equal(value.bytes, SLICE_LITERAL("quorum")))
		return QUORUM;
	return slice_equal(value.bytes, SLICE_LITERAL("stream")) ? STREAM : CLASSIC;
}

/* ---- A new queue ---- */

static int check_values(struct check *c, unsigned type)
{
	struct amqp_value value;
	int r = 0;

	for (size_t i = 0; i < N_KNOWN && r == 0; i++) {
		c->argument = known[i].name;
		if ((known[i].types & type) != 0 &&
		    amqp_table_find(c->arguments, known[i].name, &value))
			r = known[i].check(c, &value);
	}
	return r;
}

/* In the order in which they were sent: those that only other types know. */
static int check_names(struct check *c, unsigned type)
{
	struct amqp_table_iter iter;
	struct amqp_value value;
	struct slice name;

	amqp_table_iter_init(&iter, c->arguments);
	while (amqp_table_iter_next(&iter, &name, &value) == 1) {
		const struct argument *argument = find_known(name);

		if (argument && (argument->types & type) == 0)
			return amqp_error_set(c->error, AMQP_PRECONDITION_FAILED,
					      "invalid arg '%s' for " RS_QUEUE " of queue type %s",
					      argument->name, RS_ARG(c),
					      type == QUORUM ? "rabbit_quorum_queue"
							     : "rabbit_classic_queue");
	}
	return 0;
}

/* RabbitMQ: rabbit_queue_type_util. */
static int check_quorum_properties(struct check *c, const struct queue_options *options)
{
	const char *property = options->auto_delete  ? "auto-delete"
			       : options->owner != 0 ? "exclusive-owner"
			       : !options->durable   ? "non-durable"
						     : NULL;

	if (!property)
		return 0;
	return amqp_error_set(c->error, AMQP_PRECONDITION_FAILED,
			      "invalid property '%s' for " RS_QUEUE, property, RS_ARG(c));
}

static void log_ignored(struct check *c, const struct argument *argument)
{
	static struct log_limit limit = LOG_LIMIT(5);
	char queue[300];

	log_limited(&limit, LOG_LEVEL_INFO, "queue",
		    "argument has no effect here and is ignored: argument=%s queue=%s",
		    argument->name, log_quote(queue, sizeof(queue), c->name));
}

static int check_built(struct check *c)
{
	struct amqp_table_iter iter;
	struct amqp_value value;
	struct slice name;

	amqp_table_iter_init(&iter, c->arguments);
	while (amqp_table_iter_next(&iter, &name, &value) == 1) {
		const struct argument *argument = find_known(name);

		if (argument && argument->fate == IGNORED)
			log_ignored(c, argument);
		if (!argument || argument->fate != UNBUILT)
			continue;
		if (value.type == AMQP_VALUE_BOOL && !value.boolean)
			continue; /* x-single-active-consumer off: as without it */
		return amqp_error_set(c->error, AMQP_NOT_IMPLEMENTED, "argument '%s' for " RS_QUEUE,
				      argument->name, RS_ARG(c));
	}
	return 0;
}

/* 0 or below zero are RabbitMQ's "at the first return" and "no limit"; the first is not built. */
static int read_delivery_limit(struct check *c, int64_t limit, struct queue_options *options)
{
	if (limit == 0)
		return amqp_error_set(c->error, AMQP_NOT_IMPLEMENTED,
				      "argument 'x-delivery-limit' of 0 for " RS_QUEUE, RS_ARG(c));
	if (limit > 0)
		options->delivery_limit = limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit;
	return 0;
}

static int read_built(struct check *c, struct queue_options *options)
{
	struct amqp_value value;

	options->message_ttl_ms = UINT64_MAX;
	options->expires_ms = 0;
	options->delivery_limit = 0;
	if (amqp_table_find(c->arguments, "x-message-ttl", &value))
		options->message_ttl_ms = (uint64_t)value.integer;
	if (amqp_table_find(c->arguments, "x-expires", &value))
		options->expires_ms = (uint64_t)value.integer;
	if (options->quorum && amqp_table_find(c->arguments, "x-delivery-limit", &value))
		return read_delivery_limit(c, value.integer, options);
	return 0;
}

int arguments_read_queue(struct slice arguments, struct slice name, struct slice vhost,
			 struct queue_options *options, struct amqp_error *error)
{
	struct check c = {.arguments = arguments, .name = name, .vhost = vhost, .error = error};
	struct amqp_value value;

	c.argument = "x-queue-type";
	if (amqp_table_find(arguments, c.argument, &value) && check_type(&c, &value) != 0)
		return -EPROTO;

	unsigned type = type_of(arguments);

	if (type == STREAM)
		return amqp_error_set(error, AMQP_NOT_IMPLEMENTED,
				      "argument 'x-queue-type' of 'stream' for " RS_QUEUE,
				      RS_ARG(&c));
	options->quorum = type == QUORUM;
	if (check_values(&c, type) != 0 || check_names(&c, type) != 0)
		return -EPROTO;
	if (type == QUORUM && check_quorum_properties(&c, options) != 0)
		return -EPROTO;
	if (check_built(&c) != 0)
		return -EPROTO;
	return read_built(&c, options);
}

/* ---- Declared again ---- */

int arguments_inequivalent(const char *what, const char *kind, struct slice name,
			   struct slice vhost, struct slice received, struct slice current,
			   struct amqp_error *error)
{
	return amqp_error_set(error, AMQP_PRECONDITION_FAILED,
			      "inequivalent arg '%s' for %s '" SLICE_FMT "' in vhost '" SLICE_FMT
			      "': received " SLICE_FMT " but current is " SLICE_FMT,
			      what, kind, SLICE_ARG(name), SLICE_ARG(vhost), SLICE_ARG(received),
			      SLICE_ARG(current));
}

/* `none`, or what it is. */
static void describe(struct buffer *out, const struct amqp_value *value)
{
	if (!value) {
		buffer_append_cstr(out, "none");
		return;
	}
	buffer_append_cstr(out, "the value '");
	amqp_value_print(value, out);
	buffer_printf(out, "' of type '%s'", amqp_value_type_name(value->type));
}

static bool is_classic(const struct amqp_value *value)
{
	return value->type == AMQP_VALUE_STRING &&
	       slice_equal(value->bytes, SLICE_LITERAL("classic"));
}

/* Classic is what a queue is without the argument. */
static bool is_equivalent(const char *argument, const struct amqp_value *current,
			  const struct amqp_value *received)
{
	if (current && received)
		return amqp_value_equal(current, received);
	if (!current && !received)
		return true;
	return strcmp(argument, "x-queue-type") == 0 && is_classic(current ? current : received);
}

static int compare(const char *argument, const char *kind, struct slice current,
		   struct slice received, struct slice name, struct slice vhost,
		   struct amqp_error *error)
{
	struct amqp_value values[2];
	const struct amqp_value *c =
		amqp_table_find(current, argument, &values[0]) ? &values[0] : NULL;
	const struct amqp_value *r =
		amqp_table_find(received, argument, &values[1]) ? &values[1] : NULL;
	struct buffer c_text, r_text;

	if (is_equivalent(argument, c, r))
		return 0;
	buffer_init(&c_text);
	buffer_init(&r_text);
	describe(&c_text, c);
	describe(&r_text, r);
	(void)arguments_inequivalent(argument, kind, name, vhost, buffer_slice(&r_text),
				     buffer_slice(&c_text), error);
	buffer_fini(&c_text);
	buffer_fini(&r_text);
	return -EPROTO;
}

int arguments_compare_queue(struct slice current, struct slice received, struct slice name,
			    struct slice vhost, struct amqp_error *error)
{
	unsigned type = type_of(current);
	int r = 0;

	if (current.size == 0 && received.size == 0)
		return 0;
	for (size_t i = 0; i < N_KNOWN && r == 0; i++) {
		if ((known[i].types & type) != 0)
			r = compare(known[i].name, "queue", current, received, name, vhost, error);
	}
	return r;
}

/* ---- Exchanges ---- */

int arguments_check_exchange(struct slice arguments, struct slice name, struct slice vhost,
			     struct amqp_error *error)
{
	struct amqp_value value;

	if (!amqp_table_find(arguments, "alternate-exchange", &value) ||
	    value.type == AMQP_VALUE_STRING)
		return 0;
	return amqp_error_set(
		error, AMQP_PRECONDITION_FAILED,
		"invalid type '%s' for arg 'alternate-exchange' in exchange '" SLICE_FMT
		"' in vhost '" SLICE_FMT "'",
		amqp_value_type_name(value.type), SLICE_ARG(name), SLICE_ARG(vhost));
}

int arguments_compare_exchange(struct slice current, struct slice received, struct slice name,
			       struct slice vhost, struct amqp_error *error)
{
	return compare("alternate-exchange", "exchange", current, received, name, vhost, error);
}

struct slice arguments_alternate_exchange(struct slice arguments)
{
	struct amqp_value value;

	if (amqp_table_find(arguments, "alternate-exchange", &value) &&
	    value.type == AMQP_VALUE_STRING)
		return value.bytes;
	return SLICE_EMPTY;
}
