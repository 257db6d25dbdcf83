/* SPDX-License-Identifier: MIT */
/*
 * fabric.c - the lab's network: built, changed and taken away as a whole
 *
 * Built in this order, for each step needs the one before: the switch's namespace and the nodes',
 * bridge, emulator, ports, the nodes' addresses; then, outside of the time that is reported, the
 * emulator's process and the self-check.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "netns/fabric_priv.h"
#include "netns/link.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

static bool good_name(const char *name, size_t max)
{
	size_t len = strnlen(name, max + 1);

	return len > 0 && len <= max && strspn(name, NAME_CHARS) == len && name[0] != '-';
}

static int check_config(const struct fabric_config *config, struct err *err)
{
	if (!good_name(config->lab, FABRIC_LAB_MAX))
		return err_usage(err,
			"lab name '%s': 1 to %d letters, digits, '-' or '_' are needed",
			config->lab, FABRIC_LAB_MAX);
	if (config->nodes < 1 || config->nodes > FABRIC_NODES_MAX)
		return err_usage(
			err, "%u nodes: a lab has 1 to %d", config->nodes, FABRIC_NODES_MAX);
	for (unsigned i = 0; i < config->nodes; i++) {
		const char *name = config->node[i].name;

		if (!good_name(name, FABRIC_NAME_MAX - 1) || !strcmp(name, "lo"))
			return err_usage(err,
				"node name '%.*s': 1 to %d letters, digits, '-' or '_' are needed",
				FABRIC_NAME_MAX, name, FABRIC_NAME_MAX - 1);
		for (unsigned j = 0; j < i; j++) {
			if (!strcmp(name, config->node[j].name) ||
				config->node[i].addr_be == config->node[j].addr_be)
				return err_usage(err, "nodes '%s' and '%s' have the same %s",
					config->node[j].name, name,
					strcmp(name, config->node[j].name) ? "address" : "name");
		}
	}
	return 0;
}

/* Return: an empty one that fabric_destroy() takes, or NULL. */
static struct fabric *alloc(const struct fabric_config *config, struct err *err)
{
	struct fabric *f = calloc(1, sizeof *f);
	size_t n = config->nodes;

	if (!f)
		goto fail;
	f->nodes = config->nodes;
	f->home_fd = f->switch_fd = -1;
	f->matrix = MATRIX_CLOSED;
	(void)snprintf(f->lab, sizeof f->lab, "%s", config->lab);
	f->name = calloc(n, sizeof *f->name);
	f->node = calloc(n, sizeof *f->node);
	f->scratch = calloc(n * n, sizeof *f->scratch);
	f->classed = calloc(n * n, sizeof *f->classed);
	f->changed = calloc(n * n, sizeof *f->changed);
	f->probe_epoll = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned i = 0; f->node && i < f->nodes; i++)
		f->node[i].netns_fd = f->node[i].probe_fd = -1;
	if (!f->name || !f->node || !f->scratch || !f->classed || !f->changed ||
		f->probe_epoll < 0 || link_matrix_init(&f->now, config->nodes))
		goto fail;
	memcpy(f->name, config->node, n * sizeof *f->name);
	return f;
fail:
	fabric_destroy(f);
	(void)err_sys(err, -ENOMEM, "network of %zu nodes", n);
	return NULL;
}

static int open_nodes(struct fabric *f, struct err *err)
{
	for (unsigned i = 0; i < f->nodes; i++) {
		struct epoll_event event = {.events = EPOLLIN};
		int code = node_open(&f->node[i], err);

		if (code)
			return err_wrap(err, "node '%s'", f->name[i].name);
		event.data.fd = f->node[i].probe_fd;
		if (epoll_ctl(f->probe_epoll, EPOLL_CTL_ADD, f->node[i].probe_fd, &event))
			return err_sys(err, -errno, "watch the probe sockets");
	}
	return 0;
}

/* Without BPF the lab still works; cuts take longer and are not all at one instant. */
static int open_matrix(struct fabric *f, const struct fabric_config *config, struct err *err)
{
	int code =
		config->without_bpf ? -EPERM : matrix_open(&f->matrix, f->nodes, config->seed, err);
	size_t len = strlen(f->text);

	if (code == 0 || code == -ENOMEM || code == -EMFILE || code == -ENFILE)
		return code;
	(void)snprintf(f->text + len, sizeof f->text - len, ", cuts leaf by leaf (no BPF: %s)",
		strerror(-code));
	return matrix_open_plain(&f->matrix, f->nodes, code, err);
}

static int open_switch(struct fabric *f, const struct fabric_config *config, struct err *err)
{
	struct emulator_host host;
	int code;

	f->switch_fd = namespace_open(err);
	if (f->switch_fd < 0)
		return f->switch_fd;
	(void)node_write_setting("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
	code = nlsock_open(&f->sw, err);
	if (!code)
		code = emulator_choose(config->emulator, &f->sw, &f->ops, &f->kind, f->text, err);
	if (!code)
		code = open_matrix(f, config, err);
	if (!code)
		code = switch_build_bridge(f, err);
	if (code)
		return code;
	f->linked = true;
	host = (struct emulator_host){
		.sw = &f->sw,
		.switch_fd = f->switch_fd,
		.home_fd = f->home_fd,
		.matrix = &f->matrix,
		.node = f->name,
		.nodes = f->nodes,
		.seed = config->seed,
		.log_fd = config->log_fd,
	};
	return f->ops->open(&f->emulator, &host, err);
}

static int build(struct fabric *f, const struct fabric_config *config, struct err *err)
{
	int code = open_switch(f, config, err);

	if (!code)
		code = open_nodes(f, err);
	if (!code)
		code = switch_build_ports(f, err);
	if (!code)
		code = switch_build_nodes(f, err);
	return code;
}

/* Have the memory of changes there, not found while one is timed. After the fork: whoever writes to
 * a page that a child shares is given a copy first. */
static void touch(struct fabric *f)
{
	size_t links = (size_t)f->nodes * f->nodes;

	memset(f->changed, 0, links * sizeof *f->changed);
	memset(f->scratch, 0, links * sizeof *f->scratch);
	memset(f->now.link, 0, links * sizeof *f->now.link);
}

/* Processes are not counted in the time that the network takes. */
static int start(struct fabric *f, struct err *err)
{
	int code = f->ops->start(f->emulator, err);

	touch(f);
	if (!code)
		code = probe_bias(f, err);
	if (code)
		return code;
	for (unsigned i = 0; i < f->nodes * f->nodes && !leafcut_needed(f); i++) {
		f->matrix.map->link[i].passed = 0;
		f->matrix.map->link[i].dropped = 0;
		f->matrix.map->link[i].lost = 0;
		f->matrix.map->link[i].doubled = 0;
	}
	if (f->ops->begin)
		f->ops->begin(f->emulator);
	return 0;
}

int fabric_build(struct fabric **ret, const struct fabric_config *config, struct err *err)
{
	uint64_t begin_ns = clock_now_ns();
	struct fabric *f = NULL;
	int code = check_config(config, err);

	*ret = NULL;
	if (code)
		return code;
	f = alloc(config, err);
	if (!f)
		return -ENOMEM;
	code = namespace_home(err);
	if (code < 0)
		goto fail;
	f->home_fd = code;
	code = build(f, config, err);
	namespace_enter(f->home_fd);
	f->build_ns = clock_now_ns() - begin_ns;
	if (!code)
		code = start(f, err);
	if (code)
		goto fail;
	*ret = f;
	return 0;
fail:
	fabric_destroy(f);
	return err_wrap(err, "build the network of lab '%s'", config->lab);
}

void fabric_destroy(struct fabric *f)
{
	struct nlbatch b = {0};

	if (!f)
		return;
	if (f->linked) {
		/* One message; its answer comes when the links are gone, eth0 of the nodes too. */
		link_delete_group(&b);
		(void)nlsock_send(&f->sw, &b, NULL);
		nlbatch_fini(&b);
	}
	if (f->ops)
		f->ops->close(f->emulator);
	nlsock_close(&f->sw);
	for (unsigned i = 0; f->node && i < f->nodes; i++)
		node_close(&f->node[i]);
	if (f->probe_epoll >= 0)
		close(f->probe_epoll);
	if (f->switch_fd >= 0)
		close(f->switch_fd);
	if (f->home_fd >= 0)
		close(f->home_fd);
	matrix_close(&f->matrix);
	link_matrix_fini(&f->now);
	free(f->classed);
	free(f->changed);
	free(f->scratch);
	free(f->node);
	free(f->name);
	free(f);
}

int fabric_netns_fd(const struct fabric *f, unsigned i)
{
	assert(i < f->nodes);
	return f->node[i].netns_fd;
}

int fabric_switch_fd(const struct fabric *f)
{
	return f->switch_fd;
}

pid_t fabric_wire_pid(const struct fabric *f)
{
	return f->ops->pid ? f->ops->pid(f->emulator) : -1;
}

enum emulator_kind fabric_emulator(const struct fabric *f)
{
	return f->kind;
}

const char *fabric_emulator_text(const struct fabric *f)
{
	return f->text;
}

uint64_t fabric_build_ns(const struct fabric *f)
{
	return f->build_ns;
}

const struct link_matrix *fabric_matrix(const struct fabric *f)
{
	return &f->now;
}

void fabric_counters(
	const struct fabric *f, unsigned src, unsigned dst, struct fabric_counters *ret)
{
	leafcut_refresh(f, dst);
	fabric_count(f, src, dst, ret);
}

void fabric_count(const struct fabric *f, unsigned src, unsigned dst, struct fabric_counters *ret)
{
	const struct matrix_link *link = matrix_at(&f->matrix, src, dst);

	*ret = (struct fabric_counters){0};
	ret->passed = __atomic_load_n(&link->passed, __ATOMIC_RELAXED);
	ret->dropped = __atomic_load_n(&link->dropped, __ATOMIC_RELAXED);
	ret->lost = __atomic_load_n(&link->lost, __ATOMIC_RELAXED);
	ret->doubled = __atomic_load_n(&link->doubled, __ATOMIC_RELAXED);
	ret->offered = ret->passed + ret->dropped + ret->lost;
	if (f->ops->count)
		f->ops->count(f->emulator, src, dst, ret);
}

void fabric_quality(const struct fabric *f, struct fabric_quality *ret)
{
	*ret = (struct fabric_quality){.bias_ns = f->bias_ns};
	f->ops->quality(f->emulator, ret);
}
