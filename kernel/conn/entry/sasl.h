/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONN_ENTRY_SASL_H
#define KERNEL_CONN_ENTRY_SASL_H

/* The SASL mechanisms: which are offered, and whom a response names. RFC 4422, 4616, 4505. */

#include <stdbool.h>
#include <stddef.h>

#include <shunt/plugin.h>

#include "access/certificate.h"
#include "base/compiler.h"
#include "base/slice.h"

enum sasl_mechanism {
	SASL_PLAIN,
	SASL_AMQPLAIN,
	SASL_EXTERNAL,	/* who the client's certificate says that it is */
	SASL_ANONYMOUS, /* one user, of the configuration */
	SASL_MECHANISMS,
};

/* From the configuration; texts are borrowed. */
struct sasl_settings {
	unsigned mechanisms; /* bits, 1 << enum sasl_mechanism; 0: PLAIN, AMQPLAIN, and ANONYMOUS
				if it has a user */
	const char *anonymous_user; /* NULL: nobody enters so */
	const char *anonymous_pass; /* NULL: the user needs none */
	struct certificate_rule certificate;
};

const char *sasl_name(enum sasl_mechanism mechanism);
bool sasl_find(struct slice name, enum sasl_mechanism *ret_mechanism);

/* Whether this peer may use it. EXTERNAL needs a certificate that TLS has verified. */
bool sasl_is_offered(const struct sasl_settings *settings, enum sasl_mechanism mechanism,
		     const struct shunt_peer *peer);
/* "PLAIN AMQPLAIN" */
#define SASL_OFFER_MAX 64
void sasl_offer(const struct sasl_settings *settings, const struct shunt_peer *peer,
		char ret_text[SASL_OFFER_MAX]);

/* Whom a response names. The slices lie in the response, in the settings, or here. */
struct sasl_claim {
	struct slice user, password;
	bool is_proven; /* there is no password */
	char name[ACCESS_NAME_MAX + 1];
};
/* 0, or -1 with one line of reason, for the log. */
int sasl_read(const struct sasl_settings *settings, enum sasl_mechanism mechanism,
	      const struct shunt_peer *peer, struct slice response, struct sasl_claim *ret_claim,
	      char *ret_reason, size_t size) MUST_USE;

#endif
