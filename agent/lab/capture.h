/* SPDX-License-Identifier: MIT */
/*
 * capture.h - the frames at the switch's ports, in a pcapng file for each, with the faults as notes
 *
 * A port is seen from both sides: what its node sent, before the matrix program judged it
 * (inbound), and what is given to its node, after all faults (outbound). Times are CLOCK_MONOTONIC,
 * as in history.bin. The process that writes is a child of the supervisor with no priority of its
 * own.
 */
#ifndef LAB_CAPTURE_H
#define LAB_CAPTURE_H

#include "agent/lab/outdir.h"
#include "agent/lab/plan.h"
#include "agent/lab/spawn.h"

#define CAPTURE_COMM "pacelab-pcap"
#define CAPTURE_DIR "pcap"
#define CAPTURE_SNAP_MIN 64
#define CAPTURE_SNAP_DEFAULT 256
#define CAPTURE_BYTES_MAX (2ull << 30) /* of all files in sum, in equal shares */
#define CAPTURE_FILE_MAX (256ull << 20)

/* What shall be captured, by port: the frames to and from which other nodes. */
struct capture_wish {
	uint8_t peer[FABRIC_NODES_MAX][FABRIC_NODES_MAX / 8];
	bool port[FABRIC_NODES_MAX];
	uint32_t snap; /* bytes kept of each frame */
};

/**
 * capture_parse() - "all", or names and pairs of nodes: "n1", "n1-n2,n3"
 * @links:	a node is its port with all frames, a pair the frames between two, on both ports;
 *		NULL: nothing
 * @snap:	bytes to keep of each frame, NULL: CAPTURE_SNAP_DEFAULT; needs @links
 *
 * Return: 0, or -EINVAL with the cure in @err (EXIT_USAGE).
 */
int capture_parse(const struct plan *plan, const char *links, const char *snap,
	struct capture_wish *ret, struct err *err);

struct capture;

/**
 * capture_open() - start to capture
 * @switch_fd:	network namespace of the switch
 * @ret_child:	the process, for spawn_wait(); the caller watches and reaps it
 */
int capture_open(struct capture **ret, const struct capture_wish *wish, const struct plan *plan,
	const struct outdir *out, int switch_fd, struct child *ret_child, struct err *err);

/* capture_note() - have @text stand in all files at @t_ns; takes NULL. */
void capture_note(struct capture *c, uint64_t t_ns, const char *text);

/* capture_note_change() - what of the links changed, in words. */
void capture_note_change(struct capture *c, const struct plan *plan, const char *kind,
	const struct fabric_change *change);

/* capture_stop() - ask the process to write what is left and end; it does at once. */
void capture_stop(struct capture *c);

struct capture_count {
	uint64_t frames;   /* in all files */
	uint64_t dropped;  /* this process was too slow for them */
	uint64_t left_out; /* a file was full */
};

/* capture_count() - so far, all of them when the process has ended. capture_close() - takes NULL.
 */
void capture_count(const struct capture *c, struct capture_count *ret);
void capture_close(struct capture *c);

#endif
