/* SPDX-License-Identifier: MIT */
/*
 * main.c - pacelab-replica: options, signals, exit status
 *
 * Every option is a row of the table: its name, what it takes, how it is read, what it is for. The
 * help text is printed from the same rows.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/units.h"
#include "store/hello.h"
#include "store/replica.h"
#include "store/settings.h"

#define PEERS_TEXT_MAX (PROTO_NODES_MAX * INET_ADDRSTRLEN)
#define SPAN_TEXT_MAX 64

struct options {
	struct replica_config config;
	enum log_level level;
	unsigned id;
	bool listens; /* --listen was given */
	const char *settings;
};

struct option {
	const char *name;
	const char *takes;
	int (*read)(struct options *o, const char *text, struct err *err);
	const char *help;
};

static int read_proto(struct options *o, const char *text, struct err *err)
{
	o->config.ops = proto_find(text);
	return o->config.ops ? 0 : err_usage(err, "there is no protocol '%s'", text);
}

static int read_unsigned(const char *text, uint64_t max, unsigned *ret, struct err *err)
{
	uint64_t n = 0;

	if (units_parse_count(text, 0, max, &n, err) < 0)
		return err->code;
	*ret = (unsigned)n;
	return 0;
}

static int read_id(struct options *o, const char *text, struct err *err)
{
	return read_unsigned(text, PROTO_NODES_MAX - 1, &o->id, err);
}

static int read_peers(struct options *o, const char *text, struct err *err)
{
	char copy[PEERS_TEXT_MAX];
	char *at = copy;
	char *word;

	if (strlen(text) >= sizeof copy)
		return err_usage(err, "more than %u addresses", PROTO_NODES_MAX);
	(void)snprintf(copy, sizeof copy, "%s", text);
	o->config.proto.nodes = 0;
	while ((word = strsep(&at, ","))) {
		unsigned n = o->config.proto.nodes;

		if (n == PROTO_NODES_MAX)
			return err_usage(err, "more than %u addresses", PROTO_NODES_MAX);
		if (inet_pton(AF_INET, word, &o->config.peers[n]) != 1)
			return err_usage(err, "'%s' is not an IPv4 address", word);
		o->config.proto.nodes = n + 1;
	}
	return 0;
}

static int read_port(const char *text, uint16_t *ret, struct err *err)
{
	uint64_t n = 0;

	if (units_parse_count(text, 1, UINT16_MAX, &n, err) < 0)
		return err->code;
	*ret = (uint16_t)n;
	return 0;
}

static int read_listen(struct options *o, const char *text, struct err *err)
{
	char addr[INET_ADDRSTRLEN] = "";
	const char *colon = strrchr(text, ':');
	uint16_t port = REPLICA_CLIENT_PORT;

	if (colon && read_port(colon + 1, &port, err) < 0)
		return err->code;
	(void)snprintf(
		addr, sizeof addr, "%.*s", (int)(colon ? colon - text : INET_ADDRSTRLEN), text);
	if (inet_pton(AF_INET, addr, &o->config.listen.sin_addr) != 1)
		return err_usage(err, "'%s' is not ADDRESS:PORT with an IPv4 address", text);
	o->config.listen.sin_port = htons(port);
	o->listens = true;
	return 0;
}

static int read_peer_port(struct options *o, const char *text, struct err *err)
{
	return read_port(text, &o->config.peer_port, err);
}

static int read_admin_fd(struct options *o, const char *text, struct err *err)
{
	int listening = 0;
	socklen_t len = sizeof listening;
	unsigned fd = 0;

	if (read_unsigned(text, INT32_MAX, &fd, err) < 0)
		return err->code;
	if (getsockopt((int)fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 || !listening)
		return err_usage(err, "descriptor %u is not a listening socket", fd);
	o->config.admin_fd = (int)fd;
	return 0;
}

static int read_skew(struct options *o, const char *text, struct err *err)
{
	return units_parse_offset(text, &o->config.skew_ns, err);
}

static int read_cluster(struct options *o, const char *text, struct err *err)
{
	if (!hello_cluster_fits(text))
		return err_usage(err, "'%s' is not 1 to %u letters, digits, '.', '_' and '-'", text,
			HELLO_CLUSTER_MAX);
	o->config.cluster = text;
	return 0;
}

static int read_dir(struct options *o, const char *text, struct err *err)
{
	struct stat st;

	if (stat(text, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_usage(err, "'%s' is not a directory", text);
	o->config.dir = text;
	return 0;
}

static int read_fsync(struct options *o, const char *text, struct err *err)
{
	return wal_sync_find(text, &o->config.sync) < 0
		       ? err_usage(err, "'%s' is none of always, interval and none", text)
		       : 0;
}

static int read_snapshot_log(struct options *o, const char *text, struct err *err)
{
	if (strcmp(text, "0") == 0) {
		o->config.snapshot_log = 0;
		return 0;
	}
	return units_parse_memory(text, &o->config.snapshot_log, err);
}

static int read_max_memory(struct options *o, const char *text, struct err *err)
{
	if (strcmp(text, "0") == 0) {
		o->config.memory_max = 0;
		return 0;
	}
	return units_parse_memory(text, &o->config.memory_max, err);
}

static int read_level(const char *text, enum proto_level *ret, struct err *err)
{
	for (unsigned i = PROTO_DEFAULT + 1; i < PROTO_LEVEL_NR; i++)
		if (strcmp(text, proto_level_names[i]) == 0) {
			*ret = (enum proto_level)i;
			return 0;
		}
	return err_usage(err, "'%s' is not a level: one, two, three, quorum, all or lease", text);
}

static int read_read_level(struct options *o, const char *text, struct err *err)
{
	return read_level(text, &o->config.proto.read_level, err);
}

static int read_write_level(struct options *o, const char *text, struct err *err)
{
	return read_level(text, &o->config.proto.write_level, err);
}

static int read_span(const char *text, uint64_t *ret_ns, struct err *err)
{
	if (units_parse_duration(text, ret_ns, err) < 0)
		return err->code;
	return *ret_ns ? 0 : err_usage(err, "'%s' must be more than 0", text);
}

static int read_request_timeout(struct options *o, const char *text, struct err *err)
{
	return read_span(text, &o->config.proto.request_timeout_ns, err);
}

static int read_heartbeat(struct options *o, const char *text, struct err *err)
{
	return read_span(text, &o->config.proto.heartbeat_ns, err);
}

static int read_election(struct options *o, const char *text, struct err *err)
{
	struct proto_config *proto = &o->config.proto;
	const char *dash = strchr(text, '-');
	char first[SPAN_TEXT_MAX];

	if (!dash || dash - text >= SPAN_TEXT_MAX)
		return err_usage(err, "'%s' is not MIN-MAX, as in 300ms-600ms", text);
	(void)snprintf(first, sizeof first, "%.*s", (int)(dash - text), text);
	if (read_span(first, &proto->election_min_ns, err) < 0 ||
		read_span(dash + 1, &proto->election_max_ns, err) < 0)
		return err->code;
	if (proto->election_min_ns > proto->election_max_ns)
		return err_usage(err, "'%s' begins with the longer time", text);
	return 0;
}

static int read_leader(struct options *o, const char *text, struct err *err)
{
	unsigned n = 0;

	if (read_unsigned(text, PROTO_NODES_MAX - 1, &n, err) < 0)
		return err->code;
	o->config.proto.leader = (int)n;
	return 0;
}

/* Which settings there are depends on the protocol, which may come later. */
static int read_settings(struct options *o, const char *text, struct err *err)
{
	(void)err;
	o->settings = text;
	return 0;
}

static int read_seed(struct options *o, const char *text, struct err *err)
{
	return units_parse_count(text, 0, UINT64_MAX, &o->config.seed, err);
}

static int read_log_level(struct options *o, const char *text, struct err *err)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	_Static_assert(sizeof names / sizeof *names == LOG_LEVEL_NR, "a name per level");

	for (unsigned i = 0; i < LOG_LEVEL_NR; i++)
		if (strcmp(text, names[i]) == 0) {
			o->level = (enum log_level)i;
			return 0;
		}
	return err_usage(err, "'%s' is not a level: error, warning, info or debug", text);
}

static const struct option options[] = {
	{"--proto", "NAME", read_proto, "replication protocol; needed"},
	{"--id", "N", read_id, "which of --peers this replica is, from 0; needed"},
	{"--peers", "A,B,...", read_peers, "IPv4 addresses of all replicas by id; needed"},
	{"--cluster", "NAME", read_cluster, "replicas of another one are refused (none)"},
	{"--listen", "A:PORT", read_listen, "for clients (own address, port 6379)"},
	{"--peer-port", "PORT", read_peer_port, "where replicas talk to each other (7000)"},
	{"--admin-fd", "N", read_admin_fd, "inherited listening socket that is served, too"},
	{"--dir", "DIR", read_dir, "where the log is kept (.)"},
	{"--fsync", "WHEN", read_fsync,
		"always (before the answer), interval (within a second) or none"},
	{"--read-level", "LEVEL", read_read_level, "one, two, three, quorum (default), all, lease"},
	{"--write-level", "LEVEL", read_write_level, "one, two, three, quorum (default), all"},
	{"--max-memory", "SIZE", read_max_memory,
		"of keys and values; then writes are refused, but for DEL, SREM, RESOLVE (0: no limit)"},
	{"--snapshot-log", "SIZE", read_snapshot_log,
		"the log grows so much before a snapshot replaces it (64mb), 0: never"},
	{"--request-timeout", "TIME", read_request_timeout, "give a request up after (800ms)"},
	{"--election", "MIN-MAX", read_election, "election timeouts (300ms-600ms)"},
	{"--heartbeat", "TIME", read_heartbeat, "of a leader (50ms)"},
	{"--leader", "N", read_leader, "replica that should lead first (any)"},
	{"--set", "SETTINGS", read_settings,
		"of the protocol, \"name=value name=value\"; see below"},
	{"--seed", "N", read_seed, "of everything random (1)"},
	{"--skew", "TIME", read_skew, "its wall clock is so much ahead, or behind: -500ms (0)"},
	{"--log-level", "LEVEL", read_log_level, "error, warning, info (default) or debug"},
};

static void help(void)
{
	printf("usage: pacelab-replica --proto NAME --id N --peers A,B,... [options]\n\n"
	       "One replica of the store, for redis-cli and any other client of Redis.\n"
	       "By hand: pacelab-replica --proto single --id 0 --peers 127.0.0.1\n\n");
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		printf("  %-17s %-8s %s\n", options[i].name, options[i].takes, options[i].help);
	printf("\nprotocols:");
	for (unsigned i = 0; proto_list(i); i++)
		printf(" %s", proto_list(i)->name);
	printf("\nsettings:\n");
	for (unsigned i = 0; settings_list(i); i++)
		printf("  %-17s %-8s %s\n", settings_list(i)->name, settings_list(i)->protocols,
			settings_list(i)->help);
	printf("\nexit status: 0 after SIGTERM, 64 usage, 65 damaged log, 70 internal failure, "
	       "77 cannot run here\n");
}

static int read_one(struct options *o, const char *name, const char *text, struct err *err)
{
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		if (strcmp(name, options[i].name) != 0)
			continue;
		if (!text)
			return err_usage(err, "%s needs a value: %s", name, options[i].takes);
		return options[i].read(o, text, err) < 0 ? err_wrap(err, "%s", name) : 0;
	}
	return err_usage(err, "unknown option '%s'; see --help", name);
}

static int read_all(struct options *o, char **argv, struct err *err)
{
	for (char **arg = argv + 1; *arg; arg += 2) {
		int ret = read_one(o, arg[0], arg[1], err);

		if (ret < 0)
			return ret;
	}
	if (!o->config.ops)
		return err_usage(err, "--proto is needed");
	settings_defaults(&o->config.proto);
	if (o->settings && settings_read(&o->config.proto, o->config.ops, o->settings, err) < 0)
		return err_wrap(err, "--set");
	if (!o->config.proto.nodes)
		return err_usage(err, "--peers is needed");
	if (o->id == PROTO_NODES_MAX)
		return err_usage(err, "--id is needed");
	if (o->id >= o->config.proto.nodes)
		return err_usage(
			err, "--id %u: there are only %u --peers", o->id, o->config.proto.nodes);
	if (o->config.proto.leader >= (int)o->config.proto.nodes)
		return err_usage(err, "--leader %d: there are only %u --peers",
			o->config.proto.leader, o->config.proto.nodes);
	o->config.proto.self = o->id;
	if (!o->listens) {
		o->config.listen.sin_addr = o->config.peers[o->id];
		o->config.listen.sin_port = htons(REPLICA_CLIENT_PORT);
	}
	return 0;
}

static int fail(const struct err *err, int status)
{
	(void)fprintf(stderr, "pacelab-replica: %s\n", err->text);
	return status;
}

/* SIGTERM and SIGINT become a descriptor that the loop polls. */
static int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* Both are seen as errors of the write instead. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static void raise_files_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(const struct options *o)
{
	struct err err = {0};
	struct replica *r = NULL;
	char who[32];
	int status;
	int ret;

	(void)snprintf(who, sizeof who, "replica-%u", o->id);
	log_init(STDERR_FILENO, who, o->level);
	raise_files_limit();
	ret = replica_open(&r, &o->config, &err);
	if (ret < 0)
		return fail(&err, ret == -EBADMSG ? REPLICA_EXIT_DAMAGED : (int)err.status);
	status = replica_run(r);
	replica_close(r);
	return status;
}

/* clang-format off */
static const struct replica_config defaults = {
	.proto = {
		.read_level = PROTO_QUORUM,
		.write_level = PROTO_QUORUM,
		.request_timeout_ns = 800 * NS_PER_MS,
		.election_min_ns = 300 * NS_PER_MS,
		.election_max_ns = 600 * NS_PER_MS,
		.heartbeat_ns = 50 * NS_PER_MS,
		.leader = -1,
	},
	.listen = {.sin_family = AF_INET},
	.peer_port = REPLICA_PEER_PORT,
	.admin_fd = -1,
	.signal_fd = -1,
	.dir = ".",
	.sync = WAL_SYNC_ALWAYS,
	.snapshot_log = SNAPSHOT_LOG_MIN,
	.seed = 1,
};
/* clang-format on */

int main(int argc, char **argv)
{
	struct options o = {.config = defaults, .level = LOG_INFO, .id = PROTO_NODES_MAX};
	struct err err = {0};

	bugs_choose_by_environment();
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		help();
		return EXIT_AS_EXPECTED;
	}
	if (read_all(&o, argv, &err) < 0)
		return fail(&err, EXIT_USAGE);
	o.config.signal_fd = signals_open();
	return run(&o);
}
