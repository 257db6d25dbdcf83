/* SPDX-License-Identifier: MIT */
/*
 * pcapng.h - one capture file in the PCAP Next Generation format (draft-ietf-opsawg-pcapng)
 *
 * Two interfaces: 0 is what was captured, 1 carries notes that were never on any link. Times are
 * nanoseconds of the caller's clock.
 */
#ifndef LAB_PCAPNG_H
#define LAB_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCAPNG_SNAP_MAX 2048
#define PCAPNG_NOTE_MAX 1400    /* bytes of a text: a note is a frame, too */
#define PCAPNG_NOTE_TYPE 0x88b5 /* IEEE 802 local experimental EtherType 1 */

struct pcapng {
	int fd; /* -1: none */
	size_t used;
	uint64_t written; /* and what is buffered */
	uint64_t max;
	uint32_t snap;
	uint64_t left_out; /* frames that came when the file was full */
	uint8_t buf[16384];
};

struct pcapng_frame {
	uint64_t t_ns;
	const uint8_t *bytes;
	uint32_t len; /* on the link; this many @bytes, or PCAPNG_SNAP_MAX of them */
	bool outbound;
};

/* pcapng_begin() - write the first blocks to @fd, which is the object's from now on.
 * @snap: bytes to keep of each frame, at most PCAPNG_SNAP_MAX. */
int pcapng_begin(
	struct pcapng *p, int fd, uint64_t max, uint32_t snap, const char *name, const char *about);

/* pcapng_frame() - Return: 0 or a negative errno; a full file leaves it out and says 0. */
int pcapng_frame(struct pcapng *p, const struct pcapng_frame *frame);

/* pcapng_note() - a comment for people, on a frame that carries the same text; never left out. */
int pcapng_note(struct pcapng *p, uint64_t t_ns, const char *text);

/* pcapng_flush() - whole blocks only: a reader never finds half of one. */
int pcapng_flush(struct pcapng *p);

/* pcapng_end() - say how many frames there were and how many were lost; close. Takes a closed one.
 */
int pcapng_end(struct pcapng *p, uint64_t t_ns, uint64_t received, uint64_t dropped);

#endif
