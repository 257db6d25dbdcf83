/* SPDX-License-Identifier: MIT */
/* check_print.c - what `pacelab check` says of a file, for people and for programs */
#include "agent/cmd/check_print.h"

#include <stdio.h>

#include "agent/base/units.h"
#include "agent/check/words.h"

static const char *outcome_name(const struct history_op *op)
{
	if (op->outcome == HISTORY_FAIL)
		return "failed";
	return op->kind == HISTORY_CAS && !op->met ? "unmet" : "ok";
}

static void print_operation(
	const struct history_ops *h, const struct history_op *op, uint64_t t0_ns)
{
	char text[CHECK_WORDS_MAX];
	struct words w;

	words_init(&w, h, NULL, text, sizeof text);
	words_operation(&w, op);
	printf("    %9.3f s  node %u  %s", units_s(op->t_invoke_ns - t0_ns), op->node, text);
	if (op->outcome == HISTORY_UNKNOWN)
		printf("  outcome unknown\n");
	else
		printf("  %s at %.3f s\n", outcome_name(op), units_s(op->t_return_ns - t0_ns));
}

void check_print_text(const char *path, const char *model, const struct history_ops *h,
	const struct check_result *r, uint64_t t0_ns)
{
	size_t first = r->witnesses > CHECK_WITNESS_READ ? r->witnesses - CHECK_WITNESS_READ : 0;
	char operations[32];
	char keys[32];

	(void)units_print_count(r->operations, operations, sizeof operations);
	(void)units_print_count(r->keys, keys, sizeof keys);
	printf("%s: %s%s, %s operation%s on %s key%s, checked in %.2f s\n", path,
		r->verdict == CHECK_VIOLATION ? "not "
		: r->verdict == CHECK_UNKNOWN ? "not known whether "
					      : "",
		model, operations, r->operations == 1 ? "" : "s", keys, r->keys == 1 ? "" : "s",
		r->seconds);
	if (h->damaged > 0)
		printf("  %zu records were left unfinished by writers that were killed\n",
			h->damaged);
	if (r->words[0] != '\0')
		printf("  %s\n", r->words);
	if (first > 0)
		printf("    %zu operations before these: --json names all of them\n", first);
	for (size_t i = first; i < r->witnesses; i++)
		print_operation(h, &h->op[r->witness[i]], t0_ns);
}

void check_print_json(struct json *j, const char *path, const char *model,
	const struct history_ops *h, const struct check_result *r)
{
	json_object(j);
	json_key(j, "file");
	json_string(j, path);
	json_key(j, "model");
	json_string(j, model);
	json_key(j, "result");
	json_string(j, check_verdict_names[r->verdict]);
	json_key(j, "operations");
	json_uint(j, r->operations);
	json_key(j, "keys");
	json_uint(j, r->keys);
	json_key(j, "seconds");
	json_double(j, r->seconds);
	json_key(j, "damaged");
	json_uint(j, h->damaged);
	json_key(j, "words");
	json_string(j, r->words);
	json_key(j, "witness");
	json_array(j);
	for (size_t i = 0; i < r->witnesses; i++)
		json_uint(j, h->op[r->witness[i]].op);
	json_array_end(j);
}
