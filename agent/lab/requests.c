/* SPDX-License-Identifier: MIT */
/*
 * requests.c - what a lab that is up can be told: the verbs behind the control socket
 *
 * A request is: verb, "text" or "json", arguments. The command line's side has checked nothing but
 * its options; everything is checked here, against the plan.
 */
#include "agent/lab/requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/json.h"
#include "agent/base/units.h"
#include "agent/lab/live.h"
#include "agent/lab/nemesis.h"
#include "agent/lab/select.h"
#include "agent/lab/show.h"
#include "agent/lab/status.h"
#include "netns/link_words.h"

#define WHAT_MAX 768

struct request {
	struct supervisor *s;
	char **arg;
	unsigned args;
	bool json;
	FILE *out;
	int *fd;
};

static void evidence_json(struct json *j, const struct evidence *e)
{
	json_key(j, "evidence");
	json_string(j, evidence_result_names[e->result]);
	json_key(j, "why");
	json_string(j, e->why);
	json_key(j, "packets_crossed");
	json_uint(j, e->packets_crossed);
	json_key(j, "packets_dropped");
	json_uint(j, e->packets_dropped);
	if (e->rtt_configured_ns) {
		json_key(j, "rtt_ms_configured");
		json_double(j, units_ms(e->rtt_configured_ns));
		json_key(j, "rtt_ms_measured");
		json_double(j, units_ms(e->rtt_measured_ns));
	}
}

/* The change asked for is in force already. */
static bool nothing_done(const struct run_fault *f)
{
	return f->node < 0 && f->links == 0 && f->downs == 0;
}

static void fault_json(FILE *out, const struct run_fault *f, const char *what)
{
	struct json j;

	json_init(&j, out);
	json_object(&j);
	json_key(&j, "kind");
	json_string(&j, f->kind);
	json_key(&j, "what");
	json_string(&j, what);
	if (f->node < 0) {
		json_key(&j, "cut");
		if (f->cuts)
			json_string(&j, run_cut_name(f));
		else
			json_null(&j);
		json_key(&j, "links");
		json_uint(&j, f->links);
		json_key(&j, "nodes_down_or_up");
		json_uint(&j, f->downs);
		json_key(&j, "atomic");
		json_bool(&j, f->atomic);
	}
	json_key(&j, "request_to_done_ms");
	json_double(&j, units_ms(f->t_last_ns - f->t_request_ns));
	json_key(&j, "t_request_ns");
	json_uint(&j, f->t_request_ns);
	json_key(&j, "t_first_ns");
	json_uint(&j, f->t_first_ns);
	json_key(&j, "t_last_ns");
	json_uint(&j, f->t_last_ns);
	if (!nothing_done(f))
		evidence_json(&j, &f->evidence);
	json_object_end(&j);
	fprintf(out, "\n");
}

static void fault_text(FILE *out, const struct run_fault *f, const char *what)
{
	const struct evidence *e = &f->evidence;

	fprintf(out, "%s %s: ", f->kind, what);
	if (nothing_done(f)) {
		fprintf(out, "nothing to change\n");
		return;
	}
	if (f->node < 0 && f->links)
		fprintf(out, "%u link%s, ", f->links, f->links == 1 ? "" : "s");
	if (f->cuts)
		fprintf(out, "kind %s, %s, ", run_cut_name(f),
			f->atomic ? "one store" : "one by one");
	fprintf(out,
		"%.3f ms from request to done\n  %s: ", units_ms(f->t_last_ns - f->t_request_ns),
		evidence_result_names[e->result]);
	if (strcmp(f->kind, "cut") == 0) {
		fprintf(out, "%llu packets crossed, %llu dropped\n",
			(unsigned long long)e->packets_crossed,
			(unsigned long long)e->packets_dropped);
		if (e->result != EVIDENCE_CONFIRMED && *e->why)
			fprintf(out, "  %s\n", e->why);
	} else if (*e->why || !e->rtt_configured_ns) {
		fprintf(out, "%s\n", e->why);
	} else {
		fprintf(out, "round trip %.2f ms, configured %.2f ms\n",
			units_ms(e->rtt_measured_ns), units_ms(e->rtt_configured_ns));
	}
}

static int fault_answer(const struct request *r, const struct run_fault *f, const char *what)
{
	if (r->json)
		fault_json(r->out, f, what);
	else
		fault_text(r->out, f, what);
	if (nothing_done(f))
		return EXIT_AS_EXPECTED;
	return f->evidence.result == EVIDENCE_CONFIRMED ? EXIT_AS_EXPECTED : EXIT_INCONCLUSIVE;
}

/* Apply, look, answer. */
static int change_links(const struct request *r, const struct link_matrix *want, const char *kind,
	const char *what, struct err *err)
{
	struct fabric_change change = {0};
	struct run_fault fault = {.node = -1};
	int rc = nemesis_shape(r->s, want, &fault, &change, err);

	if (!rc && change.deltas + change.downs)
		rc = nemesis_judge(r->s, &change, 0, &fault, err);
	/* Called as it was asked for: a heal may also be of delays. */
	(void)snprintf(fault.kind, sizeof fault.kind, "%s", kind);
	fabric_change_fini(&change);
	return rc ? rc : fault_answer(r, &fault, what);
}

static int matrix_begin(const struct request *r, struct link_matrix *ret, struct err *err)
{
	int rc = link_matrix_init(ret, r->s->plan->nodes);

	if (rc)
		return err_sys(err, rc, "copy the link matrix");
	link_matrix_copy(ret, fabric_matrix(r->s->fabric));
	return 0;
}

static int fail_no_node(const char *name, struct err *err)
{
	return err_usage(err, "there is no node '%.64s'; 'pacelab status' lists them", name);
}

/* The shape of a cut, and what to call it. */
static int cut_shape(
	const struct request *r, struct shape *ret, char what[WHAT_MAX], struct err *err)
{
	const struct plan *plan = r->s->plan;
	const char *how = r->arg[2];
	uint64_t term;
	int node = -1;
	int rc = 0;

	if (strcmp(how, "ring") == 0) {
		(void)snprintf(what, WHAT_MAX, "ring of majorities");
		return shape_ring(plan, ret, err);
	}
	if (strcmp(how, "groups") == 0) {
		rc = select_shape(plan, r->arg[3], ret, err);
		(void)snprintf(what, WHAT_MAX, "%s", r->arg[3]);
		return rc;
	}
	if (strcmp(how, "leader") == 0) {
		node = watchers_leader(r->s->watchers, &term);
		if (node < 0)
			return err_usage(
				err, "nobody leads now: the store has no leader, or elects one");
		(void)snprintf(what, WHAT_MAX, "%s, the leader", plan->node[node].name);
		*ret = (struct shape){0};
		ret->group_of[node] = 1;
		(void)shape_rest(plan, ret);
		return 0;
	}
	if (strcmp(how, "bridge") != 0)
		return err_usage(err, "unknown shape of a cut '%.32s'", how);
	node = plan_node_find(plan, r->arg[3]);
	if (node < 0)
		return fail_no_node(r->arg[3], err);
	(void)snprintf(what, WHAT_MAX, "bridge over %s", plan->node[node].name);
	return shape_bridge(plan, (unsigned)node, ret, err);
}

static int cut_kind(const char *name, enum link_cut *ret, struct err *err)
{
	for (int i = CUT_EDGE; i < CUT_NR; i++) {
		if (strcmp(link_cut_names[i], name) == 0) {
			*ret = (enum link_cut)i;
			return 0;
		}
	}
	return err_usage(err, "--kind: '%.32s' is none: edge, wire and reject are", name);
}

/* cut both|one-way KIND groups|bridge|ring|leader TEXT */
static int serve_cut(const struct request *r, struct err *err)
{
	const struct plan *plan = r->s->plan;
	struct shape shape;
	struct link_matrix want;
	enum link_cut kind = CUT_EDGE;
	char what[WHAT_MAX];
	int rc;

	if (r->args != 4)
		return err_usage(err, "cut whom? write it like: n1,n2 / n3");
	rc = cut_kind(r->arg[1], &kind, err);
	if (!rc)
		rc = cut_shape(r, &shape, what, err);
	if (!rc && strcmp(r->arg[0], "one-way") == 0) {
		shape.one_way = true;
		if (shape.ring || strcmp(r->arg[2], "bridge") == 0 ||
			select_sides(plan, &shape) != 2)
			rc = err_usage(err, "--one-way is from one side to one other");
	}
	if (!rc)
		rc = matrix_begin(r, &want, err);
	if (rc)
		return rc;
	for (unsigned a = 0; a < plan->nodes; a++) {
		for (unsigned b = 0; b < plan->nodes; b++) {
			if (shape_cuts(&shape, a, b))
				link_matrix_at(&want, a, b)->cut = (uint8_t)kind;
		}
	}
	(void)snprintf(what + strlen(what), sizeof what - strlen(what), "%s",
		shape.one_way ? " (one way)" : "");
	rc = change_links(r, &want, "cut", what, err);
	link_matrix_fini(&want);
	return rc;
}

/* heal links|cuts [GROUPS] */
static int serve_heal(const struct request *r, struct err *err)
{
	const struct plan *plan = r->s->plan;
	bool links = r->args > 0 && strcmp(r->arg[0], "links") == 0;
	struct shape between;
	struct link_matrix want;
	int rc = 0;

	if (r->args < 1 || r->args > 2)
		return err_usage(err, "heal all, or between two: heal n1 n2");
	if (r->args == 2)
		rc = select_shape(plan, r->arg[1], &between, err);
	if (!rc)
		rc = matrix_begin(r, &want, err);
	if (rc)
		return rc;
	for (unsigned a = 0; a < plan->nodes; a++) {
		for (unsigned b = 0; b < plan->nodes; b++) {
			struct link_state *to = link_matrix_at(&want, a, b);
			const struct link_state *base = link_matrix_at(&plan->base, a, b);

			if (a == b || (r->args == 2 && !shape_cuts(&between, a, b)))
				continue;
			if (links)
				*to = *base;
			to->cut = CUT_NONE;
		}
		if (links && r->args == 1)
			want.down[a] = plan->base.down[a];
	}
	rc = change_links(r, &want, "heal", r->args == 2 ? r->arg[1] : "all links", err);
	link_matrix_fini(&want);
	return rc;
}

/* Every link of @shape by one change; none is changed if one cannot be. */
static int change_all(const struct plan *plan, const struct shape *shape,
	const struct link_change *change, struct link_matrix *want, struct err *err)
{
	for (unsigned a = 0; a < plan->nodes; a++) {
		for (unsigned b = 0; b < plan->nodes; b++) {
			struct link_state *to = link_matrix_at(want, a, b);

			if (!shape_cuts(shape, a, b))
				continue;
			link_change_apply(change, 0, to);
			if (link_words_check(to, err))
				return err_wrap(err, "link %s > %s", plan->node[a].name,
					plan->node[b].name);
		}
	}
	return 0;
}

/* link one-way|both A B WORDS */
static int serve_link(const struct request *r, struct err *err)
{
	const struct plan *plan = r->s->plan;
	bool one_way = r->args > 0 && strcmp(r->arg[0], "one-way") == 0;
	struct shape shape = {.one_way = one_way};
	struct link_change change;
	struct link_matrix want;
	char what[WHAT_MAX];
	int rc;

	if (r->args != 4)
		return err_usage(err, "write it like: link n1 n2 delay 20ms jitter 2ms loss 1%%");
	rc = link_change_read(r->arg[3], &change, err);
	for (unsigned i = 1; i <= 2 && !rc; i++)
		rc = select_group(plan, r->arg[i], i, shape.group_of, err);
	if (!rc)
		rc = matrix_begin(r, &want, err);
	if (rc)
		return rc;
	rc = change_all(plan, &shape, &change, &want, err);
	(void)snprintf(what, sizeof what, "%s %s %s (one way%s): %s", r->arg[1],
		one_way ? "->" : "<->", r->arg[2], one_way ? "" : ", each direction", r->arg[3]);
	if (!rc)
		rc = change_links(r, &want, "link", what, err);
	link_matrix_fini(&want);
	return rc;
}

/* carrier NODES down|up */
static int serve_carrier(const struct request *r, struct err *err)
{
	const struct plan *plan = r->s->plan;
	struct shape nodes = {0};
	struct link_matrix want;
	bool down;
	int rc;

	if (r->args != 2 || (strcmp(r->arg[1], "down") != 0 && strcmp(r->arg[1], "up") != 0))
		return err_usage(err, "write it like: link n1 down");
	down = strcmp(r->arg[1], "down") == 0;
	rc = select_group(plan, r->arg[0], 1, nodes.group_of, err);
	if (!rc)
		rc = matrix_begin(r, &want, err);
	if (rc)
		return rc;
	for (unsigned i = 0; i < plan->nodes; i++) {
		if (nodes.group_of[i])
			want.down[i] = down;
	}
	rc = change_links(r, &want, r->arg[1], r->arg[0], err);
	link_matrix_fini(&want);
	return rc;
}

/* The node of a request of @args arguments. */
static int node_arg(const struct request *r, unsigned args, struct err *err)
{
	int node;

	if (r->args != args)
		return err_usage(err, "name one node");
	node = plan_node_find(r->s->plan, r->arg[0]);
	return node >= 0 ? node : fail_no_node(r->arg[0], err);
}

static int strike(const struct request *r, enum plan_event_kind kind, struct err *err)
{
	int node = node_arg(r, kind == PLAN_SKEW ? 2 : 1, err);
	struct plan_event event = {.kind = kind, .node = (uint16_t)node};
	struct run_fault fault;
	int rc;

	if (node < 0)
		return node;
	if (kind == PLAN_SKEW && units_parse_offset(r->arg[1], &event.skew_ns, err))
		return -EINVAL;
	rc = nemesis_strike(r->s, &event, &fault, err);
	return rc ? rc : fault_answer(r, &fault, r->arg[0]);
}

static int serve_kill(const struct request *r, struct err *err)
{
	return strike(r, PLAN_KILL, err);
}

static int serve_restart(const struct request *r, struct err *err)
{
	return strike(r, PLAN_RESTART, err);
}

static int serve_pause(const struct request *r, struct err *err)
{
	return strike(r, PLAN_PAUSE, err);
}

static int serve_resume(const struct request *r, struct err *err)
{
	return strike(r, PLAN_RESUME, err);
}

/* skew NODE TIME */
static int serve_skew(const struct request *r, struct err *err)
{
	if (r->args != 2)
		return err_usage(err, "how far? write it like: n1 500ms");
	return strike(r, PLAN_SKEW, err);
}

static int serve_status(const struct request *r, struct err *err)
{
	(void)err;
	if (r->json)
		status_json(r->s, r->out);
	else
		status_text(r->s, r->out);
	return 0;
}

/* matrix [FIELD] */
static int serve_matrix(const struct request *r, struct err *err)
{
	if (r->json)
		show_json(r->s, r->out);
	else
		return show_text(r->s, r->args ? r->arg[0] : NULL, r->out, err);
	return 0;
}

/* Always JSON; along with it goes the memory that the load counts in, if there is a load. */
static int serve_live(const struct request *r, struct err *err)
{
	(void)err;
	live_json(r->s, r->out);
	*r->fd = r->s->load_fd;
	return 0;
}

/* The first process of a node, as a descriptor: its number could be another's by then. */
static int serve_enter(const struct request *r, struct err *err)
{
	int node = node_arg(r, 1, err);

	if (node < 0)
		return node;
	*r->fd = r->s->node[node].source.fd;
	fprintf(r->out, "%s", r->s->names.lab);
	return 0;
}

static int serve_down(const struct request *r, struct err *err)
{
	(void)err;
	r->s->down = true;
	fprintf(r->out, "%s", r->s->names.lab);
	return 0;
}

static const struct verb {
	const char *name;
	int (*serve)(const struct request *r, struct err *err);
	bool harms; /* changes the lab: not while a script does */
} verbs[] = {
	{"status", serve_status, false},
	{"matrix", serve_matrix, false},
	{"live", serve_live, false},
	{"enter", serve_enter, false},
	{"down", serve_down, false},
	{"cut", serve_cut, true},
	{"link", serve_link, true},
	{"carrier", serve_carrier, true},
	{"heal", serve_heal, true},
	{"kill", serve_kill, true},
	{"restart", serve_restart, true},
	{"pause", serve_pause, true},
	{"resume", serve_resume, true},
	{"skew", serve_skew, true},
};

int requests_serve(void *ctx, char **word, unsigned words, FILE *out, int *ret_fd, struct err *err)
{
	struct supervisor *s = ctx;
	struct request r = {.s = s, .out = out, .fd = ret_fd};

	if (words < 2)
		return err_usage(err, "malformed request");
	r.json = strcmp(word[1], "json") == 0;
	r.arg = word + 2;
	r.args = words - 2;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (strcmp(verbs[i].name, word[0]) != 0)
			continue;
		if (verbs[i].harms && s->options.scripted)
			return err_usage(err,
				"lab '%s' runs a script, which alone decides what happens to it; "
				"'pacelab up' makes one to play with",
				s->names.lab);
		if (verbs[i].harms && !s->ready_ns)
			return err_usage(err, "lab '%s' is still starting", s->names.lab);
		return verbs[i].serve(&r, err);
	}
	return err_usage(err, "unknown request '%.32s'", word[0]);
}
