/* SPDX-License-Identifier: MIT */
#include "control/account_list.h"

#include "base/list.h"
#include "base/mem.h"
#include "control/account_request.h"
#include "loop/budget.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

#define ACCOUNT_LIST_SLICE 200u		      /* accounts a turn: some 300 us */
#define ACCOUNT_LIST_UNITS LOOP_DELIVER_UNITS /* no other slice in the same turn */

struct account_walk {
	struct letter letter;
	struct account_list list;
	struct actor_ref client;
	account_list_show_fn *show;
	size_t name_size;
	uint8_t name[ACCESS_NAME_MAX]; /* of the last one that was shown */
	char *vhost;
};

void account_list_row(const struct account_list *list, json_t *row)
{
	control_client_send(list->client, row);
}

static void walk_free(struct account_walk *walk)
{
	mem_free(walk->vhost);
	mem_free(walk);
}

static void walk_show(void *context, const struct account_view *account)
{
	struct account_walk *walk = context;

	walk->show(&walk->list, account);
	walk->name_size = account->name.size;
	slice_copy(walk->name, account->name);
}

static void walk_deliver(struct letter *letter);

/* The client has room, or is gone. */
static void walk_order(void *context)
{
	struct account_walk *walk = context;

	if (control_client_get(walk->client) == NULL) {
		walk_free(walk);
		return;
	}
	walk->letter.deliver = walk_deliver;
	loop_post(0, &walk->letter);
}

static void walk_deliver(struct letter *letter)
{
	struct account_walk *walk = container_of(letter, struct account_walk, letter);
	struct slice after = {walk->name_size != 0 ? walk->name : NULL, walk->name_size};

	walk->list.client = control_client_get(walk->client);
	if (walk->list.client == NULL) {
		walk_free(walk);
		return;
	}
	loop_spend(ACCOUNT_LIST_UNITS);
	if (access_some_accounts(walk->list.access, after, ACCOUNT_LIST_SLICE, walk_show, walk)) {
		control_client_when_ready(walk->list.client, walk_order, walk);
		return;
	}
	control_client_ok(walk->list.client);
	walk_free(walk);
}

void account_list_begin(struct control_client *client, const char *columns, struct slice vhost,
			account_list_show_fn *show)
{
	struct account_walk *walk = mem_zalloc(sizeof(*walk));

	walk->client = control_client_ref(client);
	walk->show = show;
	walk->list.access = control_client_config(client)->access;
	if (vhost.data != NULL) {
		walk->vhost = mem_printf(SLICE_FMT, SLICE_ARG(vhost));
		walk->list.vhost = slice_cstr(walk->vhost);
	}
	account_send_columns(client, columns);
	walk_order(walk);
}
