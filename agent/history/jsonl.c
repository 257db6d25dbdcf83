/* SPDX-License-Identifier: MIT */
/*
 * jsonl.c - histories as JSON lines: one object a line, read as a stream and strictly
 *
 * A line is an object of known fields with whole numbers, plain strings, booleans and null. What
 * JSON allows beyond that has no place in it and is refused with line and column, as are unknown
 * fields: a misspelt field would otherwise change a verdict in silence.
 */
#include "agent/history/jsonl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/history/gather.h"
#include "agent/history/text.h"

#define JSONL_WORD_MAX 16

enum field_id {
	FIELD_OP,
	FIELD_SESSION,
	FIELD_CLIENT,
	FIELD_NODE,
	FIELD_PHASE,
	FIELD_KIND,
	FIELD_KEY,
	FIELD_OLD,
	FIELD_FROM,
	FIELD_TO,
	FIELD_VALUE,
	FIELD_VALUES,
	FIELD_STEPS,
	FIELD_INTENDED,
	FIELD_INVOKE,
	FIELD_RETURN,
	FIELD_OUTCOME,
	FIELD_ERROR,
	FIELD_FINAL,
	FIELD_NR
};

enum field_type { FIELD_UINT, FIELD_WORD, FIELD_BOOL, FIELD_LIST, FIELD_TRANSACTION };

struct field {
	const char *name;
	enum field_type type;
	uint64_t max;             /* of a number */
	bool null;                /* null is allowed, and is as if the field were not there */
	const char *const *words; /* of a word: its number is the field's */
	unsigned word_count;
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
		.word_count = HISTORY_KIND_NR},
	[FIELD_KEY] = {.name = "key", .max = UINT64_MAX},
	[FIELD_OLD] = {.name = "old", .max = UINT64_MAX, .null = true},
	[FIELD_FROM] = {.name = "from", .max = UINT16_MAX},
	[FIELD_TO] = {.name = "to", .max = UINT16_MAX},
	[FIELD_VALUE] = {.name = "value", .max = UINT64_MAX, .null = true},
	[FIELD_VALUES] = {.name = "values", .type = FIELD_LIST, .max = UINT64_MAX},
	[FIELD_STEPS] = {.name = "steps", .type = FIELD_TRANSACTION, .max = UINT64_MAX},
	[FIELD_INTENDED] = {.name = "intended_ns", .max = UINT64_MAX},
	/* The largest number means "never". */
	[FIELD_INVOKE] = {.name = "invoke_ns", .max = UINT64_MAX - 1},
	[FIELD_RETURN] = {.name = "return_ns", .max = UINT64_MAX - 1, .null = true},
	[FIELD_OUTCOME] = {.name = "outcome",
		.type = FIELD_WORD,
		.words = history_outcome_names,
		.word_count = 3},
	[FIELD_ERROR] = {.name = "error",
		.type = FIELD_WORD,
		.words = history_error_names,
		.word_count = HISTORY_ERROR_NR},
	[FIELD_FINAL] = {.name = "final", .type = FIELD_BOOL},
};
_Static_assert(sizeof fields / sizeof *fields == FIELD_NR, "every field has a row");

/* Fields stand in any order; they are looked for from where those that we write would be. */
struct parser {
	struct text *t;
	struct gather *g;
	uint64_t number[FIELD_NR];
	uint32_t seen;     /* a bit per field */
	uint32_t negative; /* likewise */
	enum field_id next;
	size_t first_list; /* of ops.list and ... */
	size_t first_step; /* ... of ops.micro, of this line */
};

static bool parser_seen(const struct parser *ps, enum field_id id)
{
	return ps->seen >> id & 1;
}

static void parser_space(struct parser *ps)
{
	while (*ps->t->p == ' ' || *ps->t->p == '\t')
		ps->t->p++;
}

static int parser_expect(struct parser *ps, char c)
{
	char here[16];

	parser_space(ps);
	if (*ps->t->p != c)
		return text_bad(ps->t, "%s, '%c' was expected", text_here(ps->t, here), c);
	ps->t->p++;
	return 0;
}

/* A string of letters and underscores: no name or word of ours has anything else. */
static int parser_word(struct parser *ps, const char **ret, size_t *ret_len)
{
	int r = parser_expect(ps, '"');

	if (r)
		return r;
	*ret = ps->t->p;
	while ((*ps->t->p >= 'a' && *ps->t->p <= 'z') || *ps->t->p == '_')
		ps->t->p++;
	*ret_len = (size_t)(ps->t->p - *ret);
	return *ret_len < JSONL_WORD_MAX ? parser_expect(ps, '"') : text_bad(ps->t, "unknown word");
}

static bool parser_is(const char *word, size_t len, const char *name)
{
	return strncmp(word, name, len) == 0 && name[len] == '\0';
}

static bool parser_literal(struct parser *ps, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(ps->t->p, word, n) != 0)
		return false;
	ps->t->p += n;
	return true;
}

static int parser_uint(struct parser *ps, const struct field *f, uint64_t *ret)
{
	char here[16];

	switch (text_uint(ps->t, f->max, ret)) {
	case 0:
		return 0;
	case -ERANGE:
		return text_bad(
			ps->t, "'%s' is more than %llu", f->name, (unsigned long long)f->max);
	case -EBADMSG:
		return text_bad(ps->t, "'%s' begins with 0", f->name);
	default:
		return text_bad(ps->t, "%s, a whole number was expected for '%s'",
			text_here(ps->t, here), f->name);
	}
}

/* An amount may be negative. */
static int parser_amount(
	struct parser *ps, const struct field *f, uint64_t *ret, bool *ret_negative)
{
	static const struct field negated = {.name = "the negated number", .max = 1ull << 63};
	int r;

	*ret_negative = *ps->t->p == '-';
	if (!*ret_negative)
		return parser_uint(ps, f, ret);
	ps->t->p++;
	r = parser_uint(ps, &negated, ret);
	*ret = -*ret;
	return r;
}

static int parser_choice(struct parser *ps, const struct field *f, uint64_t *ret)
{
	const char *word;
	size_t len;
	int r = parser_word(ps, &word, &len);

	if (r)
		return r;
	for (unsigned i = 0; i < f->word_count; i++) {
		if (parser_is(word, len, f->words[i])) {
			*ret = i;
			return 0;
		}
	}
	return text_bad(ps->t, "unknown %s '%.*s', for example '%s' was expected", f->name,
		(int)len, word, f->words[0]);
}

/* Whether another element follows in a list whose '[' was read. */
static int parser_more(struct parser *ps, bool first, bool *ret)
{
	parser_space(ps);
	if (first && *ps->t->p == ']') {
		ps->t->p++;
		*ret = false;
		return 0;
	}
	*ret = first || *ps->t->p == ',';
	if (!*ret)
		return parser_expect(ps, ']');
	ps->t->p += !first;
	parser_space(ps);
	return 0;
}

/* Elements, at the end of ops.list. */
static int parser_list(struct parser *ps, const struct field *f)
{
	uint64_t *to;
	uint64_t n;
	bool more;
	bool negative;
	int r = parser_expect(ps, '[');

	for (bool first = true; !r; first = false) {
		r = parser_more(ps, first, &more);
		if (r || !more)
			break;
		r = parser_amount(ps, f, &n, &negative);
		if (!r)
			r = gather_list(ps->g, 1, &to, ps->t->err);
		if (!r)
			*to = n;
	}
	return r;
}

/* ["read",KEY,[ELEMENT,...]] or ["append",KEY,ELEMENT], at the end of ops.micro. */
static int parser_step(struct parser *ps)
{
	static const struct field kind = {
		.name = "step", .words = history_kind_names, .word_count = HISTORY_KIND_NR};
	struct history_micro step = {0};
	struct history_micro *to;
	uint64_t n = 0;
	int r = parser_expect(ps, '[');

	if (!r)
		r = parser_choice(ps, &kind, &n);
	if (!r && n != HISTORY_READ && n != HISTORY_APPEND)
		r = text_bad(ps->t, "a step is a %s, 'read' or 'append' was expected",
			history_kind_names[n]);
	step.kind = (uint8_t)n;
	step.first = (uint32_t)ps->g->ops.lists;
	if (!r)
		r = parser_expect(ps, ',');
	parser_space(ps);
	if (!r)
		r = parser_uint(ps, &fields[FIELD_KEY], &step.key);
	if (!r)
		r = parser_expect(ps, ',');
	parser_space(ps);
	if (!r && step.kind == HISTORY_APPEND)
		r = parser_uint(ps, &fields[FIELD_VALUE], &step.value);
	else if (!r && !parser_literal(ps, "null"))
		r = parser_list(ps, &fields[FIELD_VALUES]);
	if (!r)
		r = parser_expect(ps, ']');
	step.count = (uint32_t)ps->g->ops.lists - step.first;
	if (!r)
		r = gather_micro(ps->g, 1, &to, ps->t->err);
	if (!r)
		*to = step;
	return r;
}

static int parser_steps(struct parser *ps)
{
	bool more;
	int r = parser_expect(ps, '[');

	for (bool first = true; !r; first = false) {
		r = parser_more(ps, first, &more);
		if (r || !more)
			break;
		r = parser_step(ps);
	}
	return r;
}

static int parser_bool(struct parser *ps, const struct field *f, uint64_t *ret)
{
	char here[16];

	*ret = parser_literal(ps, "true");
	if (*ret == 0 && !parser_literal(ps, "false"))
		return text_bad(ps->t, "%s, true or false was expected for '%s'",
			text_here(ps->t, here), f->name);
	return 0;
}

static int parser_value(struct parser *ps, enum field_id id)
{
	const struct field *f = &fields[id];
	bool negative;
	int r;

	switch (f->type) {
	case FIELD_UINT:
		if (id != FIELD_VALUE)
			return parser_uint(ps, f, &ps->number[id]);
		r = parser_amount(ps, f, &ps->number[id], &negative);
		ps->negative |= (uint32_t)negative << id;
		return r;
	case FIELD_WORD:
		return parser_choice(ps, f, &ps->number[id]);
	case FIELD_LIST:
		return parser_list(ps, f);
	case FIELD_TRANSACTION:
		return parser_steps(ps);
	case FIELD_BOOL:
		break;
	}
	return parser_bool(ps, f, &ps->number[id]);
}

static enum field_id parser_field(struct parser *ps, const char *name, size_t len)
{
	enum field_id id = ps->next;

	for (unsigned i = 0; i < FIELD_NR; i++) {
		if (parser_is(name, len, fields[id].name))
			return id;
		id = id + 1 == FIELD_NR ? 0 : id + 1;
	}
	return FIELD_NR;
}

static int parser_member(struct parser *ps)
{
	const char *name;
	size_t len;
	enum field_id id;
	int r = parser_word(ps, &name, &len);

	if (r)
		return r;
	id = parser_field(ps, name, len);
	if (id == FIELD_NR)
		return text_bad(ps->t, "unknown field '%.*s'", (int)len, name);
	ps->next = id + 1 == FIELD_NR ? 0 : id + 1;
	if (parser_seen(ps, id))
		return text_bad(ps->t, "field '%s' twice", fields[id].name);
	r = parser_expect(ps, ':');
	if (r)
		return r;
	parser_space(ps);
	if (fields[id].null && parser_literal(ps, "null"))
		return 0;
	ps->seen |= 1u << id;
	return parser_value(ps, id);
}

static int parser_object(struct parser *ps)
{
	char here[16];
	int r = parser_expect(ps, '{');

	while (!r) {
		r = parser_member(ps);
		parser_space(ps);
		if (r || *ps->t->p != ',')
			break;
		ps->t->p++;
	}
	if (!r)
		r = parser_expect(ps, '}');
	if (r)
		return r;
	parser_space(ps);
	if (*ps->t->p == '\r' && ps->t->p[1] == '\n')
		ps->t->p++;
	if (*ps->t->p != '\n' && ps->t->p != ps->t->end)
		return text_bad(
			ps->t, "%s, the end of the line was expected", text_here(ps->t, here));
	return 0;
}

#define parser_bad(ps, ...) err_set((ps)->t->err, -EBADMSG, EXIT_USAGE, __VA_ARGS__)

#define BIT(id) (1u << (id))

/* Which fields an operation of each kind has and must have, beyond those that all have. */
static const struct {
	uint32_t may;
	uint32_t must;
} kind_fields[HISTORY_KIND_NR] = {
	[HISTORY_READ] = {BIT(FIELD_VALUE) | BIT(FIELD_VALUES), 0},
	[HISTORY_WRITE] = {0, BIT(FIELD_VALUE)},
	[HISTORY_CAS] = {BIT(FIELD_OLD), BIT(FIELD_VALUE)},
	[HISTORY_APPEND] = {0, BIT(FIELD_VALUE)},
	[HISTORY_ADD] = {0, BIT(FIELD_VALUE)},
	[HISTORY_INCREASE] = {0, BIT(FIELD_VALUE)},
	[HISTORY_TRANSFER] = {0, BIT(FIELD_VALUE) | BIT(FIELD_FROM) | BIT(FIELD_TO)},
	[HISTORY_TRANSACTION] = {0, BIT(FIELD_STEPS)},
};

static int parser_kind(struct parser *ps, enum history_kind kind, enum history_type outcome)
{
	static const enum field_id of_kind[] = {
		FIELD_OLD, FIELD_FROM, FIELD_TO, FIELD_VALUE, FIELD_VALUES, FIELD_STEPS};
	bool amount = kind == HISTORY_READ || kind == HISTORY_INCREASE || kind == HISTORY_TRANSFER;

	for (size_t i = 0; i < sizeof of_kind / sizeof *of_kind; i++) {
		uint32_t bit = BIT(of_kind[i]);
		const char *name = fields[of_kind[i]].name;

		if (kind_fields[kind].must & ~ps->seen & bit)
			return parser_bad(ps, "field '%s' is missing", name);
		if (ps->seen & bit & ~(kind_fields[kind].must | kind_fields[kind].may))
			return parser_bad(ps, "a %s has no '%s'", history_kind_names[kind], name);
	}
	if (ps->negative && !amount)
		return parser_bad(ps, "a %s of a negative number", history_kind_names[kind]);
	if (!parser_seen(ps, FIELD_VALUES))
		return 0;
	if (parser_seen(ps, FIELD_VALUE))
		return parser_bad(ps, "a read of both 'value' and 'values'");
	if (outcome != HISTORY_OK)
		return parser_bad(ps, "there are 'values', but the outcome is not ok");
	return 0;
}

/* Which fields an operation of this kind and outcome needs. */
static int parser_complete(struct parser *ps)
{
	static const enum field_id always[] = {
		FIELD_SESSION, FIELD_KIND, FIELD_KEY, FIELD_INVOKE, FIELD_OUTCOME};
	enum history_type outcome = HISTORY_OK + (unsigned)ps->number[FIELD_OUTCOME];
	enum history_kind kind = (enum history_kind)ps->number[FIELD_KIND];

	if (kind == HISTORY_TRANSACTION)
		ps->seen |= BIT(FIELD_KEY);
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		if (!parser_seen(ps, always[i]))
			return parser_bad(ps, "field '%s' is missing", fields[always[i]].name);
	if (outcome == HISTORY_UNKNOWN && parser_seen(ps, FIELD_RETURN))
		return parser_bad(ps, "the outcome is unknown, but there is a 'return_ns'");
	if (outcome != HISTORY_UNKNOWN && !parser_seen(ps, FIELD_RETURN))
		return parser_bad(ps, "field 'return_ns' is missing");
	return parser_kind(ps, kind, outcome);
}

static int jsonl_gather(struct parser *ps, size_t number)
{
	const uint64_t *n = ps->number;
	struct gather *g = ps->g;
	bool steps = n[FIELD_KIND] == HISTORY_TRANSACTION;
	struct history_op op = {
		.t_invoke_ns = n[FIELD_INVOKE],
		.t_intended_ns =
			parser_seen(ps, FIELD_INTENDED) ? n[FIELD_INTENDED] : n[FIELD_INVOKE],
		.key = n[FIELD_KEY],
		.value = n[FIELD_VALUE],
		.old = n[FIELD_KIND] == HISTORY_TRANSFER ? n[FIELD_FROM] : n[FIELD_OLD],
		.to = (uint16_t)n[FIELD_TO],
		.op = parser_seen(ps, FIELD_OP) ? (uint32_t)n[FIELD_OP] : (uint32_t)number,
		.session = (uint32_t)n[FIELD_SESSION],
		.phase = (uint32_t)n[FIELD_PHASE],
		.node = (uint16_t)n[FIELD_NODE],
		.client = (uint16_t)n[FIELD_CLIENT],
		.kind = (uint8_t)n[FIELD_KIND],
		.flags = n[FIELD_FINAL] ? HISTORY_F_FINAL : 0,
		.first = steps ? (uint32_t)ps->first_step : 0,
		.count = steps ? (uint32_t)(g->ops.micros - ps->first_step) : 0,
	};
	struct gather_end end = {
		.outcome = HISTORY_OK + (unsigned)n[FIELD_OUTCOME],
		.error = (enum history_error)n[FIELD_ERROR],
		.t_ns = n[FIELD_RETURN],
		.value = n[FIELD_VALUE],
		.many = parser_seen(ps, FIELD_VALUES),
		.first = (uint32_t)ps->first_list,
		.count = (uint32_t)(g->ops.lists - ps->first_list),
	};
	int r = gather_invoke(g, &op, ps->t->err);

	return r ? r : gather_complete(g, g->ops.count - 1, &end, ps->t->err);
}

static int jsonl_line(struct gather *g, struct text *t, size_t number)
{
	const char *line = t->p;
	struct parser ps = {
		.t = t, .g = g, .first_list = g->ops.lists, .first_step = g->ops.micros};
	int r = parser_object(&ps);

	if (r)
		return r;
	r = parser_complete(&ps);
	if (!r)
		r = jsonl_gather(&ps, number);
	return r ? text_wrap(t, line) : 0;
}

int jsonl_read(struct gather *g, struct text *t)
{
	int r = 0;

	for (size_t number = 1; t->p < t->end && !r; number++) {
		r = jsonl_line(g, t, number);
		t->p += !r && t->p < t->end;
	}
	return r;
}
