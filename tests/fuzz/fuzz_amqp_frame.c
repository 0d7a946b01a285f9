/* SPDX-License-Identifier: MIT */
/*
 * The bytes are a connection's stream: two of frame_max, one saying whether a protocol header comes
 * first, then frames. What parses, encodes to the same bytes, and whatever is missing from its end
 * is asked for; a header frame's payload likewise.
 */
#include "fuzz.h"

#include <errno.h>

#include "amqp/frame.h"

static void check_encoding(const struct amqp_frame *frame, struct slice bytes)
{
	struct amqp_writer writer;
	uint8_t *block = malloc(bytes.size);

	fuzz_check(block != NULL);
	amqp_writer_init(&writer, block, bytes.size);
	amqp_frame_put_header(&writer, (enum amqp_frame_type)frame->type, frame->channel,
			      (uint32_t)frame->payload.size);
	amqp_put_bytes(&writer, frame->payload);
	amqp_frame_put_end(&writer);
	fuzz_check(!writer.failed && amqp_writer_left(&writer) == 0);
	fuzz_check(memcmp(block, bytes.data, bytes.size) == 0);
	free(block);
}

static void check_prefix(struct slice bytes, size_t size, uint32_t frame_max)
{
	uint8_t *copy = fuzz_exact_copy(bytes, size);
	struct amqp_frame frame;
	size_t used = 1;

	fuzz_check(amqp_frame_parse(slice_make(copy, size), frame_max, &frame, &used) == 0);
	fuzz_check(used == (size < AMQP_FRAME_HEAD_SIZE ? 0 : bytes.size));
	free(copy);
}

static void check_content_header(struct slice payload)
{
	struct amqp_content_header header;
	struct amqp_writer writer;
	uint8_t *block;

	if (amqp_content_header_decode(&header, payload) != 0)
		return;
	fuzz_check(amqp_content_header_size(&header) == payload.size);
	block = malloc(payload.size);
	fuzz_check(block != NULL);
	amqp_writer_init(&writer, block, payload.size);
	amqp_content_header_encode(&writer, &header);
	fuzz_check(!writer.failed && memcmp(block, payload.data, payload.size) == 0);
	free(block);
}

static void check_frame(const struct amqp_frame *frame, struct slice bytes, uint32_t frame_max)
{
	size_t i;

	fuzz_check(frame->payload.size + AMQP_FRAME_OVERHEAD == bytes.size);
	fuzz_check(frame_max == 0 || frame->payload.size <= frame_max);
	check_encoding(frame, bytes);
	for (i = 0; i <= AMQP_FRAME_HEAD_SIZE; i++)
		check_prefix(bytes, i, frame_max);
	check_prefix(bytes, bytes.size / 2, frame_max);
	check_prefix(bytes, bytes.size - 1, frame_max);
	if (frame->type == AMQP_FRAME_HEADER)
		check_content_header(frame->payload);
}

static void check_stream(struct slice in, uint32_t frame_max)
{
	struct amqp_frame frame;
	size_t used = 0;
	int result;

	while ((result = amqp_frame_parse(in, frame_max, &frame, &used)) > 0) {
		fuzz_check(used <= in.size);
		check_frame(&frame, slice_make(in.data, used), frame_max);
		in = slice_make(in.data + used, in.size - used);
	}
	if (result == 0)
		fuzz_check(used == 0 ? in.size < AMQP_FRAME_HEAD_SIZE : used > in.size);
	else
		fuzz_check(result == -EPROTO || result == -EMSGSIZE || result == -EBADMSG);
}

static struct slice take_protocol_header(struct slice in)
{
	enum amqp_protocol_header_result before = AMQP_PROTOCOL_HEADER_MORE;
	enum amqp_protocol_header_result result;
	size_t n;

	for (n = 0; n <= in.size && n <= AMQP_PROTOCOL_HEADER_SIZE; n++) {
		result = amqp_protocol_header_check(slice_make(in.data, n));
		fuzz_check(before != AMQP_PROTOCOL_HEADER_BAD ||
			   result == AMQP_PROTOCOL_HEADER_BAD);
		fuzz_check((result == AMQP_PROTOCOL_HEADER_MORE) <=
			   (n < AMQP_PROTOCOL_HEADER_SIZE));
		before = result;
	}
	if (before != AMQP_PROTOCOL_HEADER_OK)
		return SLICE_EMPTY;
	return slice_make(in.data + AMQP_PROTOCOL_HEADER_SIZE, in.size - AMQP_PROTOCOL_HEADER_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_source source;
	uint32_t frame_max;
	bool has_header;
	struct slice in;

	amqp_reader_init(&source, slice_make(data, size));
	frame_max = amqp_get_short(&source);
	has_header = (amqp_get_octet(&source) & 1) != 0;
	in = fuzz_bytes(&source, size);
	check_stream(has_header ? take_protocol_header(in) : in, frame_max);
	return 0;
}
