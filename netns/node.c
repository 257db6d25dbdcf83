/* SPDX-License-Identifier: MIT */
/*
 * node.c - the network namespace of one node
 *
 * /proc/sys/net shows the namespace of the thread that opens a file, so settings are written
 * while the thread is inside. Only files that every namespace has of its own are written: the
 * host's own settings stay as they are.
 */
#include "node.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROBE_RCVBUF (4 << 20) /* probes of a whole lab that meet at one node */

struct setting {
	const char *path;
	const char *value;
	const char *why;
};

static const struct setting settings[] = {
	/* "all" sets "default" with it, so that this holds for eth0 to come. */
	{"/proc/sys/net/ipv6/conf/all/disable_ipv6", "1", "no frames that nobody asked for"},
	{"/proc/sys/net/ipv4/tcp_no_metrics_save", "1",
		"a connection learns nothing from the last"},
	{"/proc/sys/net/ipv4/tcp_retries2", "255", "a cut is ended by the heal or by the program"},
	{"/proc/sys/net/ipv4/tcp_syn_retries", "127", "the same while connecting"},
	{"/proc/sys/net/ipv4/tcp_rto_max_ms", "1000", "recovery after the heal is not back-off"},
	{"/proc/sys/net/ipv4/ip_unprivileged_port_start", "0", "nobody may serve DNS, too"},
};

int node_write_setting(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int code = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		code = -errno;
	close(fd);
	return code;
}

bool node_has_cubic(void)
{
	char names[256] = "";
	int fd = open("/proc/sys/net/ipv4/tcp_available_congestion_control", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, names, sizeof names - 1);
	close(fd);
	return n > 0 && strstr(names, "cubic");
}

int namespace_home(struct err *err)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_sys(err, -errno, "open /proc/thread-self/ns/net") : fd;
}

int namespace_open(struct err *err)
{
	if (unshare(CLONE_NEWNET)) {
		if (errno == EPERM)
			return err_set(err, -EPERM, EXIT_CANNOT_RUN,
				"make a network namespace: not permitted; run as root "
				"(CAP_SYS_ADMIN and CAP_NET_ADMIN)");
		return err_sys(err, -errno, "make a network namespace");
	}
	return namespace_home(err);
}

void namespace_enter(int fd)
{
	int code = setns(fd, CLONE_NEWNET);

	assert(code == 0);
}

static int open_probe(struct err *err)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(NODE_PROBE_PORT),
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1, rcvbuf = PROBE_RCVBUF;

	if (fd < 0)
		return err_sys(err, -errno, "open the probe socket");
	if (bind(fd, (struct sockaddr *)&addr, sizeof addr) ||
		setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one) ||
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof one) ||
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf, sizeof rcvbuf)) {
		int code = -errno;

		close(fd);
		return err_sys(err, code, "set up the probe socket");
	}
	return fd;
}

int node_open(struct node *n, struct err *err)
{
	int code;

	n->netns_fd = namespace_open(err);
	if (n->netns_fd < 0)
		return n->netns_fd;
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		code = node_write_setting(settings[i].path, settings[i].value);
		/* Older kernels lack some, and a kernel without IPv6 needs none of its own. */
		if (code && code != -ENOENT)
			return err_sys(err, code, "write %s", settings[i].path);
	}
	n->probe_fd = open_probe(err);
	if (n->probe_fd < 0)
		return n->probe_fd;
	return nlsock_open(&n->nl, err);
}

int node_offloads_off(const struct node *n, struct err *err)
{
	static const uint32_t off[] = {ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO};

	for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
		struct ethtool_value value = {.cmd = off[i], .data = 0};
		struct ifreq ifr = {.ifr_name = "eth0", .ifr_data = (void *)&value};

		/* The socket was made inside, so this is the node's eth0. */
		if (ioctl(n->probe_fd, SIOCETHTOOL, &ifr))
			return err_sys(err, -errno, "turn segmentation offload off");
	}
	return 0;
}

void node_close(struct node *n)
{
	nlsock_close(&n->nl);
	if (n->probe_fd >= 0)
		close(n->probe_fd);
	if (n->netns_fd >= 0)
		close(n->netns_fd);
	n->probe_fd = -1;
	n->netns_fd = -1;
}
