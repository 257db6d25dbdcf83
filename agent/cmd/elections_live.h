/* SPDX-License-Identifier: MIT */
/*
 * elections_live.h - a cluster on packets whose leader is killed many times
 *
 * The lab `elections` is up meanwhile. When all replicas hear each other and one leads, that one is
 * killed at a moment that does not depend on its heartbeats; who is elected next says when, by the
 * one clock of the machine. Then the killed one is started again.
 */
#ifndef CMD_ELECTIONS_LIVE_H
#define CMD_ELECTIONS_LIVE_H

#include "agent/base/err.h"
#include "agent/sim/sim_elections.h"

#define ELECTIONS_NAME_MAX 24
/* Without a leader for so long, a trial on packets ends. */
#define ELECTIONS_LIVE_GIVE_UP_NS (12ull * 1000000000ull)

/**
 * struct elections_live - where and how
 * @lab:	a name that no other lab has
 * @dir:	for logs
 */
struct elections_live {
	char lab[ELECTIONS_NAME_MAX];
	const char *dir;
	const char *emulator;
	const struct elections_wish *wish;
};

/* elections_up() - start the lab. elections_down() - end it. Return: 0 or a negative errno. */
int elections_up(const struct elections_live *l, struct err *err);
int elections_down(const struct elections_live *l, struct err *err);

/**
 * elections_crash() - one trial
 * @wait_ns:	drawn: how much later than when all is well
 *
 * Return: 0 with the time without a leader, at most ELECTIONS_LIVE_GIVE_UP_NS; 1: a leader was
 * there by itself before it was killed, it does not count; a negative errno.
 */
int elections_crash(
	const struct elections_live *l, uint64_t wait_ns, uint64_t *ret_ns, struct err *err);

#endif
