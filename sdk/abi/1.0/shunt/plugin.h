/* SPDX-License-Identifier: MIT */
#ifndef SHUNT_PLUGIN_H
#define SHUNT_PLUGIN_H

/*
 * Shunt's plugin interface: the one header that a plugin needs. C11, usable from C++.
 *
 * A plugin is a shared object that exports one constant, `shunt_plugin` (see SHUNT_PLUGIN below), and nothing else. The
 * broker checks magic, ABI major number and size before it reads the rest, calls start(), and hands it a struct
 * shunt_host, through which the plugin registers what it brings. A plugin calls the broker through that table alone, so
 * it links against nothing of it and a test can pass a host of its own.
 *
 * Versions: the major number changes when something that exists changes; a plugin of another major number is refused.
 * The minor number grows when something is added at the end of a structure; a plugin built against an older minor
 * runs on a newer broker, a newer one on an older broker is refused. Structures that the broker fills begin with their
 * size, and SHUNT_HAS() tells whether a member is there.
 *
 * Threads: the broker runs one event loop a thread. Functions marked "any loop" may run on several of them at once;
 * those marked "alone" run while nothing else of the same exchange instance runs. No function of a plugin may block.
 *
 * Memory: what a function is passed is valid during the call, except where another span is stated. Text need not be
 * zero-terminated; it is a struct shunt_bytes.
 *
 * Errors: functions that may fail return 0 or -1; on -1 they have filled the struct shunt_error, which becomes the AMQP
 * exception that the client sees.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHUNT_PLUGIN_MAGIC 0x544e4853u
#define SHUNT_ABI_MAJOR 1u
#define SHUNT_ABI_MINOR 0u

/* True if the structure that the broker passed is new enough to have the member. */
#define SHUNT_HAS(pointer, type, member) \
	((pointer)->size >= offsetof(type, member) + sizeof((pointer)->member))

/* Bytes that somebody else owns. */
struct shunt_bytes {
	const uint8_t *data;
	size_t size;
};

/* AMQP reply codes that a plugin has use for. 403 to 406 close the channel, the others the connection. */
enum shunt_code {
	SHUNT_ACCESS_REFUSED = 403,
	SHUNT_NOT_FOUND = 404,
	SHUNT_PRECONDITION_FAILED = 406,
	SHUNT_RESOURCE_ERROR = 506,
	SHUNT_NOT_ALLOWED = 530,
	SHUNT_NOT_IMPLEMENTED = 540,
	SHUNT_INTERNAL_ERROR = 541,
};

/* What went wrong. `text` goes to the client behind the code's name, cut to what AMQP can carry (255 bytes in all). */
struct shunt_error {
	uint16_t code;
	char text[254];
};

/* ---- Field tables: arguments and message headers ---- */

/*
 * One value of an AMQP field table. `type` is the letter on the wire:
 *   t boolean;  b s I l L signed 8, 16, 32, 64, 64 bits: integer;  B u i unsigned 8, 16, 32 bits: integer;
 *   f d real;  D decimal: integer and scale (integer / 10^scale);  T POSIX seconds: integer;
 *   S x text, bytes: bytes;  F A table, array: bytes (the raw contents);  V nothing.
 * A timestamp is unsigned on the wire: one of 2^63 or more is negative here.
 */
struct shunt_value {
	char type;
	uint8_t scale;
	bool boolean;
	int64_t integer;
	double real;
	struct shunt_bytes bytes;
};

/* ---- Messages ---- */

/* The properties of basic content, for shunt_host.message_property. */
enum shunt_property {
	SHUNT_CONTENT_TYPE,
	SHUNT_CONTENT_ENCODING,
	SHUNT_DELIVERY_MODE, /* type B */
	SHUNT_PRIORITY,      /* type B */
	SHUNT_CORRELATION_ID,
	SHUNT_REPLY_TO,
	SHUNT_EXPIRATION,
	SHUNT_MESSAGE_ID,
	SHUNT_TIMESTAMP, /* type T */
	SHUNT_TYPE,
	SHUNT_USER_ID,
	SHUNT_APP_ID,
};

/* A message as route() sees it. Immutable; valid during the call. */
struct shunt_message {
	size_t size;
	struct shunt_bytes exchange;    /* to which it was published */
	struct shunt_bytes routing_key; /* at most 255 bytes, but keys of CC and BCC headers may be longer */
	struct shunt_bytes body;
};

/* ---- Exchange types ---- */

/* An exchange as it was declared. Valid as long as the instance that create() made for it. */
struct shunt_exchange {
	size_t size;
	struct shunt_bytes vhost;
	struct shunt_bytes name;
	struct shunt_bytes arguments; /* raw field table */
	bool durable;
	bool auto_delete;
	bool internal;
};

/*
 * A binding from the exchange to a queue or another exchange. The broker owns it; it is valid from bind() (or
 * validate_binding(), for that call) until unbind() of the same instance has returned, so that an instance may keep the pointer and the bytes.
 */
struct shunt_binding {
	size_t size;
	uint64_t id; /* never used twice in a run of the broker */
	struct shunt_bytes routing_key;
	struct shunt_bytes arguments; /* raw field table */
	struct shunt_bytes destination;
	bool destination_is_exchange;
};

/* Where route() puts its answer. */
struct shunt_sink {
	/*
	 * Adds bindings to the answer. May be called any number of times; the same binding or destination twice is one
	 * delivery. The array is read during the call only.
	 */
	void (*emit)(struct shunt_sink *sink, const struct shunt_binding *const *bindings, size_t count);
};

/*
 * An exchange type. Constant, and in place until the plugin is closed. `state` is what create() returned for one exchange. All but
 * create, route and destroy may be NULL.
 */
struct shunt_exchange_type {
	size_t size;            /* sizeof(struct shunt_exchange_type) */
	const char *name;       /* as clients write it in exchange.declare, at most 127 bytes */
	const char *description; /* one line */

	/* Whether an exchange may be declared so. Any loop. `plugin` is what start() left in *ret_plugin. */
	int (*validate)(void *plugin, const struct shunt_exchange *exchange, struct shunt_error *error);

	/* Makes an instance without bindings. Any loop, but alone for this exchange. */
	int (*create)(void *plugin, const struct shunt_exchange *exchange, void **ret_state,
		      struct shunt_error *error);

	/* Frees it, with whatever it knows of bindings that were not unbound. Alone. */
	void (*destroy)(void *state);

	/*
	 * Whether the binding is acceptable. Before bind(); not called when bindings are replayed. Any loop, beside
	 * route() and other calls of itself, so it must not change the state; bind() and unbind() do not run meanwhile.
	 */
	int (*validate_binding)(const void *state, const struct shunt_binding *binding, struct shunt_error *error);

	/*
	 * A binding came, or goes. Alone: no route() runs on any loop meanwhile, so make it short. bind() fails only when memory is
	 * out. *ret_cookie is kept beside the binding for this instance, and given back to unbind(), to find things again at once.
	 */
	int (*bind)(void *state, const struct shunt_binding *binding, void **ret_cookie,
		    struct shunt_error *error);
	void (*unbind)(void *state, const struct shunt_binding *binding, void *cookie);

	/*
	 * Puts the bindings that match the message into the sink. Any loop, several at once: it must not change the
	 * state, nor block, nor call the host but for its functions marked "in route". Cost matters: this runs for every message.
	 */
	void (*route)(const void *state, const struct shunt_message *message, struct shunt_sink *sink);
};

/* ---- Configuration ---- */

enum shunt_option_type {
	SHUNT_OPTION_STRING,
	SHUNT_OPTION_INTEGER, /* minimum..maximum */
	SHUNT_OPTION_BOOLEAN, /* true or false */
};

/* One key `plugin.NAME.KEY` that the plugin understands. A list ends with a name of NULL. */
struct shunt_option {
	const char *name;
	const char *help; /* one line */
	const char *default_value; /* as text; NULL: none */
	int64_t minimum, maximum;
	enum shunt_option_type type;
};

/* ---- The host ---- */

enum shunt_log_level {
	SHUNT_LOG_ERROR,
	SHUNT_LOG_WARNING,
	SHUNT_LOG_INFO,
	SHUNT_LOG_DEBUG,
};

/*
 * What the broker offers. Each plugin gets its own table and passes it back as `host`. It is valid from start() until
 * stop() has returned.
 */
struct shunt_host {
	size_t size;
	uint32_t abi_major, abi_minor;
	const char *broker_version;

	/* Offers an exchange type. During start() only. Fails if the name is taken. */
	int (*register_exchange_type)(const struct shunt_host *host, const struct shunt_exchange_type *type,
				      struct shunt_error *error);

	/* The value of `plugin.NAME.KEY`, checked against the option's type; its default if not set, NULL if there is none. */
	const char *(*config)(const struct shunt_host *host, const char *key);

	/* One line for the broker's log. Any thread. */
	void (*log)(const struct shunt_host *host, enum shunt_log_level level, const char *text);

	/* Memory. Returns NULL when there is none; that is an ordinary error. Any thread. free(NULL) is nothing. */
	void *(*allocate)(const struct shunt_host *host, size_t size);
	void *(*reallocate)(const struct shunt_host *host, void *memory, size_t size);
	void (*free)(const struct shunt_host *host, void *memory);

	/* A fast 64-bit hash, keyed anew at every start of the broker. Any thread; in route. */
	uint64_t (*hash)(const struct shunt_host *host, const void *data, size_t size);

	/*
	 * The next entry of a raw table. Start with *position = 0; false at the end. Tables that the broker passes are well-formed. Any thread;
	 * in route. table_find: the first entry of that name. array_next: likewise for arrays (type A).
	 */
	bool (*table_next)(const struct shunt_host *host, struct shunt_bytes table, size_t *position,
			   struct shunt_bytes *ret_name, struct shunt_value *ret_value);
	bool (*table_find)(const struct shunt_host *host, struct shunt_bytes table, const char *name,
			   struct shunt_value *ret_value);
	bool (*array_next)(const struct shunt_host *host, struct shunt_bytes array, size_t *position,
			   struct shunt_value *ret_value);

	/* A message's headers, as a raw table (empty when it has none), and its other properties; false when not set. In route. */
	struct shunt_bytes (*message_headers)(const struct shunt_host *host, const struct shunt_message *message);
	bool (*message_property)(const struct shunt_host *host, const struct shunt_message *message,
				 enum shunt_property property, struct shunt_value *ret_value);

	/*
	 * The number of loops, which is the same from start() on, and that of the loop that calls (0 to count - 1); for
	 * memory of one's own per loop. In route.
	 */
	unsigned (*loop_count)(const struct shunt_host *host);
	unsigned (*loop_index)(const struct shunt_host *host);
};

/* ---- The plugin ---- */

struct shunt_plugin {
	uint32_t magic; /* SHUNT_PLUGIN_MAGIC */
	uint32_t abi_major, abi_minor;
	uint32_t struct_size; /* sizeof(struct shunt_plugin) */
	const char *name;     /* as in `plugin = NAME` and `plugin.NAME.KEY`: letters, digits, '-' and '_' */
	const char *version;
	const char *licence; /* an SPDX expression */
	const char *description;
	const struct shunt_option *options; /* NULL: none */

	/* Registers what the plugin brings. Before the loops run, or alone. */
	int (*start)(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error);
	/* Frees *ret_plugin; nothing of the plugin is called any more. May be NULL. */
	void (*stop)(void *plugin);
};

#if defined(__GNUC__)
#define SHUNT_EXPORT __attribute__((visibility("default")))
#else
#define SHUNT_EXPORT
#endif

#ifdef __cplusplus
#define SHUNT_PLUGIN extern "C" SHUNT_EXPORT const struct shunt_plugin shunt_plugin
#else
#define SHUNT_PLUGIN                                             \
	extern SHUNT_EXPORT const struct shunt_plugin shunt_plugin; \
	SHUNT_EXPORT const struct shunt_plugin shunt_plugin
#endif

#ifdef __cplusplus
}
#endif

#endif
