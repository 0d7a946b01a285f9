/* SPDX-License-Identifier: MIT */
#ifndef LUA_TESTING_HOST_H
#define LUA_TESTING_HOST_H

/*
 * The host of a test: it keeps what the script registers and publishes, has a clock and settings of
 * its own, and asks the real host for the rest. One test runs in it, on one thread.
 */

#include <stdbool.h>

#include <lua.h>

#include <shunt/language.h>

#define TESTING_KINDS_MAX  16 /* exchange types, policies, hooks that a script may register */
#define TESTING_MEMORY_MAX (32u << 20)
#define TESTING_ROUNDS_MAX 10000u

struct script;

/* A message; the bytes belong to whoever made it. */
struct testing_message {
	struct shunt_message message; /* first: host functions get it */
	struct shunt_bytes headers;   /* raw table */
	bool has[SHUNT_APP_ID + 1];
	struct shunt_value properties[SHUNT_APP_ID + 1];
};

/* What a hook changes, or the script publishes. In the test's memory. */
struct testing_draft {
	struct shunt_draft draft; /* first */
	struct testing *testing;
	struct testing_message message;
	bool is_delivery;
	struct testing_draft *next; /* of those published */
	void (*done)(void *context, enum shunt_outcome outcome);
	void *context;
	bool is_settled;
};

struct testing_login {
	bool is_answered;
	enum shunt_verdict verdict;
	char user[256], tags[256], reason[256];
};

struct testing {
	struct shunt_host host; /* first: what the script gets is cast back */
	const struct shunt_host *real;
	struct script *script;
	struct shunt_report *report; /* where the script's log goes; may be NULL */

	/* Names and values by turns, each ended by 0; NULL: the real ones. */
	const char *settings;
	size_t settings_size;
	char *wanted; /* what test.settings() asks for: the test begins anew with it */
	size_t wanted_size;
	bool settings_were_set;

	int64_t wall_us;
	uint64_t steady_us;
	bool in_force;
	enum shunt_outcome outcome; /* of what is published */

	const struct shunt_exchange_type *types[TESTING_KINDS_MAX];
	const struct shunt_access_policy *policies[TESTING_KINDS_MAX];
	const struct shunt_hook *hooks[TESTING_KINDS_MAX];
	size_t type_count, policy_count, hook_count;

	struct testing_block *blocks;
	size_t memory;
	struct shunt_timer *timers;
	struct testing_post *posts;
	struct testing_draft *published, **published_end;
	struct testing_login login;
	struct testing_exchange *exchanges; /* testing_exchange.h */
};

void testing_host_init(struct testing *testing, const struct shunt_host *real);
void testing_host_fini(struct testing *testing);

static inline struct testing *testing_of_host(const struct shunt_host *host)
{
	return (struct testing *)(uintptr_t)host;
}

/* That of the test that runs. */
struct testing *testing_of(lua_State *L);

/* Memory until the test ends. NULL: that was too much. */
void *testing_allocate(struct testing *testing, size_t size);
/* A copy; of size 0, and data NULL, when memory is out and the size was not 0. */
struct shunt_bytes testing_copy(struct testing *testing, struct shunt_bytes bytes);

/* Runs what was posted, and says what became of what was published, until nothing is left. -1: it
 * would not end. */
int testing_settle(struct testing *testing);

/* Time goes on; timers that are due by then fire in turn. -1: as above. */
int testing_advance(struct testing *testing, uint64_t us);

/* Set the functions of the host for messages (testing_draft.c), and for posts and timers
 * (testing_time.c). */
void testing_offer_messages(struct shunt_host *host);
void testing_offer_later(struct shunt_host *host);

/* A draft with that message. */
void testing_draft_init(struct testing_draft *draft, struct testing *testing,
			const struct testing_message *message);

/* The raw table with the value at that name in the place of what was there; NULL: with none. -1:
 * memory is out. */
int testing_headers_set(struct testing *testing, struct shunt_bytes *headers,
			struct shunt_bytes name, const struct shunt_value *value);

#endif
