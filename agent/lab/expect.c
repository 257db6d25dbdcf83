/* SPDX-License-Identifier: MIT */
/* expect.c - what a lab expects of a store: found among its statements, checked, in words */
#include "agent/lab/expect.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/check/check.h"
#include "agent/lab/expand.h"
#include "agent/lab/stores.h"

#define EXPECT_MODELS_TEXT_MAX 400 /* bytes of the names of all models of a type */

const char *const plan_expect_share_names[] = {"majority", "majority_reads", "majority_writes",
	"minority", "minority_reads", "minority_writes"};
_Static_assert(
	sizeof plan_expect_share_names / sizeof *plan_expect_share_names == PLAN_EXPECT_SHARE_NR,
	"a name for each");

bool plan_expects(const struct plan_expect *e)
{
	bool share = false;

	for (int i = 0; i < PLAN_EXPECT_SHARE_NR; i++)
		share = share || e->available[i].said;
	return e->models > 0 || e->verdict[0] || e->lost.said || e->stale.said ||
	       e->converged.said || share;
}

void expect_count_words(const struct plan_range *r, char *out, size_t size)
{
	if (r->high == 0)
		(void)snprintf(out, size, "none");
	else if (isinf(r->high))
		(void)snprintf(out, size, r->low == 1 ? "some" : "%.0f or more", r->low);
	else if (r->low == r->high)
		(void)snprintf(out, size, "%.0f", r->low);
	else
		(void)snprintf(out, size, "%.0f to %.0f", r->low, r->high);
}

void expect_share_words(const struct plan_range *r, char *out, size_t size)
{
	if (r->high < 100)
		(void)snprintf(out, size, "none");
	else if (r->low == EXPECT_ALL_PERCENT)
		(void)snprintf(out, size, "all");
	else if (r->low == EXPECT_MOST_PERCENT)
		(void)snprintf(out, size, "most");
	else if (r->low == EXPECT_NONE_PERCENT)
		(void)snprintf(out, size, "some");
	else
		(void)snprintf(out, size, "%g %%", r->low);
}

__attribute__((format(printf, 3, 4))) static void add(char *out, size_t size, const char *fmt, ...)
{
	size_t len = strlen(out);
	va_list args;

	if (len > 0 && len + 3 < size) {
		memcpy(out + len, ", ", 3);
		len += 2;
	}
	va_start(args, fmt);
	(void)vsnprintf(out + len, size - len, fmt, args);
	va_end(args);
}

void expect_words(const struct plan_expect *e, char *out, size_t size)
{
	char text[32];

	out[0] = '\0';
	for (unsigned i = 0; i < e->models; i++)
		add(out, size, "%s%s", e->model[i].broken ? "not " : "", e->model[i].name);
	if (e->verdict[0])
		add(out, size, "verdict %s", e->verdict);
	for (int i = 0; i < PLAN_EXPECT_SHARE_NR; i++) {
		if (!e->available[i].said)
			continue;
		expect_share_words(&e->available[i], text, sizeof text);
		add(out, size, "%s answered %s", plan_expect_share_names[i], text);
	}
	if (e->stale.said) {
		expect_count_words(&e->stale, text, sizeof text);
		add(out, size, "stale reads %s", text);
	}
	if (e->lost.said) {
		expect_count_words(&e->lost, text, sizeof text);
		add(out, size, "lost writes %s", text);
	}
	if (e->converged.said)
		add(out, size, "%sconverged", e->converged.low > 0 ? "" : "not ");
}

/* What a history of a workload is judged as. */
static enum check_type type_of(enum plan_workload workload)
{
	static const enum check_type type[] = {
		[PLAN_REGISTER] = CHECK_REGISTER,
		[PLAN_LIST] = CHECK_LIST,
		[PLAN_SET] = CHECK_SET,
		[PLAN_COUNTER] = CHECK_COUNTER,
		[PLAN_BANK] = CHECK_BANK,
		[PLAN_TRANSACTIONS] = CHECK_TRANSACTIONS,
		[PLAN_LOCK] = CHECK_REGISTER,
		[PLAN_INVENTORY] = CHECK_COUNTER,
		[PLAN_PURSE] = CHECK_BANK,
	};

	_Static_assert(sizeof type / sizeof *type == PLAN_WORKLOAD_NR, "one for each");
	return type[workload];
}

static int check_verdict(const struct script *s, const struct script_expect *from, struct err *err)
{
	const char *verdict = from->verdict;

	if (!verdict[0] ||
		(strlen(verdict) == 5 && verdict[0] == 'P' && strchr("CA-", verdict[1]) &&
			verdict[2] == '/' && verdict[3] == 'E' && strchr("CL-", verdict[4])))
		return 0;
	return script_fail(s, from->line, err,
		"expect: '%s' is no verdict: write PC, PA or P-, a slash, and EC, EL or E-, like "
		"\"PC/EC\"",
		verdict);
}

static int check_models(const struct plan *plan, const struct script *s,
	const struct script_expect *from, struct err *err)
{
	enum check_type type = type_of(plan->load.workload);
	char all[EXPECT_MODELS_TEXT_MAX] = "";

	for (unsigned m = 0; m < from->what.models; m++) {
		if (check_find(from->what.model[m].name, type))
			continue;
		for (unsigned i = 0; check_list(i); i++) {
			if (check_list(i)->type == type)
				add(all, sizeof all, "%s", check_list(i)->name);
		}
		return script_fail(s, from->line, err,
			"expect: no model of the workload %s is called '%s': there are %s",
			plan_workload_names[plan->load.workload], from->what.model[m].name, all);
	}
	return 0;
}

/* Lost is what was acknowledged and is not there at the end; stale, of registers with unique values
 * only, what had been replaced. */
static int check_counts(const struct plan *plan, const struct script *s,
	const struct script_expect *from, struct err *err)
{
	enum check_type type = type_of(plan->load.workload);
	bool lost = type == CHECK_REGISTER || type == CHECK_SET || type == CHECK_COUNTER;

	if ((lost || !from->what.lost.said) && (type == CHECK_REGISTER || !from->what.stale.said))
		return 0;
	return script_fail(s, from->line, err,
		"expect: '%s' is counted of registers%s only: expect a model of the workload %s",
		from->what.lost.said && !lost ? "lost" : "stale",
		from->what.lost.said && !lost ? ", sets and counters" : "",
		plan_workload_names[plan->load.workload]);
}

static int check_shares(const struct plan *plan, const struct script *s,
	const struct script_expect *from, struct err *err)
{
	bool cut = false;

	for (unsigned p = 0; p < plan->phases; p++)
		cut = cut || plan->phase[p].cut;
	for (int i = 0; i < PLAN_EXPECT_SHARE_NR && !cut; i++) {
		if (from->what.available[i].said)
			return script_fail(s, from->line, err,
				"expect: 'available' is about the sides of a cut, and no phase has "
				"one: add cut() to a phase, or leave it out");
	}
	return 0;
}

/* A store, as expect() and stores {} name it. */
static const struct system *find_store(
	const struct script *s, const char *name, int line, struct err *err)
{
	struct err why;
	const struct system *system = stores_find(name, &why);

	if (!system)
		script_fail(s, line, err, "%s", why.text);
	return system;
}

static int expect_take(struct plan *plan, const struct script *s, const struct script_expect *from,
	const struct script_expect **taken, struct err *err)
{
	const char *store = from->store[0] ? from->store : s->store.name.text;
	const struct system *of = store[0] ? find_store(s, store, from->line, err) : NULL;

	/* Without a store of its own a script is about the one of the command line. */
	if (store[0] && !of)
		return -EINVAL;
	if (check_verdict(s, from, err) || check_models(plan, s, from, err) ||
		check_counts(plan, s, from, err) || check_shares(plan, s, from, err))
		return -EINVAL;
	/* A file is named by its path, its system by its name. */
	if (!of || strcmp(of->name, plan->system->name) != 0)
		return 0;
	if (*taken)
		return script_fail(s, from->line, err,
			"what store %s is expected to show was already said in line %d: say it "
			"once",
			store, (*taken)->line);
	*taken = from;
	plan->expect = from->what;
	(void)snprintf(plan->expect.verdict, sizeof plan->expect.verdict, "%.*s",
		PLAN_VERDICT_MAX - 1, from->verdict);
	return 0;
}

int expect_expand(struct plan *plan, const struct script *s, struct err *err)
{
	const struct script_expect *taken = NULL;
	int rc = 0;

	for (unsigned i = 0; i < s->expects && rc == 0; i++)
		rc = expect_take(plan, s, &s->expect[i], &taken, err);
	for (unsigned i = 0; i < s->store_count && rc == 0; i++) {
		plan->store[i] = find_store(s, s->stores[i].text, s->stores[i].line, err);
		rc = plan->store[i] ? 0 : -EINVAL;
		plan->stores += rc == 0;
	}
	return rc;
}
