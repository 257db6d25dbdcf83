/* SPDX-License-Identifier: MIT */
/* plan_print.c - the expanded plan for people */
#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/units.h"
#include "agent/base/wrap.h"
#include "agent/lab/expect.h"
#include "agent/lab/groups.h"
#include "agent/lab/plan.h"
#include "agent/lab/real.h"
#include "netns/link_words.h"
#include "store/settings.h"

/* A table of delays with more columns would not fit a terminal: then sites stand in it. */
#define TABLE_NODES_MAX 12
/* Where what is told of a phase begins. */
#define SAY_INDENT 14
/* A client that is busy half of its time lets many operations wait. */
#define CLIENTS_ENOUGH 2.0

static void print_delay(FILE *out, const struct link_state *link)
{
	char text[48];

	if (link->jitter_ns)
		(void)snprintf(text, sizeof text, "%.4g+-%.3g", units_ms(link->delay_ns),
			units_ms(link->jitter_ns));
	else
		(void)snprintf(text, sizeof text, "%.4g", units_ms(link->delay_ns));
	(void)fprintf(out, " %10s", text);
}

/* Rows send, columns receive; only the nodes in @pick. */
static void print_table(const struct plan *plan, const unsigned *pick, unsigned count, FILE *out)
{
	(void)fprintf(out, "  %-16s", "");
	for (unsigned i = 0; i < count; i++)
		(void)fprintf(out, " %10.10s", plan->node[pick[i]].name);
	(void)fputc('\n', out);
	for (unsigned i = 0; i < count; i++) {
		(void)fprintf(out, "  %-16s", plan->node[pick[i]].name);
		for (unsigned k = 0; k < count; k++) {
			if (i == k)
				(void)fprintf(out, " %10s", "-");
			else
				print_delay(out, link_matrix_at(&plan->base, pick[i], pick[k]));
		}
		(void)fputc('\n', out);
	}
}

/* What the table does not show: all but delay and jitter. */
static void print_base_words(const struct plan *plan, FILE *out)
{
	struct link_group group[GROUPS_MAX];
	char words[LINK_WORDS_TEXT_MAX];
	unsigned others;
	unsigned n = link_groups(&plan->base, NULL, group, &others);

	for (unsigned i = 0; i < n; i++) {
		struct link_state rest = group[i].state;

		rest.delay_ns = rest.jitter_ns = 0;
		if (!link_state_same(&rest, &(struct link_state){0}))
			(void)fprintf(out, "  %u links like %s > %s: %s\n", group[i].links,
				plan->node[group[i].from].name, plan->node[group[i].to].name,
				link_words_print(&group[i].state, words));
	}
	if (others)
		(void)fprintf(out, "  %u links in other states\n", others);
}

static void print_matrix(const struct plan *plan, FILE *out)
{
	unsigned pick[FABRIC_NODES_MAX];
	unsigned count = 0;

	for (unsigned i = 0; plan->nodes <= TABLE_NODES_MAX && i < plan->nodes; i++)
		pick[count++] = i;
	for (unsigned i = 0; plan->nodes > TABLE_NODES_MAX && i < plan->sites; i++)
		pick[count++] = plan_contact(plan, i, 0);
	(void)fprintf(out, "\none-way delay in ms, rows to columns%s\n",
		plan->nodes > TABLE_NODES_MAX ? ", first node of each site" : "");
	print_table(plan, pick, count, out);
	print_base_words(plan, out);
}

static void print_nodes(const struct plan *plan, FILE *out)
{
	char addr[INET_ADDRSTRLEN];

	(void)fprintf(out, "\n%u replicas in %u sites, %u client nodes\n", plan->replicas,
		plan->sites, plan->nodes - plan->replicas);
	for (unsigned i = 0; i < plan->nodes; i++) {
		const struct plan_node *node = &plan->node[i];

		(void)inet_ntop(AF_INET, &node->addr_be, addr, sizeof addr);
		(void)fprintf(out, "  %-16s %-12s %-16s %s\n", node->name, addr,
			plan->site[node->site].name,
			node->role == PLAN_REPLICA ? "replica" : "clients");
	}
}

static void print_real(const struct plan *plan, FILE *out)
{
	const struct real *real = plan->real;
	struct proto_claim claim;
	char ready[32];

	real->like->ops->claim(&plan->proto, &claim);
	(void)fprintf(out, "store       %s: a real database (%s), driver %s%s%s\n", real->name,
		real->path, real->driver, real->settings[0] ? ", " : "", real->settings);
	(void)fprintf(out, "claims      as our %s%s%s: %s; when cut %s%s%s%s\n", real->like->name,
		real->model[0] ? ", " : "", real->model, proto_model_names[claim.whole],
		proto_model_names[claim.cut], claim.needs_wall ? "; while wall clocks agree" : "",
		real->apart ? "; its nodes may differ for good" : "",
		real->notices ? "; a cut it has to notice first" : "");
	(void)fprintf(out, "differs     %s\n", real->differs);
	if (real->knobs[0])
		(void)fprintf(out, "knobs       %s, of %s\n", real->knobs, real->choices);
	(void)fprintf(out, "leader      %s\n",
		!real->one_leader        ? "none"
		: plan->proto.leader < 0 ? "any"
					 : plan->node[plan->proto.leader].name);
	(void)fprintf(out, "timing      is ready within %s\n",
		units_print_duration(real->ready_ns, ready, sizeof ready));
	if (plan->suited[0])
		(void)fprintf(out, "suited      %s\n", plan->suited);
}

static void print_store(const struct plan *plan, FILE *out)
{
	const struct proto_config *proto = &plan->proto;
	static const char *const fsync_words[] = {
		[WAL_SYNC_ALWAYS] = "acknowledged means on disk",
		[WAL_SYNC_INTERVAL] = "on disk within a second",
		[WAL_SYNC_NONE] = "no fsync",
	};
	struct proto_claim claim;
	struct buf settings = {0};
	char a[32];
	char b[32];

	plan->system->ops->claim(proto, &claim);
	(void)fprintf(out, "store       %s: protocol %s, read %s, write %s, %s\n",
		plan->system->name, plan->system->ops->name, proto_level_names[proto->read_level],
		proto_level_names[proto->write_level], fsync_words[plan->fsync]);
	(void)fprintf(out, "claims      %s; when cut %s%s\n", proto_model_names[claim.whole],
		proto_model_names[claim.cut],
		claim.needs_clocks ? "; while clocks run alike"
		: claim.needs_wall ? "; while wall clocks agree"
				   : "");
	settings_print(&settings, proto, plan->system->ops);
	if (settings.len)
		(void)fprintf(out, "settings    %.*s\n", (int)settings.len, (char *)settings.p);
	buf_fini(&settings);
	(void)fprintf(out, "leader      %s\n",
		proto->leader < 0 ? "any" : plan->node[proto->leader].name);
	(void)fprintf(out, "timing      election %s to %s",
		units_print_duration(proto->election_min_ns, a, sizeof a),
		units_print_duration(proto->election_max_ns, b, sizeof b));
	(void)fprintf(out, ", heartbeat %s, gives up after %s\n",
		units_print_duration(proto->heartbeat_ns, a, sizeof a),
		units_print_duration(proto->request_timeout_ns, b, sizeof b));
}

/* What the clients can do if every operation takes the longest round trip, as a share of the rate.
 */
static double clients_can(const struct plan *plan)
{
	const struct plan_load *load = &plan->load;
	uint64_t longest = 0;

	for (unsigned i = 0; i < plan->phases; i++) {
		for (unsigned a = 0; a < plan->nodes; a++) {
			for (unsigned b = 0; b < a; b++) {
				uint64_t rtt = plan_rtt_ns(&plan->phase[i].matrix, a, b);

				longest = rtt > longest ? rtt : longest;
			}
		}
	}
	if (longest == 0)
		return INFINITY;
	return load->clients_per_site * plan->sites / units_s(longest) / load->rate;
}

static void print_load(const struct plan *plan, FILE *out)
{
	const struct plan_load *load = &plan->load;
	char deadline[32];

	(void)fprintf(out, "load        %s, %g operations/s, %u clients in each site, %u %s, ",
		plan_workload_names[load->workload], load->rate, load->clients_per_site, load->keys,
		load->workload == PLAN_BANK || load->workload == PLAN_PURSE ? "accounts"
		: load->workload == PLAN_LOCK                               ? "locks"
		: load->workload == PLAN_INVENTORY                          ? "items"
									    : "keys");
	(void)fprintf(out, "read %u %% write %u %% cas %u %%, deadline %s\n", load->read,
		load->write, load->cas,
		units_print_duration(load->deadline_ns, deadline, sizeof deadline));
	for (unsigned i = 0; i < plan->sites; i++)
		if (plan->site[i].own)
			(void)fprintf(out,
				"            of %s %g operations/s, read %u %% write %u %%, level %s\n",
				plan->site[i].name, load->rate * plan->site[i].share,
				plan->site[i].read, plan->site[i].write,
				proto_level_names[plan->site[i].level]);
	if (load->one_writer)
		(void)fprintf(out, "            each key has one writer\n");
	if (load->workload == PLAN_INVENTORY)
		(void)fprintf(out, "            %u of each item in stock\n", load->stock);
	if (load->roam)
		(void)fprintf(out,
			"            sessions roam: before %u %% of operations to another of the "
			"%u replicas\n",
			load->roam, plan->replicas);
	if (clients_can(plan) < CLIENTS_ENOUGH)
		(void)fprintf(out, "            too few clients: operations will wait for one, and "
				   "that wait is measured, too\n");
	if (plan->cas_moved)
		(void)fprintf(out, "            the store has no cas: its %u %% became writes\n",
			plan->cas_moved);
}

static void print_expect(const struct plan *plan, FILE *out)
{
	char words[EXPECT_WORDS_MAX];

	if (plan->stores > 0) {
		(void)fprintf(out, "meant for  ");
		for (unsigned i = 0; i < plan->stores; i++)
			(void)fprintf(out, " %s", plan->store[i]->name);
		(void)fputc('\n', out);
	}
	expect_words(&plan->expect, words, sizeof words);
	if (words[0])
		(void)fprintf(out, "expects     %s\n", words);
	else if (plan->foreign_store)
		(void)fprintf(out, "expects     nothing: the script says nothing of store %s\n",
			plan->system->name);
}

/* Which of a file each site stands in. */
static void print_regions(const struct plan *plan, FILE *out)
{
	for (unsigned i = 0; i < plan->sites; i++)
		if (plan->site[i].region[0])
			(void)fprintf(out, "%s%s is %s", i ? ", " : "\nregions     ",
				plan->site[i].name, plan->site[i].region);
	if (plan->sites && plan->site[0].region[0])
		(void)fputc('\n', out);
}

static void print_phases(const struct plan *plan, FILE *out)
{
	uint64_t at_ns = 0;
	bool cut = false;
	char text[32];

	(void)fprintf(out, "\nphases\n");
	for (unsigned i = 0; i < plan->phases; i++) {
		const struct plan_phase *phase = &plan->phase[i];

		(void)fprintf(out, "  %8.3f s  %-16s %-8s %s", units_s(at_ns), phase->name,
			units_print_duration(phase->duration_ns, text, sizeof text),
			phase->fit_rtt_ns ? "all sites equally far apart"
			: phase->profile  ? "all links between sites as of this profile"
			: phase->warmup   ? "checked, and left out of all figures"
					  : phase->what);
		for (unsigned k = 0; phase->sides > 1 && k < phase->sides; k++)
			(void)fprintf(out, "%s%s (%u of %u)",
				k ? " | " : "  sides: ", phase->side[k].name,
				phase->side[k].replicas, plan->replicas);
		(void)fputc('\n', out);
		if (phase->say)
			wrap_text(out, SAY_INDENT, WRAP_COLUMNS, phase->say);
		at_ns += phase->duration_ns;
		cut = cut || phase->cut;
	}
	(void)fprintf(out, "  %8.3f s  end\n", units_s(at_ns));
	if (plan->closing)
		wrap_text(out, SAY_INDENT, WRAP_COLUMNS, plan->closing);
	if (cut)
		(void)fprintf(out, "nodes that a cut does not name keep all their links\n");
}

void plan_print(const struct plan *plan, FILE *out)
{
	(void)fprintf(out, "lab         %s (%s)\n", plan->name, plan->path);
	(void)fprintf(out, "seed        %llu\n", (unsigned long long)plan->seed);
	(void)fprintf(out, "emulator    %s\n", emulator_kind_names[plan->emulator]);
	if (plan->real)
		print_real(plan, out);
	else
		print_store(plan, out);
	print_load(plan, out);
	print_expect(plan, out);
	print_nodes(plan, out);
	print_regions(plan, out);
	print_matrix(plan, out);
	print_phases(plan, out);
}
