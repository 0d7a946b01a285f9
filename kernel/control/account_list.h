/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONTROL_ACCOUNT_LIST_H
#define KERNEL_CONTROL_ACCOUNT_LIST_H

/*
 * Lists of accounts, or of what they have. There may be very many: some of them are shown in a
 * turn, and no more before the client has taken most of that. What comes or goes meanwhile is in
 * the list or not. On loop 0.
 */

#include "access/accounts.h"
#include "control/client.h"

struct account_list {
	struct control_client *client; /* for account_list_row() */
	struct access *access;
	struct slice vhost; /* data NULL: the command has none */
};

/* Shows one account's rows, by account_list_row(). */
typedef void account_list_show_fn(const struct account_list *list,
				  const struct account_view *account);

/* Takes the reference. */
void account_list_row(const struct account_list *list, json_t *row);

/* Sends the names of the columns (blanks between them), all rows, and the end. */
void account_list_begin(struct control_client *client, const char *columns, struct slice vhost,
			account_list_show_fn *show);

#endif
