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
#include <poll.h>
#include <signal.h>
#include <stdio.h>
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

/* It does it at once, but may be in the middle of 65,536 frames, and not have real-time priority.
 */
#define FLUSH_NS_MAX NS_PER_S

struct wire_host {
	struct emulator_host host;
	struct wire_job job;
	size_t shared_size;
	pid_t pid;
	int pidfd; /* kills the right process even after the caller has reaped it */
	char refusal[160];
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

/* Linux 6.1.192 takes no more than 32,767 frames, 6.18 does. */
static int size_tap(struct nlsock *sw, struct err *err)
{
	static const uint32_t frames[] = {WIRE_TAP_QUEUE, WIRE_TAP_QUEUE_OLD};
	int code = -ERANGE;

	for (unsigned i = 0; i < 2 && code == -ERANGE; i++) {
		struct nlbatch b = {0};

		link_tap(&b, frames[i]);
		*err = (struct err){0};
		code = nlsock_send(sw, &b, err);
		nlbatch_fini(&b);
	}
	return code;
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
			 (size_t)host->nodes * host->nodes * sizeof w->job.shared->link[0];
	/* Populated: the first change of many links is not the time to find pages. */
	w->job.shared = mmap(NULL, w->shared_size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (w->job.shared == MAP_FAILED) {
		w->job.shared = NULL;
		code = err_sys(err, -errno, "memory of the wire emulator");
		goto fail;
	}
	qdisc_clsact(&b, LINK_TAP);
	if (!host->matrix->refusal)
		qdisc_ingress_program(&b, LINK_TAP, host->matrix->tap_prog_fd, "pacelab");
	link_port(&b, LINK_TAP);
	code = size_tap(host->sw, err);
	if (!code)
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

/* If a second change comes while the process looks at a link, it may see values of both: any mix of
 * values that were allowed is one that it can live with. */
static void store(struct wire_host *w, const struct fabric_delta *delta, unsigned n, unsigned copy)
{
	for (unsigned i = 0; i < n; i++) {
		const struct link_state *to = &delta[i].to;

		/* A cut of many links that the process has nothing to do with is none of its. */
		if (!link_state_shaped(to) && !link_state_shaped(&delta[i].from))
			continue;
		wire_at(&w->job, delta[i].src, delta[i].dst)->shape[copy] = (struct wire_shape){
			.delay_ns = to->delay_ns,
			.jitter_ns = to->jitter_ns,
			.rate_bps = to->rate_bps,
			.queue_bytes = link_state_queue(to),
			.corrupt_ppm = to->corrupt_ppm,
			.reorder_ppm = to->reorder_ppm,
			.correlation_ppm = to->correlation_ppm,
			.dist = to->dist,
			.corrupt_silent = to->corrupt_silent,
		};
	}
	__atomic_thread_fence(__ATOMIC_RELEASE);
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

static bool has_ended(const struct wire_host *w)
{
	struct pollfd process = {.fd = w->pidfd, .events = POLLIN};

	return poll(&process, 1, 0) > 0;
}

/* Wait until the process has done the flush number @asked, or is dead. */
static int wait_flushed(struct wire_host *w, uint32_t asked, struct err *err)
{
	uint32_t *word = &w->job.shared->flush_done;
	uint64_t end = clock_now_ns() + FLUSH_NS_MAX;
	struct timespec slice = {.tv_nsec = 5 * (long)NS_PER_MS};
	uint32_t done;

	while ((done = __atomic_load_n(word, __ATOMIC_ACQUIRE)) != asked) {
		if (has_ended(w))
			return err_set(err, -ECHILD, EXIT_INTERNAL,
				"the wire emulator has ended: slow links carry nothing any more");
		if (clock_now_ns() > end)
			return err_set(err, -ETIMEDOUT, EXIT_INTERNAL,
				"the wire emulator did not drop what was under way within %llu ms",
				(unsigned long long)(FLUSH_NS_MAX / NS_PER_MS));
		(void)syscall(SYS_futex, word, FUTEX_WAIT, done, &slice, NULL, 0);
	}
	return 0;
}

static void mark(const struct wire_host *w, const struct fabric_delta *delta, unsigned deltas,
	uint32_t flush)
{
	for (unsigned i = 0; i < deltas; i++)
		__atomic_store_n(&wire_at(&w->job, delta[i].src, delta[i].dst)->flush, flush,
			__ATOMIC_RELAXED);
}

static int wire_flush(
	void *emulator, const struct fabric_delta *delta, unsigned deltas, struct err *err)
{
	struct wire_host *w = emulator;
	uint32_t asked = w->job.shared->flush_asked + 1;
	int code;

	mark(w, delta, deltas, asked);
	__atomic_store_n(&w->job.shared->flush_asked, asked, __ATOMIC_RELEASE);
	/* One that has ended is told from one that does not answer while it is waited for. */
	(void)pidfd_send_signal(w->pidfd, SIGUSR1, NULL, 0);
	code = wait_flushed(w, asked, err);
	/* Whenever the process comes to it: the links are not cut. */
	if (code)
		mark(w, delta, deltas, 0);
	return code;
}

static void wire_count(void *emulator, unsigned src, unsigned dst, struct fabric_counters *ret)
{
	const struct wire_host *w = emulator;
	const struct wire_link *link = wire_at(&w->job, src, dst);

	ret->queue_dropped = __atomic_load_n(&link->queue_dropped, __ATOMIC_RELAXED);
	ret->corrupted = __atomic_load_n(&link->corrupted, __ATOMIC_RELAXED);
	ret->reordered = __atomic_load_n(&link->reordered, __ATOMIC_RELAXED);
	ret->rejected = __atomic_load_n(&link->rejected, __ATOMIC_RELAXED);
	ret->flushed = __atomic_load_n(&link->flushed, __ATOMIC_RELAXED);
}

static void wire_read_back(void *emulator, unsigned src, unsigned dst, struct link_state *ret)
{
	const struct wire_host *w = emulator;
	const struct wire_shape *shape =
		&wire_at(&w->job, src, dst)->shape[matrix_active(w->host.matrix)];

	ret->delay_ns = shape->delay_ns;
	ret->jitter_ns = shape->jitter_ns;
	ret->rate_bps = shape->rate_bps;
	ret->queue_bytes = shape->rate_bps ? shape->queue_bytes : 0;
	ret->corrupt_ppm = shape->corrupt_ppm;
	ret->corrupt_silent = shape->corrupt_silent;
	ret->reorder_ppm = shape->reorder_ppm;
	ret->correlation_ppm = shape->correlation_ppm;
	ret->dist = shape->dist;
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

/* The rate keeps its queue and the delay behind it full: all of that must have room. */
static const char *wire_refuses(void *emulator, const struct link_state *state)
{
	struct wire_host *w = emulator;
	uint64_t bytes = link_state_queue(state), delay_ns, frames;

	if (!state->rate_bps)
		return NULL;
	delay_ns = dist_max_ns(state->dist, state->delay_ns, state->jitter_ns);
	bytes += (uint64_t)((__uint128_t)delay_ns * state->rate_bps / (8 * NS_PER_S));
	frames = bytes / (LINK_MTU + ETH_HLEN);
	if (frames <= WIRE_FRAMES_MAX)
		return NULL;
	(void)snprintf(w->refusal, sizeof w->refusal,
		"queue and rate times delay are %llu frames of full size under way: emulator wire "
		"has room for %u; less of one of them is needed",
		(unsigned long long)frames, WIRE_FRAMES_MAX);
	return w->refusal;
}

const struct emulator_ops wire_ops = {
	.name = "wire",
	.matrix_bit = MATRIX_WIRE,
	.self_check_ns = WIRE_SELF_CHECK_NS,
	.probe = wire_probe,
	.open = wire_open,
	.start = wire_start,
	.begin = wire_begin,
	.refuses = wire_refuses,
	.apply = wire_apply,
	.applied = wire_applied,
	.flush = wire_flush,
	.count = wire_count,
	.read_back = wire_read_back,
	.quality = wire_quality,
	.pid = wire_pid,
	.close = wire_close,
};
