/* SPDX-License-Identifier: MIT */
#include "control/socket.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_BACKLOG 16

/* True if a process answers at the address (also if it is too busy to): then it is not ours to
 * remove. */
static bool is_alive_at(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool is_alive;

	if (fd < 0)
		return false;
	is_alive = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
		   errno == EAGAIN;
	close(fd);
	return is_alive;
}

/* What is left of a process that was killed goes. A file of another kind is somebody's, and stays.
 */
static int remove_stale(const struct sockaddr_un *address)
{
	struct stat file;

	if (lstat(address->sun_path, &file) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(file.st_mode))
		return -EEXIST;
	if (is_alive_at(address))
		return -EADDRINUSE;
	return unlink(address->sun_path) == 0 || errno == ENOENT ? 0 : -errno;
}

int control_socket_open(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t before;
	int fd, result;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	result = remove_stale(&address);
	if (result != 0)
		return result;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	before = umask(0177); /* nobody else may connect, not even for a moment */
	result = bind(fd, (const struct sockaddr *)&address, sizeof(address));
	umask(before);
	if (result == 0 && listen(fd, SOCKET_BACKLOG) == 0)
		return fd;
	result = -errno;
	close(fd);
	return result;
}
