/* SPDX-License-Identifier: MIT */
/*
 * wire_loop.c - the wire process: holds each frame until it is due and gives it back
 *
 * A turn: give back what is due, read what has come, and when there is neither, wait for the
 * earlier of both with ppoll(2), whose timer is set early by what a wake-up takes (wire_wake.h).
 * It does not spin: a real-time thread that does would be throttled by the kernel for 50 ms in
 * every second.
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
#include "netns/node.h"
#include "netns/wire.h"
#include "netns/wire_frame.h"
#include "netns/wire_queue.h"
#include "netns/wire_wake.h"

/* Frames read before those that are due are looked at again: about 20 us of work. */
#define READ_MAX 16

/* Memory that is ready before the first frame: 200,000 packets/s for 40 ms. */
#define SLOTS_READY 8192

static void keep_only(int a, int b)
{
	int low = a < b ? a : b, high = a < b ? b : a;

	if (low > 0)
		(void)close_range(0, (unsigned)low - 1, 0);
	if (high > low + 1)
		(void)close_range((unsigned)low + 1, (unsigned)high - 1, 0);
	(void)close_range((unsigned)high + 1, ~0u, 0);
}

/* The fabric asks for something: all that the signal does is end the wait. */
static void woken(int number)
{
	(void)number;
}

/* The terminal's signals go to the whole group; when this process ends is its parent's decision. */
static void settle_signals(void)
{
	static const int ignored[] = {SIGINT, SIGQUIT, SIGHUP, SIGTSTP, SIGPIPE, SIGUSR2};
	const struct sigaction wake = {.sa_handler = woken};
	sigset_t blocked;

	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGCHLD, SIG_DFL);
	/* It comes through while we wait, and only then: none is missed between look and wait. */
	(void)sigaction(SIGUSR1, &wake, NULL);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	(void)sigprocmask(SIG_SETMASK, &blocked, NULL);
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
	int32_t age;

	if (matrix->refusal)
		return now; /* no program, no stamp */
	memcpy(&stamp, frame + MATRIX_STAMP_AT, sizeof stamp);
	memcpy(frame + MATRIX_STAMP_AT, covered, sizeof covered);
	/* The 32 bits wrap after 4.3 s, and not half of that does a frame wait in the tap. The
	 * program's clock is the kernel's fast one, which may be ahead of ours by a little: such a
	 * frame came now. */
	age = (int32_t)((uint32_t)now - stamp);
	return age > 0 ? now - (uint32_t)age : now;
}

/* What only the process knows of a link. */
struct own {
	uint64_t flushed_ns; /* frames that came before that are gone */
	uint64_t answers_ns; /* the answers so far are spent by then, one in 1/WIRE_ANSWERS_PER_S */
};

struct wire {
	const struct wire_job *job;
	struct wire_shared *shared;
	struct own *own; /* by link */
	struct wire_queue queue;
	struct wire_wake wake;
	uint32_t flush_seen;
	unsigned flush_reads; /* frames that the tap may still hold from before a flush; 0: none */
	uint8_t scrap[WIRE_FRAME_MAX];
	uint8_t answer[WIRE_ANSWER_MAX];
};

/* This process alone writes the counters. */
static void count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static void lose(struct wire *w)
{
	count(&w->shared->lost, 1);
}

/* The sender hears from us at once, in the place of the node that it cannot reach. */
static void reject(struct wire *w, unsigned link, uint8_t *frame, uint32_t len)
{
	const uint64_t each = NS_PER_S / WIRE_ANSWERS_PER_S;
	uint64_t now = take_stamp(w->job->matrix, frame);
	struct own *own = &w->own[link];
	uint32_t n;

	frame[MATRIX_MARK_AT] = MATRIX_MARK_CARRY;
	n = wire_frame_reject(frame, len, w->answer);
	if (n == 0)
		return;
	if (own->answers_ns < now)
		own->answers_ns = now;
	if (own->answers_ns - now > (WIRE_ANSWERS_BURST - 1) * each)
		return;
	own->answers_ns += each;
	if (write(w->job->tap_fd, w->answer, n) < 0)
		lose(w);
	else
		count(&w->shared->link[link].rejected, 1);
}

static bool asked_to_flush(void *ctx, unsigned link)
{
	const struct wire *w = ctx;

	return __atomic_load_n(&w->shared->link[link].flush, __ATOMIC_RELAXED) == w->flush_seen;
}

/* Was it under way when its link was cut? Without BPF no frame says when it came. */
static bool gone(struct wire *w, unsigned link, uint64_t came_ns)
{
	return came_ns <= w->own[link].flushed_ns ||
	       (w->flush_reads > 0 && asked_to_flush(w, link));
}

/* Send it on its way. Return: false if its slot is not needed. */
static bool carry(struct wire *w, unsigned number, uint32_t slot)
{
	struct wire_link *link = &w->shared->link[number];
	uint8_t *frame = wire_queue_bytes(&w->queue, slot);
	uint64_t came_ns = take_stamp(w->job->matrix, frame);
	/* A copy, which the fabric does not change while it is looked at. */
	struct wire_shape shape = link->shape[matrix_active(w->job->matrix)];
	struct wire_fate fate;

	if (gone(w, number, came_ns)) {
		count(&link->flushed, 1);
		return false;
	}
	if (!__atomic_load_n(&w->shared->started, __ATOMIC_RELAXED))
		shape.delay_ns += WIRE_SELF_CHECK_NS;
	wire_queue_put(&w->queue, number, slot, came_ns, &shape, &fate);
	if (fate.dropped) {
		count(&link->queue_dropped, 1);
		return false;
	}
	if (fate.corrupted && wire_frame_corrupt(frame, w->queue.slot[slot].len, fate.place,
				      shape.corrupt_silent))
		count(&link->corrupted, 1);
	if (fate.reordered)
		count(&link->reordered, 1);
	return true;
}

/* Return: whether the slot is needed. */
static bool take_frame(struct wire *w, uint32_t slot, uint32_t len)
{
	uint8_t *frame = slot == WIRE_NONE ? w->scrap : wire_queue_bytes(&w->queue, slot);
	unsigned nodes = w->job->matrix->nodes, src, dst;

	/* A frame that fills the buffer may have been longer. */
	if (len < ETH_HLEN || len >= WIRE_FRAME_MAX) {
		lose(w);
		return false;
	}
	src = mac_index(frame + ETH_ALEN);
	dst = mac_index(frame);
	if (src >= nodes || dst >= nodes) {
		lose(w);
		return false;
	}
	if (frame[MATRIX_MARK_AT] == MATRIX_MARK_REJECT) {
		reject(w, src * nodes + dst, frame, len);
		return false;
	}
	if (slot == WIRE_NONE) {
		lose(w);
		return false;
	}
	w->queue.slot[slot].len = (uint16_t)len;
	w->queue.slot[slot].probe = wire_frame_to_port(frame, len, NODE_PROBE_PORT);
	return carry(w, src * nodes + dst, slot);
}

/* Return: false if nothing is there. */
static bool read_frame(struct wire *w)
{
	uint32_t slot = wire_queue_take(&w->queue);
	uint8_t *frame = slot == WIRE_NONE ? w->scrap : wire_queue_bytes(&w->queue, slot);
	ssize_t len = read(w->job->tap_fd, frame, WIRE_FRAME_MAX);

	if (len < 0 && errno != EAGAIN && errno != EINTR) {
		/* The tap is gone, and with it the lab's switch. */
		log_info("the tap is gone: end");
		_exit(0);
	}
	if ((len <= 0 || !take_frame(w, slot, (uint32_t)len)) && slot != WIRE_NONE)
		wire_queue_give_back(&w->queue, slot);
	return len > 0;
}

static void deliver_due(struct wire *w)
{
	struct wire_shared *shared = w->shared;
	uint64_t now = clock_now_ns();

	for (;;) {
		uint64_t due = wire_queue_due(&w->queue), begin = now;
		uint32_t slot;

		if (due > now + w->wake.cost_ns)
			return;
		slot = wire_queue_get(&w->queue);
		if (write(w->job->tap_fd, wire_queue_bytes(&w->queue, slot),
			    w->queue.slot[slot].len) < 0)
			lose(w);
		wire_queue_give_back(&w->queue, slot);
		/* write(2) returns when the frame has reached the other node. */
		now = clock_now_ns();
		wire_wake_cost(&w->wake, now - begin);
		if (__atomic_load_n(&shared->started, __ATOMIC_RELAXED))
			hist_add(&shared->late, now > due ? now - due : 0);
	}
}

static void count_flushed(void *ctx, unsigned link, unsigned frames)
{
	struct wire *w = ctx;

	count(&w->shared->link[link].flushed, frames);
}

/*
 * Forget what is under way on links that were cut. What the tap still holds of them goes when it
 * is read; the fabric hears that all is done when the tap was empty once.
 */
static void flush(struct wire *w)
{
	uint32_t asked = __atomic_load_n(&w->shared->flush_asked, __ATOMIC_ACQUIRE);
	unsigned links = w->job->matrix->nodes * w->job->matrix->nodes;
	uint64_t now;

	if (asked == w->flush_seen)
		return;
	w->flush_seen = asked;
	w->flush_reads = WIRE_TAP_QUEUE;
	now = clock_now_ns();
	for (unsigned i = 0; i < links; i++) {
		if (asked_to_flush(w, i))
			w->own[i].flushed_ns = now;
	}
	wire_queue_flush(&w->queue, asked_to_flush, count_flushed, w);
}

static void flush_goes_on(struct wire *w, unsigned reads, bool more)
{
	if (w->flush_reads == 0)
		return;
	w->flush_reads -= reads < w->flush_reads ? reads : w->flush_reads;
	if (!more)
		w->flush_reads = 0;
	if (w->flush_reads > 0)
		return;
	__atomic_store_n(&w->shared->flush_done, w->flush_seen, __ATOMIC_RELEASE);
	(void)syscall(SYS_futex, &w->shared->flush_done, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Wait for a frame to come, one to be due, or a signal. */
static void await(struct wire *w)
{
	struct pollfd tap = {.fd = w->job->tap_fd, .events = POLLIN};
	uint64_t due = wire_queue_due(&w->queue), now = clock_now_ns(), until, sleep_ns;
	struct timespec wait;
	sigset_t none;
	unsigned sleep;

	sigemptyset(&none);
	if (due == UINT64_MAX) {
		(void)ppoll(&tap, 1, NULL, &none);
		return;
	}
	until = due - w->wake.cost_ns;
	if (until <= now)
		return;
	sleep_ns = wire_wake_plan(&w->wake, until - now, &sleep);
	wait = clock_timespec(sleep_ns);
	if (ppoll(&tap, 1, &wait, &none) == 0)
		wire_wake_learn(&w->wake, sleep, clock_now_ns() - now - sleep_ns);
}

static void run(struct wire *w)
{
	for (;;) {
		unsigned reads = 0;
		bool more = true;

		flush(w);
		deliver_due(w);
		while (more && reads < READ_MAX) {
			more = read_frame(w);
			reads++;
		}
		flush_goes_on(w, reads, more);
		if (!more)
			await(w);
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
	w.own = calloc((size_t)nodes * nodes, sizeof *w.own);
	if (!w.own || wire_queue_init(&w.queue, nodes * nodes, job->seed)) {
		log_error("no memory for %u links", nodes * nodes);
		_exit(EXIT_INTERNAL);
	}
	w.shared->realtime = become_realtime();
	wire_queue_touch(&w.queue, SLOTS_READY);
	__atomic_store_n(&w.shared->ready, 1, __ATOMIC_RELEASE);
	(void)syscall(SYS_futex, &w.shared->ready, FUTEX_WAKE, 1, NULL, NULL, 0);
	run(&w);
	_exit(0); /* never reached; run() ends with the process */
}
