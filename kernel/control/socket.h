/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONTROL_SOCKET_H
#define KERNEL_CONTROL_SOCKET_H

#include "base/compiler.h"

/*
 * Listens on a socket at the path, for the process's own user. What a killed process has left there
 * is replaced; one that answers is -EADDRINUSE, a file of another kind -EEXIST. The descriptor, the
 * caller's, as is the file; or a negative errno. Changes the umask for a moment: one thread.
 */
int control_socket_open(const char *path) MUST_USE;

#endif
