/* SPDX-License-Identifier: MIT */
/* check_measures.c - the measures of a history, for people and for programs */
#include <stdio.h>

#include "agent/base/units.h"
#include "agent/cmd/check_print.h"

/* Bins with fewer reads are not shown to people: their intervals say nothing. */
#define BIN_READS_MIN 10

struct texts {
	char a[32];
	char b[32];
	char c[32];
	char d[32];
};

static const char *count_text(uint64_t n, char out[32])
{
	return units_print_count(n, out, 32);
}

static const char *time_text(uint64_t ns, char out[32])
{
	return ns == UINT64_MAX ? "?" : units_print_duration(ns, out, 32);
}

static void print_spread(const char *name, const struct measures_spread *s, bool capped)
{
	struct texts t;

	printf("  %-13s ", name);
	if (s->off == 0) {
		printf("0 of %s values\n", count_text(s->count, t.a));
		return;
	}
	printf("%s of %s values", count_text(s->off, t.a), count_text(s->count, t.b));
	printf(": median %s, 90 %% %s, 99 %% %s,", time_text(s->p50_ns, t.a),
		time_text(s->p90_ns, t.b), time_text(s->p99_ns, t.c));
	printf(" most %s%s\n", time_text(s->max_ns, t.d), capped ? " or more" : "");
}

static void print_behind(const struct measures *m)
{
	const char *before = ":";
	struct texts t;

	printf("  versions      %s of %s reads were behind",
		count_text(m->reads - m->behind[0], t.a), count_text(m->reads, t.b));
	for (unsigned k = 1; k <= MEASURES_BEHIND_MAX; k++) {
		if (m->behind[k] == 0)
			continue;
		printf("%s %s by %u%s", before, count_text(m->behind[k], t.a), k,
			k == MEASURES_BEHIND_MAX ? " or more" : "");
		before = ",";
	}
	if (m->behind_max >= MEASURES_BEHIND_MAX)
		printf(", at most %s", count_text(m->behind_max, t.a));
	printf("\n");
}

static void print_visible(const struct measures *m)
{
	struct texts t;

	for (unsigned i = 0; i < MEASURES_BINS; i++) {
		const struct measures_share *s = &m->bin[i].fresh;

		if (s->of < BIN_READS_MIN)
			continue;
		printf("  fresh         %8.3f %% (%.3f to %.3f) of %s reads from %s on\n",
			100 * s->share, 100 * s->low, 100 * s->high, count_text(s->of, t.a),
			time_text(m->bin[i].from_ns, t.b));
	}
	for (unsigned i = 0; i < MEASURES_VISIBLE; i++) {
		const struct measures_visible *v = &m->visible[i];

		if (v->at_ns != UINT64_MAX)
			printf("  visible       %g %% of reads are fresh %s (%s to %s) after an "
			       "acknowledgement\n",
				100 * v->share, time_text(v->at_ns, t.a), time_text(v->low_ns, t.b),
				time_text(v->high_ns, t.c));
	}
}

void check_measures_print(const struct measures *m, const struct check_lost *lost)
{
	struct texts t;

	if (m->keys > 0) {
		print_spread("delta", &m->delta, m->capped);
		print_spread("gamma", &m->gamma, m->capped);
		print_behind(m);
		print_visible(m);
		printf("  lost          %s of %s acknowledged writes", count_text(lost->lost, t.a),
			count_text(lost->acknowledged, t.b));
		if (lost->keys_without_final_read > 0)
			printf("; nobody read %s keys at the end",
				count_text(lost->keys_without_final_read, t.c));
		printf("\n  resurrected   %s keys\n", count_text(m->resurrected, t.a));
	}
	if (m->keys_unfit > 0)
		printf("  not measured  %s keys on which values were written twice\n",
			count_text(m->keys_unfit, t.a));
	if (m->strange > 0)
		printf("  not measured  %s reads of values not written, or not yet\n",
			count_text(m->strange, t.a));
	if (m->keys == 0)
		printf("  duplicates    %s elements\n", count_text(m->duplicates, t.a));
	if (lost->words[0] != '\0')
		printf("  %s\n", lost->words);
	if (m->words[0] != '\0')
		printf("  %s\n", m->words);
}

static void json_number(struct json *j, const char *key, uint64_t n)
{
	json_key(j, key);
	json_uint(j, n);
}

static void json_time(struct json *j, const char *key, uint64_t ns)
{
	json_key(j, key);
	if (ns == UINT64_MAX)
		json_null(j);
	else
		json_double(j, units_ms(ns));
}

static void json_spread(struct json *j, const char *key, const struct measures_spread *s)
{
	json_key(j, key);
	json_object(j);
	json_number(j, "values", s->count);
	json_number(j, "off", s->off);
	json_time(j, "p50_ms", s->p50_ns);
	json_time(j, "p90_ms", s->p90_ns);
	json_time(j, "p99_ms", s->p99_ns);
	json_time(j, "max_ms", s->max_ns);
	json_object_end(j);
}

static void json_curve(struct json *j, const struct measures *m)
{
	json_key(j, "fresh");
	json_array(j);
	for (unsigned i = 0; i < MEASURES_BINS; i++) {
		const struct measures_share *s = &m->bin[i].fresh;

		if (s->of == 0)
			continue;
		json_object(j);
		json_time(j, "from_ms", m->bin[i].from_ns);
		json_number(j, "reads", s->of);
		json_number(j, "fresh", s->some);
		json_key(j, "share");
		json_double(j, s->share);
		json_key(j, "low");
		json_double(j, s->low);
		json_key(j, "high");
		json_double(j, s->high);
		json_object_end(j);
	}
	json_array_end(j);
	json_key(j, "visible");
	json_array(j);
	for (unsigned i = 0; i < MEASURES_VISIBLE; i++) {
		json_object(j);
		json_key(j, "share");
		json_double(j, m->visible[i].share);
		json_time(j, "after_ms", m->visible[i].at_ns);
		json_time(j, "low_ms", m->visible[i].low_ns);
		json_time(j, "high_ms", m->visible[i].high_ns);
		json_object_end(j);
	}
	json_array_end(j);
}

void check_measures_json(struct json *j, const struct measures *m, const struct check_lost *lost)
{
	json_object(j);
	json_number(j, "keys", m->keys);
	json_number(j, "keys_unfit", m->keys_unfit);
	json_number(j, "strange", m->strange);
	json_spread(j, "delta", &m->delta);
	json_spread(j, "gamma", &m->gamma);
	json_key(j, "capped");
	json_bool(j, m->capped);
	json_number(j, "reads", m->reads);
	json_key(j, "behind");
	json_array(j);
	for (unsigned k = 0; k <= MEASURES_BEHIND_MAX; k++)
		json_uint(j, m->behind[k]);
	json_array_end(j);
	json_number(j, "behind_max", m->behind_max);
	json_curve(j, m);
	json_number(j, "acknowledged", lost->acknowledged);
	json_number(j, "lost", lost->lost);
	json_number(j, "resurrected", m->resurrected);
	json_number(j, "duplicates", m->duplicates);
	json_key(j, "words");
	json_string(j, lost->words[0] != '\0' ? lost->words : m->words);
	json_object_end(j);
}
