/* SPDX-License-Identifier: MIT */
#include "control/account_request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/list.h"
#include "base/mem.h"

struct account_request *account_request_create(struct control_client *client, const json_t *request,
					       enum access_edit_kind kind, const char *event)
{
	struct audit_actor actor = control_client_actor(client);
	struct account_request *self = mem_zalloc(sizeof(*self));

	self->access = control_client_config(client)->access;
	self->edit.kind = kind;
	self->event = event;
	self->client = control_client_ref(client);
	self->texts = json_object();
	self->request = request;
	snprintf(self->by, sizeof(self->by), SLICE_FMT, SLICE_ARG(actor.by));
	snprintf(self->from, sizeof(self->from), SLICE_FMT, SLICE_ARG(actor.from));
	buffer_init(&self->details);
	return self;
}

void account_request_free(struct account_request *request)
{
	json_decref(request->texts);
	buffer_fini(&request->details);
	explicit_bzero(request->password.hash, sizeof(request->password.hash));
	mem_free(request);
}

static bool is_of_permission(enum access_edit_kind kind)
{
	return kind == ACCESS_SET_PERMISSION || kind == ACCESS_CLEAR_PERMISSION ||
	       kind == ACCESS_SET_TOPIC_PERMISSION || kind == ACCESS_CLEAR_TOPIC_PERMISSION;
}

struct slice account_request_secret(struct account_request *request, const char *key)
{
	json_t *text = json_deep_copy(json_object_get(request->request, key));

	if (!json_is_string(text) || json_object_set(request->texts, key, text) != 0) {
		json_decref(text);
		request->is_incomplete = true;
		return SLICE_EMPTY;
	}
	json_decref(text);
	return slice_make(json_string_value(text), json_string_length(text));
}

/* What the audit trail calls it, as RabbitMQ's events do. */
static const char *audit_key(const struct account_request *request, const char *key)
{
	bool is_subject = strcmp(key, "user") == 0 && !is_of_permission(request->edit.kind);

	return is_subject ? "name" : key;
}

struct slice account_request_text(struct account_request *request, const char *key)
{
	struct slice text = account_request_secret(request, key);
	char quoted[300];

	buffer_printf(&request->details, "%s%s=%s", request->details.size != 0 ? " " : "",
		      audit_key(request, key), log_quote(quoted, sizeof(quoted), text));
	return text;
}

bool account_request_is_whole(struct control_client *client, struct account_request *request)
{
	if (!request->is_incomplete)
		return true;
	account_request_free(request);
	control_client_fail(client, CONTROL_USAGE, "an argument is missing, or is no text");
	return false;
}

/* ---- How it went ---- */

static void request_audit(struct account_request *request)
{
	const struct audit_actor actor = {slice_cstr(request->by), slice_cstr(request->from)};

	audit(&actor, NULL, request->event, "%s", buffer_cstr(&request->details));
}

/* rabbitmqctl has it in both ways. */
static void fail_no_user(struct control_client *client, struct slice user, bool is_quoted)
{
	const char *quote = is_quoted ? "\"" : "";

	control_client_fail(client, CONTROL_NO_USER, "User %s" SLICE_FMT "%s does not exist", quote,
			    SLICE_ARG(user), quote);
}

static void request_fail(struct account_request *request, struct control_client *client)
{
	struct slice user = slice_cstr(json_string_value(json_object_get(request->texts, "user")));

	switch (-request->edits.result) {
	case EEXIST:
		control_client_fail(client, CONTROL_SOFTWARE,
				    "User \"" SLICE_FMT "\" already exists", SLICE_ARG(user));
		break;
	case ENOENT:
		fail_no_user(client, user, !is_of_permission(request->edit.kind));
		break;
	case EINVAL:
		control_client_fail(client, CONTROL_DATA, "%s", request->edits.reason);
		break;
	default:
		control_client_fail(client, CONTROL_SOFTWARE, "%s",
				    request->edits.reason[0] != '\0'
					    ? request->edits.reason
					    : strerror(-request->edits.result));
	}
}

static void request_done(struct access_edits *edits)
{
	struct account_request *request = container_of(edits, struct account_request, edits);
	struct control_client *client = control_client_get(request->client);

	if (edits->result == 0)
		request_audit(request);
	if (client != NULL && edits->result == 0)
		control_client_ok(client);
	else if (client != NULL)
		request_fail(request, client);
	account_request_free(request);
}

void account_request_submit(struct account_request *request)
{
	request->request = NULL; /* it was borrowed for the call */
	request->edits.items = &request->edit;
	request->edits.n = 1;
	request->edits.done = request_done;
	access_edit(request->access, &request->edits);
}

static void request_hashed(struct password_work *work)
{
	struct account_request *request = container_of(work, struct account_request, password);
	struct control_client *client;

	if (work->result == 0) {
		request->edit.account.algorithm = PASSWORD_ARGON2ID;
		request->edit.account.password_hash = slice_cstr(work->hash);
		account_request_submit(request);
		return;
	}
	client = control_client_get(request->client);
	if (client != NULL)
		control_client_fail(client, CONTROL_SOFTWARE, "the password cannot be hashed: %s",
				    strerror(-work->result));
	account_request_free(request);
}

void account_request_submit_password(struct account_request *request, struct slice password)
{
	request->request = NULL;
	request->password.hashed = request_hashed;
	password_submit(request->access, &request->password, password);
}

/* ---- What all of them need ---- */

bool account_exists(struct control_client *client, struct slice user, bool is_quoted)
{
	struct account_view account;

	if (access_find_account(control_client_config(client)->access, user, &account))
		return true;
	fail_no_user(client, user, is_quoted);
	return false;
}

void account_send_columns(struct control_client *client, const char *names)
{
	json_t *columns = json_array();

	while (*names != '\0') {
		size_t size = strcspn(names, " ");

		json_array_append_new(columns, json_stringn(names, size));
		names += size + strspn(names + size, " ");
	}
	control_client_send(client, json_pack("{s:o}", "columns", columns));
}
