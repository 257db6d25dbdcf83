/* SPDX-License-Identifier: MIT */
/* advise.c - pacelab advise: which store for what; by claims, floors, and the last runs */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/units.h"
#include "agent/cmd/advise_print.h"
#include "agent/cmd/cmd.h"
#include "agent/lab/near.h"
#include "agent/lab/regions.h"

#define ANSWER_MAX 256
#define TEXT_MAX 512

enum {
	OPT_USE,
	OPT_CONSISTENCY,
	OPT_SITES,
	OPT_RTT,
	OPT_MINORITY,
	OPT_LOSS,
	OPT_CLOCKS,
	OPT_NEEDS,
	OPT_READS,
	OPT_RESULTS,
	OPT_TABLE,
	OPT_ALL,
	OPT_JSON,
};

static const struct cmd_option options[] = {
	[OPT_USE] = {"--use", "NAME",
		"bank, likes, cart, lock, ingest, inventory or profile; the options below change it"},
	[OPT_CONSISTENCY] = {"--consistency", "MODEL",
		"linearizable, sequential, causal-ccv, causal-cc or eventual, also when cut"},
	[OPT_SITES] = {"--sites", "SITES",
		"with their replicas, \"east:2,west:2,far:1\"; or regions, \"eu-west-1:2,us-east-1:1\""},
	[OPT_RTT] = {"--rtt", "TIMES",
		"\"east-west=20ms,east-far=40ms,west-far=40ms\"; regions are as far as measured"},
	[OPT_MINORITY] = {"--minority-writes", "yes|no", "every side of a cut must go on writing"},
	[OPT_LOSS] = {"--loss", "none|some", "of acknowledged writes that is tolerated"},
	[OPT_CLOCKS] = {"--clocks", "yes|no", "it is enough if claims hold while clocks run alike"},
	[OPT_NEEDS] = {"--needs", "WHAT", "cas, append, counter, set; several with commas"},
	[OPT_READS] = {"--reads", "N", "per cent of the operations"},
	[OPT_RESULTS] = {"--results", "DIR", "where earlier runs are; default: results"},
	[OPT_TABLE] = {"--table", NULL, "all seven use cases, a line each"},
	[OPT_ALL] = {"--all", NULL, "what every system that does not fit lacks"},
	[OPT_JSON] = {"--json", NULL, "as JSON"},
	{NULL, NULL, NULL},
};

/* --- what is asked --- */

static const struct {
	const char *name;
	uint32_t does;
	bool cas;
} needs_words[] = {
	{"cas", PROTO_DOES(PROTO_SET), true},
	{"append", PROTO_DOES(PROTO_APPEND), false},
	{"counter", PROTO_DOES(PROTO_INCREASE), false},
	{"set", PROTO_DOES(PROTO_ADD), false},
};

static int take_needs(struct advise_needs *n, const char *text, struct err *err)
{
	char copy[ANSWER_MAX];
	char *at = copy;
	char *word;

	n->does = PROTO_DOES(PROTO_SET);
	n->cas = false;
	(void)snprintf(copy, sizeof copy, "%s", text);
	while ((word = strsep(&at, ", "))) {
		size_t i = 0;

		while (i < sizeof needs_words / sizeof *needs_words &&
			strcmp(word, needs_words[i].name) != 0)
			i++;
		if (word[0] && i == sizeof needs_words / sizeof *needs_words)
			return err_usage(
				err, "--needs: '%s' is none of cas, append, counter, set", word);
		if (!word[0])
			continue;
		n->does |= needs_words[i].does;
		n->cas = n->cas || needs_words[i].cas;
	}
	/* Who counts or collects need not overwrite, too. */
	if (n->does & (PROTO_DOES(PROTO_INCREASE) | PROTO_DOES(PROTO_ADD)) && !n->cas)
		n->does &= ~PROTO_DOES(PROTO_SET);
	return 0;
}

static int take_word(const char *option, const char *text, const char *yes, const char *no,
	bool *ret, struct err *err)
{
	if (strcmp(text, yes) != 0 && strcmp(text, no) != 0)
		return err_usage(err, "%s: '%s' is neither %s nor %s", option, text, yes, no);
	*ret = strcmp(text, yes) == 0;
	return 0;
}

static int take_model(struct advise_needs *n, const char *text, struct err *err)
{
	struct near near = near_to(text);
	char hint[96];

	for (int i = 0; i < PROTO_MODEL_NR; i++) {
		near_offer(&near, proto_model_names[i]);
		if (strcmp(text, proto_model_names[i]) == 0) {
			n->model = (enum proto_model)i;
			return 0;
		}
	}
	return err_usage(err,
		"--consistency: '%s' is not claimed by any store%s: linearizable, sequential, "
		"causal-ccv, causal-cc and eventual are",
		text, near_text(&near, hint, sizeof hint));
}

static int take_options(struct advise_needs *n, const struct cmd_line *line, struct err *err)
{
	const char *const *v = line->value;
	uint64_t reads = n->reads;
	int rc = 0;

	if (v[OPT_CONSISTENCY])
		rc = take_model(n, v[OPT_CONSISTENCY], err);
	if (!rc && v[OPT_MINORITY])
		rc = take_word(
			"--minority-writes", v[OPT_MINORITY], "yes", "no", &n->minority, err);
	if (!rc && v[OPT_LOSS])
		rc = take_word("--loss", v[OPT_LOSS], "none", "some", &n->lossless, err);
	if (!rc && v[OPT_CLOCKS])
		rc = take_word("--clocks", v[OPT_CLOCKS], "yes", "no", &n->clocks, err);
	if (!rc && v[OPT_NEEDS])
		rc = take_needs(n, v[OPT_NEEDS], err);
	if (!rc && v[OPT_READS] && units_parse_count(v[OPT_READS], 0, 100, &reads, err))
		rc = err_wrap(err, "--reads");
	n->reads = (unsigned)reads;
	return rc;
}

/* --- where --- */

static int site_find(const struct advise_sites *s, const char *name, size_t len)
{
	for (unsigned i = 0; i < s->sites; i++)
		if (strlen(s->name[i]) == len && strncmp(s->name[i], name, len) == 0)
			return (int)i;
	return -1;
}

static int take_site(struct advise_sites *s, char *word, unsigned *replicas, struct err *err)
{
	char *colon = strchr(word, ':');
	uint64_t n = 1;

	if (colon)
		*colon++ = '\0';
	if (!word[0] || strlen(word) >= sizeof s->name[0])
		return err_usage(err, "--sites: '%s' is no name of a site", word);
	if (colon && units_parse_count(colon, 1, ADVISE_REPLICAS_MAX, &n, err))
		return err_wrap(err, "--sites: replicas of '%s'", word);
	if (s->sites == ADVISE_SITES_MAX || *replicas + n > ADVISE_REPLICAS_MAX)
		return err_usage(err, "--sites: at most %d sites and %d replicas", ADVISE_SITES_MAX,
			ADVISE_REPLICAS_MAX);
	if (site_find(s, word, strlen(word)) >= 0)
		return err_usage(err, "--sites: '%s' is there twice", word);
	(void)snprintf(s->name[s->sites], sizeof s->name[0], "%s", word);
	s->replicas[s->sites++] = (unsigned)n;
	*replicas += (unsigned)n;
	return 0;
}

static int take_sites(struct advise_sites *s, const char *text, struct err *err)
{
	char copy[TEXT_MAX];
	char *at = copy;
	char *word;
	unsigned replicas = 0;
	int rc = 0;

	*s = (struct advise_sites){.sites = 0};
	if (strlen(text) >= sizeof copy)
		return err_usage(err, "--sites: longer than %zu characters", sizeof copy - 1);
	(void)snprintf(copy, sizeof copy, "%s", text);
	while (!rc && (word = strsep(&at, ", ")))
		rc = word[0] ? take_site(s, word, &replicas, err) : 0;
	if (!rc && s->sites == 0)
		return err_usage(err, "--sites: no site");
	return rc;
}

/* Two regions of one cloud are as far apart as was measured. */
static bool region_rtt(const struct advise_sites *s, unsigned a, unsigned b, uint64_t *ret_ns)
{
	int x = regions_find(s->name[a]);
	int y = regions_find(s->name[b]);

	return x >= 0 && y >= 0 && regions_rtt_ns((unsigned)x, (unsigned)y, ret_ns) == 0;
}

static int take_rtt(struct advise_sites *s, const char *word, struct err *err)
{
	const char *dash = strchr(word, '-');
	const char *equal = strchr(word, '=');
	uint64_t ns;
	int a = -1, b = -1;

	/* Names may have dashes themselves. */
	for (; equal && dash && dash < equal && (a < 0 || b < 0); dash = strchr(dash + 1, '-')) {
		a = site_find(s, word, (size_t)(dash - word));
		b = site_find(s, dash + 1, (size_t)(equal - dash - 1));
		if ((a >= 0 && b >= 0) || !strchr(dash + 1, '-'))
			break;
	}
	if (a < 0 || b < 0)
		return err_usage(
			err, "--rtt: '%s' is not SITE-SITE=TIME of two of the sites", word);
	if (units_parse_duration(equal + 1, &ns, err))
		return err_wrap(err, "--rtt: %s", word);
	s->rtt_ns[a][b] = s->rtt_ns[b][a] = ns;
	return 0;
}

static int take_rtts(struct advise_sites *s, const char *text, struct err *err)
{
	char copy[TEXT_MAX] = "";
	char *at = copy;
	char *word;

	for (unsigned a = 0; a < s->sites; a++)
		for (unsigned b = 0; b < s->sites; b++)
			if (a != b && !region_rtt(s, a, b, &s->rtt_ns[a][b]))
				s->rtt_ns[a][b] = UINT64_MAX;
	if (text && strlen(text) >= sizeof copy)
		return err_usage(err, "--rtt: longer than %zu characters", sizeof copy - 1);
	(void)snprintf(copy, sizeof copy, "%s", text ? text : "");
	while ((word = strsep(&at, ", "))) {
		if (word[0] && take_rtt(s, word, err))
			return -EINVAL;
	}
	for (unsigned a = 0; a < s->sites; a++)
		for (unsigned b = 0; b < a; b++)
			if (s->rtt_ns[a][b] == UINT64_MAX)
				return err_usage(err,
					"--rtt: how far is %s from %s? %s-%s=20ms says it",
					s->name[b], s->name[a], s->name[b], s->name[a]);
	return 0;
}

/* The lab cap's, if nothing is said. */
static int take_places(struct advise_sites *s, const struct cmd_line *line, struct err *err)
{
	const char *sites = line->value[OPT_SITES];
	const char *rtt = line->value[OPT_RTT];

	if (!sites && !rtt)
		rtt = "east-west=20ms,east-far=40ms,west-far=40ms";
	if (take_sites(s, sites ? sites : "east:2,west:2,far:1", err))
		return -EINVAL;
	return take_rtts(s, rtt, err);
}

/* --- who asks --- */

static int take_use(struct advise_needs *n, const char *name, struct err *err)
{
	const struct advise_needs *use = name ? advise_find(name) : NULL;

	*n = (struct advise_needs){.name = "own",
		.title = "a use of your own",
		.model = PROTO_LINEARIZABLE,
		.lossless = true,
		.does = PROTO_DOES(PROTO_SET),
		.reads = 50};
	if (use)
		*n = *use;
	if (name && !use)
		return err_usage(err,
			"--use: '%s' is none of bank, likes, cart, lock, ingest, inventory, profile; "
			"leave it out and say what is needed",
			name);
	return 0;
}

/* A line from the terminal; an empty one leaves the option out. Return: whether there is one. */
static bool ask(const char *question, char *answer, size_t size)
{
	printf("%s: ", question);
	(void)fflush(stdout);
	if (!fgets(answer, (int)size, stdin)) {
		answer[0] = '\0';
		printf("\n");
		return false;
	}
	answer[strcspn(answer, "\n")] = '\0';
	return answer[0] != '\0';
}

/* The options, as questions; what is answered is checked as they are. */
static void ask_all(struct cmd_line *line, char answer[OPT_JSON][ANSWER_MAX])
{
	static const struct {
		unsigned option;
		bool own; /* only for a use of one's own */
		const char *question;
	} questions[] = {
		{OPT_USE, false,
			"Use case (bank, likes, cart, lock, ingest, inventory, profile; empty: your own)"},
		{OPT_CONSISTENCY, true,
			"Weakest consistency that is enough (linearizable, sequential, causal-ccv, "
			"causal-cc, eventual)"},
		{OPT_MINORITY, true, "Must every side of a cut go on writing (yes, no)"},
		{OPT_LOSS, true, "Loss of acknowledged writes that is tolerated (none, some)"},
		{OPT_CLOCKS, true, "May it rely on clocks that run alike (yes, no)"},
		{OPT_NEEDS, true, "Operations beside get and set (cas, append, counter, set)"},
		{OPT_READS, true, "Per cent of operations that read"},
		{OPT_SITES, false, "Sites and their replicas (east:2,west:2,far:1)"},
		{OPT_RTT, false,
			"Round trips (east-west=20ms,east-far=40ms,west-far=40ms; empty for regions)"},
	};

	for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
		unsigned o = questions[i].option;

		if (questions[i].own && line->value[OPT_USE])
			continue;
		if (ask(questions[i].question, answer[o], ANSWER_MAX))
			line->value[o] = answer[o];
	}
	printf("\n");
}

static bool says_anything(const struct cmd_line *line)
{
	for (unsigned i = 0; i < OPT_RESULTS; i++)
		if (line->value[i])
			return true;
	return line->value[OPT_TABLE];
}

static int advise_main(const struct cmd_line *given, struct err *err)
{
	static char answer[OPT_JSON][ANSWER_MAX];
	struct cmd_line line = *given;
	struct advise_needs needs;
	struct advise_sites sites;
	struct advise_runs runs = {0};

	if (!says_anything(&line)) {
		if (!isatty(STDIN_FILENO)) {
			(void)err_usage(err,
				"nobody is there to ask: say --use NAME, or --consistency and what "
				"else is needed, or --table");
			return EXIT_USAGE;
		}
		ask_all(&line, answer);
	}
	if (take_use(&needs, line.value[OPT_USE], err) || take_options(&needs, &line, err) ||
		take_places(&sites, &line, err))
		return EXIT_USAGE;
	advise_runs_find(&runs, line.value[OPT_RESULTS] ? line.value[OPT_RESULTS] : OUTDIR_BASE);
	if (line.value[OPT_JSON])
		advise_json(&needs, &sites, &runs, line.value[OPT_TABLE] != NULL);
	else if (line.value[OPT_TABLE])
		advise_table(&sites, &runs);
	else
		advise_say(&needs, &sites, &runs, line.value[OPT_ALL] != NULL);
	advise_runs_fini(&runs);
	return EXIT_AS_EXPECTED;
}

const struct cmd advise_cmd = {
	.name = "advise",
	.args = "",
	.summary = "which store for what: by claims, floors, and what was measured",
	.help = "Without options it asks. A store fits if its claim has all that is needed; those that\n"
		"fit are in the order of the latency that the round trips allow at best. Numbers of\n"
		"the newest conclusive run of a store stand beside it, if there is one.\n",
	.args_max = 0,
	.option = options,
	.main = advise_main,
};
