/* SPDX-License-Identifier: MIT */
/*
 * wire.c - the wire emulator as the fabric sees it: tap, process, shared memory
 *
 * The tap is a port of the bridge that nothing floods to: frames reach it only because the matrix
 * program redirects them, and what the wire process writes enters the bridge there. The values of
 * the links are written beside those in force; the flip of the matrix puts both in force.
 */
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "netns/dist.h"
#include "netns/emulator.h"
#include "netns/link.h"
#include "netns/qdisc.h"

#define READY_NS_MAX (5 * NS_PER_S)

struct wire_host {
	struct emulator_host host;
	struct wire_job job;
	size_t shared_size;
	pid_t pid;
	int pidfd; /* kills the right process even after the caller has reaped it */
};

static int open_tun(struct err *err)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return err_set(err, -errno, EXIT_CANNOT_RUN,
			"open /dev/net/tun: %s; the wire emulator needs it (load the module tun)",
			strerror(errno));
	return fd;
}

static int wire_probe(struct nlsock *sw, struct err *err)
{
	int fd = open_tun(err);

	(void)sw;
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static void wire_close(void *emulator)
{
	struct wire_host *w = emulator;

	if (!w)
		return;
	if (w->pid > 0) {
		if (w->pidfd >= 0)
			(void)pidfd_send_signal(w->pidfd, SIGKILL, NULL, 0);
		else /* it was just started: nobody has reaped it */
			(void)kill(w->pid, SIGKILL);
		while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (w->pidfd >= 0)
		close(w->pidfd);
	if (w->job.tap_fd >= 0)
		close(w->job.tap_fd);
	if (w->job.shared)
		munmap(w->job.shared, w->shared_size);
	free(w);
}

static int open_tap(struct err *err)
{
	struct ifreq ifr = {.ifr_name = LINK_TAP_NAME, .ifr_flags = IFF_TAP | IFF_NO_PI};
	int index = LINK_TAP, code;
	int fd = open_tun(err);

	if (fd < 0)
		return fd;
	if (ioctl(fd, TUNSETIFINDEX, &index) || ioctl(fd, TUNSETIFF, &ifr)) {
		code = -errno;
		close(fd);
		return err_sys(err, code, "make the tap of the wire emulator");
	}
	return fd;
}

static int wire_open(void **ret, const struct emulator_host *host, struct err *err)
{
	struct wire_host *w = calloc(1, sizeof *w);
	struct nlbatch b = {0};
	int code;

	if (!w)
		return err_sys(err, -ENOMEM, "wire emulator");
	code = dist_share(err);
	if (code) {
		free(w);
		return code;
	}
	w->host = *host;
	w->pid = -1;
	w->pidfd = -1;
	w->job = (struct wire_job){
		.matrix = host->matrix,
		.log_fd = host->log_fd,
		.seed = host->seed,
		.parent = getpid(),
	};
	w->job.tap_fd = open_tap(err);
	if (w->job.tap_fd < 0) {
		code = w->job.tap_fd;
		goto fail;
	}
	w->shared_size = sizeof *w->job.shared +
			 2ul * host->nodes * host->nodes * sizeof w->job.shared->link[0];
	w->job.shared = mmap(
		NULL, w->shared_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (w->job.shared == MAP_FAILED) {
		w->job.shared = NULL;
		code = err_sys(err, -errno, "memory of the wire emulator");
		goto fail;
	}
	link_tap(&b, WIRE_TAP_QUEUE);
	qdisc_clsact(&b, LINK_TAP);
	if (!host->matrix->refusal)
		qdisc_ingress_program(&b, LINK_TAP, host->matrix->tap_prog_fd, "pacelab");
	link_port(&b, LINK_TAP);
	code = nlsock_send(host->sw, &b, err);
	nlbatch_fini(&b);
	if (code) {
		err_wrap(err, "set up the tap of the wire emulator");
		goto fail;
	}
	*ret = w;
	return 0;
fail:
	wire_close(w);
	return code;
}

/* Wait until the process says that it is ready, or has died. */
static int wait_ready(struct wire_host *w, struct err *err)
{
	uint64_t end = clock_now_ns() + READY_NS_MAX;
	struct timespec slice = {.tv_nsec = 20 * (long)NS_PER_MS};
	int status;

	while (!__atomic_load_n(&w->job.shared->ready, __ATOMIC_ACQUIRE)) {
		(void)syscall(SYS_futex, &w->job.shared->ready, FUTEX_WAIT, 0, &slice, NULL, 0);
		if (waitpid(w->pid, &status, WNOHANG) != 0) {
			w->pid = -1;
			return err_set(err, -ECHILD, EXIT_INTERNAL,
				"the wire emulator ended while it was started");
		}
		if (clock_now_ns() > end)
			return err_set(err, -ETIMEDOUT, EXIT_INTERNAL,
				"the wire emulator did not start within 5 s");
	}
	return 0;
}

static int wire_start(void *emulator, struct err *err)
{
	struct wire_host *w = emulator;

	w->pid = fork();
	if (w->pid < 0)
		return err_sys(err, -errno, "start the wire emulator");
	if (w->pid == 0)
		wire_loop(&w->job);
	w->pidfd = pidfd_open(w->pid, 0);
	if (w->pidfd < 0)
		return err_sys(err, -errno, "watch the wire emulator");
	/* Only the process holds the tap: if it dies, delayed links carry nothing at all. */
	close(w->job.tap_fd);
	w->job.tap_fd = -1;
	return wait_ready(w, err);
}

static void wire_begin(void *emulator)
{
	struct wire_host *w = emulator;

	__atomic_store_n(&w->job.shared->started, 1, __ATOMIC_RELAXED);
}

static void store(struct wire_host *w, const struct fabric_delta *delta, unsigned n, unsigned copy)
{
	for (unsigned i = 0; i < n; i++) {
		struct wire_link *link = wire_at(&w->job, copy, delta[i].src, delta[i].dst);

		__atomic_store_n(&link->delay_ns, delta[i].to.delay_ns, __ATOMIC_RELAXED);
		__atomic_store_n(&link->jitter_ns, delta[i].to.jitter_ns, __ATOMIC_RELAXED);
	}
}

static int wire_apply(void *emulator, const struct fabric_delta *delta, unsigned deltas,
	unsigned next, struct err *err)
{
	(void)err;
	store(emulator, delta, deltas, next);
	return 0;
}

static void wire_applied(
	void *emulator, const struct fabric_delta *delta, unsigned deltas, unsigned stale)
{
	store(emulator, delta, deltas, stale);
}

static void wire_read_back(void *emulator, unsigned src, unsigned dst, struct link_state *ret)
{
	const struct wire_host *w = emulator;
	const struct wire_link *link = wire_at(&w->job, matrix_active(w->host.matrix), src, dst);

	ret->delay_ns = __atomic_load_n(&link->delay_ns, __ATOMIC_RELAXED);
	ret->jitter_ns = __atomic_load_n(&link->jitter_ns, __ATOMIC_RELAXED);
}

static void wire_quality(void *emulator, struct fabric_quality *ret)
{
	const struct wire_host *w = emulator;
	const struct wire_shared *shared = w->job.shared;
	uint64_t tap = 0;

	hist_merge(&ret->late, &shared->late);
	ret->realtime = shared->realtime;
	/* Lost in the process, and before it when it did not read fast enough. */
	(void)link_tx_dropped(w->host.sw, LINK_TAP, &tap, NULL);
	ret->lost += __atomic_load_n(&shared->lost, __ATOMIC_RELAXED) + tap;
}

static pid_t wire_pid(void *emulator)
{
	const struct wire_host *w = emulator;

	return w->pid;
}

static const char *wire_refuses(void *emulator, const struct link_state *state)
{
	(void)emulator;
	if (state->rate_bps || state->corrupt_ppm || state->reorder_ppm || state->dist)
		return "emulator wire does delay and uniform jitter";
	return NULL;
}

const struct emulator_ops wire_ops = {
	.name = "wire",
	.matrix_bit = MATRIX_WIRE,
	.probe = wire_probe,
	.open = wire_open,
	.start = wire_start,
	.begin = wire_begin,
	.refuses = wire_refuses,
	.apply = wire_apply,
	.applied = wire_applied,
	.read_back = wire_read_back,
	.quality = wire_quality,
	.pid = wire_pid,
	.close = wire_close,
};
