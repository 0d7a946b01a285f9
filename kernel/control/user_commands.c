/* SPDX-License-Identifier: MIT */
/* The commands on users. */
#include <string.h>

#include "access/access.h"
#include "base/list.h"
#include "base/mem.h"
#include "control/account_list.h"
#include "control/account_request.h"
#include "control/columns.h"

/* Tags: an array of texts, as "a,b" for the store. */
static struct slice tags_of(struct account_request *self)
{
	const json_t *tags = json_object_get(self->request, "tags");
	struct buffer text;
	struct slice joined;

	buffer_init(&text);
	self->is_incomplete |= !json_is_array(tags);
	for (size_t i = 0; i < json_array_size(tags); i++) {
		const char *tag = json_string_value(json_array_get(tags, i));

		self->is_incomplete |= tag == NULL;
		if (i != 0)
			buffer_append_byte(&text, ',');
		buffer_append_cstr(&text, tag != NULL ? tag : "");
	}
	json_object_set_new(self->texts, "tags", json_stringn(buffer_cstr(&text), text.size));
	joined = slice_cstr(json_string_value(json_object_get(self->texts, "tags")));
	buffer_fini(&text);
	return joined;
}

/* ---- Passwords ---- */

/* RabbitMQ's hashes have no name in them: their sizes tell which they are. */
static bool find_algorithm(struct slice hash, enum password_algorithm *ret_algorithm)
{
	static const enum password_algorithm algorithms[] = {PASSWORD_ARGON2ID, PASSWORD_SHA256,
							     PASSWORD_SHA512, PASSWORD_MD5};

	for (size_t i = 0; i < sizeof(algorithms) / sizeof(*algorithms); i++) {
		if (password_hash_is_valid(algorithms[i], hash)) {
			*ret_algorithm = algorithms[i];
			return true;
		}
	}
	return false;
}

/* A password, or with "hash" one that is hashed already. */
static void submit_with_password(struct control_client *client, struct account_request *self)
{
	bool has_hash = json_object_get(self->request, "hash") != NULL;
	struct slice secret = account_request_secret(self, has_hash ? "hash" : "password");

	if (!account_request_is_whole(client, self))
		return;
	if (!has_hash) {
		account_request_submit_password(self, secret);
		/* the copy that the edit does not need */
		explicit_bzero((void *)(uintptr_t)secret.data, secret.size);
		return;
	}
	self->edit.account.password_hash = secret;
	if (find_algorithm(secret, &self->edit.account.algorithm)) {
		account_request_submit(self);
		return;
	}
	account_request_free(self);
	control_client_fail(client, CONTROL_DATA, "The value is not a valid password hash");
}

static void command_add_user(struct control_client *client, const json_t *request)
{
	struct account_request *self =
		account_request_create(client, request, ACCESS_ADD_USER, "user.created");
	struct account_view account;

	self->edit.account = (struct account_view){
		.name = account_request_text(self, "user"),
		.tags = SLICE_LITERAL(""),
		.max_connections = ACCESS_NO_LIMIT,
		.max_channels = ACCESS_NO_LIMIT,
	};
	if (!access_find_account(self->access, self->edit.account.name, &account)) {
		submit_with_password(client, self);
		return;
	}
	control_client_fail(client, CONTROL_SOFTWARE, "User \"" SLICE_FMT "\" already exists",
			    SLICE_ARG(self->edit.account.name));
	account_request_free(self);
}

static void command_change_password(struct control_client *client, const json_t *request)
{
	struct account_request *self = account_request_create(client, request, ACCESS_SET_PASSWORD,
							      "user.password.changed");

	self->edit.account.name = account_request_text(self, "user");
	if (account_exists(client, self->edit.account.name, true))
		submit_with_password(client, self);
	else
		account_request_free(self);
}

/* ---- Other edits ---- */

static struct account_request *create_for_user(struct control_client *client, const json_t *request,
					       enum access_edit_kind kind, const char *event)
{
	struct account_request *self = account_request_create(client, request, kind, event);

	self->edit.account.name = account_request_text(self, "user");
	return self;
}

static void submit_if_whole(struct control_client *client, struct account_request *self)
{
	if (account_request_is_whole(client, self))
		account_request_submit(self);
}

/* Without a hash nobody logs in with a password. */
static void command_clear_password(struct control_client *client, const json_t *request)
{
	struct account_request *self =
		create_for_user(client, request, ACCESS_SET_PASSWORD, "user.password.cleared");

	self->edit.account.algorithm = PASSWORD_SHA256;
	self->edit.account.password_hash = SLICE_LITERAL("");
	submit_if_whole(client, self);
}

static void command_delete_user(struct control_client *client, const json_t *request)
{
	submit_if_whole(client,
			create_for_user(client, request, ACCESS_DELETE_USER, "user.deleted"));
}

static void command_set_user_tags(struct control_client *client, const json_t *request)
{
	struct account_request *self =
		create_for_user(client, request, ACCESS_SET_TAGS, "user.tags.set");
	char quoted[300];

	self->edit.account.tags = tags_of(self);
	buffer_printf(&self->details, " tags=%s",
		      log_quote(quoted, sizeof(quoted), self->edit.account.tags));
	submit_if_whole(client, self);
}

/* ---- The list ---- */

static json_t *tags_as_array(struct slice tags)
{
	json_t *array = json_array();

	while (tags.size != 0) {
		const uint8_t *comma = memchr(tags.data, ',', tags.size);
		size_t size = comma != NULL ? (size_t)(comma - tags.data) : tags.size;
		size_t step = size + (comma != NULL);

		json_array_append_new(array, column_text(slice_make(tags.data, size)));
		tags = slice_make(tags.data + step, tags.size - step);
	}
	return array;
}

static void show_user(const struct account_list *list, const struct account_view *account)
{
	account_list_row(list, json_pack("[o, o]", column_text(account->name),
					 tags_as_array(account->tags)));
}

static void command_list_users(struct control_client *client, const json_t *request)
{
	(void)request;
	account_list_begin(client, "user tags", SLICE_EMPTY, show_user);
}

/* ---- authenticate_user ---- */

/* A login from here: with no connection, and the client may go meanwhile. */
struct trial {
	struct access_login login;
	struct shunt_peer peer;
	struct actor_ref client;
	struct access *access;
	char *user, *password;
};

static void trial_free(struct trial *trial)
{
	explicit_bzero(trial->password, strlen(trial->password));
	mem_free(trial->password);
	mem_free(trial->user);
	mem_free(trial);
}

static void trial_done(struct access_login *login)
{
	struct trial *trial = container_of(login, struct trial, login);
	struct control_client *client = control_client_get(trial->client);

	if (login->result != NULL)
		access_user_unref(login->result);
	if (client != NULL && login->result != NULL) {
		control_client_send(client, json_pack("{s:{s:s}}", "value", "message", "Success"));
		control_client_ok(client);
	} else if (client != NULL) {
		control_client_fail(client, CONTROL_DATA,
				    "Error: failed to authenticate user \"%s\"\n%s", trial->user,
				    login->reason);
	}
	trial_free(trial);
}

static void command_authenticate_user(struct control_client *client, const json_t *request)
{
	const char *user = json_string_value(json_object_get(request, "user"));
	const char *password = json_string_value(json_object_get(request, "password"));
	struct trial *trial;

	if (user == NULL || password == NULL) {
		control_client_fail(client, CONTROL_USAGE, "it takes a user and a password");
		return;
	}
	trial = mem_zalloc(sizeof(*trial));
	trial->client = control_client_ref(client);
	trial->user = mem_strdup(user);
	trial->password = mem_strdup(password);
	trial->peer = (struct shunt_peer){
		.size = sizeof(trial->peer),
		.host = {(const uint8_t *)"::1", 3},
		.is_loopback = true,
	};
	trial->login = (struct access_login){
		.user = slice_cstr(trial->user),
		.password = slice_cstr(trial->password),
		.mechanism = "PLAIN",
		.peer = &trial->peer,
		.is_local = true,
		.done = trial_done,
	};
	access_authenticate(control_client_config(client)->access, &trial->login);
}

const struct control_command control_user_commands[] = {
	{"add_user", command_add_user},
	{"authenticate_user", command_authenticate_user},
	{"change_password", command_change_password},
	{"clear_password", command_clear_password},
	{"delete_user", command_delete_user},
	{"list_users", command_list_users},
	{"set_user_tags", command_set_user_tags},
	{NULL, NULL},
};
