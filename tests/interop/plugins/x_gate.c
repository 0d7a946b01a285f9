/* SPDX-License-Identifier: MIT */
/*
 * x-gate: an access policy that answers logins from a thread of its own, by the beginning of the user's name:
 *
 *	allow	comes in under that name, with the tag "gate"
 *	deny	does not
 *	next	is somebody else's
 *	hold	waits for a login that begins with "free"; what login_done() says is logged
 *	lock	locks all exchanges from now on, and is denied
 *
 * Users of its own may do anything but configure what has the argument x-secret, see the vhost "hidden" or an exchange
 * named "forbidden", or one at all while they are locked. A timer ticks three times.
 */
#define _DEFAULT_SOURCE
#include <pthread.h>
#include <shunt/plugin.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PEER_IS_TLS
#define PEER_IS_TLS false
#endif

struct login {
	struct login *next;
	uint64_t id;
	char user[64];
};

struct gate {
	const struct shunt_host *host;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct login *waiting, *held;
	bool is_ending;
	atomic_bool is_locked;
	struct shunt_timer *timer;
	unsigned ticks;
};

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static void say(const struct gate *gate, const char *what, const char *user, int number)
{
	char text[160];

	snprintf(text, sizeof(text), "%s: user=%s result=%d", what, user, number);
	gate->host->log(gate->host, SHUNT_LOG_INFO, text);
}

/* ---- The thread ---- */

static void answer_held(struct gate *gate)
{
	struct login *login;

	while ((login = gate->held) != NULL) {
		gate->held = login->next;
		say(gate, "held", login->user,
		    gate->host->login_done(gate->host, login->id, SHUNT_ALLOW, NULL, "gate", NULL));
		free(login);
	}
}

static void answer(struct gate *gate, struct login *login)
{
	const struct shunt_host *host = gate->host;

	if (begins(login->user, "hold")) {
		login->next = gate->held;
		gate->held = login;
		say(gate, "holding", login->user, 0);
		return;
	}
	if (begins(login->user, "free"))
		answer_held(gate);
	if (begins(login->user, "lock")) {
		atomic_store(&gate->is_locked, true);
		host->access_changed(host);
	}
	if (begins(login->user, "allow"))
		host->login_done(host, login->id, SHUNT_ALLOW, login->user, "gate", NULL);
	else if (begins(login->user, "next"))
		host->login_done(host, login->id, SHUNT_NEXT, NULL, NULL, NULL);
	else if (begins(login->user, "guest"))
		host->login_done(host, login->id, SHUNT_NEXT, NULL, NULL, NULL);
	else
		host->login_done(host, login->id, SHUNT_DENY, NULL, NULL, "the gate is shut");
	if (host->login_done(host, login->id, SHUNT_ALLOW, NULL, NULL, NULL) != -1)
		say(gate, "answered twice", login->user, 0);
	free(login);
}

static void *run(void *argument)
{
	struct gate *gate = argument;

	pthread_mutex_lock(&gate->lock);
	while (!gate->is_ending || gate->waiting != NULL) {
		struct login *login = gate->waiting;

		if (login == NULL) {
			pthread_cond_wait(&gate->wake, &gate->lock);
			continue;
		}
		gate->waiting = login->next;
		pthread_mutex_unlock(&gate->lock);
		answer(gate, login);
		pthread_mutex_lock(&gate->lock);
	}
	pthread_mutex_unlock(&gate->lock);
	return NULL;
}

/* ---- The policy ---- */

static void authenticate(void *plugin, const struct shunt_login *asked)
{
	struct gate *gate = plugin;
	struct login *login = calloc(1, sizeof(*login));

	if (login == NULL) {
		gate->host->login_done(gate->host, asked->id, SHUNT_DENY, NULL, NULL, "out of memory");
		return;
	}
	login->id = asked->id;
	snprintf(login->user, sizeof(login->user), "%.*s", (int)asked->user.size, (const char *)asked->user.data);
	if (!asked->peer->is_loopback || asked->peer->port == 0 || asked->peer->is_tls != PEER_IS_TLS ||
	    asked->peer->certificate.size)
		say(gate, "strange peer", login->user, asked->peer->port);
	pthread_mutex_lock(&gate->lock);
	login->next = gate->waiting;
	gate->waiting = login;
	pthread_cond_signal(&gate->wake);
	pthread_mutex_unlock(&gate->lock);
}

static bool is(struct shunt_bytes bytes, const char *text)
{
	return bytes.size == strlen(text) && (bytes.size == 0 || memcmp(bytes.data, text, bytes.size) == 0);
}

static enum shunt_verdict authorize(void *plugin, const struct shunt_question *question)
{
	struct gate *gate = plugin;
	struct shunt_value value;

	if (!is(question->tags, "gate"))
		return SHUNT_NEXT;
	if (question->operation == SHUNT_CONNECT)
		return is(question->name, "hidden") ? SHUNT_DENY : SHUNT_ALLOW;
	if (question->operation == SHUNT_CONFIGURE &&
	    gate->host->table_find(gate->host, question->arguments, "x-secret", &value))
		return SHUNT_DENY;
	if (question->resource == SHUNT_EXCHANGE && (is(question->name, "forbidden") || atomic_load(&gate->is_locked)))
		return SHUNT_DENY;
	if (question->operation == SHUNT_WRITE_TOPIC || question->operation == SHUNT_READ_TOPIC)
		return is(question->routing_key, "a.secret") ? SHUNT_DENY : SHUNT_ALLOW;
	return SHUNT_ALLOW;
}

static const struct shunt_access_policy policy = {
	.size = sizeof(policy),
	.name = "gate",
	.authenticate = authenticate,
	.authorize = authorize,
};

/* ---- The plugin ---- */

static void tick(void *context)
{
	struct gate *gate = context;

	say(gate, "tick", "-", (int)++gate->ticks);
	if (gate->ticks == 3)
		gate->host->timer_free(gate->host, gate->timer);
}

static int start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	struct gate *gate = calloc(1, sizeof(*gate));

	if (gate == NULL)
		return -1;
	gate->host = host;
	pthread_mutex_init(&gate->lock, NULL);
	pthread_cond_init(&gate->wake, NULL);
	gate->timer = host->timer_create(host, tick, gate);
	if (gate->timer == NULL || host->register_access_policy(host, &policy, error) != 0 ||
	    pthread_create(&gate->thread, NULL, run, gate) != 0) {
		free(gate);
		return -1;
	}
	host->timer_start(host, gate->timer, 5, 5);
	*ret_plugin = gate;
	return 0;
}

static void stop(void *plugin)
{
	struct gate *gate = plugin;

	pthread_mutex_lock(&gate->lock);
	gate->is_ending = true;
	pthread_cond_signal(&gate->wake);
	pthread_mutex_unlock(&gate->lock);
	pthread_join(gate->thread, NULL);
	answer_held(gate);
	pthread_cond_destroy(&gate->wake);
	pthread_mutex_destroy(&gate->lock);
	gate->host->log(gate->host, SHUNT_LOG_INFO, "stopped");
	free(gate);
}

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "x-gate",
	.version = "0.1",
	.licence = "MIT",
	.description = "an access policy that answers later",
	.start = start,
	.stop = stop,
};
