/* SPDX-License-Identifier: MIT */
/*
 * wire_frame.h - Ethernet frames damaged and refused: bytes in, bytes out
 *
 * A frame is whatever a node sent: nothing in it is believed before it was looked at.
 */
#ifndef NETNS_WIRE_FRAME_H
#define NETNS_WIRE_FRAME_H

#include <stdbool.h>
#include <stdint.h>

/* An ICMP error quotes so much that it is 576 bytes at most (RFC 1812 4.3.2.3). */
#define WIRE_ANSWER_MAX (14 + 576)

/**
 * wire_frame_corrupt() - turn one bit of the frame over
 * @place:	uniform in 0 .. 2^32 - 1; says which bit
 * @silent:	false: any bit behind the Ethernet header; checksums are as they were, so that the
 *		receiver sees it where there is one. True: a bit of the payload of an unfragmented
 *		TCP, UDP or ICMP packet in IPv4, and its checksum is mended.
 *
 * Return: false if there is no such bit, and the frame is as it was.
 */
bool wire_frame_corrupt(uint8_t *frame, uint32_t len, uint32_t place, bool silent);

/**
 * wire_frame_reject() - the answer to a frame that is not let through, as if by its destination
 * A segment of TCP gets a RST that its sender accepts (RFC 9293 3.10.7.1), everything else in IPv4
 * ICMP destination unreachable, communication administratively prohibited (RFC 1812 5.2.7.1). As
 * RFC 1122 3.2.2 has it there is none for ICMP errors, broadcasts, multicasts and fragments, nor
 * for what is no whole IPv4 packet; and none for a RST.
 *
 * Return: length of @answer, 0 if there is none.
 */
uint32_t wire_frame_reject(const uint8_t *frame, uint32_t len, uint8_t answer[WIRE_ANSWER_MAX]);

/* wire_frame_to_port() - is it a UDP packet to @port in IPv4? */
bool wire_frame_to_port(const uint8_t *frame, uint32_t len, uint16_t port);

#endif
