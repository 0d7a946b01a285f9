/* SPDX-License-Identifier: MIT */

#include "module.h"

#include "policy/access.h"
#include "library/basics.h"
#include "library/broker.h"
#include "exchange/exchange.h"
#include "policy/hook.h"
#include "library/json.h"
#include "message/message.h"
#include "library/shared.h"
#include "library/timer.h"

const struct module *const modules[MODULE_COUNT] = {
	[MODULE_BASICS] = &basics_module,     [MODULE_MESSAGE] = &message_module,
	[MODULE_EXCHANGE] = &exchange_module, [MODULE_ACCESS] = &access_module,
	[MODULE_HOOK] = &hook_module,	      [MODULE_TIMER] = &timer_module,
	[MODULE_BROKER] = &broker_module,     [MODULE_SHARED] = &shared_module,
	[MODULE_JSON] = &json_module,
};
