/* SPDX-License-Identifier: MIT */
#include "net/tls_state.h"

/*
 * Reading takes record after record until there is no room or the socket is empty, so that one turn
 * of the loop gets as much as it does from a plain socket.
 *
 * Writing gathers small pieces into records of up to 16 KiB. When the socket does not take one, it
 * is sealed already, and OpenSSL wants the same bytes again; they are still the first of the
 * output, and `retry` says how many they were.
 *
 * A failure behind bytes that have been read is kept for the next read.
 */

#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bug.h"

#define RECORD_SIZE ((size_t)16 * 1024)

/*
 * A round is what OpenSSL takes at once of records that bring no bytes (changes of keys): as many
 * as its buffer has, which may be 2 ms of work. One read takes no more than these, the second to
 * see that nothing is left; and a peer that sends nothing else for so many has no good in mind.
 */
#define ROUNDS_MAX	 2
#define EMPTY_ROUNDS_MAX 32

/* What one write takes, for it holds up the loop: sealing is some 4 us for a record. */
#define WRITE_MAX ((size_t)256 * 1024)

/* ---- Reading ---- */

/* Not to be tried again: how it ended, as read has it. */
static int reading_ended(struct tls_session *s, int error)
{
	ERR_clear_error();
	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	s->is_broken = true;
	return s->socket_error != 0 ? -s->socket_error : -EPROTO;
}

/* 1: go on; otherwise what read gives if it has no bytes. */
static int look_at_read(struct tls_session *s, unsigned round)
{
	int error = SSL_get_error(s->ssl, 0);

	s->may_pend = true;
	if (error == SSL_ERROR_WANT_WRITE)
		return -EINPROGRESS;
	if (error != SSL_ERROR_WANT_READ) {
		s->has_ended = true;
		s->end = reading_ended(s, error);
		return s->end;
	}
	if (s->is_dry) {
		s->may_pend = false;
		return -EAGAIN;
	}
	if (++s->n_empty_rounds > EMPTY_ROUNDS_MAX) {
		s->has_ended = true;
		s->end = -EPROTO;
		return -EPROTO;
	}
	return round < ROUNDS_MAX ? 1 : -EAGAIN;
}

static ssize_t tls_read(void *context, int fd, void *buffer, size_t size)
{
	struct tls_session *s = context;
	unsigned char *to = buffer;
	size_t got = 0;
	int r = 1;

	(void)fd;
	if (s->has_ended)
		return s->end;
	s->may_pend = true;
	for (unsigned round = 1; got < size && r == 1;) {
		size_t n = 0;

		ERR_clear_error();
		s->is_dry = false;
		if (SSL_read_ex(s->ssl, to + got, size - got, &n) == 1)
			got += n;
		else
			r = look_at_read(s, round++);
	}
	if (got > 0)
		s->n_empty_rounds = 0;
	return got > 0 ? (ssize_t)got : r;
}

static bool tls_has_pending(void *context)
{
	const struct tls_session *s = context;

	return s->has_ended || (s->may_pend && SSL_has_pending(s->ssl) == 1);
}

/* ---- Writing ---- */

/* Where the next record's bytes come from. */
struct source {
	const struct iovec *iov;
	int n_iov;
	size_t at; /* in the first */
};

static void skip(struct source *from, size_t size)
{
	from->at += size;
	while (from->n_iov > 0 && from->at >= from->iov->iov_len) {
		from->at -= from->iov->iov_len;
		from->iov++;
		from->n_iov--;
	}
}

static size_t copy(const struct source *from, unsigned char *to, size_t max)
{
	size_t size = 0, at = from->at;

	for (int i = 0; i < from->n_iov && size < max; i++, at = 0) {
		size_t n = from->iov[i].iov_len - at;

		n = n < max - size ? n : max - size;
		memcpy(to + size, (const unsigned char *)from->iov[i].iov_base + at, n);
		size += n;
	}
	return size;
}

/* The next `max` bytes, or as many as there are; where they lie if they are in one piece, or else
 * in the thread's own room. */
static const void *gather(const struct source *from, size_t max, size_t *ret_size)
{
	static _Thread_local unsigned char room[RECORD_SIZE];
	size_t first = from->iov->iov_len - from->at;

	if (first >= max || from->n_iov == 1) {
		*ret_size = first < max ? first : max;
		return (const unsigned char *)from->iov->iov_base + from->at;
	}
	*ret_size = copy(from, room, max);
	return room;
}

static ssize_t look_at_write(struct tls_session *s)
{
	int error = SSL_get_error(s->ssl, 0);

	if (error == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	if (error == SSL_ERROR_WANT_READ)
		return -EINPROGRESS;
	ERR_clear_error();
	/* What the peer has sent may still be read when its socket takes nothing any more. */
	if (s->socket_error != 0)
		return -s->socket_error;
	s->is_broken = true;
	return -EPROTO;
}

static ssize_t tls_writev(void *context, int fd, const struct iovec *iov, int n_iov, bool is_last)
{
	struct tls_session *s = context;
	struct source from = {iov, n_iov, 0};
	size_t sent = 0;

	(void)fd;
	s->is_last = is_last;
	skip(&from, 0);
	while (from.n_iov > 0 && sent < WRITE_MAX) {
		size_t size, n = 0;
		const void *bytes = gather(&from, s->retry > 0 ? s->retry : RECORD_SIZE, &size);

		bug_on(size < s->retry);
		ERR_clear_error();
		if (SSL_write_ex(s->ssl, bytes, size, &n) != 1) {
			s->retry = size;
			return sent > 0 ? (ssize_t)sent : look_at_write(s);
		}
		s->retry = 0;
		sent += n;
		skip(&from, n);
	}
	return (ssize_t)sent;
}

/* All is written. If the socket has no room for the close_notify, the peer does without one. */
static int tls_shutdown(void *context, int fd)
{
	struct tls_session *s = context;

	s->is_last = true;
	ERR_clear_error();
	if (!s->is_broken)
		(void)SSL_shutdown(s->ssl);
	ERR_clear_error();
	return shutdown(fd, SHUT_WR) < 0 ? -errno : 0;
}

static void tls_release(void *context)
{
	tls_session_destroy(context);
}

const struct transport_layer tls_layer = {
	.read = tls_read,
	.writev = tls_writev,
	.shutdown = tls_shutdown,
	.has_pending = tls_has_pending,
	.release = tls_release,
};
