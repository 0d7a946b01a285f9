/* SPDX-License-Identifier: MIT */

#include "module.h"

#include "exchange.h"
#include "message.h"
#include "script.h"

/* One that is not there. */
static const struct module none;

const struct module *const modules[MODULE_COUNT] = {
	[MODULE_BASICS] = &none,
	[MODULE_MESSAGE] = &message_module,
	[MODULE_EXCHANGE] = &exchange_module,
	[MODULE_ACCESS] = &none,
	[MODULE_HOOK] = &none,
	[MODULE_TIMER] = &none,
	[MODULE_BROKER] = &none,
	[MODULE_SHARED] = &none,
	[MODULE_JSON] = &none,
};
