/* SPDX-License-Identifier: MIT */
#include "net/tls_state.h"

/*
 * What OpenSSL reads from and writes to. Its own does not know MSG_NOSIGNAL and MSG_MORE, and says
 * neither whether the socket was emptied nor what errno was.
 */

#include <errno.h>
#include <openssl/bio.h>
#include <pthread.h>
#include <sys/socket.h>

static bool is_for_now(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK;
}

static int socket_read(BIO *bio, char *bytes, int size)
{
	struct tls_session *s = BIO_get_data(bio);
	ssize_t n;

	do {
		n = recv(s->fd, bytes, (size_t)size, 0);
	} while (n < 0 && errno == EINTR);
	BIO_clear_retry_flags(bio);
	s->socket_error = 0;
	s->is_dry = n < 0 && is_for_now(errno);
	s->is_at_end = n == 0;
	if (s->is_dry)
		BIO_set_retry_read(bio);
	else if (n < 0)
		s->socket_error = errno;
	return (int)n;
}

static int socket_write(BIO *bio, const char *bytes, int size)
{
	struct tls_session *s = BIO_get_data(bio);
	ssize_t n;

	do {
		n = send(s->fd, bytes, (size_t)size, MSG_NOSIGNAL | (s->is_last ? MSG_MORE : 0));
	} while (n < 0 && errno == EINTR);
	BIO_clear_retry_flags(bio);
	s->socket_error = 0;
	if (n < 0 && is_for_now(errno))
		BIO_set_retry_write(bio);
	else if (n < 0)
		s->socket_error = errno;
	return (int)n;
}

static long socket_control(BIO *bio, int command, long number, void *pointer)
{
	const struct tls_session *s = BIO_get_data(bio);

	(void)number, (void)pointer;
	if (command == BIO_CTRL_EOF)
		return s->is_at_end;
	return command == BIO_CTRL_FLUSH;
}

static int socket_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

/* The kind of BIO, made once for the process, as OpenSSL counts kinds and never takes one back. */
static BIO_METHOD *socket_method;

static void make_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");

	if (method && BIO_meth_set_read(method, socket_read) == 1 &&
	    BIO_meth_set_write(method, socket_write) == 1 &&
	    BIO_meth_set_ctrl(method, socket_control) == 1 &&
	    BIO_meth_set_create(method, socket_create) == 1)
		socket_method = method;
	else
		BIO_meth_free(method);
}

int tls_socket_attach(struct tls_session *s)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *bio = NULL;

	(void)pthread_once(&once, make_method);
	if (socket_method)
		bio = BIO_new(socket_method);
	if (!bio)
		return -1;
	BIO_set_data(bio, s);
	SSL_set_bio(s->ssl, bio, bio);
	return 0;
}
