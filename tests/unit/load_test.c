/* SPDX-License-Identifier: MIT */
/* load_test.c - open-loop accounting and final reads, against a server on loopback */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/load_plan.h"
#include "tests/lib/test.h"

#include "agent/base/clock.h"
#include "agent/base/units.h"
#include "agent/load/gen.h"
#include "agent/load/load.h"

#define PATIENCE_NS (20 * NS_PER_S)
#define THREADS_MAX 32

/*
 * A server that answers every GET with nothing and every SET with OK, unless it stalls.
 */
struct server {
	int fd;
	uint32_t addr_be;
	pthread_t thread;
	pthread_t client[THREADS_MAX];
	int client_fd[THREADS_MAX];
	unsigned clients;
	_Atomic bool stalled;
	_Atomic bool stopping;
};

struct connection {
	struct server *server;
	int fd;
};

static void *connection_main(void *arg)
{
	struct connection c = *(struct connection *)arg;
	char request[512];
	ssize_t n;

	free(arg);
	while ((n = recv(c.fd, request, sizeof request, 0)) > 0) {
		const char *answer = memmem(request, (size_t)n, "GET", 3) ? "$-1\r\n" : "+OK\r\n";

		while (c.server->stalled && !c.server->stopping)
			(void)poll(NULL, 0, 1); /* then look again */
		if (send(c.fd, answer, strlen(answer), MSG_NOSIGNAL) < 0)
			break;
	}
	return NULL;
}

static void *server_main(void *arg)
{
	struct server *s = arg;

	while (s->clients < THREADS_MAX) {
		struct connection *c = malloc(sizeof *c);

		c->server = s;
		c->fd = accept(s->fd, NULL, NULL);
		if (c->fd < 0) {
			free(c);
			break;
		}
		s->client_fd[s->clients] = c->fd;
		pthread_create(&s->client[s->clients++], NULL, connection_main, c);
	}
	return NULL;
}

/* The load's port is fixed, the address is this process's own: 127/8 is all loopback. */
static void start_server(struct server *s)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(LOAD_PORT)};
	uint32_t pid = (uint32_t)getpid();
	int one = 1;

	memset(s, 0, sizeof *s);
	s->addr_be = htonl(0x7f000000 | (1 + pid % 254) << 16 | (pid / 254 % 256) << 8 | 1);
	addr.sin_addr.s_addr = s->addr_be;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(listen(s->fd, THREADS_MAX), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, server_main, s), 0);
}

static void stop_server(struct server *s)
{
	s->stopping = true;
	(void)shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	for (unsigned i = 0; i < s->clients; i++) {
		(void)shutdown(s->client_fd[i], SHUT_RDWR);
		pthread_join(s->client[i], NULL);
		close(s->client_fd[i]);
	}
	close(s->fd);
}

/* A load process as the supervisor runs it, but as a thread. */
struct site {
	const struct plan *plan;
	unsigned number;
	struct history *history;
	struct load_shared *shared;
	pthread_t thread;
	int status;
};

static void *site_main(void *arg)
{
	struct site *s = arg;

	s->status = load_main(s->plan, s->number, s->history, s->shared);
	return NULL;
}

struct lab {
	struct plan plan;
	struct server server;
	struct load_shared shared;
	struct site site[2];
	char path[64];
};

/* The lab's network and plan, not running yet. */
static struct lab *make_lab(unsigned clients, double rate)
{
	struct lab *lab = calloc(1, sizeof *lab);

	start_server(&lab->server);
	load_plan_make(&lab->plan, clients, rate, lab->server.addr_be);
	return lab;
}

static void run_lab(struct lab *lab)
{
	struct history *history = NULL;
	struct err err;

	(void)snprintf(lab->path, sizeof lab->path, "/tmp/pacelab-load-%d.bin", (int)getpid());
	(void)unlink(lab->path);
	assert_int_equal(history_create(&history, lab->path, &err), 0);
	for (unsigned i = 0; i < 2; i++) {
		lab->site[i] = (struct site){&lab->plan, i, history, &lab->shared, 0, -1};
		pthread_create(&lab->site[i].thread, NULL, site_main, &lab->site[i]);
	}
}

static struct lab *start_lab(unsigned clients, double rate)
{
	struct lab *lab = make_lab(clients, rate);

	run_lab(lab);
	return lab;
}

static void read_history(struct lab *lab, struct history_ops *ret)
{
	struct err err = {0};

	history_close(lab->site[0].history);
	if (history_read(ret, lab->path, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(ret->damaged, 0);
}

static void end_lab(struct lab *lab, struct history_ops *ops)
{
	stop_server(&lab->server);
	history_ops_fini(ops);
	(void)unlink(lab->path);
	free(lab);
}

static void join_lab(struct lab *lab)
{
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(lab->site[i].thread, NULL);
		assert_int_equal(lab->site[i].status, EXIT_AS_EXPECTED);
	}
}

static uint64_t total(struct lab *lab, char what)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < 2; i++) {
		struct load_tally *t = &lab->shared.tally[0][i];

		n += what == 'o' ? t->ok : what == 'f' ? t->failed : t->unknown;
	}
	return n;
}

static void wait_for_total(struct lab *lab, char what, uint64_t n)
{
	uint64_t until = clock_now_ns() + PATIENCE_NS;

	while (total(lab, what) < n) {
		assert_true(clock_now_ns() < until);
		(void)poll(NULL, 0, 1); /* then look again */
	}
}

/* Each client's operations are its schedule, without a gap, in order. */
static void assert_follows_schedule(const struct lab *lab, const struct history_ops *ops)
{
	for (unsigned site = 0; site < 2; site++) {
		struct gen_op op;
		struct gen g;
		uint64_t offset = 0;
		size_t count = 0;

		/* One client in each site: its operations are those of its node. */
		gen_init(&g, &lab->plan, site, 0, 0);
		for (size_t i = 0; i < ops->count; i++) {
			const struct history_op *o = &ops->op[i];

			if (o->client != lab->plan.site[site].client || o->flags & HISTORY_F_FINAL)
				continue;
			gen_next(&g, &op);
			if (count++ == 0)
				offset = o->t_intended_ns - op.t_intended_ns;
			assert_int_equal(o->t_intended_ns, op.t_intended_ns + offset);
			assert_int_equal(o->key, op.key);
		}
		assert_true(count > 10);
	}
}

static void load__an_outage_counts_as_many_failures_as_it_lasted(void **state)
{
	struct lab *lab = start_lab(1, 400);
	struct history_ops ops = {0};
	uint64_t deadline_ns = lab->plan.load.deadline_ns;
	unsigned late = 0;
	uint64_t ok;

	(void)state;
	atomic_store(&lab->shared.state, LOAD_RUN);
	wait_for_total(lab, 'o', 50);
	lab->server.stalled = true;
	wait_for_total(lab, 'f', 100);
	lab->server.stalled = false;
	ok = total(lab, 'o');
	wait_for_total(lab, 'o', ok + 50);
	atomic_store(&lab->shared.state, LOAD_STOP);
	join_lab(lab);
	read_history(lab, &ops);
	assert_follows_schedule(lab, &ops);
	for (size_t i = 0; i < ops.count; i++) {
		const struct history_op *op = &ops.op[i];

		assert_true(op->t_invoke_ns >= op->t_intended_ns);
		if (op->error == HISTORY_LATE) {
			assert_int_equal(op->outcome, HISTORY_FAIL);
			assert_true(op->t_invoke_ns - op->t_intended_ns > deadline_ns);
			late++;
		} else {
			/* No backlog is played after an outage. */
			assert_true(op->t_invoke_ns - op->t_intended_ns <= deadline_ns);
		}
	}
	assert_true(late > 50);
	assert_int_equal(total(lab, 'o') + total(lab, 'f') + total(lab, 'u'), ops.count);
	end_lab(lab, &ops);
}

static void load__a_session_ends_with_an_unknown_outcome(void **state)
{
	struct lab *lab = start_lab(2, 400);
	struct history_ops ops = {0};
	unsigned unknown = 0;

	(void)state;
	atomic_store(&lab->shared.state, LOAD_RUN);
	wait_for_total(lab, 'o', 20);
	lab->server.stalled = true;
	wait_for_total(lab, 'u', 3);
	lab->server.stalled = false;
	wait_for_total(lab, 'o', 60);
	atomic_store(&lab->shared.state, LOAD_STOP);
	join_lab(lab);
	read_history(lab, &ops);
	for (size_t i = 0; i < ops.count; i++) {
		const struct history_op *op = &ops.op[i];

		if (op->outcome == HISTORY_UNKNOWN) {
			unknown++;
			assert_true(op->kind != HISTORY_READ);
		}
		for (size_t k = i + 1; k < ops.count; k++) {
			if (ops.op[k].session != op->session)
				continue;
			assert_int_not_equal(op->outcome, HISTORY_UNKNOWN);
			assert_true(ops.op[k].t_invoke_ns >= op->t_return_ns);
			assert_int_equal(ops.op[k].client, op->client);
			break;
		}
	}
	assert_true(unknown >= 3);
	end_lab(lab, &ops);
}

static void load__clients_talk_to_the_replicas_of_their_site(void **state)
{
	struct lab *lab = start_lab(2, 400);
	struct history_ops ops = {0};

	(void)state;
	atomic_store(&lab->shared.state, LOAD_RUN);
	wait_for_total(lab, 'o', 40);
	atomic_store(&lab->shared.state, LOAD_STOP);
	join_lab(lab);
	read_history(lab, &ops);
	for (size_t i = 0; i < ops.count; i++)
		assert_int_equal(ops.op[i].node, ops.op[i].client - 2);
	end_lab(lab, &ops);
}

static void load__sessions_that_roam_go_on_at_other_replicas(void **state)
{
	struct lab *lab = start_lab(2, 400);
	struct history_ops ops = {0};
	unsigned moves = 0;

	(void)state;
	lab->plan.load.roam = 50;
	atomic_store(&lab->shared.state, LOAD_RUN);
	wait_for_total(lab, 'o', 100);
	atomic_store(&lab->shared.state, LOAD_STOP);
	join_lab(lab);
	read_history(lab, &ops);
	for (size_t i = 0; i < ops.count; i++) {
		for (size_t k = i + 1; k < ops.count; k++) {
			if (ops.op[k].session != ops.op[i].session)
				continue;
			moves += ops.op[k].node != ops.op[i].node;
			break;
		}
	}
	assert_true(moves > 20 && moves < 80);
	end_lab(lab, &ops);
}

/* What was never sent because a replica kept the client waiting is recorded at that replica. */
static void load__is_late_at_the_replica_that_kept_it(void **state)
{
	struct lab *lab = start_lab(1, 400);
	struct history_ops ops = {0};
	unsigned late = 0;

	(void)state;
	lab->plan.load.roam = 100;
	atomic_store(&lab->shared.state, LOAD_RUN);
	wait_for_total(lab, 'o', 20);
	lab->server.stalled = true;
	wait_for_total(lab, 'u', 3);
	lab->server.stalled = false;
	atomic_store(&lab->shared.state, LOAD_STOP);
	join_lab(lab);
	read_history(lab, &ops);
	for (size_t i = 0; i < ops.count; i++) {
		const struct history_op *before = NULL;

		if (ops.op[i].error != HISTORY_LATE)
			continue;
		for (size_t k = 0; k < i; k++)
			if (ops.op[k].client == ops.op[i].client)
				before = &ops.op[k];
		assert_non_null(before);
		assert_int_equal(ops.op[i].node, before->node);
		late++;
	}
	assert_true(late > 0);
	end_lab(lab, &ops);
}

static void load__final_reads_see_the_end_of_every_operation(void **state)
{
	struct lab *lab = start_lab(2, 400);
	struct history_ops ops = {0};
	unsigned finals[2][10] = {{0}};
	uint64_t until = clock_now_ns() + PATIENCE_NS;
	uint64_t first_final_ns = UINT64_MAX;
	uint64_t last_return_ns = 0;

	(void)state;
	atomic_store(&lab->shared.state, LOAD_RUN);
	wait_for_total(lab, 'o', 40);
	/* Operations are in flight when the end comes, and take their time. */
	lab->server.stalled = true;
	wait_for_total(lab, 'f', 1);
	atomic_store(&lab->shared.state, LOAD_FINAL);
	while (lab->shared.drained < 2) {
		assert_true(clock_now_ns() < until);
		(void)poll(NULL, 0, 1); /* then look again */
	}
	lab->server.stalled = false;
	join_lab(lab);
	assert_int_equal(lab->shared.finals_done, 2);
	read_history(lab, &ops);
	for (size_t i = 0; i < ops.count; i++) {
		const struct history_op *op = &ops.op[i];

		if (op->flags & HISTORY_F_FINAL) {
			finals[op->node][op->key]++;
			assert_int_equal(op->kind, HISTORY_READ);
			if (op->t_invoke_ns < first_final_ns)
				first_final_ns = op->t_invoke_ns;
		} else if (op->outcome != HISTORY_UNKNOWN && op->t_return_ns > last_return_ns) {
			last_return_ns = op->t_return_ns;
		}
	}
	for (unsigned node = 0; node < 2; node++) {
		for (unsigned key = 0; key < 10; key++)
			assert_true(finals[node][key] >= 1); /* again, if not answered */
	}
	assert_true(first_final_ns >= last_return_ns);
	end_lab(lab, &ops);
}

/* What was acknowledged by one replica is still on its way to the other. */
static void load__final_reads_wait_for_the_longest_link(void **state)
{
	const uint64_t delay_ns = 300 * NS_PER_MS;
	struct lab *lab = start_lab(2, 400);
	struct history_ops ops = {0};
	uint64_t first_final_ns = UINT64_MAX;
	uint64_t last_return_ns = 0;

	(void)state;
	lab->plan.phase = calloc(1, sizeof *lab->plan.phase);
	assert_non_null(lab->plan.phase);
	lab->plan.phases = 1;
	assert_int_equal(link_matrix_init(&lab->plan.phase[0].matrix, lab->plan.nodes), 0);
	link_matrix_at(&lab->plan.phase[0].matrix, 1, 0)->delay_ns = delay_ns;
	atomic_store(&lab->shared.state, LOAD_RUN);
	wait_for_total(lab, 'o', 40);
	atomic_store(&lab->shared.state, LOAD_FINAL);
	join_lab(lab);
	read_history(lab, &ops);
	for (size_t i = 0; i < ops.count; i++) {
		const struct history_op *op = &ops.op[i];

		if (!(op->flags & HISTORY_F_FINAL))
			last_return_ns =
				op->t_return_ns > last_return_ns ? op->t_return_ns : last_return_ns;
		else if (op->t_invoke_ns < first_final_ns)
			first_final_ns = op->t_invoke_ns;
	}
	assert_true(first_final_ns != UINT64_MAX);
	assert_true(first_final_ns >= last_return_ns + delay_ns);
	link_matrix_fini(&lab->plan.phase[0].matrix);
	free(lab->plan.phase);
	end_lab(lab, &ops);
}

/* A history can be read while it is written. Return: keys that replica @node has answered. */
static unsigned final_reads_of(struct lab *lab, unsigned node)
{
	struct history_ops ops = {0};
	struct err err = {0};
	bool seen[10] = {false};
	unsigned count = 0;

	assert_int_equal(history_read(&ops, lab->path, &err), 0);
	for (size_t i = 0; i < ops.count; i++) {
		const struct history_op *op = &ops.op[i];

		if (op->flags & HISTORY_F_FINAL && op->node == node && op->outcome == HISTORY_OK)
			seen[op->key] = true;
	}
	history_ops_fini(&ops);
	for (unsigned key = 0; key < 10; key++)
		count += seen[key];
	return count;
}

static void load__a_dead_replica_keeps_no_other_from_its_final_reads(void **state)
{
	struct lab *lab = make_lab(2, 400);
	struct history_ops ops = {0};
	uint64_t until = clock_now_ns() + PATIENCE_NS;
	unsigned found = 0;

	/* Replicas 0 and 1 are in site 0, and nobody listens at 0; 2 is in site 1. */
	(void)state;
	lab->plan.replicas = 3;
	lab->plan.nodes = 5;
	lab->plan.node[0].addr_be = lab->server.addr_be ^ htonl(3);
	for (unsigned i = 1; i < 5; i++) {
		lab->plan.node[i].addr_be = lab->server.addr_be;
		lab->plan.node[i].site = i == 2 || i == 4;
		lab->plan.node[i].role = i < 3 ? PLAN_REPLICA : PLAN_CLIENT;
	}
	lab->plan.site[0].client = 3;
	lab->plan.site[1].client = 4;
	run_lab(lab);
	atomic_store(&lab->shared.state, LOAD_RUN);
	wait_for_total(lab, 'o', 40);
	atomic_store(&lab->shared.state, LOAD_FINAL);
	while (lab->shared.finals_done < 1 || found < 10) {
		assert_true(clock_now_ns() < until);
		(void)poll(NULL, 0, 1); /* then look again */
		found = final_reads_of(lab, 1);
	}
	assert_int_equal(lab->shared.finals_done, 1);
	atomic_store(&lab->shared.state, LOAD_STOP);
	join_lab(lab);
	read_history(lab, &ops);
	end_lab(lab, &ops);
}

static void load__stops_at_once_when_it_never_began(void **state)
{
	struct lab *lab = start_lab(2, 400);
	struct history_ops ops = {0};

	(void)state;
	atomic_store(&lab->shared.state, LOAD_STOP);
	join_lab(lab);
	read_history(lab, &ops);
	assert_int_equal(ops.count, 0);
	end_lab(lab, &ops);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(load__an_outage_counts_as_many_failures_as_it_lasted),
		cmocka_unit_test(load__a_session_ends_with_an_unknown_outcome),
		cmocka_unit_test(load__clients_talk_to_the_replicas_of_their_site),
		cmocka_unit_test(load__sessions_that_roam_go_on_at_other_replicas),
		cmocka_unit_test(load__is_late_at_the_replica_that_kept_it),
		cmocka_unit_test(load__final_reads_see_the_end_of_every_operation),
		cmocka_unit_test(load__final_reads_wait_for_the_longest_link),
		cmocka_unit_test(load__a_dead_replica_keeps_no_other_from_its_final_reads),
		cmocka_unit_test(load__stops_at_once_when_it_never_began),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
