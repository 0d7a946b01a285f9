/* SPDX-License-Identifier: MIT */
/* How clients log in: SASL mechanisms, names in certificates, the anonymous user. */
#include <string.h>

#include "base/mem.h"
#include "base/slice.h"
#include "config_entry.h"

static int config_mechanism(struct config_entry *e)
{
	enum sasl_mechanism mechanism;

	if (!sasl_find(slice_cstr(e->value), &mechanism))
		return config_refuse(e, "PLAIN, AMQPLAIN, EXTERNAL or ANONYMOUS");
	e->config->sasl.mechanisms |= 1u << mechanism;
	return 0;
}

static int config_certificate_from(struct config_entry *e)
{
	static const char *const words[] = {
		[CERTIFICATE_DISTINGUISHED_NAME] = "distinguished_name",
		[CERTIFICATE_COMMON_NAME] = "common_name",
		[CERTIFICATE_ALTERNATIVE_NAME] = "subject_alternative_name",
		"subject_alt_name", /* the same */
		NULL,
	};
	unsigned from;

	if (config_choice(e, words,
			  "distinguished_name, common_name or subject_alternative_name",
			  &from) != 0)
		return -1;
	e->config->sasl.certificate.from = from < CERTIFICATE_ALTERNATIVE_NAME
						   ? (enum certificate_from)from
						   : CERTIFICATE_ALTERNATIVE_NAME;
	return 0;
}

static int config_san_type(struct config_entry *e)
{
	static const char *const words[] = {
		[CERTIFICATE_SAN_DNS] = "dns",
		[CERTIFICATE_SAN_IP] = "ip",
		[CERTIFICATE_SAN_EMAIL] = "email",
		[CERTIFICATE_SAN_URI] = "uri",
		[CERTIFICATE_SAN_OTHER_NAME] = "other_name",
		NULL,
	};
	unsigned type;

	if (config_choice(e, words, "dns, ip, email, uri or other_name", &type) != 0)
		return -1;
	e->config->sasl.certificate.san_type = (enum certificate_san)type;
	return 0;
}

static int config_anonymous(struct config_entry *e)
{
	char **text = e->target;

	mem_free(*text);
	*text = strcmp(e->value, "none") == 0 ? NULL : mem_strdup(e->value);
	return 0;
}

const struct config_key config_login_keys[] = {
	{"auth_mechanisms.", config_mechanism, 0, 0, 0},
	{"ssl_cert_login_from", config_certificate_from, 0, 0, 0},
	{"ssl_cert_login_san_type", config_san_type, 0, 0, 0},
	{"ssl_cert_login_san_index", config_u32, CONFIG_PLACE(sasl.certificate.san_index), 0, 1000},
	{"anonymous_login_user", config_anonymous, CONFIG_PLACE(anonymous_user), 0, 0},
	{"anonymous_login_pass", config_anonymous, CONFIG_PLACE(anonymous_pass), 0, 0},
	{NULL, NULL, 0, 0, 0},
};

void config_login_complete(struct config *config)
{
	config->sasl.anonymous_user = config->anonymous_user;
	config->sasl.anonymous_pass = config->anonymous_pass;
}

void config_login_fini(struct config *config)
{
	mem_free(config->anonymous_user);
	if (config->anonymous_pass != NULL)
		explicit_bzero(config->anonymous_pass, strlen(config->anonymous_pass));
	mem_free(config->anonymous_pass);
}
