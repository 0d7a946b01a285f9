/* SPDX-License-Identifier: MIT */
#include "exchange/answer.h"

#include <lauxlib.h>

#include "run/call.h"

#define PARTS_KEPT 64u
#define PARTS_MAX  65536u
#define BATCH	   64u

/* What the broker takes, after the call, for a binding that it is given once more, in instructions. */
#define REPEATED 16u

void answer_init(struct answer *answer, const struct shunt_host *host)
{
	*answer = (struct answer){.host = host};
}

void answer_fini(struct answer *answer)
{
	answer->host->free(answer->host, answer->parts);
	answer_init(answer, answer->host);
}

void answer_begin(struct answer *answer, size_t n_bindings)
{
	if (answer->capacity > PARTS_KEPT)
		answer_fini(answer);
	answer->count = 0;
	answer->free_of_charge = n_bindings;
}

static void grow(lua_State *L, struct answer *answer)
{
	size_t capacity = answer->capacity > 0 ? answer->capacity * 2 : 8;
	struct answer_part *parts = NULL;

	if (capacity <= PARTS_MAX)
		parts = answer->host->reallocate(answer->host, answer->parts,
						 capacity * sizeof(*parts));
	if (!parts)
		(void)luaL_error(L, "memory is out, or too much is emitted one by one");
	answer->parts = parts;
	answer->capacity = capacity;
}

void answer_add(lua_State *L, struct answer *answer, const struct shunt_binding *const *bindings,
		size_t count)
{
	if (count == 0)
		return;
	call_charge(L, 1);
	if (count <= answer->free_of_charge) {
		answer->free_of_charge -= count;
	} else {
		answer->free_of_charge = 0;
		call_charge(L, count * REPEATED);
	}
	if (answer->count == answer->capacity)
		grow(L, answer);
	answer->parts[answer->count++] = (struct answer_part){bindings, count};
}

void answer_give(const struct answer *answer, struct shunt_sink *sink)
{
	const struct shunt_binding *batch[BATCH];
	size_t count = 0;

	for (size_t i = 0; i < answer->count; i++) {
		const struct answer_part *part = &answer->parts[i];

		if (part->count > 1) {
			sink->emit(sink, part->bindings, part->count);
			continue;
		}
		batch[count++] = *part->bindings;
		if (count == BATCH) {
			sink->emit(sink, batch, count);
			count = 0;
		}
	}
	if (count > 0)
		sink->emit(sink, batch, count);
}
