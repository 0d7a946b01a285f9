/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_ACCESS_CERTIFICATE_H
#define KERNEL_ACCESS_CERTIFICATE_H

/*
 * Whose a client's certificate is: the user's name in it, where RabbitMQ's settings say that it is
 * (ssl_cert_login_from and so on). That the certificate is valid is the TLS layer's business.
 */

#include <stddef.h>

#include "access/accounts.h"
#include "base/compiler.h"
#include "base/slice.h"

enum certificate_from {
	CERTIFICATE_DISTINGUISHED_NAME, /* RFC 4514: "CN=client,O=company" */
	CERTIFICATE_COMMON_NAME,	/* several are joined by "," */
	CERTIFICATE_ALTERNATIVE_NAME,
};

enum certificate_san {
	CERTIFICATE_SAN_DNS,
	CERTIFICATE_SAN_IP,
	CERTIFICATE_SAN_EMAIL,
	CERTIFICATE_SAN_URI,
	CERTIFICATE_SAN_OTHER_NAME, /* its value, if that is a string */
};

struct certificate_rule {
	enum certificate_from from;
	enum certificate_san san_type;
	unsigned san_index; /* among those of the type, from 0 on */
};

/*
 * 0, or -1 with one line of reason: it cannot be read, has no such name, or one that no user can
 * have (empty, longer than 255 bytes, with a zero byte). Any thread.
 */
int certificate_user(struct slice der, const struct certificate_rule *rule,
		     char ret_user[ACCESS_NAME_MAX + 1], char *ret_reason, size_t size) MUST_USE;

#endif
