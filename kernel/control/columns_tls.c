/* SPDX-License-Identifier: MIT */
#include "control/columns_tls.h"

#include "conn/connection.h"
#include "control/columns.h"
#include "net/tls_session.h"

static const struct tls_session *session_of(const void *connection)
{
	return ((const struct connection *)connection)->tls;
}

/* All empty without TLS. */
static struct tls_description describe(const void *connection)
{
	struct tls_description description = {.protocol = ""};

	if (session_of(connection) != NULL)
		tls_session_describe(session_of(connection), &description);
	return description;
}

json_t *column_ssl(const void *connection)
{
	return json_boolean(session_of(connection) != NULL);
}

json_t *column_ssl_protocol(const void *connection)
{
	return json_string(describe(connection).protocol);
}

json_t *column_ssl_key_exchange(const void *connection)
{
	return json_string(describe(connection).key_exchange);
}

json_t *column_ssl_cipher(const void *connection)
{
	return json_string(describe(connection).cipher);
}

json_t *column_ssl_hash(const void *connection)
{
	return json_string(describe(connection).hash);
}

json_t *column_peer_cert_subject(const void *connection)
{
	char text[TLS_NAME_MAX] = "";

	if (session_of(connection) != NULL)
		tls_session_print_subject(session_of(connection), text);
	return column_text(slice_cstr(text));
}

json_t *column_peer_cert_issuer(const void *connection)
{
	char text[TLS_NAME_MAX] = "";

	if (session_of(connection) != NULL)
		tls_session_print_issuer(session_of(connection), text);
	return column_text(slice_cstr(text));
}

json_t *column_peer_cert_validity(const void *connection)
{
	char text[TLS_VALIDITY_MAX] = "";

	if (session_of(connection) != NULL)
		tls_session_print_validity(session_of(connection), text);
	return json_string(text);
}
