/* SPDX-License-Identifier: MIT */
/* What is loaded at the start, with RabbitMQ's keys. */
#include <string.h>

#include "config_entry.h"

/* There is one: others would need another server. */
static int read_backend(struct config_entry *e)
{
	static const char *const names[] = {"local_filesystem", "local",
					    "rabbitmq_definitions_import_local_filesystem",
					    "rabbit_definitions_import_local_filesystem"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(e->value, names[i]) == 0)
			return 0;
	return config_refuse(e, "local_filesystem");
}

/* Of what says whether a file has changed: Shunt has its own. */
static int read_algorithm(struct config_entry *e)
{
	static const char *const names[] = {"sha",	"sha224",   "sha256",	"sha384",  "sha512",
					    "sha3_224", "sha3_256", "sha3_384", "sha3_512"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(e->value, names[i]) == 0)
			return 0;
	return config_refuse(e, "sha, sha224, sha256, sha384 or sha512, or sha3_224 and so on");
}

const struct config_key config_definitions_keys[] = {
	{"load_definitions", config_text, CONFIG_PLACE(definitions), 0, 0},
	{"definitions.local.path", config_text, CONFIG_PLACE(definitions), 0, 0},
	{"definitions.import_backend", read_backend, 0, 0, 0},
	{"definitions.skip_if_unchanged", config_bool, CONFIG_PLACE(definitions_if_changed), 0, 0},
	{"definitions.hashing.algorithm", read_algorithm, 0, 0, 0},
	{NULL, NULL, 0, 0, 0},
};
