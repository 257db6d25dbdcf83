/* SPDX-License-Identifier: MIT */
/*
 * wire_loop.c - the wire process: holds each frame until it is due and gives it back
 *
 * A turn: give back what is due, read what has come, and when there is neither, wait for the
 * earlier of both with ppoll(2). It never spins: a real-time thread that does would be throttled
 * by the kernel for 50 ms in every second.
 *
 * Only a real-time thread is on time: measured with both cores busy, the 99th percentile of
 * lateness is 0.1 ms with SCHED_FIFO and 3 to 14 ms without. Where the priority is refused, the
 * process works on and says so.
 *
 * The process is a fork without exec of the one that built the fabric. It keeps the tap, the
 * log and the shared memory, closes everything else, and dies with its parent.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/futex.h>
#include <linux/if_ether.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "netns/wire.h"
#include "netns/wire_queue.h"

/* Frames read before those that are due are looked at again: about 20 us of work. */
#define READ_MAX 16

static void keep_only(int a, int b)
{
	int low = a < b ? a : b, high = a < b ? b : a;

	if (low > 0)
		(void)close_range(0, (unsigned)low - 1, 0);
	if (high > low + 1)
		(void)close_range((unsigned)low + 1, (unsigned)high - 1, 0);
	(void)close_range((unsigned)high + 1, ~0u, 0);
}

/* The terminal's signals go to the whole group; when this process ends is its parent's decision. */
static void settle_signals(void)
{
	static const int ignored[] = {SIGINT, SIGQUIT, SIGHUP, SIGTSTP, SIGPIPE, SIGUSR1, SIGUSR2};
	sigset_t none;

	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool become_realtime(void)
{
	struct sched_param param = {.sched_priority = WIRE_PRIORITY};

	(void)prctl(PR_SET_TIMERSLACK, 1ul);
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT))
		log_warn("lock memory: %s", strerror(errno));
	if (sched_setscheduler(0, SCHED_FIFO, &param)) {
		log_warn("real-time priority: %s; delays will be late when the machine is busy",
			strerror(errno));
		return false;
	}
	return true;
}

static unsigned mac_index(const uint8_t *mac)
{
	return (unsigned)mac[4] << 8 | mac[5];
}

/* When the frame came in, by its stamp; puts back the bytes that the stamp covered. */
static uint64_t take_stamp(const struct matrix *matrix, uint8_t *frame)
{
	static const uint8_t covered[MATRIX_STAMP_LEN] = {2, 0, 0, 0};
	uint64_t now = clock_now_ns();
	uint32_t stamp;

	if (matrix->refusal)
		return now; /* no program, no stamp */
	memcpy(&stamp, frame + MATRIX_STAMP_AT, sizeof stamp);
	memcpy(frame + MATRIX_STAMP_AT, covered, sizeof covered);
	/* The 32 bits wrap after 4.3 s, which no frame waits in the tap. */
	return now - (uint32_t)((uint32_t)now - stamp);
}

struct wire {
	const struct wire_job *job;
	struct wire_shared *shared;
	struct wire_queue queue;
	uint8_t scrap[WIRE_FRAME_MAX];
};

static void lose(struct wire *w)
{
	__atomic_fetch_add(&w->shared->lost, 1, __ATOMIC_RELAXED);
}

/* Return: false if nothing is there. */
static bool read_frame(struct wire *w)
{
	const struct matrix *matrix = w->job->matrix;
	uint32_t slot = wire_queue_take(&w->queue);
	uint8_t *frame = slot == WIRE_NONE ? w->scrap : wire_queue_bytes(&w->queue, slot);
	ssize_t len = read(w->job->tap_fd, frame, WIRE_FRAME_MAX);
	const struct wire_link *link;
	unsigned src, dst;

	if (len <= 0) {
		if (slot != WIRE_NONE)
			wire_queue_give_back(&w->queue, slot);
		if (len < 0 && errno != EAGAIN && errno != EINTR) {
			/* The tap is gone, and with it the lab's switch. */
			log_info("the tap is gone: end");
			_exit(0);
		}
		return false;
	}
	src = len < ETH_HLEN ? matrix->nodes : mac_index(frame + ETH_ALEN);
	dst = len < ETH_HLEN ? matrix->nodes : mac_index(frame);
	if (slot == WIRE_NONE || src >= matrix->nodes || dst >= matrix->nodes) {
		if (slot != WIRE_NONE)
			wire_queue_give_back(&w->queue, slot);
		lose(w);
		return true;
	}
	w->queue.slot[slot].len = (uint32_t)len;
	link = wire_at(w->job, matrix_active(matrix), src, dst);
	wire_queue_put(&w->queue, src * matrix->nodes + dst, slot, take_stamp(matrix, frame),
		link->delay_ns, link->jitter_ns);
	return true;
}

static void deliver_due(struct wire *w)
{
	struct wire_shared *shared = w->shared;
	uint64_t now = clock_now_ns();

	for (;;) {
		uint64_t due = wire_queue_due(&w->queue);
		uint32_t slot;

		if (due > now)
			return;
		slot = wire_queue_get(&w->queue);
		if (write(w->job->tap_fd, wire_queue_bytes(&w->queue, slot),
			    w->queue.slot[slot].len) < 0)
			lose(w);
		wire_queue_give_back(&w->queue, slot);
		/* write(2) returns when the frame has reached the other node. */
		now = clock_now_ns();
		if (__atomic_load_n(&shared->started, __ATOMIC_RELAXED))
			hist_add(&shared->late, now - due);
	}
}

static void run(struct wire *w)
{
	struct pollfd tap = {.fd = w->job->tap_fd, .events = POLLIN};

	for (;;) {
		uint64_t now, due;
		bool more = true;
		struct timespec wait;

		deliver_due(w);
		for (int i = 0; i < READ_MAX && more; i++)
			more = read_frame(w);
		if (more)
			continue;
		due = wire_queue_due(&w->queue);
		if (due == UINT64_MAX) {
			(void)ppoll(&tap, 1, NULL, NULL);
		} else {
			now = clock_now_ns();
			if (due <= now)
				continue;
			wait = clock_timespec(due - now);
			(void)ppoll(&tap, 1, &wait, NULL);
		}
	}
}

_Noreturn void wire_loop(const struct wire_job *job)
{
	static struct wire w;
	unsigned nodes = job->matrix->nodes;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != job->parent)
		_exit(0); /* it died before it could be watched */
	(void)prctl(PR_SET_NAME, WIRE_COMM);
	settle_signals();
	keep_only(job->tap_fd, job->log_fd);
	log_init(job->log_fd, "wire", LOG_WARN);
	w.job = job;
	w.shared = job->shared;
	if (wire_queue_init(&w.queue, nodes * nodes, job->seed)) {
		log_error("no memory for %u links", nodes * nodes);
		_exit(EXIT_INTERNAL);
	}
	w.shared->realtime = become_realtime();
	__atomic_store_n(&w.shared->ready, 1, __ATOMIC_RELEASE);
	(void)syscall(SYS_futex, &w.shared->ready, FUTEX_WAKE, 1, NULL, NULL, 0);
	run(&w);
	_exit(0); /* never reached; run() ends with the process */
}
