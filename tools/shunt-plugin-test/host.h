/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_SHUNT_PLUGIN_TEST_HOST_H
#define TOOLS_SHUNT_PLUGIN_TEST_HOST_H

/*
 * A plugin, started with a host that is no broker: it takes what the plugin registers, gives it
 * guarded memory that may fail on demand, and looks at how its functions are called. One a process;
 * home is the main thread.
 */

#include <pthread.h>
#include <stdatomic.h>

#include <shunt/language.h>
#include <shunt/plugin.h>

#include "base/compiler.h"
#include "base/slice.h"

#define HOST_LOOPS	  4
#define HOST_TYPES_MAX	  16
#define HOST_OTHERS_MAX	  64
#define HOST_NAMES_MAX	  64
#define HOST_SETTINGS_MAX 64
#define HOST_TICKETS_MAX  512
#define HOST_DRAFT_MAGIC  0x64726166u

/* `-o KEY=VALUE`: a value of the plugin's configuration. */
struct setting {
	const char *key, *value;
};

/* A message as the plugin sees it, with what its properties are on the wire. */
struct test_message {
	struct shunt_message view; /* first */
	struct slice properties;
};

/* A login or a call that has to end once. */
struct ticket {
	uint64_t id;
	bool is_login;
	unsigned ended;
};

struct shunt_counter {
	_Atomic uint64_t value;
};

struct shunt_timer {
	struct world *world;
	struct shunt_timer *next;
	void (*fire)(void *context);
	void *context;
	uint64_t due_ms, repeat_ms;
	bool is_armed, is_freed;
};

struct post {
	struct post *next;
	void (*run)(void *context);
	void *context;
};

/* What is published after the present call. */
struct publication {
	struct publication *next;
	void (*done)(void *context, enum shunt_outcome outcome);
	void *context;
};

struct test_draft {
	struct shunt_draft draft; /* first */
	struct world *world;
	uint32_t magic;
	bool is_hooks, is_delivery;
};

struct world {
	struct shunt_host host;		    /* first: what the plugin passes is cast back */
	const struct shunt_option *options; /* of the plugin, or of scripts; NULL: none */
	void *state;			    /* what start() left */
	bool is_starting, is_stopped;
	const struct setting *settings;
	size_t n_settings;

	/* Copies, as the broker makes them: members that an older plugin has not got are zero. */
	struct shunt_exchange_type types[HOST_TYPES_MAX];
	struct shunt_access_policy policies[HOST_OTHERS_MAX];
	struct shunt_hook hooks[HOST_OTHERS_MAX];
	struct shunt_command commands[HOST_OTHERS_MAX];
	struct shunt_metric metrics[HOST_OTHERS_MAX];
	struct shunt_counter counters[HOST_OTHERS_MAX];
	struct shunt_language language;
	size_t n_types, n_policies, n_hooks, n_commands, n_metrics, n_languages;

	/* Memory. */
	bool is_plain; /* malloc() instead of guarded pieces: for figures */
	/* The same for scripts, whose memory is that of machines: in route(), too, and how much of
	 * it there is says nothing before the end. */
	bool has_plain_memory;
	_Atomic long live_of_machines;
	_Atomic long fail_in; /* allocations until one fails; -1: none does */
	bool fail_onward;
	_Atomic bool failed;
	_Atomic long live;	  /* allocations, plain or guarded */
	_Atomic long allocations; /* ever made */

	uint64_t hash_seed, hash_mask;
	_Atomic uint64_t random;
	_Atomic bool asked_random;
	char names[HOST_NAMES_MAX][64]; /* of arguments and headers that it looked for */
	_Atomic size_t n_names;

	/* What ends later. `lock` covers it. */
	pthread_mutex_t lock;
	struct ticket tickets[HOST_TICKETS_MAX];
	size_t n_tickets;
	uint64_t next_ticket;
	struct post *posts, **posts_end;
	struct publication *publications, **publications_end;
	struct shunt_timer *timers;
	uint64_t now_ms;
	_Atomic long held;   /* messages */
	_Atomic long drafts; /* neither published nor freed */
	uint64_t outcomes;   /* of what it publishes: the next ones, in turn */
};

void host_init(struct world *w, uint64_t seed);

static inline struct world *world_of(const struct shunt_host *host)
{
	return (struct world *)(uintptr_t)host;
}

/* At the beginning of what must not be called in route(). */
void host_outside_route(const struct shunt_host *host, const char *function);
/* At the beginning of any. */
void host_enter(const struct shunt_host *host, const char *function);

/* From now on the n-th allocation fails (1: the next one), with `onward` all after it. n -1: none.
 */
void host_fail_at(struct world *w, long n, bool onward);
/* Whether the allocation to be made now fails. */
bool host_must_fail(struct world *w);

/* All allocations that are live. */
static inline long host_live(const struct world *w)
{
	return atomic_load(&w->live) + atomic_load(&w->live_of_machines);
}

/* A login or a call: its id. And how often it has ended. */
uint64_t host_ticket(struct world *w, bool is_login);
unsigned host_ticket_ended(struct world *w, uint64_t id);

/* A draft that is passed to a hook, and revoked afterwards. */
struct shunt_draft *host_hook_draft(struct world *w, bool is_delivery);
void host_draft_revoke(struct shunt_draft *draft);

/* Runs posts, what becomes of publications, and `timers` firings of the timers that are due first.
 */
void host_pump(struct world *w, unsigned timers);
/* What is left after stop(): false, and what it is. */
bool host_left_nothing(struct world *w, char *ret_what, size_t size);

/* The parts of the table. */
void host_init_memory(struct shunt_host *host);
void host_init_route(struct shunt_host *host);
void host_init_register(struct shunt_host *host);
void host_init_later(struct shunt_host *host);
void host_init_drafts(struct shunt_host *host);

#endif
