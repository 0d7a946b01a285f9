/* SPDX-License-Identifier: MIT */

/*
 * The access policy "@NAME@": users of a file, whose lines are USER:HASH:TAGS, the hash as `openssl
 * passwd -6` makes it. Reading the file and crypt() take long, so a thread of the plugin does both,
 * and answers when it is ready. What a user of the file may do, its tags say: reader, writer,
 * owner. Everybody else is left to the next policy.
 */

#include <shunt/plugin.h>

#include <crypt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAITING_MAX 1000

/* A login that waits for the thread. */
struct request {
	struct request *next;
	uint64_t login;
	char *user, *password; /* behind it, zero-terminated */
	size_t size;	       /* of all */
};

struct policy {
	const struct shunt_host *host;
	pthread_t thread;
	pthread_mutex_t mutex; /* of all below; held for some instructions only */
	pthread_cond_t changed;
	struct request *first, **end;
	size_t waiting;
	bool ends;
};

static int fail(struct shunt_error *error, enum shunt_code code, const char *text)
{
	error->code = (uint16_t)code;
	(void)snprintf(error->text, sizeof(error->text), "%s", text);
	return -1;
}

static char *copy(char *to, struct shunt_bytes text)
{
	if (text.size > 0)
		memcpy(to, text.data, text.size);
	to[text.size] = '\0';
	return to;
}

static bool has_zero(struct shunt_bytes text)
{
	return text.size > 0 && memchr(text.data, '\0', text.size) != NULL;
}

static struct request *request_create(const struct policy *policy, const struct shunt_login *login)
{
	size_t size = sizeof(struct request) + login->user.size + login->password.size + 2;
	struct request *request = policy->host->allocate(policy->host, size);

	if (!request)
		return NULL;
	*request = (struct request){.login = login->id, .size = size};
	request->user = copy((char *)(request + 1), login->user);
	request->password = copy(request->user + login->user.size + 1, login->password);
	return request;
}

static void request_destroy(const struct policy *policy, struct request *request)
{
	/* it holds a password */
	explicit_bzero(request, request->size);
	policy->host->free(policy->host, request);
}

static bool enqueue(struct policy *policy, struct request *request)
{
	bool there_is_room;

	pthread_mutex_lock(&policy->mutex);
	there_is_room = policy->waiting < WAITING_MAX;
	if (there_is_room) {
		policy->waiting++;
		*policy->end = request;
		policy->end = &request->next;
		pthread_cond_signal(&policy->changed);
	}
	pthread_mutex_unlock(&policy->mutex);
	return there_is_room;
}

/* The next that waits; NULL when the plugin stops. */
static struct request *dequeue(struct policy *policy)
{
	struct request *request;

	pthread_mutex_lock(&policy->mutex);
	while (!policy->first && !policy->ends)
		pthread_cond_wait(&policy->changed, &policy->mutex);
	request = policy->first;
	if (request) {
		policy->waiting--;
		policy->first = request->next;
		if (!policy->first)
			policy->end = &policy->first;
	}
	pthread_mutex_unlock(&policy->mutex);
	return request;
}

/* On any loop: only hands it over. */
static void authenticate(void *plugin, const struct shunt_login *login)
{
	struct policy *policy = plugin;
	struct request *request = NULL;

	/* what the file cannot hold is none of its users */
	if (has_zero(login->user) || has_zero(login->password)) {
		(void)policy->host->login_done(policy->host, login->id, SHUNT_NEXT, NULL, NULL,
					       NULL);
		return;
	}
	request = request_create(policy, login);
	if (request && enqueue(policy, request))
		return;
	if (request)
		request_destroy(policy, request);
	/* if the client has gone meanwhile, there is nobody to tell */
	(void)policy->host->login_done(policy->host, login->id, SHUNT_DENY, NULL, NULL,
				       "too many logins are waiting");
}

/* Cuts the line into its three fields; whether it has them. */
static bool split(char *line, char **ret_hash, char **ret_tags)
{
	line[strcspn(line, "\r\n")] = '\0';
	*ret_hash = strchr(line, ':');
	*ret_tags = *ret_hash ? strchr(*ret_hash + 1, ':') : NULL;
	if (!*ret_tags)
		return false;
	*(*ret_hash)++ = '\0';
	*(*ret_tags)++ = '\0';
	return true;
}

/* Not crypt_r(): the sanitizers have one of their own, which finds no other where libcrypt comes with
 * a plugin. */
static bool is_password(const char *password, const char *hash)
{
	struct crypt_data data = {0};
	const char *made = crypt_rn(password, hash, &data, sizeof(data));
	bool is_equal = made && strcmp(made, hash) == 0;

	explicit_bzero(&data, sizeof(data));
	return is_equal;
}

/* On the thread. */
static void answer(const struct policy *policy, const struct request *request, FILE *file)
{
	const struct shunt_host *host = policy->host;
	char *line = NULL, *hash, *tags;
	size_t size = 0;

	while (getline(&line, &size, file) >= 0) {
		if (!split(line, &hash, &tags) || strcmp(line, request->user) != 0)
			continue;
		if (is_password(request->password, hash))
			(void)host->login_done(host, request->login, SHUNT_ALLOW, request->user,
					       tags, NULL);
		else
			(void)host->login_done(host, request->login, SHUNT_DENY, NULL, NULL,
					       "wrong password");
		free(line);
		return;
	}
	free(line);
	(void)host->login_done(host, request->login, SHUNT_NEXT, NULL, NULL, NULL);
}

static void *run(void *context)
{
	struct policy *policy = context;
	const char *path = policy->host->config(policy->host, "users");
	struct request *request;

	while ((request = dequeue(policy)) != NULL) {
		FILE *file = fopen(path, "re");

		if (file) {
			answer(policy, request, file);
			(void)fclose(file);
		} else {
			(void)policy->host->login_done(policy->host, request->login, SHUNT_DENY,
						       NULL, NULL,
						       "the file of users cannot be read");
		}
		request_destroy(policy, request);
	}
	return NULL;
}

static bool has_tag(struct shunt_bytes tags, const char *tag)
{
	const size_t size = strlen(tag);
	size_t begin = 0;

	for (size_t i = 0; i <= tags.size; i++) {
		if (i < tags.size && tags.data[i] != ',')
			continue;
		if (i - begin == size && memcmp(tags.data + begin, tag, size) == 0)
			return true;
		begin = i + 1;
	}
	return false;
}

/* On any loop, so by what the question holds alone. */
static enum shunt_verdict authorize(void *plugin, const struct shunt_question *question)
{
	bool is_owner = has_tag(question->tags, "owner");
	bool is_writer = is_owner || has_tag(question->tags, "writer");

	(void)plugin;
	if (!is_writer && !has_tag(question->tags, "reader"))
		return SHUNT_NEXT;
	switch (question->operation) {
	case SHUNT_CONFIGURE:
		return is_owner ? SHUNT_ALLOW : SHUNT_DENY;
	case SHUNT_WRITE:
	case SHUNT_WRITE_TOPIC:
		return is_writer ? SHUNT_ALLOW : SHUNT_DENY;
	case SHUNT_CONNECT:
	case SHUNT_READ:
	case SHUNT_READ_TOPIC:
		return SHUNT_ALLOW;
	}
	return SHUNT_DENY;
}

static const struct shunt_access_policy access_policy = {
	.size = sizeof(access_policy),
	.name = "@NAME@",
	.authenticate = authenticate,
	.authorize = authorize,
};

static int start(const struct shunt_host *host, void **ret_plugin, struct shunt_error *error)
{
	struct policy *policy = host->allocate(host, sizeof(*policy));

	if (!policy)
		return fail(error, SHUNT_RESOURCE_ERROR, "out of memory");
	*policy = (struct policy){
		.host = host,
		.mutex = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
		.end = &policy->first,
	};
	if (host->register_access_policy(host, &access_policy, error) < 0) {
		host->free(host, policy);
		return -1;
	}
	if (pthread_create(&policy->thread, NULL, run, policy) != 0) {
		host->free(host, policy);
		return fail(error, SHUNT_INTERNAL_ERROR, "cannot make a thread");
	}
	*ret_plugin = policy;
	return 0;
}

/* No login is waiting any more: the broker sees to that. */
static void stop(void *plugin)
{
	struct policy *policy = plugin;

	pthread_mutex_lock(&policy->mutex);
	policy->ends = true;
	pthread_cond_signal(&policy->changed);
	pthread_mutex_unlock(&policy->mutex);
	pthread_join(policy->thread, NULL);
	pthread_cond_destroy(&policy->changed);
	pthread_mutex_destroy(&policy->mutex);
	policy->host->free(policy->host, policy);
}

static const struct shunt_option options[] = {
	{"users", "the file of users", "/etc/shunt/@NAME@.users", 0, 0, SHUNT_OPTION_STRING},
	{NULL, NULL, NULL, 0, 0, SHUNT_OPTION_STRING},
};

SHUNT_PLUGIN = {
	.magic = SHUNT_PLUGIN_MAGIC,
	.abi_major = SHUNT_ABI_MAJOR,
	.abi_minor = SHUNT_ABI_MINOR,
	.struct_size = sizeof(struct shunt_plugin),
	.name = "@NAME@",
	.version = "0.1.0",
	.licence = "MIT",
	.description = "Access policy @NAME@: the users of a file",
	.options = options,
	.start = start,
	.stop = stop,
};
