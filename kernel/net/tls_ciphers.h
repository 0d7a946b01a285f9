/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_NET_TLS_CIPHERS_H
#define KERNEL_NET_TLS_CIPHERS_H

/* Versions and cipher suites of a context. For tls.c. */

#include "net/tls.h"

/* 0, or -1 with what is wrong. */
int tls_ciphers_set(SSL_CTX *ctx, const struct tls_options *options, struct tls_failure *failure)
	__attribute__((warn_unused_result));

#endif
