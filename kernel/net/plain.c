/* SPDX-License-Identifier: MIT */
#include "net/plain.h"

#include <errno.h>
#include <sys/socket.h>

static ssize_t plain_read(void *context, int fd, void *buffer, size_t size)
{
	ssize_t n;

	(void)context;
	do {
		n = recv(fd, buffer, size, 0);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t plain_writev(void *context, int fd, const struct iovec *iov, int n_iov, bool is_last)
{
	struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov,
				 .msg_iovlen = (size_t)n_iov};
	ssize_t n;

	(void)context;
	do {
		n = sendmsg(fd, &message, MSG_NOSIGNAL | (is_last ? MSG_MORE : 0));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int plain_shutdown(void *context, int fd)
{
	(void)context;
	return shutdown(fd, SHUT_WR) < 0 ? -errno : 0;
}

const struct transport_layer plain_layer = {
	.read = plain_read,
	.writev = plain_writev,
	.shutdown = plain_shutdown,
};
