/* SPDX-License-Identifier: MIT */
/* hello_test.c - what differs between two replicas is named with both values */
#include "store/hello.h"

#include <string.h>

#include "store/replica.h"
#include "store/settings.h"
#include "tests/lib/test.h"

static struct proto_bytes bytes_of(const char *text)
{
	return (struct proto_bytes){.p = (const uint8_t *)text, .len = (uint32_t)strlen(text)};
}

/* What is said of @there by one whose words are @here; "" if nothing is. */
static const char *said(const char *there, const char *here)
{
	static char why[128];
	bool differ;

	why[0] = '\0';
	differ = hello_differ(bytes_of(there), bytes_of(here), why, sizeof why);
	assert_int_equal(differ, strlen(why) > 0);
	return why;
}

static void hello__names_the_first_word_that_differs(void **state)
{
	(void)state;
	assert_string_equal(said("a=1 b=2", "a=1 b=2"), "");
	assert_string_equal(said(" a=1  b=2 ", "a=1 b=2"), "");
	assert_string_equal(said("a=1 b=2 c=1", "a=1 b=3 c=2"), "b=2 there, b=3 here");
	assert_string_equal(said("a=1", "a=1 b=3"), "nothing there, b=3 here");
	assert_string_equal(said("a=1 b=3", "a=1"), "b=3 there, nothing here");
	assert_string_equal(said("a=12", "a=1"), "a=12 there, a=1 here");
	assert_string_equal(said("", "a=1"), "nothing there, a=1 here");
	assert_string_equal(said("", ""), "");
}

static struct replica_config config_make(void)
{
	struct replica_config config = {
		.ops = &quorum_ops,
		.cluster = "one",
		.proto = {.nodes = 3,
			.read_level = PROTO_QUORUM,
			.write_level = PROTO_ONE,
			.election_min_ns = 300000000,
			.election_max_ns = 600000000,
			.heartbeat_ns = 50000000,
			.leader = -1},
		.peer_port = 7000,
	};

	settings_defaults(&config.proto);
	return config;
}

/* How the words of @other look to one with the words of config_make(). */
static const char *seen(const struct replica_config *other)
{
	struct replica_config ours = config_make();
	struct buf there = {0};
	struct buf here = {0};
	static char why[128];

	hello_words(&there, other);
	hello_words(&here, &ours);
	assert_true(there.len <= FRAME_WORDS_MAX);
	why[0] = '\0';
	hello_differ((struct proto_bytes){there.p, (uint32_t)there.len},
		(struct proto_bytes){here.p, (uint32_t)here.len}, why, sizeof why);
	buf_fini(&there);
	buf_fini(&here);
	return why;
}

static void hello__tells_what_replicas_must_agree_on(void **state)
{
	struct replica_config other;

	(void)state;
#define SEEN(change, expected) \
	do { \
		other = config_make(); \
		change; \
		assert_string_equal(seen(&other), expected); \
	} while (0)
	SEEN(other.cluster = "two", "cluster=two there, cluster=one here");
	SEEN(other.cluster = NULL, "cluster=none there, cluster=one here");
	SEEN(other.ops = &raft_ops, "proto=raft there, proto=quorum here");
	SEEN(other.proto.nodes = 5, "nodes=5 there, nodes=3 here");
	SEEN(other.proto.read_level = PROTO_ALL, "read=all there, read=quorum here");
	SEEN(other.proto.write_level = PROTO_TWO, "write=two there, write=one here");
	SEEN(other.proto.leader = 2, "leader=2 there, leader=-1 here");
	SEEN(other.proto.election_max_ns++,
		"election=300000000ns-600000001ns there, election=300000000ns-600000000ns here");
	SEEN(other.proto.heartbeat_ns--, "heartbeat=49999999ns there, heartbeat=50000000ns here");
#undef SEEN
	other = config_make();
	other.peers[1].s_addr = 77;
	assert_non_null(strstr(seen(&other), "addresses="));
	other = config_make();
	other.peer_port++;
	assert_non_null(strstr(seen(&other), "addresses="));
}

static void hello__lets_differ_what_is_each_replicas_own(void **state)
{
	struct replica_config other = config_make();

	(void)state;
	other.proto.self = 2;
	other.proto.request_timeout_ns = 7;
	other.seed = 9;
	other.sync = WAL_SYNC_NONE;
	other.dir = "/elsewhere";
	other.listen.sin_port = 9;
	assert_string_equal(seen(&other), "");
}

static void hello__takes_names_of_clusters_that_are_one_word(void **state)
{
	(void)state;
	assert_true(hello_cluster_fits("lab-7_b.c"));
	assert_true(hello_cluster_fits("0123456789abcdef0123456789abcdef"));
	assert_false(hello_cluster_fits("0123456789abcdef0123456789abcdef0"));
	assert_false(hello_cluster_fits(""));
	assert_false(hello_cluster_fits("a b"));
	assert_false(hello_cluster_fits("a=b"));
	assert_false(hello_cluster_fits("a\n"));
	assert_false(hello_cluster_fits("\xc3\xa4"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hello__names_the_first_word_that_differs),
		cmocka_unit_test(hello__tells_what_replicas_must_agree_on),
		cmocka_unit_test(hello__lets_differ_what_is_each_replicas_own),
		cmocka_unit_test(hello__takes_names_of_clusters_that_are_one_word),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
