/* SPDX-License-Identifier: MIT */
#include "rules.h"

#include <string.h>

#define BATCH 64

bool rule_mode_parse(struct shunt_bytes text, struct rule_mode *ret_mode)
{
	static const struct {
		const char *text;
		struct rule_mode mode;
	} modes[] = {
		{"all", {.any = false, .with_x = false}},
		{"any", {.any = true, .with_x = false}},
		{"all-with-x", {.any = false, .with_x = true}},
		{"any-with-x", {.any = true, .with_x = true}},
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (text.size == strlen(modes[i].text) &&
		    memcmp(text.data, modes[i].text, text.size) == 0) {
			*ret_mode = modes[i].mode;
			return true;
		}
	}
	return false;
}

int rules_init(struct rules *rules, const struct shunt_host *host)
{
	memset(rules, 0, sizeof(*rules));
	rules->host = host;
	names_init(&rules->names, host);
	probes_init(&rules->probes, host);
	return slots_init(&rules->slots, host);
}

void rules_fini(struct rules *rules)
{
	for (size_t i = 0; i < rules->probes.count; i++)
		rules->host->free(rules->host, probes_at(&rules->probes, i)->rule);
	probes_fini(&rules->probes);
	names_fini(&rules->names);
	slots_fini(&rules->slots);
}

/* ---- Bindings ---- */

static struct name *name_take(struct rules *rules, struct shunt_bytes text)
{
	struct name *name = names_find(&rules->names, text);
	uint32_t slot;

	if (name)
		goto out;
	slot = slots_take(&rules->slots);
	if (slot == SLOT_NONE)
		return NULL;
	name = names_create(&rules->names, text, slot);
	if (!name) {
		slots_give(&rules->slots, slot);
		return NULL;
	}
out:
	name->references++;
	return name;
}

static void name_give(struct rules *rules, struct name *name)
{
	if (--name->references > 0)
		return;
	slots_give(&rules->slots, name->slot);
	names_destroy(&rules->names, name);
}

/* Bindings are not validated again when they are replayed, so what is not understood counts as
 * `all`. */
static struct rule_mode mode_of(const struct rules *rules, const struct shunt_binding *binding)
{
	struct rule_mode mode = {0};
	struct shunt_value value;

	if (rules->host->table_find(rules->host, binding->arguments, "x-match", &value) &&
	    value.type == 'S')
		(void)rule_mode_parse(value.bytes, &mode);
	return mode;
}

static bool is_condition(struct shunt_bytes name, struct rule_mode mode)
{
	if (name.size == 7 && memcmp(name.data, "x-match", 7) == 0)
		return false;
	return mode.with_x || name.size < 2 || name.data[0] != 'x' || name.data[1] != '-';
}

/* The next argument that is a condition. */
static bool condition_next(const struct rules *rules, struct shunt_bytes arguments,
			   struct rule_mode mode, size_t *position, struct shunt_bytes *ret_name,
			   struct shunt_value *ret_value)
{
	const struct shunt_host *host = rules->host;

	while (host->table_next(host, arguments, position, ret_name, ret_value))
		if (is_condition(*ret_name, mode))
			return true;
	return false;
}

static struct rule *rule_allocate(struct rules *rules, const struct shunt_binding *binding,
				  struct rule_mode mode)
{
	struct shunt_bytes name;
	struct shunt_value value;
	size_t position = 0;
	size_t count = 0;
	struct rule *rule;

	while (condition_next(rules, binding->arguments, mode, &position, &name, &value))
		count++;
	rule = rules->host->allocate(rules->host,
				     sizeof(*rule) + count * sizeof(rule->conditions[0]));
	if (!rule)
		return NULL;
	rule->binding = binding;
	rule->any = mode.any;
	rule->count = 0;
	return rule;
}

static void rule_destroy(struct rules *rules, struct rule *rule)
{
	for (size_t i = 0; i < rule->count; i++)
		name_give(rules, rule->conditions[i].name);
	rules->host->free(rules->host, rule);
}

/* A condition on a value goes first: it fails more often than one on the mere name. */
static void order_conditions(struct rule *rule)
{
	for (size_t i = 1; i < rule->count; i++) {
		if (rule->conditions[0].value.kind != VALUE_NOTHING)
			return;
		if (rule->conditions[i].value.kind != VALUE_NOTHING) {
			struct condition first = rule->conditions[0];

			rule->conditions[0] = rule->conditions[i];
			rule->conditions[i] = first;
		}
	}
}

static struct rule *rule_create(struct rules *rules, const struct shunt_binding *binding)
{
	struct rule_mode mode = mode_of(rules, binding);
	struct rule *rule = rule_allocate(rules, binding, mode);
	struct shunt_bytes name;
	struct shunt_value value;
	size_t position = 0;

	if (!rule)
		return NULL;
	while (condition_next(rules, binding->arguments, mode, &position, &name, &value)) {
		struct condition *condition = &rule->conditions[rule->count];

		condition->name = name_take(rules, name);
		if (!condition->name) {
			rule_destroy(rules, rule);
			return NULL;
		}
		condition->slot = condition->name->slot;
		value_read(rules->host, &value, &condition->value);
		rule->count++;
	}
	order_conditions(rule);
	return rule;
}

static struct probe probe_of(struct rule *rule)
{
	struct probe probe = {.rule = rule, .kind = PROBE_RULE};

	if (!rule->any && rule->count > 0 && rule->conditions[0].value.kind != VALUE_NOTHING) {
		probe.kind = PROBE_EQUAL;
		probe.slot = rule->conditions[0].slot;
		probe.digest = rule->conditions[0].value.digest;
	}
	return probe;
}

struct rule *rules_add(struct rules *rules, const struct shunt_binding *binding)
{
	struct rule *rule = rule_create(rules, binding);

	if (!rule)
		return NULL;
	rule->position = rules->probes.count;
	if (probes_add(&rules->probes, probe_of(rule)) < 0) {
		rule_destroy(rules, rule);
		return NULL;
	}
	return rule;
}

void rules_remove(struct rules *rules, struct rule *rule)
{
	struct probe last = *probes_at(&rules->probes, rules->probes.count - 1);

	*probes_at(&rules->probes, rule->position) = last;
	last.rule->position = rule->position;
	probes_drop(&rules->probes);
	rule_destroy(rules, rule);
}

/* ---- Messages ---- */

/* Reads the headers that somebody asks for; of several of one name, the first. */
static void slots_fill(const struct rules *rules, struct loop_slots *loop,
		       struct shunt_bytes headers)
{
	const struct shunt_host *host = rules->host;
	struct shunt_bytes text;
	struct shunt_value value;
	size_t position = 0;

	loop->round++;
	while (host->table_next(host, headers, &position, &text, &value)) {
		const struct name *name = names_find(&rules->names, text);
		struct slot *slot = name ? slots_at(loop, name->slot) : NULL;

		if (!slot || slot->round == loop->round)
			continue;
		slot->round = loop->round;
		value_read(host, &value, &slot->value);
	}
}

static bool condition_holds(const struct rules *rules, const struct loop_slots *loop,
			    const struct condition *condition)
{
	const struct slot *slot = slots_at(loop, condition->slot);

	if (slot->round != loop->round)
		return false;
	return condition->value.kind == VALUE_NOTHING ||
	       value_equal(rules->host, &condition->value, &slot->value);
}

static bool rule_holds(const struct rules *rules, const struct loop_slots *loop,
		       const struct rule *rule)
{
	for (size_t i = 0; i < rule->count; i++)
		if (condition_holds(rules, loop, &rule->conditions[i]) == rule->any)
			return rule->any;
	return !rule->any;
}

static bool probe_fails(const struct loop_slots *loop, const struct probe *probe)
{
	const struct slot *slot;

	if (probe->kind == PROBE_RULE)
		return false;
	slot = slots_at(loop, probe->slot);
	return slot->round != loop->round || slot->value.digest != probe->digest;
}

/* The bindings that match, on their way to the sink. */
struct batch {
	const struct shunt_binding *bindings[BATCH];
	size_t count;
	struct shunt_sink *sink;
};

static void batch_flush(struct batch *batch)
{
	if (batch->count > 0)
		batch->sink->emit(batch->sink, batch->bindings, batch->count);
	batch->count = 0;
}

static void match_some(const struct rules *rules, const struct loop_slots *loop,
		       const struct probe *probes, size_t count, struct batch *batch)
{
	for (size_t i = 0; i < count; i++) {
		const struct probe *probe = &probes[i];

		if (probe_fails(loop, probe) || !rule_holds(rules, loop, probe->rule))
			continue;
		batch->bindings[batch->count++] = probe->rule->binding;
		if (batch->count == BATCH)
			batch_flush(batch);
	}
}

void rules_match(const struct rules *rules, struct shunt_bytes headers, struct shunt_sink *sink)
{
	struct loop_slots *loop = &rules->slots.by_loop[rules->host->loop_index(rules->host)];
	size_t left = rules->probes.count;
	struct batch batch;

	if (left == 0)
		return;
	batch.sink = sink;
	batch.count = 0;
	slots_fill(rules, loop, headers);
	for (size_t i = 0; left > 0; i++) {
		size_t count = left < PROBES_BLOCK ? left : PROBES_BLOCK;

		match_some(rules, loop, rules->probes.blocks[i], count, &batch);
		left -= count;
	}
	batch_flush(&batch);
}
