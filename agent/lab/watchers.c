/* SPDX-License-Identifier: MIT */
/*
 * watchers.c - what the replicas say of themselves: ready, leader, converged
 *
 * Convergence, as one replica after the other answers: first each running replica lists its
 * versions once, and the largest of each key are the target; then each is asked again until it
 * has reached the target. A replica that is started later must reach it, too. One that says
 * meanwhile that it has lost writes, since another has taken over without them, had listed what
 * nobody will ever have: then all are listed again.
 */
#include "agent/lab/watchers.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/utf8.h"
#include "agent/lab/admin.h"
#include "agent/lab/plan.h"
#include "agent/lab/versions.h"

/* A belief that is older than this is nobody's: the replica is paused, or too busy to lead. */
#define VIEW_STALE_NS (25 * WATCH_INTERVAL_NS)
#define LOST_UNKNOWN UINT64_MAX
/* Above so many replicas they are asked less often, so that asking stays below 500 per second. */
#define REPLICAS_AT_FULL_RATE 10

enum question { ASK_INFO, ASK_VERSIONS };

struct watched {
	struct admin admin;
	struct watchers *w;
	bool runs;
	bool no_copy;           /* nobody waits until it has what the others have */
	enum question question; /* that is on its way */
	struct watch_view view;
	uint64_t lost;     /* as it said last; LOST_UNKNOWN: not yet, of this watch */
	bool listed;       /* its versions are in the target */
	bool reached;      /* it has the target */
	uint64_t claim_ns; /* says that it leads, since; 0: it does not */
	uint64_t memory;   /* at most, over all its lives */
};

struct watchers {
	unsigned replicas;
	uint64_t interval_ns;
	uint64_t due_ns;
	int leader;
	uint64_t term;
	void (*changed)(void *ctx, uint64_t t_ns, int leader, uint64_t term);
	void *changed_ctx;
	bool real;
	bool converging;
	bool target_whole; /* all that ran have been listed: it grows no more */
	struct versions target;
	uint64_t converged_ns;
	struct watched replica[];
};

/* The value of "name:" in INFO's text, as text up to the line's end; NULL if it is not there. */
static const char *info_field(const char *text, size_t len, const char *name)
{
	size_t name_len = strlen(name);
	const char *end = text + len;

	while (text < end) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));

		if (!eol)
			return NULL;
		if ((size_t)(eol - text) > name_len && text[name_len] == ':' &&
			memcmp(text, name, name_len) == 0)
			return text + name_len + 1;
		text = eol + 1;
	}
	return NULL;
}

/* A number ends with its line at the latest; before it strtoll would skip the line's end, too. */
static long long info_number(const char *text, size_t len, const char *name, long long otherwise)
{
	const char *value = info_field(text, len, name);

	if (!value || !(*value == '-' || isdigit((unsigned char)*value)))
		return otherwise;
	return strtoll(value, NULL, 10);
}

static void info_parse(struct watch_view *v, const char *text, size_t len)
{
	const char *role = info_field(text, len, "role");

	v->t_ns = clock_now_ns();
	v->ready = info_number(text, len, "ready", 0) == 1;
	v->leader = (int)info_number(text, len, "leader", -1);
	v->term = (uint64_t)info_number(text, len, "term", 0);
	v->committed = (uint64_t)info_number(text, len, "committed", 0);
	v->applied = (uint64_t)info_number(text, len, "applied", 0);
	v->keys = (uint64_t)info_number(text, len, "keys", 0);
	v->recovered = (uint64_t)info_number(text, len, "recovered_records", 0);
	v->lost = (uint64_t)info_number(text, len, "lost_all", 0);
	v->memory = (uint64_t)info_number(text, len, "memory", 0);
	(void)snprintf(v->role, sizeof v->role, "%.*s", role ? (int)strcspn(role, "\r\n") : 0,
		role ? role : "");
	utf8_tame(v->role); /* the words of a real database */
}

static bool fresh(const struct watched *r)
{
	return r->runs && r->view.t_ns + VIEW_STALE_NS >= clock_now_ns();
}

/* The claim of the highest term, and of these the newest: an old leader that is cut off knows
 * nothing of it. */
static int claimant(const struct watchers *w, uint64_t *ret_term)
{
	const struct watched *best = NULL;

	for (unsigned i = 0; i < w->replicas; i++) {
		const struct watched *r = &w->replica[i];

		if (!r->claim_ns || !fresh(r))
			continue;
		if (!best || r->view.term > best->view.term ||
			(r->view.term == best->view.term && r->claim_ns > best->claim_ns))
			best = r;
	}
	if (!best)
		return -1;
	*ret_term = best->view.term;
	return (int)(best - w->replica);
}

int watchers_leader(const struct watchers *w, uint64_t *ret_term)
{
	unsigned votes[PLAN_REPLICAS_MAX] = {0};
	int leader = -1;

	*ret_term = 0;
	if (w->real)
		leader = claimant(w, ret_term);
	if (leader >= 0)
		return leader;
	for (unsigned i = 0; i < w->replicas; i++) {
		const struct watched *r = &w->replica[i];

		if (!fresh(r) || r->view.leader < 0 || (unsigned)r->view.leader >= w->replicas)
			continue;
		if (++votes[r->view.leader] > w->replicas / 2) {
			*ret_term = r->view.term;
			return r->view.leader;
		}
	}
	return -1;
}

static void leader_look(struct watchers *w)
{
	uint64_t term;
	int leader = watchers_leader(w, &term);

	if (leader == w->leader && (leader < 0 || term == w->term))
		return;
	w->leader = leader;
	w->term = term;
	if (w->changed)
		w->changed(w->changed_ctx, clock_now_ns(), leader, term);
}

static bool all_listed(const struct watchers *w)
{
	for (unsigned i = 0; i < w->replicas; i++) {
		if (w->replica[i].runs && !w->replica[i].listed && !w->replica[i].no_copy)
			return false;
	}
	return true;
}

static void converge_look(struct watched *r, const struct versions *v)
{
	struct watchers *w = r->w;

	if (!w->target_whole) {
		if (!r->listed)
			versions_raise(&w->target, v);
		r->listed = true;
		w->target_whole = all_listed(w);
		return;
	}
	if (!versions_cover(v, &w->target))
		return;
	r->reached = true;
	for (unsigned i = 0; i < w->replicas; i++) {
		if (!w->replica[i].reached)
			return;
	}
	w->converged_ns = clock_now_ns();
	w->converging = false;
}

/* What survived is the target. */
static void target_again(struct watchers *w)
{
	w->target_whole = false;
	versions_fini(&w->target);
	for (unsigned i = 0; i < w->replicas; i++) {
		w->replica[i].listed = false;
		w->replica[i].reached = w->replica[i].no_copy;
	}
}

static void loss_look(struct watched *r)
{
	bool more = r->lost != LOST_UNKNOWN && r->view.lost > r->lost;

	r->lost = r->view.lost;
	if (more && r->w->converging)
		target_again(r->w);
}

static void claim_look(struct watched *r)
{
	bool claims = r->view.leader == (int)(r - r->w->replica);

	if (!claims)
		r->claim_ns = 0;
	else if (!r->claim_ns)
		r->claim_ns = r->view.t_ns;
	if (r->view.memory > r->memory)
		r->memory = r->view.memory;
}

static void replica_ask(struct watched *r, enum question question)
{
	r->question = question;
	/* A failure is tried again at the next tick. */
	(void)admin_ask(&r->admin, question == ASK_INFO ? "INFO" : "PACELAB VERSIONS");
}

static void answered(struct admin *a, const char *answer, size_t len)
{
	struct watched *r = a->ctx;
	struct versions versions;

	if (r->question == ASK_INFO) {
		size_t text_len = 0;
		const char *text = admin_text(&answer, &len, &text_len);

		if (text && text[-1] == '\n') /* a bulk string, not a simple one */
			info_parse(&r->view, text, text_len);
		if (r->view.t_ns)
			loss_look(r);
		claim_look(r);
		leader_look(r->w);
		if (r->w->converging && !r->reached)
			replica_ask(r, ASK_VERSIONS);
		return;
	}
	if (versions_parse(&versions, answer, len) == 0) {
		if (r->w->converging)
			converge_look(r, &versions);
		versions_fini(&versions);
	}
}

struct watchers *watchers_open(
	struct poller *poller, char (*path)[NAMES_PATH_MAX], unsigned replicas)
{
	struct watchers *w = calloc(1, sizeof *w + replicas * sizeof *w->replica);

	assert(replicas <= PLAN_REPLICAS_MAX);
	if (!w)
		return NULL;
	w->replicas = replicas;
	w->leader = -1;
	w->interval_ns = WATCH_INTERVAL_NS;
	if (replicas > REPLICAS_AT_FULL_RATE)
		w->interval_ns = WATCH_INTERVAL_NS * replicas / REPLICAS_AT_FULL_RATE;
	for (unsigned i = 0; i < replicas; i++) {
		struct watched *r = &w->replica[i];

		admin_init(&r->admin, poller, path[i]);
		r->admin.answered = answered;
		r->admin.ctx = r;
		r->w = w;
		r->view.leader = -1;
		r->lost = LOST_UNKNOWN;
	}
	return w;
}

void watchers_close(struct watchers *w)
{
	if (!w)
		return;
	for (unsigned i = 0; i < w->replicas; i++)
		admin_drop(&w->replica[i].admin);
	versions_fini(&w->target);
	free(w);
}

void watchers_replica(struct watchers *w, unsigned replica, bool runs)
{
	struct watched *r = &w->replica[replica];

	admin_drop(&r->admin);
	r->view = (struct watch_view){.leader = -1};
	r->claim_ns = 0;
	r->runs = runs;
	leader_look(w);
}

void watchers_real(struct watchers *w)
{
	w->real = true;
}

uint64_t watchers_memory(const struct watchers *w, unsigned replica)
{
	assert(replica < w->replicas);
	return w->replica[replica].memory;
}

void watchers_no_copy(struct watchers *w, unsigned replica)
{
	w->replica[replica].no_copy = true;
}

uint64_t watchers_tick(struct watchers *w, uint64_t now_ns)
{
	if (now_ns < w->due_ns)
		return w->due_ns;
	for (unsigned i = 0; i < w->replicas; i++) {
		struct watched *r = &w->replica[i];

		if (r->runs && !r->admin.asked)
			replica_ask(r, ASK_INFO);
	}
	leader_look(w); /* beliefs go stale, too */
	w->due_ns = now_ns + w->interval_ns;
	return w->due_ns;
}

const struct watch_view *watchers_view(const struct watchers *w, unsigned replica)
{
	assert(replica < w->replicas);
	return &w->replica[replica].view;
}

void watchers_on_leader(struct watchers *w,
	void (*changed)(void *ctx, uint64_t t_ns, int leader, uint64_t term), void *ctx)
{
	w->changed = changed;
	w->changed_ctx = ctx;
	if (changed && w->leader >= 0)
		changed(ctx, clock_now_ns(), w->leader, w->term);
}

int watchers_unready(const struct watchers *w)
{
	for (unsigned i = 0; i < w->replicas; i++) {
		if (w->replica[i].runs && !w->replica[i].view.ready)
			return (int)i;
	}
	return -1;
}

void watchers_converge(struct watchers *w)
{
	watchers_converge_stop(w);
	if (w->real)
		return;
	w->converging = true;
	target_again(w);
	for (unsigned i = 0; i < w->replicas; i++) {
		struct watched *r = &w->replica[i];

		if (r->runs && !r->admin.asked && !r->no_copy)
			replica_ask(r, ASK_VERSIONS);
	}
}

uint64_t watchers_converged_ns(const struct watchers *w)
{
	return w->converged_ns;
}

void watchers_converge_stop(struct watchers *w)
{
	w->converging = false;
	w->target_whole = false;
	w->converged_ns = 0;
	versions_fini(&w->target);
}
