/* SPDX-License-Identifier: MIT */
#ifndef LUA_VERDICTS_H
#define LUA_VERDICTS_H

/* Whether an exchange may be declared so, or a binding be: what the script says of it. All return
 * 0, or -1 with the error that the client sees. */

#include "exchange/instance.h"

int verdict_no_memory(struct shunt_error *error);
int verdict_no_type(struct shunt_error *error);

int verdict_on_exchange(const struct type *type, const struct shunt_exchange *exchange,
			struct shunt_error *error);
int verdict_on_binding(const struct instance *instance, const struct shunt_binding *binding,
		       struct shunt_error *error);

#endif
