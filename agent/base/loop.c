/* SPDX-License-Identifier: MIT */
/*
 * loop.c - the event loop of a replica on io_uring
 *
 * Theory of operation
 *
 * A turn: call turn_end (owners queue their batched sends and writes), submit everything and wait
 * for one completion or the next deadline in a single system call, read the clock once, run each
 * completion there is, give receive buffers back, advance the completion queue once, fire due
 * timers. The clock is read after the wait, so all that a turn does happens at one instant that is
 * never older than the turn. Completions come before timers: a process that was stopped for a while
 * must hear what has arrived before it concludes from a timer that nothing did.
 *
 * What is used of io_uring, and since when (the floor is Linux 6.1):
 *  - SINGLE_ISSUER (6.0) and DEFER_TASKRUN (6.1): completions are made only inside our own wait,
 *    not as interrupts of this thread; one system call per turn does all the work. Where setup
 *    refuses them (EINVAL), COOP_TASKRUN (5.19), then nothing: slower, the same results.
 *  - multishot accept (5.19) and multishot recv (6.0): one submission serves a socket's life.
 *  - a provided buffer ring (5.19): idle connections own no receive buffer.
 *  - linked write and fdatasync (5.3): the log's batch costs one submission; a short or failed
 *    write breaks the link, so that nothing unwritten can be called durable.
 *  - openat, fsync (5.6, 5.1), renameat and unlinkat (5.11): the kernel's own threads make, name
 * and remove the log's files, however long that takes.
 *  - a registered ring descriptor (5.18), where that works.
 *  - registered files (5.1), from 6.13 on: sends and the log's writes find their file in a table of
 *    the ring's, at the place of its descriptor, without counting a reference: 4 to 6 % of the
 *    processor time of an unpipelined GET in one run, nothing in another. Before 6.13 a place's
 *    file is let go only after all requests that were begun before, so one client that takes
 *    nothing would keep open the sockets of all that have gone since.
 *
 * Backpressure: owners bound what they queue and stop reading (net.h, wal.h). Here, the completion
 * queue holds CQ_ENTRIES; what does not fit is kept by the kernel (FEAT_NODROP, 5.5). A submission
 * queue that is full goes to the kernel within the turn; what the kernel does not take waits, in
 * order, until completions have been read. Without receive buffers a recv ends with ENOBUFS and is
 * started again when the turn has given some back. The timer heap has room for LOOP_TIMERS_MAX.
 *
 * Not used on purpose, and why:
 *  - threads, SQPOLL, busy polling: they take a core from the others of the lab.
 *  - zero-copy send (6.0): replies are far smaller than the size from which it pays.
 *  - direct accept (5.19): the client's address and TCP options need a descriptor. A multishot recv
 *    takes its file once for the socket's life.
 *  - registered buffers: written from one, a batch of the log takes as much processor time as else
 *    (47 and 49 us with its fdatasync, medians), and they are locked memory, of which all replicas
 *    of a user have 8 MiB together, rings included (from 6.14 on).
 *  - writes into the page cache by the ring: ext4 hands each to a kernel thread (wal.c).
 *  - IOSQE_ASYNC: nothing here waits in submission; what must wait is handed over by itself.
 *  - bundles (6.10): commands of one recv fit a buffer of RECV_BUFFER_SIZE but for large values.
 *  - NO_SQARRAY (6.6): liburing 2.3, the distribution's, writes the array.
 *  - a least wait (6.12): a turn under load has 11 completions without one, and an idle client
 *    would pay for it.
 *  - send with several buffers: a turn's replies to a socket stand in one buffer already.
 */
#include "agent/base/loop.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/base/clock.h"

#define SQ_ENTRIES 1024u
#define CQ_ENTRIES 8192u
#define RECV_BUFFERS 256u
#define RECV_BUFFER_SIZE 16384u
#define RECV_GROUP 0
/*
 * Submissions that the kernel would not take yet. Each operation has an owner that starts it once:
 * a client's stream has 6 at most, with those that cancel, a peer's as many, a log a dozen.
 */
#define WAITING_MAX 65536u
/* Files with a higher descriptor are found as others are. */
#define FILES_MAX 8192u
/* A registration that came with 6.13, as the release of files out of order; given no address. */
#define REGISTER_MEM_REGION 34
/* A turn without a timer ends at the latest after this. */
#define WAIT_NS_MAX NS_PER_S
/* Closing waits so long for cancelled operations; a disk may be slow, nothing else is. */
#define CLOSE_NS_MAX (2 * NS_PER_S)

struct loop {
	struct io_uring ring;
	struct loop_config config;
	uint64_t now_ns;
	unsigned pending; /* operations under way */
	unsigned heap_len;
	struct loop_timer *heap[LOOP_TIMERS_MAX];
	struct io_uring_buf_ring *buffers; /* NULL until registered */
	uint8_t *buffer_bytes;
	unsigned files_n; /* places in the table of files, 0: there is none */
	bool file[FILES_MAX];
	int given_back; /* buffers returned in this turn */
	bool stopping;
	const char *features;
	struct loop_counts counts;
	struct io_uring_sqe *waiting; /* WAITING_MAX; behind those of the ring, in order */
	unsigned waiting_first;
	unsigned waiting_next;
};

/* --- timers: a binary heap, earliest first --- */

static void heap_set(struct loop *l, unsigned i, struct loop_timer *t)
{
	l->heap[i] = t;
	t->place = i + 1;
}

static void heap_up(struct loop *l, unsigned i)
{
	struct loop_timer *t = l->heap[i];

	for (; i > 0 && l->heap[(i - 1) / 2]->at_ns > t->at_ns; i = (i - 1) / 2)
		heap_set(l, i, l->heap[(i - 1) / 2]);
	heap_set(l, i, t);
}

static void heap_down(struct loop *l, unsigned i)
{
	struct loop_timer *t = l->heap[i];

	for (;;) {
		unsigned child = 2 * i + 1;

		if (child + 1 < l->heap_len && l->heap[child + 1]->at_ns < l->heap[child]->at_ns)
			child++;
		if (child >= l->heap_len || l->heap[child]->at_ns >= t->at_ns)
			break;
		heap_set(l, i, l->heap[child]);
		i = child;
	}
	heap_set(l, i, t);
}

void loop_disarm(struct loop *l, struct loop_timer *t)
{
	unsigned i = t->place;
	struct loop_timer *last;

	if (i-- == 0)
		return;
	assert(l->heap[i] == t);
	t->place = 0;
	last = l->heap[--l->heap_len];
	if (last == t)
		return;
	heap_set(l, i, last);
	heap_up(l, i);
	heap_down(l, last->place - 1);
}

void loop_arm(struct loop *l, struct loop_timer *t, uint64_t at_ns)
{
	assert(t->fire);
	loop_disarm(l, t);
	assert(l->heap_len < LOOP_TIMERS_MAX);
	t->at_ns = at_ns;
	heap_set(l, l->heap_len++, t);
	heap_up(l, l->heap_len - 1);
}

static void fire_due(struct loop *l)
{
	/* A callback that arms again for now is served in the next turn: no turn is endless. */
	for (unsigned budget = l->heap_len; budget > 0; budget--) {
		struct loop_timer *t = l->heap_len ? l->heap[0] : NULL;

		if (!t || t->at_ns > l->now_ns)
			return;
		loop_disarm(l, t);
		t->fire(t);
	}
}

/* --- set-up --- */

static int ring_init(struct loop *l)
{
	static const struct {
		unsigned flags;
		const char *name;
	} tries[] = {
		{IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
			"single issuer, deferred task work"},
		{IORING_SETUP_COOP_TASKRUN, "cooperative task work"},
		{0, "no flags"},
	};
	int ret = -EINVAL;

	for (size_t i = 0; i < sizeof tries / sizeof *tries && ret == -EINVAL; i++) {
		struct io_uring_params p = {
			.flags = tries[i].flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
			.cq_entries = CQ_ENTRIES,
		};

		ret = io_uring_queue_init_params(SQ_ENTRIES, &l->ring, &p);
		l->features = tries[i].name;
	}
	return ret;
}

/* Return: whether files are let go when they are dropped. */
static bool files_are_let_go(const struct loop *l)
{
	return syscall(__NR_io_uring_register, l->ring.ring_fd, REGISTER_MEM_REGION, (void *)1, 1) <
		       0 &&
	       errno == EFAULT;
}

/* A saving only: without it all goes on. */
static void files_init(struct loop *l)
{
	struct rlimit limit;
	unsigned n = FILES_MAX;

	if (!files_are_let_go(l) || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur < n)
		n = (unsigned)limit.rlim_cur; /* more are refused */
	if (io_uring_register_files_sparse(&l->ring, n) == 0)
		l->files_n = n;
}

void loop_file_add(struct loop *l, int fd)
{
	if ((unsigned)fd < l->files_n)
		l->file[fd] = io_uring_register_files_update(&l->ring, (unsigned)fd, &fd, 1) == 1;
}

void loop_file_drop(struct loop *l, int fd)
{
	int none = -1;

	if ((unsigned)fd >= l->files_n || !l->file[fd])
		return;
	l->file[fd] = false;
	(void)io_uring_register_files_update(&l->ring, (unsigned)fd, &none, 1);
}

static uint8_t *buffer_at(const struct loop *l, unsigned id)
{
	return l->buffer_bytes + (size_t)id * l->config.recv_buffer_size;
}

static void buffer_give(struct loop *l, unsigned id)
{
	io_uring_buf_ring_add(l->buffers, buffer_at(l, id), l->config.recv_buffer_size,
		(unsigned short)id, io_uring_buf_ring_mask(l->config.recv_buffers),
		l->given_back++);
}

static void buffers_advance(struct loop *l)
{
	io_uring_buf_ring_advance(l->buffers, l->given_back);
	l->given_back = 0;
}

static size_t buffers_ring_size(const struct loop *l)
{
	return l->config.recv_buffers * sizeof(struct io_uring_buf);
}

static int buffers_init(struct loop *l)
{
	struct io_uring_buf_reg reg = {.ring_entries = l->config.recv_buffers, .bgid = RECV_GROUP};
	size_t bytes = (size_t)l->config.recv_buffers * l->config.recv_buffer_size;
	void *ring = mmap(NULL, buffers_ring_size(l), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *data;
	int ret;

	if (ring == MAP_FAILED)
		return -errno;
	data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED) {
		ret = -errno;
		munmap(ring, buffers_ring_size(l));
		return ret;
	}
	reg.ring_addr = (uint64_t)(uintptr_t)ring;
	ret = io_uring_register_buf_ring(&l->ring, &reg, 0);
	if (ret < 0) {
		munmap(ring, buffers_ring_size(l));
		munmap(data, bytes);
		return ret;
	}
	l->buffers = ring;
	l->buffer_bytes = data;
	io_uring_buf_ring_init(l->buffers);
	for (unsigned i = 0; i < l->config.recv_buffers; i++)
		buffer_give(l, i);
	buffers_advance(l);
	return 0;
}

static void buffers_fini(struct loop *l)
{
	if (!l->buffers)
		return;
	munmap(l->buffers, buffers_ring_size(l));
	munmap(l->buffer_bytes, (size_t)l->config.recv_buffers * l->config.recv_buffer_size);
}

int loop_open(struct loop **ret_loop, const struct loop_config *config, struct err *err)
{
	struct loop *l = calloc(1, sizeof *l);
	int ret;

	assert(l);
	l->config = *config;
	if (!l->config.recv_buffers)
		l->config.recv_buffers = RECV_BUFFERS;
	if (!l->config.recv_buffer_size)
		l->config.recv_buffer_size = RECV_BUFFER_SIZE;
	l->now_ns = clock_now_ns();
	l->waiting = calloc(WAITING_MAX, sizeof *l->waiting); /* touched when it is needed */
	assert(l->waiting);
	ret = ring_init(l);
	if (ret < 0) {
		free(l->waiting);
		free(l);
		return err_set(err, ret, EXIT_CANNOT_RUN,
			"io_uring cannot be set up: %s; Linux 6.1 or later with "
			"kernel.io_uring_disabled=0 is needed",
			strerror(-ret));
	}
	(void)io_uring_register_ring_fd(&l->ring); /* a saving only */
	ret = buffers_init(l);
	if (ret < 0) {
		io_uring_queue_exit(&l->ring);
		free(l->waiting);
		free(l);
		return err_set(err, ret, EXIT_CANNOT_RUN,
			"io_uring has no provided buffer rings: %s; Linux 6.1 or later is needed",
			strerror(-ret));
	}
	files_init(l);
	*ret_loop = l;
	return 0;
}

/* --- starting operations --- */

static int submit(struct loop *l)
{
	if (l->config.refuse_submits > 0) {
		l->config.refuse_submits--;
		return -EAGAIN;
	}
	return io_uring_submit(&l->ring);
}

/* Room for @n entries that belong together, if the kernel takes what is in the way. */
static bool room(struct loop *l, unsigned n)
{
	if (l->waiting_first < l->waiting_next)
		return false; /* nobody overtakes */
	if (io_uring_sq_space_left(&l->ring) >= n)
		return true;
	(void)submit(l);
	return io_uring_sq_space_left(&l->ring) >= n;
}

/*
 * A queue that is full goes to the kernel. Where that fails (no memory for a moment, EAGAIN, or a
 * completion queue that must be read first, EBUSY), the entry waits until after the next
 * completions; what belongs @together is not parted. The caller prepares the entry and then sets
 * its data: prep functions may clear it.
 */
static struct io_uring_sqe *sqe_of(struct loop *l, struct loop_op *op, unsigned together)
{
	struct io_uring_sqe *sqe;

	if (room(l, together)) {
		sqe = io_uring_get_sqe(&l->ring);
	} else {
		assert(l->waiting_next < WAITING_MAX);
		sqe = &l->waiting[l->waiting_next++];
		memset(sqe, 0, sizeof *sqe);
	}
	assert(sqe);
	if (op) {
		assert(op->done);
		op->pending++;
		l->pending++;
	}
	return sqe;
}

static struct io_uring_sqe *sqe_for(struct loop *l, struct loop_op *op)
{
	return sqe_of(l, op, 1);
}

/* After it was prepared: @fd is also its place in the table, if it is there. */
static void find_file(const struct loop *l, struct io_uring_sqe *sqe, int fd)
{
	if ((unsigned)fd < l->files_n && l->file[fd])
		sqe->flags |= IOSQE_FIXED_FILE;
}

void loop_accept(struct loop *l, struct loop_op *op, int fd)
{
	struct io_uring_sqe *sqe = sqe_for(l, op);

	io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
	io_uring_sqe_set_data(sqe, op);
}

void loop_recv(struct loop *l, struct loop_op *op, int fd)
{
	struct io_uring_sqe *sqe = sqe_for(l, op);

	io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = RECV_GROUP;
	io_uring_sqe_set_data(sqe, op);
}

void loop_send(struct loop *l, struct loop_op *op, int fd, const void *bytes, size_t n)
{
	struct io_uring_sqe *sqe = sqe_for(l, op);

	io_uring_prep_send(sqe, fd, bytes, n, MSG_NOSIGNAL | MSG_WAITALL);
	find_file(l, sqe, fd);
	io_uring_sqe_set_data(sqe, op);
}

void loop_connect(
	struct loop *l, struct loop_op *op, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct io_uring_sqe *sqe = sqe_for(l, op);

	io_uring_prep_connect(sqe, fd, addr, len);
	io_uring_sqe_set_data(sqe, op);
}

void loop_poll(struct loop *l, struct loop_op *op, int fd)
{
	struct io_uring_sqe *sqe = sqe_for(l, op);

	io_uring_prep_poll_add(sqe, fd, POLLIN);
	io_uring_sqe_set_data(sqe, op);
}

void loop_sync(struct loop *l, struct loop_op *op, int fd)
{
	struct io_uring_sqe *sqe = sqe_for(l, op);

	io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
	find_file(l, sqe, fd);
	l->counts.syncs++;
	io_uring_sqe_set_data(sqe, op);
}

void loop_fsync(struct loop *l, struct loop_op *op, int fd)
{
	struct io_uring_sqe *sqe = sqe_for(l, op);

	io_uring_prep_fsync(sqe, fd, 0);
	io_uring_sqe_set_data(sqe, op);
}

void loop_open_at(struct loop *l, struct loop_op *op, int dir, const char *name, int flags)
{
	struct io_uring_sqe *sqe = sqe_for(l, op);

	io_uring_prep_openat(sqe, dir, name, flags | O_CLOEXEC, 0600);
	io_uring_sqe_set_data(sqe, op);
}

void loop_rename_at(struct loop *l, struct loop_op *op, int dir, const char *from, const char *to)
{
	struct io_uring_sqe *sqe = sqe_for(l, op);

	io_uring_prep_renameat(sqe, dir, from, dir, to, 0);
	io_uring_sqe_set_data(sqe, op);
}

void loop_unlink_at(struct loop *l, struct loop_op *op, int dir, const char *name)
{
	struct io_uring_sqe *sqe = sqe_for(l, op);

	io_uring_prep_unlinkat(sqe, dir, name, 0);
	io_uring_sqe_set_data(sqe, op);
}

void loop_write(
	struct loop *l, struct loop_op *write, struct loop_op *sync, const struct loop_write *what)
{
	struct io_uring_sqe *sqe;

	/* A link must not be torn apart by a submission between its two halves. */
	sqe = sqe_of(l, write, sync ? 2 : 1);
	assert(what->n <= UINT32_MAX);
	io_uring_prep_write(sqe, what->fd, what->bytes, (unsigned)what->n, what->offset);
	find_file(l, sqe, what->fd);
	io_uring_sqe_set_data(sqe, write);
	if (!sync)
		return;
	sqe->flags |= IOSQE_IO_LINK;
	loop_sync(l, sync, what->fd);
}

void loop_cancel(struct loop *l, struct loop_op *op)
{
	struct io_uring_sqe *sqe;

	if (op->pending == 0)
		return;
	sqe = sqe_for(l, NULL);
	io_uring_prep_cancel(sqe, op, IORING_ASYNC_CANCEL_ALL);
	io_uring_sqe_set_data(sqe, NULL);
}

/* --- the turn --- */

/* What has waited goes to the ring, as much as fits; of a link both halves or none. */
static void waiting_go_on(struct loop *l)
{
	while (l->waiting_first < l->waiting_next) {
		const struct io_uring_sqe *from = &l->waiting[l->waiting_first];
		unsigned n = from->flags & IOSQE_IO_LINK ? 2 : 1;

		if (io_uring_sq_space_left(&l->ring) < n)
			return;
		for (unsigned i = 0; i < n; i++)
			*io_uring_get_sqe(&l->ring) = from[i];
		l->waiting_first += n;
	}
	l->waiting_first = 0;
	l->waiting_next = 0;
}

static int submit_and_wait(struct loop *l)
{
	uint64_t now = clock_now_ns();
	uint64_t until = now + WAIT_NS_MAX;
	struct __kernel_timespec ts;
	struct io_uring_cqe *cqe;
	int ret;

	waiting_go_on(l);
	if (l->heap_len > 0 && l->heap[0]->at_ns < until)
		until = l->heap[0]->at_ns;
	if (l->waiting_first < l->waiting_next)
		until = now;
	until = until > now ? until - now : 0;
	ts.tv_sec = (long long)(until / NS_PER_S);
	ts.tv_nsec = (long long)(until % NS_PER_S);
	ret = io_uring_submit_and_wait_timeout(&l->ring, &cqe, 1, &ts, NULL);
	/* Nothing came in time, a signal came, or the kernel is short of memory for a moment. */
	if (ret == -ETIME || ret == -EINTR || ret == -EAGAIN || ret == -EBUSY)
		return 0;
	return ret < 0 ? ret : 0;
}

static void complete(struct loop *l, const struct io_uring_cqe *cqe, bool call)
{
	struct loop_op *op = io_uring_cqe_get_data(cqe);
	struct loop_event event = {.res = cqe->res, .more = cqe->flags & IORING_CQE_F_MORE};
	unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
	bool buffer = cqe->flags & IORING_CQE_F_BUFFER;

	if (!op)
		return;
	if (buffer)
		event.data = buffer_at(l, id);
	if (!event.more) {
		assert(op->pending > 0 && l->pending > 0);
		op->pending--;
		l->pending--;
	}
	if (call)
		op->done(op, &event);
	if (buffer)
		buffer_give(l, id);
}

static void reap(struct loop *l, bool call)
{
	struct io_uring_cqe *cqe;
	unsigned head;
	unsigned n = 0;

	io_uring_for_each_cqe(&l->ring, head, cqe)
	{
		complete(l, cqe, call);
		n++;
	}
	io_uring_cq_advance(&l->ring, n);
	l->counts.completions += n;
	if (l->given_back > 0)
		buffers_advance(l);
}

int loop_turn(struct loop *l)
{
	int ret;

	if (l->config.turn_end)
		l->config.turn_end(l->config.arg);
	ret = submit_and_wait(l);
	if (ret < 0)
		return ret;
	l->now_ns = clock_now_ns();
	l->counts.turns++;
	reap(l, true);
	fire_due(l);
	return 0;
}

int loop_run(struct loop *l)
{
	int ret = 0;

	while (ret == 0 && !l->stopping)
		ret = loop_turn(l);
	return ret;
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
}

uint64_t loop_now(const struct loop *l)
{
	return l->now_ns;
}

void loop_refresh(struct loop *l)
{
	l->now_ns = clock_now_ns();
}

const struct loop_counts *loop_counts(const struct loop *l)
{
	return &l->counts;
}

const char *loop_features(const struct loop *l)
{
	return l->features;
}

void loop_close(struct loop *l)
{
	uint64_t deadline = clock_now_ns() + CLOSE_NS_MAX;
	struct io_uring_sqe *sqe;

	if (!l)
		return;
	if (l->pending > 0) {
		sqe = sqe_for(l, NULL);
		io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
		io_uring_sqe_set_data(sqe, NULL);
	}
	l->heap_len = 0;
	while (l->pending > 0 && clock_now_ns() < deadline) {
		if (submit_and_wait(l) < 0)
			break;
		reap(l, false);
	}
	io_uring_queue_exit(&l->ring);
	buffers_fini(l);
	free(l->waiting);
	free(l);
}
