/* SPDX-License-Identifier: MIT */
/* words_of_protocols_test.c - what store/README.md says that protocols take is what they claim */
#include <stdio.h>
#include <string.h>

#include "store/proto.h"
#include "tests/lib/test.h"

#define CELLS 8

enum cell { DECIDES, APPENDS, COUNTS, SETS, LISTS, RESOLVES, HAS_SESSIONS, IS_TOLD };

/* With settings that let it have all that it can have. */
static void claim_most(const struct proto_ops *ops, struct proto_claim *ret)
{
	const struct proto_config cfg = {.nodes = 3,
		.leader = -1,
		.read_level = PROTO_ONE,
		.write_level = PROTO_QUORUM,
		.sessions = true,
		.registers = PROTO_REGISTER_MV};

	ops->claim(&cfg, ret);
}

/* The row of protocol @name in the table that has @CELLS cells. Return: is there one? */
static bool row_of(const char *name, bool ret[CELLS])
{
	FILE *file = fopen("store/README.md", "re");
	char line[1024], want[64];
	bool found = false;

	assert_non_null(file);
	(void)snprintf(want, sizeof want, "| `%s` |", name);
	while (!found && fgets(line, sizeof line, file)) {
		char *at = line + strlen(want);

		if (strncmp(line, want, strlen(want)) != 0)
			continue;
		for (unsigned i = 0; i < CELLS; i++) {
			char *end = strchr(at, '|');

			assert_non_null(end);
			ret[i] = strspn(at, " ") < (size_t)(end - at);
			at = end + 1;
		}
		found = strcmp(at, "\n") == 0;
	}
	(void)fclose(file);
	return found;
}

static void readme__says_what_each_protocol_takes(void **state)
{
	const struct proto_ops *ops;

	(void)state;
	for (unsigned i = 0; (ops = proto_list(i)); i++) {
		struct proto_claim claim;
		bool said[CELLS], is[CELLS];

		claim_most(ops, &claim);
		is[DECIDES] = claim.cas;
		is[APPENDS] = claim.does & PROTO_DOES(PROTO_APPEND);
		is[COUNTS] = claim.does & PROTO_DOES(PROTO_INCREASE);
		is[SETS] = claim.does & PROTO_DOES(PROTO_ADD);
		is[LISTS] = claim.does & PROTO_DOES(PROTO_VALUES);
		is[RESOLVES] = claim.does & PROTO_DOES(PROTO_RESOLVE);
		is[HAS_SESSIONS] = claim.sessions || claim.contexts;
		is[IS_TOLD] = ops->admin;
		if (!row_of(ops->name, said))
			fail_msg("store/README.md has no row for %s", ops->name);
		for (unsigned k = 0; k < CELLS; k++)
			if (said[k] != is[k])
				fail_msg("%s, cell %u: the table says %s", ops->name, k + 1,
					said[k] ? "it does" : "it does not");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readme__says_what_each_protocol_takes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("words_of_protocols", tests, NULL, NULL);
}
