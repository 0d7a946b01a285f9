/* SPDX-License-Identifier: MIT */
#include "server_admin.h"

#include "access/access.h"
#include "access/accounts.h"
#include "admin/admin.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/restore/restore.h"
#include "broker/topology/topology.h"
#include "broker/vhost/vhost.h"
#include "config.h"
#include "conn/closing.h"

int server_restore_from(const struct config *config, struct broker *broker, struct access *access,
			struct store *store, struct admin **ret_admin, char *ret_reason,
			size_t size)
{
	const struct access_first first = {
		.user = config->default_user,
		.pass = config->default_pass,
		.tags = config->default_user_tags,
		.vhost = config->default_vhost,
		.configure = config->default_configure,
		.write = config->default_write,
		.read = config->default_read,
	};

	/* As in RabbitMQ: what is imported takes the place of the defaults. */
	bool has_defaults = config->definitions == NULL;
	char *damaged;
	int result;

	if (restore_broker(broker, has_defaults ? config->default_vhost : NULL, ret_reason, size) !=
		    0 ||
	    accounts_restore(access, store, has_defaults ? &first : NULL, ret_reason, size) != 0)
		return -1;
	damaged = mem_printf("%s/damaged", config->data_dir);
	result = admin_create(broker, access, store, damaged, ret_admin, ret_reason, size);
	mem_free(damaged);
	return result;
}

static void vhost_is_empty(void *context)
{
	struct vhost_closing *closing = context;

	closing->done(closing);
}

static void close_vhost(void *context, struct vhost_closing *closing)
{
	conn_close_vhost(context, closing->vhost->node.key, vhost_is_empty, closing);
}

static void close_user(void *context, struct slice name)
{
	conn_close_user(context, name);
}

void server_connect_closing(struct broker *broker, struct access *access,
			    struct conn_service *connections)
{
	broker->vhost_closing = close_vhost;
	broker->vhost_closing_context = connections;
	access_on_user_deleted(access, close_user, connections);
}
