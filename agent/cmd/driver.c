/* SPDX-License-Identifier: MIT */
/* driver.c - pacelab driver: one request to a real database by hand, as clients of a lab make it */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/units.h"
#include "agent/cmd/cmd.h"
#include "agent/lab/real.h"
#include "agent/load/drivers/lines.h"
#include "agent/load/plugin.h"

#define PORT_DEFAULT "6379"
#define DEADLINE_DEFAULT "1s"
#define WORDS_MAX 4 /* of a request */

enum { OPT_NODES, OPT_PORT, OPT_CONTACT, OPT_SETTINGS, OPT_DEADLINE };

static const struct cmd_option options[] = {
	[OPT_NODES] = {"--nodes", "ADDR,...", "addresses of all nodes; 127.0.0.1 if not given"},
	[OPT_PORT] = {"--port", "N", "where each of them is reached; " PORT_DEFAULT},
	[OPT_CONTACT] = {"--contact", "I", "the nearest of them, counted from 0"},
	[OPT_SETTINGS] = {"--settings", "TEXT", "what the driver is told: \"reads=any\""},
	[OPT_DEADLINE] = {"--deadline", "TIME", "of each request; " DEADLINE_DEFAULT},
	{NULL, NULL, NULL},
};

/* A connection, and what is asked of it. */
struct asked {
	uint32_t addr_be[REAL_NODES_MAX];
	struct driver_target target;
	uint64_t deadline_ns;
	struct driver *driver;
};

static int take_nodes(struct asked *a, const char *text, struct err *err)
{
	char addr[INET_ADDRSTRLEN];

	for (const char *p = text;; p++) {
		size_t len = strcspn(p, ",");

		if (a->target.nodes == REAL_NODES_MAX)
			return err_usage(err, "--nodes: more than %d", REAL_NODES_MAX);
		(void)snprintf(addr, sizeof addr, "%.*s", (int)len, p);
		if (len >= sizeof addr ||
			inet_pton(AF_INET, addr, &a->addr_be[a->target.nodes]) != 1)
			return err_usage(err,
				"--nodes: '%.*s' is no address like 10.1.0.1; a comma stands "
				"between two",
				len < 64 ? (int)len : 64, p);
		a->target.nodes++;
		p += len;
		if (!*p)
			return 0;
	}
}

static int take_options(struct asked *a, const struct cmd_line *line, struct err *err)
{
	const char *nodes = line->value[OPT_NODES];
	const char *port = line->value[OPT_PORT];
	const char *contact = line->value[OPT_CONTACT];
	const char *deadline = line->value[OPT_DEADLINE];
	uint64_t n = 0;

	a->target.addr_be = a->addr_be;
	a->target.settings = line->value[OPT_SETTINGS] ? line->value[OPT_SETTINGS] : "";
	if (take_nodes(a, nodes ? nodes : "127.0.0.1", err) < 0)
		return -EINVAL;
	if (units_parse_count(port ? port : PORT_DEFAULT, 1, UINT16_MAX, &n, err) < 0)
		return err_wrap(err, "--port");
	a->target.port = (uint16_t)n;
	if (contact && units_parse_count(contact, 0, a->target.nodes - 1, &n, err) < 0)
		return err_wrap(err, "--contact");
	a->target.contact = contact ? (unsigned)n : 0;
	if (units_parse_duration(deadline ? deadline : DEADLINE_DEFAULT, &a->deadline_ns, err) < 0)
		return err_wrap(err, "--deadline");
	return 0;
}

/* "k7" or "7" */
static int take_key(const char *word, uint64_t *ret, struct err *err)
{
	if (units_parse_count(word + (word[0] == 'k'), 0, UINT64_MAX, ret, err) < 0)
		return err_wrap(err, "key '%s'", word);
	return 0;
}

static int take_value(const char *word, uint64_t *ret, struct err *err)
{
	if (units_parse_count(word, 1, UINT64_MAX, ret, err) < 0)
		return err_wrap(err, "value");
	return 0;
}

static int fail_words(const struct asked *a, char *const *word, struct err *err)
{
	const struct driver_ops *ops = a->driver->ops;

	return err_usage(err,
		"'%.64s' is no request to driver '%s': read KEY, write KEY VALUE%s%s, each with as "
		"many words",
		word[0] ? word[0] : "", ops->name, ops->cas ? ", cas KEY OLD NEW" : "",
		ops->status ? ", status" : "");
}

static int print_status(struct asked *a, uint64_t deadline_ns, struct buf *out)
{
	struct driver_status status = {.leader = -1};
	int rc = a->driver->ops->status(a->driver, deadline_ns, &status);

	if (rc < 0) {
		buf_printf(out, "fail %s", strerror(-rc));
		return EXIT_VIOLATED;
	}
	lines_print_status(&status, out);
	return EXIT_AS_EXPECTED;
}

/* Return: exit status, or a negative errno. */
static int ask(struct asked *a, char *const *word, unsigned words, struct buf *out, struct err *err)
{
	const struct driver_ops *ops = a->driver->ops;
	uint64_t until = clock_now_ns() + a->deadline_ns;
	struct driver_result result = {.outcome = HISTORY_FAIL};
	uint64_t key = 0, old = 0, value = 0;
	enum lines_op op = LINES_READ;

	while (words > 0 && op < LINES_OPEN && strcmp(word[0], lines_op_names[op]) != 0)
		op++;
	if (op == LINES_STATUS && words == 1 && ops->status)
		return print_status(a, until, out);
	if (op > LINES_CAS || words != op + 2 || (op == LINES_CAS && !ops->cas))
		return fail_words(a, word, err);
	if (take_key(word[1], &key, err) < 0 ||
		(op == LINES_CAS && take_value(word[2], &old, err) < 0) ||
		(op != LINES_READ && take_value(word[words - 1], &value, err) < 0))
		return -EINVAL;
	if (op == LINES_READ)
		ops->read(a->driver, key, until, &result);
	else if (op == LINES_WRITE)
		ops->write(a->driver, key, value, until, &result);
	else
		ops->cas(a->driver, key, old, value, until, &result);
	lines_print(op, &result, out);
	return result.outcome == HISTORY_OK     ? EXIT_AS_EXPECTED
	       : result.outcome == HISTORY_FAIL ? EXIT_VIOLATED
						: EXIT_INCONCLUSIVE;
}

static int ask_and_print(struct asked *a, char *const *word, unsigned words, struct err *err)
{
	struct buf out = {0};
	int rc = ask(a, word, words, &out, err);

	if (rc >= 0) {
		printf("%.*s\n", (int)out.len, (char *)out.p);
		(void)fflush(stdout);
	}
	buf_fini(&out);
	return rc;
}

/* A request a line, all over one connection. Return: status of the last one. */
static int ask_lines(struct asked *a, struct err *err)
{
	char line[LINES_MAX];
	int rc = 0;

	while (rc >= 0 && fgets(line, sizeof line, stdin)) {
		char *word[WORDS_MAX + 1] = {NULL};
		char *rest = NULL;
		unsigned words = 0;

		for (char *w = strtok_r(line, " \n", &rest); w && words < WORDS_MAX;
			w = strtok_r(NULL, " \n", &rest))
			word[words++] = w;
		if (words > 0)
			rc = ask_and_print(a, word, words, err);
	}
	return rc;
}

static int driver_main(const struct cmd_line *line, struct err *err)
{
	const struct driver_ops *ops = plugin_find(line->arg[0], err);
	struct asked a = {.driver = NULL};
	int rc;

	if (!ops)
		return err->code;
	rc = take_options(&a, line, err);
	if (rc < 0)
		return rc;
	a.driver = ops->open(&a.target);
	rc = line->args > 1 ? ask_and_print(&a, line->arg + 1, line->args - 1, err)
			    : ask_lines(&a, err);
	ops->close(a.driver);
	return rc;
}

const struct cmd driver_cmd = {
	.name = "driver",
	.args = "DRIVER [read KEY | write KEY VALUE | cas KEY OLD NEW | status]",
	.summary = "one request to a database by hand, as clients of a lab make it",
	.help = "Prints 'ok 5', 'ok nil', 'ok', 'unmet', 'fail WHY' or 'unknown WHY'; of status\n"
		"'ready leader 0 3 voter': the leader's number, its term, the role. Without a "
		"request\n"
		"it takes one from each line of standard input, over one connection.\n"
		"DRIVER: resp, the name of a file in the folder drivers, or program:PATH.\n"
		"Exit status: 0 ok, 1 fail, 2 unknown.\n",
	.args_min = 1,
	.args_max = 1 + WORDS_MAX,
	.option = options,
	.main = driver_main,
};
