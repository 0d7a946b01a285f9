/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_SERVER_ACCESS_H
#define KERNEL_SERVER_ACCESS_H

#include "access/access.h"
#include "base/compiler.h"
#include "config.h"

/* *ret_settings is what it borrows, and stays in place as long as the access. */
struct access *server_make_access(const struct config *config, struct access_config *ret_settings);

/* Threads that hash passwords. 0, or a negative errno. */
int server_start_workers(struct access *access) MUST_USE;

#endif
