/* SPDX-License-Identifier: MIT */
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static void of_ipv4(struct net_address *ret, const struct in_addr *address, uint16_t port)
{
	(void)inet_ntop(AF_INET, address, ret->host, sizeof(ret->host));
	ret->port = ntohs(port);
	ret->is_loopback = (ntohl(address->s_addr) >> 24) == 127;
}

static void of_ipv6(struct net_address *ret, const struct sockaddr_in6 *address)
{
	struct in_addr mapped;

	if (IN6_IS_ADDR_V4MAPPED(&address->sin6_addr)) {
		memcpy(&mapped, &address->sin6_addr.s6_addr[12], sizeof(mapped));
		of_ipv4(ret, &mapped, address->sin6_port);
		return;
	}
	(void)inet_ntop(AF_INET6, &address->sin6_addr, ret->host, sizeof(ret->host));
	ret->port = ntohs(address->sin6_port);
	ret->is_loopback = IN6_IS_ADDR_LOOPBACK(&address->sin6_addr);
	if (IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr) && address->sin6_scope_id != 0) {
		char zone[IF_NAMESIZE];
		size_t size = strlen(ret->host);

		if (if_indextoname(address->sin6_scope_id, zone))
			(void)snprintf(ret->host + size, sizeof(ret->host) - size, "%%%s", zone);
	}
}

struct net_address net_address_of(const struct sockaddr *address, socklen_t size)
{
	struct net_address ret = {.port = 0};
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;

	if (address->sa_family == AF_INET && size >= sizeof(ipv4)) {
		memcpy(&ipv4, address, sizeof(ipv4));
		of_ipv4(&ret, &ipv4.sin_addr, ipv4.sin_port);
	} else if (address->sa_family == AF_INET6 && size >= sizeof(ipv6)) {
		memcpy(&ipv6, address, sizeof(ipv6));
		of_ipv6(&ret, &ipv6);
	} else if (address->sa_family == AF_UNIX) {
		memcpy(ret.host, "unix", sizeof("unix"));
		ret.is_loopback = true;
	}
	return ret;
}

void net_address_print(const struct net_address *address, char ret_text[NET_ADDRESS_TEXT_MAX])
{
	if (address->port == 0)
		(void)snprintf(ret_text, NET_ADDRESS_TEXT_MAX, "%s", address->host);
	else if (strchr(address->host, ':'))
		(void)snprintf(ret_text, NET_ADDRESS_TEXT_MAX, "[%s]:%u", address->host,
			       address->port);
	else
		(void)snprintf(ret_text, NET_ADDRESS_TEXT_MAX, "%s:%u", address->host,
			       address->port);
}

static int parse_port(struct slice text, uint16_t *ret_port)
{
	unsigned port = 0;

	if (text.size == 0 || text.size > 5)
		return -EINVAL;
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return -EINVAL;
		port = port * 10 + (unsigned)(text.data[i] - '0');
	}
	if (port > UINT16_MAX)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

/* Of IPv6, perhaps with a zone behind '%'. */
static bool is_ipv6(struct slice host)
{
	const uint8_t *zone = memchr(host.data, '%', host.size);
	size_t size = zone ? (size_t)(zone - host.data) : host.size;
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (size >= sizeof(text))
		return false;
	memcpy(text, host.data, size);
	text[size] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1;
}

/*
 * The last colon parts host and port: RabbitMQ's configuration writes IPv6 addresses without
 * brackets too.
 */
int net_address_parse(struct slice text, char ret_host[256], uint16_t *ret_port)
{
	const uint8_t *colon = text.size > 0 ? memrchr(text.data, ':', text.size) : NULL;
	struct slice host = slice_make(text.data, 0), port = text;

	if (colon) {
		host = slice_make(text.data, (size_t)(colon - text.data));
		port = slice_make(colon + 1, text.size - host.size - 1);
		if (host.size == 0)
			return -EINVAL;
	}
	if (host.size > 0 && host.data[0] == '[') {
		if (host.size < 3 || host.data[host.size - 1] != ']')
			return -EINVAL;
		host = slice_make(host.data + 1, host.size - 2);
		if (!is_ipv6(host))
			return -EINVAL;
	}
	if (host.size > 0 && memchr(host.data, ':', host.size) && !is_ipv6(host))
		return -EINVAL;
	if (host.size >= 256 || (host.size > 0 && memchr(host.data, '\0', host.size)))
		return -EINVAL;
	if (parse_port(port, ret_port) < 0)
		return -EINVAL;
	if (host.size > 0)
		memcpy(ret_host, host.data, host.size);
	ret_host[host.size] = '\0';
	return 0;
}
