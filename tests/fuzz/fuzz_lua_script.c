/* SPDX-License-Identifier: MIT */
/*
 * A script in Lua: it is opened, and its functions f, g and h are called. Whatever it does, each
 * call ends, its memory has a limit, all of it is back when the script is closed, and what is said
 * of it is one line.
 */
#include "fuzz.h"

#include <string.h>
#include <time.h>

#include "../plugin/fake_host.h"
#include "../plugin/fake_services.h"
#include "run/call.h"
#include "script.h"
#include "run/state.h"

/* Of a call, and for a machine that is slow and sanitizers. */
#define CPU_NS_MAX 2000000000u

static uint64_t cpu_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t stable_hash(const struct shunt_host *host, const void *data, size_t size,
			    uint64_t seed)
{
	return host->hash(host, data, size) ^ seed;
}

static void check_line(const char *text)
{
	fuzz_check(strlen(text) > 0 && strlen(text) < sizeof(((struct shunt_error *)0)->text));
	for (; *text; text++)
		fuzz_check((unsigned char)*text >= ' ' && *text != 0x7f);
}

static void log_line(const struct shunt_host *host, enum shunt_log_level level, const char *text)
{
	(void)host;
	(void)level;
	fuzz_check(strlen(text) < LINE_SIZE);
}

static void call_global(lua_State *L, void *context)
{
	lua_getglobal(L, context);
	lua_call(L, 0, LUA_MULTRET);
}

static void call_all(struct script *script)
{
	static char names[][2] = {"f", "g", "h", "f"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct shunt_error error = {0, ""};
		uint64_t start = cpu_ns();

		if (call_run(script->states[0], i % 2 ? CALL_PUBLISH : CALL_ROUTE, call_global,
			     names[i], &error) == CALL_FAILED)
			check_line(error.text);
		fuzz_check(cpu_ns() - start < CPU_NS_MAX);
		fuzz_check(atomic_load(&script->states[0]->heap.largest) <= script->limits.memory);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const settings[] = {"instructions", "1000", "memory", "262144", NULL};
	struct shunt_script text = {
		.size = sizeof(text), .name = "fuzz", .path = "fuzz.lua", .source = {data, size}};
	struct shunt_error error = {0, ""};
	struct language language = {0};
	struct fake_host fake;
	struct script *script;
	uint64_t start = cpu_ns();

	fake_host_init(&fake, 1);
	fake.host.stable_hash = stable_hash;
	fake.host.log = log_line;
	fake.settings = settings;
	fake.options = script_options;
	fake.as_is = true;
	language.host = &fake.host;
	script = script_open(&language, &fake.host, &text, SHUNT_SCRIPT_RUN, NULL, &error);
	fuzz_check(cpu_ns() - start < CPU_NS_MAX);
	if (script)
		call_all(script);
	else
		check_line(error.text);
	script_close(script);
	fake_services_fini(&fake);
	fuzz_check(atomic_load(&fake.live) == 0);
	return 0;
}
