/* SPDX-License-Identifier: MIT */
#include "amqp/argument_schema.h"
#include "amqp/plugin_table.h"
#include "amqp/table.h"
#include "plugin/host.h"

/*
 * In the arguments of an exchange or a binding nothing is found that does not fit, as that was
 * refused. A plugin may look into any other table in this way; there, what does not fit is as if it
 * were not there.
 */
static bool host_argument(const struct shunt_host *host, struct shunt_bytes table,
			  const struct shunt_argument *argument, struct shunt_value *ret_value)
{
	struct amqp_value value;

	(void)host;
	if (argument->type == SHUNT_ARGUMENT_ANY) {
		if (plugin_table_find(table, argument->name, ret_value))
			return true;
	} else if (amqp_table_find(plugin_slice(table), argument->name, &value) &&
		   argument_schema_read(argument, &value, ret_value)) {
		return true;
	}
	return argument_schema_default(argument, ret_value);
}

void host_offer_arguments(struct shunt_host *host)
{
	host->argument = host_argument;
}
