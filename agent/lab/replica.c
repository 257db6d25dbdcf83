/* SPDX-License-Identifier: MIT */
/* replica.c - how a replica's process is started: program, arguments, admin socket, data, log */
#include "agent/lab/replica.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/lab/database.h"
#include "store/settings.h"

#define ADMIN_BACKLOG 16
#define ARGS_MAX 40
#define ARG_MAX_BYTES 64

/* Beside pacelab itself in the build tree, in libexec when installed. */
static int binary_open(struct err *err)
{
	static const char *const places[] = {
		"pacelab-replica", "../libexec/pacelab/pacelab-replica"};
	const char *other = getenv("PACELAB_REPLICA"); /* the tests' replicas with planted bugs */
	char self[PATH_MAX] = {0};
	char path[PATH_MAX + 64];
	const char *dir;
	int fd;

	if (other) {
		fd = open(other, O_RDONLY | O_CLOEXEC);
		return fd < 0 ? err_sys(err, -errno, "PACELAB_REPLICA: open %s", other) : fd;
	}
	if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
		return err_sys(err, -errno, "read /proc/self/exe");
	dir = dirname(self);
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", dir, places[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	return err_sys(err, -errno, "open pacelab-replica, which belongs into %s", dir);
}

static int admin_listen(const char *path, struct err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	static_assert(sizeof addr.sun_path >= NAMES_PATH_MAX, "a name of ours fits a socket");
	(void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
	if (fd < 0)
		return err_sys(err, -errno, "socket");
	if (bind(fd, (struct sockaddr *)&addr, sizeof addr) || chmod(path, 0600) ||
		listen(fd, ADMIN_BACKLOG)) {
		int code = -errno;

		close(fd);
		return err_sys(err, code, "listen at %s", path);
	}
	return fd;
}

/* No replica of another lab, or of another run of this one, is ever taken for one of ours. */
static int cluster_draw(struct supervisor *s, struct err *err)
{
	uint64_t id;

	if (getrandom(&id, sizeof id, 0) != sizeof id)
		return err_sys(err, -errno, "getrandom");
	(void)snprintf(s->cluster, sizeof s->cluster, "%016" PRIx64, id);
	return 0;
}

int replica_prepare(struct supervisor *s, struct err *err)
{
	int rc = cluster_draw(s, err);

	if (rc)
		return rc;
	if (s->plan->real)
		database_prepare(s);
	else if ((s->binary_fd = binary_open(err)) < 0)
		return s->binary_fd;
	for (unsigned i = 0; i < s->plan->replicas; i++) {
		char file[FABRIC_NAME_MAX + 8];

		(void)snprintf(file, sizeof file, "%s.sock", s->plan->node[i].name);
		names_path(s->admin_path[i], s->names.lab, file);
		s->admin_fd[i] = admin_listen(s->admin_path[i], err);
		if (s->admin_fd[i] < 0)
			return s->admin_fd[i];
	}
	return 0;
}

/* The program's argument list; each text has a place of its own. */
struct args {
	char text[ARGS_MAX][ARG_MAX_BYTES];
	char *argv[ARGS_MAX + 1];
	unsigned n;
};

static void arg_add(struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void arg_add(struct args *a, const char *fmt, ...)
{
	va_list list;

	assert(a->n < ARGS_MAX);
	va_start(list, fmt);
	(void)vsnprintf(a->text[a->n], sizeof a->text[a->n], fmt, list);
	va_end(list);
	a->argv[a->n] = a->text[a->n];
	a->n++;
}

static char *peers(const struct plan *plan)
{
	char *list = malloc((size_t)plan->replicas * INET_ADDRSTRLEN + 1);
	size_t len = 0;

	for (unsigned i = 0; list && i < plan->replicas; i++) {
		struct in_addr addr = {.s_addr = plan->node[i].addr_be};

		if (i)
			list[len++] = ',';
		if (!inet_ntop(AF_INET, &addr, list + len, INET_ADDRSTRLEN))
			list[len] = '\0';
		len += strlen(list + len);
	}
	return list;
}

static void args_fill(
	struct args *a, const struct plan *plan, unsigned replica, char *peer_list, char *settings)
{
	const struct proto_config *proto = &plan->proto;

	arg_add(a, "pacelab-replica");
	arg_add(a, "--proto");
	arg_add(a, "%s", plan->system->ops->name);
	arg_add(a, "--id");
	arg_add(a, "%u", replica);
	arg_add(a, "--peers");
	a->argv[a->n++] = peer_list;
	arg_add(a, "--admin-fd");
	arg_add(a, "%d", SPAWN_ADMIN_FD);
	arg_add(a, "--fsync");
	arg_add(a, "%s", wal_sync_names[plan->fsync]);
	arg_add(a, "--read-level");
	arg_add(a, "%s", proto_level_names[proto->read_level]);
	arg_add(a, "--write-level");
	arg_add(a, "%s", proto_level_names[proto->write_level]);
	arg_add(a, "--request-timeout");
	arg_add(a, "%" PRIu64 "ns", proto->request_timeout_ns);
	arg_add(a, "--election");
	arg_add(a, "%" PRIu64 "ns-%" PRIu64 "ns", proto->election_min_ns, proto->election_max_ns);
	arg_add(a, "--heartbeat");
	arg_add(a, "%" PRIu64 "ns", proto->heartbeat_ns);
	arg_add(a, "--seed");
	arg_add(a, "%" PRIu64, plan->seed);
	if (proto->leader >= 0) {
		arg_add(a, "--leader");
		arg_add(a, "%d", proto->leader);
	}
	if (settings[0]) {
		arg_add(a, "--set");
		assert(a->n < ARGS_MAX);
		a->argv[a->n++] = settings;
	}
	a->argv[a->n] = NULL;
}

int replica_spawn(struct supervisor *s, unsigned replica, struct child *ret, struct err *err)
{
	const char *name = s->plan->node[replica].name;
	struct spawn_replica what = {.node_fd = s->node[replica].source.fd,
		.binary_fd = s->binary_fd,
		.uid = spawn_uid(replica),
		.admin_fd = s->admin_fd[replica],
		.log_fd = -1};
	struct args args = {.n = 0};
	char dir[OUTDIR_FILE_MAX];
	char *peer_list;
	struct buf settings = {0};
	int rc;

	if (s->plan->real)
		return database_spawn(s, replica, ret, err);
	peer_list = peers(s->plan);
	rc = peer_list ? 0 : err_sys(err, -ENOMEM, "list the replicas");

	if (!rc)
		rc = outdir_data(&s->out, name, what.uid, dir, err);
	if (!rc) {
		what.log_fd = outdir_log(&s->out, name, err);
		rc = what.log_fd < 0 ? what.log_fd : 0;
	}
	if (!rc) {
		settings_print(&settings, &s->plan->proto, s->plan->system->ops);
		buf_u8(&settings, '\0');
		args_fill(&args, s->plan, replica, peer_list, (char *)settings.p);
		arg_add(&args, "--cluster");
		arg_add(&args, "%s", s->cluster);
		if (s->skew_ns[replica]) {
			arg_add(&args, "--skew");
			arg_add(&args, "%" PRId64 "ns", s->skew_ns[replica]);
		}
		args.argv[args.n] = NULL;
		what.dir = dir;
		what.argv = args.argv;
		rc = spawn_replica(&s->spawner, &what, ret, err);
	}
	if (what.log_fd >= 0)
		close(what.log_fd);
	free(peer_list);
	buf_fini(&settings);
	return rc;
}

void replica_cleanup(struct supervisor *s)
{
	for (unsigned i = 0; i < s->plan->replicas; i++) {
		if (s->admin_fd[i] >= 0)
			close(s->admin_fd[i]);
		s->admin_fd[i] = -1;
	}
	if (s->binary_fd >= 0)
		close(s->binary_fd);
	s->binary_fd = -1;
}
