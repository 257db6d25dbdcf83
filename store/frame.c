/* SPDX-License-Identifier: MIT */
/* frame.c - how replicas wrap what they send each other */
#include "store/frame.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "agent/base/crc32c.h"

/* The header up to its own checksum. */
#define FRAME_CHECKED 16u

uint32_t frame_proto_hash(const char *name)
{
	return crc32c(0, name, strlen(name));
}

static void put_u32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

void frame_encode(struct buf *out, const struct frame *frame)
{
	uint32_t len = frame->payload.len;
	uint8_t *p = buf_grow(out, FRAME_HEADER + len);

	assert(len <= FRAME_PAYLOAD_MAX && frame->type < FRAME_TYPE_NR);
	put_u32(p, FRAME_MAGIC);
	put_u32(p + 4, FRAME_VERSION | (uint32_t)frame->type << 8 | (uint32_t)frame->from << 16);
	put_u32(p + 8, len);
	put_u32(p + 12, crc32c(0, frame->payload.p, len));
	put_u32(p + FRAME_CHECKED, crc32c(0, p, FRAME_CHECKED));
	if (len > 0)
		memcpy(p + FRAME_HEADER, frame->payload.p, len);
	out->len += FRAME_HEADER + len;
}

int frame_decode(const uint8_t *p, size_t len, struct frame *ret, size_t *ret_used)
{
	struct cursor c = cursor_over(p, len);
	uint32_t magic, length, crc, check;
	uint8_t version, type;

	if (len < FRAME_HEADER)
		return -EAGAIN;
	magic = cursor_u32(&c);
	version = cursor_u8(&c);
	type = cursor_u8(&c);
	ret->from = cursor_u16(&c);
	length = cursor_u32(&c);
	crc = cursor_u32(&c);
	check = cursor_u32(&c);
	if (check != crc32c(0, p, FRAME_CHECKED) || magic != FRAME_MAGIC ||
		version != FRAME_VERSION || type >= FRAME_TYPE_NR || length > FRAME_PAYLOAD_MAX)
		return -EBADMSG;
	if (c.left < length)
		return -EAGAIN;
	if (crc != crc32c(0, c.p, length))
		return -EBADMSG;
	ret->type = (enum frame_type)type;
	ret->payload = (struct proto_bytes){.p = c.p, .len = length};
	*ret_used = FRAME_HEADER + length;
	return 0;
}

void frame_hello_encode(
	struct buf *out, enum frame_type type, uint16_t from, const struct frame_hello *hello)
{
	uint8_t payload[8];
	struct frame frame = {
		.type = type, .from = from, .payload = {.p = payload, .len = sizeof payload}};

	put_u32(payload, hello->to | (uint32_t)hello->nodes << 16);
	put_u32(payload + 4, hello->proto);
	frame_encode(out, &frame);
}

int frame_hello_decode(struct proto_bytes payload, struct frame_hello *ret)
{
	struct cursor c = cursor_over(payload.p, payload.len);

	ret->to = cursor_u16(&c);
	ret->nodes = cursor_u16(&c);
	ret->proto = cursor_u32(&c);
	return cursor_done(&c) ? 0 : -EBADMSG;
}
