/* SPDX-License-Identifier: MIT */
#include "net/tls_ciphers.h"

/*
 * OpenSSL has two lists, one for TLS 1.3 and one for what came before it; RabbitMQ's configuration
 * has one. A version for which a list of suites names none cannot be spoken, and must not be
 * offered: OpenSSL would choose it and then fail.
 */

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

struct suites {
	char *before, *of_1_3; /* names with colons between; NULL: none */
};

static void add(char **list, const char *name)
{
	char *longer = *list ? mem_printf("%s:%s", *list, name) : mem_strdup(name);

	mem_free(*list);
	*list = longer;
}

/* By itself, in a context for the purpose: a list with one good name passes as a whole. */
static bool add_suite(struct suites *suites, SSL_CTX *trial, const char *name)
{
	const char *own = OPENSSL_cipher_name(name); /* of an RFC's name; 1.3 has no other */
	bool is_rfc = strcmp(own, "(NONE)") != 0;

	if (strchr("+-!@", name[0]) || strpbrk(name, ":;, "))
		return false;
	if (is_rfc && strcmp(own, name) == 0) {
		if (SSL_CTX_set_ciphersuites(trial, name) != 1)
			return false;
		add(&suites->of_1_3, name);
		return true;
	}
	if (is_rfc)
		name = own;
	if (SSL_CTX_set_cipher_list(trial, name) != 1)
		return false;
	add(&suites->before, name);
	return true;
}

static int fail(struct tls_failure *failure, enum tls_part part, const char *text)
{
	failure->part = part;
	(void)snprintf(failure->text, sizeof(failure->text), "%s", text);
	return -1;
}

static int sort_out(const struct tls_options *options, struct suites *suites,
		    struct tls_failure *failure)
{
	SSL_CTX *trial = SSL_CTX_new(TLS_server_method());
	char text[128];
	int result = 0;

	if (!trial)
		return fail(failure, TLS_PART_CIPHERS, "out of memory");
	for (size_t i = 0; result == 0 && i < options->n_ciphers; i++) {
		if (add_suite(suites, trial, options->ciphers[i]))
			continue;
		(void)snprintf(text, sizeof(text), "'%.100s': no such cipher", options->ciphers[i]);
		result = fail(failure, TLS_PART_CIPHERS, text);
	}
	SSL_CTX_free(trial);
	ERR_clear_error();
	return result;
}

static int set_suites(SSL_CTX *ctx, const struct suites *suites)
{
	if (suites->before && SSL_CTX_set_cipher_list(ctx, suites->before) != 1)
		return -1;
	if (suites->of_1_3 && SSL_CTX_set_ciphersuites(ctx, suites->of_1_3) != 1)
		return -1;
	return 0;
}

int tls_ciphers_set(SSL_CTX *ctx, const struct tls_options *options, struct tls_failure *failure)
{
	bool has_1_2 = options->has_1_2, has_1_3 = options->has_1_3;
	struct suites suites = {NULL, NULL};
	int result = 0;

	if (options->n_ciphers > 0) {
		result = sort_out(options, &suites, failure);
		has_1_2 = has_1_2 && suites.before;
		has_1_3 = has_1_3 && suites.of_1_3;
	}
	if (result == 0 && ((!has_1_2 && !has_1_3) || set_suites(ctx, &suites) < 0))
		result = fail(failure, TLS_PART_CIPHERS, "no cipher for the versions");
	mem_free(suites.before);
	mem_free(suites.of_1_3);
	if (result < 0)
		return -1;
	if (SSL_CTX_set_min_proto_version(ctx, has_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION) == 1 &&
	    SSL_CTX_set_max_proto_version(ctx, has_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1)
		return 0;
	return fail(failure, TLS_PART_VERSIONS, "OpenSSL does not speak them");
}
