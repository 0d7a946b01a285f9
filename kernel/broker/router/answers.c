/* SPDX-License-Identifier: MIT */
#include "broker/router/answers.h"

#include <string.h>

#include "base/mem.h"
#include "base/slab.h"
#include "amqp/depends.h"
#include "broker/topology/exchange_type.h"
#include "loop/loop.h"

/*
 * A question is the exchange's number, the number of what it knows by now (neither is used again),
 * and the message's fields; an answer is found by the question's hash, and then by all of its
 * bytes. So nothing is emptied when a binding comes or goes, or another instance takes over: what
 * was remembered before is not found any more, its bindings are not looked at, and its place is
 * taken by others. What route() gave is kept as it came: bindings that are pending or doomed are
 * passed over each time, as ever.
 *
 * A set has places for four answers; the next one to go is the one that came first. If all of them
 * have too many bytes, answers of other sets go, in turn.
 */
#define WAYS 4u
#define SETS (ROUTER_ANSWERS_MAX / WAYS)

#define EXCHANGE_SIZE (2 * sizeof(uint64_t)) /* its two numbers */
#define QUESTION_MAX  (EXCHANGE_SIZE + ROUTER_ANSWER_FIELDS)

struct question {
	uint64_t hash;
	size_t size; /* 0: it is too long */
	const uint8_t *bytes;
};

struct answer {
	uint64_t asked_ms;
	uint32_t question_size, n_bindings;
	const struct shunt_binding *bindings[]; /* and the question's bytes behind them */
};

struct answer_set {
	uint32_t hashes[WAYS]; /* of those that are there */
	struct answer *answers[WAYS];
	unsigned next; /* the place that is used next */
};

/* Belongs to the router. */
struct router_answers {
	struct answer_set sets[SETS];
	size_t n_bytes;
	unsigned hand; /* the set that gives room next */

	/* The present question, and what route() gives on it. */
	struct shunt_sink sink;
	struct router *router;
	size_t n_bindings; /* more than there is room for: it is not remembered */
	const struct shunt_binding *bindings[ROUTER_ANSWER_BINDINGS];
	uint8_t bytes[QUESTION_MAX];
};

static size_t size_of(const struct answer *answer)
{
	return sizeof(*answer) + answer->n_bindings * sizeof(answer->bindings[0]) +
	       answer->question_size;
}

static uint8_t *question_of(struct answer *answer)
{
	return (uint8_t *)&answer->bindings[answer->n_bindings];
}

static void forget(struct router_answers *answers, struct answer_set *set, unsigned way)
{
	struct answer *answer = set->answers[way];

	if (!answer)
		return;
	answers->n_bytes -= size_of(answer);
	set->answers[way] = NULL;
	slab_free(answer, size_of(answer));
}

void router_answers_free(struct router_answers *answers)
{
	if (!answers)
		return;
	for (size_t i = 0; i < SETS; i++) {
		for (unsigned way = 0; way < WAYS; way++)
			forget(answers, &answers->sets[i], way);
	}
	mem_free(answers);
}

/* ---- What is remembered ---- */

static struct answer_set *set_of(struct router_answers *answers, const struct question *question)
{
	return &answers->sets[question->hash % SETS];
}

static uint32_t short_hash(const struct question *question)
{
	return (uint32_t)(question->hash >> 32);
}

static bool is_it(struct answer *answer, const struct question *question)
{
	return answer->question_size == question->size &&
	       memcmp(question_of(answer), question->bytes, question->size) == 0;
}

/* WAYS: it is not there. */
static unsigned find(const struct answer_set *set, const struct question *question)
{
	unsigned way;

	for (way = 0; way < WAYS; way++) {
		if (set->hashes[way] == short_hash(question) && set->answers[way] &&
		    is_it(set->answers[way], question))
			break;
	}
	return way;
}

static bool is_fresh(const struct answer *answer, uint32_t lasts_ms)
{
	return lasts_ms == 0 || loop_now_ms() - answer->asked_ms < lasts_ms;
}

static void make_room(struct router_answers *answers, size_t size)
{
	while (answers->n_bytes + size > ROUTER_ANSWERS_BYTES) {
		struct answer_set *set = &answers->sets[answers->hand++ % SETS];

		for (unsigned way = 0; way < WAYS; way++)
			forget(answers, set, way);
	}
}

/* Without memory it is asked again the next time. */
static void remember(struct router_answers *answers, const struct question *question)
{
	struct answer_set *set = set_of(answers, question);
	unsigned way = find(set, question);
	const struct answer like = {.asked_ms = loop_now_ms(),
				    .question_size = (uint32_t)question->size,
				    .n_bindings = (uint32_t)answers->n_bindings};
	struct answer *answer;

	make_room(answers, size_of(&like));
	answer = slab_try_alloc(size_of(&like));
	if (!answer)
		return;
	if (way == WAYS)
		way = set->next++ % WAYS;
	forget(answers, set, way);
	*answer = like;
	if (like.n_bindings > 0)
		memcpy(answer->bindings, answers->bindings,
		       like.n_bindings * sizeof(answer->bindings[0]));
	memcpy(question_of(answer), question->bytes, question->size);
	set->answers[way] = answer;
	set->hashes[way] = short_hash(question);
	answers->n_bytes += size_of(answer);
}

/* ---- Asking ---- */

/* The router gets it, too. */
static void note(struct shunt_sink *sink, const struct shunt_binding *const *bindings, size_t count)
{
	struct router_answers *answers = container_of(sink, struct router_answers, sink);
	size_t n = answers->n_bindings, left = ROUTER_ANSWER_BINDINGS - n;

	if (n > ROUTER_ANSWER_BINDINGS || count > left) {
		answers->n_bindings = ROUTER_ANSWER_BINDINGS + 1;
	} else if (count > 0) {
		memcpy(&answers->bindings[n], bindings, count * sizeof(answers->bindings[0]));
		answers->n_bindings += count;
	}
	router_emit(&answers->router->sink, bindings, count);
}

static _Thread_local bool answer_varies;

void router_answer_varies(void)
{
	answer_varies = true;
}

/* Whether the answer holds for an equal message. */
static bool ask_type(struct router *router, const struct exchange *exchange,
		     struct shunt_sink *sink)
{
	answer_varies = false;
	exchange->type->functions->route(exchange->instance, &router->routed.view, sink);
	if (answer_varies)
		router->answers_by = 0;
	return !answer_varies;
}

static NO_INLINE void ask(struct router_answers *answers, const struct exchange *exchange,
			  const struct question *question)
{
	answers->n_bindings = 0;
	if (!ask_type(answers->router, exchange, &answers->sink))
		return;
	if (question->size > 0 && answers->n_bindings <= ROUTER_ANSWER_BINDINGS)
		remember(answers, question);
}

static struct question make_question(struct router_answers *answers,
				     const struct exchange *exchange)
{
	struct question question = {.bytes = answers->bytes};

	memcpy(answers->bytes, &exchange->number, sizeof(exchange->number));
	memcpy(answers->bytes + sizeof(exchange->number), &exchange->knowledge,
	       sizeof(exchange->knowledge));
	question.size = depends_write(&exchange->type->depends, &answers->router->routed.view,
				      message_properties(answers->router->routed.message),
				      answers->bytes + EXCHANGE_SIZE, ROUTER_ANSWER_FIELDS);
	if (question.size > 0) {
		question.size += EXCHANGE_SIZE;
		question.hash = slice_hash(slice_make(question.bytes, question.size));
	}
	return question;
}

static NO_INLINE struct router_answers *answers_create(struct router *router)
{
	struct router_answers *answers = mem_try_zalloc(sizeof(*answers));

	if (!answers)
		return NULL;
	answers->sink.emit = note;
	answers->router = router;
	return answers;
}

void router_answer(struct router *router, const struct exchange *exchange)
{
	struct router_answers *answers = router->answers;
	const struct answer_set *set;
	struct question question;
	unsigned way;

	if (UNLIKELY(!answers))
		answers = router->answers = answers_create(router);
	if (UNLIKELY(!answers)) {
		(void)ask_type(router, exchange, &router->sink);
		return;
	}
	question = make_question(answers, exchange);
	set = set_of(answers, &question);
	way = question.size > 0 ? find(set, &question) : WAYS;
	if (LIKELY(way < WAYS) && is_fresh(set->answers[way], exchange->type->own.depends_ms))
		router_emit(&router->sink, set->answers[way]->bindings,
			    set->answers[way]->n_bindings);
	else
		ask(answers, exchange, &question);
}
