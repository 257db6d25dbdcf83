/* SPDX-License-Identifier: MIT */
/* loop_test.c - timers, multishot accept and recv, sends, linked writes, cancelling */
#include "agent/base/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/list.h"
#include "agent/base/prng.h"
#include "tests/lib/test.h"

#define DEADLINE_NS (5 * NS_PER_S)
#define TIMERS 40

static int fired_count;

static struct loop *loop_make(const struct loop_config *config)
{
	static const struct loop_config plain;
	struct err err = {0};
	struct loop *l = NULL;

	if (loop_open(&l, config ? config : &plain, &err) < 0)
		fail_msg("%s", err.text);
	return l;
}

/* What happened to an op. */
struct seen {
	struct loop_op op;
	int completions;
	int res;
	bool more;
	char text[256];
	size_t len;
};

static void seen_done(struct loop_op *op, const struct loop_event *event)
{
	struct seen *s = list_entry(op, struct seen, op);

	s->completions++;
	s->res = event->res;
	s->more = event->more;
	if (event->data && event->res > 0) {
		assert_true(s->len + (size_t)event->res <= sizeof s->text);
		memcpy(s->text + s->len, event->data, (size_t)event->res);
		s->len += (size_t)event->res;
	}
}

static void turn_until(struct loop *l, const int *value, int wanted)
{
	uint64_t deadline = clock_now_ns() + DEADLINE_NS;

	while (*value < wanted) {
		assert_true(clock_now_ns() < deadline);
		assert_int_equal(loop_turn(l), 0);
	}
}

struct alarm {
	struct loop_timer timer;
	struct loop *loop;
	uint64_t due_ns;
	int *fired;
	uint64_t *last_ns;
};

static void alarm_fire(struct loop_timer *timer)
{
	struct alarm *a = list_entry(timer, struct alarm, timer);

	assert_true(loop_now(a->loop) >= a->due_ns);
	assert_true(a->due_ns >= *a->last_ns);
	*a->last_ns = a->due_ns;
	++*a->fired;
}

static void loop__fires_timers_in_order_and_never_early(void **state)
{
	struct loop *l = loop_make(NULL);
	struct alarm alarms[TIMERS] = {0};
	uint64_t last = 0;
	struct prng prng;
	int fired = 0;

	(void)state;
	prng_init(&prng, 3, 3);
	for (int i = 0; i < TIMERS; i++) {
		alarms[i] = (struct alarm){.timer = {.fire = alarm_fire},
			.loop = l,
			.fired = &fired,
			.last_ns = &last};
		/* Armed twice: the second time counts. */
		loop_arm(l, &alarms[i].timer, 1);
		alarms[i].due_ns = loop_now(l) + prng_below(&prng, 20 * NS_PER_MS);
		loop_arm(l, &alarms[i].timer, alarms[i].due_ns);
	}
	for (int i = 0; i < TIMERS; i += 4) {
		loop_disarm(l, &alarms[i].timer);
		loop_disarm(l, &alarms[i].timer);
	}
	turn_until(l, &fired, TIMERS - TIMERS / 4);
	for (int i = 0; i < TIMERS; i++)
		assert_int_equal(alarms[i].timer.place, 0);
	loop_close(l);
}

static void loop__receives_and_sends_on_sockets(void **state)
{
	struct loop *l = loop_make(NULL);
	struct seen in = {.op = {.done = seen_done}};
	struct seen out = {.op = {.done = seen_done}};
	int fds[2];
	char got[8] = "";

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	loop_recv(l, &in.op, fds[0]);
	assert_int_equal(write(fds[1], "hello ", 6), 6);
	turn_until(l, &in.completions, 1);
	assert_true(in.more);
	assert_int_equal(write(fds[1], "world", 5), 5);
	turn_until(l, &in.completions, 2);
	assert_int_equal(in.len, 11);
	assert_memory_equal(in.text, "hello world", 11);
	loop_send(l, &out.op, fds[0], "back", 4);
	turn_until(l, &out.completions, 1);
	assert_int_equal(out.res, 4);
	assert_int_equal(read(fds[1], got, sizeof got), 4);
	close(fds[1]);
	turn_until(l, &in.completions, 3);
	assert_int_equal(in.res, 0);
	assert_false(in.more);
	assert_int_equal(in.op.pending, 0);
	loop_close(l);
	close(fds[0]);
}

static void loop__says_when_receive_buffers_run_out_and_goes_on(void **state)
{
	struct loop_config config = {.recv_buffers = 2, .recv_buffer_size = 16};
	struct loop *l = loop_make(&config);
	struct seen in = {.op = {.done = seen_done}};
	char text[200];
	uint64_t deadline = clock_now_ns() + DEADLINE_NS;
	int fds[2];

	(void)state;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)('a' + i % 26);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(write(fds[1], text, sizeof text), sizeof text);
	while (in.len < sizeof text) {
		assert_true(clock_now_ns() < deadline);
		if (in.op.pending == 0)
			loop_recv(l, &in.op, fds[0]);
		assert_int_equal(loop_turn(l), 0);
		assert_true(in.res > 0 || in.res == -ENOBUFS);
	}
	assert_memory_equal(in.text, text, sizeof text);
	loop_close(l);
	close(fds[0]);
	close(fds[1]);
}

static void loop__accepts_many_connections_with_one_operation(void **state)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof addr;
	struct loop *l = loop_make(NULL);
	struct seen in = {.op = {.done = seen_done}};
	struct sockaddr_storage bare = {.ss_family = AF_UNIX};
	int listening = socket(AF_UNIX, SOCK_STREAM, 0);
	int clients[3];

	(void)state;
	/* Binding the bare family makes an abstract name of the kernel's choice. */
	assert_int_equal(bind(listening, (struct sockaddr *)&bare, sizeof(sa_family_t)), 0);
	assert_int_equal(listen(listening, 8), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&addr, &len), 0);
	loop_accept(l, &in.op, listening);
	for (int i = 0; i < 3; i++) {
		clients[i] = socket(AF_UNIX, SOCK_STREAM, 0);
		assert_int_equal(connect(clients[i], (struct sockaddr *)&addr, len), 0);
		turn_until(l, &in.completions, i + 1);
		assert_true(in.res >= 0 && in.more);
		assert_true(fcntl(in.res, F_GETFD) & FD_CLOEXEC);
		close(in.res);
		close(clients[i]);
	}
	loop_cancel(l, &in.op);
	turn_until(l, &in.completions, 4);
	assert_int_equal(in.res, -ECANCELED);
	loop_close(l);
	close(listening);
}

static void loop__syncs_only_what_was_written_whole(void **state)
{
	struct loop *l = loop_make(NULL);
	struct seen wrote = {.op = {.done = seen_done}};
	struct seen synced = {.op = {.done = seen_done}};
	struct loop_write what = {.bytes = "record", .n = 6, .offset = 3};
	FILE *file = tmpfile();
	char got[16];

	(void)state;
	what.fd = fileno(file);
	loop_write(l, &wrote.op, &synced.op, &what);
	turn_until(l, &synced.completions, 1);
	assert_int_equal(wrote.res, 6);
	assert_int_equal(synced.res, 0);
	assert_int_equal(pread(what.fd, got, sizeof got, 0), 9);
	assert_memory_equal(got + 3, "record", 6);
	(void)fclose(file);
	/* A write that fails takes the sync with it. */
	what.fd = open("/dev/full", O_WRONLY);
	loop_write(l, &wrote.op, &synced.op, &what);
	turn_until(l, &synced.completions, 2);
	assert_int_equal(wrote.res, -ENOSPC);
	assert_int_equal(synced.res, -ECANCELED);
	close(what.fd);
	loop_close(l);
}

/* More than the queue holds, and the kernel takes none of it in between: nothing parts a link. */
static void loop__keeps_what_the_kernel_does_not_take_yet(void **state)
{
	enum { PAIRS = 2000 };
	struct loop_config config = {.refuse_submits = UINT32_MAX};
	struct loop *l = loop_make(&config);
	struct seen *wrote = calloc(PAIRS, sizeof *wrote);
	struct seen *synced = calloc(PAIRS, sizeof *synced);
	struct seen polled = {.op = {.done = seen_done}};
	struct loop_write what = {.bytes = "record", .n = 6};
	int fds[2];

	(void)state;
	what.fd = open("/dev/full", O_WRONLY);
	assert_true(what.fd >= 0);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	loop_poll(l, &polled.op, fds[0]); /* so that a pair meets the queue's last place */
	for (unsigned i = 0; i < PAIRS; i++) {
		wrote[i].op.done = seen_done;
		synced[i].op.done = seen_done;
		loop_write(l, &wrote[i].op, &synced[i].op, &what);
	}
	for (unsigned i = 0; i < PAIRS; i++)
		turn_until(l, &synced[i].completions, 1);
	for (unsigned i = 0; i < PAIRS; i++) {
		assert_int_equal(wrote[i].res, -ENOSPC);
		assert_int_equal(synced[i].res, -ECANCELED);
	}
	assert_int_equal(polled.completions, 1);
	loop_close(l);
	close(what.fd);
	close(fds[0]);
	close(fds[1]);
	free(wrote);
	free(synced);
}

static void loop__closes_with_operations_under_way(void **state)
{
	struct loop *l = loop_make(NULL);
	struct seen in = {.op = {.done = seen_done}};
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	loop_recv(l, &in.op, fds[0]);
	loop_close(l);
	assert_int_equal(in.completions, 0);
	assert_int_equal(in.op.pending, 0);
	close(fds[0]);
	close(fds[1]);
	loop_close(NULL);
}

static void count_turn(void *arg)
{
	++*(int *)arg;
}

static void loop__calls_turn_end_once_per_turn(void **state)
{
	int turns = 0;
	struct loop_config config = {.turn_end = count_turn, .arg = &turns};
	struct loop *l = loop_make(&config);
	struct seen in = {.op = {.done = seen_done}};
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	loop_poll(l, &in.op, fds[0]);
	assert_int_equal(loop_turn(l), 0);
	assert_int_equal(turns, 1);
	assert_int_equal(in.completions, 1);
	loop_close(l);
	close(fds[0]);
	close(fds[1]);
}

static int pair_make(int pair[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
}

/* Where files are registered, and where not. */
static void loop__lets_go_of_a_file_while_an_older_send_waits(void **state)
{
	static char much[4 << 20];
	struct loop *l = loop_make(NULL);
	struct seen stuck = {.op = {.done = seen_done}};
	struct seen sent = {.op = {.done = seen_done}};
	int full[2];
	int pair[2];
	char text[8];

	(void)state;
	assert_int_equal(pair_make(full), 0);
	assert_int_equal(pair_make(pair), 0);
	loop_file_add(l, full[0]);
	loop_file_add(l, pair[0]);
	loop_file_drop(l, pair[1]); /* was not added */
	loop_send(l, &stuck.op, full[0], much, sizeof much);
	loop_send(l, &sent.op, pair[0], "last", 4);
	turn_until(l, &sent.completions, 1);
	assert_int_equal(sent.res, 4);
	assert_int_equal(stuck.completions, 0);
	loop_file_drop(l, pair[0]);
	close(pair[0]);
	assert_int_equal(recv(pair[1], text, sizeof text, 0), 4);
	assert_int_equal(recv(pair[1], text, sizeof text, MSG_DONTWAIT), 0);
	/* Its number may be used again, for another one. */
	close(pair[1]);
	assert_int_equal(pair_make(pair), 0);
	loop_file_add(l, pair[0]);
	loop_send(l, &sent.op, pair[0], "first", 5);
	turn_until(l, &sent.completions, 2);
	assert_int_equal(recv(pair[1], text, sizeof text, 0), 5);
	assert_memory_equal(text, "first", 5);
	loop_close(l);
	close(full[0]);
	close(full[1]);
	close(pair[0]);
	close(pair[1]);
}

static void count_fire(struct loop_timer *timer)
{
	(void)timer;
	fired_count++;
}

static void loop__has_a_timer_for_every_client_and_more(void **state)
{
	enum { MANY = 5000 };
	static struct loop_timer many[MANY];
	struct loop *l = loop_make(NULL);

	(void)state;
	fired_count = 0;
	for (unsigned i = 0; i < MANY; i++) {
		many[i].fire = count_fire;
		loop_arm(l, &many[i], loop_now(l) + i % 7);
	}
	turn_until(l, &fired_count, MANY);
	loop_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loop__fires_timers_in_order_and_never_early),
		cmocka_unit_test(loop__has_a_timer_for_every_client_and_more),
		cmocka_unit_test(loop__receives_and_sends_on_sockets),
		cmocka_unit_test(loop__says_when_receive_buffers_run_out_and_goes_on),
		cmocka_unit_test(loop__accepts_many_connections_with_one_operation),
		cmocka_unit_test(loop__syncs_only_what_was_written_whole),
		cmocka_unit_test(loop__keeps_what_the_kernel_does_not_take_yet),
		cmocka_unit_test(loop__closes_with_operations_under_way),
		cmocka_unit_test(loop__lets_go_of_a_file_while_an_older_send_waits),
		cmocka_unit_test(loop__calls_turn_end_once_per_turn),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
