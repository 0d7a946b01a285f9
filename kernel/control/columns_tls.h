/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_CONTROL_COLUMNS_TLS_H
#define KERNEL_CONTROL_COLUMNS_TLS_H

/* The columns of list_connections that are about TLS; `connection` is a struct connection. */

#include <jansson.h>

json_t *column_ssl(const void *connection);
json_t *column_ssl_protocol(const void *connection);
json_t *column_ssl_key_exchange(const void *connection);
json_t *column_ssl_cipher(const void *connection);
json_t *column_ssl_hash(const void *connection);
json_t *column_peer_cert_subject(const void *connection);
json_t *column_peer_cert_issuer(const void *connection);
json_t *column_peer_cert_validity(const void *connection);

#endif
