/* SPDX-License-Identifier: MIT */
/*
 * frame.h - how replicas wrap what they send each other
 *
 * Pure: no I/O. A frame is a header of FRAME_HEADER bytes, all little-endian, and its payload:
 *
 *	0  u32 magic       4  u8 version   5  u8 type   6  u16 from (replica id)
 *	8  u32 length     12  u32 CRC-32C of the payload
 *	16 u32 CRC-32C of the 16 bytes before
 *
 * The header has a checksum of its own so that a flipped length is an error at once, not a wait
 * for bytes that never come. These 20 bytes are the same in every version, so that replicas of
 * different versions can tell each other what they are. A connection begins with FRAME_HELLO from
 * the dialing side, answered by FRAME_WELCOME or, before it is closed, by FRAME_REFUSAL; FRAME_PING
 * carries FRAME_PING_BYTES that FRAME_PONG returns.
 *
 * The payload of these three: u16 the other side's id, u16 length of the words, the words, and
 * to its end why not, for people; all printable ASCII. The words are store/hello.h.
 */
#ifndef STORE_FRAME_H
#define STORE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "store/proto.h"

#define FRAME_MAGIC 0x424c4350u /* "PCLB" */
#define FRAME_VERSION 3
#define FRAME_HEADER 20u
#define FRAME_PAYLOAD_MAX PROTO_MESSAGE_MAX
#define FRAME_PING_BYTES 8u
#define FRAME_WORDS_MAX 1024u
#define FRAME_WHY_MAX 256u
/* Longest payload before both sides know each other, and ever of an answer. */
#define FRAME_HELLO_MAX (4u + FRAME_WORDS_MAX + FRAME_WHY_MAX)

enum frame_type {
	FRAME_HELLO,
	FRAME_WELCOME,
	FRAME_PING,
	FRAME_PONG,
	FRAME_MESSAGE,
	FRAME_REFUSAL,
	FRAME_TYPE_NR
};

struct frame {
	enum frame_type type;
	uint8_t version; /* set by frame_decode() */
	uint16_t from;
	struct proto_bytes payload; /* points into the bytes that were decoded */
};

/**
 * struct frame_hello - what one side says of itself
 * @to:		whom it means to reach
 * @words:	what both must agree on
 * @why:	of a refusal: what is wrong if it is not the words; else empty
 */
struct frame_hello {
	uint16_t to;
	struct proto_bytes words;
	struct proto_bytes why;
};

/* frame_proto_hash() - names a protocol in 32 bits. */
uint32_t frame_proto_hash(const char *name);

/* frame_encode() - append one frame; @payload at most FRAME_PAYLOAD_MAX. */
void frame_encode(struct buf *out, const struct frame *frame);

/**
 * frame_decode() - read one frame
 * @payload_max:	longer ones are not waited for
 * @ret_used:	bytes it took; set when 0 is returned
 *
 * Return: 0; -EAGAIN: more bytes are needed; -EPROTONOSUPPORT: a frame of another version, which
 * is in @ret; -EMSGSIZE: longer than @payload_max; -EBADMSG: no frame, or damaged.
 */
int frame_decode(
	const uint8_t *p, size_t len, size_t payload_max, struct frame *ret, size_t *ret_used);

/* frame_hello_encode() - append a whole frame of @type: HELLO, WELCOME or REFUSAL. */
void frame_hello_encode(
	struct buf *out, enum frame_type type, uint16_t from, const struct frame_hello *hello);

/* frame_hello_decode() - Return: 0, or -EBADMSG. */
int frame_hello_decode(struct proto_bytes payload, struct frame_hello *ret);

#endif
