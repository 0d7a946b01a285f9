/* SPDX-License-Identifier: MIT */
#include "batch.h"

#include <errno.h>
#include <string.h>

#include "amqp/frame.h"
#include "base/mem.h"

#define BATCH_BYTES  ((size_t)128 << 10) /* as much as goes well in one write */
#define BATCH_PIECES 256
#define COPY_MAX     ((size_t)2 << 10) /* bodies above are not copied */
#define HEAD_MAX     ((size_t)4 << 10) /* of a head: method, header, COPY_MAX of body */

void batch_init(struct batch *batch)
{
	*batch = (struct batch){.heads = mem_alloc(BATCH_BYTES),
				.pieces = mem_alloc(BATCH_PIECES * sizeof(struct iovec))};
}

void batch_fini(struct batch *batch)
{
	mem_free(batch->heads);
	mem_free(batch->pieces);
	*batch = (struct batch){0};
}

void batch_clear(struct batch *batch)
{
	batch->heads_size = 0;
	batch->size = 0;
	batch->first = 0;
	batch->count = 0;
	batch->messages = 0;
}

static ALWAYS_INLINE void put_stamp(uint8_t *p, size_t size, const struct stamp *stamp)
{
	if (LIKELY(size == STAMP_SIZE))
		memcpy(p, stamp, STAMP_SIZE);
	else if (size != 0)
		memcpy(p, &stamp->number, STAMP_NUMBER_SIZE);
}

bool batch_add(struct batch *batch, const struct template *template, struct stamp stamp)
{
	size_t head_size = template->head_size;
	uint8_t *head = batch->heads + batch->heads_size;

	if (batch->heads_size + head_size > BATCH_BYTES || batch->count + 2 > BATCH_PIECES ||
	    (batch->count > 0 && batch->size + head_size + template->tail.size > BATCH_BYTES))
		return false;
	memcpy(head, template->head, head_size);
	put_stamp(head + template->stamp_offset, template->stamp_size, &stamp);
	if (template->tail.size == 0 && batch->count > 0) {
		batch->pieces[0].iov_len += head_size;
	} else {
		batch->pieces[batch->count++] = (struct iovec){head, head_size};
		if (template->tail.size > 0)
			batch->pieces[batch->count++] = (struct iovec){
				(void *)(uintptr_t) template->tail.data, template->tail.size};
	}
	batch->heads_size += head_size;
	batch->size += head_size + template->tail.size;
	batch->messages++;
	return true;
}

static void take_off(struct batch *batch, size_t n)
{
	while (n > 0) {
		struct iovec *piece = &batch->pieces[batch->first];

		if (n < piece->iov_len) {
			piece->iov_base = (uint8_t *)piece->iov_base + n;
			piece->iov_len -= n;
			return;
		}
		n -= piece->iov_len;
		batch->first++;
	}
}

int batch_send(struct batch *batch, const struct wire *wire)
{
	while (!batch_is_sent(batch)) {
		ssize_t n =
			wire_send(wire, batch->pieces + batch->first, batch->count - batch->first);

		if (n <= 0)
			return n < 0 ? (int)n : -EPIPE;
		take_off(batch, (size_t)n);
	}
	return 0;
}

/* Body bytes from `from` on: the rest of its frame, its end octet, and all further frames. */
static size_t put_body(uint8_t *out, size_t body_size, size_t frame_room, size_t from)
{
	struct amqp_writer writer;
	size_t written = 0;

	for (size_t at = from; at < body_size;) {
		size_t frame_at = at - at % frame_room;
		size_t frame_size =
			body_size - frame_at < frame_room ? body_size - frame_at : frame_room;
		size_t n = frame_at + frame_size - at;

		if (at == frame_at) {
			amqp_writer_init(&writer, out + written, AMQP_FRAME_HEAD_SIZE);
			amqp_frame_put_header(&writer, AMQP_FRAME_BODY, 1, (uint32_t)frame_size);
			written += AMQP_FRAME_HEAD_SIZE;
		}
		for (size_t i = 0; i < n; i++)
			out[written++] = (uint8_t)('a' + (at + i) % 26);
		out[written++] = AMQP_FRAME_END;
		at += n;
	}
	return written;
}

static size_t body_wire_size(size_t body_size, size_t frame_room)
{
	return body_size + (body_size + frame_room - 1) / frame_room * AMQP_FRAME_OVERHEAD;
}

int template_tail(size_t body_size, uint32_t frame_max, struct slice *ret)
{
	size_t frame_room = frame_max - AMQP_FRAME_OVERHEAD;
	size_t size = body_wire_size(body_size, frame_room);
	uint8_t *bytes;

	*ret = SLICE_EMPTY;
	if (body_size <= COPY_MAX)
		return 0;
	bytes = mem_try_alloc(size);
	if (bytes == NULL)
		return -ENOMEM;
	size = put_body(bytes, body_size, frame_room, STAMP_SIZE);
	*ret = slice_make(bytes, size);
	return 0;
}

int template_init(struct template *template, struct slice publish, struct slice header,
		  size_t body_size, uint32_t frame_max, struct slice tail)
{
	size_t frame_room = frame_max - AMQP_FRAME_OVERHEAD;
	size_t before = publish.size + header.size;
	uint8_t *p;

	*template = (struct template){.tail = tail};
	if (tail.size > 0)
		template->head_size = before + AMQP_FRAME_HEAD_SIZE + STAMP_SIZE;
	else
		template->head_size = before + body_wire_size(body_size, frame_room);
	if (template->head_size > HEAD_MAX)
		return -EMSGSIZE;
	template->head = mem_try_alloc(template->head_size);
	if (template->head == NULL)
		return -ENOMEM;
	p = template->head;
	memcpy(p, publish.data, publish.size);
	memcpy(p + publish.size, header.data, header.size);
	if (tail.size > 0) {
		struct amqp_writer writer;
		size_t first = body_size < frame_room ? body_size : frame_room;

		amqp_writer_init(&writer, p + before, AMQP_FRAME_HEAD_SIZE);
		amqp_frame_put_header(&writer, AMQP_FRAME_BODY, 1, (uint32_t)first);
	} else {
		(void)put_body(p + before, body_size, frame_room, 0);
	}
	template->stamp_offset = before + AMQP_FRAME_HEAD_SIZE;
	template->stamp_size = body_size >= STAMP_SIZE		? STAMP_SIZE
			       : body_size >= STAMP_NUMBER_SIZE ? STAMP_NUMBER_SIZE
								: 0;
	return 0;
}

void template_fini(struct template *template)
{
	mem_free(template->head);
	template->head = NULL;
}
