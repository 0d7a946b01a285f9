/* SPDX-License-Identifier: MIT */
/* ping and stop. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "formatter.h"

static json_t *bare_request(const char *name)
{
	return json_pack("{s:s}", "command", name);
}

/* ---- ping ---- */

static int ping_failed(const struct client *client, int error)
{
	if (error != -ETIMEDOUT)
		return client_report_unavailable(client, error);
	fprintf(stderr, "Error:\nFailed to connect and authenticate to %s in %u ms\n", client->path, client->timeout_ms);
	return EXIT_UNAVAILABLE;
}

int ping_run(const struct command *command, const struct options *options)
{
	struct client client;
	json_t *value = NULL;
	int status, error;

	error = client_try_open(&client, command, options, CLIENT_TIMEOUT_MS);
	if (formatter_wants_banner(options))
		printf("Will ping %s. This only checks if the OS process is running and its control socket answers. "
		       "Timeout: %u ms.\n",
		       client.path, client.timeout_ms);
	status = error == 0 ? client_call(&client, bare_request("ping"), &value) : ping_failed(&client, error);
	if (status == EXIT_OK)
		output_message(options, "Ping succeeded");
	json_decref(value);
	client_close(&client);
	return status;
}

/* ---- stop ---- */

static bool stop_is_gone(int error)
{
	return error == -ENOENT || error == -ECONNREFUSED;
}

static int stop_broker(struct client *client, const struct options *options)
{
	json_t *value = NULL;
	int status = client_call(client, bare_request("ping"), &value);
	const char *node = json_string_value(json_object_get(value, "node"));

	if (status == EXIT_OK && formatter_wants_banner(options))
		printf("Stopping and halting node %s ...\n", node != NULL ? node : client->path);
	fflush(stdout);
	json_decref(value);
	value = NULL;
	if (status == EXIT_OK)
		status = client_call(client, bare_request("stop"), &value);
	json_decref(value);
	return status == EXIT_OK ? client_wait_for_end(client) : status;
}

int stop_run(const struct command *command, const struct options *options)
{
	struct client client;
	int error = client_try_open(&client, command, options, CLIENT_NO_TIMEOUT), status;

	if (error == 0) {
		status = stop_broker(&client, options);
	} else if (stop_is_gone(error) && options_have(options, OPTION_IDEMPOTENT)) {
		if (formatter_wants_banner(options))
			printf("Node %s is not running\n", client.path);
		status = EXIT_OK;
	} else {
		status = client_report_unavailable(&client, error);
	}
	client_close(&client);
	return status;
}
