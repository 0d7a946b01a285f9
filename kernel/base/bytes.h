/* SPDX-License-Identifier: MIT */
#ifndef KERNEL_BASE_BYTES_H
#define KERNEL_BASE_BYTES_H

#include <stdbool.h>
#include <stdint.h>

/* Decimal digits; with a unit if has_unit: k, M, G and kiB, MiB, GiB by 1024, kB, MB, GB by 1000,
 * as RabbitMQ reads them. False: anything else, or too much. */
bool bytes_parse(const char *text, bool has_unit, uint64_t *ret_number);

#endif
