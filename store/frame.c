/* SPDX-License-Identifier: MIT */
/* frame.c - how replicas wrap what they send each other */
#include "store/frame.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
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

/* Whether @p may become the beginning of a frame: who speaks something else is not waited for. */
static bool magic_fits(const uint8_t *p, size_t len)
{
	uint8_t magic[4];

	put_u32(magic, FRAME_MAGIC);
	return len == 0 || memcmp(p, magic, len < sizeof magic ? len : sizeof magic) == 0;
}

int frame_decode(
	const uint8_t *p, size_t len, size_t payload_max, struct frame *ret, size_t *ret_used)
{
	struct cursor c = cursor_over(p, len);
	uint32_t length, crc, check;
	uint8_t type;

	if (!magic_fits(p, len))
		return -EBADMSG;
	if (len < FRAME_HEADER)
		return -EAGAIN;
	(void)cursor_u32(&c);
	ret->version = cursor_u8(&c);
	type = cursor_u8(&c);
	ret->from = cursor_u16(&c);
	length = cursor_u32(&c);
	crc = cursor_u32(&c);
	check = cursor_u32(&c);
	if (check != crc32c(0, p, FRAME_CHECKED))
		return -EBADMSG;
	if (ret->version != FRAME_VERSION)
		return -EPROTONOSUPPORT;
	if (type >= FRAME_TYPE_NR || length > FRAME_PAYLOAD_MAX)
		return -EBADMSG;
	if (length > payload_max)
		return -EMSGSIZE;
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
	struct buf payload = {0};
	struct frame frame = {.type = type, .from = from};

	assert(hello->words.len <= FRAME_WORDS_MAX && hello->why.len <= FRAME_WHY_MAX);
	buf_u16(&payload, hello->to);
	buf_u16(&payload, (uint16_t)hello->words.len);
	buf_add(&payload, hello->words.p, hello->words.len);
	buf_add(&payload, hello->why.p, hello->why.len);
	frame.payload = (struct proto_bytes){.p = payload.p, .len = (uint32_t)payload.len};
	frame_encode(out, &frame);
	buf_fini(&payload);
}

/* It goes into logs and INFO. */
static bool is_printable(struct proto_bytes text)
{
	for (uint32_t i = 0; i < text.len; i++)
		if (text.p[i] < ' ' || text.p[i] > '~')
			return false;
	return true;
}

int frame_hello_decode(struct proto_bytes payload, struct frame_hello *ret)
{
	struct cursor c = cursor_over(payload.p, payload.len);

	ret->to = cursor_u16(&c);
	ret->words.len = cursor_u16(&c);
	ret->words.p = cursor_take(&c, ret->words.len);
	if (c.bad || ret->words.len > FRAME_WORDS_MAX || c.left > FRAME_WHY_MAX)
		return -EBADMSG;
	ret->why.len = (uint32_t)c.left;
	ret->why.p = cursor_take(&c, c.left);
	return is_printable(ret->words) && is_printable(ret->why) ? 0 : -EBADMSG;
}
