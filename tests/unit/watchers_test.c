/* SPDX-License-Identifier: MIT */
/* watchers_test.c - what replicas answer becomes a leader, a view, a convergence; or nothing */
#include "agent/lab/watchers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "tests/lib/test.h"

#define REPLICAS 4
#define STEPS 32

/* The other ends of the admin sockets, served between turns of the one loop. */
static struct {
	char folder[32];
	char path[REPLICAS][NAMES_PATH_MAX];
	int listener[REPLICAS];
	int peer[REPLICAS];
	char info[REPLICAS][256]; /* whole answers */
	char versions[REPLICAS][256];
	struct poller poller;
	struct watchers *w;
	uint64_t now_ns;
} lab;

static int setup(void **state)
{
	struct err err;

	(void)state;
	memset(&lab, 0, sizeof lab);
	(void)snprintf(lab.folder, sizeof lab.folder, "/tmp/pacelab-watch-XXXXXX");
	assert_non_null(mkdtemp(lab.folder));
	assert_int_equal(poller_init(&lab.poller, &err), 0);
	for (unsigned i = 0; i < REPLICAS; i++) {
		struct sockaddr_un addr = {.sun_family = AF_UNIX};

		(void)snprintf(lab.path[i], sizeof lab.path[i], "%s/n%u.sock", lab.folder, i);
		(void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", lab.path[i]);
		lab.listener[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(lab.listener[i], (struct sockaddr *)&addr, sizeof addr), 0);
		assert_int_equal(listen(lab.listener[i], 4), 0);
		lab.peer[i] = -1;
	}
	lab.w = watchers_open(&lab.poller, lab.path, REPLICAS);
	assert_non_null(lab.w);
	for (unsigned i = 0; i < REPLICAS; i++)
		watchers_replica(lab.w, i, true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	watchers_close(lab.w);
	poller_fini(&lab.poller);
	for (unsigned i = 0; i < REPLICAS; i++) {
		close(lab.listener[i]);
		if (lab.peer[i] >= 0)
			close(lab.peer[i]);
		(void)unlink(lab.path[i]);
	}
	return rmdir(lab.folder);
}

static void serve(unsigned i)
{
	char question[128] = "";
	const char *answer;
	int fd = accept4(lab.listener[i], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		if (lab.peer[i] >= 0)
			close(lab.peer[i]);
		lab.peer[i] = fd;
	}
	if (lab.peer[i] < 0 || recv(lab.peer[i], question, sizeof question - 1, 0) <= 0)
		return;
	answer = strcmp(question, "INFO\r\n") == 0 ? lab.info[i] : lab.versions[i];
	(void)send(lab.peer[i], answer, strlen(answer), MSG_NOSIGNAL);
}

/* All are asked, and all that follows from the answers. */
static void ask_all(void)
{
	lab.now_ns += NS_PER_S;
	(void)watchers_tick(lab.w, lab.now_ns);
	for (unsigned step = 0; step < STEPS; step++) {
		serve(step % REPLICAS);
		poller_turn(&lab.poller, 0);
	}
}

static void info_set(unsigned i, const char *text)
{
	(void)snprintf(lab.info[i], sizeof lab.info[i], "$%zu\r\n%s\r\n", strlen(text), text);
}

static void leader_set(unsigned i, int leader, unsigned term)
{
	char text[128];

	(void)snprintf(text, sizeof text, "leader:%d\r\nterm:%u\r\nready:1\r\n", leader, term);
	info_set(i, text);
}

static void watchers_view__reads_whole_names_only(void **state)
{
	const struct watch_view *v = watchers_view(lab.w, 0);

	(void)state;
	info_set(0,
		"# Server\r\nleader_at:9\r\nxterm:9\r\nrole:fol\033lower\r\nterm:7\r\nready:1\r\n"
		"leader:2\r\nkeys:12\r\napplied:34\r\nrecovered_records:5\r\n");
	ask_all();
	assert_int_equal(v->leader, 2);
	assert_int_equal(v->term, 7);
	assert_int_equal(v->keys, 12);
	assert_int_equal(v->applied, 34);
	assert_int_equal(v->recovered, 5);
	assert_true(v->ready);
	assert_string_equal(v->role, "fol lower");
	assert_true(v->t_ns > 0);
}

static void watchers_view__takes_nothing_from_garbage(void **state)
{
	static const char *const bad[] = {"-ERR leader:2\n\r\n", "+leader:2\r\n", "*0\r\n",
		"$-1\r\n", "garbage", "$10\r\nleader:2\r\nxx", ":1\r\n", "$3\r\nabc\r\nmore"};
	const struct watch_view *v = watchers_view(lab.w, 0);

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		(void)snprintf(lab.info[0], sizeof lab.info[0], "%s", bad[i]);
		ask_all();
		assert_int_equal(v->t_ns, 0);
		assert_int_equal(v->leader, -1);
		assert_int_equal(watchers_unready(lab.w), 0);
	}
	/* And it is asked again. */
	leader_set(0, 1, 1);
	ask_all();
	assert_int_equal(v->leader, 1);
}

static void watchers_view__reads_no_number_beyond_its_line(void **state)
{
	const struct watch_view *v = watchers_view(lab.w, 0);

	(void)state;
	info_set(0, "term:\r\n42\r\nkeys: 7\r\nleader:\r\n");
	ask_all();
	assert_int_equal(v->term, 0);
	assert_int_equal(v->keys, 0);
	assert_int_equal(v->leader, -1);
}

static void watchers_leader__needs_more_than_half(void **state)
{
	uint64_t term;

	(void)state;
	leader_set(0, 2, 5);
	leader_set(1, 2, 5);
	leader_set(2, -1, 5);
	leader_set(3, 1, 4);
	ask_all();
	assert_int_equal(watchers_leader(lab.w, &term), -1);
	assert_int_equal(term, 0);
	leader_set(2, 2, 5);
	ask_all();
	assert_int_equal(watchers_leader(lab.w, &term), 2);
	assert_int_equal(term, 5);
	watchers_replica(lab.w, 0, false); /* what the dead believed does not count */
	assert_int_equal(watchers_leader(lab.w, &term), -1);
}

static void watchers_leader__is_one_of_the_replicas(void **state)
{
	static const int bad[] = {REPLICAS, -2, 2147483647};
	uint64_t term;

	(void)state;
	for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
		for (unsigned i = 0; i < REPLICAS; i++)
			leader_set(i, bad[b], 1);
		ask_all();
		assert_int_equal(watchers_leader(lab.w, &term), -1);
	}
}

static void watchers_converge__waits_for_every_replica(void **state)
{
	(void)state;
	for (unsigned i = 0; i < REPLICAS; i++) {
		leader_set(i, 0, 1);
		(void)snprintf(lab.versions[i], sizeof lab.versions[i],
			"*4\r\n$2\r\nk1\r\n:%u\r\n$2\r\nk2\r\n:9\r\n", i);
	}
	watchers_converge(lab.w);
	for (unsigned round = 0; round < 4; round++)
		ask_all();
	assert_int_equal(watchers_converged_ns(lab.w), 0);
	for (unsigned i = 0; i < REPLICAS - 1; i++) { /* the last one has it */
		assert_int_equal(watchers_converged_ns(lab.w), 0);
		(void)snprintf(lab.versions[i], sizeof lab.versions[i],
			"*4\r\n$2\r\nk2\r\n:9\r\n$2\r\nk1\r\n:3\r\n");
		ask_all();
	}
	assert_true(watchers_converged_ns(lab.w) > 0);
	watchers_converge_stop(lab.w);
	assert_int_equal(watchers_converged_ns(lab.w), 0);
}

static void lost_set(unsigned i, unsigned lost, unsigned version)
{
	char text[128];

	(void)snprintf(text, sizeof text,
		"leader:1\r\nterm:2\r\nready:1\r\nlost_last:%u\r\n"
		"lost_all:%u\r\n",
		lost, lost);
	info_set(i, text);
	(void)snprintf(
		lab.versions[i], sizeof lab.versions[i], "*2\r\n$1\r\nk\r\n:%u\r\n", version);
}

/* 0 led, alone, up to 9; 1 has taken over at 5. */
static void watchers_converge__does_not_wait_for_what_a_failover_has_lost(void **state)
{
	(void)state;
	for (unsigned i = 0; i < REPLICAS; i++)
		lost_set(i, 0, i ? 5 : 9);
	ask_all();
	watchers_converge(lab.w);
	for (unsigned round = 0; round < 4; round++)
		ask_all();
	/* It has less now, and does not say why. */
	lost_set(0, 0, 5);
	for (unsigned round = 0; round < 4; round++)
		ask_all();
	assert_int_equal(watchers_converged_ns(lab.w), 0);
	lost_set(0, 4, 5);
	for (unsigned round = 0; round < 4; round++)
		ask_all();
	assert_true(watchers_converged_ns(lab.w) > 0);
	/* It was lost before this watch began, and what all have is still waited for. */
	lost_set(3, 0, 6);
	watchers_converge(lab.w);
	for (unsigned round = 0; round < 4; round++)
		ask_all();
	assert_int_equal(watchers_converged_ns(lab.w), 0);
}

static void watchers_converge__does_not_wait_for_who_has_no_copy(void **state)
{
	(void)state;
	watchers_no_copy(lab.w, 1);
	for (unsigned i = 0; i < REPLICAS; i++) {
		leader_set(i, 0, 1);
		(void)snprintf(lab.versions[i], sizeof lab.versions[i], "%s",
			i == 1 ? "*0\r\n" : "*2\r\n$2\r\nk2\r\n:9\r\n");
	}
	watchers_converge(lab.w);
	for (unsigned round = 0; round < 4; round++)
		ask_all();
	assert_true(watchers_converged_ns(lab.w) > 0);
}

static void watchers_leader__of_a_real_database_is_who_says_so(void **state)
{
	uint64_t term;

	(void)state;
	watchers_real(lab.w);
	/* Two followers still believe in the old one, which is cut off and leads on. */
	leader_set(0, 0, 3);
	leader_set(1, 0, 3);
	leader_set(2, 0, 3);
	leader_set(3, -1, 0);
	ask_all();
	assert_int_equal(watchers_leader(lab.w, &term), 0);
	leader_set(3, 3, 4);
	ask_all();
	assert_int_equal(watchers_leader(lab.w, &term), 3);
	assert_int_equal(term, 4);
	/* Nobody claims: what most believe. */
	leader_set(0, 2, 3);
	leader_set(3, 2, 3);
	leader_set(1, 2, 3);
	leader_set(2, -1, 3);
	ask_all();
	assert_int_equal(watchers_leader(lab.w, &term), 2);
}

static void watchers_leader__of_two_claims_without_terms_is_the_newer_one(void **state)
{
	uint64_t term;

	(void)state;
	watchers_real(lab.w);
	for (unsigned i = 0; i < REPLICAS; i++)
		leader_set(i, -1, 0); /* who is silent is not asked again */
	leader_set(2, 2, 0);
	ask_all();
	assert_int_equal(watchers_leader(lab.w, &term), 2);
	leader_set(1, 1, 0);
	ask_all();
	assert_int_equal(watchers_leader(lab.w, &term), 1);
	/* The old one steps back, and is told so again. */
	leader_set(2, 1, 0);
	ask_all();
	leader_set(2, 2, 0);
	ask_all();
	assert_int_equal(watchers_leader(lab.w, &term), 2);
}

static void watchers_memory__is_the_most_of_all_lives(void **state)
{
	(void)state;
	info_set(1, "role:x\r\nmemory:500\r\n");
	ask_all();
	info_set(1, "role:x\r\nmemory:200\r\n");
	ask_all();
	watchers_replica(lab.w, 1, false);
	assert_int_equal(watchers_memory(lab.w, 1), 500);
	assert_int_equal(watchers_memory(lab.w, 0), 0);
}

static void watchers_converge__is_nothing_of_a_real_database(void **state)
{
	(void)state;
	watchers_real(lab.w);
	for (unsigned i = 0; i < REPLICAS; i++) {
		leader_set(i, 0, 1);
		(void)snprintf(lab.versions[i], sizeof lab.versions[i], "*0\r\n");
	}
	watchers_converge(lab.w);
	for (unsigned round = 0; round < 4; round++)
		ask_all();
	assert_int_equal(watchers_converged_ns(lab.w), 0);
}

int main(void)
{
#define WITH_LAB(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_LAB(watchers_view__reads_whole_names_only),
		WITH_LAB(watchers_view__takes_nothing_from_garbage),
		WITH_LAB(watchers_view__reads_no_number_beyond_its_line),
		WITH_LAB(watchers_leader__needs_more_than_half),
		WITH_LAB(watchers_leader__is_one_of_the_replicas),
		WITH_LAB(watchers_converge__waits_for_every_replica),
		WITH_LAB(watchers_converge__does_not_wait_for_what_a_failover_has_lost),
		WITH_LAB(watchers_converge__does_not_wait_for_who_has_no_copy),
		WITH_LAB(watchers_leader__of_a_real_database_is_who_says_so),
		WITH_LAB(watchers_leader__of_two_claims_without_terms_is_the_newer_one),
		WITH_LAB(watchers_memory__is_the_most_of_all_lives),
		WITH_LAB(watchers_converge__is_nothing_of_a_real_database),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
