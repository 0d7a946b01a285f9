/* SPDX-License-Identifier: MIT */
#ifndef LUA_JSON_TEXT_H
#define LUA_JSON_TEXT_H

/* JSON (RFC 8259) as a text: whether it is some, and where things are in it. Nothing is made of it:
 * most scripts want one value of a body. */

#include <stdbool.h>

#include <shunt/plugin.h>

/* Whether it is JSON, with at most so many objects and arrays in each other. If not, *ret_wrong
 * says what is wrong, and *ret_at where, in bytes. */
bool json_text_check(struct shunt_bytes text, int depth_max, const char **ret_wrong,
		     size_t *ret_at);

/* The functions below are for texts that are JSON, and for places in them. */

/* Behind the blanks at p. */
const uint8_t *json_text_blanks(const uint8_t *p, const uint8_t *end);

/* Behind the string, which begins at p. */
const uint8_t *json_text_string(const uint8_t *p, const uint8_t *end);

/* Behind the value, which begins at p. */
const uint8_t *json_text_value(const uint8_t *p, const uint8_t *end);

/* The contents of a string, between its quotation marks: writes what they mean, which is not
 * longer. Returns how many bytes. */
size_t json_text_unescape(struct shunt_bytes contents, uint8_t *out);

#endif
