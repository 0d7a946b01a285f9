/* SPDX-License-Identifier: MIT */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/compiler.h"
#include "net/tls_ciphers.h"

#define SESSION_SECONDS 7200

void tls_take_reason(char ret_reason[TLS_REASON_MAX])
{
	unsigned long error = ERR_peek_error();
	const char *text = NULL;

	if (ERR_SYSTEM_ERROR(error))
		text = strerror(ERR_GET_REASON(error));
	else if (error != 0)
		text = ERR_reason_error_string(error);
	(void)snprintf(ret_reason, TLS_REASON_MAX, "%s", text ? text : "unknown");
	ERR_clear_error();
}

static int PRINTF_FORMAT(3, 4)
	fail(struct tls_failure *failure, enum tls_part part, const char *format, ...)
{
	va_list args;

	failure->part = part;
	va_start(args, format);
	(void)vsnprintf(failure->text, sizeof(failure->text), format, args);
	va_end(args);
	return -1;
}

static int fail_file(struct tls_failure *failure, enum tls_part part, const char *file)
{
	char reason[TLS_REASON_MAX];

	tls_take_reason(reason);
	return fail(failure, part, "'%s': %s", file, reason);
}

/* Without one of ours OpenSSL would ask on the terminal. */
static int give_password(char *buffer, int size, int for_writing, void *context)
{
	const char *password = context;
	size_t length = password ? strlen(password) : 0;

	(void)for_writing;
	if (!password || length > (size_t)size)
		return -1;
	memcpy(buffer, password, length);
	return (int)length;
}

/* ---- Certificate, key, parameters ---- */

static int load_certificate(SSL_CTX *ctx, const struct tls_options *options,
			    struct tls_failure *failure)
{
	const char *key = options->key_file ? options->key_file : options->certificate_file;

	if (!options->certificate_file)
		return fail(failure, TLS_PART_CERTIFICATE, "a certificate is needed");
	if (SSL_CTX_use_certificate_chain_file(ctx, options->certificate_file) != 1)
		return fail_file(failure, TLS_PART_CERTIFICATE, options->certificate_file);
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(ctx) != 1)
		return fail_file(failure, TLS_PART_KEY, key);
	return 0;
}

static int load_dh(SSL_CTX *ctx, const struct tls_options *options, struct tls_failure *failure)
{
	EVP_PKEY *parameters = NULL;
	BIO *file;

	if (!options->dh_file) {
		(void)SSL_CTX_set_dh_auto(ctx, 1);
		return 0;
	}
	file = BIO_new_file(options->dh_file, "r");
	if (file)
		parameters = PEM_read_bio_Parameters(file, NULL);
	BIO_free(file);
	if (!parameters || SSL_CTX_set0_tmp_dh_pkey(ctx, parameters) != 1) {
		EVP_PKEY_free(parameters);
		return fail_file(failure, TLS_PART_DH, options->dh_file);
	}
	return 0;
}

/* ---- Certificates of clients ---- */

/*
 * What OpenSSL finds out of a certificate at its first use is found out now, on one thread, and not
 * by the first handshakes, on several.
 */
static void look_at_authorities(SSL_CTX *ctx)
{
	const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx));

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));

		if (certificate)
			(void)X509_check_purpose(certificate, -1, 0);
	}
	ERR_clear_error();
}

static int load_authorities(SSL_CTX *ctx, const struct tls_options *options,
			    struct tls_failure *failure)
{
	const char *file = options->authorities_file;
	STACK_OF(X509_NAME) * names;

	if (!file)
		return 0;
	if (SSL_CTX_load_verify_file(ctx, file) != 1)
		return fail_file(failure, TLS_PART_AUTHORITIES, file);
	look_at_authorities(ctx);
	if (!options->verifies_peer)
		return 0;
	names = SSL_load_client_CA_file(file);
	if (!names)
		return fail_file(failure, TLS_PART_AUTHORITIES, file);
	SSL_CTX_set_client_CA_list(ctx, names);
	return 0;
}

static int set_verify(SSL_CTX *ctx, const struct tls_options *options, struct tls_failure *failure)
{
	int mode = SSL_VERIFY_NONE;

	if (options->demands_certificate && !options->verifies_peer)
		return fail(failure, TLS_PART_VERIFY,
			    "a client's certificate is only asked for with verify_peer");
	if (options->verifies_peer && !options->authorities_file)
		return fail(failure, TLS_PART_VERIFY,
			    "verify_peer needs the authorities' certificates");
	if (options->verifies_peer)
		mode = SSL_VERIFY_PEER |
		       (options->demands_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
	SSL_CTX_set_verify(ctx, mode, NULL);
	SSL_CTX_set_verify_depth(ctx, (int)options->depth);
	return 0;
}

/* ---- Sessions ---- */

static bool digest_authorities(SSL_CTX *ctx, EVP_MD_CTX *digest)
{
	const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx));

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
		unsigned char hash[EVP_MAX_MD_SIZE];
		unsigned size;

		if (certificate && (X509_digest(certificate, EVP_sha256(), hash, &size) != 1 ||
				    EVP_DigestUpdate(digest, hash, size) != 1))
			return false;
	}
	return true;
}

/*
 * A session that comes back brings the client's certificate along as it was verified. So it is only
 * good where the same would be demanded of a new one: that is what the session's context stands
 * for.
 */
static int name_sessions(SSL_CTX *ctx, const struct tls_options *options)
{
	unsigned char demands[] = {options->verifies_peer, options->demands_certificate,
				   (unsigned char)options->depth};
	unsigned char id[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	unsigned size = 0;
	bool ok = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
		  EVP_DigestUpdate(digest, demands, sizeof(demands)) == 1 &&
		  (!options->verifies_peer || digest_authorities(ctx, digest)) &&
		  EVP_DigestFinal_ex(digest, id, &size) == 1 &&
		  SSL_CTX_set_session_id_context(ctx, id, size) == 1;

	EVP_MD_CTX_free(digest);
	return ok ? 0 : -1;
}

static int set_sessions(SSL_CTX *ctx, const struct tls_options *options,
			struct tls_tickets *tickets)
{
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_timeout(ctx, SESSION_SECONDS);
	if (!options->has_sessions || !tickets) {
		(void)SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		return SSL_CTX_set_num_tickets(ctx, 0) == 1 ? 0 : -1;
	}
	if (SSL_CTX_set_num_tickets(ctx, 1) != 1 || tls_tickets_use(tickets, ctx) < 0)
		return -1;
	return name_sessions(ctx, options);
}

/* ---- All of it ---- */

/*
 * Without AUTO_RETRY a read comes back after each record that brings no bytes, of which a peer may
 * send as many as it likes. An end without a close_notify is an end: AMQP says by itself whether it
 * has said all.
 */
static void set_behaviour(SSL_CTX *ctx, const struct tls_options *options)
{
	(void)SSL_CTX_set_options(
		ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
			     SSL_OP_IGNORE_UNEXPECTED_EOF |
			     (options->prefers_own_order ? SSL_OP_CIPHER_SERVER_PREFERENCE : 0));
	(void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	(void)SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_read_ahead(ctx, 1);
}

static int set_up(SSL_CTX *ctx, const struct tls_options *options, struct tls_tickets *tickets,
		  struct tls_failure *failure)
{
	/* A wrong password is forgotten with the call, and the right one, too. */
	SSL_CTX_set_default_passwd_cb(ctx, give_password);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, (void *)(uintptr_t)options->password);
	if (load_certificate(ctx, options, failure) < 0 || set_verify(ctx, options, failure) < 0 ||
	    load_authorities(ctx, options, failure) < 0 || load_dh(ctx, options, failure) < 0 ||
	    tls_ciphers_set(ctx, options, failure) < 0)
		return -1;
	SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
	set_behaviour(ctx, options);
	if (set_sessions(ctx, options, tickets) < 0)
		return fail_file(failure, TLS_PART_CERTIFICATE, options->certificate_file);
	return 0;
}

int tls_context_create(const struct tls_options *options, struct tls_tickets *tickets,
		       struct tls_failure *ret_failure, SSL_CTX **ret_context)
{
	SSL_CTX *ctx;

	ERR_clear_error();
	ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx)
		return fail_file(ret_failure, TLS_PART_CERTIFICATE, "OpenSSL");
	if (set_up(ctx, options, tickets, ret_failure) < 0) {
		SSL_CTX_free(ctx);
		return -1;
	}
	*ret_context = ctx;
	return 0;
}
