/* SPDX-License-Identifier: MIT */

#include "module.h"

#include "access.h"
#include "basics.h"
#include "broker.h"
#include "exchange.h"
#include "hook.h"
#include "json.h"
#include "message.h"
#include "shared.h"
#include "timer.h"

const struct module *const modules[MODULE_COUNT] = {
	[MODULE_BASICS] = &basics_module,     [MODULE_MESSAGE] = &message_module,
	[MODULE_EXCHANGE] = &exchange_module, [MODULE_ACCESS] = &access_module,
	[MODULE_HOOK] = &hook_module,	      [MODULE_TIMER] = &timer_module,
	[MODULE_BROKER] = &broker_module,     [MODULE_SHARED] = &shared_module,
	[MODULE_JSON] = &json_module,
};
