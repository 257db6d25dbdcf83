/* SPDX-License-Identifier: MIT */
/* program_test.c - drivers that are programs: every answer, every way to give none, no leftovers */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/test.h"

#include "agent/base/clock.h"
#include "agent/load/plugin.h"
#include "tests/unit/data_dir.h"

#define PATIENCE_NS (20 * NS_PER_S) /* a deadline that nothing here comes near */
#define SHORT_NS (100 * NS_PER_MS)
#define HELLO "echo pacelab 1 read write cas status\n"
#define OPEN HELLO "read line; echo ok\n"

static char folder[] = "/tmp/pacelab-program-XXXXXX";

/* A shell script as the only program: each test is a process of its own. */
static char *write_program(const char *name, const char *body)
{
	static char text[256];
	FILE *f;

	(void)snprintf(text, sizeof text, "program:%s/%s", folder, name);
	f = fopen(text + sizeof "program:" - 1, "w");
	assert_non_null(f);
	(void)fprintf(f, "#!/bin/sh\n%s", body);
	(void)fclose(f);
	assert_int_equal(chmod(text + sizeof "program:" - 1, 0755), 0);
	return text;
}

static const struct driver_target target = {
	.addr_be = (const uint32_t[]){0x0100007f, 0x0200007f},
	.nodes = 2,
	.port = 2379,
	.contact = 1,
	.settings = "reads=all",
};

static struct driver *must_open(const char *body)
{
	static unsigned number;
	const struct driver_ops *ops;
	struct err err = {0};
	char name[32];

	/* As many as fit a process are kept: one name for all bodies would be the first body. */
	(void)snprintf(name, sizeof name, "driver%u", number++);
	ops = plugin_find(write_program(name, body), &err);
	if (!ops)
		fail_msg("%s", err.text);
	return ops->open(&target);
}

/* No process of a driver is left, and none to be reaped. */
static void assert_alone(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* One program for all: what it answers to a key is the key's name of a case. */
static const char answers[] = OPEN
	"while read op key rest; do\n"
	"case $op$key in\n"
	"readk1) echo ok 42 ;; readk2) echo ok nil ;; readk3) echo fail refused ;;\n"
	"readk4) echo unknown timeout ;; readk5) echo ok ;; readk6) echo ok -1 ;;\n"
	"writek1) echo ok ;; writek2) echo fail refused ;; writek3) echo unknown uncertain ;;\n"
	"writek4) echo ok 1 ;; writek5) echo yes ;; writek6) exit ;; writek7) ;;\n"
	"writek8) head -c 600 /dev/zero | tr '\\0' a ;; writek9) printf 'ok\\nok\\n' ;;\n"
	"writek10) echo fail for reasons of its own ;; writek11) echo unmet ;;\n"
	"cask1) echo ok ;; cask2) echo unmet ;; cask3) echo unknown closed ;;\n"
	"*) echo \"fail\" ;; esac; done\n";

static void program__has_the_outcomes_that_it_says(void **state)
{
	static const struct {
		char op;
		uint64_t key;
		enum history_type outcome;
		enum history_error error;
		uint64_t value;
	} cases[] = {
		{'r', 1, HISTORY_OK, HISTORY_NO_ERROR, 42},
		{'r', 2, HISTORY_OK, HISTORY_NO_ERROR, 0},
		{'r', 3, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{'r', 4, HISTORY_FAIL, HISTORY_TIMEOUT, 0},
		{'r', 5, HISTORY_FAIL, HISTORY_OTHER, 0}, /* senseless */
		{'r', 6, HISTORY_FAIL, HISTORY_OTHER, 0}, {'w', 1, HISTORY_OK, HISTORY_NO_ERROR, 0},
		{'w', 2, HISTORY_FAIL, HISTORY_REFUSED, 0},
		{'w', 3, HISTORY_UNKNOWN, HISTORY_UNCERTAIN, 0},
		{'w', 4, HISTORY_UNKNOWN, HISTORY_OTHER, 0},
		{'w', 5, HISTORY_UNKNOWN, HISTORY_OTHER, 0},
		{'w', 6, HISTORY_UNKNOWN, HISTORY_CLOSED, 0},
		{'w', 7, HISTORY_UNKNOWN, HISTORY_TIMEOUT, 0},
		{'w', 8, HISTORY_UNKNOWN, HISTORY_OTHER, 0},
		{'w', 9, HISTORY_UNKNOWN, HISTORY_OTHER, 0},
		{'w', 10, HISTORY_FAIL, HISTORY_OTHER, 0},
		{'w', 11, HISTORY_UNKNOWN, HISTORY_OTHER, 0},
		{'c', 1, HISTORY_OK, HISTORY_NO_ERROR, 0}, {'c', 2, HISTORY_OK, HISTORY_UNMET, 0},
		{'c', 3, HISTORY_UNKNOWN, HISTORY_CLOSED, 0},
		{'r', 1, HISTORY_OK, HISTORY_NO_ERROR, 42}, /* and it goes on */
	};
	struct driver *d = must_open(answers);

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct driver_result r = {.outcome = HISTORY_NONE};
		uint64_t until;

		/* Each begins with a program that is there. */
		d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
		until = clock_now_ns() + (cases[i].error == HISTORY_TIMEOUT && cases[i].op == 'w'
							 ? SHORT_NS
							 : PATIENCE_NS);
		if (cases[i].op == 'r')
			d->ops->read(d, cases[i].key, until, &r);
		else if (cases[i].op == 'w')
			d->ops->write(d, cases[i].key, 7, until, &r);
		else
			d->ops->cas(d, cases[i].key, 7, 8, until, &r);
		if (r.outcome != cases[i].outcome || r.error != cases[i].error ||
			r.value != cases[i].value)
			fail_msg("case %zu: outcome %d error %s value %llu", i, (int)r.outcome,
				history_error_names[r.error], (unsigned long long)r.value);
	}
	d->ops->close(d);
	assert_alone();
}

static void program__is_told_where_the_store_is(void **state)
{
	/* The term of a status is what it was told, if that is right. */
	struct driver *d = must_open(
		HELLO "read line\n"
		      "[ \"$line\" = 'open 1 2379 127.0.0.1,127.0.0.2 reads=all' ] || exit\n"
		      "echo ok; while read op ms; do\n"
		      "[ \"$ms\" -gt 0 ] && echo ready leader 1 $ms voter; done\n");
	struct driver_status s;

	(void)state;
	assert_int_equal(d->ops->status(d, clock_now_ns() + PATIENCE_NS, &s), 0);
	assert_true(s.ready && s.leads);
	assert_int_equal(s.leader, 1);
	assert_string_equal(s.role, "voter");
	/* It is told a little less than there is. */
	assert_true(s.term > 0 && s.term < PATIENCE_NS / NS_PER_MS);
	d->ops->close(d);
	assert_alone();
}

static void program__that_cannot_open_leaves_nothing_done(void **state)
{
	struct driver *d = must_open(HELLO "read line; echo fail connect; read line; echo ok\n");
	struct driver_result r;

	(void)state;
	d->ops->write(d, 1, 7, clock_now_ns() + PATIENCE_NS, &r);
	assert_int_equal(r.outcome, HISTORY_FAIL);
	assert_int_equal(r.error, HISTORY_CONNECT);
	d->ops->close(d);
	assert_alone();
}

static void program__that_starts_slowly_is_waited_for_the_next_time(void **state)
{
	struct driver *d = must_open(HELLO "read line; read end\n");
	struct driver_result r;

	(void)state;
	d->ops->write(d, 1, 7, clock_now_ns() + SHORT_NS, &r);
	assert_int_equal(r.outcome, HISTORY_FAIL); /* nothing was sent */
	assert_int_equal(r.error, HISTORY_TIMEOUT);
	d->ops->close(d);
	assert_alone();
}

static void program__that_speaks_unasked_is_another_one(void **state)
{
	struct driver *d = must_open(OPEN "while read op rest; do case $op in read) echo ok 5 ;; "
					  "write) echo ok; exit ;; esac; done\n");
	struct driver_result r;

	(void)state;
	d->ops->write(d, 1, 7, clock_now_ns() + PATIENCE_NS, &r);
	assert_int_equal(r.outcome, HISTORY_OK);
	/* It ends: who asks next has a new one, or hears that it closed; never an old answer. */
	for (int i = 0; i < 3; i++) {
		d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
		d->ops->read(d, 1, clock_now_ns() + PATIENCE_NS, &r);
		assert_true(r.outcome == HISTORY_OK ? r.value == 5 : r.error == HISTORY_CLOSED);
	}
	assert_int_equal(r.outcome, HISTORY_OK);
	d->ops->close(d);
	assert_alone();
}

static void program__dies_with_all_that_it_started(void **state)
{
	struct driver *d = must_open(OPEN "tail -f /dev/null & read line\n");
	int status;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	d->ops->connect(d, clock_now_ns() + PATIENCE_NS);
	d->ops->close(d);
	while (waitpid(-1, &status, 0) > 0)
		assert_true(WIFSIGNALED(status) || WIFEXITED(status));
	assert_alone();
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

static void program__that_is_no_driver_is_refused_in_words(void **state)
{
	static const struct {
		const char *body;
		const char *words;
	} bad[] = {
		{"exit 1\n", "ended before it said 'pacelab 1"},
		{"echo pacelab 2 read write\n", "begins with 'pacelab 2 read write'"},
		{"echo pacelab 1 read\n", "begins with 'pacelab 1 read'"},
		{"echo pacelab 1 read wriet\n", "begins with"},
		{"echo\nread line\n", "begins with ''"},
		{"printf 'a\\033[2Jb\\n'\nread line\n", "begins with 'a [2Jb'"},
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		err = (struct err){0};
		assert_null(plugin_find(write_program("bad", bad[i].body), &err));
		assert_int_equal(err.status, EXIT_CANNOT_RUN);
		if (!strstr(err.text, bad[i].words))
			fail_msg("%s: %s", bad[i].body, err.text);
		assert_alone();
	}
	assert_null(plugin_find("program:/nonexistent/driver", &err));
	assert_non_null(strstr(err.text, "/nonexistent/driver: No such file"));
	assert_null(plugin_find("program:/", &err));
	assert_non_null(strstr(err.text, "is no program that can be run"));
}

static void program__of_a_file_is_beside_it(void **state)
{
	char *name = plugin_beside("program:x/y.py", "/tmp/../tmp/file.lua");

	(void)state;
	assert_string_equal(name, "program:/tmp/x/y.py");
	free(name);
	name = plugin_beside("program:/x/y.py", "/tmp/file.lua");
	assert_string_equal(name, "program:/x/y.py");
	free(name);
	name = plugin_beside("etcd", "/tmp/file.lua");
	assert_string_equal(name, "etcd");
	free(name);
}

static void plugin__names_what_is_missing(void **state)
{
	struct err err = {0};

	(void)state;
	assert_ptr_equal(plugin_find("resp", &err), &resp_driver);
	assert_int_equal(setenv("PACELAB_DRIVERS", folder, 1), 0);
	assert_null(plugin_find("nosuch", &err));
	assert_int_equal(err.status, EXIT_CANNOT_RUN);
	assert_non_null(strstr(err.text, "no driver is called 'nosuch'"));
	assert_null(plugin_find("../etcd", &err));
	assert_non_null(strstr(err.text, "no driver is called"));
	(void)write_program("broken.so", "");
	assert_null(plugin_find("broken", &err));
	assert_int_equal(err.status, EXIT_CANNOT_RUN);
	assert_non_null(strstr(err.text, "driver 'broken'"));
	assert_string_equal(plugin_package("postgres"), "libpq-dev");
	assert_null(plugin_package("resp"));
}

static int make_folder(void **state)
{
	(void)state;
	/* Who runs programs may be nobody. */
	return mkdtemp(folder) && chmod(folder, 0755) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	data_remove(folder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(program__has_the_outcomes_that_it_says),
		cmocka_unit_test(program__is_told_where_the_store_is),
		cmocka_unit_test(program__that_cannot_open_leaves_nothing_done),
		cmocka_unit_test(program__that_starts_slowly_is_waited_for_the_next_time),
		cmocka_unit_test(program__that_speaks_unasked_is_another_one),
		cmocka_unit_test(program__dies_with_all_that_it_started),
		cmocka_unit_test(program__that_is_no_driver_is_refused_in_words),
		cmocka_unit_test(program__of_a_file_is_beside_it),
		cmocka_unit_test(plugin__names_what_is_missing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
