/* SPDX-License-Identifier: MIT */
/*
 * supervisor.c - a lab while it lives: its network, its processes, its names, and their end
 *
 * Theory of operation. Built in this order, undone in the reverse one, each step from any point:
 *
 *   janitor, names (lock), results folder, network, capture, nodes, links as the plan wants them,
 *   admin sockets, replicas, control socket, replicas ready
 *
 * Invariants:
 *   1. A child is known to the janitor before the supervisor does anything else with it.
 *   2. Every process is signalled through its pidfd, never by number.
 *   3. Only the end of a replica in a lab that is up and not scripted, or of a real database after
 *      a fault, or one that was asked for, lets the lab go on; everything else ends it, and the
 *      first cause is the one that is told.
 *   4. No child inherits the terminal's signals: they are in sessions of their own, or have them
 *      blocked, so that ctrl-C reaches the supervisor alone and the end is an orderly one.
 */
#include "agent/lab/supervisor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/lab/database.h"
#include "agent/lab/keeper.h"
#include "agent/lab/orders.h"
#include "agent/lab/replica.h"
#include "agent/lab/requests.h"

#define FILES_PER_NODE 8
#define FILES_BASE 256
/* Elections settle within some timeouts; a replica may have a long log to read. */
#define READY_WAIT_NS (15 * NS_PER_S)
#define READY_ROUND_TRIPS 50
/* Replicas get this long to end by themselves: the last log line is worth it, not more. */
#define REPLICA_END_NS (400 * NS_PER_MS)
#define KILLED_END_NS (1500 * NS_PER_MS)
/* A node's first process ends this long after the others in it, at the most. */
#define NODE_END_NS (50 * NS_PER_MS)
/* Of a log, in an error. */
#define TAIL_LINE_MAX 256
#define TAIL_MAX 520

/* A real database is not ours to vouch for: more of what it said is worth telling. */
static void replica_tail(const struct supervisor *s, const char *who, char out[TAIL_MAX])
{
	if (s->plan->real)
		outdir_tail(&s->out, who, out, TAIL_MAX);
	else
		outdir_last_line(&s->out, who, out, TAIL_LINE_MAX);
}

static enum exit_status fatal_status(const struct supervisor *s, const struct member *m)
{
	if (m->kind != MEMBER_REPLICA || !s->plan->real)
		return EXIT_INTERNAL;
	return s->ready_ns ? EXIT_INCONCLUSIVE : EXIT_CANNOT_RUN;
}

static void fatal(struct supervisor *s, const struct member *m)
{
	char words[MEMBER_WORDS_MAX];
	char who[64];
	char tail[TAIL_MAX] = "";

	if (s->fatal.code)
		return;
	member_words(m, words, sizeof words);
	(void)snprintf(who, sizeof who, "%s%s", m->kind == MEMBER_LOAD ? "load-" : "",
		m->kind == MEMBER_WIRE ? "wire" : m->name);
	if (m->kind == MEMBER_REPLICA)
		replica_tail(s, who, tail);
	else if (m->kind != MEMBER_JANITOR && m->kind != MEMBER_NODE)
		outdir_last_line(&s->out, who, tail, TAIL_LINE_MAX);
	/* Then nobody's last words are in a log. */
	if (!*tail && outdir_full(&s->out))
		(void)snprintf(tail, sizeof tail, "(nothing: no space is left for it)");
	err_set(&s->fatal, -ECHILD, fatal_status(s, m), "the lab ended because its %s%s%s", words,
		*tail ? "; its log ends: " : "", tail);
}

/*
 * With the first process of a node the kernel kills all others in it, and these are seen to end
 * first. Blame the cause.
 */
static void blame_node(struct supervisor *s, const struct member *m)
{
	unsigned node = (unsigned)(m - s->replica);

	if (m->code != CLD_KILLED || m->status != SIGKILL)
		return;
	if (m->kind == MEMBER_LOAD)
		node = s->plan->site[m - s->load].client;
	(void)member_wait(&s->node[node], clock_now_ns() + NODE_END_NS);
}

static void member_ended(struct member *m)
{
	struct supervisor *s = m->owner;
	char words[MEMBER_WORDS_MAX];

	poller_close(&s->poller, &m->source);
	if (m->kind == MEMBER_REPLICA && s->watchers)
		watchers_replica(s->watchers, (unsigned)(m - s->replica), false);
	if (m->asked)
		return;
	member_words(m, words, sizeof words);
	log_warn("%s", words);
	/* Load ends by itself, with 0, when its final reads are done. */
	if (m->kind == MEMBER_LOAD && m->code == CLD_EXITED && m->status == 0)
		return;
	if (m->kind == MEMBER_CAPTURE)
		return; /* what is measured does not depend on it */
	if (m->kind == MEMBER_REPLICA || m->kind == MEMBER_LOAD)
		blame_node(s, m);
	/* How a real database takes a fault is what is measured. */
	if (m->kind == MEMBER_REPLICA && s->plan->real && s->harmed)
		return;
	if (m->kind != MEMBER_REPLICA || s->options.scripted || !s->ready_ns)
		fatal(s, m);
}

static void member_init(
	struct supervisor *s, struct member *m, enum member_kind kind, const char *name)
{
	*m = (struct member){.source = {.fd = -1}, .kind = kind, .ended = member_ended, .owner = s};
	(void)snprintf(m->name, sizeof m->name, "%s", name);
}

/* Invariant 1. */
static int member_take(
	struct supervisor *s, struct member *m, const struct child *child, struct err *err)
{
	int rc = janitor_give_process(&s->janitor, child->pidfd, err);
	int rc_adopt = member_adopt(m, &s->poller, child, rc ? NULL : err);

	return rc ? rc : rc_adopt;
}

static void signal_ready(struct source *source, uint32_t events)
{
	struct supervisor *s =
		(struct supervisor *)((char *)source - offsetof(struct supervisor, signals));
	struct signalfd_siginfo info;

	(void)events;
	if (read(source->fd, &info, sizeof info) == sizeof info && !s->signal)
		s->signal = (int)info.ssi_signo;
}

/* Whoever waited for the lab to be ready is gone: so nobody knows of it. */
static void waiter_ready(struct source *source, uint32_t events)
{
	struct supervisor *s =
		(struct supervisor *)((char *)source - offsetof(struct supervisor, waiter));

	(void)events;
	poller_close(&s->poller, source);
	if (!s->signal)
		s->signal = SIGHUP;
}

static int waiter_watch(struct supervisor *s, struct err *err)
{
	int rc;

	if (s->options.waiter_fd < 0)
		return 0;
	s->waiter = (struct source){
		.fd = fcntl(s->options.waiter_fd, F_DUPFD_CLOEXEC, 0), .ready = waiter_ready};
	rc = poller_add(&s->poller, &s->waiter, 0); /* errors are always told */
	return rc ? err_sys(err, rc, "watch the waiting command") : 0;
}

static int loop_init(struct supervisor *s, struct err *err)
{
	rlim_t files = FILES_BASE + FILES_PER_NODE * (rlim_t)s->plan->nodes;
	struct rlimit limit;
	struct sigaction hangup;
	sigset_t ours;
	int rc;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < files) {
		limit.rlim_cur = files;
		limit.rlim_max = limit.rlim_max < files ? files : limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit))
			return err_sys(err, -errno, "raise the limit of open files to %llu",
				(unsigned long long)files);
	}
	rc = poller_init(&s->poller, err);
	if (rc)
		return rc;
	sigemptyset(&ours);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGTERM);
	if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
		sigaddset(&ours, SIGHUP); /* else nohup(1) asked to go on */
	(void)sigprocmask(SIG_BLOCK, &ours, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	s->signals = (struct source){
		.fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK), .ready = signal_ready};
	if (s->signals.fd < 0)
		return err_sys(err, -errno, "signalfd");
	rc = poller_add(&s->poller, &s->signals, EPOLLIN);
	if (rc)
		return err_sys(err, rc, "watch signals");
	rc = waiter_watch(s, err);
	return rc ? rc : spawner_init(&s->spawner, err);
}

/* The janitor is watched as if it were a child; its end cannot be reaped, only seen. */
static int janitor_watch(struct supervisor *s, struct err *err)
{
	struct child janitor = {.pid = s->janitor.pid, .pidfd = dup(s->janitor.pidfd)};

	member_init(s, &s->janitor_member, MEMBER_JANITOR, "");
	return member_adopt(&s->janitor_member, &s->poller, &janitor, err);
}

static int fabric_begin(struct supervisor *s, struct err *err)
{
	const struct plan *plan = s->plan;
	struct fabric_node node[FABRIC_NODES_MAX];
	struct fabric_config config = {.lab = s->names.lab,
		.node = node,
		.nodes = plan->nodes,
		.emulator = plan->emulator,
		.seed = plan->seed};
	struct child wire = {.ready_fd = -1};
	int rc;

	for (unsigned i = 0; i < plan->nodes; i++) {
		(void)snprintf(node[i].name, sizeof node[i].name, "%s", plan->node[i].name);
		node[i].addr_be = plan->node[i].addr_be;
	}
	s->wire_log_fd = outdir_log(&s->out, "wire", err);
	if (s->wire_log_fd < 0)
		return s->wire_log_fd;
	config.log_fd = s->wire_log_fd;
	rc = fabric_build(&s->fabric, &config, err);
	if (rc)
		return rc;
	wire.pid = fabric_wire_pid(s->fabric);
	if (wire.pid < 0)
		return 0;
	wire.pidfd = pidfd_open(wire.pid, 0);
	if (wire.pidfd < 0)
		return err_sys(err, -errno, "the wire emulator ended at once");
	return member_take(s, &s->wire, &wire, err);
}

/* The first frames of the nodes are in it. */
static int capture_begin(struct supervisor *s, struct err *err)
{
	struct child child;
	int rc;

	if (!s->options.pcap)
		return 0;
	rc = capture_open(&s->capture, s->options.pcap, s->plan, &s->out,
		fabric_switch_fd(s->fabric), &child, err);
	if (rc)
		return rc;
	rc = member_take(s, &s->pcap, &child, err);
	if (spawn_wait(&child, rc ? NULL : err)) {
		s->pcap.asked = true;
		return err_wrap(err, "capture frames");
	}
	return rc;
}

/* All nodes have names, and know those of the others. */
static void hosts_print(const struct plan *plan, struct buf *out)
{
	buf_printf(out, "127.0.0.1 localhost\n");
	for (unsigned i = 0; i < plan->nodes; i++) {
		struct in_addr addr = {.s_addr = plan->node[i].addr_be};
		char text[INET_ADDRSTRLEN];

		if (inet_ntop(AF_INET, &addr, text, sizeof text))
			buf_printf(out, "%s %s\n", text, plan->node[i].name);
	}
	buf_u8(out, '\0');
}

static int node_begin(
	struct supervisor *s, unsigned node, const char *hosts, struct child *ret, struct err *err)
{
	struct mounts mounts = {.hosts = hosts};
	char dir[OUTDIR_FILE_MAX];
	int rc = 0;

	if (s->plan->real && node < s->plan->replicas)
		rc = database_mounts(s, node, dir, &mounts, err);
	if (!rc)
		rc = spawn_node(&s->spawner, s->plan->node[node].name,
			fabric_netns_fd(s->fabric, node), &mounts, ret, err);
	return rc;
}

/* All nodes are set up side by side, then waited for. */
static int nodes_begin(struct supervisor *s, struct err *err)
{
	struct child child[FABRIC_NODES_MAX];
	const struct plan *plan = s->plan;
	struct buf hosts = {0};
	unsigned started = 0;
	int rc = 0;

	hosts_print(plan, &hosts);
	for (; started < plan->nodes && !rc; started++) {
		rc = node_begin(s, started, (char *)hosts.p, &child[started], err);
		if (rc)
			break;
		rc = member_take(s, &s->node[started], &child[started], err);
	}
	buf_fini(&hosts);
	for (unsigned i = 0; i < started; i++) {
		int rc_child = spawn_wait(&child[i], rc ? NULL : err);

		if (rc_child && !rc) {
			rc = err_wrap(err, "start node %s", plan->node[i].name);
			s->node[i].asked = true; /* its end is explained by this */
		}
	}
	for (unsigned i = 0; i < plan->nodes && !rc; i++)
		rc = names_link(&s->names, plan->node[i].name, fabric_netns_fd(s->fabric, i), err);
	return rc ? rc : names_link(&s->names, "switch", fabric_switch_fd(s->fabric), err);
}

int supervisor_start_replica(struct supervisor *s, unsigned replica, struct err *err)
{
	struct member *m = &s->replica[replica];
	struct child child;
	int rc;

	rc = replica_spawn(s, replica, &child, err);
	if (rc)
		return rc;
	rc = member_take(s, m, &child, err);
	if (spawn_wait(&child, rc ? NULL : err)) {
		m->asked = true;
		return err_wrap(err, "start replica %s", m->name);
	}
	if (!rc)
		watchers_replica(s->watchers, replica, true);
	return rc;
}

static int replicas_begin(struct supervisor *s, struct err *err)
{
	int rc = replica_prepare(s, err);
	struct proto_claim claim;

	if (rc)
		return rc;
	s->watchers = watchers_open(&s->poller, s->admin_path, s->plan->replicas);
	if (!s->watchers)
		return err_sys(err, -ENOMEM, "watch the replicas");
	if (s->plan->real) {
		watchers_real(s->watchers);
		s->orders = orders_open(s);
	}
	s->plan->system->ops->claim(&s->plan->proto, &claim);
	for (unsigned i = 0; i < s->plan->replicas && !rc; i++) {
		if (!proto_has_copy(&s->plan->proto, &claim, i))
			watchers_no_copy(s->watchers, i);
		rc = supervisor_start_replica(s, i, err);
	}
	return rc;
}

/* NULL: all is ready; else what is missing, in words. */
static const char *not_ready(struct supervisor *s, int *ret_replica)
{
	const struct plan *plan = s->plan;
	uint64_t term;
	int leader;

	*ret_replica = watchers_unready(s->watchers);
	if (*ret_replica >= 0)
		return "is not ready";
	if (plan->real)
		return NULL; /* its driver says when it is whole */
	for (unsigned i = 0; i < plan->replicas; i++) {
		/* A protocol without leaders has nobody who believes in one. */
		if (watchers_view(s->watchers, i)->leader < 0)
			continue;
		leader = watchers_leader(s->watchers, &term);
		if (leader < 0)
			return "has a leader that the majority does not know";
		*ret_replica = plan->proto.leader;
		if (plan->proto.leader >= 0 && leader != plan->proto.leader)
			return "was to lead and does not";
		break;
	}
	return NULL;
}

static uint64_t longest_rtt_ns(const struct plan *plan)
{
	uint64_t longest = 0;

	for (unsigned a = 0; a < plan->replicas; a++) {
		for (unsigned b = 0; b < a; b++) {
			uint64_t rtt = plan_rtt_ns(&plan->base, a, b);

			longest = rtt > longest ? rtt : longest;
		}
	}
	return longest;
}

static int wait_ready(struct supervisor *s, struct err *err)
{
	const struct real *real = s->plan->real;
	uint64_t limit = real ? real->ready_ns : READY_WAIT_NS;
	uint64_t deadline;
	const char *missing;
	char tail[TAIL_MAX];
	int replica;
	int rc = 0;

	limit += READY_ROUND_TRIPS * longest_rtt_ns(s->plan);
	deadline = clock_now_ns() + limit;
	while (!rc && (missing = not_ready(s, &replica))) {
		if (clock_now_ns() > deadline) {
			const char *name = s->plan->node[replica < 0 ? 0 : replica].name;

			replica_tail(s, name, tail);
			return err_set(err, -ETIMEDOUT, real ? EXIT_INCONCLUSIVE : EXIT_INTERNAL,
				"replica %s %s after %.0f s; its log ends: %s", name, missing,
				(double)limit / (double)NS_PER_S, tail);
		}
		rc = supervisor_turn(s, deadline + 1, err);
	}
	if (!rc) {
		s->ready_ns = clock_now_ns() - s->t_start_ns;
		poller_close(&s->poller, &s->waiter);
	}
	return rc;
}

static void members_init(struct supervisor *s)
{
	const struct plan *plan = s->plan;

	s->poller.fd = -1;
	s->signals.fd = -1;
	s->waiter.fd = -1;
	s->binary_fd = -1;
	s->wire_log_fd = -1;
	s->load_fd = -1;
	s->phase = -1;
	s->log_fd = -1;
	s->names.lock_fd = -1;
	s->spawner = (struct spawner){.self_fd = -1, .pidns_fd = -1};
	s->janitor = (struct janitor){.pidfd = -1, .sock = -1};
	member_init(s, &s->wire, MEMBER_WIRE, "");
	member_init(s, &s->pcap, MEMBER_CAPTURE, "");
	for (unsigned i = 0; i < plan->nodes; i++)
		member_init(s, &s->node[i], MEMBER_NODE, plan->node[i].name);
	for (unsigned i = 0; i < plan->replicas; i++) {
		member_init(s, &s->replica[i], MEMBER_REPLICA, plan->node[i].name);
		s->admin_fd[i] = -1;
	}
	for (unsigned i = 0; i < plan->sites; i++)
		member_init(s, &s->load[i], MEMBER_LOAD, plan->site[i].name);
}

static int names_begin(struct supervisor *s, struct err *err)
{
	const struct plan *plan = s->plan;
	const char *lab = s->options.name ? s->options.name : plan->name;
	int rc = names_check(lab, err);

	if (!rc)
		rc = names_open(&s->names, lab, err);
	if (!rc)
		rc = janitor_give_lock(&s->janitor, s->names.lock_fd, err);
	if (!rc)
		rc = outdir_make(
			&s->out, s->options.results, lab, plan->system->name, plan->seed, err);
	if (rc)
		return rc;
	s->log_fd = outdir_log(&s->out, "supervisor", err);
	if (s->log_fd < 0)
		return s->log_fd;
	log_init(s->log_fd, "supervisor", LOG_INFO);
	return 0;
}

static int control_begin(struct supervisor *s, struct err *err)
{
	char path[NAMES_PATH_MAX];

	names_path(path, s->names.lab, CONTROL_SOCKET);
	return control_open(&s->control, &s->poller, path, requests_serve, s, err);
}

int supervisor_start(struct supervisor *s, const struct plan *plan,
	const struct supervisor_options *options, struct err *err)
{
	static int (*const step[])(struct supervisor * s, struct err * err) = {janitor_watch,
		names_begin, fabric_begin, capture_begin, nodes_begin, replicas_begin,
		control_begin, wait_ready};
	int rc;

	s->plan = plan;
	s->options = *options;
	s->t_start_ns = clock_now_ns();
	members_init(s);
	rc = plan->real ? keeper_check(plan, err) : 0;
	if (!rc)
		rc = janitor_split(&s->janitor, err);
	if (!rc)
		rc = loop_init(s, err);
	for (size_t i = 0; i < sizeof step / sizeof *step && !rc; i++) {
		rc = step[i](s, err);
		if (!rc && step[i] == nodes_begin)
			rc = fabric_apply(s->fabric, &plan->base, &s->base, err);
		if (!rc && step[i] == nodes_begin)
			capture_note_change(s->capture, plan, "as planned", &s->base);
		if (!rc)
			rc = supervisor_turn(s, 0, err);
	}
	return rc;
}

int supervisor_turn(struct supervisor *s, uint64_t deadline_ns, struct err *err)
{
	uint64_t due = UINT64_MAX;

	if (s->watchers)
		due = watchers_tick(s->watchers, clock_now_ns());
	orders_tick(s->orders);
	if (!s->fatal.code && !s->signal && !s->down)
		poller_turn(&s->poller, due < deadline_ns ? due : deadline_ns);
	if (s->fatal.code) {
		if (err)
			*err = s->fatal;
		return s->fatal.code;
	}
	return s->signal || s->down ? -EINTR : 0;
}

int supervisor_start_load(struct supervisor *s, unsigned site, int keep_fd, int (*run)(void *ctx),
	void *ctx, struct err *err)
{
	const struct plan *plan = s->plan;
	struct spawn_task task = {
		.comm = "pacelab-load", .keep_fd = keep_fd, .run = run, .ctx = ctx};
	struct member *m = &s->load[site];
	char who[64];
	struct child child;
	int rc;

	(void)snprintf(who, sizeof who, "load-%s", plan->site[site].name);
	task.node_fd = s->node[plan->site[site].client].source.fd;
	task.log_fd = outdir_log(&s->out, who, err);
	if (task.log_fd < 0)
		return task.log_fd;
	rc = spawn_task(&s->spawner, &task, &child, err);
	close(task.log_fd);
	if (rc)
		return err_wrap(err, "start load at %s", plan->site[site].name);
	rc = member_take(s, m, &child, err);
	if (spawn_wait(&child, rc ? NULL : err)) {
		m->asked = true;
		return err_wrap(err, "start load at %s", plan->site[site].name);
	}
	return rc;
}

/* Ask all of them, then wait for all. */
static void members_end(struct member *m, unsigned n, int sig, uint64_t wait)
{
	uint64_t deadline = clock_now_ns() + wait;

	for (unsigned i = 0; i < n; i++) {
		m[i].asked = true;
		member_signal(&m[i], sig);
	}
	for (unsigned i = 0; i < n; i++)
		(void)member_wait(&m[i], deadline);
}

void supervisor_kill_load(struct supervisor *s)
{
	members_end(s->load, s->plan->sites, SIGKILL, KILLED_END_NS);
}

/* Nobody sends any more: it writes what is left. */
static void capture_end(struct supervisor *s)
{
	if (!s->capture)
		return;
	s->pcap.asked = true;
	capture_stop(s->capture);
	if (!member_wait(&s->pcap, clock_now_ns() + KILLED_END_NS))
		members_end(&s->pcap, 1, SIGKILL, KILLED_END_NS);
	capture_count(s->capture, &s->captured);
	capture_close(s->capture);
	s->capture = NULL;
}

void supervisor_stop(struct supervisor *s, enum supervisor_leave leave)
{
	const struct plan *plan = s->plan;

	s->janitor_member.asked = true;
	s->wire.asked = true;
	control_close(s->control);
	s->control = NULL;
	watchers_close(s->watchers);
	s->watchers = NULL;
	orders_close(s->orders);
	s->orders = NULL;
	if (s->poller.fd >= 0) {
		supervisor_kill_load(s);
		members_end(s->replica, plan->replicas, SIGTERM, REPLICA_END_NS);
		/* With its first process everything else in a node is killed. */
		members_end(s->node, plan->nodes, SIGKILL, KILLED_END_NS);
		for (unsigned i = 0; i < plan->replicas; i++)
			(void)member_wait(&s->replica[i], clock_now_ns());
	}
	replica_cleanup(s);
	capture_end(s);
	fabric_change_fini(&s->base);
	fabric_destroy(s->fabric);
	s->fabric = NULL;
	members_end(&s->wire, 1, SIGKILL, KILLED_END_NS);
	if (s->wire_log_fd >= 0)
		close(s->wire_log_fd);
	if (s->load_fd >= 0)
		close(s->load_fd);
	if (s->log_fd >= 0) {
		log_init(STDERR_FILENO, "pacelab", LOG_WARN);
		close(s->log_fd);
	}
	if (leave == LEAVE_NO_DATA && plan->real)
		database_keep_logs(s);
	if (leave == LEAVE_NO_DATA)
		outdir_remove_data(&s->out);
	else if (leave == LEAVE_NOTHING)
		outdir_remove(&s->out);
	names_close(&s->names);
	member_forget(&s->janitor_member, &s->poller);
	janitor_done(&s->janitor);
	poller_close(&s->poller, &s->waiter);
	poller_close(&s->poller, &s->signals);
	spawner_fini(&s->spawner);
	poller_fini(&s->poller);
}
