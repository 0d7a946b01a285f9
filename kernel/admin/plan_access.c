/* SPDX-License-Identifier: MIT */
/* Vhosts, users and what they may do. */
#include <errno.h>
#include <string.h>

#include "access/password.h"
#include "admin/plan_reader.h"

/* ---- Vhosts ---- */

int plan_set_vhost_limits(struct plan_reader *reader, struct plan_vhost *vhost,
			  const json_t *limits, const char *member)
{
	bool has_connections = false, has_queues = false;
	const struct plan_limit known[] = {
		{"max-connections", &vhost->settings.max_connections, &has_connections},
		{"max-queues", &vhost->settings.max_queues, &has_queues},
	};
	int r = plan_get_limits(reader, limits, member, known, 2);

	/* What is not in them is no limit. */
	if (!has_connections)
		vhost->settings.max_connections = VHOST_NO_LIMIT;
	if (!has_queues)
		vhost->settings.max_queues = VHOST_NO_LIMIT;
	vhost->has |= PLAN_HAS_LIMITS;
	return r;
}

/* `metadata` has them since 3.8, they stood beside it before; a text that is not there says
 * nothing. */
static int read_metadata(struct plan_reader *reader, struct plan_vhost *vhost, const json_t *object)
{
	struct vhost_settings *settings = &vhost->settings;
	int r = plan_get_text(reader, object, "description", ACCESS_TAGS_MAX, false,
			      &settings->description);

	if (r == 0 && settings->description.data)
		vhost->has |= PLAN_HAS_DESCRIPTION;
	if (r == 0 && json_object_get(object, "tags")) {
		r = plan_get_tags(reader, object, "tags", &settings->tags);
		vhost->has |= PLAN_HAS_TAGS;
	}
	if (r == 0 && json_is_string(json_object_get(object, "default_queue_type"))) {
		r = plan_get_text(reader, object, "default_queue_type", 255, false,
				  &settings->default_queue_type);
		/* Erlang's word for none. */
		if (!slice_equal(settings->default_queue_type, SLICE_LITERAL("undefined")))
			vhost->has |= PLAN_HAS_QUEUE_TYPE;
	}
	return r;
}

static int read_settings(struct plan_reader *reader, struct plan_vhost *vhost, const json_t *object)
{
	const json_t *metadata = json_object_get(object, "metadata"),
		     *limits = json_object_get(object, "limits");
	int r = read_metadata(reader, vhost, object);

	if (r == 0 && json_is_object(metadata))
		r = read_metadata(reader, vhost, metadata);
	else if (r == 0 && metadata && json_array_size(metadata) != 0)
		r = plan_fail(reader, "metadata", "expected an object");
	/* None in a file of 3.10 may mean that they are among the parameters. */
	if (r == 0 && (json_array_size(limits) > 0 || json_object_size(limits) > 0))
		r = plan_set_vhost_limits(reader, vhost, limits, "limits");
	if (r == 0 && json_is_true(json_object_get(object, "tracing")))
		plan_warn(reader->plan, PLAN_ORIGIN ".tracing: there is no tracing; left off",
			  PLAN_ORIGIN_ARG(vhost));
	return r;
}

static int refuse_twice(struct plan_reader *reader, const char *what, int r)
{
	return r == -EEXIST ? plan_fail(reader, "name", "a second %s of that name", what)
			    : plan_fail_memory(reader);
}

int plan_read_vhost(struct plan_reader *reader, json_t *object)
{
	struct plan_vhost *vhost = plan_reader_add(reader, PLAN_VHOSTS);
	int r;

	if (!vhost)
		return plan_fail_memory(reader);
	vhost->settings.max_connections = vhost->settings.max_queues = VHOST_NO_LIMIT;
	r = plan_get_name(reader, object, "name", &vhost->name);
	if (r == 0 && plan_has_nul(vhost->name))
		r = plan_fail(reader, "name", "a NUL");
	if (r != 0)
		return r;
	r = plan_name(reader->plan, 'v', SLICE_EMPTY, vhost->name);
	return r != 0 ? refuse_twice(reader, "virtual host", r)
		      : read_settings(reader, vhost, object);
}

/* ---- Users ---- */

static const char shunt_hash[] = "shunt_password_hash";

/* A password in the clear becomes a hash, here and in the file's tree, which may be kept. */
static int hash_password(struct plan_reader *reader, json_t *object, struct account_view *account)
{
	json_t *password = json_object_get(object, "password");
	char hash[ACCESS_HASH_MAX];
	int r;

	if (!json_is_string(password))
		return plan_fail(reader, "password", "expected a text");
	r = password_hash(slice_make(json_string_value(password), json_string_length(password)),
			  PASSWORD_ARGON2ID, hash);
	if (r != 0)
		return plan_fail_memory(reader);
	account->algorithm = PASSWORD_ARGON2ID;
	account->password_hash = plan_keep(reader->plan, slice_cstr(hash));
	explicit_bzero((char *)(uintptr_t)json_string_value(password),
		       json_string_length(password));
	reader->has_secrets = true;
	if (json_object_del(object, "password") != 0 ||
	    json_object_set_new(object, shunt_hash, json_string(hash)) != 0 ||
	    !account->password_hash.data)
		return plan_fail_memory(reader);
	return 0;
}

static int read_algorithm(struct plan_reader *reader, const json_t *object,
			  enum password_algorithm *ret)
{
	struct slice name;
	int r = plan_get_text(reader, object, "hashing_algorithm", 255, false, &name);

	*ret = PASSWORD_SHA256;
	if (r == 0 && name.data &&
	    (!password_algorithm_find(name, ret) || *ret == PASSWORD_ARGON2ID))
		r = plan_fail(reader, "hashing_algorithm",
			      "expected rabbit_password_hashing_sha256, ..._sha512 or ..._md5");
	return r;
}

static int read_hash(struct plan_reader *reader, const json_t *object, const char *member,
		     struct account_view *account)
{
	int r = plan_get_text(reader, object, member, ACCESS_HASH_MAX - 1, true,
			      &account->password_hash);

	if (r == 0 && account->password_hash.size > 0 &&
	    !password_hash_is_valid(account->algorithm, account->password_hash))
		r = plan_fail(reader, member, "no hash of %s",
			      password_algorithm_name(account->algorithm));
	return r;
}

/* Shunt's own first: RabbitMQ does not know it, and is told of none. */
static int read_password(struct plan_reader *reader, struct plan_user *user, json_t *object)
{
	int r;

	user->has_password = true;
	if (json_object_get(object, shunt_hash)) {
		user->account.algorithm = PASSWORD_ARGON2ID;
		return read_hash(reader, object, shunt_hash, &user->account);
	}
	if (json_object_get(object, "password_hash")) {
		r = read_algorithm(reader, object, &user->account.algorithm);
		return r != 0 ? r : read_hash(reader, object, "password_hash", &user->account);
	}
	if (json_object_get(object, "password"))
		return hash_password(reader, object, &user->account);
	user->has_password = false;
	return 0;
}

static int read_user_limits(struct plan_reader *reader, struct plan_user *user,
			    const json_t *object)
{
	const json_t *limits = json_object_get(object, "limits");
	bool is_there;
	const struct plan_limit known[] = {
		{"max-connections", &user->account.max_connections, &is_there},
		{"max-channels", &user->account.max_channels, &is_there},
	};

	user->account.max_connections = user->account.max_channels = ACCESS_NO_LIMIT;
	user->has_limits = limits != NULL;
	return limits ? plan_get_limits(reader, limits, "limits", known, 2) : 0;
}

static int read_user_tags(struct plan_reader *reader, struct plan_user *user, const json_t *object)
{
	const json_t *administrator = json_object_get(object, "administrator");

	if (json_object_get(object, "tags") || !administrator)
		return plan_get_tags(reader, object, "tags", &user->account.tags);
	/* Before 3.0; "true" as a text, too. */
	if (json_is_true(administrator) || (json_is_string(administrator) &&
					    strcmp(json_string_value(administrator), "true") == 0))
		user->account.tags = SLICE_LITERAL("administrator");
	return 0;
}

int plan_read_user(struct plan_reader *reader, json_t *object)
{
	struct plan_user *user = plan_reader_add(reader, PLAN_USERS);
	int r;

	if (!user)
		return plan_fail_memory(reader);
	r = plan_get_name(reader, object, "name", &user->account.name);
	if (r == 0 && plan_has_nul(user->account.name))
		r = plan_fail(reader, "name", "a NUL");
	if (r == 0) {
		r = plan_name(reader->plan, 'u', SLICE_EMPTY, user->account.name);
		r = r != 0 ? refuse_twice(reader, "user", r) : 0;
	}
	if (r == 0)
		r = read_user_tags(reader, user, object);
	if (r == 0)
		r = read_password(reader, user, object);
	return r != 0 ? r : read_user_limits(reader, user, object);
}

/* ---- Permissions ---- */

static int read_whose(struct plan_reader *reader, const json_t *object, struct slice *ret_vhost,
		      struct slice *ret_user)
{
	int r = plan_get_vhost(reader, object, ret_vhost);

	if (r == 0)
		r = plan_get_name(reader, object, "user", ret_user);
	return r != 0 ? r : plan_need(reader, PLAN_NEEDS_USER, "user", *ret_user);
}

int plan_read_permission(struct plan_reader *reader, json_t *object)
{
	struct plan_permission *permission = plan_reader_add(reader, PLAN_PERMISSIONS);
	struct permission_view *view = permission ? &permission->view : NULL;
	int r;

	if (!view)
		return plan_fail_memory(reader);
	r = read_whose(reader, object, &view->vhost, &view->user);
	if (r == 0)
		r = plan_only_once(reader, 'p', "permission of that user in that virtual host",
				   view->vhost, view->user, SLICE_EMPTY);
	if (r == 0)
		r = plan_get_pattern(reader, object, "configure", &view->configure);
	if (r == 0)
		r = plan_get_pattern(reader, object, "write", &view->write);
	return r != 0 ? r : plan_get_pattern(reader, object, "read", &view->read);
}

int plan_read_topic_permission(struct plan_reader *reader, json_t *object)
{
	struct plan_topic_permission *permission = plan_reader_add(reader, PLAN_TOPIC_PERMISSIONS);
	struct topic_permission_view *view = permission ? &permission->view : NULL;
	int r;

	if (!view)
		return plan_fail_memory(reader);
	r = read_whose(reader, object, &view->vhost, &view->user);
	if (r == 0) /* the default exchange's is empty */
		r = plan_get_text(reader, object, "exchange", 255, true, &view->exchange);
	if (r == 0)
		r = plan_only_once(reader, 'o',
				   "permission of that user on that exchange in that virtual host",
				   view->vhost, view->user, view->exchange);
	if (r == 0)
		r = plan_get_pattern(reader, object, "write", &view->write);
	return r != 0 ? r : plan_get_pattern(reader, object, "read", &view->read);
}
