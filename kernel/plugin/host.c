/* SPDX-License-Identifier: MIT */
#include "plugin/host.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/slice.h"
#include "loop/loop.h"
#include "plugin/plugin.h"

struct plugin *plugin_of_host(const struct shunt_host *host)
{
	/* The table is handed out as const; the plugin around it is not. */
	return (struct plugin *)(uintptr_t)container_of(host, const struct plugin, host);
}

static void host_log(const struct shunt_host *host, enum shunt_log_level level, const char *text)
{
	static const enum log_level levels[] = {
		[SHUNT_LOG_ERROR] = LOG_LEVEL_ERROR,
		[SHUNT_LOG_WARNING] = LOG_LEVEL_WARNING,
		[SHUNT_LOG_INFO] = LOG_LEVEL_INFO,
		[SHUNT_LOG_DEBUG] = LOG_LEVEL_DEBUG,
	};
	const struct plugin *plugin = plugin_of_host(host);

	if ((unsigned)level > SHUNT_LOG_DEBUG)
		level = SHUNT_LOG_INFO;
	log_write(levels[level], "plugin", "%s%s: %s", plugin->script != NULL ? "script " : "",
		  plugin->name, text);
}

/* ---- Memory and hashing ---- */

static void *host_allocate(const struct shunt_host *host, size_t size)
{
	(void)host;
	return mem_try_alloc(size);
}

static void *host_reallocate(const struct shunt_host *host, void *memory, size_t size)
{
	(void)host;
	return mem_try_realloc(memory, size);
}

static void host_free(const struct shunt_host *host, void *memory)
{
	(void)host;
	mem_free(memory);
}

static uint64_t host_hash(const struct shunt_host *host, const void *data, size_t size)
{
	(void)host;
	return slice_hash(slice_make(data, size));
}

static uint64_t host_stable_hash(const struct shunt_host *host, const void *data, size_t size,
				 uint64_t seed)
{
	(void)host;
	return slice_stable_hash(slice_make(data, size), seed);
}

static uint64_t host_random(const struct shunt_host *host)
{
	(void)host;
	return random_quick();
}

/* ---- Loops ---- */

static unsigned host_loop_count(const struct shunt_host *host)
{
	(void)host;
	return loop_count();
}

static unsigned host_loop_index(const struct shunt_host *host)
{
	const struct loop *self = loop_self();

	(void)host;
	return self != NULL ? loop_index(self) : 0;
}

void host_init(struct shunt_host *host)
{
	*host = (struct shunt_host){
		.size = sizeof(*host),
		.abi_major = SHUNT_ABI_MAJOR,
		.abi_minor = SHUNT_ABI_MINOR,
		.broker_version = PACKAGE_VERSION,
		.log = host_log,
		.allocate = host_allocate,
		.reallocate = host_reallocate,
		.free = host_free,
		.hash = host_hash,
		.stable_hash = host_stable_hash,
		.random = host_random,
		.loop_count = host_loop_count,
		.loop_index = host_loop_index,
	};
	host_offer_registering(host);
	host_offer_settings(host);
	host_offer_tables(host);
	host_offer_arguments(host);
	host_offer_messages(host);
	host_offer_routing(host);
	host_offer_holding(host);
	host_offer_counters(host);
	host_offer_posting(host);
	host_offer_timers(host);
	host_offer_publishing(host);
	host_offer_access(host);
	host_offer_commands(host);
}
