/* SPDX-License-Identifier: MIT */
/*
 * Vhosts, users, permissions and parameters: what was there before is remembered in the plan, to be
 * put back.
 */
#include <errno.h>
#include <string.h>

#include "admin/import_state.h"
#include "admin/vhosts.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/topology/topology.h"

/* Out of memory while copying: the view is as good as the text that failed. */
static bool keep(struct plan *plan, struct slice *text)
{
	if (!text->data)
		return true;
	*text = plan_keep(plan, *text);
	return text->data != NULL;
}

static void fail_memory(struct import_op *op)
{
	import_fail(op->work, -ENOMEM, NULL, "out of memory");
	import_op_done(op);
}

static void count_left(struct import_work *work, int result, size_t n)
{
	if (result != 0)
		work->n_left += n;
}

static const char *word_for(int result)
{
	switch (-result) {
	case EEXIST:
		return "it is there meanwhile";
	case ENOENT:
		return "it has gone meanwhile";
	case ENOMEM:
		return "out of memory";
	case EIO:
		return "the store did not take it";
	default:
		return strerror(-result);
	}
}

/* ---- Vhosts ---- */

static void vhost_done(struct vhost_change *change)
{
	struct import_op *op = change->context;
	struct plan_vhost *vhost = import_op_item(op, 0);

	if (change->result != 0)
		import_fail(op->work, change->result, &vhost->origin, "%s",
			    change->reason[0] != '\0' ? change->reason : word_for(change->result));
	else
		vhost->past.is_made = true;
	import_op_done(op);
}

static void submit_vhost(struct import_op *op, enum vhost_operation operation, struct slice name,
			 const struct vhost_settings *settings, unsigned keep,
			 void (*done)(struct vhost_change *change))
{
	op->vhost = (struct vhost_change){
		.operation = operation,
		.broker = op->work->admin->broker,
		.name = name,
		.settings = *settings,
		.keep = keep,
		.done = done,
		.context = op,
	};
	admin_change_vhost(op->work->admin, &op->vhost, &op->work->actor);
}

/* What the file does not say stays as it is. */
static unsigned keep_of(const struct plan_vhost *vhost)
{
	unsigned has = vhost->has;

	return ((has & PLAN_HAS_DESCRIPTION) != 0 ? 0u : VHOST_KEEP_DESCRIPTION) |
	       ((has & PLAN_HAS_TAGS) != 0 ? 0u : VHOST_KEEP_TAGS) |
	       ((has & PLAN_HAS_QUEUE_TYPE) != 0 ? 0u : VHOST_KEEP_DEFAULT_QUEUE_TYPE) |
	       ((has & PLAN_HAS_LIMITS) != 0 ? 0u : VHOST_KEEP_LIMITS);
}

/* NULL when memory is out. */
static struct vhost_settings *keep_settings(struct plan *plan,
					    const struct vhost_settings *settings)
{
	struct vhost_settings *copy = plan_alloc(plan, sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *settings;
	return keep(plan, &copy->description) && keep(plan, &copy->tags) &&
			       keep(plan, &copy->default_queue_type)
		       ? copy
		       : NULL;
}

void import_run_vhost(struct import_op *op)
{
	struct plan_vhost *vhost = import_op_item(op, 0);
	struct vhost_settings before;
	bool is_there = vhost_settings_of(op->work->admin->broker, vhost->name, &before);

	if (is_there) {
		vhost->past.previous = keep_settings(op->work->plan, &before);
		if (!vhost->past.previous) {
			fail_memory(op);
			return;
		}
	}
	submit_vhost(op, is_there ? VHOST_SET : VHOST_ADD, vhost->name, &vhost->settings,
		     is_there ? keep_of(vhost) : 0, vhost_done);
}

static void vhost_undone(struct vhost_change *change)
{
	struct import_op *op = change->context;

	count_left(op->work, change->result, 1);
	import_op_done(op);
}

void import_undo_vhost(struct import_op *op)
{
	static const struct vhost_settings none = VHOST_SETTINGS_NONE;
	const struct plan_vhost *vhost = import_op_item(op, 0);
	const struct vhost_settings *previous = vhost->past.previous;

	if (!vhost->past.is_made)
		import_op_done(op);
	else
		submit_vhost(op, previous ? VHOST_SET : VHOST_DELETE, vhost->name,
			     previous ? previous : &none, 0, vhost_undone);
}

/* ---- What edits have in common ---- */

/* Also for what is in none. */
static bool has_vhost(const struct import_op *op, struct slice vhost)
{
	return !vhost.data || topology_vhost(op->work->admin->broker->topology, vhost);
}

/*
 * False: it has gone since it was looked for; the op has ended. It must not get what the next vhost
 * of that name would have; what is asked for in this call, before a deletion begins, goes with it.
 */
static bool is_vhost_there(struct import_op *op, struct slice vhost,
			   const struct plan_origin *origin)
{
	if (has_vhost(op, vhost))
		return true;
	import_fail(op->work, -EINVAL, origin, "Virtual host '" SLICE_FMT "' does not exist",
		    SLICE_ARG(vhost));
	import_op_done(op);
	return false;
}

static struct access_edit *edits_of(struct import_op *op)
{
	op->items = mem_zalloc(op->n * sizeof(struct access_edit));
	return op->items;
}

static void submit(struct import_op *op, size_t n, void (*done)(struct access_edits *edits))
{
	if (n == 0) {
		import_op_done(op);
		return;
	}
	op->access = (struct access_edits){.items = op->items, .n = n, .done = done, .context = op};
	access_edit(op->work->admin->access, &op->access);
}

/* The items' past is their last member, at the same place in each of a kind. */
static void edits_done(struct access_edits *edits)
{
	struct import_op *op = edits->context;
	const struct plan_origin *origin =
		import_op_item(op, edits->failed < op->n ? edits->failed : 0);

	if (edits->result != 0)
		import_fail(op->work, edits->result, origin, "%s",
			    edits->reason[0] != '\0' ? edits->reason : word_for(edits->result));
}

/* What has gone meanwhile need not be undone, and must not keep the rest. */
static void edits_undone(struct access_edits *edits)
{
	struct import_op *op = edits->context;
	struct access_edit *items = op->items;
	size_t at = edits->failed;

	if (edits->result == -ENOENT && at < edits->n) {
		memmove(&items[at], &items[at + 1], (edits->n - at - 1) * sizeof(*items));
		submit(op, edits->n - 1, edits_undone);
		return;
	}
	count_left(op->work, edits->result, edits->n);
	import_op_done(op);
}

static void say(struct import_op *op, const char *event, const char *name, struct slice is,
		const char *more, struct slice more_is)
{
	char quoted[600], more_quoted[600];

	(void)log_quote(quoted, sizeof(quoted), is);
	if (more)
		audit(&op->work->actor, NULL, event, "%s=%s %s=%s", name, quoted, more,
		      log_quote(more_quoted, sizeof(more_quoted), more_is));
	else
		audit(&op->work->actor, NULL, event, "%s=%s", name, quoted);
}

/* ---- Users ---- */

static void users_done(struct access_edits *edits)
{
	struct import_op *op = edits->context;

	edits_done(edits);
	for (size_t i = 0; edits->result == 0 && i < op->n; i++) {
		struct plan_user *user = import_op_item(op, i);

		user->past.is_made = true;
		if (!user->past.previous)
			say(op, "user.created", "name", user->account.name, NULL, SLICE_EMPTY);
		else if (user->has_password)
			say(op, "user.password.changed", "name", user->account.name, NULL,
			    SLICE_EMPTY);
		say(op, "user.tags.set", "name", user->account.name, "tags", user->account.tags);
	}
	import_op_done(op);
}

/* False when memory is out. */
static bool keep_account(struct import_work *work, struct plan_user *user)
{
	struct account_view now, *before;

	if (!access_find_account(work->admin->access, user->account.name, &now))
		return true;
	before = plan_alloc(work->plan, sizeof(*before));
	if (!before)
		return false;
	*before = now;
	user->past.previous = before;
	return keep(work->plan, &before->name) && keep(work->plan, &before->tags) &&
	       keep(work->plan, &before->password_hash);
}

static struct account_view merge_account(const struct plan_user *user)
{
	const struct account_view *before = user->past.previous;
	struct account_view account = user->account;

	if (before && !user->has_password) {
		account.algorithm = before->algorithm;
		account.password_hash = before->password_hash;
	}
	if (before && !user->has_limits) {
		account.max_connections = before->max_connections;
		account.max_channels = before->max_channels;
	}
	return account;
}

void import_run_users(struct import_op *op)
{
	struct access_edit *edits = edits_of(op);

	for (size_t i = 0; i < op->n; i++) {
		struct plan_user *user = import_op_item(op, i);

		if (!keep_account(op->work, user)) {
			fail_memory(op);
			return;
		}
		edits[i] = (struct access_edit){.kind = ACCESS_PUT_USER,
						.account = merge_account(user)};
	}
	submit(op, op->n, users_done);
}

void import_undo_users(struct import_op *op)
{
	struct access_edit *edits = edits_of(op);
	size_t n = 0;

	for (size_t i = 0; i < op->n; i++) {
		const struct plan_user *user = import_op_item(op, i);
		const struct account_view *previous = user->past.previous;
		struct account_view now;

		/* One that was deleted meanwhile does not come back. */
		if (user->past.is_made &&
		    access_find_account(op->work->admin->access, user->account.name, &now))
			edits[n++] = (struct access_edit){
				.kind = previous ? ACCESS_PUT_USER : ACCESS_DELETE_USER,
				.account = previous ? *previous : user->account,
			};
	}
	submit(op, n, edits_undone);
}

/* ---- Permissions ---- */

static void permissions_done(struct access_edits *edits)
{
	struct import_op *op = edits->context;

	edits_done(edits);
	for (size_t i = 0; edits->result == 0 && i < op->n; i++) {
		struct plan_permission *permission = import_op_item(op, i);

		permission->past.is_made = true;
		say(op, "permission.created", "user", permission->view.user, "vhost",
		    permission->view.vhost);
	}
	import_op_done(op);
}

struct keeping {
	struct plan *plan;
	void **previous;
	struct slice exchange;
	bool is_out_of_memory;
};

static void keep_permission(void *context, const struct permission_view *now)
{
	struct keeping *keeping = context;
	struct permission_view *before = plan_alloc(keeping->plan, sizeof(*before));

	*keeping->previous = before;
	if (before)
		*before = *now;
	keeping->is_out_of_memory |=
		!before || !keep(keeping->plan, &before->vhost) ||
		!keep(keeping->plan, &before->user) || !keep(keeping->plan, &before->configure) ||
		!keep(keeping->plan, &before->write) || !keep(keeping->plan, &before->read);
}

void import_run_permissions(struct import_op *op)
{
	struct access_edit *edits = edits_of(op);

	for (size_t i = 0; i < op->n; i++) {
		struct plan_permission *item = import_op_item(op, i);
		struct keeping keeping = {.plan = op->work->plan, .previous = &item->past.previous};

		if (!is_vhost_there(op, item->view.vhost, &item->origin))
			return;
		access_each_permission(op->work->admin->access, item->view.vhost, item->view.user,
				       keep_permission, &keeping);
		if (keeping.is_out_of_memory) {
			fail_memory(op);
			return;
		}
		edits[i] = (struct access_edit){.kind = ACCESS_SET_PERMISSION,
						.permission = item->view};
	}
	submit(op, op->n, permissions_done);
}

void import_undo_permissions(struct import_op *op)
{
	struct access_edit *edits = edits_of(op);
	size_t n = 0;

	for (size_t i = 0; i < op->n; i++) {
		const struct plan_permission *item = import_op_item(op, i);
		const struct permission_view *previous = item->past.previous;

		if (item->past.is_made && has_vhost(op, item->view.vhost))
			edits[n++] = (struct access_edit){
				.kind = previous ? ACCESS_SET_PERMISSION : ACCESS_CLEAR_PERMISSION,
				.permission = previous ? *previous : item->view,
			};
	}
	submit(op, n, edits_undone);
}

/* ---- Topic permissions ---- */

static void topic_permissions_done(struct access_edits *edits)
{
	struct import_op *op = edits->context;

	edits_done(edits);
	for (size_t i = 0; edits->result == 0 && i < op->n; i++) {
		struct plan_topic_permission *permission = import_op_item(op, i);

		permission->past.is_made = true;
		say(op, "topic.permission.created", "user", permission->view.user, "vhost",
		    permission->view.vhost);
	}
	import_op_done(op);
}

static void keep_topic_permission(void *context, const struct topic_permission_view *now)
{
	struct keeping *keeping = context;
	struct topic_permission_view *before;

	if (!slice_equal(now->exchange, keeping->exchange))
		return;
	before = plan_alloc(keeping->plan, sizeof(*before));
	*keeping->previous = before;
	if (before)
		*before = *now;
	keeping->is_out_of_memory |=
		!before || !keep(keeping->plan, &before->vhost) ||
		!keep(keeping->plan, &before->user) || !keep(keeping->plan, &before->exchange) ||
		!keep(keeping->plan, &before->write) || !keep(keeping->plan, &before->read);
}

void import_run_topic_permissions(struct import_op *op)
{
	struct access_edit *edits = edits_of(op);

	for (size_t i = 0; i < op->n; i++) {
		struct plan_topic_permission *item = import_op_item(op, i);
		struct keeping keeping = {.plan = op->work->plan,
					  .previous = &item->past.previous,
					  .exchange = item->view.exchange};

		if (!is_vhost_there(op, item->view.vhost, &item->origin))
			return;
		access_each_topic_permission(op->work->admin->access, item->view.vhost,
					     item->view.user, keep_topic_permission, &keeping);
		if (keeping.is_out_of_memory) {
			fail_memory(op);
			return;
		}
		edits[i] = (struct access_edit){.kind = ACCESS_SET_TOPIC_PERMISSION,
						.topic = item->view};
	}
	submit(op, op->n, topic_permissions_done);
}

void import_undo_topic_permissions(struct import_op *op)
{
	struct access_edit *edits = edits_of(op);
	size_t n = 0;

	for (size_t i = 0; i < op->n; i++) {
		const struct plan_topic_permission *item = import_op_item(op, i);
		const struct topic_permission_view *previous = item->past.previous;

		if (item->past.is_made && has_vhost(op, item->view.vhost))
			edits[n++] = (struct access_edit){
				.kind = previous ? ACCESS_SET_TOPIC_PERMISSION
						 : ACCESS_CLEAR_TOPIC_PERMISSION,
				.topic = previous ? *previous : item->view,
			};
	}
	submit(op, n, edits_undone);
}

/* ---- Parameters ---- */

static void submit_parameters(struct import_op *op, size_t n,
			      void (*done)(struct parameters_edits *edits))
{
	if (n == 0) {
		import_op_done(op);
		return;
	}
	op->parameters =
		(struct parameters_edits){.items = op->items, .n = n, .done = done, .context = op};
	parameters_edit(op->work->admin->parameters, &op->parameters);
}

static void parameters_done(struct parameters_edits *edits)
{
	struct import_op *op = edits->context;
	struct plan_parameter *first = import_op_item(op, 0);

	if (edits->result != 0)
		import_fail(op->work, edits->result, &first->origin, "%s", word_for(edits->result));
	for (size_t i = 0; edits->result == 0 && i < op->n; i++) {
		struct plan_parameter *parameter = import_op_item(op, i);

		parameter->past.is_made = true;
		say(op, "parameter.set", "name", parameter->view.name, "component",
		    parameter->view.component);
	}
	import_op_done(op);
}

/* False when memory is out. */
static bool keep_parameter(struct import_work *work, struct plan_parameter *item)
{
	struct parameter_view now, *before;

	if (!parameters_find(work->admin->parameters, &item->view, &now))
		return true;
	before = plan_alloc(work->plan, sizeof(*before));
	if (!before)
		return false;
	*before = item->view;
	before->value = now.value;
	item->past.previous = before;
	return keep(work->plan, &before->value);
}

void import_run_parameters(struct import_op *op)
{
	struct parameter_view *items = mem_zalloc(op->n * sizeof(*items));

	op->items = items;
	for (size_t i = 0; i < op->n; i++) {
		struct plan_parameter *item = import_op_item(op, i);

		if (!is_vhost_there(op, item->view.vhost, &item->origin))
			return;
		if (!keep_parameter(op->work, item)) {
			fail_memory(op);
			return;
		}
		items[i] = item->view;
	}
	submit_parameters(op, op->n, parameters_done);
}

static void parameters_undone(struct parameters_edits *edits)
{
	struct import_op *op = edits->context;

	count_left(op->work, edits->result, edits->n);
	import_op_done(op);
}

void import_undo_parameters(struct import_op *op)
{
	struct parameter_view *items = mem_zalloc(op->n * sizeof(*items));
	size_t n = 0;

	op->items = items;
	for (size_t i = 0; i < op->n; i++) {
		const struct plan_parameter *item = import_op_item(op, i);
		const struct parameter_view *previous = item->past.previous;

		if (!item->past.is_made || !has_vhost(op, item->view.vhost))
			continue;
		items[n] = item->view;
		items[n++].value = previous ? previous->value : SLICE_EMPTY;
	}
	submit_parameters(op, n, parameters_undone);
}
