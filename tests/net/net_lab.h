/* SPDX-License-Identifier: MIT */
/* net_lab.h - a small network for a test: built, changed, asked from inside, taken away */
#ifndef TESTS_NET_LAB_H
#define TESTS_NET_LAB_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "netns/fabric_priv.h"
#include "tests/lib/need.h"
#include "tests/lib/test.h"

#define NET_LAB_OUTPUT_MAX 65536
#define NET_LAB_SEED 7

struct net_lab {
	char name[FABRIC_LAB_MAX];
	struct fabric_node node[FABRIC_NODES_MAX];
	struct fabric_config config;
	struct fabric *fabric;
	struct link_matrix want;
};

static inline void net_lab_config(struct net_lab *lab, unsigned nodes, enum emulator_kind emulator)
{
	*lab = (struct net_lab){0};
	(void)snprintf(lab->name, sizeof lab->name, "t%d-%x", getpid(),
		(unsigned)(clock_now_ns() & 0xffffff));
	for (unsigned i = 0; i < nodes; i++) {
		(void)snprintf(lab->node[i].name, sizeof lab->node[i].name, "n%u", i + 1);
		lab->node[i].addr_be = htonl(0x0a630001u + i);
	}
	lab->config = (struct fabric_config){.lab = lab->name,
		.node = lab->node,
		.nodes = nodes,
		.emulator = emulator,
		.log_fd = STDERR_FILENO,
		.seed = NET_LAB_SEED};
}

static inline void net_lab_build(struct net_lab *lab, unsigned nodes, enum emulator_kind emulator)
{
	struct err err = {0};

	net_lab_config(lab, nodes, emulator);
	if (fabric_build(&lab->fabric, &lab->config, &err))
		fail_msg("%s", err.text);
	assert_int_equal(link_matrix_init(&lab->want, nodes), 0);
}

static inline void net_lab_destroy(struct net_lab *lab)
{
	fabric_destroy(lab->fabric);
	link_matrix_fini(&lab->want);
	lab->fabric = NULL;
}

/* Every link a delay; nothing else about them changes. */
static inline void net_lab_delay_all(struct net_lab *lab, uint64_t delay_ns, uint64_t jitter_ns)
{
	for (unsigned i = 0; i < lab->want.nodes; i++) {
		for (unsigned j = 0; j < lab->want.nodes; j++) {
			if (i == j)
				continue;
			link_matrix_at(&lab->want, i, j)->delay_ns = delay_ns;
			link_matrix_at(&lab->want, i, j)->jitter_ns = jitter_ns;
		}
	}
}

/* Cut or heal all links between the first @side nodes and the rest. */
static inline void net_lab_split(struct net_lab *lab, unsigned side, bool cut)
{
	for (unsigned i = 0; i < lab->want.nodes; i++) {
		for (unsigned j = 0; j < lab->want.nodes; j++) {
			if ((i < side) != (j < side))
				link_matrix_at(&lab->want, i, j)->cut = cut;
		}
	}
}

static inline struct fabric_change net_lab_apply(struct net_lab *lab)
{
	struct fabric_change change;
	struct err err = {0};

	if (fabric_apply(lab->fabric, &lab->want, &change, &err))
		fail_msg("%s", err.text);
	return change;
}

static inline struct evidence net_lab_evidence(
	struct net_lab *lab, const struct fabric_change *change)
{
	struct evidence evidence;
	struct err err = {0};

	if (evidence_gather(lab->fabric, change, 0, &evidence, &err))
		fail_msg("%s", err.text);
	return evidence;
}

/* Run a shell command in a network namespace. Return: its exit status; its output in @out. */
static inline int net_lab_run(int netns_fd, const char *command, char *out, size_t size)
{
	int pipes[2], status;
	size_t len = 0;
	pid_t pid;

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (netns_fd >= 0 && setns(netns_fd, CLONE_NEWNET))
			_exit(126);
		(void)dup2(pipes[1], STDOUT_FILENO);
		(void)dup2(pipes[1], STDERR_FILENO);
		execlp("bash", "bash", "-c", command, (char *)NULL);
		_exit(127);
	}
	close(pipes[1]);
	for (;;) {
		ssize_t n = read(pipes[0], out + len, size - 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || (len += (size_t)n) == size - 1)
			break;
	}
	out[len] = 0;
	close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The smallest RTT in ms that ping(8) sees from node @src to node @dst, -1 if nothing came back. */
static inline double net_lab_ping(
	const struct net_lab *lab, unsigned src, unsigned dst, unsigned count, unsigned wait_s)
{
	char command[160], addr[INET_ADDRSTRLEN], out[NET_LAB_OUTPUT_MAX];
	const char *at;

	assert_non_null(inet_ntop(AF_INET, &lab->node[dst].addr_be, addr, sizeof addr));
	(void)snprintf(command, sizeof command, "ping -c %u -i 0.2 -W %u %s", count, wait_s, addr);
	(void)net_lab_run(fabric_netns_fd(lab->fabric, src), command, out, sizeof out);
	/* iputils says "rtt min/avg/max/mdev = ", busybox "round-trip min/avg/max = ". */
	at = strstr(out, "min/avg/max");
	at = at ? strchr(at, '=') : NULL;
	return at ? strtod(at + 1, NULL) : -1;
}

/* A UDP socket inside a node, bound to @port unless that is 0. */
static inline int net_lab_udp(const struct net_lab *lab, unsigned node, uint16_t port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
	int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int rcvbuf = 16 << 20, fd;

	assert_true(home >= 0);
	assert_int_equal(setns(fabric_netns_fd(lab->fabric, node), CLONE_NEWNET), 0);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf, sizeof rcvbuf);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
	return fd;
}

static inline void net_lab_send(
	const struct net_lab *lab, int fd, unsigned dst, uint16_t port, uint32_t number)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = lab->node[dst].addr_be};

	assert_int_equal(
		sendto(fd, &number, sizeof number, 0, (struct sockaddr *)&to, sizeof to), 4);
}

/* The same with @bytes of payload, the number first. */
static inline void net_lab_send_long(const struct net_lab *lab, int fd, unsigned dst, uint16_t port,
	uint32_t number, size_t bytes)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = lab->node[dst].addr_be};
	uint8_t payload[1472] = {0};

	assert_true(bytes >= sizeof number && bytes <= sizeof payload);
	memcpy(payload, &number, sizeof number);
	assert_int_equal(sendto(fd, payload, bytes, 0, (struct sockaddr *)&to, sizeof to), bytes);
}

/* Return: the next number that comes within @wait_ms, -1 if none does. */
static inline int64_t net_lab_receive(int fd, unsigned wait_ms)
{
	struct timeval wait = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
	uint32_t number;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	return recv(fd, &number, sizeof number, 0) == 4 ? (int64_t)number : -1;
}

#endif
