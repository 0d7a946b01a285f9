/* SPDX-License-Identifier: MIT */
/* amqp://user:password@host:port/vhost */
#include "options_reading.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

/* The bytes up to `end`, with %XX read. NULL: a malformed escape, or a NUL in it. */
static char *unescape(const char *text, const char *end)
{
	char *out = mem_alloc((size_t)(end - text) + 1);
	char *p = out;

	for (; text < end; text++) {
		char hex[3] = {0};

		if (*text != '%') {
			*p++ = *text;
			continue;
		}
		if (end - text < 3 || !isxdigit((unsigned char)text[1]) ||
		    !isxdigit((unsigned char)text[2]) || strncmp(text, "%00", 3) == 0) {
			mem_free(out);
			return NULL;
		}
		memcpy(hex, text + 1, 2);
		*p++ = (char)strtoul(hex, NULL, 16);
		text += 2;
	}
	*p = '\0';
	return out;
}

/* user[:password] up to `at` */
static void read_url_user(struct reading *reading, const char *text, const char *at)
{
	const char *colon = memchr(text, ':', (size_t)(at - text));
	char *user = unescape(text, colon != NULL ? colon : at);
	char *password = colon != NULL ? unescape(colon + 1, at) : mem_strdup("");

	if (user == NULL || password == NULL)
		options_wrong(reading, "--url: malformed user or password");
	if (user != NULL)
		options_set_string(&reading->options->user, user);
	if (password != NULL)
		options_set_string(&reading->options->password, password);
}

/* host[:port] or [v6 address][:port], up to `end` */
static void read_url_host(struct reading *reading, const char *text, const char *end)
{
	const char *colon = NULL;
	const char *host_end = end;

	if (*text == '[') {
		host_end = memchr(text, ']', (size_t)(end - text));
		if (host_end == NULL) {
			options_wrong(reading, "--url: [ without ]");
			return;
		}
		text++;
		colon = host_end + 1 < end && host_end[1] == ':' ? host_end + 1 : NULL;
	} else {
		colon = memchr(text, ':', (size_t)(end - text));
		host_end = colon != NULL ? colon : end;
	}
	if (host_end > text)
		options_set_string(&reading->options->host, unescape(text, host_end));
	if (reading->options->host == NULL) {
		reading->options->host = mem_strdup("");
		options_wrong(reading, "--url: malformed host");
	}
	if (colon != NULL) {
		char *port = unescape(colon + 1, end);

		reading->text = port != NULL ? port : "";
		reading->options->port = (uint16_t)options_read_count(reading, 1, UINT16_MAX);
		mem_free(port);
	}
}

void options_read_url(struct reading *reading)
{
	const char *text = reading->text;
	const char *slash, *at, *end;
	char *vhost;

	if (strncasecmp(text, "amqp://", 7) != 0 && strncasecmp(text, "amqps://", 8) != 0) {
		options_wrong(reading, "--url takes amqp://user:password@host:port/vhost");
		return;
	}
	if (text[4] != ':')
		reading->options->is_tls = true;
	text = strchr(text, ':') + 3;
	slash = strchr(text, '/');
	end = slash != NULL ? slash : text + strlen(text);
	at = memchr(text, '@', (size_t)(end - text));
	if (at != NULL)
		read_url_user(reading, text, at);
	read_url_host(reading, at != NULL ? at + 1 : text, end);
	if (slash == NULL)
		return;
	vhost = unescape(slash + 1, slash + strlen(slash));
	if (vhost == NULL)
		options_wrong(reading, "--url: malformed vhost");
	else if (*vhost == '\0') /* amqp://host/ as most clients read it */
		options_set_string(&vhost, mem_strdup("/"));
	if (vhost != NULL)
		options_set_string(&reading->options->vhost, vhost);
}
