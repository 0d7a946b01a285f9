/* SPDX-License-Identifier: MIT */

/*
 * Whether a route looks at more than its type's `depends` says. Each field that is not named there
 * is changed by itself, to another value and to none, and the message is routed again: the same
 * bindings must match. At last it is routed once more as it was: what depends on chance, or on what
 * came before, must not be remembered either.
 */

#include "testing/exchange.h"

#include <lauxlib.h>
#include <string.h>

#include "message/message.h"
#include "script.h"
#include "run/state.h"
#include "testing/message.h"

#define OTHER	((struct shunt_bytes){(const uint8_t *)"changed by the test", 19})
#define NOTHING ((struct shunt_bytes){(const uint8_t *)"", 0})

struct trial {
	lua_State *L;
	struct testing_exchange *exchange;
	const struct testing_message *message;
};

/* "headers." and "a" for headers.a; the second may be empty. */
static bool is_named(const struct trial *trial, const char *begin, struct shunt_bytes name)
{
	size_t size = strlen(begin);

	for (const char *const *entry = trial->exchange->type->depends; *entry; entry++)
		if (strncmp(*entry, begin, size) == 0 && strlen(*entry + size) == name.size &&
		    memcmp(*entry + size, name.data, name.size) == 0)
			return true;
	return false;
}

static void try_message(const struct trial *trial, const struct testing_message *message,
			const char *begin, struct shunt_bytes name)
{
	lua_State *L = trial->L;

	testing_exchange_route(L, trial->exchange, message);
	for (struct testing_binding *binding = trial->exchange->bindings; binding;
	     binding = binding->next) {
		if (binding->matches == binding->matched)
			continue;
		lua_pushlstring(L, (const char *)name.data, name.size);
		if (message == trial->message)
			luaL_error(L, "the same message went elsewhere the second time: "
				      "with depends it must not");
		luaL_error(L, "the route depends on '%s%s', which is not in depends", begin,
			   lua_tostring(L, -1));
	}
}

/* A field of struct shunt_message, at that offset. */
static void try_text(const struct trial *trial, const char *name, size_t offset)
{
	struct testing_message changed = *trial->message;
	struct shunt_bytes *field = (void *)((char *)&changed.message + offset);

	if (is_named(trial, name, NOTHING))
		return;
	*field = OTHER;
	try_message(trial, &changed, name, NOTHING);
	*field = NOTHING;
	try_message(trial, &changed, name, NOTHING);
}

/* Another one of the same type. */
static struct shunt_value other_value(struct shunt_value value)
{
	value.boolean = !value.boolean;
	value.integer = value.integer == 1 ? 2 : 1;
	value.real += 1;
	if (strchr("FAV", value.type)) {
		value.type = 'S';
		value.bytes = NOTHING;
	} else if (strchr("Sx", value.type)) {
		value.bytes = OTHER;
	}
	return value;
}

static void try_property(const struct trial *trial, enum shunt_property property)
{
	const char *name = message_property_name(property);
	struct testing_message changed = *trial->message;
	struct shunt_value *value = &changed.properties[property];

	if (is_named(trial, "property.", (struct shunt_bytes){(const uint8_t *)name, strlen(name)}))
		return;
	if (!changed.has[property])
		*value = (struct shunt_value){.type = property == SHUNT_TIMESTAMP ? 'T'
						      : property == SHUNT_DELIVERY_MODE ||
								      property == SHUNT_PRIORITY
							      ? 'B'
							      : 'S'};
	*value = other_value(*value);
	changed.has[property] = true;
	try_message(trial, &changed, name, NOTHING);
	changed.has[property] = false;
	try_message(trial, &changed, name, NOTHING);
}

static void set_header(const struct trial *trial, struct testing_message *message,
		       struct shunt_bytes name, const struct shunt_value *value)
{
	if (testing_headers_set(testing_of(trial->L), &message->headers, name, value) < 0)
		luaL_error(trial->L, "the test uses too much memory");
}

static void try_header(const struct trial *trial, struct shunt_bytes name,
		       const struct shunt_value *value)
{
	struct shunt_value other = other_value(*value);
	struct testing_message changed = *trial->message;

	if (is_named(trial, "headers.", name))
		return;
	set_header(trial, &changed, name, &other);
	try_message(trial, &changed, "headers.", name);
	set_header(trial, &changed, name, NULL);
	try_message(trial, &changed, "headers.", name);
}

static void try_headers(const struct trial *trial)
{
	const struct shunt_host *host = &testing_of(trial->L)->host;
	const struct shunt_value more = {.type = 'S', .bytes = OTHER};
	struct shunt_bytes name;
	struct shunt_value value;
	size_t position = 0;

	while (host->table_next(host, trial->message->headers, &position, &name, &value))
		try_header(trial, name, &value);
	/* one that nobody has thought of: found by who goes through all of them */
	try_header(trial, OTHER, &more);
}

void testing_depends_check(lua_State *L, struct testing_exchange *exchange,
			   const struct testing_message *message)
{
	const struct trial trial = {L, exchange, message};

	for (struct testing_binding *binding = exchange->bindings; binding; binding = binding->next)
		binding->matched = binding->matches;
	try_text(&trial, "routing_key", offsetof(struct shunt_message, routing_key));
	try_text(&trial, "exchange", offsetof(struct shunt_message, exchange));
	try_text(&trial, "user", offsetof(struct shunt_message, user));
	try_text(&trial, "body", offsetof(struct shunt_message, body));
	for (unsigned property = 0; property <= SHUNT_APP_ID; property++)
		try_property(&trial, property);
	try_headers(&trial);
	try_message(&trial, message, "", NOTHING);
}
