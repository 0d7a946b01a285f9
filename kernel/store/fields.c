/* SPDX-License-Identifier: MIT */
#include "store/fields.h"

#include <errno.h>

#define VERSION 1

void fields_put_key_part(struct buffer *buffer, struct slice part)
{
	size_t begin = 0;

	for (size_t i = 0; i < part.size; i++) {
		if (part.data[i] != '%' && part.data[i] != '/')
			continue;
		buffer_append_slice(buffer, slice_make(part.data + begin, i - begin));
		buffer_append_cstr(buffer, part.data[i] == '%' ? "%25" : "%2F");
		begin = i + 1;
	}
	if (begin < part.size)
		buffer_append_slice(buffer, slice_make(part.data + begin, part.size - begin));
	buffer_append_byte(buffer, '/');
}

void fields_begin(struct buffer *buffer, uint8_t kind)
{
	buffer_append_byte(buffer, VERSION);
	buffer_append_byte(buffer, kind);
}

void fields_put(struct buffer *buffer, uint8_t field, struct slice bytes)
{
	uint8_t head[5];
	struct amqp_writer writer;

	if (bytes.size == 0)
		return;
	amqp_writer_init(&writer, head, sizeof(head));
	amqp_put_octet(&writer, field);
	amqp_put_long(&writer, (uint32_t)bytes.size);
	buffer_append(buffer, head, sizeof(head));
	buffer_append_slice(buffer, bytes);
}

void fields_put_number(struct buffer *buffer, uint8_t field, uint64_t number)
{
	uint8_t bytes[8];
	struct amqp_writer writer;

	if (number == 0)
		return;
	amqp_writer_init(&writer, bytes, sizeof(bytes));
	amqp_put_longlong(&writer, number);
	fields_put(buffer, field, slice_make(bytes, sizeof(bytes)));
}

int fields_open(struct fields_reader *reader, struct slice value)
{
	*reader = (struct fields_reader){0};
	amqp_reader_init(&reader->reader, value);

	uint8_t version = amqp_get_octet(&reader->reader);

	reader->kind = amqp_get_octet(&reader->reader);
	return version == VERSION && !reader->reader.failed ? 0 : -EBADMSG;
}

bool fields_next(struct fields_reader *reader)
{
	if (reader->reader.failed || amqp_reader_left(&reader->reader) == 0)
		return false;
	reader->field = amqp_get_octet(&reader->reader);
	reader->bytes = amqp_get_longstr(&reader->reader);
	return !reader->reader.failed;
}

uint64_t fields_number(struct fields_reader *reader)
{
	struct amqp_reader number;

	amqp_reader_init(&number, reader->bytes);
	uint64_t value = amqp_get_longlong(&number);

	if (!amqp_reader_is_done(&number))
		amqp_reader_fail(&reader->reader);
	return value;
}
