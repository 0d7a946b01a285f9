/* SPDX-License-Identifier: MIT */
#ifndef SHUNT_PLUGIN_H
#define SHUNT_PLUGIN_H

/*
 * Shunt's plugin interface: the one header that a plugin needs. C11, usable from C++.
 *
 * A plugin is a shared object that exports one constant, `shunt_plugin` (see SHUNT_PLUGIN below), and nothing else. The
 * broker checks magic, ABI major number and size before it reads the rest, and calls start() with a struct
 * shunt_host, through which the plugin registers what it brings. A plugin calls the broker through that table alone, so
 * it links against nothing of it and a test can pass a host of its own. docs/plugins.md is the guide to it.
 *
 * Versions: the major number changes when something that exists changes; a plugin of another major number is
 * refused. The minor number grows when something is added at the end of a structure; a plugin built against an
 * older minor runs on a newer broker, a newer one on an older broker is refused. Structures that grow begin with
 * their size: SHUNT_HAS() tells whether a member is there. What was added later than 1.0 says so.
 *
 * Threads: the broker runs one event loop a thread. A function says where it is called, or may be called:
 *   home       on the home loop: one fixed thread, one call at a time
 *   any loop   on any loop's thread, on several of them at once
 *   alone      on any thread, while nothing else of the same exchange instance runs
 *   any thread anywhere, also on threads that the plugin has made
 *   in route   everywhere, also inside route(); functions of the host without these words must not be called there
 * No function of a plugin may block, and none may take long: others wait. What takes long goes to a thread of the
 * plugin's own.
 *
 * Memory: what a function is passed is valid during the call, except where another span is stated. Text need not be
 * zero-terminated; it is a struct shunt_bytes. Structures that are registered are constant, and in place until the
 * plugin is closed.
 *
 * Errors: functions that may fail return 0 or -1; on -1 they have filled the struct shunt_error, which becomes the
 * AMQP exception that the client sees. When memory is out that is such an error, of code SHUNT_RESOURCE_ERROR.
 *
 * Another version: `shuntctl plugin reload` starts the new version beside the old one, makes new instances of all
 * exchanges from their bindings, swaps, and calls stop() of the old one after the last call of anything of it. So
 * both are there for a while.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHUNT_PLUGIN_MAGIC 0x544e4853u
#define SHUNT_ABI_MAJOR 1u
#define SHUNT_ABI_MINOR 2u

/* True if the structure that was passed is new enough to have the member. */
#define SHUNT_HAS(pointer, type, member) \
	((pointer)->size >= offsetof(type, member) + sizeof((pointer)->member))

/* Bytes that somebody else owns. Of size 0 data may be NULL. */
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

/* The properties of basic content; text (S) where nothing else is said. */
enum shunt_property {
	SHUNT_CONTENT_TYPE,
	SHUNT_CONTENT_ENCODING,
	SHUNT_DELIVERY_MODE, /* type B; 2: persistent */
	SHUNT_PRIORITY,      /* type B */
	SHUNT_CORRELATION_ID,
	SHUNT_REPLY_TO,
	SHUNT_EXPIRATION, /* milliseconds, in digits */
	SHUNT_MESSAGE_ID,
	SHUNT_TIMESTAMP, /* type T */
	SHUNT_TYPE,
	SHUNT_USER_ID,
	SHUNT_APP_ID,
};

/* A message. Immutable; valid during the call, or, if shunt_host.message_hold returned it, until it is released. */
struct shunt_message {
	size_t size;
	struct shunt_bytes exchange;    /* to which it was published */
	struct shunt_bytes routing_key; /* at most 255 bytes, but keys of CC and BCC headers may be longer */
	struct shunt_bytes body;
	struct shunt_bytes vhost; /* since 1.2 */
};

/*
 * A message in the making: what a message hook may change, and what shunt_host.publish sends. Functions of a hook's
 * draft are called during the hook only, and take effect when it passes the message. They copy what they are
 * passed, and return 0, or -1, and nothing is changed, when memory is out or the value cannot be: another type than
 * the property's, a text of more than 255 bytes, more than a message may have (of a body when publishing: then the
 * message is refused, 406). Since 1.2.
 */
struct shunt_draft {
	size_t size;
	int (*set_routing_key)(struct shunt_draft *draft, struct shunt_bytes routing_key); /* -1 on delivery */
	int (*set_body)(struct shunt_draft *draft, struct shunt_bytes body);
	/* NULL takes it away. CC and BCC headers work as from a client; on delivery they are headers as any. */
	int (*set_header)(struct shunt_draft *draft, struct shunt_bytes name, const struct shunt_value *value);
	int (*set_property)(struct shunt_draft *draft, enum shunt_property property, const struct shunt_value *value);
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
 * validate_binding(), for that call) until unbind() or destroy() of that instance has returned, so that an instance
 * may keep the pointer and the bytes.
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
	 * Adds bindings to the answer. May be called any number of times; the same binding or destination twice is
	 * one delivery. The array is read during the call only.
	 */
	void (*emit)(struct shunt_sink *sink, const struct shunt_binding *const *bindings, size_t count);
};

/* Where bound() puts messages for the binding's destination. Since 1.2. */
struct shunt_sender {
	size_t size;
	/* One that shunt_host.message_hold returned; they arrive in the order of the calls. -1: memory is out. */
	int (*send)(struct shunt_sender *sender, const struct shunt_message *message);
};

enum shunt_argument_type {
	SHUNT_ARGUMENT_ANY,
	SHUNT_ARGUMENT_BOOLEAN,
	SHUNT_ARGUMENT_INTEGER, /* of any width; minimum..maximum */
	SHUNT_ARGUMENT_NUMBER,  /* an integer, or a float or double */
	SHUNT_ARGUMENT_STRING,  /* minimum..maximum bytes; one of `choices` */
	SHUNT_ARGUMENT_TABLE,
	SHUNT_ARGUMENT_ARRAY,
};

/*
 * An argument that exchange.declare or the bind methods may carry. Before it asks the type, the broker refuses what
 * does not fit (406); it shows them to operators (`shuntctl plugin info`), and lets arguments of other names
 * through. A list ends with a name of NULL. Since 1.2.
 */
struct shunt_argument {
	const char *name;
	const char *help; /* one line */
	enum shunt_argument_type type;
	bool required;
	bool checked_by_type; /* the broker only shows it: validate() or validate_binding() checks it */
	int64_t minimum, maximum;    /* both 0: any */
	const char *const *choices;  /* ends with NULL; NULL: any */
	const char *default_value;   /* as text, for shunt_host.argument; NULL: none */
};

/* An exchange type. `state` is what create() returned for an exchange. All but create, route, destroy may be NULL. */
struct shunt_exchange_type {
	size_t size;            /* sizeof(struct shunt_exchange_type) */
	const char *name;       /* as clients write it in exchange.declare, at most 127 bytes */
	const char *description; /* one line */

	/* Whether an exchange may be declared so. Any loop. `plugin` is what start() left in *ret_plugin. */
	int (*validate)(void *plugin, const struct shunt_exchange *exchange, struct shunt_error *error);

	/* Makes an instance without bindings. Any loop, but alone for this exchange. */
	int (*create)(void *plugin, const struct shunt_exchange *exchange, void **ret_state, struct shunt_error *error);

	/* Frees it, with whatever it knows of bindings that were not unbound. Alone; on any thread. */
	void (*destroy)(void *state);

	/*
	 * Whether the binding is acceptable. Before bind() of a new binding, and of all of them when another
	 * version of the plugin is loaded; not when bindings come back after a restart. Any loop, beside route()
	 * and other calls of itself, so it must not change the state; bind() and unbind() do not run meanwhile.
	 */
	int (*validate_binding)(const void *state, const struct shunt_binding *binding, struct shunt_error *error);

	/*
	 * A binding came, or goes. Alone: no route() runs on any loop meanwhile, so make it short. bind() fails
	 * only when memory is out. *ret_cookie is kept beside the binding for this instance, and given back to
	 * unbind(), to find things again at once.
	 */
	int (*bind)(void *state, const struct shunt_binding *binding, void **ret_cookie, struct shunt_error *error);
	void (*unbind)(void *state, const struct shunt_binding *binding, void *cookie);

	/*
	 * Puts the bindings that match the message into the sink. Any loop, several at once: it must not change the
	 * state, nor block, nor call the host but for its functions marked "in route". It runs for every message.
	 */
	void (*route)(const void *state, const struct shunt_message *message, struct shunt_sink *sink);

	/* Since 1.1. The same key gives the same answer until the next bind() or unbind(). */
	bool routes_by_key;

	/* Since 1.2. What the arguments of declare, and of bind, may be; NULL: anything. */
	const struct shunt_argument *declare_arguments, *bind_arguments;

	/*
	 * Since 1.2. Each message that came by the exchange, after it was routed, whether anything matched or not;
	 * in the order of each publisher. One call at a time, never beside bind(), unbind() and bound(), but beside
	 * route() on other loops: what it changes, route() must not read. A publisher's confirm, and a bind on the
	 * same channel, wait until its messages were observed.
	 */
	void (*observe)(void *state, const struct shunt_message *message);

	/*
	 * Since 1.2. The binding is new and in force: messages may be sent to its destination. Alone; after bind(),
	 * once; not when bindings come back after a restart or for another version.
	 */
	void (*bound)(void *state, const struct shunt_binding *binding, struct shunt_sender *sender);

	/*
	 * Since 1.2. Another version takes the place of an old one: takes over what the new instance, which has all
	 * bindings, wants of the old one, which is destroyed afterwards. old_version is the old plugin's. Alone for
	 * both; short.
	 */
	void (*adopt)(void *state, void *old_state, const char *old_version);

	/* Since 1.2. A message is asked for once, by its own key, and not by each key of its CC and BCC headers. */
	bool routes_by_first_key;
};

/* ---- Access policies (since 1.2) ---- */

/* The other end of a connection. */
struct shunt_peer {
	size_t size;
	struct shunt_bytes host; /* its address, as text */
	uint16_t port;
	bool is_loopback;
	bool is_tls;
	struct shunt_bytes certificate; /* the client's, DER; empty: none */
};

enum shunt_verdict {
	SHUNT_ALLOW,
	SHUNT_DENY,
	SHUNT_NEXT, /* the next policy is asked; the broker's own users are the last */
};

/* A client that wants to log in. */
struct shunt_login {
	size_t size;
	uint64_t id; /* for shunt_host.login_done */
	struct shunt_bytes mechanism; /* "PLAIN", "AMQPLAIN"; without a password "EXTERNAL", "ANONYMOUS" */
	struct shunt_bytes user, password;
	const struct shunt_peer *peer;
};

enum shunt_operation {
	SHUNT_CONNECT, /* to the vhost: connection.open */
	SHUNT_CONFIGURE,
	SHUNT_WRITE,
	SHUNT_READ,
	SHUNT_WRITE_TOPIC, /* publish with this routing key to a topic exchange */
	SHUNT_READ_TOPIC,  /* bind with it */
};

enum shunt_resource {
	SHUNT_QUEUE,
	SHUNT_EXCHANGE, /* the default exchange's name is amq.default */
	SHUNT_VHOST,
};

/* Whether a user may do something. */
struct shunt_question {
	size_t size;
	enum shunt_operation operation;
	enum shunt_resource resource;
	struct shunt_bytes user;
	struct shunt_bytes tags; /* the user's, comma separated */
	struct shunt_bytes vhost;
	struct shunt_bytes name;
	struct shunt_bytes routing_key; /* of SHUNT_*_TOPIC */
	struct shunt_bytes arguments;   /* of a declare or bind: raw table; else empty */
	const struct shunt_peer *peer;
};

/* Asked in the order of registration until one does not say SHUNT_NEXT. Either function may be NULL. */
struct shunt_access_policy {
	size_t size;
	const char *name;
	/* Ends in one login_done(), inside the call or later. Any loop. */
	void (*authenticate)(void *plugin, const struct shunt_login *login);
	/* Any loop. Answers may be remembered until shunt_host.access_changed. */
	enum shunt_verdict (*authorize)(void *plugin, const struct shunt_question *question);
};

/* ---- Message hooks (since 1.2) ---- */

enum shunt_decision {
	SHUNT_PASS,   /* with what was set in the draft */
	SHUNT_DROP,   /* goes nowhere. The publisher gets its confirm; the queue, an acknowledgement */
	SHUNT_REJECT, /* publish: the AMQP exception of *error; deliver: as rejected, without requeue */
};

/* A message that a client has published, before it is routed. What plugins publish passes no hooks. */
struct shunt_publish {
	size_t size;
	const struct shunt_message *message;
	struct shunt_bytes user;
	const struct shunt_peer *peer;
	bool mandatory;
	bool dry_run; /* shuntctl explain_route asks: it is not published, so do nothing else for it. No user and peer */
};

/* A message on its way from a queue to a consumer, or to who gets it. */
struct shunt_delivery {
	size_t size;
	const struct shunt_message *message;
	struct shunt_bytes queue;
	struct shunt_bytes user;
	struct shunt_bytes consumer_tag; /* empty: basic.get */
	const struct shunt_peer *peer;
	bool redelivered;
};

/* In the order of registration, each on what the one before has made of it. Either may be NULL. Any loop. */
struct shunt_hook {
	size_t size;
	const char *name;
	enum shunt_decision (*publish)(void *plugin, const struct shunt_publish *publish,
				       struct shunt_draft *draft, struct shunt_error *error);
	enum shunt_decision (*deliver)(void *plugin, const struct shunt_delivery *delivery, struct shunt_draft *draft);
};

/* ---- Commands, metrics, timers (since 1.2) ---- */

/* `shuntctl plugin run PLUGIN NAME [ARGUMENT]...` */
struct shunt_call {
	size_t size;
	uint64_t id; /* for shunt_host.call_print and call_done */
	size_t argument_count;
	const struct shunt_bytes *arguments;
};

struct shunt_command {
	size_t size;
	const char *name;
	const char *help; /* one line */
	/* Ends in one call_done(), inside the call or later. Home. */
	void (*run)(void *plugin, const struct shunt_call *call);
};

/* A number for operators. Without read() it is a counter, kept by the broker, from 0 in each version. */
struct shunt_metric {
	size_t size;
	const char *name; /* letters, digits, '_' */
	const char *help; /* one line */
	int64_t (*read)(void *plugin); /* of a gauge. Home */
};

struct shunt_counter;
struct shunt_timer;

/* ---- Configuration ---- */

enum shunt_option_type {
	SHUNT_OPTION_STRING,
	SHUNT_OPTION_INTEGER, /* minimum..maximum */
	SHUNT_OPTION_BOOLEAN, /* true or false */
};

/* One key `plugin.NAME.KEY`; not `optional`, which is the broker's. A list ends with a name of NULL. */
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

/* What became of a message of shunt_host.publish. */
enum shunt_outcome {
	SHUNT_ROUTED,     /* every queue has it, and what must be on disk is on disk */
	SHUNT_UNROUTABLE, /* nothing matched */
	SHUNT_REFUSED,    /* a queue or the disk did not take it, or there is no such exchange */
};

/*
 * What the broker offers. Each plugin gets its own table and passes it back as `host`. It is valid from start()
 * until stop() has returned. What is registered is registered during start() only.
 */
struct shunt_host {
	size_t size;
	uint32_t abi_major, abi_minor;
	const char *broker_version;

	/* Offers an exchange type. Fails if the name is taken. */
	int (*register_exchange_type)(const struct shunt_host *host, const struct shunt_exchange_type *type,
				      struct shunt_error *error);

	/* The value of `plugin.NAME.KEY`, which fits the option; its default if not set, or NULL. Any thread. */
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
	 * The next entry of a raw table. Start with *position = 0; false at the end. Tables that the broker passes
	 * are well-formed. Any thread; in route. table_find: the first entry of that name. array_next: likewise for
	 * arrays (type A).
	 */
	bool (*table_next)(const struct shunt_host *host, struct shunt_bytes table, size_t *position,
			   struct shunt_bytes *ret_name, struct shunt_value *ret_value);
	bool (*table_find)(const struct shunt_host *host, struct shunt_bytes table, const char *name,
			   struct shunt_value *ret_value);
	bool (*array_next)(const struct shunt_host *host, struct shunt_bytes array, size_t *position,
			   struct shunt_value *ret_value);

	/* A message's headers, a raw table (empty: none), and its other properties; false when not set. In route. */
	struct shunt_bytes (*message_headers)(const struct shunt_host *host, const struct shunt_message *message);
	bool (*message_property)(const struct shunt_host *host, const struct shunt_message *message,
				 enum shunt_property property, struct shunt_value *ret_value);

	/*
	 * The number of loops, which is the same from start() on, and that of the loop that calls (0 to count - 1);
	 * for memory of one's own per loop. In route. Threads that are no loop's have 0.
	 */
	unsigned (*loop_count)(const struct shunt_host *host);
	unsigned (*loop_index)(const struct shunt_host *host);

	/* ---- Since 1.2 ---- */
	/* -1 if the structure is not as it must be; the name of a command or metric is used once in a plugin. */
	int (*register_access_policy)(const struct shunt_host *host, const struct shunt_access_policy *policy,
				      struct shunt_error *error);
	int (*register_hook)(const struct shunt_host *host, const struct shunt_hook *hook, struct shunt_error *error);
	int (*register_command)(const struct shunt_host *host, const struct shunt_command *command,
				struct shunt_error *error);
	/* *ret_counter is set for a counter; NULL may be passed for a gauge. It lasts as long as the host. */
	int (*register_metric)(const struct shunt_host *host, const struct shunt_metric *metric,
			       struct shunt_counter **ret_counter, struct shunt_error *error);

	/* The counter grows by n. Any loop; in route. And its sum, which may lag behind what other loops just added. */
	void (*counter_add)(const struct shunt_host *host, struct shunt_counter *counter, uint64_t n);
	uint64_t (*counter_read)(const struct shunt_host *host, const struct shunt_counter *counter);

	/* As config(), for integers and booleans; 0 and false when not set and without a default. Any thread. */
	int64_t (*config_integer)(const struct shunt_host *host, const char *key);
	bool (*config_boolean)(const struct shunt_host *host, const char *key);

	/* That argument in a raw table, or its default, as its type says; false: neither. Any thread; in route. */
	bool (*argument)(const struct shunt_host *host, struct shunt_bytes table,
			 const struct shunt_argument *argument, struct shunt_value *ret_value);

	/* A 64-bit hash that is the same for ever and on every machine (XXH3). Any thread; in route. */
	uint64_t (*stable_hash)(const struct shunt_host *host, const void *data, size_t size, uint64_t seed);

	/* 64 random bits, good enough to spread load and for nothing secret. Any thread; in route. */
	uint64_t (*random)(const struct shunt_host *host);

	/* A message to keep until it is released; NULL when memory is out. Any loop; release: any thread. */
	const struct shunt_message *(*message_hold)(const struct shunt_host *host, const struct shunt_message *message);
	void (*message_release)(const struct shunt_host *host, const struct shunt_message *message);

	/*
	 * A new message; NULL when memory is out, or a name has more than 255 bytes. publish() takes it in any
	 * case: it goes out, without asking for permissions or hooks, after the present call of the plugin; done(),
	 * if not NULL, is called when it is known what became of it. While the broker stops it may be dropped
	 * without. draft_free: if it is not published. Any thread; done: any loop.
	 */
	struct shunt_draft *(*draft)(const struct shunt_host *host, struct shunt_bytes vhost,
				     struct shunt_bytes exchange, struct shunt_bytes routing_key,
				     struct shunt_bytes body);
	void (*publish)(const struct shunt_host *host, struct shunt_draft *draft,
			void (*done)(void *context, enum shunt_outcome outcome), void *context);
	void (*draft_free)(const struct shunt_host *host, struct shunt_draft *draft);

	/*
	 * How a login ended. SHUNT_ALLOW: the client is `user`, with those comma-separated tags; SHUNT_DENY:
	 * `reason` goes to the log, never to the client; NULL: none. -1: no such login is waiting (any more): the
	 * client may have gone. Any thread.
	 */
	int (*login_done)(const struct shunt_host *host, uint64_t login, enum shunt_verdict verdict,
			  const char *user, const char *tags, const char *reason);

	/* Answers of authorize() have changed: what was remembered of any policy is forgotten. Any thread. */
	void (*access_changed)(const struct shunt_host *host);

	/* Text for who called a command, which may be many lines; and the end: error NULL is success. Any thread. */
	void (*call_print)(const struct shunt_host *host, uint64_t call, struct shunt_bytes text);
	void (*call_done)(const struct shunt_host *host, uint64_t call, const char *error);

	/* run(context), soon, at home, not inside the call. -1 when memory is out. Any thread. */
	int (*post)(const struct shunt_host *host, void (*run)(void *context), void *context);

	/*
	 * fire(context) after delay_ms, and, if repeat_ms is not 0, every repeat_ms from then on. Starting it anew
	 * forgets the former start. NULL when memory is out. All at home. They count while the plugin is in force:
	 * not before, nor in a trial, nor when it is leaving. What is left is freed after stop().
	 */
	struct shunt_timer *(*timer_create)(const struct shunt_host *host, void (*fire)(void *context), void *context);
	void (*timer_start)(const struct shunt_host *host, struct shunt_timer *timer, uint64_t delay_ms,
			    uint64_t repeat_ms);
	void (*timer_stop)(const struct shunt_host *host, struct shunt_timer *timer);
	void (*timer_free)(const struct shunt_host *host, struct shunt_timer *timer);
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

	/* Registers what the plugin brings. Home. Nothing of it is called before this has returned. */
	int (*start)(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error);
	/* The last call. Frees *ret_plugin; its own threads must have ended when it returns. Home. May be NULL. */
	void (*stop)(void *plugin);
};

#define SHUNT_EXPORT __attribute__((visibility("default")))

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
