/* SPDX-License-Identifier: MIT */
/*
 * listeners.ssl.*, ssl_options.* and proxy_protocol: the names are RabbitMQ's (rabbit.schema).
 * Files are only named here; server_listen.c reads them.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config_entry.h"
#include "net/range.h"

#define TLS_PLACE(member) CONFIG_PLACE(tls.member)
#define TLS_DEPTH	  10

static void tls_note_where(struct config_entry *e, enum tls_part part)
{
	char **where = &e->config->tls.where[part];

	mem_free(*where);
	*where = mem_strdup(e->where);
}

static int tls_refuse(const struct config_entry *e, const char *reason)
{
	snprintf(e->error, CONFIG_ERROR_MAX, "%s: '%s' is not supported: %s", e->where, e->key,
		 reason);
	return -1;
}

/* ---- Lists ---- */

/* The same name again replaces the value. */
static void tls_put(struct config_list *list, const char *name, const char *value)
{
	for (size_t i = 0; i < list->n; i++) {
		if (strcmp(list->names[i], name) != 0)
			continue;
		mem_free(list->values[i]);
		list->values[i] = mem_strdup(value);
		return;
	}
	list->names = mem_realloc(list->names, (list->n + 1) * sizeof(char *));
	list->values = mem_realloc(list->values, (list->n + 1) * sizeof(char *));
	list->names[list->n] = mem_strdup(name);
	list->values[list->n++] = mem_strdup(value);
}

static void tls_free_list(struct config_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		mem_free(list->names[i]);
		mem_free(list->values[i]);
	}
	mem_free(list->names);
	mem_free(list->values);
}

/* ---- Listeners ---- */

static int tls_listener(struct config_entry *e)
{
	return config_listener(e, true);
}

static int tls_no_listeners(struct config_entry *e)
{
	if (strcmp(e->value, "none") != 0)
		return config_refuse(e, "none");
	e->config->tls.has_no_listeners = true;
	return 0;
}

/* ---- ssl_options ---- */

/* minimum: the part. */
static int tls_file(struct config_entry *e)
{
	tls_note_where(e, (enum tls_part)e->minimum);
	return config_text(e);
}

/* A secret: it is neither shown nor left behind. */
static void tls_wipe(char **text)
{
	if (*text != NULL)
		explicit_bzero(*text, strlen(*text));
	mem_free(*text);
	*text = NULL;
}

static int tls_password(struct config_entry *e)
{
	struct config_tls *tls = &e->config->tls;

	tls_wipe(&tls->password);
	tls->password = mem_strdup(e->value);
	return 0;
}

static int tls_verify(struct config_entry *e)
{
	static const char *const words[] = {"verify_none", "verify_peer", NULL};
	unsigned choice;

	if (config_choice(e, words, "verify_peer or verify_none", &choice) != 0)
		return -1;
	tls_note_where(e, TLS_PART_VERIFY);
	e->config->tls.verifies_peer = choice == 1;
	return 0;
}

static int tls_demand(struct config_entry *e)
{
	if (e->config->tls.where[TLS_PART_VERIFY] == NULL)
		tls_note_where(e, TLS_PART_VERIFY);
	return config_bool(e);
}

static int tls_version(struct config_entry *e)
{
	if (strcmp(e->value, "tlsv1.2") != 0 && strcmp(e->value, "tlsv1.3") != 0)
		return config_refuse(e, "tlsv1.2 or tlsv1.3; what came before is broken");
	tls_note_where(e, TLS_PART_VERSIONS);
	tls_put(&e->config->tls.versions, e->rest, e->value);
	return 0;
}

static int tls_cipher(struct config_entry *e)
{
	if (e->value[0] == '\0')
		return config_refuse(e, "the name of a cipher suite");
	tls_note_where(e, TLS_PART_CIPHERS);
	tls_put(&e->config->tls.ciphers, e->rest, e->value);
	return 0;
}

/* RabbitMQ's default is true. Here none is ever begun, by either side. */
static int tls_client_renegotiation(struct config_entry *e)
{
	bool value = false;

	e->target = &value;
	if (config_bool(e) != 0)
		return -1;
	return value ? tls_refuse(e, "TLS 1.3 has no renegotiation, and for 1.2 it is refused") : 0;
}

static int tls_crl_check(struct config_entry *e)
{
	if (strcmp(e->value, "false") == 0)
		return 0;
	return tls_refuse(e, "there are no lists of revoked certificates");
}

/* Has no meaning here, whichever it is. */
static int tls_either(struct config_entry *e)
{
	bool value;

	e->target = &value;
	return config_bool(e);
}

static int tls_log_level(struct config_entry *e)
{
	static const char *const words[] = {"emergency", "alert", "critical", "error", "warning",
					    "notice",	 "info",  "debug",    NULL};
	unsigned level;

	if (config_choice(e, words,
			  "emergency, alert, critical, error, warning, notice, info or debug",
			  &level) != 0)
		return -1;
	e->config->tls.has_quiet_log = level < 4;
	return 0;
}

static int tls_instead_of_bytes(struct config_entry *e)
{
	return tls_refuse(e, "it has to be in a file (certfile, keyfile, cacertfile, dhfile)");
}

static int tls_no_psk(struct config_entry *e)
{
	return tls_refuse(e, "clients have certificates or passwords");
}

static void tls_free(struct config_tls *tls)
{
	tls_wipe(&tls->password);
	mem_free(tls->certificate_file);
	mem_free(tls->key_file);
	mem_free(tls->authorities_file);
	mem_free(tls->dh_file);
	for (size_t i = 0; i < TLS_PART_COUNT; i++)
		mem_free(tls->where[i]);
	tls_free_list(&tls->versions);
	tls_free_list(&tls->ciphers);
}

static int tls_none(struct config_entry *e)
{
	bool has_no_listeners = e->config->tls.has_no_listeners;

	if (strcmp(e->value, "none") != 0)
		return config_refuse(e, "none");
	tls_free(&e->config->tls);
	config_tls_init(e->config);
	e->config->tls.has_no_listeners = has_no_listeners;
	return 0;
}

/* ---- PROXY protocol ---- */

static int proxy_trusted(struct config_entry *e)
{
	struct net_range range;

	if (net_range_parse(e->value, &range) != 0)
		return config_refuse(e, "an address, or a range as in 10.0.0.0/8 or 2001:db8::/32");
	tls_put(&e->config->proxies, e->rest, e->value);
	return 0;
}

/* ---- Keys ---- */

const struct config_key config_tls_keys[] = {
	{"listeners.ssl", tls_no_listeners, 0, 0, 0},
	{"listeners.ssl.", tls_listener, 0, 0, 0},
	{"ssl_handshake_timeout", config_u32, TLS_PLACE(handshake_timeout_ms), 100, 3600 * 1000},
	{"ssl_options", tls_none, 0, 0, 0},
	{"ssl_options.cacertfile", tls_file, TLS_PLACE(authorities_file), TLS_PART_AUTHORITIES, 0},
	{"ssl_options.certfile", tls_file, TLS_PLACE(certificate_file), TLS_PART_CERTIFICATE, 0},
	{"ssl_options.keyfile", tls_file, TLS_PLACE(key_file), TLS_PART_KEY, 0},
	{"ssl_options.dhfile", tls_file, TLS_PLACE(dh_file), TLS_PART_DH, 0},
	{"ssl_options.password", tls_password, 0, 0, 0},
	{"ssl_options.verify", tls_verify, 0, 0, 0},
	{"ssl_options.fail_if_no_peer_cert", tls_demand, TLS_PLACE(demands_certificate), 0, 0},
	{"ssl_options.depth", config_u32, TLS_PLACE(depth), 0, 255},
	{"ssl_options.versions.", tls_version, 0, 0, 0},
	{"ssl_options.ciphers.", tls_cipher, 0, 0, 0},
	{"ssl_options.honor_cipher_order", config_bool, TLS_PLACE(prefers_own_order), 0, 0},
	{"ssl_options.honor_ecc_order", tls_either, 0, 0, 0},
	{"ssl_options.secure_renegotiate", tls_either, 0, 0, 0},
	{"ssl_options.client_renegotiation", tls_client_renegotiation, 0, 0, 0},
	{"ssl_options.reuse_sessions", config_bool, TLS_PLACE(has_sessions), 0, 0},
	{"ssl_options.bypass_pem_cache", tls_either, 0, 0, 0},
	{"ssl_options.crl_check", tls_crl_check, 0, 0, 0},
	{"ssl_options.log_alert", config_bool, TLS_PLACE(has_alert_log), 0, 0},
	{"ssl_options.log_level", tls_log_level, 0, 0, 0},
	{"ssl_options.cert", tls_instead_of_bytes, 0, 0, 0},
	{"ssl_options.key.", tls_instead_of_bytes, 0, 0, 0},
	{"ssl_options.cacerts.", tls_instead_of_bytes, 0, 0, 0},
	{"ssl_options.dh", tls_instead_of_bytes, 0, 0, 0},
	{"ssl_options.psk_identity", tls_no_psk, 0, 0, 0},
	{"proxy_protocol", config_bool, CONFIG_PLACE(proxy_protocol), 0, 0},
	{"proxy_protocol.trusted.", proxy_trusted, 0, 0, 0},
	{NULL, NULL, 0, 0, 0},
};

/* ---- Beginning and end ---- */

void config_tls_init(struct config *config)
{
	config->tls = (struct config_tls){
		.depth = TLS_DEPTH,
		.has_sessions = true,
		.has_alert_log = true,
	};
}

void config_tls_forget_password(struct config *config)
{
	tls_wipe(&config->tls.password);
}

void config_tls_fini(struct config *config)
{
	tls_free(&config->tls);
	tls_free_list(&config->proxies);
}
