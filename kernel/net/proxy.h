/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_NET_PROXY_H
#define KERNEL_NET_PROXY_H

/*
 * The header with which a proxy says whom it speaks for: PROXY protocol, versions 1 and 2
 * (HAProxy's proxy-protocol.txt). It is the first that a connection brings.
 */

#include <stddef.h>

#include "base/slice.h"
#include "net/address.h"

enum proxy_kind {
	PROXY_ITSELF,	 /* the proxy's own connection, to look whether we live */
	PROXY_UNKNOWN,	 /* it does not say for whom */
	PROXY_ADDRESSES, /* as below; is_loopback is about the proxy's machine */
};

struct proxy_header {
	size_t size; /* of all of it: may be more than the bytes that were looked at */
	enum proxy_kind kind;
	struct net_address source, destination;
};

/* More than this is not looked at: what follows in a longer header says nothing that we need. */
#define PROXY_LOOK_MAX 232

/* 1: all that is needed was there; 0: more is needed; -EPROTO: it is no such header. */
int proxy_header_parse(struct slice bytes, struct proxy_header *ret_header)
	__attribute__((warn_unused_result));

#endif
