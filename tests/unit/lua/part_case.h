/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_LUA_PART_CASE_H
#define TESTS_UNIT_LUA_PART_CASE_H

/*
 * A script in force on a fake host, asked through what it has registered, as the broker does: the
 * plugin "lua" is the real one. Two loops; fake_loop_index says which one the test plays.
 */

#include "../../plugin/fake_services.h"

#include <shunt/language.h>

#define PART_TEXT 2048

/* What a script has handed to publish(), and how the test can answer. */
struct part_published {
	struct part_published *next;
	char text[PART_TEXT]; /* "vhost|exchange|key|body", then what was set */
	void (*done)(void *context, enum shunt_outcome outcome);
	void *context;
};

struct part {
	struct fake_host language_host, host; /* that of the plugin "lua", and the script's */
	const struct shunt_language *language;
	void *language_state;
	const struct shunt_plugin *plugin;
	void *state; /* what start() left */
	bool is_started;
	struct shunt_error error; /* why open() or start() failed */
	char log[PART_TEXT];	  /* lines of both hosts, those of debug too */
	struct part_published *published;
	/* The last login. */
	enum shunt_verdict verdict;
	char login[PART_TEXT]; /* "user|tags|reason", "-" for NULL */
	unsigned n_logins;
	unsigned n_access_changed;
};

/* settings: names and values by turns, ended by NULL; or NULL. False: part->error. In any case
 * part_close() is due. */
bool part_open(struct part *part, const char *source, const char *const *settings);
/* The same, in force; fails the test if it cannot be. */
void part_run(struct part *part, const char *source, const char *const *settings);
/* What it is said to bring; it is not started. */
const char *part_check(struct part *part, const char *source);
/* Fails the test if any memory is left. */
void part_close(struct part *part);

bool part_has_logged(const struct part *part, const char *text);

struct shunt_bytes part_bytes(const char *text);

/* "allow: user|tags|reason" */
const char *part_login(struct part *part, const char *user, const char *password);

/* "deny: reason (remember)"; fields may be changed before. */
extern const struct shunt_peer part_peer;
struct shunt_question part_question(enum shunt_operation operation, const char *user,
				    const char *name);
const char *part_ask(struct part *part, const struct shunt_question *question);

/* A message with routing key "key", exchange "x", body "body". */
struct fake_message part_message(void);
/* "pass", then what was set in the draft, each as "; what=value"; "refuse: code reason" */
const char *part_publish(struct part *part, const struct fake_message *message, const char *user,
			 bool dry_run);
const char *part_deliver(struct part *part, const struct fake_message *message,
			 const char *consumer_tag);

/* All published so far is told; forgets it. */
void part_tell(struct part *part, enum shunt_outcome outcome);

#endif
