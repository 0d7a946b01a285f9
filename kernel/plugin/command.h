/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_PLUGIN_COMMAND_H
#define KERNEL_PLUGIN_COMMAND_H

/* Commands of plugins, for who runs them: `shuntctl plugin run PLUGIN NAME [ARGUMENT]...` */

#include <stddef.h>

#include <shunt/plugin.h>

#include "base/compiler.h"
#include "base/slice.h"

struct plugin_call;
struct plugins;

/* Both at home, and not inside plugins_call(). print: any number of times before done. done: once,
 * with the error or NULL, unless the call is abandoned; it may abandon nothing any more. */
struct plugin_caller {
	void (*print)(void *context, struct slice text);
	void (*done)(void *context, const char *error);
	void *context;
};

struct plugin_call_request {
	const char *plugin, *command;
	const struct shunt_bytes *arguments;
	size_t n_arguments;
};

/* Home. The request is read during the call. NULL with a reason: no such plugin, no such command.
 */
struct plugin_call *plugins_call(struct plugins *plugins, const struct plugin_call_request *request,
				 const struct plugin_caller *caller, char *ret_reason,
				 size_t size) MUST_USE;

/* Home. Who called has gone: neither of its functions is called any more. Not after done. */
void plugin_call_abandon(struct plugin_call *call);

#endif
