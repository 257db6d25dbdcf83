/* SPDX-License-Identifier: MIT */
/*
 * history_fuzz.c - any bytes as a history: refused with a reason, or read, judged and written again
 *
 * Every model for the type of its objects judges it; the witness of a violation, judged alone, is
 * a violation, too.
 *
 * Checksums would stop nearly every mutation at once, so binary input is read a second time with
 * all of them made right.
 */
#include "agent/base/clock.h"
#include "agent/check/check.h"
#include "agent/history/format.h"
#include "tests/fuzz/again.h"
#include "tests/fuzz/fuzz.h"

#define FUZZ_CHECK_NS (100 * NS_PER_MS)
#define FUZZ_CHECK_BYTES (64u << 20)

/* What history_read() promises of what it gives. */
static void look(const struct history_ops *ops)
{
	for (size_t i = 0; i < ops->count; i++) {
		const struct history_op *op = &ops->op[i];

		assert(op->kind < HISTORY_KIND_NR && op->error < HISTORY_ERROR_NR);
		assert((op->kind != HISTORY_WRITE && op->kind != HISTORY_CAS) || op->value != 0);
		assert(op->kind == HISTORY_TRANSACTION ? op->count <= ops->micros - op->first
						       : op->count <= ops->lists - op->first);
		assert(op->t_return_ns >= op->t_invoke_ns);
		assert((op->outcome == HISTORY_UNKNOWN) == (op->t_return_ns == UINT64_MAX));
		assert(i == 0 || ops->op[i - 1].t_invoke_ns <= op->t_invoke_ns);
	}
}

static const struct check_budget budget = {
	.time_ns = FUZZ_CHECK_NS, .memory_bytes = FUZZ_CHECK_BYTES};

/* Nothing but the witness of @result is what it was found in. */
static void judge_witness(
	const struct check_ops *model, const struct history_ops *ops, const struct check_result *r)
{
	struct history_op op[CHECK_WITNESS_MAX];
	struct history_ops alone = *ops;
	struct check_result again;
	struct err err = {0};

	alone.op = op;
	alone.count = r->witnesses;
	for (size_t i = 0; i < r->witnesses; i++)
		op[i] = ops->op[r->witness[i]];
	if (model->check(&alone, &budget, NULL, &again, &err) || again.verdict == CHECK_OK) {
		fprintf(stderr, "%s: the witness alone is none: %s\n", model->name, r->words);
		abort();
	}
}

static void judge_model(const struct check_ops *model, const struct history_ops *ops)
{
	struct check_result result;
	struct err err = {0};

	if (model->check(ops, &budget, NULL, &result, &err)) {
		assert(err.status == EXIT_USAGE && err.text[0] != '\0');
		return;
	}
	if ((result.verdict == CHECK_VIOLATION) != (result.witnesses > 0) ||
		(result.verdict != CHECK_OK && result.words[0] == '\0')) {
		fprintf(stderr, "%s: %s with %zu witnesses and words '%s'\n", model->name,
			check_verdict_names[result.verdict], result.witnesses, result.words);
		abort();
	}
	for (size_t i = 0; i < result.witnesses; i++) {
		assert(result.witness[i] < ops->count);
		assert(i == 0 || ops->op[result.witness[i - 1]].t_invoke_ns <=
					 ops->op[result.witness[i]].t_invoke_ns);
	}
	if (result.verdict == CHECK_VIOLATION && result.witnesses < CHECK_WITNESS_MAX)
		judge_witness(model, ops, &result);
}

static void judge(const struct history_ops *ops, enum check_type type)
{
	struct check_lost lost;

	for (unsigned i = 0; check_list(i); i++)
		if (check_list(i)->type == type)
			judge_model(check_list(i), ops);
	if (type != CHECK_REGISTER)
		return;
	check_lost(ops, NULL, &lost);
	assert(lost.lost <= lost.acknowledged);
	assert((lost.lost > 0) == (lost.words[0] != '\0'));
}

static void take(const void *bytes, size_t size)
{
	struct history_ops ops;
	enum check_type type;
	struct err err = {0};
	char path[32];
	int fd = file_of(bytes, size, path);

	if (history_read(&ops, path, &err)) {
		assert(err.status == EXIT_USAGE);
		assert(strncmp(err.text, path, strlen(path)) == 0);
	} else {
		look(&ops);
		if (check_type_of(&ops, &type, &err) == 0)
			judge(&ops, type);
		if (ops.count < AGAIN_OPS_MAX) {
			write_again(&ops, HISTORY_EDN);
			write_again(&ops, HISTORY_JSONL);
		}
		history_ops_fini(&ops);
	}
	(void)close(fd);
}

/* Make magic, version, number of slots and all checksums right. */
static void repair(uint8_t *bytes, size_t size)
{
	struct format_header *header = (struct format_header *)(void *)bytes;
	struct history_record *record = (struct history_record *)(void *)(header + 1);
	size_t slots = (size - sizeof *header) / sizeof *record;
	bool sealed = bytes[sizeof header->magic] & 1;

	memcpy(header->magic, FORMAT_MAGIC, sizeof header->magic);
	header->version = FORMAT_VERSION;
	header->record_size = sizeof *record;
	header->slots = sealed ? slots : FORMAT_UNSEALED;
	header->uncommitted = 0;
	for (size_t i = 0; i < slots; i++) {
		record[i].crc = format_record_crc(&record[i]);
		header->uncommitted += record[i].type == HISTORY_NONE;
	}
	header->crc = format_header_crc(header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	take(data, size);
	if (size < sizeof(struct format_header) || data[0] == '{')
		return 0;
	size -= size % sizeof(struct history_record);
	copy = malloc(size);
	assert(copy);
	memcpy(copy, data, size);
	repair(copy, size);
	take(copy, size);
	free(copy);
	return 0;
}
