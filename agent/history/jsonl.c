/* SPDX-License-Identifier: MIT */
/*
 * jsonl.c - histories as JSON lines: one flat object a line, read as a stream and strictly
 *
 * A line is an object of known fields with whole numbers, plain strings, booleans and null. What
 * JSON allows beyond that has no place in it and is refused with line and column, as are unknown
 * fields: a misspelt field would otherwise change a verdict in silence.
 */
#include "agent/history/jsonl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/history/gather.h"

#define JSONL_WORD_MAX 16

enum field_id {
	FIELD_OP,
	FIELD_SESSION,
	FIELD_CLIENT,
	FIELD_NODE,
	FIELD_PHASE,
	FIELD_KIND,
	FIELD_KEY,
	FIELD_VALUE,
	FIELD_OLD,
	FIELD_INTENDED,
	FIELD_INVOKE,
	FIELD_RETURN,
	FIELD_OUTCOME,
	FIELD_ERROR,
	FIELD_FINAL,
	FIELD_NR
};

enum field_type { FIELD_UINT, FIELD_WORD, FIELD_BOOL };

struct field {
	const char *name;
	enum field_type type;
	uint64_t max;             /* of a number */
	bool null;                /* null is allowed, and is as if the field were not there */
	const char *const *words; /* of a word: its number is the field's */
	unsigned word_count;
};

static const char *const outcome_names[] = {
	[0] = "ok",
	[HISTORY_FAIL - HISTORY_OK] = "fail",
	[HISTORY_UNKNOWN - HISTORY_OK] = "unknown",
};

static const struct field fields[] = {
	[FIELD_OP] = {.name = "op", .max = UINT32_MAX},
	[FIELD_SESSION] = {.name = "session", .max = UINT32_MAX},
	[FIELD_CLIENT] = {.name = "client", .max = UINT16_MAX},
	[FIELD_NODE] = {.name = "node", .max = UINT16_MAX},
	[FIELD_PHASE] = {.name = "phase", .max = UINT32_MAX},
	[FIELD_KIND] = {.name = "kind",
		.type = FIELD_WORD,
		.words = history_kind_names,
		.word_count = HISTORY_CAS + 1},
	[FIELD_KEY] = {.name = "key", .max = UINT64_MAX},
	[FIELD_VALUE] = {.name = "value", .max = UINT64_MAX, .null = true},
	[FIELD_OLD] = {.name = "old", .max = UINT64_MAX, .null = true},
	[FIELD_INTENDED] = {.name = "intended_ns", .max = UINT64_MAX},
	/* The largest number means "never". */
	[FIELD_INVOKE] = {.name = "invoke_ns", .max = UINT64_MAX - 1},
	[FIELD_RETURN] = {.name = "return_ns", .max = UINT64_MAX - 1, .null = true},
	[FIELD_OUTCOME] = {.name = "outcome",
		.type = FIELD_WORD,
		.words = outcome_names,
		.word_count = sizeof outcome_names / sizeof *outcome_names},
	[FIELD_ERROR] = {.name = "error",
		.type = FIELD_WORD,
		.words = history_error_names,
		.word_count = HISTORY_ERROR_NR},
	[FIELD_FINAL] = {.name = "final", .type = FIELD_BOOL},
};
_Static_assert(sizeof fields / sizeof *fields == FIELD_NR, "every field has a row");

struct parser {
	const char *p; /* what comes next */
	uint64_t number[FIELD_NR];
	uint32_t seen; /* a bit per field */
	struct err *err;
};

#define parser_bad(ps, ...) err_set((ps)->err, -EBADMSG, EXIT_USAGE, __VA_ARGS__)

static bool parser_seen(const struct parser *ps, enum field_id id)
{
	return ps->seen >> id & 1;
}

static void parser_space(struct parser *ps)
{
	while (*ps->p == ' ' || *ps->p == '\t')
		ps->p++;
}

/* What stands here, for people: a printable character or the end. */
static const char *parser_here(const struct parser *ps, char out[8])
{
	unsigned char c = (unsigned char)*ps->p;

	if (c == '\0')
		return "the line ends";
	(void)snprintf(out, 8, c >= 0x20 && c < 0x7f ? "'%c'" : "\\x%02x", c);
	return out;
}

static int parser_expect(struct parser *ps, char c)
{
	char here[8];

	parser_space(ps);
	if (*ps->p != c)
		return parser_bad(ps, "%s, '%c' was expected", parser_here(ps, here), c);
	ps->p++;
	return 0;
}

/* A string of letters and underscores: no name or word of ours has anything else. */
static int parser_word(struct parser *ps, char out[JSONL_WORD_MAX])
{
	size_t n = 0;
	int r = parser_expect(ps, '"');

	if (r)
		return r;
	while ((*ps->p >= 'a' && *ps->p <= 'z') || *ps->p == '_') {
		if (n == JSONL_WORD_MAX - 1)
			return parser_bad(ps, "unknown word");
		out[n++] = *ps->p++;
	}
	out[n] = '\0';
	return parser_expect(ps, '"');
}

static bool parser_literal(struct parser *ps, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(ps->p, word, n) != 0)
		return false;
	ps->p += n;
	return true;
}

static int parser_uint(struct parser *ps, const struct field *f, uint64_t *ret)
{
	const char *from = ps->p;
	uint64_t n = 0;
	char here[8];

	while (*ps->p >= '0' && *ps->p <= '9') {
		uint64_t digit = (uint64_t)(*ps->p++ - '0');

		if (n > (f->max - digit) / 10)
			return parser_bad(
				ps, "'%s' is more than %llu", f->name, (unsigned long long)f->max);
		n = n * 10 + digit;
	}
	if (ps->p == from)
		return parser_bad(ps, "%s, a whole number was expected for '%s'",
			parser_here(ps, here), f->name);
	if (*from == '0' && ps->p > from + 1)
		return parser_bad(ps, "'%s' begins with 0", f->name);
	*ret = n;
	return 0;
}

static int parser_choice(struct parser *ps, const struct field *f, uint64_t *ret)
{
	char word[JSONL_WORD_MAX];
	int r = parser_word(ps, word);

	if (r)
		return r;
	for (unsigned i = 0; i < f->word_count; i++) {
		if (strcmp(word, f->words[i]) == 0) {
			*ret = i;
			return 0;
		}
	}
	return parser_bad(
		ps, "unknown %s '%s', for example '%s' was expected", f->name, word, f->words[0]);
}

static int parser_value(struct parser *ps, const struct field *f, uint64_t *ret)
{
	char here[8];

	if (f->type == FIELD_UINT)
		return parser_uint(ps, f, ret);
	if (f->type == FIELD_WORD)
		return parser_choice(ps, f, ret);
	*ret = parser_literal(ps, "true");
	if (*ret == 0 && !parser_literal(ps, "false"))
		return parser_bad(ps, "%s, true or false was expected for '%s'",
			parser_here(ps, here), f->name);
	return 0;
}

static int parser_member(struct parser *ps)
{
	char name[JSONL_WORD_MAX];
	enum field_id id = 0;
	int r = parser_word(ps, name);

	if (r)
		return r;
	while (id < FIELD_NR && strcmp(name, fields[id].name) != 0)
		id++;
	if (id == FIELD_NR)
		return parser_bad(ps, "unknown field '%s'", name);
	if (parser_seen(ps, id))
		return parser_bad(ps, "field '%s' twice", name);
	r = parser_expect(ps, ':');
	if (r)
		return r;
	parser_space(ps);
	if (fields[id].null && parser_literal(ps, "null"))
		return 0;
	ps->seen |= 1u << id;
	return parser_value(ps, &fields[id], &ps->number[id]);
}

static int parser_object(struct parser *ps)
{
	char here[8];
	int r = parser_expect(ps, '{');

	while (!r) {
		r = parser_member(ps);
		parser_space(ps);
		if (r || *ps->p != ',')
			break;
		ps->p++;
	}
	if (!r)
		r = parser_expect(ps, '}');
	if (r)
		return r;
	parser_space(ps);
	if (*ps->p != '\0')
		return parser_bad(
			ps, "%s, the end of the line was expected", parser_here(ps, here));
	return 0;
}

/* Which fields an operation of this kind and outcome needs. */
static int parser_complete(struct parser *ps)
{
	static const enum field_id always[] = {
		FIELD_SESSION, FIELD_KIND, FIELD_KEY, FIELD_INVOKE, FIELD_OUTCOME};
	enum history_type outcome = HISTORY_OK + (unsigned)ps->number[FIELD_OUTCOME];
	enum history_kind kind = (enum history_kind)ps->number[FIELD_KIND];

	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		if (!parser_seen(ps, always[i]))
			return parser_bad(ps, "field '%s' is missing", fields[always[i]].name);
	if (outcome == HISTORY_UNKNOWN && parser_seen(ps, FIELD_RETURN))
		return parser_bad(ps, "the outcome is unknown, but there is a 'return_ns'");
	if (outcome != HISTORY_UNKNOWN && !parser_seen(ps, FIELD_RETURN))
		return parser_bad(ps, "field 'return_ns' is missing");
	if (kind != HISTORY_READ && !parser_seen(ps, FIELD_VALUE))
		return parser_bad(ps, "field 'value' is missing");
	if (kind != HISTORY_CAS && parser_seen(ps, FIELD_OLD))
		return parser_bad(ps, "a %s has no 'old'", history_kind_names[kind]);
	return 0;
}

static int jsonl_gather(struct gather *g, struct parser *ps, size_t number, struct err *err)
{
	const uint64_t *n = ps->number;
	struct history_op op = {
		.t_invoke_ns = n[FIELD_INVOKE],
		.t_intended_ns =
			parser_seen(ps, FIELD_INTENDED) ? n[FIELD_INTENDED] : n[FIELD_INVOKE],
		.key = n[FIELD_KEY],
		.value = n[FIELD_VALUE],
		.old = n[FIELD_OLD],
		.op = parser_seen(ps, FIELD_OP) ? (uint32_t)n[FIELD_OP] : (uint32_t)number,
		.session = (uint32_t)n[FIELD_SESSION],
		.phase = (uint32_t)n[FIELD_PHASE],
		.node = (uint16_t)n[FIELD_NODE],
		.client = (uint16_t)n[FIELD_CLIENT],
		.kind = (uint8_t)n[FIELD_KIND],
		.flags = n[FIELD_FINAL] ? HISTORY_F_FINAL : 0,
	};
	struct gather_end end = {
		.outcome = HISTORY_OK + (unsigned)n[FIELD_OUTCOME],
		.error = (enum history_error)n[FIELD_ERROR],
		.t_ns = n[FIELD_RETURN],
		.value = n[FIELD_VALUE],
	};
	int r = gather_invoke(g, &op, err);

	return r ? r : gather_complete(g, g->ops.count - 1, &end, err);
}

static int jsonl_line(
	struct gather *g, const char *line, const char *path, size_t number, struct err *err)
{
	struct parser ps = {.p = line, .err = err};
	int r = parser_object(&ps);

	if (r)
		return err_wrap(
			err, "%s: line %zu, column %zu", path, number, (size_t)(ps.p - line) + 1);
	r = parser_complete(&ps);
	if (!r)
		r = jsonl_gather(g, &ps, number, err);
	return r ? err_wrap(err, "%s: line %zu", path, number) : 0;
}

/* Cut the end of the line. Return: false if the line is not whole. */
static bool jsonl_chomp(char *line, FILE *in)
{
	size_t len = strlen(line);

	if (len > 0 && line[len - 1] == '\n')
		line[--len] = '\0';
	else if (len == 0 || !feof(in))
		return false;
	if (len > 0 && line[len - 1] == '\r')
		line[--len] = '\0';
	return true;
}

static int jsonl_lines(struct gather *g, FILE *in, const char *path, struct err *err)
{
	char line[JSONL_LINE_MAX + 2];
	int r = 0;

	for (size_t number = 1; !r && fgets(line, sizeof line, in); number++) {
		if (jsonl_chomp(line, in))
			r = jsonl_line(g, line, path, number, err);
		else
			r = err_set(err, -EBADMSG, EXIT_USAGE,
				"%s: line %zu has more than %d bytes, or a zero byte", path, number,
				JSONL_LINE_MAX);
	}
	if (!r && ferror(in))
		r = err_sys(err, -EIO, "read '%s'", path);
	return r;
}

int jsonl_read(struct history_ops *ret, int fd, const char *path, struct err *err)
{
	struct gather g = {.unique = false}; /* other people's histories may repeat values */
	int copy = dup(fd);
	FILE *in = copy < 0 ? NULL : fdopen(copy, "r");
	int r;

	if (!in) {
		r = err_sys(err, -errno, "read '%s'", path);
		if (copy >= 0)
			(void)close(copy);
		return r;
	}
	r = jsonl_lines(&g, in, path, err);
	(void)fclose(in);
	if (r)
		gather_fini(&g);
	else
		gather_finish(&g, ret);
	return r;
}

static void jsonl_print(const struct history_op *op, FILE *out)
{
	(void)fprintf(out,
		"{\"op\":%u,\"session\":%u,\"client\":%u,\"node\":%u,\"phase\":%u,\"kind\":\"%s\","
		"\"key\":%llu,",
		op->op, op->session, op->client, op->node, op->phase, history_kind_names[op->kind],
		(unsigned long long)op->key);
	if (op->kind == HISTORY_CAS)
		(void)fprintf(out, "\"old\":%llu,", (unsigned long long)op->old);
	if (op->value != 0)
		(void)fprintf(out, "\"value\":%llu,", (unsigned long long)op->value);
	else
		(void)fputs("\"value\":null,", out);
	(void)fprintf(out, "\"intended_ns\":%llu,\"invoke_ns\":%llu,",
		(unsigned long long)op->t_intended_ns, (unsigned long long)op->t_invoke_ns);
	if (op->outcome == HISTORY_UNKNOWN)
		(void)fputs("\"return_ns\":null,", out);
	else
		(void)fprintf(out, "\"return_ns\":%llu,", (unsigned long long)op->t_return_ns);
	(void)fprintf(out, "\"outcome\":\"%s\"", outcome_names[op->outcome - HISTORY_OK]);
	if (op->error != HISTORY_NO_ERROR)
		(void)fprintf(out, ",\"error\":\"%s\"", history_error_names[op->error]);
	if (op->flags & HISTORY_F_FINAL)
		(void)fputs(",\"final\":true", out);
	(void)fputs("}\n", out);
}

int history_write_jsonl(const struct history_ops *ops, const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
	int r;

	if (!out) {
		r = err_sys(err, -errno, "write '%s'", path);
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	for (size_t i = 0; i < ops->count; i++)
		jsonl_print(&ops->op[i], out);
	r = ferror(out) ? -EIO : 0;
	if (fclose(out) != 0)
		r = -errno;
	return r ? err_sys(err, r, "write '%s'", path) : 0;
}
