/* SPDX-License-Identifier: MIT */
#include "fake_host.h"

#include "fake_services.h"
#include "fake_table.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

_Thread_local unsigned fake_loop_index;

static struct fake_host *fake_of(const struct shunt_host *host)
{
	return (struct fake_host *)(uintptr_t)host;
}

static int fake_register(const struct shunt_host *host, const struct shunt_exchange_type *type,
			 struct shunt_error *error)
{
	(void)error;
	fake_of(host)->type = type;
	return 0;
}

static const char *fake_config(const struct shunt_host *host, const char *key)
{
	const struct fake_host *fake = fake_of(host);

	for (size_t i = 0; fake->settings && fake->settings[i]; i += 2)
		if (strcmp(fake->settings[i], key) == 0)
			return fake->settings[i + 1];
	for (const struct shunt_option *option = fake->options; option && option->name; option++)
		if (strcmp(option->name, key) == 0)
			return option->default_value;
	return NULL;
}

static bool fake_config_next(const struct shunt_host *host, size_t *position, const char **ret_key,
			     const char **ret_value)
{
	const char *const *settings = fake_of(host)->settings;

	if (!settings || !settings[*position])
		return false;
	*ret_key = settings[*position];
	*ret_value = settings[*position + 1];
	*position += 2;
	return true;
}

static void fake_log(const struct shunt_host *host, enum shunt_log_level level, const char *text)
{
	(void)host;
	(void)level;
	(void)text;
}

/* ---- Memory ---- */

static bool must_fail(struct fake_host *fake)
{
	long left = atomic_load(&fake->left);

	if (left < 0)
		return false;
	if (left > 1) {
		atomic_store(&fake->left, left - 1);
		return false;
	}
	if (!fake->fail_onward)
		atomic_store(&fake->left, -1);
	atomic_store(&fake->failed, true);
	return true;
}

static void *fake_allocate(const struct shunt_host *host, size_t size)
{
	struct fake_host *fake = fake_of(host);
	void *memory;

	if (must_fail(fake))
		return NULL;
	memory = malloc(size);
	if (!memory)
		abort();
	/* what a plugin must not rely on */
	if (!fake->as_is)
		memset(memory, 0xa5, size < 4096 ? size : 4096);
	atomic_fetch_add(&fake->live, 1);
	atomic_fetch_add(&fake->bytes, (long)malloc_usable_size(memory));
	return memory;
}

static void *fake_reallocate(const struct shunt_host *host, void *memory, size_t size)
{
	struct fake_host *fake = fake_of(host);
	void *moved;

	if (!memory)
		return fake_allocate(host, size);
	if (must_fail(fake))
		return NULL;
	atomic_fetch_sub(&fake->bytes, (long)malloc_usable_size(memory));
	moved = realloc(memory, size);
	if (!moved)
		abort();
	atomic_fetch_add(&fake->bytes, (long)malloc_usable_size(moved));
	return moved;
}

static void fake_free(const struct shunt_host *host, void *memory)
{
	if (memory) {
		atomic_fetch_sub(&fake_of(host)->live, 1);
		atomic_fetch_sub(&fake_of(host)->bytes, (long)malloc_usable_size(memory));
	}
	free(memory);
}

/* ---- Functions in route ---- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 32) * 0x9fb21c651e98df25u;
	x = (x ^ x >> 29) * 0x9e3779b97f4a7c15u;
	return x ^ x >> 32;
}

static uint64_t fake_hash(const struct shunt_host *host, const void *data, size_t size)
{
	const uint8_t *p = data;
	uint64_t hash = 0x2545f4914f6cdd1du ^ size;
	uint64_t word = 0;

	for (; size >= sizeof(word); size -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		hash = mix(hash ^ word);
	}
	word = 0;
	if (size > 0)
		memcpy(&word, p, size);
	return mix(hash ^ word) & fake_of(host)->hash_mask;
}

static bool fake_next(const struct shunt_host *host, struct shunt_bytes table, size_t *position,
		      struct shunt_bytes *ret_name, struct shunt_value *ret_value)
{
	(void)host;
	return fake_table_next(table, position, ret_name, ret_value);
}

static bool fake_find(const struct shunt_host *host, struct shunt_bytes table, const char *name,
		      struct shunt_value *ret_value)
{
	struct shunt_bytes text;
	struct shunt_value value;
	size_t position = 0;

	(void)host;
	while (fake_table_next(table, &position, &text, &value)) {
		if (text.size == strlen(name) && memcmp(text.data, name, text.size) == 0) {
			*ret_value = value;
			return true;
		}
	}
	return false;
}

static bool fake_element(const struct shunt_host *host, struct shunt_bytes array, size_t *position,
			 struct shunt_value *ret_value)
{
	(void)host;
	return fake_array_next(array, position, ret_value);
}

static struct shunt_bytes fake_headers(const struct shunt_host *host,
				       const struct shunt_message *message)
{
	(void)host;
	return ((const struct fake_message *)message)->headers;
}

static bool fake_property(const struct shunt_host *host, const struct shunt_message *message,
			  enum shunt_property property, struct shunt_value *ret_value)
{
	const struct fake_message *fake = (const struct fake_message *)message;

	(void)host;
	if (!fake->has_property || fake->property != property)
		return false;
	*ret_value = fake->value;
	return true;
}

static unsigned fake_loop_count(const struct shunt_host *host)
{
	return fake_of(host)->loops;
}

static unsigned fake_loop_number(const struct shunt_host *host)
{
	(void)host;
	return fake_loop_index;
}

/* ---- The host ---- */

void fake_host_init(struct fake_host *fake, unsigned loops)
{
	memset(fake, 0, sizeof(*fake));
	fake->loops = loops;
	fake->hash_mask = UINT64_MAX;
	atomic_store(&fake->left, -1);
	fake->host = (struct shunt_host){
		.size = sizeof(struct shunt_host),
		.abi_major = SHUNT_ABI_MAJOR,
		.abi_minor = SHUNT_ABI_MINOR,
		.broker_version = "0",
		.register_exchange_type = fake_register,
		.config = fake_config,
		.log = fake_log,
		.allocate = fake_allocate,
		.reallocate = fake_reallocate,
		.free = fake_free,
		.hash = fake_hash,
		.table_next = fake_next,
		.table_find = fake_find,
		.array_next = fake_element,
		.message_headers = fake_headers,
		.message_property = fake_property,
		.loop_count = fake_loop_count,
		.loop_index = fake_loop_number,
		.config_next = fake_config_next,
	};
	fake_services_init(fake);
}

void fake_host_fail(struct fake_host *fake, long n, bool onward)
{
	atomic_store(&fake->failed, false);
	atomic_store(&fake->left, n);
	fake->fail_onward = onward;
}

void fake_host_fail_off(struct fake_host *fake)
{
	atomic_store(&fake->left, -1);
}

static void sink_emit(struct shunt_sink *sink, const struct shunt_binding *const *bindings,
		      size_t count)
{
	struct fake_sink *fake = (struct fake_sink *)sink;

	if (count == 0 || count > fake->capacity - fake->count)
		abort();
	memcpy(fake->bindings + fake->count, bindings, count * sizeof(*bindings));
	fake->count += count;
	fake->calls++;
}

void fake_sink_init(struct fake_sink *sink, const struct shunt_binding **bindings, size_t capacity)
{
	sink->sink.emit = sink_emit;
	sink->bindings = bindings;
	sink->capacity = capacity;
	sink->count = 0;
	sink->calls = 0;
}
