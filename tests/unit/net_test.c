/* SPDX-License-Identifier: MIT */
/* net_test.c - how many clients a replica takes, and from when on it counts time */
#include "store/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "store/replica.h"
#include "tests/lib/test.h"
#include "tests/unit/data_dir.h"

#define DEADLINE_NS (10 * NS_PER_S)
#define FILES 200u
#define CLIENTS 150u
#define BEAT_NS NS_PER_MS
/* So long another process has the log. */
#define BUSY_NS (100 * NS_PER_MS)

struct world {
	struct replica *r;
	struct loop_timer beat; /* so that no turn waits for long */
	struct sockaddr_in tcp;
	struct sockaddr_un admin;
	socklen_t admin_len;
	char dir[64];
};

static struct world world;

static void on_beat(struct loop_timer *timer)
{
	loop_arm(world.r->loop, timer, loop_now(world.r->loop) + BEAT_NS);
}

static void open_replica(struct world *w)
{
	struct replica_config config = {
		.ops = &single_ops,
		.proto = {.nodes = 1,
			.read_level = PROTO_ONE,
			.write_level = PROTO_ONE,
			.request_timeout_ns = NS_PER_S,
			.heartbeat_ns = 50 * NS_PER_MS},
		.listen = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}},
		.signal_fd = -1,
		.dir = w->dir,
		.seed = 1,
	};
	socklen_t len = sizeof w->tcp;
	struct err err = {0};

	(void)snprintf(w->dir, sizeof w->dir, "/tmp/pacelab-net-test.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->admin.sun_family = AF_UNIX;
	w->admin_len = sizeof w->admin;
	config.admin_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(
		bind(config.admin_fd, (struct sockaddr *)&w->admin, sizeof w->admin.sun_family), 0);
	assert_int_equal(listen(config.admin_fd, 4), 0);
	assert_int_equal(
		getsockname(config.admin_fd, (struct sockaddr *)&w->admin, &w->admin_len), 0);
	if (replica_open(&w->r, &config, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(
		getsockname(w->r->net.listeners[0].fd, (struct sockaddr *)&w->tcp, &len), 0);
	w->beat.fire = on_beat;
	loop_arm(w->r->loop, &w->beat, loop_now(w->r->loop));
}

static void close_replica(struct world *w)
{
	replica_close(w->r);
	data_remove(w->dir);
}

/* The first bytes that a new connection of @family gets when it asks for a PING. */
static int ask(struct world *w, int family, char *ret, size_t size)
{
	uint64_t deadline = clock_now_ns() + DEADLINE_NS;
	int fd = socket(family, SOCK_STREAM, 0);
	ssize_t n = -1;

	assert_true(fd >= 0);
	if (family == AF_UNIX)
		assert_int_equal(connect(fd, (struct sockaddr *)&w->admin, w->admin_len), 0);
	else
		assert_int_equal(connect(fd, (struct sockaddr *)&w->tcp, sizeof w->tcp), 0);
	(void)send(fd, "PING\r\n", 6, MSG_NOSIGNAL);
	while (n < 0) {
		assert_int_equal(loop_turn(w->r->loop), 0);
		n = recv(fd, ret, size - 1, MSG_DONTWAIT);
		assert_true(n >= 0 || errno == EAGAIN);
		assert_true(clock_now_ns() < deadline);
	}
	ret[n] = '\0';
	return fd;
}

static void net__keeps_descriptors_for_peers_and_supervisor(void **state)
{
	struct rlimit was;
	struct rlimit limit;
	int fd[CLIENTS];
	char reply[128];
	unsigned taken = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	limit = was;
	limit.rlim_cur = FILES;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	open_replica(&world);
	/* The clients live in this process, too, and need descriptors of their own. */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	for (unsigned i = 0; i < CLIENTS; i++) {
		fd[i] = ask(&world, AF_INET, reply, sizeof reply);
		taken += strcmp(reply, "+PONG\r\n") == 0;
	}
	assert_string_equal(reply, "-ERR max number of clients reached\r\n");
	assert_int_equal(taken, FILES - NET_FILES_KEPT - NET_FILES_PER_PEER);
	close(ask(&world, AF_UNIX, reply, sizeof reply));
	assert_string_equal(reply, "+PONG\r\n");
	for (unsigned i = 0; i < CLIENTS; i++)
		close(fd[i]);
	close_replica(&world);
}

/* A protocol that notes when it was started. */
static uint64_t started_ns;

static void nothing(struct proto *p)
{
	(void)p;
}

static void note_start(struct proto *p)
{
	started_ns = p->io->now(p->io);
}

/* Whatever a client can ask. */
static void claim_all(const struct proto_config *cfg, struct proto_claim *ret)
{
	(void)cfg;
	*ret = (struct proto_claim){.does = UINT32_MAX};
}

static const struct proto_ops noting_ops = {
	.name = "noting",
	.size = sizeof(struct proto),
	.claim = claim_all,
	.init = nothing,
	.start = note_start,
	.fini = nothing,
};

static void replica__starts_its_protocol_at_the_time_when_it_is_ready(void **state)
{
	struct replica_config config = {
		.ops = &noting_ops,
		.proto = {.nodes = 1, .read_level = PROTO_ONE, .write_level = PROTO_ONE},
		.listen = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}},
		.admin_fd = -1,
		.signal_fd = -1,
		.dir = world.dir,
	};
	struct err err = {0};
	struct timespec busy = clock_timespec(BUSY_NS);
	uint64_t before_ns;
	pid_t child;
	int fd;

	(void)state;
	(void)snprintf(world.dir, sizeof world.dir, "/tmp/pacelab-net-test.XXXXXX");
	assert_non_null(mkdtemp(world.dir));
	fd = open(world.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	before_ns = clock_now_ns();
	/* The last one that has the file open, and with it the lock, is the child. */
	child = fork();
	if (child == 0) {
		(void)nanosleep(&busy, NULL);
		_exit(0);
	}
	close(fd);
	if (replica_open(&world.r, &config, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(started_ns >= before_ns + BUSY_NS);
	assert_int_equal(waitpid(child, NULL, 0), child);
	close_replica(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(net__keeps_descriptors_for_peers_and_supervisor),
		cmocka_unit_test(replica__starts_its_protocol_at_the_time_when_it_is_ready),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
