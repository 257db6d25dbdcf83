/* SPDX-License-Identifier: MIT */
/* sm_test.c - state machines as tables: what the table allows, and nothing else */
#include "tests/lib/test.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/sm.h"

enum { DOWN, UP, GONE, NR };

static const struct sm_state table[] = {
	[DOWN] = {"down", SM_TO(UP)},
	[UP] = {"up", SM_TO(DOWN) | SM_TO(GONE)},
	[GONE] = {"gone", 0},
};

static void sm__goes_where_its_table_allows(void **state)
{
	struct sm sm;

	(void)state;
	sm_init(&sm, table, NR, DOWN);
	assert_string_equal(sm_name(&sm), "down");
	sm_move(&sm, UP);
	sm_move(&sm, DOWN);
	sm_move(&sm, UP);
	sm_move(&sm, GONE);
	assert_int_equal(sm.now, GONE);
	assert_string_equal(sm_name(&sm), "gone");
}

/* Whether the move ends the program, tried in a child. */
static bool stops(unsigned from, unsigned to)
{
	struct sm sm;
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		signal(SIGABRT, SIG_DFL);
		sm_init(&sm, table, NR, from);
		sm_move(&sm, to);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void sm__stops_the_program_at_any_other_move(void **state)
{
	(void)state;
	for (unsigned from = 0; from < NR; from++)
		for (unsigned to = 0; to < NR; to++)
			assert_int_equal(stops(from, to), !(table[from].next & SM_TO(to)));
	assert_true(stops(DOWN, NR));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sm__goes_where_its_table_allows),
		cmocka_unit_test(sm__stops_the_program_at_any_other_move),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
