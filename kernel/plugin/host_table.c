/* SPDX-License-Identifier: MIT */
/* Field tables, for plugins. */
#include "amqp/plugin_table.h"
#include "plugin/host.h"

static bool host_table_next(const struct shunt_host *host, struct shunt_bytes table,
			    size_t *position, struct shunt_bytes *ret_name,
			    struct shunt_value *ret_value)
{
	(void)host;
	return plugin_table_next(table, position, ret_name, ret_value);
}

static bool host_table_find(const struct shunt_host *host, struct shunt_bytes table,
			    const char *name, struct shunt_value *ret_value)
{
	(void)host;
	return plugin_table_find(table, name, ret_value);
}

static bool host_array_next(const struct shunt_host *host, struct shunt_bytes array,
			    size_t *position, struct shunt_value *ret_value)
{
	(void)host;
	return plugin_array_next(array, position, ret_value);
}

void host_offer_tables(struct shunt_host *host)
{
	host->table_next = host_table_next;
	host->table_find = host_table_find;
	host->array_next = host_array_next;
}
