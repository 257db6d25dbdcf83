/* SPDX-License-Identifier: MIT */
/* settings_test.c - what may be set of a protocol, and by which systems it is */
#include "store/settings.h"

#include <errno.h>
#include <string.h>

#include "agent/base/clock.h"
#include "store/systems.h"
#include "tests/lib/test.h"

static void settings__read_what_they_print(void **state)
{
	struct proto_config config = {0};
	struct proto_config again = {0};
	struct buf text = {0};
	struct err err;

	(void)state;
	settings_defaults(&config);
	settings_defaults(&again); /* those of other protocols are not printed */
	again.tombstone_ns = 0;
	assert_int_equal(
		settings_read(&config, &quorum_ops, " sloppy=yes  tombstones=1h", &err), 0);
	assert_true(config.sloppy);
	assert_int_equal(config.tombstone_ns, 3600 * NS_PER_S);
	settings_print(&text, &config, &quorum_ops);
	buf_u8(&text, '\0');
	assert_true(text.len < SETTINGS_TEXT_MAX);
	assert_int_equal(settings_read(&again, &quorum_ops, (const char *)text.p, &err), 0);
	assert_memory_equal(&config, &again, sizeof config);
	text.len = 0;
	assert_int_equal(settings_read(&config, &primary_ops, "acks=2 wait=after", &err), 0);
	assert_int_equal(config.wait, PROTO_WAIT_AFTER);
	settings_print(&text, &config, &primary_ops);
	buf_u8(&text, '\0');
	assert_string_equal((const char *)text.p, "acks=2 wait=after fallback=10s watcher=0ns");
	buf_fini(&text);
}

static void settings__name_what_is_wrong_and_what_there_is(void **state)
{
	static const struct {
		const struct proto_ops *ops;
		const char *text;
		const char *says;
	} bad[] = {
		{&raft_ops, "sloppy=yes",
			"raft has no setting 'sloppy': it has leases, voters, sessions, unconfirmed, "
			"plain_elections, log_keep_kib"},
		{&single_ops, "voters=3", "single has no setting 'voters': it has none"},
		{&quorum_ops, "sloppy", "'sloppy' is not NAME=VALUE"},
		{&quorum_ops, "sloppy=maybe", "sloppy: 'maybe' is neither yes nor no"},
		{&quorum_ops, "tombstones=1", "tombstones: "},
		{&raft_ops, "voters=100000", "voters: "},
		{&primary_ops, "wait=maybe", "wait: 'maybe' is none of before, after"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct proto_config config = {0};
		struct err err = {0};

		assert_int_equal(settings_read(&config, bad[i].ops, bad[i].text, &err), -EINVAL);
		assert_int_equal(err.status, EXIT_USAGE);
		assert_non_null(strstr(err.text, bad[i].says));
	}
}

static void settings__of_each_system_are_those_of_its_protocol(void **state)
{
	const struct system *s;

	(void)state;
	for (unsigned i = 0; (s = system_list(i)); i++) {
		struct proto_config config = {0};
		struct err err = {0};

		if (s->settings)
			assert_int_equal(settings_read(&config, s->ops, s->settings, &err), 0);
	}
}

static void settings__belong_to_protocols_that_there_are(void **state)
{
	const struct setting *s;

	(void)state;
	for (unsigned i = 0; (s = settings_list(i)); i++) {
		unsigned protocols = 0;

		for (unsigned k = 0; proto_list(k); k++)
			protocols += settings_of(s, proto_list(k));
		assert_true(protocols > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings__read_what_they_print),
		cmocka_unit_test(settings__name_what_is_wrong_and_what_there_is),
		cmocka_unit_test(settings__of_each_system_are_those_of_its_protocol),
		cmocka_unit_test(settings__belong_to_protocols_that_there_are),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
