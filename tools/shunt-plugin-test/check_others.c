/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "arena.h"
#include "base/mem.h"
#include "panel.h"
#include "trace.h"

/* What is no exchange type: policies, commands, metrics, timers. check_hooks.c has the hooks. */

#define NAP_MS 5

/* Lets posts, timers and the plugin's threads work until the ticket has ended. */
static void wait_for_ticket(struct subject *s, uint64_t id, const char *what, const char *function)
{
	const struct timespec nap = {.tv_nsec = NAP_MS * 1000000L};

	for (double waited = 0; host_ticket_ended(s->world, id) == 0; waited += NAP_MS / 1000.0) {
		if (waited > s->patience_s)
			trace_fail("a %s did not end in %s within %g s", what, function,
				   s->patience_s);
		host_pump(s->world, 1);
		if (host_ticket_ended(s->world, id) == 0)
			(void)nanosleep(&nap, NULL);
	}
	/* a second end of the same one is found here, or when it comes */
	host_pump(s->world, 1);
}

static struct shunt_bytes pass(const void *data, size_t size)
{
	return (struct shunt_bytes){arena_copy(ARENA_OTHER, data, size, 0, 0), size};
}

static struct shunt_bytes pass_odd(struct rng *rng)
{
	static const char *const texts[] = {"",		"guest",  "/",	  "a.b",    "*",
					    "\xff\xfe", "%s%n%s", "a\nb", "' OR 1", "amq.default"};
	const char *text;
	char huge[4000];

	memset(huge, 'u', sizeof(huge));
	if (rng_one_in(rng, 10))
		return pass(huge, rng_below(rng, sizeof(huge)));
	if (rng_one_in(rng, 10))
		return pass("a\0b", 3);
	text = texts[rng_below(rng, sizeof(texts) / sizeof(texts[0]))];
	return pass(text, strlen(text));
}

/* ---- Policies ---- */

static const struct shunt_peer *pass_peer(struct rng *rng)
{
	const struct shunt_peer peer = {
		.size = sizeof(peer),
		.host = pass("::1", 3),
		.port = (uint16_t)rng_next(rng),
		.is_loopback = rng_one_in(rng, 2),
		.is_tls = rng_one_in(rng, 2),
		.certificate = pass("\x30\x82\x01", rng_one_in(rng, 2) ? 3 : 0),
	};

	return arena_copy(ARENA_OTHER, &peer, sizeof(peer), 0, 0);
}

static void revoke_peer(const struct shunt_peer *peer)
{
	arena_free(peer->host.data);
	arena_free(peer->certificate.data);
	arena_free(peer);
}

static uint64_t authenticate(struct subject *s, const struct shunt_access_policy *policy)
{
	static const char *const mechanisms[] = {"PLAIN", "AMQPLAIN"};
	const char *mechanism = mechanisms[rng_below(&s->rng, 2)];
	struct shunt_login login = {
		.size = sizeof(login),
		.id = host_ticket(s->world, true),
		.mechanism = pass(mechanism, strlen(mechanism)),
		.user = pass_odd(&s->rng),
		.password = pass_odd(&s->rng),
		.peer = pass_peer(&s->rng),
	};
	const struct shunt_login *passed = arena_copy(ARENA_OTHER, &login, sizeof(login), 0, 0);

	trace_with("a login of the user %s", trace_quote(login.user.data, login.user.size));
	if (rng_one_in(&s->rng, 8))
		host_fail_at(s->world, 1, true);
	trace_begin("authenticate()");
	policy->authenticate(s->world->state, passed);
	trace_end();
	host_fail_at(s->world, -1, false);
	arena_free(login.mechanism.data);
	arena_free(login.user.data);
	arena_free(login.password.data);
	revoke_peer(login.peer);
	arena_free(passed);
	return login.id;
}

/* decide() takes the place of authorize(). */
static enum shunt_verdict ask(struct subject *s, const struct shunt_access_policy *policy,
			      const struct shunt_question *question)
{
	struct shunt_answer answer = {.size = sizeof(answer), .remember_ms = UINT32_MAX};
	enum shunt_verdict verdict;

	if (!policy->decide)
		return policy->authorize(s->world->state, question);
	verdict = policy->decide(s->world->state, question, &answer);
	if (memchr(answer.reason, '\0', sizeof(answer.reason)) == NULL)
		trace_fail("decide() gives a reason that does not end");
	return verdict;
}

static void authorize(struct subject *s, const struct shunt_access_policy *policy)
{
	struct shunt_question question = {
		.size = sizeof(question),
		.operation = (enum shunt_operation)rng_below(&s->rng, SHUNT_READ_TOPIC + 1),
		.resource = (enum shunt_resource)rng_below(&s->rng, SHUNT_VHOST + 1),
		.user = pass_odd(&s->rng),
		.tags = pass_odd(&s->rng),
		.vhost = pass_odd(&s->rng),
		.name = pass_odd(&s->rng),
		.routing_key = pass_odd(&s->rng),
		.arguments = pass("\x01xV", rng_one_in(&s->rng, 2) ? 3 : 0),
		.peer = pass_peer(&s->rng),
	};
	const struct shunt_question *passed =
		arena_copy(ARENA_OTHER, &question, sizeof(question), 0, 0);
	enum shunt_verdict verdict;

	trace_with("a question about %s", trace_quote(question.name.data, question.name.size));
	trace_begin(policy->decide ? "decide()" : "authorize()");
	verdict = ask(s, policy, passed);
	trace_end();
	if ((unsigned)verdict > SHUNT_NEXT)
		trace_fail("%s() returned %d, which is no verdict",
			   policy->decide ? "decide" : "authorize", (int)verdict);
	arena_free(question.user.data);
	arena_free(question.tags.data);
	arena_free(question.vhost.data);
	arena_free(question.name.data);
	arena_free(question.routing_key.data);
	arena_free(question.arguments.data);
	revoke_peer(question.peer);
	arena_free(passed);
}

static void policy_round(struct subject *s, const struct shunt_access_policy *policy)
{
	uint64_t ids[4];
	size_t n = 0;
	bool asks = policy->authorize != NULL || policy->decide != NULL;

	if (policy->authenticate == NULL && !asks)
		trace_fail("the policy '%s' has neither authenticate nor authorize", policy->name);
	/* several at once */
	while (policy->authenticate != NULL && n < sizeof(ids) / sizeof(ids[0]))
		ids[n++] = authenticate(s, policy);
	for (unsigned k = 0; asks && k < 20; k++)
		authorize(s, policy);
	while (n > 0)
		wait_for_ticket(s, ids[--n], "login", "login_done");
}

void check_policies(struct subject *s)
{
	if (s->world->n_policies == 0)
		trace_skip("it registers no access policy");
	for (unsigned round = 0; round < s->rounds; round++) {
		subject_round(s, round);
		for (size_t k = 0; k < s->world->n_policies; k++)
			policy_round(s, &s->world->policies[k]);
	}
}

/* ---- Commands ---- */

static void command_round(struct subject *s, const struct shunt_command *command)
{
	struct shunt_bytes arguments[5];
	struct shunt_call call = {.size = sizeof(call),
				  .id = host_ticket(s->world, false),
				  .argument_count = rng_below(&s->rng, 6)};
	const struct shunt_call *passed;

	for (size_t k = 0; k < call.argument_count; k++)
		arguments[k] = pass_odd(&s->rng);
	call.arguments =
		arena_copy(ARENA_OTHER, arguments, call.argument_count * sizeof(*arguments), 0, 0);
	passed = arena_copy(ARENA_OTHER, &call, sizeof(call), 0, 0);
	trace_with("the command '%s' and %zu arguments", command->name, call.argument_count);
	if (rng_one_in(&s->rng, 8))
		host_fail_at(s->world, 1, true);
	trace_begin("run() of a command");
	command->run(s->world->state, passed);
	trace_end();
	host_fail_at(s->world, -1, false);
	for (size_t k = 0; k < call.argument_count; k++)
		arena_free(arguments[k].data);
	arena_free(call.arguments);
	arena_free(passed);
	wait_for_ticket(s, call.id, "call of a command", "call_done");
}

void check_commands(struct subject *s)
{
	if (s->world->n_commands == 0)
		trace_skip("it registers no command");
	for (unsigned round = 0; round < s->rounds; round++) {
		subject_round(s, round);
		for (size_t k = 0; k < s->world->n_commands; k++)
			command_round(s, &s->world->commands[k]);
	}
}

/* ---- Metrics and timers ---- */

void check_metrics(struct subject *s)
{
	if (s->world->n_metrics == 0)
		trace_skip("it registers no metric");
	for (unsigned round = 0; round < s->rounds; round++)
		for (size_t k = 0; k < s->world->n_metrics; k++) {
			const struct shunt_metric *metric = &s->world->metrics[k];

			if (metric->read == NULL)
				continue;
			trace_with("the metric '%s'", metric->name);
			trace_begin("read() of a metric");
			(void)metric->read(s->world->state);
			trace_end();
		}
}

/* What grows with every firing is a leak, as long as nothing else happens. */
void check_timers(struct subject *s)
{
	unsigned firings = s->rounds * 8;
	long live, drafts;

	if (s->world->timers == NULL && s->world->posts == NULL && s->world->publications == NULL)
		trace_skip("it starts no timer, and posts and publishes nothing by itself");
	host_pump(s->world, firings);
	live = atomic_load(&s->world->live);
	drafts = atomic_load(&s->world->drafts);
	host_pump(s->world, firings);
	if (firings >= 100 && (atomic_load(&s->world->live) - live) / (long)firings >= 1)
		trace_fail("it leaks with each firing of its timers: %ld allocations more after %u "
			   "of them",
			   atomic_load(&s->world->live) - live, firings);
	if (atomic_load(&s->world->drafts) > drafts)
		trace_fail("it loses drafts in its timers: %ld more after %u firings",
			   atomic_load(&s->world->drafts) - drafts, firings);
	/* with every allocation failing */
	host_fail_at(s->world, 1, true);
	host_pump(s->world, firings);
	host_fail_at(s->world, -1, false);
}
