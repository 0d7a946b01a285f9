/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_NET_TLS_TICKETS_H
#define KERNEL_NET_TLS_TICKETS_H

/*
 * The keys that session tickets are sealed with: random, made at start and in use for a while,
 * after which they still open tickets for as long again. All contexts of the process share them, so
 * a ticket is good on every loop, and after the certificates were loaded anew.
 */

#include <openssl/ssl.h>
#include <stdint.h>

struct tls_tickets;

/* Each key seals for `period_ms`. */
struct tls_tickets *tls_tickets_create(uint64_t period_ms);
/* When nothing uses its contexts any more. Accepts NULL. */
void tls_tickets_destroy(struct tls_tickets *tickets);

/* Connections of this context get tickets. The keys outlive it. */
int tls_tickets_use(struct tls_tickets *tickets, SSL_CTX *ctx) __attribute__((warn_unused_result));

#endif
