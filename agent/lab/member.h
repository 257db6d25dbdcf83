/* SPDX-License-Identifier: MIT */
/*
 * member.h - a process of the lab as the supervisor knows it
 *
 *   (never started) --adopt--> runs --its pidfd is readable--> ended (reaped, code and status kept)
 *
 * An end that nobody asked for is told to the owner at once; what it means is the owner's matter.
 */
#ifndef LAB_MEMBER_H
#define LAB_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "agent/lab/poller.h"
#include "agent/lab/spawn.h"

#define MEMBER_WORDS_MAX 256

enum member_kind {
	MEMBER_JANITOR,
	MEMBER_WIRE,
	MEMBER_CAPTURE,
	MEMBER_NODE,
	MEMBER_REPLICA,
	MEMBER_LOAD,
	MEMBER_KIND_NR
};
extern const char *const member_kind_names[MEMBER_KIND_NR];

struct member {
	struct source source; /* its pidfd, also while nobody polls; first, see member.c */
	enum member_kind kind;
	char name[20]; /* of its node; "" for those of the whole lab */
	pid_t pid;     /* 0: never started */
	bool runs;
	bool asked;  /* its end is, or will be, our own doing */
	bool paused; /* stopped with its whole node */
	int code;    /* CLD_..., after its end */
	int status;  /* exit status or signal */
	uint64_t ended_ns;
	void (*ended)(struct member *m);
	void *owner;
};

/* member_adopt() - watch a started child; takes its pidfd. */
int member_adopt(struct member *m, struct poller *p, const struct child *child, struct err *err);

/* member_signal() - by pidfd; what has ended is left alone. */
void member_signal(const struct member *m, int sig);

/* member_wait() - sleep until @m has ended or @deadline_ns. Return: whether it has ended. */
bool member_wait(struct member *m, uint64_t deadline_ns);

/* member_forget() - close what is left of an ended or never started one. */
void member_forget(struct member *m, struct poller *p);

/* member_words() - "replica n3 (pid 123) was killed by SIGKILL". */
void member_words(const struct member *m, char *out, size_t size);

#endif
