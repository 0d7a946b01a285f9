/* SPDX-License-Identifier: MIT */
#include "part_case.h"

#include "lua_case.h"

#include <CUnit/CUnit.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct shunt_plugin shunt_plugin;

/* The hosts' functions find it by this: there is one at a time. */
static struct part *current;

static char answer[PART_TEXT];

struct shunt_bytes part_bytes(const char *text)
{
	return (struct shunt_bytes){(const uint8_t *)text, strlen(text)};
}

/* To a text of PART_TEXT bytes. */
__attribute__((format(printf, 2, 3))) static void append(char *text, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text + used, PART_TEXT - used, format, args);
	va_end(args);
}

static void append_bytes(char *text, struct shunt_bytes bytes)
{
	append(text, "%.*s", (int)bytes.size, bytes.size != 0 ? (const char *)bytes.data : "");
}

/* ---- Drafts that note what is set ---- */

struct noting_draft {
	struct shunt_draft draft; /* first */
	char text[PART_TEXT];
	bool is_delivery;
};

static char *text_of(struct shunt_draft *draft)
{
	return ((struct noting_draft *)draft)->text;
}

static int note_routing_key(struct shunt_draft *draft, struct shunt_bytes key)
{
	if (((struct noting_draft *)draft)->is_delivery || key.size > 255)
		return -1;
	append(text_of(draft), "; key=");
	append_bytes(text_of(draft), key);
	return 0;
}

static int note_exchange(struct shunt_draft *draft, struct shunt_bytes exchange)
{
	if (((struct noting_draft *)draft)->is_delivery)
		return -1;
	append(text_of(draft), "; exchange=");
	append_bytes(text_of(draft), exchange);
	return 0;
}

static int note_body(struct shunt_draft *draft, struct shunt_bytes body)
{
	append(text_of(draft), "; body=");
	append_bytes(text_of(draft), body);
	return 0;
}

static void note_value(char *text, const struct shunt_value *value)
{
	if (value == NULL) {
		append(text, "nil");
		return;
	}
	append(text, "%c:", value->type);
	if (value->type == 'S')
		append_bytes(text, value->bytes);
	else if (value->type == 't')
		append(text, "%s", value->boolean ? "true" : "false");
	else if (value->type == 'd')
		append(text, "%g", value->real);
	else if (value->type == 'F' || value->type == 'A')
		append(text, "%zu", value->bytes.size);
	else
		append(text, "%" PRId64, value->integer);
}

/* One of this name is not taken, as one for which there is no memory. */
static int note_header(struct shunt_draft *draft, struct shunt_bytes name,
		       const struct shunt_value *value)
{
	if (name.size == 7 && memcmp(name.data, "no room", 7) == 0)
		return -1;
	append(text_of(draft), "; headers.");
	append_bytes(text_of(draft), name);
	append(text_of(draft), "=");
	note_value(text_of(draft), value);
	return 0;
}

/* The broker's checks that tests count on. */
static int note_property(struct shunt_draft *draft, enum shunt_property property,
			 const struct shunt_value *value)
{
	if (value != NULL && value->bytes.size > 255)
		return -1;
	append(text_of(draft), "; property%d=", (int)property);
	note_value(text_of(draft), value);
	return 0;
}

static void noting_draft_init(struct noting_draft *draft, bool is_delivery)
{
	memset(draft, 0, sizeof(*draft));
	draft->is_delivery = is_delivery;
	draft->draft = (struct shunt_draft){
		.size = sizeof(draft->draft),
		.set_routing_key = note_routing_key,
		.set_exchange = note_exchange,
		.set_body = note_body,
		.set_header = note_header,
		.set_property = note_property,
	};
}

/* ---- What the hosts do otherwise than fake_host.c ---- */

static void note_log(const struct shunt_host *host, enum shunt_log_level level, const char *text)
{
	(void)host;
	append(current->log, "%c %s\n", "EWID"[level], text);
}

static int note_login(const struct shunt_host *host, uint64_t login, enum shunt_verdict verdict,
		      const char *user, const char *tags, const char *reason)
{
	(void)host;
	CU_ASSERT_EQUAL(login, 7);
	current->verdict = verdict;
	current->n_logins++;
	current->login[0] = '\0';
	append(current->login, "%s|%s|%s", user != NULL ? user : "-", tags != NULL ? tags : "-",
	       reason != NULL ? reason : "-");
	return 0;
}

static void note_access_changed(const struct shunt_host *host)
{
	(void)host;
	current->n_access_changed++;
}

static struct shunt_draft *make_draft(const struct shunt_host *host, struct shunt_bytes vhost,
				      struct shunt_bytes exchange, struct shunt_bytes routing_key,
				      struct shunt_bytes body)
{
	struct noting_draft *draft = host->allocate(host, sizeof(*draft));
	const struct shunt_bytes parts[] = {vhost, exchange, routing_key, body};

	if (draft == NULL)
		return NULL;
	noting_draft_init(draft, false);
	for (size_t i = 0; i < 4; i++) {
		append(draft->text, i == 0 ? "" : "|");
		append_bytes(draft->text, parts[i]);
	}
	return &draft->draft;
}

static void free_draft(const struct shunt_host *host, struct shunt_draft *draft)
{
	host->free(host, draft);
}

static void keep_published(const struct shunt_host *host, struct shunt_draft *draft,
			   void (*done)(void *context, enum shunt_outcome outcome), void *context)
{
	struct part_published **end = &current->published;
	struct part_published *p = calloc(1, sizeof(*p));

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	while (*end != NULL)
		end = &(*end)->next;
	*end = p;
	memcpy(p->text, text_of(draft), sizeof(p->text));
	p->done = done;
	p->context = context;
	host->free(host, draft);
}

static bool next_setting(const struct shunt_host *host, size_t *position, const char **ret_key,
			 const char **ret_value)
{
	const struct fake_host *fake = (const struct fake_host *)(const void *)host;

	if (fake->settings == NULL || fake->settings[*position] == NULL)
		return false;
	*ret_key = fake->settings[*position];
	*ret_value = fake->settings[*position + 1];
	*position += 2;
	return true;
}

static int take_language(const struct shunt_host *host, const struct shunt_language *language,
			 struct shunt_error *error)
{
	(void)host, (void)error;
	current->language = language;
	return 0;
}

static void host_init(struct fake_host *fake, const char *const *settings)
{
	fake_host_init(fake, 2);
	fake->settings = settings;
	fake->host.log = note_log;
	fake->host.login_done = note_login;
	fake->host.access_changed = note_access_changed;
	fake->host.draft = make_draft;
	fake->host.draft_free = free_draft;
	fake->host.publish = keep_published;
	fake->host.config_next = next_setting;
	fake->host.register_language = take_language;
}

/* ---- The life of it ---- */

static void start_language(struct part *part)
{
	host_init(&part->language_host, NULL);
	part->language_host.options = shunt_plugin.options;
	CU_ASSERT_EQUAL_FATAL(shunt_plugin.start(&part->language_host.host, &part->language_state,
						 &part->error),
			      0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(part->language);
}

static bool start_script(struct part *part)
{
	if (part->language->start(part->plugin, &part->host.host, &part->state, &part->error) != 0)
		return false;
	part->is_started = true;
	if (part->plugin->activate != NULL)
		part->plugin->activate(part->state);
	return true;
}

bool part_open(struct part *part, const char *source, const char *const *settings)
{
	struct shunt_script script = {
		.size = sizeof(script), .name = "part", .path = "part.lua", .source = part_bytes(source)};

	memset(part, 0, sizeof(*part));
	current = part;
	fake_loop_index = 0;
	start_language(part);
	host_init(&part->host, settings);
	part->host.options = lua_case_options();
	part->plugin = part->language->open(part->language_state, &part->host.host, &script,
					    SHUNT_SCRIPT_RUN, NULL, &part->error);
	return part->plugin != NULL && start_script(part);
}

void part_run(struct part *part, const char *source, const char *const *settings)
{
	bool runs = part_open(part, source, settings);

	if (!runs)
		printf("\n%s\n", part->error.text);
	CU_ASSERT_FATAL(runs);
}

static void append_report(struct shunt_report *report, struct shunt_bytes text)
{
	(void)report;
	append_bytes(answer, text);
}

const char *part_check(struct part *part, const char *source)
{
	struct shunt_script script = {
		.size = sizeof(script), .name = "part", .path = "part.lua", .source = part_bytes(source)};
	struct shunt_report report = {.size = sizeof(report), .print = append_report};

	memset(part, 0, sizeof(*part));
	current = part;
	start_language(part);
	host_init(&part->host, NULL);
	part->host.options = lua_case_options();
	answer[0] = '\0';
	part->plugin = part->language->open(part->language_state, &part->host.host, &script,
					    SHUNT_SCRIPT_CHECK, &report, &part->error);
	CU_ASSERT_PTR_NOT_NULL(part->plugin);
	return answer;
}

static void forget_published(struct part *part)
{
	while (part->published != NULL) {
		struct part_published *p = part->published;

		part->published = p->next;
		free(p);
	}
}

void part_close(struct part *part)
{
	if (part->is_started && part->plugin->stop != NULL)
		part->plugin->stop(part->state);
	if (part->plugin != NULL)
		part->language->close(part->plugin);
	forget_published(part);
	fake_services_fini(&part->host);
	if (shunt_plugin.stop != NULL)
		shunt_plugin.stop(part->language_state);
	fake_services_fini(&part->language_host);
	CU_ASSERT_EQUAL(atomic_load(&part->host.live), 0);
	CU_ASSERT_EQUAL(atomic_load(&part->language_host.live), 0);
}

bool part_has_logged(const struct part *part, const char *text)
{
	return strstr(part->log, text) != NULL;
}

/* ---- Access ---- */

const struct shunt_peer part_peer = {
	.size = sizeof(part_peer),
	.host = {(const uint8_t *)"10.0.0.7", 8},
	.port = 51022,
	.is_tls = true,
};

static const char *verdict_name(enum shunt_verdict verdict)
{
	return verdict == SHUNT_ALLOW ? "allow" : verdict == SHUNT_DENY ? "deny" : "next";
}

const char *part_login(struct part *part, const char *user, const char *password)
{
	const struct shunt_login login = {
		.size = sizeof(login),
		.id = 7,
		.mechanism = part_bytes("PLAIN"),
		.user = part_bytes(user),
		.password = part_bytes(password),
		.peer = &part_peer,
	};

	part->n_logins = 0;
	part->host.policy->authenticate(part->state, &login);
	CU_ASSERT_EQUAL(part->n_logins, 1);
	answer[0] = '\0';
	append(answer, "%s: %s", verdict_name(part->verdict), part->login);
	return answer;
}

struct shunt_question part_question(enum shunt_operation operation, const char *user,
				    const char *name)
{
	return (struct shunt_question){
		.size = sizeof(struct shunt_question),
		.operation = operation,
		.resource = SHUNT_EXCHANGE,
		.user = part_bytes(user),
		.tags = part_bytes("monitoring,policymaker"),
		.vhost = part_bytes("/"),
		.name = part_bytes(name),
		.peer = &part_peer,
	};
}

const char *part_ask(struct part *part, const struct shunt_question *question)
{
	struct shunt_answer said = {.size = sizeof(said), .remember_ms = UINT32_MAX};
	enum shunt_verdict verdict = part->host.policy->decide(part->state, question, &said);

	answer[0] = '\0';
	append(answer, "%s: %s (%" PRIu32 ")", verdict_name(verdict), said.reason,
	       said.remember_ms);
	return answer;
}

/* ---- Hooks ---- */

struct fake_message part_message(void)
{
	return (struct fake_message){
		.message =
			{
				.size = sizeof(struct shunt_message),
				.exchange = part_bytes("x"),
				.routing_key = part_bytes("key"),
				.body = part_bytes("body"),
				.vhost = part_bytes("/"),
			},
	};
}

static const char *decision_name(enum shunt_decision decision)
{
	switch (decision) {
	case SHUNT_PASS:
		return "pass";
	case SHUNT_DROP:
		return "drop";
	case SHUNT_REJECT:
		return "reject";
	case SHUNT_NACK:
		return "nack";
	}
	return "?";
}

const char *part_publish(struct part *part, const struct fake_message *message, const char *user,
			 bool dry_run)
{
	const struct shunt_publish publish = {
		.size = sizeof(publish),
		.message = &message->message,
		.user = part_bytes(user),
		.peer = dry_run ? NULL : &part_peer,
		.mandatory = true,
		.dry_run = dry_run,
	};
	struct noting_draft draft;
	struct shunt_error error = {0};
	enum shunt_decision decision;

	noting_draft_init(&draft, false);
	decision = part->host.hook->publish(part->state, &publish, &draft.draft, &error);
	answer[0] = '\0';
	append(answer, "%s%s", decision_name(decision), draft.text);
	if (decision == SHUNT_REJECT)
		append(answer, ": %u %s", error.code, error.text);
	else if (decision == SHUNT_NACK && error.text[0] != '\0')
		append(answer, ": %s", error.text);
	return answer;
}

const char *part_deliver(struct part *part, const struct fake_message *message,
			 const char *consumer_tag)
{
	const struct shunt_delivery delivery = {
		.size = sizeof(delivery),
		.message = &message->message,
		.queue = part_bytes("q"),
		.user = part_bytes("bob"),
		.consumer_tag = part_bytes(consumer_tag),
		.peer = &part_peer,
		.redelivered = true,
	};
	struct noting_draft draft;
	enum shunt_decision decision;

	noting_draft_init(&draft, true);
	decision = part->host.hook->deliver(part->state, &delivery, &draft.draft);
	answer[0] = '\0';
	append(answer, "%s%s", decision_name(decision), draft.text);
	return answer;
}

/* ---- Publishing ---- */

void part_tell(struct part *part, enum shunt_outcome outcome)
{
	struct part_published *all = part->published;

	part->published = NULL;
	while (all != NULL) {
		struct part_published *p = all;

		all = p->next;
		if (p->done != NULL)
			p->done(p->context, outcome);
		free(p);
	}
}
