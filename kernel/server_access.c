/* SPDX-License-Identifier: MIT */
#include "server_access.h"

#include "machine.h"

/* A hash takes 19 MiB while it is made, and more of them at once do not come sooner. */
#define SERVER_WORKERS_MAX 4u

struct access *server_make_access(const struct config *config, struct access_config *ret_settings)
{
	*ret_settings = (struct access_config){
		.loopback_users = (const char *const *)config->loopback_users,
	};
	return access_create(ret_settings);
}

int server_start_workers(struct access *access)
{
	unsigned n_cores = machine_cores();

	return access_start_workers(access,
				    n_cores < SERVER_WORKERS_MAX ? n_cores : SERVER_WORKERS_MAX);
}
