/* SPDX-License-Identifier: MIT */
/*
 * orders.h - what the nodes of a real database are told when another is made the leader
 *
 * An operator, here the supervisor, runs commands on the node that is to lead, then on the others,
 * as a person or a failover manager would. Like them it reaches no node that is cut off from the
 * new leader, is paused or dead: those follow once they can, however late.
 *
 *	owes --it runs and can be reached--> asked --answered--> done
 *	  ^-- it was still starting, or ended --'
 */
#ifndef LAB_ORDERS_H
#define LAB_ORDERS_H

#include "agent/lab/supervisor.h"

struct orders;

struct orders *orders_open(struct supervisor *s);
void orders_close(struct orders *o);

/**
 * orders_promote() - make @node the leader and let the others follow
 * Turns the supervisor's loop until all that could be asked have answered, or some seconds; a
 * @node whose database is still starting is asked again meanwhile.
 *
 * @why:	what was done, or why not
 *
 * Return: 0 if @node did what its file says; 1 if not
 */
int orders_promote(struct orders *o, unsigned node, char *why, size_t size);

/* orders_tick() - tell those that can be reached by now. Takes NULL. */
void orders_tick(struct orders *o);

#endif
