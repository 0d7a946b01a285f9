/* SPDX-License-Identifier: MIT */
#include "grammar.h"

#include "world.h"

#define ANYTHING     0xe8 /* an octet from here on asks for a value without sense */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Texts ---- */

/* An entry "?" is the last name that the broker has made. */
struct words {
	const char *field;
	const char *words[9];
};

/* clang-format off */
static const struct words dictionary[] = {
	{"queue", {"", "q0", "q1", "q2", "q3", "amq.rabbitmq.reply-to", "?", "q4"}},
	{"exchange", {"", "", "amq.direct", "amq.fanout", "amq.topic", "amq.headers", "x0", "x1"}},
	{"source", {"", "amq.match", "amq.direct", "amq.fanout", "amq.topic", "amq.headers", "x0", "x1"}},
	{"destination", {"", "amq.rabbitmq.trace", "amq.direct", "amq.fanout", "amq.topic", "x1", "x0", "x2"}},
	{"type", {"direct", "fanout", "topic", "headers", "direct", "topic", "fanout", "x-none"}},
	{"routing_key", {"", "q0", "q1", "q2", "a.b.c", "a.#", "#.b.*", "?"}},
	{"consumer_tag", {"", "t0", "t1", "t2", "t3", "t0", "t1", ""}},
	{"virtual_host", {"/", "/", "/", "/", "/", "/", "", "none"}},
	{"mechanism", {"PLAIN", "PLAIN", "PLAIN", "AMQPLAIN", "AMQPLAIN", "EXTERNAL", "", "PLAIN"}},
	{"locale", {"en_US", "en_US", "en_US", "en_US", "", "en_US", "en_US", "xx"}},
	{"reply_to", {"amq.rabbitmq.reply-to", "?", "q0", "q1", "", "amq.rabbitmq.reply-to", "?", "q2"}},
	{"expiration", {"0", "1", "2", "1000", "99999999999999999999", "-1", "1s", ""}},
	{"user_id", {"guest", "guest", "guest", "guest", "guest", "guest", "guest", "other"}},
};

static const char *const keys[] = {
	"x-expires", "x-message-ttl", "x-match", "alternate-exchange", "x-priority", "x-queue-type", "x-delivery-limit",
	"x-max-length", "CC", "BCC", "h0", "h1", "x-h2", "x-dead-letter-exchange", "x-single-active-consumer",
	"x-max-priority",
};

static const char *const values[] = {
	"all", "any", "all-with-x", "any-with-x", "x0", "amq.fanout", "x1", "classic", "quorum", "q0", "q1", "lazy",
	"", "amq.topic", "v", "stream",
};
/* clang-format on */

static struct slice text(struct fuzz_source *source, const char *field)
{
	unsigned choice = amqp_get_octet(source);

	if (choice >= ANYTHING)
		return fuzz_text(source);
	for (size_t i = 0; i < COUNT(dictionary); i++) {
		const char *word = dictionary[i].words[choice % 8];

		if (strcmp(dictionary[i].field, field) != 0)
			continue;
		if (strcmp(word, "?") != 0)
			return slice_cstr(word);
		return strcmp(field, "queue") == 0 || (choice & 8) != 0 ? world_queue_name()
									: world_reply_name();
	}
	return fuzz_text(source);
}

static struct slice longstr(struct fuzz_source *source, const char *field)
{
	static const char amqplain[] = "\5LOGINS\0\0\0\5guest\10PASSWORDS\0\0\0\5guest";
	unsigned choice = amqp_get_octet(source);

	if (strcmp(field, "response") != 0 || choice >= ANYTHING)
		return fuzz_longstr(source);
	if (choice % 4 == 3)
		return slice_make(amqplain, sizeof(amqplain) - 1);
	return slice_make("\0guest\0guest", 12);
}

/* ---- Numbers ---- */

static uint64_t number(struct fuzz_source *source, const char *field, unsigned size)
{
	unsigned choice = amqp_get_octet(source);

	if (choice >= ANYTHING)
		return amqp_get_longlong(source);
	if (strcmp(field, "frame_max") == 0)
		return choice % 4 == 0 ? 4096 : choice % 4 == 1 ? 8192 : 131072;
	if (strcmp(field, "channel_max") == 0)
		return choice % 4 + 1;
	if (strcmp(field, "prefetch_size") == 0 || strcmp(field, "reserved_1") == 0)
		return 0;
	if (strcmp(field, "prefetch_count") == 0)
		return choice % 8;
	if (strcmp(field, "timestamp") == 0 || size < 8)
		return choice;
	return choice % 32; /* a delivery tag */
}

/* Those that end a connection at once, or hide its answers, come less often. */
static bool bit(struct fuzz_source *source, const char *field)
{
	unsigned choice = amqp_get_octet(source);

	if (strcmp(field, "immediate") == 0)
		return choice >= ANYTHING;
	if (strcmp(field, "passive") == 0 || strcmp(field, "no_wait") == 0 ||
	    strcmp(field, "internal") == 0)
		return choice % 8 == 7;
	if (strcmp(field, "requeue") == 0 || strcmp(field, "active") == 0)
		return choice < ANYTHING && choice % 8 != 7;
	return (choice & 1) != 0;
}

/* ---- Tables ---- */

static void put_keys(struct fuzz_source *source, struct amqp_table_writer *w, const char *key)
{
	unsigned n = amqp_get_octet(source) % 8;

	amqp_table_begin_array(w, key);
	while (n-- > 0)
		amqp_table_put_string(w, NULL, text(source, "routing_key"));
	amqp_table_end(w);
}

static void put_argument(struct fuzz_source *source, struct amqp_table_writer *w)
{
	const char *key = keys[amqp_get_octet(source) % COUNT(keys)];
	unsigned choice = amqp_get_octet(source);
	struct amqp_value value;

	if (choice >= ANYTHING) {
		value = fuzz_scalar(source);
		amqp_table_put_value(w, slice_cstr(key), &value);
	} else if (strcmp(key, "CC") == 0 || strcmp(key, "BCC") == 0) {
		put_keys(source, w, key);
	} else if (choice % 2 == 0) {
		amqp_table_put_string(w, key, slice_cstr(values[choice / 2 % COUNT(values)]));
	} else if (choice % 8 == 7) {
		amqp_table_put_bool(w, key, choice > 128);
	} else {
		amqp_table_put_int32(w, key, choice / 8);
	}
}

struct slice grammar_arguments(struct fuzz_source *source, struct buffer *table)
{
	unsigned choice = amqp_get_octet(source);
	struct amqp_table_writer w;

	if (choice >= ANYTHING)
		return fuzz_table(source, table);
	amqp_table_writer_init(&w, table);
	for (choice %= 4; choice > 0; choice--)
		put_argument(source, &w);
	fuzz_check(amqp_table_writer_finish(&w) == 0);
	return buffer_slice(table);
}

static struct slice client_properties(struct fuzz_source *source, struct buffer *table)
{
	unsigned choice = amqp_get_octet(source);
	struct amqp_table_writer w;

	if (choice >= ANYTHING)
		return fuzz_table(source, table);
	amqp_table_writer_init(&w, table);
	amqp_table_begin_table(&w, "capabilities");
	amqp_table_put_bool(&w, "authentication_failure_close", (choice & 1) != 0);
	amqp_table_put_bool(&w, "consumer_cancel_notify", (choice & 2) == 0);
	amqp_table_put_bool(&w, "connection.blocked", (choice & 4) == 0);
	amqp_table_end(&w);
	fuzz_check(amqp_table_writer_finish(&w) == 0);
	return buffer_slice(table);
}

static struct slice table_for(struct fuzz_source *source, const char *field, struct buffer *table)
{
	if (strcmp(field, "client_properties") == 0)
		return client_properties(source, table);
	return grammar_arguments(source, table);
}

/* ---- Methods and properties, from the table ---- */

#define MAKE_octet(to, name)	to->name = (uint8_t)number(source, #name, 1);
#define MAKE_short(to, name)	to->name = (uint16_t)number(source, #name, 2);
#define MAKE_long(to, name)	to->name = (uint32_t)number(source, #name, 4);
#define MAKE_longlong(to, name) to->name = number(source, #name, 8);
#define MAKE_bit(to, name)	to->name = bit(source, #name);
#define MAKE_shortstr(to, name) to->name = text(source, #name);
#define MAKE_text(to, name)	to->name = text(source, #name);
#define MAKE_longstr(to, name)	to->name = longstr(source, #name);
#define MAKE_table(to, name)	to->name = table_for(source, #name, table);
#define MAKE_FIELD(type, name)	MAKE_##type(method, name)

#define MAKE(class, method_, ...)                                                                  \
	static void make_##class##_##method_(struct amqp_##class##_##method_ *method,              \
					     struct fuzz_source *source, struct buffer *table)     \
	{                                                                                          \
		(void)method;                                                                      \
		(void)source;                                                                      \
		(void)table;                                                                       \
		AMQP_FIELDS_##class##_##method_(MAKE_FIELD);                                       \
	}
AMQP_METHODS(MAKE)

void grammar_make_method(struct fuzz_source *source, struct amqp_method *method,
			 struct buffer *table)
{
	switch (method->id) {
#define CASE(class, method_, CLASS, METHOD, ...)                                                   \
	case AMQP_##CLASS##_##METHOD:                                                              \
		make_##class##_##method_(&method->class##_##method_, source, table);               \
		break;
		AMQP_METHODS(CASE)
#undef CASE
	default:
		abort();
	}
}

uint32_t grammar_choose_method(struct fuzz_source *source)
{
	static const uint32_t all[] = {
#define ID(class, method, CLASS, METHOD, ...) AMQP_##CLASS##_##METHOD,
		AMQP_METHODS(ID)
#undef ID
	};
	static const uint32_t useful[] = {
		AMQP_QUEUE_DECLARE,    AMQP_QUEUE_BIND,	   AMQP_BASIC_CONSUME, AMQP_BASIC_ACK,
		AMQP_BASIC_NACK,       AMQP_BASIC_GET,	   AMQP_BASIC_CANCEL,  AMQP_BASIC_QOS,
		AMQP_EXCHANGE_DECLARE, AMQP_EXCHANGE_BIND, AMQP_QUEUE_DELETE,  AMQP_QUEUE_PURGE,
		AMQP_CONFIRM_SELECT,   AMQP_TX_SELECT,	   AMQP_TX_COMMIT,     AMQP_TX_ROLLBACK,
		AMQP_CHANNEL_CLOSE,    AMQP_CHANNEL_OPEN,  AMQP_BASIC_RECOVER, AMQP_QUEUE_UNBIND,
		AMQP_EXCHANGE_UNBIND,  AMQP_CHANNEL_FLOW,  AMQP_BASIC_REJECT,  AMQP_QUEUE_DECLARE,
		AMQP_EXCHANGE_DELETE,  AMQP_BASIC_CONSUME, AMQP_BASIC_ACK,     AMQP_QUEUE_BIND,
	};
	unsigned choice = amqp_get_octet(source);

	return choice >= 0xc0 ? all[choice % COUNT(all)] : useful[choice % COUNT(useful)];
}

void grammar_make_properties(struct fuzz_source *source, struct amqp_properties *properties,
			     struct buffer *table)
{
	unsigned choice = amqp_get_octet(source);

	*properties = (struct amqp_properties){.flags = 0};
	if (choice >= ANYTHING)
		properties->flags = amqp_get_short(source) & 0xfffc;
	if (choice & 1)
		properties->flags |= AMQP_PROPERTY_DELIVERY_MODE;
	if ((choice & 6) == 6)
		properties->flags |= AMQP_PROPERTY_HEADERS;
	if ((choice & 24) == 24)
		properties->flags |= AMQP_PROPERTY_REPLY_TO;
	if ((choice & 96) == 96)
		properties->flags |= AMQP_PROPERTY_EXPIRATION;
#define MAKE_PROPERTY(type, name, NAME, bit)                                                       \
	if (amqp_properties_has(properties, AMQP_PROPERTY_##NAME)) {                               \
		MAKE_##type(properties, name)                                                      \
	}
	AMQP_PROPERTIES(MAKE_PROPERTY)
#undef MAKE_PROPERTY
	if (amqp_properties_has(properties, AMQP_PROPERTY_DELIVERY_MODE) && choice < ANYTHING)
		properties->delivery_mode = 2;
}
