/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONFIG_ENTRY_H
#define KERNEL_CONFIG_ENTRY_H

/*
 * Between the files that read the configuration: what a setting is on its way to its place, and the
 * kinds of values (config_value.c). A part with many keys of its own has its table in a file of its
 * own.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

/* One setting on its way to its place. */
struct config_entry {
	struct config *config;
	const char *key, *value;
	const char *rest;  /* what the key has after its prefix */
	const char *where; /* "file:line", or "-o" */
	void *target;
	uint64_t minimum, maximum;
	char *error;
};

/* A key that ends in a dot stands for all that begin so. A table ends with a name of NULL. */
struct config_key {
	const char *name;
	int (*read)(struct config_entry *entry); /* 0, or -1 with the entry's error */
	size_t offset;				 /* of the target in struct config */
	uint64_t minimum, maximum;
};

/* All tables; config.c. Ends with NULL. */
extern const struct config_key *const config_tables[];

#define CONFIG_PLACE(member) offsetof(struct config, member)

/* "where: unknown key ..."; -1. */
int config_unknown(const struct config_entry *e);

/* "where: bad value ...: expected ..."; -1. */
int config_refuse(const struct config_entry *e, const char *expected);

/* Decimal digits; with a unit if has_unit: k, M, G (decimal: kB, MB, GB) or KiB, MiB, GiB, as
 * RabbitMQ reads them. */
bool config_parse_number(const char *text, bool has_unit, uint64_t *ret_number);

/* Within the entry's bounds. */
int config_range(struct config_entry *e, bool has_unit, uint64_t *ret_number);

/* The target is a char *, uint16_t, uint32_t, uint64_t (bytes, with a unit), bool. */
int config_text(struct config_entry *e);
int config_u16(struct config_entry *e);
int config_u32(struct config_entry *e);
int config_bytes(struct config_entry *e);
int config_bool(struct config_entry *e);

/* A listener at the value's address; the rest of the key is its name. */
int config_listener(struct config_entry *e, bool is_tls);

/* The words for the values 0, 1, ... of an enum, ending with NULL; `expected` names them. */
int config_choice(struct config_entry *e, const char *const *words, const char *expected,
		  unsigned *ret_choice);

/* ---- The parts' tables, and what they need before and after ---- */

extern const struct config_key config_access_keys[];
void config_access_init(struct config *config);
void config_access_complete(struct config *config);
void config_access_fini(struct config *config);

extern const struct config_key config_login_keys[];
void config_login_complete(struct config *config);
void config_login_fini(struct config *config);

extern const struct config_key config_definitions_keys[];

extern const struct config_key config_tls_keys[];
void config_tls_init(struct config *config);
void config_tls_forget_password(struct config *config);
void config_tls_fini(struct config *config);

extern const struct config_key config_plugin_keys[];
void config_plugins_complete(struct config *config);
void config_plugins_fini(struct config *config);

extern const struct config_key config_log_keys[];
void config_complete_log(struct config *config);

#endif
