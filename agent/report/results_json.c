/* SPDX-License-Identifier: MIT */
/* results_json.c - results.json: every number of a run for programs; README.md has the table */
#include <math.h>

#include "agent/base/json.h"
#include "agent/base/units.h"
#include "agent/base/version.h"
#include "agent/lab/groups.h"
#include "agent/lab/real.h"
#include "agent/report/parts.h"
#include "netns/link_words.h"

#define RESULTS_JSON_VERSION 1

static void put_string(struct json *j, const char *key, const char *value)
{
	json_key(j, key);
	json_string(j, value);
}

static void put_uint(struct json *j, const char *key, uint64_t value)
{
	json_key(j, key);
	json_uint(j, value);
}

static void put_double(struct json *j, const char *key, double value)
{
	json_key(j, key);
	json_double(j, value);
}

static void put_bool(struct json *j, const char *key, bool value)
{
	json_key(j, key);
	json_bool(j, value);
}

/* Times of the run count from its start; what came before is negative. */
static void put_time(struct json *j, const char *key, const struct run_log *log, uint64_t t_ns)
{
	json_key(j, key);
	json_int(j, (int64_t)(t_ns - log->t_start_ns));
}

static void put_nodes(struct json *j, const struct plan *plan)
{
	json_key(j, "nodes");
	json_array(j);
	for (unsigned i = 0; i < plan->nodes; i++) {
		json_object(j);
		put_string(j, "name", plan->node[i].name);
		put_string(j, "role", plan->node[i].role == PLAN_REPLICA ? "replica" : "client");
		put_string(j, "site", plan->site[plan->node[i].site].name);
		json_object_end(j);
	}
	json_array_end(j);
}

/* Links of @m that do not do as @base says, or anything at all; those alike as one. */
static void put_links(struct json *j, const char *key, const struct plan *plan,
	const struct link_matrix *m, const struct link_matrix *base)
{
	struct link_group group[GROUPS_MAX];
	char words[LINK_WORDS_TEXT_MAX];
	unsigned others;
	unsigned n = link_groups(m, base, group, &others);

	json_key(j, key);
	json_array(j);
	for (unsigned i = 0; i < n; i++) {
		json_object(j);
		put_string(j, "words", link_words_print(&group[i].state, words));
		put_string(j, "cut", link_cut_names[group[i].state.cut]);
		put_uint(j, "links", group[i].links);
		put_string(j, "from", plan->node[group[i].from].name);
		put_string(j, "to", plan->node[group[i].to].name);
		json_object_end(j);
	}
	json_array_end(j);
}

static void put_down(struct json *j, const struct plan *plan, const struct link_matrix *m)
{
	json_key(j, "down");
	json_array(j);
	for (unsigned i = 0; i < m->nodes; i++) {
		if (m->down[i])
			json_string(j, plan->node[i].name);
	}
	json_array_end(j);
}

/* One-way delays of the lab without faults; rows are sources, in the order of nodes. */
static void put_matrix(struct json *j, const struct plan *plan)
{
	json_key(j, "matrix");
	json_object(j);
	json_key(j, "delay_ms");
	json_array(j);
	for (unsigned src = 0; src < plan->nodes; src++) {
		json_array(j);
		for (unsigned dst = 0; dst < plan->nodes; dst++)
			json_double(j, units_ms(link_matrix_at(&plan->base, src, dst)->delay_ns));
		json_array_end(j);
	}
	json_array_end(j);
	put_links(j, "links", plan, &plan->base, NULL);
	json_object_end(j);
}

static void put_settings(struct json *j, const struct plan *plan)
{
	const struct plan_load *load = &plan->load;

	json_key(j, "settings");
	json_object(j);
	put_string(j, "protocol", plan->system->ops->name);
	put_string(j, "read_level", proto_level_names[plan->proto.read_level]);
	put_string(j, "write_level", proto_level_names[plan->proto.write_level]);
	put_string(j, "fsync", wal_sync_names[plan->fsync]);
	put_double(j, "request_timeout_ms", units_ms(plan->proto.request_timeout_ns));
	put_uint(j, "clients_per_site", load->clients_per_site);
	put_double(j, "rate", load->rate);
	put_uint(j, "keys", load->keys);
	put_uint(j, "read_percent", load->read);
	put_uint(j, "write_percent", load->write);
	put_uint(j, "cas_percent", load->cas);
	put_uint(j, "roam_percent", load->roam);
	put_double(j, "deadline_ms", units_ms(load->deadline_ns));
	json_object_end(j);
}

static void put_latency(struct json *j, const char *key, const struct results_latency *l)
{
	json_key(j, key);
	json_object(j);
	put_uint(j, "count", l->count);
	put_double(j, "p50_ms", l->p50_ms);
	put_double(j, "p90_ms", l->p90_ms);
	put_double(j, "p99_ms", l->p99_ms);
	put_double(j, "p999_ms", l->p999_ms);
	put_double(j, "max_ms", l->max_ms);
	put_double(j, "floor_ms", l->floor_ms);
	json_object_end(j);
}

static void put_side(struct json *j, const struct results *r, unsigned p, unsigned s)
{
	const struct plan *plan = r->plan;
	const struct results_side *side = &r->phase[p].side[s];

	json_object(j);
	put_string(j, "name", plan->phase[p].side[s].name);
	json_key(j, "nodes");
	json_array(j);
	for (unsigned i = 0; i < plan->nodes; i++)
		if (plan->phase[p].side_of[i] == s)
			json_string(j, plan->node[i].name);
	json_array_end(j);
	put_uint(j, "replicas", plan->phase[p].side[s].replicas);
	put_uint(j, "attempts", side->attempts);
	put_uint(j, "ok", side->ok);
	put_uint(j, "reads", side->reads);
	put_uint(j, "reads_ok", side->reads_ok);
	put_uint(j, "writes", side->writes);
	put_uint(j, "writes_ok", side->writes_ok);
	put_uint(j, "stranded", side->stranded);
	put_uint(j, "hung", side->hung);
	json_object_end(j);
}

static void put_phase(struct json *j, const struct results *r, unsigned p)
{
	const struct plan_phase *plan = &r->plan->phase[p];
	const struct results_phase *phase = &r->phase[p];

	json_object(j);
	put_string(j, "name", plan->name);
	put_string(j, "what", plan->what);
	put_string(j, "say", plan->say ? plan->say : "");
	put_time(j, "t_begin_ns", r->log, r->log->phase[p].t_begin_ns);
	put_double(j, "seconds", phase->seconds);
	put_bool(j, "cut", plan->cut);
	put_links(j, "links", r->plan, &plan->matrix, &r->plan->base);
	put_down(j, r->plan, &plan->matrix);
	put_bool(j, "warmup", plan->warmup);
	json_key(j, "profile");
	if (plan->profile)
		json_string(j, plan->profile);
	else
		json_null(j);
	put_double(j, "fit_rtt_ms", plan->fit_rtt_ns > 0 ? units_ms(plan->fit_rtt_ns) : NAN);
	put_bool(j, "confirmed", phase->confirmed);
	put_uint(j, "ok", phase->ok);
	put_uint(j, "failed", phase->failed);
	put_uint(j, "unknown", phase->unknown);
	put_uint(j, "caught", phase->caught);
	json_key(j, "latency");
	json_object(j);
	put_latency(j, "read", &phase->read);
	put_latency(j, "write", &phase->write);
	json_object_end(j);
	json_key(j, "sides");
	json_array(j);
	for (unsigned s = 0; s < plan->sides; s++)
		put_side(j, r, p, s);
	json_array_end(j);
	json_object_end(j);
}

static void put_fault(struct json *j, const struct results *r, const struct run_fault *f)
{
	const struct evidence *e = &f->evidence;
	bool matrix = f->node < 0;

	json_object(j);
	put_string(j, "kind", f->kind);
	put_string(j, "phase", r->plan->phase[f->phase].name);
	json_key(j, "node");
	if (matrix)
		json_null(j);
	else
		json_string(j, r->plan->node[f->node].name);
	json_key(j, "cut");
	if (f->cuts)
		json_string(j, run_cut_name(f));
	else
		json_null(j);
	put_uint(j, "links", f->links);
	put_uint(j, "carriers", f->downs);
	put_time(j, "t_request_ns", r->log, f->t_request_ns);
	put_time(j, "t_first_ns", r->log, f->t_first_ns);
	put_time(j, "t_last_ns", r->log, f->t_last_ns);
	put_bool(j, "atomic", f->atomic);
	if (r->log->simulated.is)
		put_string(j, "evidence", RUN_SIMULATED);
	else if (matrix)
		put_string(j, "evidence",
			f->judged ? evidence_result_names[e->result]
				  : evidence_result_names[EVIDENCE_INCONCLUSIVE]);
	else
		put_string(j, "evidence",
			evidence_result_names[f->judged ? EVIDENCE_CONFIRMED : EVIDENCE_MISMATCH]);
	put_string(j, "why", e->why);
	put_double(j, "skew_ms", (double)f->skew_ns / 1e6);
	put_uint(j, "records_recovered", f->recovered);
	put_double(
		j, "caught_up_s", f->caught_up_ns == UINT64_MAX ? NAN : units_s(f->caught_up_ns));
	put_uint(j, "packets_crossed", e->packets_crossed);
	put_uint(j, "packets_dropped", e->packets_dropped);
	put_double(j, "rtt_ms_configured",
		e->rtt_configured_ns > 0 ? units_ms(e->rtt_configured_ns) : NAN);
	put_double(j, "rtt_ms_measured",
		e->rtt_configured_ns > 0 ? units_ms(e->rtt_measured_ns) : NAN);
	json_object_end(j);
}

static void put_check_value(struct json *j, const char *model, const struct check_result *c)
{
	json_object(j);
	put_string(j, "model", model);
	put_string(j, "result", check_verdict_names[c->verdict]);
	put_uint(j, "operations", c->operations);
	put_uint(j, "keys", c->keys);
	put_double(j, "seconds", c->seconds);
	json_key(j, "witness");
	if (c->words[0])
		json_string(j, c->words);
	else
		json_null(j);
	json_object_end(j);
}

static void put_check(
	struct json *j, const char *key, const char *model, const struct check_result *c)
{
	json_key(j, key);
	put_check_value(j, model, c);
}

static void put_check_expected(struct json *j, const struct results *r)
{
	json_key(j, "check_expected");
	json_array(j);
	for (unsigned i = 0; i < r->expecteds; i++)
		put_check_value(j, r->expected[i].model, &r->expected[i].check);
	json_array_end(j);
}

static void put_claimed(struct json *j, const char *key, const struct results_claimed *c)
{
	if (c->model) {
		put_check(j, key, c->model, &c->check);
		return;
	}
	json_key(j, key);
	json_null(j);
}

static void put_models(struct json *j, const char *key, const struct results_models *m)
{
	json_key(j, key);
	if (!m->judged) {
		json_null(j);
		return;
	}
	json_object(j);
	put_string(j, "kept", m->kept);
	put_string(j, "broken", m->broken);
	put_string(j, "unknown", m->unknown);
	json_object_end(j);
}

static void put_lost(struct json *j, const struct check_lost *lost)
{
	json_key(j, "lost_writes");
	json_object(j);
	put_uint(j, "acknowledged", lost->acknowledged);
	put_uint(j, "lost", lost->lost);
	put_uint(j, "keys_without_final_read", lost->keys_without_final_read);
	put_uint(j, "diverged_keys", lost->diverged_keys);
	put_string(j, "first", lost->words);
	json_object_end(j);
}

static void put_fit(struct json *j, const char *key, const struct results_fit *fit)
{
	json_key(j, key);
	json_object(j);
	put_uint(j, "points", fit->points);
	put_double(j, "a_ms", fit->a_ms);
	put_double(j, "b", fit->b);
	put_double(j, "b_low", fit->b_low);
	put_double(j, "b_high", fit->b_high);
	put_double(j, "theory", fit->theory);
	json_object_end(j);
}

static void put_quality(struct json *j, const struct results *r)
{
	const struct run_log *log = r->log;
	const struct fabric_quality *q = &log->quality;
	bool known = q->late.count > 0;

	json_key(j, "quality");
	json_object(j);
	put_uint(j, "frames", q->late.count);
	put_double(j, "late_p50_ms", known ? units_ms(hist_quantile(&q->late, 0.5)) : NAN);
	put_double(j, "late_p99_ms", known ? units_ms(hist_quantile(&q->late, 0.99)) : NAN);
	put_double(j, "bias_ms", units_ms(q->bias_ns));
	put_uint(j, "lost", q->lost);
	put_bool(j, "realtime", q->realtime);
	put_double(j, "cpu_busy", log->cpu_busy);
	put_uint(j, "load_free", r->load.free);
	put_double(j, "load_late_p50_ms", r->load.late_p50_ms);
	put_double(j, "load_late_p99_ms", r->load.late_p99_ms);
	put_double(j, "load_waited",
		r->load.asked ? (double)r->load.waited / (double)r->load.asked : NAN);
	json_object_end(j);
}

static void put_conclusions(struct json *j, const struct results *r)
{
	json_key(j, "verdict");
	json_object(j);
	put_string(j, "cap", r->verdict.cap_text);
	put_string(j, "pacelc", r->verdict.pacelc_text);
	put_string(j, "words", r->verdict.words);
	json_object_end(j);
	json_key(j, "claim");
	json_object(j);
	put_bool(j, "kept", r->claim_kept);
	put_string(j, "words", r->claim);
	json_object_end(j);
	json_key(j, "expect");
	json_object(j);
	put_bool(j, "kept", r->expect_kept);
	put_string(j, "words", r->expect);
	json_object_end(j);
	put_bool(j, "tainted", r->tainted);
	put_string(j, "taint", r->taint);
	put_bool(j, "interrupted", r->log->interrupted);
	put_uint(j, "status", (uint64_t)r->status);
	put_string(j, "why", r->why);
}

/* What this is, if it is no run on real packets. */
static void put_simulation(struct json *j, const struct run_log *log)
{
	const struct run_simulated *s = &log->simulated;

	json_key(j, "simulation");
	if (!s->is) {
		json_null(j);
		return;
	}
	json_object(j);
	put_double(j, "hop_ms", units_ms(s->hop_ns));
	put_double(j, "wire_ms", units_ms(s->wire_ns));
	put_double(j, "disk_ms", units_ms(s->disk_ns));
	put_double(j, "wake_ms", units_ms(s->wake_ns));
	put_uint(j, "messages", s->messages);
	put_double(j, "took_s", units_s(s->took_ns));
	json_object_end(j);
}

static void put_real(struct json *j, const struct plan *plan)
{
	const struct real *real = plan->real;

	put_string(j, "driver", real->driver);
	put_string(j, "client", real->settings);
	put_string(j, "knobs", real->knobs);
	put_string(j, "like", real->like->name);
	put_string(j, "kept", real->kept);
	put_string(j, "differs", real->differs);
	put_string(j, "suited", plan->suited);
	json_key(j, "packages");
	json_array(j);
	for (unsigned i = 0; i < real->packages; i++)
		json_string(j, real->package[i]);
	json_array_end(j);
}

static void put_database(struct json *j, const struct results *r)
{
	const struct run_database *d = &r->log->database;

	json_key(j, "database");
	if (!r->plan->real) {
		json_null(j);
		return;
	}
	json_object(j);
	put_real(j, r->plan);
	put_double(j, "ready_s", units_s(d->ready_ns));
	json_key(j, "nodes");
	json_array(j);
	for (unsigned i = 0; i < r->plan->replicas; i++) {
		json_object(j);
		put_string(j, "name", r->plan->node[i].name);
		put_uint(j, "memory_bytes", d->memory[i]);
		json_object_end(j);
	}
	json_array_end(j);
	json_object_end(j);
}

/* The same lab in virtual time, beside this run. */
static void put_simulated(struct json *j, const struct results *r)
{
	const struct results *s = r->simulated;

	json_key(j, "simulated");
	if (!s) {
		json_null(j);
		return;
	}
	json_object(j);
	put_simulation(j, s->log);
	json_key(j, "phases");
	json_array(j);
	for (unsigned p = 0; p < s->log->phases; p++) {
		json_object(j);
		put_string(j, "name", s->plan->phase[p].name);
		json_key(j, "latency");
		json_object(j);
		put_latency(j, "read", &s->phase[p].read);
		put_latency(j, "write", &s->phase[p].write);
		json_object_end(j);
		json_object_end(j);
	}
	json_array_end(j);
	json_key(j, "round_trips");
	json_object(j);
	put_fit(j, "read", &s->read_fit);
	put_fit(j, "write", &s->write_fit);
	json_object_end(j);
	put_string(j, "pacelc", s->verdict.pacelc_text);
	put_uint(j, "status", (uint64_t)s->status);
	json_object_end(j);
}

static void put_run(struct json *j, const struct results *r)
{
	json_key(j, "phases");
	json_array(j);
	for (unsigned p = 0; p < r->log->phases; p++)
		put_phase(j, r, p);
	json_array_end(j);
	json_key(j, "faults");
	json_array(j);
	for (unsigned i = 0; i < r->log->faults; i++)
		put_fault(j, r, &r->log->fault[i]);
	json_array_end(j);
	put_check(j, "check", r->model, &r->check);
	put_check(j, "check_whole", r->model, &r->check_whole);
	put_check_expected(j, r);
	put_claimed(j, "check_claimed_whole", &r->claimed_whole);
	put_claimed(j, "check_claimed_cut", &r->claimed_cut);
	put_claimed(j, "check_claimed_end", &r->claimed_end);
	put_models(j, "models_whole", &r->models_whole);
	put_models(j, "models_cut", &r->models_cut);
	put_lost(j, &r->lost);
	json_key(j, "stale");
	json_object(j);
	put_uint(j, "reads", r->reads);
	put_uint(j, "stale", r->stale);
	put_uint(j, "versions_behind", r->stale_behind);
	put_double(j, "oldest_s", units_s(r->oldest_ns));
	put_double(j, "oldest_whole_s", units_s(r->oldest_whole_ns));
	json_object_end(j);
	json_key(j, "recovery");
	json_object(j);
	put_double(j, "unavailable_s", r->unavailable_s);
	put_double(j, "heal_outage_s", r->heal_outage_s);
	put_double(j, "recovered_s", r->recovered_s);
	put_double(j, "converged_s", r->converged_s);
	json_object_end(j);
	json_key(j, "round_trips");
	json_object(j);
	put_fit(j, "read", &r->read_fit);
	put_fit(j, "write", &r->write_fit);
	json_object_end(j);
	put_quality(j, r);
}

void results_json_print(const struct results *r, FILE *out)
{
	struct json j;

	json_init(&j, out);
	json_object(&j);
	put_uint(&j, "version", RESULTS_JSON_VERSION);
	put_string(&j, "pacelab", version);
	put_string(&j, "lab", r->plan->name);
	put_string(&j, "store", r->plan->system->name);
	put_uint(&j, "seed", r->plan->seed);
	put_string(&j, "emulator", r->log->emulator);
	put_string(&j, "kernel", r->log->kernel);
	put_simulation(&j, r->log);
	put_uint(&j, "t_start_ns", r->log->t_start_ns);
	put_double(&j, "build_ms", units_ms(r->log->build_ns));
	put_database(&j, r);
	put_nodes(&j, r->plan);
	put_matrix(&j, r->plan);
	put_settings(&j, r->plan);
	put_run(&j, r);
	json_key(&j, "local_costs");
	if (r->local_costs[0])
		json_string(&j, r->local_costs);
	else
		json_null(&j);
	put_string(&j, "closing", r->plan->closing ? r->plan->closing : "");
	put_conclusions(&j, r);
	put_simulated(&j, r);
	json_object_end(&j);
}
