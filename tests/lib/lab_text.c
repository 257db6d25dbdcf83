/* SPDX-License-Identifier: MIT */
/* lab_text.c - labs as texts, for tests of the plan */
#include "tests/lib/lab_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/test.h"

const char cap[] =
	"lab 'cap' seed(7)\n"
	"site('east', {'n1', 'n2'}) site('west', {'n3', 'n4'}) site('far', {'n5'})\n"
	"rtt('east', 'west', '20ms') rtt('east', 'far', '40ms') rtt('west', 'far', '40ms')\n"
	"store('raft', {leader = 'n1'})\n"
	"load {clients_per_site = 2, rate = 500, keys = 10, read = 50, write = 40, cas = 10}\n"
	"fit {rtts = {'1ms', '10ms', '40ms'}, duration = '2s'}\n"
	"phase('baseline', '5s')\n"
	"phase('partition', '5s', cut({'east', 'west'}, {'far'}))\n"
	"phase('healed', '5s')\n"
	"expect {model = 'linearizable', verdict = 'PC/EC'}\n";

static char folder[] = "/tmp/pacelab-plan-XXXXXX";

int load_with(
	const char *text, const struct plan_options *options, struct plan **ret, struct err *err)
{
	FILE *f = fopen("lab.lua", "w");

	assert_non_null(f);
	(void)fputs(text, f);
	(void)fclose(f);
	memset(err, 0, sizeof *err);
	*ret = NULL;
	return plan_load(ret, "lab.lua", options, err);
}

struct plan *must_load(const char *text, const struct plan_options *options)
{
	struct plan *plan;
	struct err err;

	if (load_with(text, options, &plan, &err) < 0)
		fail_msg("%s", err.text);
	return plan;
}

void assert_bad(const struct bad *bad, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct plan *plan;
		struct err err;

		if (load_with(bad[i].text, NULL, &plan, &err) == 0)
			fail_msg("was taken: %s", bad[i].text);
		if (strncmp(err.text, bad[i].message, strlen(bad[i].message)) != 0)
			fail_msg("script: %s\nsaid:   %s\nwanted: %s", bad[i].text, err.text,
				bad[i].message);
		assert_int_equal(err.status, EXIT_USAGE);
		assert_null(plan);
	}
}

int lab_text_enter(void **state)
{
	(void)state;
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

int lab_text_leave(void **state)
{
	(void)state;
	(void)unlink("lab.lua");
	return chdir("/") == 0 ? rmdir(folder) : -1;
}
