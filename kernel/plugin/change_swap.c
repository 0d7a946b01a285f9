/* SPDX-License-Identifier: MIT */
/* New exchange types take the place of old ones (broker/upgrade/upgrade.h), and everything else of the
 * plugins follows in the same turn. Whatever fails, fails before that. */
#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "broker/topology/exchange_type.h"
#include "plugin/change_state.h"

/* ---- Types ---- */

struct gathering {
	struct change_pair *pair;
	size_t n;
};

static void gather_old(void *context, const struct exchange_type *type)
{
	struct gathering *gathering = context;
	struct change_pair *pair = gathering->pair;

	if (type->owner != &pair->old->owner)
		return;
	pair->types = mem_realloc(pair->types, (gathering->n + 1) * sizeof(*pair->types));
	/* It is shown as const; it is ours to replace. */
	pair->types[gathering->n++] = (struct exchange_type *)(uintptr_t)type;
}

static void gather_types(struct topology *topology, struct change_pair *pair)
{
	struct gathering gathering = {pair, 0};
	const struct plugin *new = pair->new;

	if (pair->old)
		exchange_type_for_each(topology, gather_old, &gathering);
	pair->n_old_types = pair->n_types = gathering.n;
	if (!new)
		return;
	pair->n_types += new->staged.n_types;
	pair->types = mem_realloc(pair->types, (pair->n_types + 1) * sizeof(*pair->types));
	for (size_t i = 0; i < new->staged.n_types; i++) {
		struct exchange_type *type = exchange_type_create(&new->staged.types[i], new->state,
								  new->name, new->self.version);

		type->owner = &pair->new->owner;
		pair->types[pair->n_old_types + i] = type;
	}
}

static bool has_name(const struct exchange_type *type, const struct exchange_type *other)
{
	return strcmp(type->functions->name, other->functions->name) == 0;
}

static struct exchange_type *successor_of(const struct change_pair *pair,
					  const struct exchange_type *old)
{
	for (size_t i = pair->n_old_types; i < pair->n_types; i++)
		if (has_name(pair->types[i], old))
			return pair->types[i];
	return NULL;
}

static bool has_predecessor(const struct change_pair *pair, const struct exchange_type *new)
{
	for (size_t i = 0; i < pair->n_old_types; i++)
		if (has_name(pair->types[i], new))
			return true;
	return false;
}

static size_t add_parts(const struct change_pair *pair, struct upgrade_part *parts)
{
	size_t n = 0;

	for (size_t i = 0; i < pair->n_old_types; i++)
		parts[n++] = (struct upgrade_part){pair->types[i],
						   successor_of(pair, pair->types[i])};
	for (size_t i = pair->n_old_types; i < pair->n_types; i++)
		if (!has_predecessor(pair, pair->types[i]))
			parts[n++] = (struct upgrade_part){NULL, pair->types[i]};
	return n;
}

/* A type that two of them bring, which is not there yet, so that neither was refused it. */
static const char *type_twice(const struct upgrade_part *parts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; !parts[i].old && j < i; j++)
			if (!parts[j].old && has_name(parts[i].new, parts[j].new))
				return parts[i].new->functions->name;
	return NULL;
}

static void told(void *context, enum upgrade_event event, const char *error);

static size_t gather_parts(struct change *change, struct upgrade_part **ret_parts)
{
	struct topology *topology = change->changes->broker->topology;
	size_t n = 0, n_types = 0;

	for (size_t i = 0; i < change->n_pairs; i++) {
		gather_types(topology, &change->pairs[i]);
		n_types += change->pairs[i].n_types;
	}
	*ret_parts = mem_zalloc((n_types + 1) * sizeof(**ret_parts));
	for (size_t i = 0; i < change->n_pairs; i++)
		n += add_parts(&change->pairs[i], *ret_parts + n);
	return n;
}

void change_swap(struct change *change)
{
	bool is_trial = change->operation == PLUGIN_TRY;
	struct upgrade_part *parts;
	size_t n = gather_parts(change, &parts);
	const char *twice = type_twice(parts, n);

	if (twice) {
		change_close_new(change);
		change_refuse(change, "two scripts have the exchange type '%s'", twice);
	} else {
		change->upgrade = upgrade_create(change->changes->broker, parts, n,
						 is_trial ? change->percent : 0, told, change);
		if (!is_trial)
			upgrade_swap(change->upgrade);
	}
	mem_free(parts);
}

/* ---- How upgrades end ---- */

static void log_pair(const struct change_pair *pair)
{
	const char *path = pair->new ? pair->new->file.path : NULL;

	if (pair->old && pair->new)
		log_info("plugin", "replaced: name=%s version=%s by=%s path=\"%s\"",
			 pair->old->name, pair->old->self.version, pair->version, path);
	else if (pair->new)
		log_info("plugin", "loaded: name=%s version=%s path=\"%s\"", pair->new->name,
			 pair->version, path);
	else
		log_info("plugin", "unloaded: name=%s version=%s", pair->old->name,
			 pair->old->self.version);
}

static void say(struct change *change)
{
	const struct change_pair *pair = change->pairs;
	const char *kind = change_kind(change);
	const char *old_version = pair->old ? pair->old->self.version : "";
	int n = 0;

	if (pair->old && pair->new)
		n = snprintf(change->said, sizeof(change->said),
			     "%s '%s': version %s has taken the place of %s", kind, pair->old->name,
			     pair->version, old_version);
	else if (pair->new)
		n = snprintf(change->said, sizeof(change->said), "%s '%s', version %s, is loaded",
			     kind, pair->new->name, pair->version);
	else
		n = snprintf(change->said, sizeof(change->said), "%s '%s', version %s, is unloaded",
			     kind, pair->old->name, old_version);
	if (change->n_pairs > 1 && n > 0 && (size_t)n < sizeof(change->said))
		(void)snprintf(change->said + n, sizeof(change->said) - (size_t)n,
			       ", with %zu script%s of it", change->n_pairs - 1,
			       change->n_pairs == 2 ? "" : "s");
}

/* The change to answer: that which promotes or drops, if it is the end of a trial. */
static struct change *asker_of(struct change *change)
{
	struct change *current = change->changes->current;

	return current && current->trial == change ? current : change;
}

/* What ran before is kept, to go back to. The same text again is no other version. */
static void keep_before(const struct change_pair *pair)
{
	const struct plugin_script *old = pair->old ? pair->old->script : NULL;
	struct plugin_script *new = pair->new ? pair->new->script : NULL;

	if (!old || !new)
		return;
	bug_on(new->before);
	new->before = script_source_ref(old->source->hash == new->source->hash ? old->before
									       : old->source);
}

static void put_in_force(struct change_pair *pair)
{
	log_pair(pair);
	keep_before(pair);
	if (pair->new)
		plugin_activate(pair->new, pair->old);
	else
		plugin_deactivate(pair->old);
}

/* Their types are in force: so are the others of what they bring, from here on. */
static void swapped(struct change *change)
{
	struct change *asker = asker_of(change);

	say(change);
	if (asker != change)
		memcpy(asker->said, change->said, sizeof(asker->said));
	for (size_t i = 0; i < change->n_pairs; i++)
		put_in_force(&change->pairs[i]);
	list_remove(&change->link);
	change_step_aside(asker);
	change_close_old(change, asker);
}

static void trial_is_on(struct change *change)
{
	const struct change_pair *pair = change->pairs;
	char text[CHANGE_TEXT_SIZE];

	(void)snprintf(text, sizeof(text),
		       "%s '%s': version %s routes %u %% of the messages beside %s",
		       change_kind(change), change->name, pair->version, change->percent,
		       pair->old->self.version);
	log_info("plugin", "trial: name=%s version=%s beside=%s percent=%u", change->name,
		 pair->version, pair->old->self.version, change->percent);
	change_step_aside(change);
	list_add_tail(&change->changes->trials, &change->link);
	change_answer(change, NULL, text);
}

void change_dropped(struct change *change)
{
	struct change *asker = asker_of(change);
	char text[CHANGE_TEXT_SIZE];

	if (asker == change) { /* the broker ends */
		change_refuse(change, "the broker is stopping");
		return;
	}
	(void)snprintf(text, sizeof(text), "%s '%s': version %s is dropped", change_kind(change),
		       change->name, change->pairs->version);
	log_info("plugin", "trial dropped: name=%s version=%s", change->name,
		 change->pairs->version);
	change_free(change);
	change_step_aside(asker);
	change_answer(asker, NULL, text);
	change_free(asker);
}

/* Between its two changes: it is kept, to say so. */
static void trial_has_failed(struct change *change, const char *error)
{
	struct change *asker = asker_of(change);

	log_warning("plugin", "the trial has failed: name=%s version=%s reason=\"%s\"",
		    change->name, change->pairs->version, error);
	change->failure = mem_strdup(error);
	change->upgrade = NULL;
	if (asker != change && asker->operation == PLUGIN_DROP)
		change_dropped(change);
	else if (asker != change)
		change_refuse(asker, "%s", error);
}

static void told(void *context, enum upgrade_event event, const char *error)
{
	struct change *change = context;

	switch (event) {
	case UPGRADE_READY:
		trial_is_on(change);
		break;
	case UPGRADE_SWAPPED:
		swapped(change);
		break;
	case UPGRADE_FAILED:
		change_close_new(change);
		if (change->is_answered)
			trial_has_failed(change, error);
		else
			change_refuse(change, "%s", error);
		break;
	case UPGRADE_DROPPED:
		change_close_new(change);
		change_dropped(change);
		break;
	}
}
