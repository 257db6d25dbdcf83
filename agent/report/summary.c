/* SPDX-License-Identifier: MIT */
/* summary.c - a run in one line: read back from its results.json, to stand beside others */
#include "agent/report/summary.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What is wrong is noted once; then all else is empty. */
struct reader {
	const char *path;
	struct err *err;
	bool bad;
};

static void bad(struct reader *r, const char *where, const char *what)
{
	if (!r->bad)
		(void)err_set(r->err, -EBADMSG, EXIT_USAGE,
			"%s: '%s' %s: not the results.json of a run of this version; run the lab again",
			r->path, where, what);
	r->bad = true;
}

static const json_t *member(struct reader *r, const json_t *object, const char *key)
{
	const json_t *value = object ? json_object_get(object, key) : NULL;

	if (object && !value)
		bad(r, key, "is missing");
	return value;
}

static void text(struct reader *r, const json_t *object, const char *key, char *ret, size_t size)
{
	const json_t *value = member(r, object, key);
	const char *is = json_string_value(value);

	ret[0] = '\0';
	if (value && !json_is_null(value) && !is)
		bad(r, key, "is no text");
	if (is)
		(void)snprintf(ret, size, "%s", is);
}

static uint64_t count(struct reader *r, const json_t *object, const char *key)
{
	const json_t *value = member(r, object, key);

	if (value && (!json_is_integer(value) || json_integer_value(value) < 0))
		bad(r, key, "is no count");
	return value ? (uint64_t)json_integer_value(value) : 0;
}

static double number(struct reader *r, const json_t *object, const char *key)
{
	const json_t *value = member(r, object, key);

	if (value && !json_is_number(value) && !json_is_null(value))
		bad(r, key, "is no number");
	return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool yes(struct reader *r, const json_t *object, const char *key)
{
	const json_t *value = member(r, object, key);

	if (value && !json_is_boolean(value))
		bad(r, key, "is neither true nor false");
	return json_is_true(value);
}

static void strongest(struct reader *r, const json_t *top, const char *key, char *ret)
{
	const json_t *models = member(r, top, key);

	ret[0] = '\0';
	if (models && !json_is_null(models))
		text(r, models, "kept", ret, SUMMARY_MODELS_MAX);
}

/* The first phase whose cut has replicas on two sides. */
static const json_t *first_cut(struct reader *r, const json_t *top)
{
	const json_t *phases = member(r, top, "phases");
	const json_t *phase;
	size_t i;

	json_array_foreach(phases, i, phase)
	{
		unsigned with_replicas = 0;
		const json_t *side;
		size_t k;

		json_array_foreach(json_object_get(phase, "sides"), k, side) with_replicas +=
			count(r, side, "replicas") > 0;
		if (json_is_true(json_object_get(phase, "cut")) && with_replicas > 1)
			return phase;
	}
	return NULL;
}

static void sides(struct reader *r, const json_t *top, struct summary *ret)
{
	const json_t *phase = first_cut(r, top);
	const json_t *side;
	uint64_t most = 0;
	size_t i;

	ret->majority = NAN;
	ret->minority = NAN;
	json_array_foreach(json_object_get(phase, "sides"), i, side)
	{
		uint64_t replicas = count(r, side, "replicas");
		uint64_t asked = count(r, side, "attempts") + count(r, side, "hung");
		double share = asked ? (double)count(r, side, "ok") / (double)asked : NAN;

		if (replicas == 0)
			continue;
		if (replicas > most) {
			ret->minority = most ? ret->majority : ret->minority;
			ret->majority = share;
			most = replicas;
		} else if (!(ret->minority <= share)) {
			ret->minority = share;
		}
	}
}

static void latency_of(
	struct reader *r, const json_t *phase, const char *kind, struct summary_latency *ret)
{
	const json_t *latency = phase ? member(r, phase, "latency") : NULL;
	const json_t *of = member(r, latency, kind);

	*ret = (struct summary_latency){NAN, NAN, NAN, NAN};
	if (!of)
		return;
	ret->p50_ms = number(r, of, "p50_ms");
	ret->p99_ms = number(r, of, "p99_ms");
	ret->p999_ms = number(r, of, "p999_ms");
	ret->floor_ms = number(r, of, "floor_ms");
}

/* The phase @calm of the same lab in virtual time, if there is one. */
static void simulated(
	struct reader *r, const json_t *beside, const json_t *calm, struct summary *ret)
{
	const char *name = json_string_value(json_object_get(calm, "name"));
	const json_t *of = NULL;
	const json_t *phase;
	struct summary_latency l;
	size_t i;

	json_array_foreach(json_object_get(beside, "phases"), i, phase)
	{
		const char *is = json_string_value(member(r, phase, "name"));

		if (name && is && strcmp(name, is) == 0)
			of = phase;
	}
	latency_of(r, of, "read", &l);
	ret->read_simulated_ms = l.p50_ms;
	latency_of(r, of, "write", &l);
	ret->write_simulated_ms = l.p50_ms;
}

static void latency(struct reader *r, const json_t *top, struct summary *ret)
{
	const json_t *calm = NULL;
	const json_t *phase;
	size_t i;

	json_array_foreach(member(r, top, "phases"), i, phase)
	{
		struct summary_profile *p = &ret->profile[ret->profiles];

		if (json_is_string(member(r, phase, "profile"))) {
			if (ret->profiles == SUMMARY_PROFILES_MAX)
				continue;
			text(r, phase, "profile", p->name, sizeof p->name);
			latency_of(r, phase, "read", &p->read);
			latency_of(r, phase, "write", &p->write);
			ret->profiles++;
		} else if (!calm && json_is_null(member(r, phase, "fit_rtt_ms")) &&
			   !yes(r, phase, "cut") && !yes(r, phase, "warmup")) {
			calm = phase;
		}
	}
	latency_of(r, calm, "read", &ret->read);
	latency_of(r, calm, "write", &ret->write);
	simulated(r, member(r, top, "simulated"), calm, ret);
}

static void round_trips(struct reader *r, const json_t *fit, struct summary_trips *ret)
{
	*ret = (struct summary_trips){.paid = fit ? number(r, fit, "b") : NAN,
		.low = fit ? number(r, fit, "b_low") : NAN,
		.high = fit ? number(r, fit, "b_high") : NAN,
		.theory = fit ? number(r, fit, "theory") : NAN};
}

static void conclusions(struct reader *r, const json_t *top, struct summary *ret)
{
	const json_t *verdict = member(r, top, "verdict");
	const json_t *claim = member(r, top, "claim");

	text(r, verdict, "pacelc", ret->verdict, sizeof ret->verdict);
	text(r, verdict, "words", ret->words, sizeof ret->words);
	ret->claim_kept = yes(r, claim, "kept");
	text(r, claim, "words", ret->claim, sizeof ret->claim);
	text(r, member(r, top, "check"), "witness", ret->witness, sizeof ret->witness);
	ret->status = (unsigned)count(r, top, "status");
	text(r, top, "why", ret->why, sizeof ret->why);
}

static void database(struct reader *r, const json_t *top, struct summary *ret)
{
	const json_t *of = member(r, top, "database");
	const json_t *nodes;

	ret->ready_s = NAN;
	ret->memory_bytes = NAN;
	if (json_is_null(of))
		of = NULL;
	text(r, of, "like", ret->like, sizeof ret->like);
	text(r, of, "knobs", ret->knobs, sizeof ret->knobs);
	text(r, of, "suited", ret->suited, sizeof ret->suited);
	if (of)
		ret->ready_s = number(r, of, "ready_s");
	nodes = member(r, of, "nodes");
	for (size_t i = 0; i < json_array_size(nodes); i++)
		ret->memory_bytes = fmax(
			ret->memory_bytes, number(r, json_array_get(nodes, i), "memory_bytes"));
}

static void take(struct reader *r, const json_t *top, struct summary *ret)
{
	const json_t *lost;
	const json_t *trips;
	const json_t *recovery;

	text(r, top, "lab", ret->lab, sizeof ret->lab);
	text(r, top, "store", ret->store, sizeof ret->store);
	ret->seed = count(r, top, "seed");
	text(r, top, "local_costs", ret->local_costs, sizeof ret->local_costs);
	database(r, top, ret);
	lost = member(r, top, "lost_writes");
	trips = member(r, top, "round_trips");
	recovery = member(r, top, "recovery");
	strongest(r, top, "models_whole", ret->whole);
	strongest(r, top, "models_cut", ret->cut);
	sides(r, top, ret);
	latency(r, top, ret);
	ret->acknowledged = count(r, lost, "acknowledged");
	ret->lost = count(r, lost, "lost");
	round_trips(r, member(r, trips, "read"), &ret->read_trips);
	round_trips(r, member(r, trips, "write"), &ret->write_trips);
	ret->unavailable_s = number(r, recovery, "unavailable_s");
	ret->recovered_s = number(r, recovery, "recovered_s");
	ret->converged_s = number(r, recovery, "converged_s");
	ret->tainted = yes(r, top, "tainted");
	conclusions(r, top, ret);
}

int summary_load(json_t **ret, const char *path, struct err *err)
{
	json_error_t why;
	struct stat st;

	*ret = NULL;
	if (stat(path, &st))
		return err_sys(err, -errno, "read %s", path);
	if (st.st_size > SUMMARY_BYTES_MAX)
		return err_set(err, -EBADMSG, EXIT_USAGE, "%s: longer than %u MiB: no results.json",
			path, SUMMARY_BYTES_MAX >> 20);
	*ret = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
	if (!*ret)
		return err_set(err, -EBADMSG, EXIT_USAGE, "%s:%d: %s", path, why.line, why.text);
	return 0;
}

int summary_read(struct summary *ret, const char *path, struct err *err)
{
	struct reader r = {.path = path, .err = err};
	json_t *top;
	int rc;

	*ret = (struct summary){.seed = 0};
	rc = summary_load(&top, path, err);
	if (rc)
		return rc;
	if (!json_is_object(top))
		bad(&r, "results.json", "is no object");
	else
		take(&r, top, ret);
	json_decref(top);
	return r.bad ? -EBADMSG : 0;
}

/* What is added to. */
struct numbers {
	struct summary_number *to;
	unsigned n;
};

static void add(struct numbers *all, const char *name, double *number)
{
	struct summary_number *to = &all->to[all->n++];

	*to = (struct summary_number){.number = number};
	(void)snprintf(to->name, sizeof to->name, "%s", name);
}

static void add_count(struct numbers *all, const char *name, uint64_t *count)
{
	add(all, name, NULL);
	all->to[all->n - 1].count = count;
}

/* @of stands before each name: the profile, or nothing. */
static void add_latency(
	struct numbers *all, const char *of, const char *kind, struct summary_latency *l)
{
	char name[SUMMARY_NUMBER_NAME_MAX];
	struct {
		const char *name;
		double *number;
	} each[] = {{"p50", &l->p50_ms}, {"p99", &l->p99_ms}, {"p999", &l->p999_ms},
		{"floor", &l->floor_ms}};

	for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
		(void)snprintf(
			name, sizeof name, "%s%s%s_%s_ms", of, *of ? "_" : "", kind, each[i].name);
		add(all, name, each[i].number);
	}
}

static void add_trips(struct numbers *all, const char *kind, struct summary_trips *t)
{
	char name[SUMMARY_NUMBER_NAME_MAX];
	struct {
		const char *name;
		double *number;
	} each[] = {
		{"", &t->paid}, {"_low", &t->low}, {"_high", &t->high}, {"_theory", &t->theory}};

	for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
		(void)snprintf(name, sizeof name, "%s_round_trips%s", kind, each[i].name);
		add(all, name, each[i].number);
	}
}

unsigned summary_numbers(struct summary *s, struct summary_number ret[SUMMARY_NUMBERS_MAX])
{
	struct numbers all = {.to = ret};

	add(&all, "majority", &s->majority);
	add(&all, "minority", &s->minority);
	add_count(&all, "acknowledged", &s->acknowledged);
	add_count(&all, "lost", &s->lost);
	add_latency(&all, "", "read", &s->read);
	add_latency(&all, "", "write", &s->write);
	add(&all, "read_simulated_ms", &s->read_simulated_ms);
	add(&all, "write_simulated_ms", &s->write_simulated_ms);
	add_trips(&all, "read", &s->read_trips);
	add_trips(&all, "write", &s->write_trips);
	add(&all, "unavailable_s", &s->unavailable_s);
	add(&all, "recovered_s", &s->recovered_s);
	add(&all, "converged_s", &s->converged_s);
	add(&all, "ready_s", &s->ready_s);
	add(&all, "memory_bytes", &s->memory_bytes);
	for (unsigned i = 0; i < s->profiles; i++) {
		add_latency(&all, s->profile[i].name, "read", &s->profile[i].read);
		add_latency(&all, s->profile[i].name, "write", &s->profile[i].write);
	}
	return all.n;
}

double summary_number_value(const struct summary_number *n)
{
	return n->count ? (double)*n->count : *n->number;
}
