/* SPDX-License-Identifier: MIT */

#include "module.h"

#include "script.h"

/* One that is not there. */
static const struct module none;

const struct module *const modules[MODULE_COUNT] = {
	[MODULE_BASICS] = &none,
	[MODULE_MESSAGE] = &none,
	[MODULE_EXCHANGE] = &none,
	[MODULE_ACCESS] = &none,
	[MODULE_HOOK] = &none,
	[MODULE_TIMER] = &none,
	[MODULE_BROKER] = &none,
	[MODULE_SHARED] = &none,
	[MODULE_JSON] = &none,
};
