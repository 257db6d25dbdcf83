/* SPDX-License-Identifier: MIT */
/* history_test.c - the binary history: what is committed is read, what is damaged is named */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "agent/base/clock.h"
#include "agent/history/format.h"
#include "tests/check/files.h"

#define WRITERS 4
#define WRITER_OPS 2000
#define DEADLINE_NS (20 * NS_PER_S)

static struct history *begin(const struct files *f)
{
	struct history *h = NULL;
	struct err err = {0};

	if (history_create(&h, f->path, &err))
		fail_msg("%s", err.text);
	return h;
}

static struct history_record invoke(
	uint32_t op, uint32_t session, enum history_kind kind, uint64_t value, uint64_t t_ns)
{
	return (struct history_record){
		.type = HISTORY_INVOKE,
		.kind = (uint8_t)kind,
		.op = op,
		.session = session,
		.node = 2,
		.client = 5,
		.phase = 1,
		.t_ns = t_ns,
		.t_intended_ns = t_ns - 1,
		.key = 3,
		.value = value,
	};
}

static struct history_record end(
	const struct history_record *begun, enum history_type type, uint64_t t_ns)
{
	struct history_record r = *begun;

	r.type = (uint8_t)type;
	r.t_ns = t_ns;
	return r;
}

/* A write of session 1 and a read of session 2, both acknowledged. */
static void add_two(struct history *h)
{
	struct history_record w = invoke(1, 1, HISTORY_WRITE, 7, 100);
	struct history_record r = invoke(2, 2, HISTORY_READ, 0, 150);
	struct history_record w_end = end(&w, HISTORY_OK, 200);
	struct history_record r_end = end(&r, HISTORY_OK, 250);

	r_end.value = 7;
	assert_int_equal(history_add(h, &w), 0);
	assert_int_equal(history_add(h, &r), 0);
	assert_int_equal(history_add(h, &w_end), 0);
	assert_int_equal(history_add(h, &r_end), 0);
}

static void read_all(const struct files *f, struct history_ops *ops)
{
	struct err err = {0};

	if (history_read(ops, f->path, &err))
		fail_msg("%s", err.text);
}

static void history__reads_back_what_was_written(void **state)
{
	struct history *h = begin(*state);
	struct history_record cas = invoke(3, 1, HISTORY_CAS, 9, 300);
	struct history_record phase = {.type = HISTORY_PHASE, .phase = 1, .t_ns = 301};
	struct history_ops ops;

	add_two(h);
	cas.old = 7;
	assert_int_equal(history_add(h, &cas), 0);
	assert_int_equal(history_add(h, &phase), 0);
	cas = end(&cas, HISTORY_OK, 400);
	cas.error = HISTORY_UNMET;
	assert_int_equal(history_add(h, &cas), 0);
	history_close(h);
	read_all(*state, &ops);
	assert_int_equal(ops.count, 3);
	assert_int_equal(ops.damaged, 0);
	assert_int_equal(ops.op[0].kind, HISTORY_WRITE);
	assert_int_equal(ops.op[0].value, 7);
	assert_int_equal(ops.op[0].t_invoke_ns, 100);
	assert_int_equal(ops.op[0].t_intended_ns, 99);
	assert_int_equal(ops.op[0].t_return_ns, 200);
	assert_int_equal(ops.op[0].node, 2);
	assert_int_equal(ops.op[0].client, 5);
	assert_int_equal(ops.op[0].phase, 1);
	assert_int_equal(ops.op[1].value, 7);
	assert_int_equal(ops.op[2].outcome, HISTORY_OK);
	assert_int_equal(ops.op[2].error, HISTORY_UNMET);
	assert_int_equal(ops.op[2].old, 7);
	assert_false(ops.op[2].met);
	history_ops_fini(&ops);
}

static void history__an_operation_without_end_is_unknown(void **state)
{
	struct history *h = begin(*state);
	struct history_record w = invoke(1, 1, HISTORY_WRITE, 7, 100);
	struct history_record u = invoke(2, 2, HISTORY_WRITE, 8, 110);
	struct history_ops ops;

	assert_int_equal(history_add(h, &w), 0);
	assert_int_equal(history_add(h, &u), 0);
	u = end(&u, HISTORY_UNKNOWN, 500);
	u.error = HISTORY_TIMEOUT;
	assert_int_equal(history_add(h, &u), 0);
	history_close(h);
	read_all(*state, &ops);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(ops.op[i].outcome, HISTORY_UNKNOWN);
		assert_true(ops.op[i].t_return_ns == UINT64_MAX);
	}
	assert_int_equal(ops.op[1].error, HISTORY_TIMEOUT);
	history_ops_fini(&ops);
}

static void history__does_not_replace_a_file(void **state)
{
	const struct files *f = *state;
	struct history *h;
	struct err err = {0};

	files_save(f, "precious", 8);
	assert_int_equal(history_create(&h, f->path, &err), -EEXIST);
	assert_non_null(strstr(err.text, f->path));
}

/* @ops operations, each invoked and acknowledged, as fast as possible; 0: until killed. */
static void write_many(struct history *h, uint64_t ops)
{
	uint32_t session = history_session_number(h);

	for (uint64_t i = 0; ops == 0 || i < ops; i++) {
		uint32_t op = history_op_number(h);
		struct history_record r = invoke(op, session, HISTORY_WRITE, op, clock_now_ns());

		if (history_add(h, &r))
			_exit(1);
		r = end(&r, HISTORY_OK, clock_now_ns());
		if (history_add(h, &r))
			_exit(1);
	}
	_exit(0);
}

static void history__takes_records_of_several_processes(void **state)
{
	struct history *h = begin(*state);
	pid_t pid[WRITERS];
	struct history_ops ops;
	int status;

	for (size_t i = 0; i < WRITERS; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i] == 0)
			write_many(h, WRITER_OPS);
	}
	for (size_t i = 0; i < WRITERS; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
	history_close(h);
	read_all(*state, &ops);
	assert_int_equal(ops.count, WRITERS * WRITER_OPS);
	assert_int_equal(ops.damaged, 0);
	for (size_t i = 1; i < ops.count; i++)
		assert_true(ops.op[i - 1].t_invoke_ns <= ops.op[i].t_invoke_ns);
	history_ops_fini(&ops);
}

/* Two appends and a read of key 3, and a transaction, all acknowledged; 11 elements were read. */
static void add_lists(struct history *h, uint32_t session)
{
	static const uint64_t list[] = {1, 2, 3, 4, 5, 6, 7};
	const struct history_micro step[] = {
		{.kind = HISTORY_READ, .key = 8, .first = 3, .count = 4},
		{.kind = HISTORY_APPEND, .key = 9, .value = 1000 + session},
		{.kind = HISTORY_READ, .key = 9},
	};
	uint32_t op = history_op_number(h);
	struct history_record read = invoke(op, session, HISTORY_READ, 0, 100);
	struct history_record txn =
		invoke(history_op_number(h), session, HISTORY_TRANSACTION, 0, 300);

	txn.key = 0;
	assert_int_equal(history_add(h, &read), 0);
	read = end(&read, HISTORY_OK, 200);
	assert_int_equal(history_add_many(h, &read, list, 7), 0);
	assert_int_equal(history_add_steps(h, &txn, step, 3), 0);
	txn = end(&txn, HISTORY_OK, 400);
	assert_int_equal(history_add_results(h, &txn, step, 3, list), 0);
}

/* That they are what add_lists() wrote. */
static void are_lists(const struct history_ops *ops, const struct history_op *op)
{
	const struct history_micro *step = ops->micro + op->first;

	if (op->kind == HISTORY_READ) {
		assert_true(op->many);
		assert_int_equal(op->count, 7);
		for (uint32_t i = 0; i < 7; i++)
			assert_int_equal(ops->list[op->first + i], i + 1);
		return;
	}
	assert_int_equal(op->kind, HISTORY_TRANSACTION);
	assert_int_equal(op->count, 3);
	assert_int_equal(step[0].kind, HISTORY_READ);
	assert_int_equal(step[0].key, 8);
	assert_int_equal(step[0].count, 4);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(ops->list[step[0].first + i], i + 4);
	assert_int_equal(step[1].kind, HISTORY_APPEND);
	assert_int_equal(step[1].value, 1000 + op->session);
	assert_int_equal(step[2].count, 0);
}

static void history__reads_back_elements_and_steps(void **state)
{
	struct history *h = begin(*state);
	struct history_ops ops;

	add_lists(h, 1);
	add_lists(h, 2);
	history_close(h);
	read_all(*state, &ops);
	assert_int_equal(ops.count, 4);
	for (size_t i = 0; i < ops.count; i++)
		are_lists(&ops, &ops.op[i]);
	history_ops_fini(&ops);
}

static void history__reads_back_every_kind(void **state)
{
	struct history *h = begin(*state);
	struct history_record r;
	struct history_ops ops;

	for (uint32_t kind = HISTORY_APPEND; kind <= HISTORY_TRANSFER; kind++) {
		r = invoke(kind, kind, kind, (uint64_t)-5, 100 * kind);
		r.key = kind;
		r.old = kind == HISTORY_TRANSFER ? history_accounts(2, 65535) : 0;
		assert_int_equal(history_add(h, &r), 0);
		r = end(&r, HISTORY_OK, 100 * kind + 50);
		assert_int_equal(history_add(h, &r), 0);
	}
	history_close(h);
	read_all(*state, &ops);
	assert_int_equal(ops.count, 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(ops.op[i].kind, HISTORY_APPEND + i);
		assert_int_equal(ops.op[i].outcome, HISTORY_OK);
		assert_true((int64_t)ops.op[i].value == -5);
	}
	assert_int_equal(ops.op[3].old, 2);
	assert_int_equal(ops.op[3].to, 65535);
	history_ops_fini(&ops);
}

static void history__an_unfinished_transaction_is_unknown(void **state)
{
	const struct history_micro step = {.kind = HISTORY_APPEND, .key = 9, .value = 4};
	struct history *h = begin(*state);
	struct history_record txn = invoke(1, 1, HISTORY_TRANSACTION, 0, 300);
	struct format_more more = {.type = HISTORY_MORE, .of = HISTORY_OK, .op = 1, .count = 1};
	struct history_record r;
	struct history_ops ops;

	assert_int_equal(history_add_steps(h, &txn, &step, 1), 0);
	memcpy(&r, &more, sizeof r);
	assert_int_equal(history_add(h, &r), 0); /* and then its writer was killed */
	history_close(h);
	read_all(*state, &ops);
	assert_int_equal(ops.count, 1);
	assert_int_equal(ops.op[0].outcome, HISTORY_UNKNOWN);
	assert_int_equal(ops.micro[ops.op[0].first].value, 4);
	history_ops_fini(&ops);
}

static void history__says_what_is_too_long(void **state)
{
	struct history *h = begin(*state);
	struct history_record read = invoke(1, 1, HISTORY_READ, 0, 100);
	struct history_record txn = invoke(2, 2, HISTORY_TRANSACTION, 0, 100);
	struct history_micro step = {.kind = HISTORY_READ, .count = HISTORY_MANY_MAX};

	read.type = HISTORY_OK;
	assert_int_equal(history_add_many(h, &read, NULL, HISTORY_MANY_MAX + 1), -E2BIG);
	assert_int_equal(history_add_steps(h, &txn, NULL, HISTORY_STEPS_MAX + 1), -E2BIG);
	txn.type = HISTORY_OK;
	assert_int_equal(history_add_results(h, &txn, &step, 1, NULL), -E2BIG);
	history_close(h);
}

/* @ops reads and transactions, or until killed. */
static void write_lists(struct history *h, uint64_t ops)
{
	for (uint64_t i = 0; ops == 0 || i < ops; i++)
		add_lists(h, history_session_number(h));
	_exit(0);
}

static void history__takes_lists_of_several_processes(void **state)
{
	struct history *h = begin(*state);
	pid_t pid[WRITERS];
	struct history_ops ops;
	int status;

	for (size_t i = 0; i < WRITERS; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i] == 0)
			write_lists(h, WRITER_OPS);
	}
	for (size_t i = 0; i < WRITERS; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
	history_close(h);
	read_all(*state, &ops);
	assert_int_equal(ops.count, 2 * WRITERS * WRITER_OPS);
	for (size_t i = 0; i < ops.count; i++)
		are_lists(&ops, &ops.op[i]);
	history_ops_fini(&ops);
}

/* Read it again and again while it is written, until it holds @count operations. */
static void read_until(const struct files *f, size_t count)
{
	uint64_t until_ns = clock_now_ns() + DEADLINE_NS;
	struct history_ops ops = {0};

	do {
		history_ops_fini(&ops);
		read_all(f, &ops);
		assert_true(clock_now_ns() < until_ns);
	} while (ops.count < count);
	history_ops_fini(&ops);
}

static void history__outlives_writers_that_are_killed(void **state)
{
	struct history *h = begin(*state);
	struct history_ops ops;
	pid_t pid[2];
	size_t open = 0;

	for (size_t i = 0; i < 2; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i] == 0)
			write_many(h, 0);
	}
	read_until(*state, 3 * WRITER_OPS);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(kill(pid[i], SIGKILL), 0);
		assert_int_equal(waitpid(pid[i], NULL, 0), pid[i]);
	}
	read_all(*state, &ops);
	assert_true(ops.count >= 3 * WRITER_OPS);
	history_ops_fini(&ops);
	history_close(h);
	read_all(*state, &ops);
	for (size_t i = 0; i < ops.count; i++)
		open += ops.op[i].outcome == HISTORY_UNKNOWN;
	assert_in_range(open + ops.damaged, 0, 4);
	history_ops_fini(&ops);
}

static void history__outlives_writers_of_lists_that_are_killed(void **state)
{
	struct history *h = begin(*state);
	struct history_ops ops;
	pid_t pid[2];
	size_t open = 0;

	for (size_t i = 0; i < 2; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i] == 0)
			write_lists(h, 0);
	}
	read_until(*state, WRITER_OPS);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(kill(pid[i], SIGKILL), 0);
		assert_int_equal(waitpid(pid[i], NULL, 0), pid[i]);
	}
	history_close(h);
	read_all(*state, &ops);
	for (size_t i = 0; i < ops.count; i++) {
		open += ops.op[i].outcome == HISTORY_UNKNOWN;
		if (ops.op[i].outcome == HISTORY_OK)
			are_lists(&ops, &ops.op[i]);
	}
	assert_in_range(open + ops.damaged, 0, 4);
	history_ops_fini(&ops);
}

static void history__counts_slots_that_were_not_committed(void **state)
{
	const struct files *f = *state;
	struct history *h = begin(f);
	struct history_record more = invoke(3, 3, HISTORY_READ, 0, 500);
	struct history_ops ops;
	uint8_t none = HISTORY_NONE;
	off_t at = (off_t)(format_offset(4) + offsetof(struct history_record, type));
	int fd;

	add_two(h);
	assert_int_equal(history_add(h, &more), 0);
	fd = open(f->path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, &none, 1, at), 1);
	(void)close(fd);
	for (int closed = 0; closed < 2; closed++) {
		read_all(f, &ops);
		assert_int_equal(ops.count, 2);
		assert_int_equal(ops.damaged, 1);
		history_ops_fini(&ops);
		if (!closed)
			history_close(h);
	}
}

static void history__refuses_a_flipped_bit_anywhere(void **state)
{
	const struct files *f = *state;
	struct history *h = begin(f);
	struct history_ops ops;
	size_t size;
	char *bytes;

	add_two(h);
	history_close(h);
	bytes = files_load(f, &size);
	assert_int_equal(size, format_offset(4));
	for (size_t i = 0; i < size * 8; i++) {
		bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
		files_save(f, bytes, size);
		files_refused(f, ": offset ");
		bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
	}
	files_save(f, bytes, size);
	read_all(f, &ops);
	history_ops_fini(&ops);
	free(bytes);
}

static void history__names_the_record_that_is_damaged(void **state)
{
	const struct files *f = *state;
	struct history *h = begin(f);
	size_t size;
	char *bytes;

	add_two(h);
	history_close(h);
	bytes = files_load(f, &size);
	bytes[format_offset(2) + 20] ^= 1;
	files_save(f, bytes, size);
	files_refused(f, ": offset 192 (record 2): the checksum is ");
	free(bytes);
}

static void history__refuses_a_file_of_any_other_length(void **state)
{
	const struct files *f = *state;
	struct history *h = begin(f);
	size_t size;
	char *bytes;

	add_two(h);
	history_close(h);
	bytes = files_load(f, &size);
	for (size_t i = 0; i < size; i++) {
		files_save(f, bytes, i);
		files_refused(f, ": offset ");
	}
	bytes[size] = 0;
	files_save(f, bytes, size + 1);
	files_refused(f, ": offset 320: the file goes on");
	free(bytes);
}

/* What the records say is refused with @what, or read if that is NULL. */
static void refused_records(
	const struct files *f, const struct history_record *r, size_t count, const char *what)
{
	struct history *h = begin(f);

	for (size_t i = 0; i < count; i++)
		assert_int_equal(history_add(h, &r[i]), 0);
	history_close(h);
	if (what) {
		files_refused(f, what);
	} else {
		struct history_ops ops;

		read_all(f, &ops);
		history_ops_fini(&ops);
	}
	assert_int_equal(unlink(f->path), 0);
}

static void history__refuses_records_that_do_not_fit(void **state)
{
	struct history_record r[4];

	r[0] = invoke(1, 1, HISTORY_WRITE, 7, 100);
	r[1] = end(&r[0], HISTORY_OK, 99);
	refused_records(*state, r, 2, "(record 1): operation 1 ends at 99 ns, before it began");
	r[1] = r[0];
	refused_records(*state, r, 2, "(record 1): operation 1 is invoked twice");
	r[1] = end(&r[0], HISTORY_OK, 200);
	r[2] = r[1];
	refused_records(*state, r, 3, "(record 2): operation 1 ends twice");
	refused_records(*state, r + 1, 1, "(record 0): operation 1 ends without");
	r[1].session = 2;
	refused_records(
		*state, r, 2, "(record 1): operation 1 ends as a write of key 3 in session 2");
	r[1] = invoke(2, 1, HISTORY_READ, 0, 150);
	refused_records(*state, r, 2, "(record 1): session 1 begins operation 2");
	r[1] = end(&r[0], HISTORY_OK, 200);
	r[2] = invoke(2, 1, HISTORY_READ, 0, 199);
	refused_records(*state, r, 3, "(record 2): session 1 begins operation 2 at 199 ns");
	r[2] = invoke(2, 2, HISTORY_WRITE, 7, 300);
	refused_records(*state, r, 3, "(record 2): operation 2 writes 7 to key 3, as operation 1");
	r[0].value = 0;
	refused_records(*state, r, 1, "(record 0): operation 1 writes 0");
}

static void history__refuses_continuations_that_do_not_fit(void **state)
{
	struct history_record r[4];
	struct format_more more = {.type = HISTORY_MORE, .of = HISTORY_OK, .op = 1, .count = 2};

	r[0] = invoke(1, 1, HISTORY_READ, 0, 100);
	memcpy(&r[1], &more, sizeof r[1]);
	r[2] = end(&r[0], HISTORY_OK, 200);
	r[2].value = 3;
	refused_records(*state, r, 3, "(record 2): operation 1 has a continuation, which a read");
	r[2].flags = HISTORY_F_MANY;
	refused_records(*state, r, 3, "(record 2): operation 1 has a continuation of 2 words, 3");
	r[2].value = HISTORY_MANY_MAX + 1;
	refused_records(*state, r, 3, "(record 2): operation 1 read 1048577 elements, at most");
	r[3] = r[1];
	refused_records(*state, r + 1, 1, NULL);
	more.part = 1;
	memcpy(&r[1], &more, sizeof r[1]);
	refused_records(*state, r, 3, "(record 1): part 1 of operation 1, part 0 was expected");
	more.part = 0;
	more.count = 7;
	memcpy(&r[1], &more, sizeof r[1]);
	refused_records(*state, r, 3, "(record 1): a continuation of 7 words, 1 to 6");
	more.count = 6;
	more.of = HISTORY_FAIL;
	memcpy(&r[1], &more, sizeof r[1]);
	refused_records(*state, r, 3, "(record 1): a continuation of a record of type 3, 1 or 2");
	r[1] = r[3];
	refused_records(*state, (struct history_record[]){r[1], r[1]}, 2,
		"(record 1): operation 1 has a continuation after its last");
}

static void history__refuses_transactions_that_do_not_fit(void **state)
{
	struct history_record r[4];
	struct format_more more = {.type = HISTORY_MORE, .of = HISTORY_INVOKE, .op = 1, .count = 3};

	r[1] = invoke(1, 1, HISTORY_TRANSACTION, 1, 100);
	more.word[0] = HISTORY_CAS;
	memcpy(&r[0], &more, sizeof r[0]);
	refused_records(*state, r, 2, "(record 1): operation 1 has a step of kind 2, read (0)");
	more.word[0] = HISTORY_APPEND;
	memcpy(&r[0], &more, sizeof r[0]);
	refused_records(*state, r, 2, "(record 1): operation 1 writes 0");
	more.word[0] = HISTORY_READ;
	more.word[2] = 5;
	memcpy(&r[0], &more, sizeof r[0]);
	refused_records(*state, r, 2, "(record 1): operation 1 reads, but its step has");
	more.word[2] = 0;
	memcpy(&r[0], &more, sizeof r[0]);
	r[3] = end(&r[1], HISTORY_OK, 200);
	r[3].value = 2;
	more.of = HISTORY_OK;
	more.count = 2;
	more.word[0] = 2;
	memcpy(&r[2], &more, sizeof r[2]);
	refused_records(*state, r, 4, "(record 3): operation 1 ends inside what step 0 read");
	more.word[0] = 0;
	memcpy(&r[2], &more, sizeof r[2]);
	refused_records(*state, r, 4, "(record 3): operation 1 has 1 words after what its last");
	r[1].value = HISTORY_STEPS_MAX + 1;
	refused_records(*state, r, 2, "(record 1): operation 1 has 4097 steps, at most 4096");
}

static void history__refuses_numbers_without_a_meaning(void **state)
{
	struct history_record r = invoke(1, 1, HISTORY_READ, 0, 100);

	r.kind = HISTORY_KIND_NR;
	refused_records(*state, &r, 1, "(record 0): unknown kind 8");
	r.kind = HISTORY_READ;
	r.error = HISTORY_ERROR_NR;
	refused_records(*state, &r, 1, "(record 0): unknown error 9");
	r.error = 0;
	r.flags = HISTORY_F_MANY;
	refused_records(*state, &r, 1, "(record 0): unknown flags 02");
	r.flags = 0;
	r.kind = HISTORY_TRANSFER;
	r.old = 1ull << 16;
	refused_records(*state, &r, 1, "(record 0): a transfer between accounts 000000000001");
	r.kind = HISTORY_READ;
	r.op = 0;
	refused_records(*state, &r, 1, "(record 0): operation number 0");
	r.op = HISTORY_RECORDS_MAX + 1;
	refused_records(*state, &r, 1, "(record 0): operation number 16777217");
}

/* The largest number stands for "never". */
static void history__refuses_a_time_that_means_never(void **state)
{
	struct history_record r[2];

	r[0] = invoke(1, 1, HISTORY_WRITE, 7, UINT64_MAX);
	refused_records(*state, r, 1, "(record 0): operation 1 begins at 18446744073709551615 ns");
	r[0] = invoke(1, 1, HISTORY_WRITE, 7, 100);
	r[1] = end(&r[0], HISTORY_OK, UINT64_MAX);
	refused_records(*state, r, 2, "(record 1): operation 1 ends at 18446744073709551615 ns");
}

static void history__refuses_an_error_that_contradicts_the_outcome(void **state)
{
	struct history_record r[2];

	r[0] = invoke(1, 1, HISTORY_WRITE, 7, 100);
	r[1] = end(&r[0], HISTORY_OK, 200);
	r[1].error = HISTORY_TIMEOUT;
	refused_records(*state, r, 2, "is ok but has the error 'timeout'");
	r[1].error = HISTORY_UNMET;
	refused_records(*state, r, 2, "is ok but has the error 'unmet'");
	r[1].type = HISTORY_FAIL;
	refused_records(*state, r, 2, "has the error 'unmet', which is an answer");
}

static void history__refuses_what_is_no_history(void **state)
{
	struct files gone = {.path = "/nonexistent/history.bin"};
	struct history_ops ops;
	struct err err = {0};

	files_save(*state, "", 0);
	files_refused(*state, ": offset 0: the file ends");
	files_save(*state,
		"\x7f"
		"ELF and so on, for more than the sixty-four bytes of a header ....",
		68);
	files_refused(*state, ": offset 0: this is no history");
	assert_int_equal(history_read(&ops, gone.path, &err), -ENOENT);
	assert_int_equal(err.status, EXIT_USAGE);
}

#define with_file(test) cmocka_unit_test_setup_teardown(test, files_setup, files_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_file(history__reads_back_what_was_written),
		with_file(history__reads_back_elements_and_steps),
		with_file(history__reads_back_every_kind),
		with_file(history__an_unfinished_transaction_is_unknown),
		with_file(history__says_what_is_too_long),
		with_file(history__takes_lists_of_several_processes),
		with_file(history__an_operation_without_end_is_unknown),
		with_file(history__does_not_replace_a_file),
		with_file(history__takes_records_of_several_processes),
		with_file(history__outlives_writers_that_are_killed),
		with_file(history__outlives_writers_of_lists_that_are_killed),
		with_file(history__counts_slots_that_were_not_committed),
		with_file(history__refuses_a_flipped_bit_anywhere),
		with_file(history__names_the_record_that_is_damaged),
		with_file(history__refuses_a_file_of_any_other_length),
		with_file(history__refuses_records_that_do_not_fit),
		with_file(history__refuses_continuations_that_do_not_fit),
		with_file(history__refuses_transactions_that_do_not_fit),
		with_file(history__refuses_numbers_without_a_meaning),
		with_file(history__refuses_a_time_that_means_never),
		with_file(history__refuses_an_error_that_contradicts_the_outcome),
		with_file(history__refuses_what_is_no_history),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
