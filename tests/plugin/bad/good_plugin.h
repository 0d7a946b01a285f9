/* SPDX-License-Identifier: MIT */
#ifndef TESTS_PLUGIN_BAD_GOOD_PLUGIN_H
#define TESTS_PLUGIN_BAD_GOOD_PLUGIN_H

/* What is not replaced is as it should be. */

#ifndef GOOD_NAME
#define GOOD_NAME "bad"
#endif
#ifndef GOOD_MAGIC
#define GOOD_MAGIC SHUNT_PLUGIN_MAGIC
#endif
#ifndef GOOD_MINOR
#define GOOD_MINOR SHUNT_ABI_MINOR
#endif
#ifndef GOOD_OPTIONS
#define GOOD_OPTIONS NULL
#endif
#ifndef GOOD_VALIDATE
#define GOOD_VALIDATE NULL
#endif
#ifndef GOOD_CREATE
#define GOOD_CREATE good_create
#endif
#ifndef GOOD_DESTROY
#define GOOD_DESTROY good_destroy
#endif
#ifndef GOOD_BIND
#define GOOD_BIND good_bind
#endif
#ifndef GOOD_UNBIND
#define GOOD_UNBIND good_unbind
#endif
#ifndef GOOD_ROUTE
#define GOOD_ROUTE good_route
#endif
#ifndef GOOD_BY_KEY
#define GOOD_BY_KEY true
#endif
#ifndef GOOD_DEPENDS
#define GOOD_DEPENDS good_depends
#endif
#ifndef GOOD_ARGUMENTS
#define GOOD_ARGUMENTS NULL
#endif
#ifndef GOOD_OBSERVE
#define GOOD_OBSERVE NULL
#endif
#ifndef GOOD_BOUND
#define GOOD_BOUND NULL
#endif
#ifndef GOOD_ADOPT
#define GOOD_ADOPT NULL
#endif
#ifndef GOOD_START
#define GOOD_START good_start
#endif
#ifndef GOOD_STOP
#define GOOD_STOP NULL
#endif

/* For those that do not look at more, or have another fault than that. */
static const char *const good_depends[] __attribute__((unused)) = {"routing_key", NULL};

static const struct shunt_exchange_type good_type = {
	.size = sizeof(good_type),
	.name = "x-bad",
	.description = "for tests",
	.validate = GOOD_VALIDATE,
	.create = GOOD_CREATE,
	.destroy = GOOD_DESTROY,
	.bind = GOOD_BIND,
	.unbind = GOOD_UNBIND,
	.route = GOOD_ROUTE,
	.routes_by_key = GOOD_BY_KEY,
	.declare_arguments = GOOD_ARGUMENTS,
	.observe = GOOD_OBSERVE,
	.bound = GOOD_BOUND,
	.adopt = GOOD_ADOPT,
	.depends = GOOD_DEPENDS,
};

#ifndef GOOD_REGISTER
#define GOOD_REGISTER good_register
/* The exchange type, and what a bad one has beside it. */
static inline int good_register(const struct shunt_host *host, struct shunt_error *error)
{
	return host->register_exchange_type(host, &good_type, error);
}
#endif

static inline int good_start(const struct shunt_host *host, void **ret_plugin,
			     struct shunt_error *error)
{
	(void)ret_plugin;
	good_host = host;
	return GOOD_REGISTER(host, error);
}

SHUNT_PLUGIN = {
	.magic = GOOD_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = GOOD_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = GOOD_NAME,
	.version = "1",
	.licence = "MIT",
	.description = "for tests of shunt-plugin-test",
	.options = GOOD_OPTIONS,
	.start = GOOD_START,
	.stop = GOOD_STOP,
};

#endif
