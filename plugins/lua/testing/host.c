/* SPDX-License-Identifier: MIT */
#include "testing/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"
#include "run/state.h"

/* Monday, the 5th of January 2026, 12:00 UTC. */
#define FIRST_WALL_US	(1767614400 * INT64_C(1000000))
#define FIRST_STEADY_US UINT64_C(1000000000)

struct testing_block {
	struct testing_block *next;
	_Alignas(max_align_t) char memory[];
};

struct testing *testing_of(lua_State *L)
{
	return testing_of_host(state_of(L)->script->host);
}

/* ---- Memory ---- */

void *testing_allocate(struct testing *testing, size_t size)
{
	struct testing_block *block;

	if (size > TESTING_MEMORY_MAX - testing->memory)
		return NULL;
	block = malloc(sizeof(*block) + size);
	if (!block)
		return NULL;
	block->next = testing->blocks;
	testing->blocks = block;
	testing->memory += size;
	return memset(block->memory, 0, size);
}

struct shunt_bytes testing_copy(struct testing *testing, struct shunt_bytes bytes)
{
	uint8_t *memory = bytes.size > 0 ? testing_allocate(testing, bytes.size) : NULL;

	if (!memory)
		return (struct shunt_bytes){NULL, 0};
	memcpy(memory, bytes.data, bytes.size);
	return (struct shunt_bytes){memory, bytes.size};
}

static void *fake_allocate(const struct shunt_host *host, size_t size)
{
	const struct shunt_host *real = testing_of_host(host)->real;

	return real->allocate(real, size);
}

static void *fake_reallocate(const struct shunt_host *host, void *memory, size_t size)
{
	const struct shunt_host *real = testing_of_host(host)->real;

	return real->reallocate(real, memory, size);
}

static void fake_free(const struct shunt_host *host, void *memory)
{
	const struct shunt_host *real = testing_of_host(host)->real;

	real->free(real, memory);
}

/* ---- Registering ---- */

static int refuse(struct shunt_error *error, const char *text)
{
	error->code = SHUNT_PRECONDITION_FAILED;
	(void)strcpy(error->text, text);
	return -1;
}

static int fake_register_type(const struct shunt_host *host, const struct shunt_exchange_type *type,
			      struct shunt_error *error)
{
	struct testing *testing = testing_of_host(host);

	if (testing->type_count == TESTING_KINDS_MAX)
		return refuse(error, "too many exchange types for a test");
	testing->types[testing->type_count++] = type;
	return 0;
}

static int fake_register_policy(const struct shunt_host *host,
				const struct shunt_access_policy *policy, struct shunt_error *error)
{
	struct testing *testing = testing_of_host(host);

	if (testing->policy_count == TESTING_KINDS_MAX)
		return refuse(error, "too many policies for a test");
	testing->policies[testing->policy_count++] = policy;
	return 0;
}

static int fake_register_hook(const struct shunt_host *host, const struct shunt_hook *hook,
			      struct shunt_error *error)
{
	struct testing *testing = testing_of_host(host);

	if (testing->hook_count == TESTING_KINDS_MAX)
		return refuse(error, "too many hooks for a test");
	testing->hooks[testing->hook_count++] = hook;
	return 0;
}

static int fake_register_command(const struct shunt_host *host, const struct shunt_command *command,
				 struct shunt_error *error)
{
	(void)host;
	(void)command;
	(void)error;
	return 0;
}

/* Nobody reads the metrics of a test. */
static int fake_register_metric(const struct shunt_host *host, const struct shunt_metric *metric,
				struct shunt_counter **ret_counter, struct shunt_error *error)
{
	(void)error;
	if (!metric->read)
		*ret_counter = (struct shunt_counter *)testing_of_host(host);
	return 0;
}

static void fake_counter_add(const struct shunt_host *host, struct shunt_counter *counter,
			     uint64_t n)
{
	(void)host;
	(void)counter;
	(void)n;
}

static uint64_t fake_counter_read(const struct shunt_host *host,
				  const struct shunt_counter *counter)
{
	(void)host;
	(void)counter;
	return 0;
}

/* ---- What is as in the broker ---- */

static uint64_t fake_hash(const struct shunt_host *host, const void *data, size_t size)
{
	const struct shunt_host *real = testing_of_host(host)->real;

	return real->hash(real, data, size);
}

static uint64_t fake_stable_hash(const struct shunt_host *host, const void *data, size_t size,
				 uint64_t seed)
{
	const struct shunt_host *real = testing_of_host(host)->real;

	return real->stable_hash(real, data, size, seed);
}

static uint64_t fake_random(const struct shunt_host *host)
{
	const struct shunt_host *real = testing_of_host(host)->real;

	return real->random(real);
}

static bool fake_table_next(const struct shunt_host *host, struct shunt_bytes table,
			    size_t *position, struct shunt_bytes *ret_name,
			    struct shunt_value *ret_value)
{
	const struct shunt_host *real = testing_of_host(host)->real;

	return real->table_next(real, table, position, ret_name, ret_value);
}

static bool fake_table_find(const struct shunt_host *host, struct shunt_bytes table,
			    const char *name, struct shunt_value *ret_value)
{
	const struct shunt_host *real = testing_of_host(host)->real;

	return real->table_find(real, table, name, ret_value);
}

static bool fake_array_next(const struct shunt_host *host, struct shunt_bytes array,
			    size_t *position, struct shunt_value *ret_value)
{
	const struct shunt_host *real = testing_of_host(host)->real;

	return real->array_next(real, array, position, ret_value);
}

static bool fake_argument(const struct shunt_host *host, struct shunt_bytes table,
			  const struct shunt_argument *argument, struct shunt_value *ret_value)
{
	const struct shunt_host *real = testing_of_host(host)->real;

	return real->argument(real, table, argument, ret_value);
}

static unsigned fake_loop_count(const struct shunt_host *host)
{
	(void)host;
	return 1;
}

static unsigned fake_loop_index(const struct shunt_host *host)
{
	(void)host;
	return 0;
}

/* Nothing is remembered in a test. */
static void fake_answer_varies(const struct shunt_host *host)
{
	(void)host;
}

/* ---- Settings ---- */

/* A test has no other settings than those it sets, but is bounded as the script is. */
static bool is_real(const struct testing *testing, const char *key)
{
	return !testing->settings || script_option_is_own(key);
}

static const char *fake_config(const struct shunt_host *host, const char *key)
{
	const struct testing *testing = testing_of_host(host);
	const struct shunt_host *real = testing->real;

	if (is_real(testing, key))
		return real->config(real, key);
	for (const char *p = testing->settings, *end = p + testing->settings_size; p < end;) {
		const char *value = p + strlen(p) + 1;

		if (strcmp(p, key) == 0)
			return value;
		p = value + strlen(value) + 1;
	}
	return NULL;
}

static int64_t fake_config_integer(const struct shunt_host *host, const char *key)
{
	const struct testing *testing = testing_of_host(host);
	const char *text;

	if (is_real(testing, key))
		return testing->real->config_integer(testing->real, key);
	text = fake_config(host, key);
	return text ? strtoll(text, NULL, 10) : 0;
}

static bool fake_config_boolean(const struct shunt_host *host, const char *key)
{
	const struct testing *testing = testing_of_host(host);
	const char *text;

	if (is_real(testing, key))
		return testing->real->config_boolean(testing->real, key);
	text = fake_config(host, key);
	return text && strcmp(text, "true") == 0;
}

/* The position counts the bytes of the test's settings. */
static bool fake_config_next(const struct shunt_host *host, size_t *position, const char **ret_key,
			     const char **ret_value)
{
	const struct testing *testing = testing_of_host(host);

	if (!testing->settings)
		return testing->real->config_next(testing->real, position, ret_key, ret_value);
	if (*position >= testing->settings_size)
		return false;
	*ret_key = testing->settings + *position;
	*ret_value = *ret_key + strlen(*ret_key) + 1;
	*position = (size_t)(*ret_value + strlen(*ret_value) + 1 - testing->settings);
	return true;
}

/* ---- Log, logins ---- */

static void fake_log(const struct shunt_host *host, enum shunt_log_level level, const char *text)
{
	static const char *const levels[] = {"error: ", "warning: ", "", "debug: "};
	struct shunt_report *report = testing_of_host(host)->report;
	char line[1024];

	if (!report)
		return;
	(void)snprintf(line, sizeof(line), "\t%s%s\n",
		       levels[(unsigned)level <= SHUNT_LOG_DEBUG ? level : SHUNT_LOG_INFO], text);
	report->print(report, (struct shunt_bytes){(const uint8_t *)line, strlen(line)});
}

static int fake_login_done(const struct shunt_host *host, uint64_t id, enum shunt_verdict verdict,
			   const char *user, const char *tags, const char *reason)
{
	struct testing_login *login = &testing_of_host(host)->login;

	(void)id;
	if (login->is_answered)
		return -1;
	login->is_answered = true;
	login->verdict = verdict;
	(void)snprintf(login->user, sizeof(login->user), "%s", user ? user : "");
	(void)snprintf(login->tags, sizeof(login->tags), "%s", tags ? tags : "");
	(void)snprintf(login->reason, sizeof(login->reason), "%s", reason ? reason : "");
	return 0;
}

static void fake_access_changed(const struct shunt_host *host)
{
	(void)host;
}

/* ---- The host ---- */

static void offer_asking(struct shunt_host *host)
{
	host->hash = fake_hash;
	host->stable_hash = fake_stable_hash;
	host->random = fake_random;
	host->table_next = fake_table_next;
	host->table_find = fake_table_find;
	host->array_next = fake_array_next;
	host->argument = fake_argument;
	host->answer_varies = fake_answer_varies;
	host->loop_count = fake_loop_count;
	host->loop_index = fake_loop_index;
	host->config = fake_config;
	host->config_integer = fake_config_integer;
	host->config_boolean = fake_config_boolean;
	host->config_next = fake_config_next;
	host->login_done = fake_login_done;
	host->access_changed = fake_access_changed;
}

void testing_host_init(struct testing *testing, const struct shunt_host *real)
{
	memset(testing, 0, sizeof(*testing));
	testing->real = real;
	testing->wall_us = FIRST_WALL_US;
	testing->steady_us = FIRST_STEADY_US;
	testing->published_end = &testing->published;
	testing->host = (struct shunt_host){
		.size = sizeof(struct shunt_host),
		.abi_major = SHUNT_ABI_MAJOR,
		.abi_minor = SHUNT_ABI_MINOR,
		.broker_version = real->broker_version,
		.log = fake_log,
		.allocate = fake_allocate,
		.reallocate = fake_reallocate,
		.free = fake_free,
		.register_exchange_type = fake_register_type,
		.register_access_policy = fake_register_policy,
		.register_hook = fake_register_hook,
		.register_command = fake_register_command,
		.register_metric = fake_register_metric,
		.counter_add = fake_counter_add,
		.counter_read = fake_counter_read,
	};
	offer_asking(&testing->host);
	testing_offer_later(&testing->host);
	testing_offer_messages(&testing->host);
}

void testing_host_fini(struct testing *testing)
{
	while (testing->blocks) {
		struct testing_block *block = testing->blocks;

		testing->blocks = block->next;
		free(block);
	}
	free(testing->wanted);
}
