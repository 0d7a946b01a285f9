/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_AHEAD ((size_t)128 << 10) /* a read of the socket, as of a plain one */

/* ---- What connections have in common ---- */

/* What was noted first: the cause. */
static const char *noted_reason(void)
{
	unsigned long noted = ERR_peek_error();
	const char *reason = ERR_SYSTEM_ERROR(noted) ? strerror((int)ERR_GET_REASON(noted))
						     : ERR_reason_error_string(noted);

	return reason != NULL ? reason : "TLS failed";
}

static int fail(char error[WIRE_ERROR_SIZE], const char *what, const char *path)
{
	(void)snprintf(error, WIRE_ERROR_SIZE, "%s%s%s: %s", what, path != NULL ? " " : "",
		       path != NULL ? path : "", noted_reason());
	return -EINVAL;
}

static int load(SSL_CTX *context, const struct options *options, char error[WIRE_ERROR_SIZE])
{
	const char *key = options->keyfile != NULL ? options->keyfile : options->certfile;

	if (options->cacertfile != NULL &&
	    SSL_CTX_load_verify_file(context, options->cacertfile) != 1)
		return fail(error, "cannot load --cacertfile", options->cacertfile);
	if (options->cacertfile == NULL && options->verify_peer &&
	    SSL_CTX_set_default_verify_paths(context) != 1)
		return fail(error, "cannot load the system's certificates", NULL);
	if (options->certfile != NULL &&
	    SSL_CTX_use_certificate_chain_file(context, options->certfile) != 1)
		return fail(error, "cannot load --certfile", options->certfile);
	if (options->certfile != NULL &&
	    SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
		return fail(error, "cannot load the private key", key);
	return 0;
}

int wire_context_create(const struct options *options, struct ssl_ctx_st **ret_context,
			char error[WIRE_ERROR_SIZE])
{
	SSL_CTX *context = NULL;
	int result;

	ERR_clear_error();
	if (options->is_tls && (context = SSL_CTX_new(TLS_client_method())) == NULL)
		return fail(error, "cannot begin with TLS", NULL);
	result = context != NULL ? load(context, options, error) : 0;
	if (result < 0) {
		SSL_CTX_free(context);
		return result;
	}
	*ret_context = context;
	if (context == NULL)
		return 0;
	/* a broker that just closes has said all by then: AMQP has its own farewell */
	(void)SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
	(void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
						SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
						SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD);
	SSL_CTX_set_verify(context, options->verify_peer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	return 0;
}

void wire_context_free(struct ssl_ctx_st *context)
{
	SSL_CTX_free(context);
}

/* ---- An end ---- */

static bool is_address(const char *host)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static bool set_host(SSL *tls, const struct options *options)
{
	bool is_number = is_address(options->host);

	if (!is_number && SSL_set_tlsext_host_name(tls, options->host) != 1)
		return false;
	if (!options->verify_peer)
		return true;
	return is_number ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), options->host) == 1
			 : SSL_set1_host(tls, options->host) == 1;
}

int wire_begin_tls(struct wire *wire, struct ssl_ctx_st *context, const struct options *options)
{
	SSL *tls = SSL_new(context);

	if (tls == NULL || SSL_set_fd(tls, wire->fd) != 1 || !set_host(tls, options)) {
		SSL_free(tls);
		return -ENOMEM;
	}
	SSL_set_connect_state(tls);
	wire->tls = tls;
	return 0;
}

void wire_end(struct wire *wire)
{
	if (wire->tls != NULL) {
		if (SSL_is_init_finished(wire->tls))
			(void)SSL_shutdown(wire->tls); /* tells the other end, if there is room */
		SSL_free(wire->tls);
	}
	if (wire->fd >= 0)
		(void)close(wire->fd);
	*wire = (struct wire){.fd = -1};
}

/* 0: the end. */
static int tls_error(const struct wire *wire, int result)
{
	int system_error = errno;

	switch (SSL_get_error(wire->tls, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		return system_error != 0 ? -system_error : -ECONNRESET;
	default:
		return -EPROTO;
	}
}

static ssize_t tls_send(const struct wire *wire, const struct iovec *pieces, size_t count)
{
	ssize_t sent = 0;

	for (size_t i = 0; i < count; i++) {
		const uint8_t *bytes = pieces[i].iov_base;
		size_t left = pieces[i].iov_len, n;

		while (left > 0) {
			int result;

			ERR_clear_error();
			result = SSL_write_ex(wire->tls, bytes, left, &n);
			if (result != 1)
				return sent > 0 ? sent : tls_error(wire, result);
			bytes += n;
			left -= n;
			sent += (ssize_t)n;
		}
	}
	return sent;
}

ssize_t wire_send(const struct wire *wire, const struct iovec *pieces, size_t count)
{
	const struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)pieces,
				       .msg_iovlen = count};
	ssize_t n;

	if (wire->tls != NULL)
		return tls_send(wire, pieces, count);
	do {
		n = sendmsg(wire->fd, &message, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t tls_receive(const struct wire *wire, uint8_t *room, size_t size)
{
	size_t received = 0, n;

	while (received < size) {
		int result;

		ERR_clear_error();
		result = SSL_read_ex(wire->tls, room + received, size - received, &n);
		if (result != 1)
			return received > 0 ? (ssize_t)received : tls_error(wire, result);
		received += n;
	}
	return (ssize_t)received;
}

ssize_t wire_receive(const struct wire *wire, void *room, size_t size)
{
	ssize_t n;

	if (wire->tls != NULL)
		return tls_receive(wire, room, size);
	n = recv(wire->fd, room, size, 0);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return n;
}

bool wire_has_more(const struct wire *wire)
{
	return wire->tls != NULL && SSL_has_pending(wire->tls) == 1;
}

bool wire_waits_to_receive(const struct wire *wire)
{
	return wire->tls != NULL && !SSL_is_init_finished(wire->tls) && SSL_want_read(wire->tls);
}

const char *wire_reason(const struct wire *wire, int error)
{
	long verified = wire->tls != NULL ? SSL_get_verify_result(wire->tls) : X509_V_OK;

	if (error != -EPROTO || wire->tls == NULL)
		return strerror(-error);
	if (verified != X509_V_OK && (SSL_get_verify_mode(wire->tls) & SSL_VERIFY_PEER) != 0)
		return X509_verify_cert_error_string(verified);
	return noted_reason();
}

void wire_print_tls(const struct wire *wire, char *out, size_t size)
{
	if (wire->tls == NULL)
		out[0] = '\0';
	else
		(void)snprintf(out, size, "%s %s", SSL_get_version(wire->tls),
			       SSL_get_cipher_name(wire->tls));
}
