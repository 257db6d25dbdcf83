/* SPDX-License-Identifier: MIT */
/* expand.c - from the statements of a script to a plan: nodes, matrix, store, load */
#include "agent/lab/expand.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/units.h"
#include "agent/history/history.h"
#include "agent/lab/distances.h"
#include "agent/lab/near.h"
#include "agent/lab/regions.h"
#include "agent/load/drivers/driver.h"

#define ADDRESS_NETWORK 0x0a630000u /* 10.99.0.0/16 */
/*
 * A client has one operation in flight. So that one seldom waits for its client, there are as
 * many as would be busy a fifth of the time, if each operation took three of the longest round
 * trips: one to the leader, one to a majority, one to spare.
 */
#define CLIENTS_ROUND_TRIPS 3
#define CLIENTS_SPARE 5
#define CLIENTS_MIN 4
#define LOAD_DEFAULT_RATE 100.0
#define LOAD_DEFAULT_KEYS 10
#define LOAD_DEFAULT_DEADLINE NS_PER_S
#define LOAD_DEFAULT_STOCK 100
/* Of distances that the command line names: a deadline that no protocol needs while all is well. */
#define DEADLINE_ROUND_TRIPS 10
/* Operations in one slot of a schedule, at the most: see lock.c. */
#define SLOT_OPERATIONS_MAX 3
#define SEED_DEFAULT 1
#define TIME_SCALE_MIN 0.001
#define TIME_SCALE_MAX 1000.0
/*
 * Elections: a timeout of ten times the longest round trip keeps a leader through a burst of slow
 * messages (Raft 5.6: broadcast time is an order of magnitude below the election timeout), and six
 * heartbeats fit into the shortest one.
 */
#define ELECTION_NS_MIN (300 * NS_PER_MS)
#define ELECTION_ROUND_TRIPS 10
#define HEARTBEATS_PER_ELECTION 6
/* Share of a client's deadline after which a replica gives up, so that the client still hears. */
#define REQUEST_TIMEOUT_SHARE 0.8

/* Names that interfaces and namespaces of a lab have already. */
static const char *const reserved[] = {
	"lo", "all", "default", "eth0", "switch", "bridge", "tap", "wire", "rest", NULL};

int expand_name(const struct script *script, const struct script_text *name, const char *what,
	size_t max, struct err *err)
{
	const char *text = name->text;

	if (strlen(text) > max)
		return script_fail(script, name->line, err,
			"%s '%s' has %zu bytes: %zu are the most", what, text, strlen(text), max);
	if (!isalnum((unsigned char)text[0]))
		return script_fail(script, name->line, err,
			"%s '%s' begins with '%c': begin with a letter or digit", what, text,
			text[0]);
	for (const char *p = text; *p; p++) {
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_')
			return script_fail(script, name->line, err,
				"%s '%s' has a '%c' in it: use letters, digits, '-' and '_'", what,
				text, *p);
	}
	return 0;
}

static int check_reserved(const struct script *s, const struct script_text *name, struct err *err)
{
	for (const char *const *r = reserved; *r; r++) {
		if (strcmp(name->text, *r) == 0)
			return script_fail(s, name->line, err,
				"the name '%s' is taken by the lab itself: use another", *r);
	}
	return 0;
}

int expand_select(const struct plan *plan, const struct script *script, int line, const char *word,
	bool *in, struct err *err)
{
	int node = plan_node_find(plan, word);
	int site = plan_site_find(plan, word);
	struct near near = near_to(word);
	char hint[96];
	int count = 0;

	if (node >= 0) {
		in[node] = true;
		return 1;
	}
	for (unsigned i = 0; site >= 0 && i < plan->nodes; i++) {
		if (plan->node[i].site != site)
			continue;
		in[i] = true;
		count++;
	}
	if (count > 0)
		return count;
	for (unsigned i = 0; i < plan->sites; i++)
		near_offer(&near, plan->site[i].name);
	for (unsigned i = 0; i < plan->nodes; i++)
		near_offer(&near, plan->node[i].name);
	near_text(&near, hint, sizeof hint);
	return script_fail(script, line, err, "no site or node is called '%s'%s", word,
		near.best ? hint : ": add it to a site()");
}

static int add_site(
	struct plan *plan, const struct script *s, const struct script_site *from, struct err *err)
{
	struct plan_site *site = &plan->site[plan->sites];
	int rc = expand_name(s, &from->name, "site", PLAN_NAME_MAX - 1, err);

	if (rc == 0)
		rc = check_reserved(s, &from->name, err);
	if (rc < 0)
		return rc;
	if (plan_site_find(plan, from->name.text) >= 0)
		return script_fail(s, from->name.line, err,
			"a second site '%s': give it another name, or put the nodes into one",
			from->name.text);
	for (unsigned i = 0; i < from->nodes; i++) {
		const struct script_text *name = &s->node[from->first + i];
		struct plan_node *node = &plan->node[plan->nodes];

		rc = expand_name(s, name, "node", FABRIC_NAME_MAX - 1, err);
		if (rc == 0)
			rc = check_reserved(s, name, err);
		if (rc < 0)
			return rc;
		if (plan_node_find(plan, name->text) >= 0)
			return script_fail(s, name->line, err,
				"a second node '%s': each node needs a name of its own",
				name->text);
		memcpy(node->name, name->text, sizeof node->name);
		node->role = PLAN_REPLICA;
		node->site = (uint16_t)plan->sites;
		plan->nodes++;
	}
	memcpy(site->name, from->name.text, sizeof site->name);
	plan->sites++;
	return 0;
}

/* One client node for each site, "c-<site>", behind all replicas. */
static int add_client_node(struct plan *plan, const struct script *s, unsigned i, struct err *err)
{
	struct plan_node *node = &plan->node[plan->nodes];
	int line = s->site[i].name.line;
	char name[FABRIC_NAME_MAX];
	int other;

	if (plan->nodes == FABRIC_NODES_MAX)
		return script_fail(s, line, err,
			"more than %d nodes with the client nodes: leave some out",
			FABRIC_NODES_MAX);
	(void)snprintf(name, sizeof name, "c-%.*s", FABRIC_NAME_MAX - 3, plan->site[i].name);
	other = plan_node_find(plan, name);
	if (other >= 0 && plan->node[other].role == PLAN_CLIENT)
		return script_fail(s, line, err,
			"sites '%s' and '%s' would both have a client node '%s': let their names "
			"differ in the first %d bytes",
			plan->site[plan->node[other].site].name, plan->site[i].name, name,
			FABRIC_NAME_MAX - 3);
	if (other >= 0)
		return script_fail(s, s->node[other].line, err,
			"node '%s' has the name of the client node of site '%s': give it another",
			name, plan->site[i].name);
	memcpy(node->name, name, sizeof node->name);
	node->role = PLAN_CLIENT;
	node->site = (uint16_t)i;
	plan->site[i].client = (uint16_t)plan->nodes;
	plan->nodes++;
	return 0;
}

static int expand_nodes(struct plan *plan, const struct script *s, struct err *err)
{
	int rc = 0;

	if (s->sites == 0)
		return script_fail(
			s, s->lines, err, "no site: add site(\"east\", {\"n1\", \"n2\", \"n3\"})");
	for (unsigned i = 0; i < s->sites && rc == 0; i++)
		rc = add_site(plan, s, &s->site[i], err);
	plan->replicas = plan->nodes;
	for (unsigned i = 0; i < s->sites && rc == 0; i++)
		rc = add_client_node(plan, s, i, err);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < plan->sites; i++) {
		if (plan_node_find(plan, plan->site[i].name) >= 0)
			return script_fail(s, s->site[i].name.line, err,
				"'%s' is a site and a node: a fault could mean either, rename one",
				plan->site[i].name);
	}
	for (unsigned i = 0; i < plan->nodes; i++)
		plan->node[i].addr_be = htonl(ADDRESS_NETWORK + i + 1);
	return 0;
}

/* The script has read the words; without other words on the link they are possible. */
static void apply_profile(const struct script_rule *rule, struct link_state *to)
{
	char text[SCRIPT_TEXT_MAX + 16];
	struct link_change change;

	(void)snprintf(text, sizeof text, "profile %s", rule->profile);
	if (link_change_read(text, &change, NULL) == 0)
		link_change_apply(&change, 0, to);
}

static void apply_rule(
	struct plan *plan, const struct script_rule *rule, unsigned from, unsigned to)
{
	struct link_state *there = link_matrix_at(&plan->base, from, to);
	struct link_state *back = link_matrix_at(&plan->base, to, from);

	switch (rule->kind) {
	case SCRIPT_RTT:
		there->delay_ns = rule->ns / 2;
		back->delay_ns = rule->ns / 2;
		break;
	case SCRIPT_DELAY:
		there->delay_ns = rule->ns;
		break;
	case SCRIPT_JITTER:
		there->jitter_ns = rule->ns;
		back->jitter_ns = rule->ns;
		break;
	case SCRIPT_PROFILE:
		apply_profile(rule, there);
		apply_profile(rule, back);
		break;
	case SCRIPT_RULE_KIND_NR:
		break;
	}
}

static int expand_rule(
	struct plan *plan, const struct script *s, const struct script_rule *rule, struct err *err)
{
	bool a[FABRIC_NODES_MAX] = {false};
	bool b[FABRIC_NODES_MAX] = {false};
	int na;
	int nb;

	if (!rule->a[0]) {
		for (unsigned i = 0; i < plan->nodes; i++)
			a[i] = b[i] = true;
		na = nb = (int)plan->nodes;
	} else {
		na = expand_select(plan, s, rule->line, rule->a, a, err);
		nb = na < 0 ? na : expand_select(plan, s, rule->line, rule->b, b, err);
	}
	if (nb < 0)
		return nb;
	if (na == 1 && rule->a[0] && strcmp(rule->a, rule->b) == 0)
		return script_fail(s, rule->line, err,
			"%s() from node '%s' to itself: name two nodes, or a site twice for the "
			"nodes inside it",
			script_rule_names[rule->kind], rule->a);
	for (unsigned from = 0; from < plan->nodes; from++) {
		for (unsigned to = 0; to < plan->nodes; to++) {
			if (a[from] && b[to] && from != to)
				apply_rule(plan, rule, from, to);
		}
	}
	return 0;
}

/* A packet cannot arrive before it was sent: jitter is at most the delay. */
static int check_jitter(const struct plan *plan, const struct script *s, struct err *err)
{
	for (unsigned from = 0; from < plan->nodes; from++) {
		for (unsigned to = 0; to < plan->nodes; to++) {
			const struct link_state *link = link_matrix_at(&plan->base, from, to);
			int line = s->lines;

			if (from == to || link->jitter_ns <= link->delay_ns)
				continue;
			for (unsigned i = 0; i < s->rules; i++) {
				if (s->rule[i].kind == SCRIPT_JITTER &&
					s->rule[i].ns == link->jitter_ns)
					line = s->rule[i].line;
			}
			return script_fail(s, line, err,
				"the jitter from '%s' to '%s' is larger than the one-way delay: "
				"make the delay at least as large",
				plan->node[from].name, plan->node[to].name);
		}
	}
	return 0;
}

/* Sites that say their region are as far apart as those are. */
static int expand_regions(struct plan *plan, const struct script *s, struct err *err)
{
	for (unsigned a = 0; a < plan->nodes; a++) {
		for (unsigned b = 0; b < plan->nodes; b++) {
			const struct script_site *from = &s->site[plan->node[a].site];
			const struct script_site *to = &s->site[plan->node[b].site];
			uint64_t rtt_ns;

			if (from == to || from->region < 0 || to->region < 0)
				continue;
			if (regions_rtt_ns((unsigned)from->region, (unsigned)to->region, &rtt_ns))
				return script_fail(s, to->name.line, err,
					"regions '%s' and '%s' are of two clouds, between which "
					"nothing was measured: take both from one",
					regions_list((unsigned)from->region, NULL)->name,
					regions_list((unsigned)to->region, NULL)->name);
			link_matrix_at(&plan->base, a, b)->delay_ns = rtt_ns / 2;
		}
	}
	return 0;
}

static int expand_base(struct plan *plan, const struct script *s,
	const struct plan_options *options, struct err *err)
{
	int rc = link_matrix_init(&plan->base, plan->nodes);

	if (rc < 0)
		return err_sys(err, rc, "matrix of %u nodes", plan->nodes);
	rc = expand_regions(plan, s, err);
	for (unsigned i = 0; i < s->rules && rc == 0; i++)
		rc = expand_rule(plan, s, &s->rule[i], err);
	if (rc == 0 && options->matrix)
		rc = distances_matrix(plan, options->matrix, err);
	return rc < 0 ? rc : check_jitter(plan, s, err);
}

static uint64_t longest_rtt_ns(const struct plan *plan, const struct link_matrix *matrix)
{
	uint64_t longest = 0;

	for (unsigned a = 0; a < plan->nodes; a++) {
		for (unsigned b = 0; b < a; b++) {
			uint64_t rtt = plan_rtt_ns(matrix, a, b);

			longest = rtt > longest ? rtt : longest;
		}
	}
	return longest;
}

static int expand_timing(struct plan *plan, const struct script *s, struct err *err)
{
	struct proto_config *proto = &plan->proto;
	uint64_t wanted = 0;

	for (unsigned i = 0; i < plan->phases; i++) {
		uint64_t rtt = longest_rtt_ns(plan, &plan->phase[i].matrix);

		if (rtt * ELECTION_ROUND_TRIPS > wanted)
			wanted = rtt * ELECTION_ROUND_TRIPS;
	}
	proto->election_min_ns = wanted > ELECTION_NS_MIN ? wanted : ELECTION_NS_MIN;
	proto->election_max_ns = 2 * proto->election_min_ns;
	if (s->store.election_min_ns) {
		proto->election_min_ns = s->store.election_min_ns;
		proto->election_max_ns = s->store.election_max_ns;
	}
	proto->heartbeat_ns = proto->election_min_ns / HEARTBEATS_PER_ELECTION;
	if (s->store.heartbeat_ns)
		proto->heartbeat_ns = s->store.heartbeat_ns;
	if (proto->heartbeat_ns >= proto->election_min_ns)
		return script_fail(s, s->store.name.line, err,
			"store: the heartbeat is not shorter than the election timeout, so that "
			"no leader would last: make it a sixth");
	proto->request_timeout_ns =
		(uint64_t)((double)plan->load.deadline_ns * REQUEST_TIMEOUT_SHARE);
	if (s->store.request_timeout_ns)
		proto->request_timeout_ns = s->store.request_timeout_ns;
	return 0;
}

/* Sums of shares are as exact as doubles are. */
#define SHARE_ERROR 1e-9

static int take_shares(struct plan_load *load, const struct script *s, struct err *err)
{
	const struct script_load *from = &s->load;

	load->read = load->write = 50;
	load->cas = 0;
	if (from->read != UINT64_MAX || from->write != UINT64_MAX || from->cas != UINT64_MAX) {
		load->read = from->read == UINT64_MAX ? 0 : (unsigned)from->read;
		load->write = from->write == UINT64_MAX ? 0 : (unsigned)from->write;
		load->cas = from->cas == UINT64_MAX ? 0 : (unsigned)from->cas;
	}
	if (load->read + load->write + load->cas != 100)
		return script_fail(s, from->line, err,
			"load: read %u + write %u + cas %u is %u per cent: make it 100", load->read,
			load->write, load->cas, load->read + load->write + load->cas);
	return 0;
}

static int take_workload(struct plan_load *load, const struct script *s, struct err *err)
{
	const char *name = s->load.workload;
	unsigned i = 0;

	while (name[0] && i < PLAN_WORKLOAD_NR && strcmp(name, plan_workload_names[i]) != 0)
		i++;
	if (i == PLAN_WORKLOAD_NR)
		return script_fail(s, s->load.line, err,
			"load: no workload is called '%s': there are register, list, set, counter, "
			"bank, transactions, lock, inventory and purse",
			name);
	load->workload = (enum plan_workload)i;
	if (load->workload != PLAN_REGISTER && load->cas > 0)
		return script_fail(s, s->load.line, err,
			"load: cas is for the workload register; make it 0 for a %s", name);
	if (load->workload == PLAN_BANK && (load->keys < 2 || load->keys > PLAN_ACCOUNTS_MAX))
		return script_fail(s, s->load.line, err,
			"load: keys are the accounts of a bank, 2 to %d of them, not %u",
			PLAN_ACCOUNTS_MAX, load->keys);
	if (load->workload == PLAN_PURSE && (load->keys < 2 || load->keys > PLAN_PURSE_MAX))
		return script_fail(s, s->load.line, err,
			"load: keys are the accounts in a purse, 2 to %d of them, not %u",
			PLAN_PURSE_MAX, load->keys);
	if (load->workload != PLAN_INVENTORY && s->load.stock)
		return script_fail(s, s->load.line, err,
			"load: stock is for the workload inventory; leave it out for a %s", name);
	load->stock = s->load.stock ? (unsigned)s->load.stock : LOAD_DEFAULT_STOCK;
	return 0;
}

static uint64_t longer(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static unsigned default_clients(const struct plan *plan, const struct script *s)
{
	uint64_t longest = longest_rtt_ns(plan, &plan->base);
	double clients;

	for (unsigned i = 0; i < s->fit.rtts; i++)
		longest = s->fit.rtt_ns[i] > longest ? s->fit.rtt_ns[i] : longest;
	longest = longer(longest, distances_longest_ns(s));
	clients = plan->load.rate / plan->sites * units_s(longest) * CLIENTS_ROUND_TRIPS *
		  CLIENTS_SPARE;
	if (clients < CLIENTS_MIN)
		return CLIENTS_MIN;
	return clients < PLAN_CLIENTS_PER_SITE_MAX ? (unsigned)clients : PLAN_CLIENTS_PER_SITE_MAX;
}

/* A decimal number of an option; strtod() alone would take "inf", "nan" and "0x1p3". */
static int parse_decimal(
	const char *option, const char *text, double min, double max, double *ret, struct err *err)
{
	char *end = NULL;

	if (strspn(text, "0123456789.") == strlen(text))
		*ret = strtod(text, &end);
	if (!end || end == text || *end || *ret < min || *ret > max)
		return err_usage(
			err, "%s: '%s' is not a number from %g to %g", option, text, min, max);
	return 0;
}

static int take_roam(
	struct plan_load *load, const struct plan *plan, const struct script *s, struct err *err)
{
	load->roam = (unsigned)s->load.roam;
	if (load->roam > 0 && plan->replicas < 2)
		return script_fail(s, s->load.line, err,
			"load: roam is %u %%, but there is one replica only: name more in site(), "
			"or leave roam out",
			load->roam);
	return 0;
}

static int expand_clients(struct plan *plan, const struct script *s,
	const struct script_clients *from, struct err *err)
{
	int i = plan_site_find(plan, from->site);
	struct plan_site *site = &plan->site[i < 0 ? 0 : i];
	int level = from->level[0] ? PROTO_LEVEL_NR : PROTO_DEFAULT;

	for (int l = 0; from->level[0] && l < PROTO_LEVEL_NR; l++)
		if (strcmp(from->level, proto_level_names[l]) == 0)
			level = l;
	if (i < 0)
		return script_fail(s, from->line, err,
			"clients: no site is called '%s': add it to a site()", from->site);
	if (site->own)
		return script_fail(
			s, from->line, err, "clients of '%s' were said already", from->site);
	if (from->share > 0 && from->read + from->write != 100)
		return script_fail(s, from->line, err,
			"clients: read %u + write %u is not 100 per cent: make it so",
			(unsigned)from->read, (unsigned)from->write);
	if (level == PROTO_LEVEL_NR)
		return script_fail(s, from->line, err,
			"clients: '%s' is not a level: one, two, three, quorum, all and lease are",
			from->level);
	site->own = true;
	site->share = (double)from->share / 100;
	site->read = (unsigned)from->read;
	site->write = (unsigned)from->write;
	site->level = (enum proto_level)level;
	return 0;
}

/* What the sites' own clients must agree on. */
static int expand_sites(struct plan *plan, const struct script *s, struct err *err)
{
	unsigned writers = 0;
	double share = 0;
	int rc = 0;

	for (unsigned i = 0; i < s->client_sites && rc == 0; i++)
		rc = expand_clients(plan, s, &s->clients[i], err);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < plan->sites; i++) {
		share += plan->site[i].own ? plan->site[i].share : 0;
		writers += plan_site_writes(plan, i) ? plan->load.clients_per_site : 0;
	}
	if (share > 1 + SHARE_ERROR)
		return script_fail(s, s->clients[s->client_sites - 1].line, err,
			"clients: the shares are %.0f in sum: 100 is the most", 100 * share);
	if (s->client_sites && plan->load.workload != PLAN_REGISTER)
		return script_fail(s, s->clients[0].line, err,
			"clients: sites of their own are for the workload register");
	if (plan->load.one_writer &&
		(plan->load.workload != PLAN_REGISTER || writers == 0 || plan->load.keys < writers))
		return script_fail(s, s->load.line, err,
			"load: one_writer needs the workload register and a key for each of the %u "
			"clients that write, keys are %u",
			writers, plan->load.keys);
	return 0;
}

static int expand_load(struct plan *plan, const struct script *s,
	const struct plan_options *options, struct err *err)
{
	struct plan_load *load = &plan->load;
	struct proto_claim claim;
	uint64_t far_ns = 0;
	int rc;

	load->rate = s->load.rate > 0 ? s->load.rate : LOAD_DEFAULT_RATE;
	load->keys = s->load.keys ? (unsigned)s->load.keys : LOAD_DEFAULT_KEYS;
	load->deadline_ns = s->load.deadline_ns ? s->load.deadline_ns : LOAD_DEFAULT_DEADLINE;
	/* The script's was meant for its own distances. */
	if (options->profiles)
		far_ns = distances_longest_ns(s);
	if (options->matrix)
		far_ns = longer(far_ns, longest_rtt_ns(plan, &plan->base));
	load->deadline_ns = longer(load->deadline_ns, DEADLINE_ROUND_TRIPS * far_ns);
	rc = take_shares(load, s, err);
	if (rc == 0)
		rc = take_workload(load, s, err);
	if (rc == 0)
		rc = take_roam(load, plan, s, err);
	if (rc == 0 && options->rate)
		rc = parse_decimal(
			"--rate", options->rate, 0.001, SCRIPT_RATE_MAX, &load->rate, err);
	if (rc == 0 && plan->real)
		rc = suit_workload(plan, s, err);
	if (rc < 0)
		return rc;
	if (plan->real)
		suit_load(plan, options->rate != NULL);
	load->one_writer = s->load.one_writer;
	load->clients_per_site = s->load.clients_per_site ? (unsigned)s->load.clients_per_site
							  : default_clients(plan, s);
	if (plan->real)
		suit_clients(plan);
	plan->system->ops->claim(&plan->proto, &claim);
	if (load->cas > 0 && (!claim.cas || (plan->real && !plan->driver->cas))) {
		plan->cas_moved = load->cas;
		load->write += load->cas;
		load->cas = 0;
	}
	return expand_sites(plan, s, err);
}

/* Two records for each operation must fit into the history. */
static int check_history(const struct plan *plan, const struct script *s, struct err *err)
{
	double operations = 0;
	double most = HISTORY_RECORDS_MAX / 2.0;

	for (unsigned i = 0; i < plan->phases; i++)
		operations += plan->load.rate * units_s(plan->phase[i].duration_ns);
	if (plan->load.workload == PLAN_LOCK || plan->load.workload == PLAN_INVENTORY)
		operations *= SLOT_OPERATIONS_MAX;
	operations += (double)plan->load.keys * plan->replicas;
	if (operations > most)
		return script_fail(s, s->load.line ? s->load.line : s->lines, err,
			"load: %.0f operations in all phases, a history holds %.0f: lower the rate "
			"or shorten the phases",
			operations, most);
	return 0;
}

static int expand_options(struct plan *plan, const struct script *s,
	const struct plan_options *options, double *ret_scale, struct err *err)
{
	int rc = 0;

	plan->seed = s->seed_line ? s->seed : SEED_DEFAULT;
	*ret_scale = 1;
	if (options->seed && units_parse_count(options->seed, 0, INT64_MAX, &plan->seed, err) < 0)
		return err_wrap(err, "--seed");
	if (options->time_scale)
		rc = parse_decimal("--time-scale", options->time_scale, TIME_SCALE_MIN,
			TIME_SCALE_MAX, ret_scale, err);
	if (rc < 0 || !options->emulator)
		return rc;
	for (int i = 0; i < EMULATOR_KIND_NR; i++) {
		if (strcmp(emulator_kind_names[i], options->emulator) == 0) {
			plan->emulator = (enum emulator_kind)i;
			return 0;
		}
	}
	return err_usage(
		err, "--emulator: '%s' is none: auto, netem and wire are", options->emulator);
}

/* The command line's instead of the script's. */
static int take_warmup(struct script *s, const struct plan_options *options, struct err *err)
{
	if (options->warmup && units_parse_duration(options->warmup, &s->warmup.ns, err) < 0)
		return err_wrap(err, "--warmup");
	return 0;
}

int expand(struct plan *plan, struct script *script, const struct plan_options *options,
	struct err *err)
{
	static const struct plan_options nothing;
	int rc;

	plan->script = script;
	plan->closing = script->say[0] ? script->say : NULL;
	plan->simulated_only = script->simulated_only;
	options = options ? options : &nothing;
	if (!script->lab.line)
		return script_fail(script, 1, err, "no lab: begin the script with lab \"name\"");
	rc = expand_name(script, &script->lab, "lab", PLAN_NAME_MAX - 1, err);
	if (rc < 0)
		return rc;
	memcpy(plan->name, script->lab.text, sizeof plan->name);
	memcpy(plan->path, script->path, sizeof plan->path);
	rc = expand_options(plan, script, options, &plan->time_scale, err);
	if (rc == 0)
		rc = take_warmup(script, options, err);
	if (rc == 0)
		rc = distances_profiles(script, options->profiles, err);
	if (rc == 0)
		rc = expand_nodes(plan, script, err);
	if (rc == 0)
		rc = expand_base(plan, script, options, err);
	if (rc == 0)
		rc = expand_store(plan, script, options, err);
	if (rc == 0)
		rc = expand_load(plan, script, options, err);
	if (rc == 0 && plan->real && !options->warmup)
		suit_warmup(plan, script);
	if (rc == 0)
		rc = phases_expand(plan, script, plan->time_scale, err);
	if (rc == 0 && plan->real && !options->time_scale)
		suit_phases(plan);
	if (rc == 0)
		rc = expand_timing(plan, script, err);
	if (rc == 0)
		rc = check_history(plan, script, err);
	if (rc == 0)
		rc = expect_expand(plan, script, err);
	return rc;
}
