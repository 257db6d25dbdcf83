/* SPDX-License-Identifier: MIT */
/* orders.c - what the nodes of a real database are told when another is made the leader */
#include "agent/lab/orders.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/utf8.h"
#include "agent/lab/admin.h"
#include "agent/lab/real.h"

#define PROMOTE_WAIT_NS (15 * NS_PER_S)
#define FOLLOW_WAIT_NS (10 * NS_PER_S)
#define AGAIN_NS (200 * NS_PER_MS)
#define WORDS_MAX 256

struct order {
	struct admin admin;
	const char *name; /* of the node */
	bool owes;        /* it is to follow, and was not told yet */
	bool follows;     /* it was asked to follow last, not to lead */
	bool asked;       /* and has not answered */
	bool done;        /* as it was told */
	bool starting;    /* it answered that it could not yet do so */
	uint64_t again_ns;
	char why[WORDS_MAX]; /* it did not */
};

struct orders {
	struct supervisor *s;
	unsigned leader;
	struct order node[REAL_NODES_MAX];
};

static void answered(struct admin *a, const char *answer, size_t len)
{
	static const char starting[] = "-ERR the database is still starting";
	struct order *node = a->ctx;

	node->asked = false;
	node->done = len >= 3 && memcmp(answer, "+OK", 3) == 0;
	(void)snprintf(node->why, sizeof node->why, "%.*s", (int)strcspn(answer, "\r\n"), answer);
	utf8_tame(node->why);
	node->starting = strcmp(node->why, starting) == 0;
	if (node->done)
		log_info("%s has done as it was told", node->name);
	else if (node->starting)
		node->owes = node->follows;
	else
		log_warn("%s: %s", node->name, node->why);
}

struct orders *orders_open(struct supervisor *s)
{
	struct orders *o = calloc(1, sizeof *o);

	if (!o)
		abort();
	o->s = s;
	for (unsigned i = 0; i < s->plan->replicas; i++) {
		admin_init(&o->node[i].admin, &s->poller, s->admin_path[i]);
		o->node[i].admin.answered = answered;
		o->node[i].admin.ctx = &o->node[i];
		o->node[i].name = s->plan->node[i].name;
	}
	return o;
}

void orders_close(struct orders *o)
{
	if (!o)
		return;
	for (unsigned i = 0; i < o->s->plan->replicas; i++)
		admin_drop(&o->node[i].admin);
	free(o);
}

/* A connection that was lost is an answer, too; who was to follow is told again once it can. */
static bool waits(struct order *node)
{
	if (node->asked && !node->admin.asked) {
		node->asked = false;
		node->owes = node->follows;
		(void)snprintf(node->why, sizeof node->why, "it ended");
	}
	return node->asked;
}

static void ask(struct order *node, const char *command, bool follows)
{
	admin_drop(&node->admin);
	node->follows = follows;
	node->done = node->starting = false;
	node->why[0] = '\0';
	node->asked = admin_ask(&node->admin, command) == 0;
	if (!node->asked)
		(void)snprintf(node->why, sizeof node->why, "it cannot be asked");
}

static bool reachable(const struct orders *o, unsigned i)
{
	const struct link_matrix *m = fabric_matrix(o->s->fabric);

	return o->s->replica[i].runs && !o->s->node[i].paused && !plan_closed(m, o->leader, i) &&
	       !plan_closed(m, i, o->leader);
}

void orders_tick(struct orders *o)
{
	uint64_t now = clock_now_ns();

	for (unsigned i = 0; o && i < o->s->plan->replicas; i++) {
		const struct plan_node *leader = &o->s->plan->node[o->leader];
		struct in_addr addr = {.s_addr = leader->addr_be};
		struct order *node = &o->node[i];
		char text[INET_ADDRSTRLEN];
		char command[128];

		if (waits(node) || !node->owes || now < node->again_ns || !reachable(o, i) ||
			!inet_ntop(AF_INET, &addr, text, sizeof text))
			continue;
		(void)snprintf(command, sizeof command, "PACELAB FOLLOW %s %s", text, leader->name);
		ask(node, command, true);
		node->owes = !node->asked;
		node->again_ns = now + AGAIN_NS;
	}
}

/* Until @node has answered. Return: whether it did as it was told. */
static bool wait_for(struct orders *o, struct order *node, uint64_t deadline_ns)
{
	while (waits(node) && clock_now_ns() < deadline_ns) {
		/* Why the lab must end is said again by the next turn. */
		if (supervisor_turn(o->s, deadline_ns, NULL))
			break;
	}
	return node->done;
}

/* Who was restarted a moment ago is asked again until it can. Return: whether it leads. */
static bool leads(struct orders *o, struct order *node, uint64_t deadline_ns)
{
	for (;;) {
		uint64_t again = clock_now_ns() + AGAIN_NS;

		ask(node, "PACELAB LEAD", false);
		if (wait_for(o, node, deadline_ns))
			return true;
		if (!node->starting || again >= deadline_ns)
			return false;
		while (clock_now_ns() < again)
			if (supervisor_turn(o->s, again, NULL))
				return false;
	}
}

static void add(char *text, size_t size, const char *word)
{
	size_t len = strlen(text);

	(void)snprintf(text + len, size - len, "%s%s", len ? ", " : "", word);
}

/* "it leads by command after 0.3 s; n1 follows; n3 is told when it can be reached" */
static void followers_words(struct orders *o, char *why, size_t size)
{
	char follow[WORDS_MAX] = "";
	char later[WORDS_MAX] = "";
	char failed[WORDS_MAX] = "";
	size_t len = strlen(why);

	for (unsigned i = 0; i < o->s->plan->replicas; i++) {
		const struct order *node = &o->node[i];

		if (i == o->leader)
			continue;
		if (node->owes)
			add(later, sizeof later, node->name);
		else
			add(node->done ? follow : failed, WORDS_MAX, node->name);
	}
	if (*follow)
		len += (size_t)snprintf(why + len, size - len, "; told to follow: %s", follow);
	if (*later && len < size)
		len += (size_t)snprintf(
			why + len, size - len, "; as soon as they can be reached: %s", later);
	if (*failed && len < size)
		(void)snprintf(why + len, size - len, "; did not follow (see its log): %s", failed);
}

int orders_promote(struct orders *o, unsigned leader, char *why, size_t size)
{
	uint64_t begin = clock_now_ns();
	uint64_t deadline;
	bool owed = o->node[leader].owes;

	/* It is told nothing more as a follower, and what it does as one comes to its end. */
	o->node[leader].owes = false;
	(void)wait_for(o, &o->node[leader], begin + PROMOTE_WAIT_NS);
	o->node[leader].owes = false;
	if (!leads(o, &o->node[leader], begin + PROMOTE_WAIT_NS)) {
		(void)snprintf(why, size, "%s",
			*o->node[leader].why ? o->node[leader].why : "no answer in time");
		o->node[leader].owes = owed;
		return 1;
	}
	o->leader = leader;
	(void)snprintf(why, size, "its commands to lead took %.2f s",
		(double)(clock_now_ns() - begin) / (double)NS_PER_S);
	for (unsigned i = 0; i < o->s->plan->replicas; i++) {
		o->node[i].owes = i != leader;
		o->node[i].again_ns = 0;
	}
	orders_tick(o);
	deadline = clock_now_ns() + FOLLOW_WAIT_NS;
	for (unsigned i = 0; i < o->s->plan->replicas; i++)
		(void)wait_for(o, &o->node[i], deadline);
	followers_words(o, why, size);
	return 0;
}
