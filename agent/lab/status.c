/* SPDX-License-Identifier: MIT */
/* status.c - a lab that is up, for people and as JSON */
#include "agent/lab/status.h"

#include <arpa/inet.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/json.h"
#include "agent/base/units.h"

#define STATE_MAX 256

struct links {
	unsigned all;
	unsigned cut;
	uint64_t delay_min_ns;
	uint64_t delay_max_ns;
};

static struct links links_count(const struct link_matrix *m)
{
	struct links l = {.delay_min_ns = UINT64_MAX};

	for (unsigned a = 0; a < m->nodes; a++) {
		for (unsigned b = 0; b < m->nodes; b++) {
			const struct link_state *link = link_matrix_at(m, a, b);

			if (a == b)
				continue;
			l.all++;
			l.cut += link->cut != CUT_NONE;
			if (link->delay_ns < l.delay_min_ns)
				l.delay_min_ns = link->delay_ns;
			if (link->delay_ns > l.delay_max_ns)
				l.delay_max_ns = link->delay_ns;
		}
	}
	return l;
}

static void replica_words(const struct supervisor *s, unsigned i, char out[STATE_MAX])
{
	const struct member *m = &s->replica[i];
	const struct watch_view *v = watchers_view(s->watchers, i);
	char term[32] = "";

	if (!m->runs && m->pid)
		member_words(m, out, STATE_MAX);
	else if (!m->runs)
		(void)snprintf(out, STATE_MAX, "not started");
	else if (m->paused)
		(void)snprintf(out, STATE_MAX, "paused");
	else if (!v->t_ns)
		(void)snprintf(out, STATE_MAX, "starting");
	else {
		if (v->term)
			(void)snprintf(
				term, sizeof term, ", term %llu", (unsigned long long)v->term);
		if (s->plan->real)
			(void)snprintf(out, STATE_MAX, "%s%s, %s, %.0f MB", v->role, term,
				v->ready ? "ready" : "not ready", (double)v->memory / 1e6);
		else
			(void)snprintf(out, STATE_MAX, "%s%s, %s, %llu keys", v->role, term,
				v->ready ? "ready" : "not ready", (unsigned long long)v->keys);
	}
}

static void address(const struct plan_node *node, char out[INET_ADDRSTRLEN])
{
	struct in_addr addr = {.s_addr = node->addr_be};

	if (!inet_ntop(AF_INET, &addr, out, INET_ADDRSTRLEN))
		*out = '\0';
}

void status_text(const struct supervisor *s, FILE *out)
{
	const struct plan *plan = s->plan;
	struct links l = links_count(fabric_matrix(s->fabric));
	uint64_t age = clock_now_ns() - s->t_start_ns;
	char span[32];
	char low[32];
	char high[32];

	fprintf(out, "lab %s · %s for %s · %u replicas in %u sites · store %s · emulator %s\n",
		s->names.lab, s->options.scripted ? "running a script" : "up",
		units_print_duration(
			age / NS_PER_S ? age / NS_PER_S * NS_PER_S : age, span, sizeof span),
		plan->replicas, plan->sites, plan->system->name, fabric_emulator_text(s->fabric));
	fprintf(out, "  %-15s %-15s %-12s %s\n", "node", "address", "site", "state");
	for (unsigned i = 0; i < plan->nodes; i++) {
		char state[STATE_MAX] = "client node";
		char addr[INET_ADDRSTRLEN];

		if (i < plan->replicas)
			replica_words(s, i, state);
		else if (s->node[i].paused)
			(void)snprintf(state, sizeof state, "client node, paused");
		address(&plan->node[i], addr);
		fprintf(out, "  %-15s %-15s %-12s %s\n", plan->node[i].name, addr,
			plan->site[plan->node[i].site].name, state);
	}
	fprintf(out, "  links: %u of %u cut, delays %s to %s one way ('pacelab link --show')\n",
		l.cut, l.all, units_print_duration(l.delay_min_ns, low, sizeof low),
		units_print_duration(l.delay_max_ns, high, sizeof high));
	fprintf(out, "  logs and data: %s\n", s->out.path);
}

static void node_json(const struct supervisor *s, unsigned i, struct json *j)
{
	const struct plan *plan = s->plan;
	const struct member *m = i < plan->replicas ? &s->replica[i] : NULL;
	char addr[INET_ADDRSTRLEN];

	json_object(j);
	json_key(j, "name");
	json_string(j, plan->node[i].name);
	json_key(j, "address");
	address(&plan->node[i], addr);
	json_string(j, addr);
	json_key(j, "site");
	json_string(j, plan->site[plan->node[i].site].name);
	json_key(j, "init_pid");
	json_int(j, s->node[i].pid);
	json_key(j, "paused");
	json_bool(j, s->node[i].paused);
	if (m) {
		const struct watch_view *v = watchers_view(s->watchers, i);

		json_key(j, "replica");
		json_object(j);
		json_key(j, "runs");
		json_bool(j, m->runs);
		json_key(j, "pid");
		json_int(j, m->pid);
		json_key(j, "role");
		json_string(j, v->role);
		json_key(j, "leader");
		json_int(j, v->leader);
		json_key(j, "term");
		json_uint(j, v->term);
		json_key(j, "ready");
		json_bool(j, v->ready);
		json_key(j, "keys");
		json_uint(j, v->keys);
		json_key(j, "memory_bytes");
		json_uint(j, v->memory);
		json_object_end(j);
	}
	json_object_end(j);
}

void status_json(const struct supervisor *s, FILE *out)
{
	const struct plan *plan = s->plan;
	struct links l = links_count(fabric_matrix(s->fabric));
	struct json j;

	json_init(&j, out);
	json_object(&j);
	json_key(&j, "lab");
	json_string(&j, s->names.lab);
	json_key(&j, "scripted");
	json_bool(&j, s->options.scripted);
	json_key(&j, "store");
	json_string(&j, plan->system->name);
	json_key(&j, "emulator");
	json_string(&j, fabric_emulator_text(s->fabric));
	json_key(&j, "up_s");
	json_double(&j, units_s(clock_now_ns() - s->t_start_ns));
	json_key(&j, "network_ms");
	json_double(&j, units_ms(fabric_build_ns(s->fabric)));
	json_key(&j, "links");
	json_uint(&j, l.all);
	json_key(&j, "links_cut");
	json_uint(&j, l.cut);
	json_key(&j, "results");
	json_string(&j, s->out.path);
	json_key(&j, "nodes");
	json_array(&j);
	for (unsigned i = 0; i < plan->nodes; i++)
		node_json(s, i, &j);
	json_array_end(&j);
	json_object_end(&j);
	fprintf(out, "\n");
}
