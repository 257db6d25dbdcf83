/* SPDX-License-Identifier: MIT */
/* lab.c - a lab in virtual time: the world from a plan, its clients as fibers, its turns */
#include "agent/sim/lab.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/units.h"
#include "agent/lab/real.h"
#include "agent/lab/watchers.h"
#include "agent/sim/lab_world.h"

/* Replicas that are not ready after so long never will be. */
#define READY_NS (60 * NS_PER_S)
#define LOOK_NS (20 * NS_PER_MS)
/* Clients have a connection when the first phase begins. */
#define CONNECT_NS NS_PER_S

/* What lab_costs_parse() knows. */
#define WORDS 4

const struct lab_costs lab_costs_usual = {.hop_ns = 55 * NS_PER_US,
	.wire_ns = 20 * NS_PER_US,
	.disk_ns = 450 * NS_PER_US,
	.wake_ns = 40 * NS_PER_US};

int lab_costs_parse(struct lab_costs *costs, const char *text, struct err *err)
{
	const struct {
		const char *name;
		uint64_t *ns;
	} words[] = {{"hop=", &costs->hop_ns}, {"wire=", &costs->wire_ns},
		{"disk=", &costs->disk_ns}, {"wake=", &costs->wake_ns}};
	char copy[128];
	char *at = copy;
	char *word;

	if ((size_t)snprintf(copy, sizeof copy, "%s", text) >= sizeof copy)
		return err_usage(err, "--costs: longer than %zu characters", sizeof copy - 1);
	while ((word = strsep(&at, " "))) {
		size_t i = 0;

		while (i < WORDS && strncmp(word, words[i].name, strlen(words[i].name)) != 0)
			i++;
		if (*word == '\0')
			continue;
		if (i == WORDS)
			return err_usage(err,
				"--costs: '%s' is none of hop=TIME, wire=TIME, disk=TIME, wake=TIME",
				word);
		if (units_parse_duration(word + strlen(words[i].name), words[i].ns, err))
			return err_wrap(err, "--costs: %s", word);
	}
	return 0;
}

int lab_refuse(const struct plan *plan, struct err *err)
{
	if (plan->real)
		return err_usage(err,
			"store %s is a real database, which runs on real packets only: leave the "
			"simulation out, or simulate --store %s, which is like it",
			plan->system->name, plan->real->like->name);
	if (lab_net_refuse(&plan->base, err))
		return err_wrap(err, "%s", plan->path);
	for (unsigned p = 0; p < plan->phases; p++) {
		const struct plan_phase *ph = &plan->phase[p];

		if (lab_net_refuse(&ph->matrix, err))
			return err_wrap(err, "%s:%d: phase %s", plan->path, ph->line, ph->name);
	}
	return 0;
}

/* Clients. */

void lab_wait(struct lab *lab, uint64_t t_ns)
{
	struct lab_client *c = lab->running;

	assert(c);
	if (t_ns <= lab->sim->now_ns)
		return;
	c->wake_ns = t_ns;
	sim_call(lab->sim, t_ns, (unsigned)(c - lab->client), LAB_WAKE);
	fiber_yield(c->fiber);
}

void lab_wake(struct lab_client *c)
{
	struct lab *lab = ((struct lab_site *)c->client.common->world)->lab;

	assert(!lab->running && !c->ended);
	c->wake_ns = 0;
	lab->running = c;
	c->ended = !fiber_resume(c->fiber);
	lab->running = NULL;
}

static void client_body(void *arg)
{
	(void)client_run(&((struct lab_client *)arg)->client);
}

static void clients_open(struct lab *lab)
{
	const struct plan *plan = lab->plan;
	unsigned each = plan->load.clients_per_site;

	lab->clients = plan->sites * each;
	lab->client = calloc(lab->clients, sizeof *lab->client);
	assert(lab->client);
	for (unsigned i = 0; i < plan->sites; i++) {
		struct lab_site *site = &lab->site[i];

		site->lab = lab;
		site->node = plan->site[i].client;
		client_site_init(&site->common, plan, i, lab->history, lab->shared);
		site->common.driver = &lab_driver;
		site->common.world = site;
		for (unsigned k = 0; k < each; k++) {
			struct lab_client *c = &lab->client[i * each + k];

			client_init(&c->client, &site->common, k);
			c->fiber = fiber_open(client_body, c);
		}
	}
}

static void clients_close(struct lab *lab)
{
	lab_letters_fini(lab);
	for (unsigned i = 0; i < lab->clients; i++) {
		fiber_close(lab->client[i].fiber);
		client_fini(&lab->client[i].client);
	}
	for (unsigned i = 0; lab->client && i < lab->plan->sites; i++)
		client_site_fini(&lab->site[i].common);
	free(lab->client);
}

static int clients_error(const struct lab *lab, struct err *err)
{
	for (unsigned i = 0; i < lab->clients; i++)
		if (lab->client[i].client.error)
			return err_sys(err, lab->client[i].client.error, "write the history");
	return 0;
}

/* The world. */

static uint64_t route(struct sim *sim, unsigned from, unsigned to, size_t len)
{
	return lab_net_send(&lab_of(sim)->net, from, to, len, sim->now_ns);
}

static bool arrives(struct sim *sim, unsigned from, unsigned to)
{
	return lab_net_arrives(&lab_of(sim)->net, from, to);
}

static void on_reply(
	struct sim *sim, unsigned node, uint64_t ticket, const struct proto_reply *reply)
{
	struct lab *lab = lab_of(sim);

	if (!(ticket & LAB_ADMIN)) {
		lab_answer(lab, node, ticket, reply);
	} else if (ticket == lab->admin) {
		lab->admin = 0;
		lab->admin_ok = reply->status == PROTO_OK;
	}
}

static void on_call(struct sim *sim, unsigned who, unsigned what)
{
	struct lab *lab = lab_of(sim);
	struct lab_client *c;

	switch ((enum lab_call)what) {
	case LAB_WAKE:
		c = &lab->client[who];
		if (!c->ended && c->wake_ns && c->wake_ns <= sim->now_ns)
			lab_wake(c);
		break;
	case LAB_LETTER:
		lab_letter_due(lab, who);
		break;
	case LAB_WATCH:
		lab_watch_tick(lab);
		sim_call(sim, sim->now_ns + WATCH_INTERVAL_NS, 0, LAB_WATCH);
		break;
	}
}

int lab_run(struct lab *lab, uint64_t t_ns, struct err *err)
{
	/* Something that took time may have gone past it. */
	if (t_ns < lab->sim->now_ns || sim_run(lab->sim, t_ns))
		return 0;
	return err_set(err, -EPROTO, EXIT_VIOLATED, "store %s at %.3f s: %s",
		lab->plan->system->name, units_s(lab->sim->now_ns - lab->log->t_start_ns),
		lab->sim->violation);
}

static void world_open(struct lab *lab, const struct lab_costs *costs)
{
	const struct plan *plan = lab->plan;
	uint64_t disk_ns = plan->fsync == WAL_SYNC_ALWAYS ? costs->disk_ns : 0;
	const struct sim_config config = {.ops = plan->system->ops,
		.proto = plan->proto,
		.seed = plan->seed,
		.persist_ns_min = disk_ns,
		.persist_ns_max = disk_ns,
		.ctx = lab,
		.route = route,
		.arrives = arrives};

	lab_net_init(&lab->net, plan, costs);
	lab_net_set(&lab->net, &plan->base, SIM_START_NS);
	lab->sim = sim_open(&config);
	lab->sim->on_reply = on_reply;
	lab->sim->on_call = on_call;
	lab->leader = -1;
}

static int world_ready(struct lab *lab, struct err *err)
{
	uint64_t until = lab->sim->now_ns + READY_NS;
	int rc = 0;

	while (!rc && !lab_ready(lab)) {
		if (lab->sim->now_ns >= until)
			return err_set(err, -ETIMEDOUT, EXIT_INTERNAL,
				"the replicas of store %s were not ready after a minute of virtual "
				"time, or another leads than shall",
				lab->plan->system->name);
		rc = lab_run(lab, lab->sim->now_ns + LOOK_NS, err);
	}
	return rc;
}

static void log_begin(struct lab *lab, const struct lab_costs *costs)
{
	struct run_log *log = lab->log;

	memset(log, 0, sizeof *log);
	log->t_start_ns = lab->sim->now_ns;
	log->quality.realtime = true; /* nothing is ever late */
	log->simulated = (struct run_simulated){.is = true,
		.hop_ns = costs->hop_ns,
		.wire_ns = costs->wire_ns,
		.wake_ns = costs->wake_ns,
		.disk_ns = lab->sim->config.persist_ns_min};
	(void)snprintf(log->emulator, sizeof log->emulator, "simulation");
	(void)snprintf(log->kernel, sizeof log->kernel, "none: virtual time");
	lab_watch_tick(lab);
	sim_call(lab->sim, lab->sim->now_ns + WATCH_INTERVAL_NS, 0, LAB_WATCH);
}

static int run(struct lab *lab, const struct lab_costs *costs, struct err *err)
{
	int rc;

	world_open(lab, costs);
	rc = world_ready(lab, err);
	log_begin(lab, costs);
	clients_open(lab);
	for (unsigned i = 0; i < lab->clients && !rc; i++)
		lab_wake(&lab->client[i]);
	if (!rc)
		rc = lab_run(lab, lab->sim->now_ns + CONNECT_NS, err);
	lab->log->t_start_ns = lab->sim->now_ns;
	if (!rc)
		rc = lab_phases(lab, err);
	if (!rc)
		rc = clients_error(lab, err);
	lab->log->t_end_ns = lab->sim->now_ns;
	lab->log->simulated.messages = lab->sim->messages;
	return rc;
}

int lab_simulate(struct plan *plan, const struct lab_costs *costs, const char *history,
	struct run_log *ret, struct err *err)
{
	struct lab *lab = calloc(1, sizeof *lab);
	uint64_t begin_ns = clock_now_ns();
	int rc = lab_refuse(plan, err);

	assert(lab);
	if (!rc)
		rc = history_create(&lab->history, history, err);
	if (rc) {
		free(lab);
		return rc;
	}
	lab->plan = plan;
	lab->log = ret;
	lab->shared = calloc(1, sizeof *lab->shared);
	assert(lab->shared);
	rc = run(lab, costs, err);
	ret->simulated.took_ns = clock_now_ns() - begin_ns;
	lab_watch_end(lab);
	clients_close(lab);
	sim_close(lab->sim);
	lab_net_fini(&lab->net);
	history_close(lab->history);
	free(lab->shared);
	free(lab);
	return rc;
}
