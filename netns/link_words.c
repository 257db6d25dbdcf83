/* SPDX-License-Identifier: MIT */
/*
 * link_words.c - the state of a link in words: one table of words, a reader and a printer
 *
 * Reading fills a struct link_change and does not know the link; so what is wrong with the words
 * alone is found once, for any number of links, and two changes of one link can be merged.
 */
#include "netns/link_words.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/units.h"
#include "netns/dist.h"

#define BIT(field) (1u << (field))
#define ALL_FIELDS (BIT(LINK_FIELD_NR) - 1)
#define DELAY_FIELDS \
	(BIT(LINK_DELAY) | BIT(LINK_JITTER) | BIT(LINK_DISTRIBUTION) | BIT(LINK_CORRELATION))

/* Defaults of netem's models, which leave out arguments from the end: tc-netem(8). */
#define GE_BAD_PPM PPM_ONE

struct reader {
	const char *word[LINK_WORDS_MAX + 1]; /* NULL behind the last */
	unsigned at;
	uint32_t said;
	int last; /* enum link_field that was read last; -1: none */
	struct link_change *change;
};

/*
 * Profiles: what such a network is like, one way. Round numbers by intention; where they are from:
 * lan: a switched network in one room. region: between the zones of a region of a cloud, 1.5 to
 * 2.2 ms of round trip (IBM Cloud, VPC network latency, 2024). wan: across a continent. satellite:
 * geostationary, 239.6 ms up and down at the least, 279 ms at the edge of the footprint (RFC 2488,
 * 2.); loss and rate as of a small terminal. 3g: WebPageTest's profile "3G", 1.6 Mbit/s and 300 ms.
 */
static const struct link_word profiles[] = {
	{"lan", "delay 100us jitter 20us", "a switched network in one room"},
	{"region", "delay 900us jitter 100us", "between the zones of one region of a cloud"},
	{"wan", "delay 20ms jitter 2ms loss 0.1%", "across a continent"},
	{"satellite", "delay 280ms jitter 10ms loss 0.5% rate 10mbit",
		"geostationary, a small terminal"},
	{"3g", "delay 150ms jitter 30ms rate 1.6mbit", "a telephone of 2010"},
};

const struct link_word *link_profiles_list(unsigned i)
{
	return i < sizeof profiles / sizeof *profiles ? &profiles[i] : NULL;
}

static const char *peek(const struct reader *r)
{
	return r->word[r->at];
}

/* The next word, if it can be a number: for arguments that may be left out. */
static const char *peek_number(const struct reader *r)
{
	return peek(r) && isdigit((unsigned char)peek(r)[0]) ? peek(r) : NULL;
}

static bool take_word(struct reader *r, const char *word)
{
	if (!peek(r) || strcmp(peek(r), word) != 0)
		return false;
	r->at++;
	return true;
}

static int take_share(struct reader *r, uint32_t *ret, struct err *err)
{
	if (!peek(r))
		return err_usage(err, "a share like 1%% is wanted");
	return units_parse_share(r->word[r->at++], ret, err);
}

/* Up to @max shares in a row, at least @min; those left out stay as they are. */
static int take_shares(struct reader *r, uint32_t *ret, unsigned min, unsigned max, struct err *err)
{
	for (unsigned i = 0; i < max; i++) {
		int rc;

		if (i >= min && !peek_number(r))
			return 0;
		if (!peek(r))
			return err_usage(err, "%u to %u shares like 1%% are wanted", min, max);
		rc = take_share(r, &ret[i], err);
		if (rc)
			return rc;
	}
	return 0;
}

static void copy_field(enum link_field field, const struct link_state *from, struct link_state *to)
{
	switch (field) {
	case LINK_DELAY:
		to->delay_ns = from->delay_ns;
		break;
	case LINK_JITTER:
		to->jitter_ns = from->jitter_ns;
		break;
	case LINK_DISTRIBUTION:
		to->dist = from->dist;
		break;
	case LINK_CORRELATION:
		to->correlation_ppm = from->correlation_ppm;
		break;
	case LINK_LOSS:
		to->loss = from->loss;
		memcpy(to->loss_ppm, from->loss_ppm, sizeof to->loss_ppm);
		break;
	case LINK_DROP:
		memcpy(to->drop, from->drop, sizeof to->drop);
		break;
	case LINK_DUPLICATE:
		to->duplicate_ppm = from->duplicate_ppm;
		break;
	case LINK_CORRUPT:
		to->corrupt_ppm = from->corrupt_ppm;
		to->corrupt_silent = from->corrupt_silent;
		break;
	case LINK_REORDER:
		to->reorder_ppm = from->reorder_ppm;
		break;
	case LINK_RATE:
		to->rate_bps = from->rate_bps;
		break;
	case LINK_QUEUE:
		to->queue_bytes = from->queue_bytes;
		break;
	case LINK_FLAP:
		to->flap_up_ns = from->flap_up_ns;
		to->flap_down_ns = from->flap_down_ns;
		break;
	case LINK_FIELD_NR:
		break;
	}
}

/* What a fault brings along is gone, unless these words have said it: a profile may have. */
static void imply(struct reader *r, uint32_t fields)
{
	static const struct link_state nothing;

	r->change->implied |= fields;
	for (int i = 0; i < LINK_FIELD_NR; i++) {
		if (!(fields & BIT(i) & ~r->said))
			continue;
		r->change->named &= ~BIT(i);
		copy_field((enum link_field)i, &nothing, &r->change->to);
	}
}

static int read_delay(struct reader *r, struct link_state *to, struct err *err)
{
	return units_parse_duration(r->word[r->at++], &to->delay_ns, err);
}

static int read_jitter(struct reader *r, struct link_state *to, struct err *err)
{
	return units_parse_duration(r->word[r->at++], &to->jitter_ns, err);
}

static int read_distribution(struct reader *r, struct link_state *to, struct err *err)
{
	const char *name = r->word[r->at++];
	int dist = dist_find(name);

	if (dist < 0)
		return err_usage(err,
			"no distribution is called '%.40s': uniform, normal, pareto and "
			"paretonormal are, and those that a lab makes with distribution()",
			name);
	to->dist = (uint8_t)dist;
	if (dist_scaled((unsigned)dist))
		return 0;
	if (r->said & (BIT(LINK_DELAY) | BIT(LINK_JITTER)))
		return err_usage(err,
			"'%.40s' is a table of delays, which needs no delay and no jitter", name);
	r->said |= BIT(LINK_DELAY) | BIT(LINK_JITTER);
	imply(r, DELAY_FIELDS);
	r->change->named |= BIT(LINK_DELAY) | BIT(LINK_JITTER);
	to->delay_ns = dist_mean_ns((unsigned)dist);
	return 0;
}

/* Of the loss or of the delay, whichever stands before it. */
static int read_correlation(struct reader *r, struct link_state *to, struct err *err)
{
	if (r->last == LINK_LOSS && to->loss == LOSS_RANDOM) {
		if (to->loss_ppm[1])
			return err_usage(err, "is said twice of the loss");
		return take_share(r, &to->loss_ppm[1], err);
	}
	if (r->last > LINK_CORRELATION)
		return err_usage(
			err, "belongs behind a delay's jitter, or behind a loss that is one share");
	if (r->said & BIT(LINK_CORRELATION))
		return err_usage(err, "is said twice of the delay");
	r->said |= BIT(LINK_CORRELATION);
	r->change->named |= BIT(LINK_CORRELATION);
	return take_share(r, &to->correlation_ppm, err);
}

static int read_loss(struct reader *r, struct link_state *to, struct err *err)
{
	uint32_t *p = to->loss_ppm;
	int rc;

	if (take_word(r, "ge")) {
		to->loss = LOSS_GE;
		p[2] = GE_BAD_PPM;
		return take_shares(r, p, 2, 4, err);
	}
	if (take_word(r, "state")) {
		to->loss = LOSS_STATE;
		rc = take_share(r, &p[0], err);
		if (rc)
			return rc;
		p[1] = PPM_ONE - p[0];
		p[3] = PPM_ONE;
		return take_shares(r, p + 1, 0, LINK_LOSS_PARAMS - 1, err);
	}
	rc = take_share(r, &p[0], err);
	to->loss = p[0] ? LOSS_RANDOM : LOSS_NONE;
	return rc;
}

/* "17", "20-29", "100-1000/100", "100-/100"; up to the comma or the end. */
static bool read_drop_entry(const char *text, struct link_drop *ret)
{
	const char *p = text;
	uint32_t *part[3] = {&ret->first, &ret->last, &ret->every};
	unsigned i = 0;

	*ret = (struct link_drop){.every = 1};
	for (;;) {
		size_t digits = strspn(p, "0123456789");
		unsigned long long n = strtoull(p, NULL, 10);
		bool open = i == 1 && digits == 0;

		if ((digits == 0 && !open) || digits > 10 || n > UINT32_MAX || (n == 0 && !open))
			return false;
		*part[i] = open ? UINT32_MAX : (uint32_t)n;
		if (i == 0)
			ret->last = ret->first;
		p += digits;
		if (*p == '\0')
			break;
		if (i == 2 || *p != "-/"[i])
			return false;
		p++;
		i++;
	}
	return ret->first <= ret->last;
}

static int read_drop(struct reader *r, struct link_state *to, struct err *err)
{
	char copy[LINK_WORDS_TEXT_MAX];
	char *rest = copy;
	char *entry;
	unsigned n = 0;

	(void)snprintf(copy, sizeof copy, "%s", r->word[r->at++]);
	while ((entry = strsep(&rest, ","))) {
		if (n == LINK_DROPS_MAX)
			return err_usage(err, "at most %d entries between commas", LINK_DROPS_MAX);
		if (!read_drop_entry(entry, &to->drop[n++]))
			return err_usage(err,
				"'%.40s' is no number of a packet from 1 to %u: write 17, 20-29, "
				"100-1000/100 or 100-/100 (every 100th)",
				entry, UINT32_MAX);
	}
	return 0;
}

static int read_duplicate(struct reader *r, struct link_state *to, struct err *err)
{
	return take_share(r, &to->duplicate_ppm, err);
}

static int read_corrupt(struct reader *r, struct link_state *to, struct err *err)
{
	int rc = take_share(r, &to->corrupt_ppm, err);

	to->corrupt_silent = take_word(r, "silent") && to->corrupt_ppm;
	return rc;
}

static int read_reorder(struct reader *r, struct link_state *to, struct err *err)
{
	return take_share(r, &to->reorder_ppm, err);
}

static int read_rate(struct reader *r, struct link_state *to, struct err *err)
{
	int rc = units_parse_rate(r->word[r->at++], &to->rate_bps, err);

	if (!rc && (to->rate_bps < LINK_RATE_BPS_MIN || to->rate_bps > LINK_RATE_BPS_MAX))
		return err_usage(err, "1kbit to 100gbit are possible");
	return rc;
}

static int read_queue(struct reader *r, struct link_state *to, struct err *err)
{
	return units_parse_size(r->word[r->at++], &to->queue_bytes, err);
}

static int read_flap(struct reader *r, struct link_state *to, struct err *err)
{
	int rc = units_parse_duration(r->word[r->at++], &to->flap_up_ns, err);

	if (!rc && !peek(r))
		return err_usage(err, "two times are wanted: open and closed, like 200ms 100ms");
	return rc ? rc : units_parse_duration(r->word[r->at++], &to->flap_down_ns, err);
}

static const struct fault {
	struct link_word word;
	enum link_field field;
	int (*read)(struct reader *r, struct link_state *to, struct err *err);
} faults[] = {
	{{"delay", "TIME", "one way; up to ten minutes"}, LINK_DELAY, read_delay},
	{{"jitter", "TIME", "uniform: in +- TIME around the delay, in order"}, LINK_JITTER,
		read_jitter},
	{{"distribution", "NAME", "of the jitter: uniform, normal, pareto, paretonormal, a table"},
		LINK_DISTRIBUTION, read_distribution},
	{{"correlation", "SHARE", "of the jitter or of the loss before it"}, LINK_CORRELATION,
		read_correlation},
	{{"loss", "SHARE | ge P R [BAD [GOOD]] | state P13 [P31 [P32 [P23 [P14]]]]",
		 "by chance, from the seed"},
		LINK_LOSS, read_loss},
	{{"drop", "N[-M[/STEP]],...", "exactly these packets, counted from now on"}, LINK_DROP,
		read_drop},
	{{"duplicate", "SHARE", "once more, from the seed"}, LINK_DUPLICATE, read_duplicate},
	{{"corrupt", "SHARE [silent]", "one bit is turned over; silent: checksums are mended"},
		LINK_CORRUPT, read_corrupt},
	{{"reorder", "SHARE", "these do not wait for the delay"}, LINK_REORDER, read_reorder},
	{{"rate", "RATE", "1kbit to 100gbit"}, LINK_RATE, read_rate},
	{{"queue", "SIZE", "what may wait for the rate; else what it sends in 50 ms"}, LINK_QUEUE,
		read_queue},
	{{"flap", "UP DOWN", "open and closed by turns, from 1 ms to 10 min each"}, LINK_FLAP,
		read_flap},
};
#define FAULTS (sizeof faults / sizeof *faults)
_Static_assert(FAULTS == LINK_FIELD_NR, "a word for every field");

const struct link_word *link_words_list(unsigned i)
{
	static const struct link_word whole[] = {
		{"profile", "NAME", "all of a network of this kind, nothing else"},
		{"clean", "", "no fault at all"},
	};

	if (i < FAULTS)
		return &faults[i].word;
	return i - FAULTS < sizeof whole / sizeof *whole ? &whole[i - FAULTS] : NULL;
}

static int fail_unknown(const char *word, struct err *err)
{
	char all[256] = "";

	for (size_t i = 0; i < FAULTS; i++) {
		size_t len = strlen(all);

		(void)snprintf(all + len, sizeof all - len, "%s, ", faults[i].word.name);
	}
	return err_usage(
		err, "a link has no '%.40s': %sprofile and clean are the words", word, all);
}

/* A fault takes the place of what there was of it, and of what belongs to it. */
static int begin_fault(struct reader *r, const struct fault *f, struct err *err)
{
	if (r->said & BIT(f->field))
		return err_usage(err, "%s is said twice", f->word.name);
	imply(r, BIT(f->field));
	if (f->field == LINK_DELAY)
		imply(r, DELAY_FIELDS);
	if (f->field == LINK_RATE)
		imply(r, BIT(LINK_QUEUE));
	r->said |= BIT(f->field);
	r->change->named |= BIT(f->field);
	return 0;
}

static int read_fault(struct reader *r, const struct fault *f, struct err *err)
{
	int rc = 0;

	r->at++;
	/* A correlation may be the loss's: its reader knows. */
	if (f->field != LINK_CORRELATION)
		rc = begin_fault(r, f, err);
	if (rc)
		return rc;
	if (!peek(r))
		return err_usage(err, "%s: write %s %s", f->word.name, f->word.name, f->word.args);
	if (f->field == LINK_CORRELATION || !take_word(r, "none"))
		rc = f->read(r, &r->change->to, err);
	r->last = f->field;
	return rc ? err_wrap(err, "%s", f->word.name) : 0;
}

/* All words but clean and profile, which can only be first. */
static int read_faults(struct reader *r, struct err *err)
{
	int rc = 0;

	while (!rc && peek(r)) {
		const struct fault *f = faults;

		while (f < faults + FAULTS && strcmp(f->word.name, peek(r)) != 0)
			f++;
		if (f < faults + FAULTS)
			rc = read_fault(r, f, err);
		else if (strcmp(peek(r), "clean") == 0 || strcmp(peek(r), "profile") == 0)
			rc = err_usage(err, "'%s' can only be the first word", peek(r));
		else
			rc = fail_unknown(peek(r), err);
	}
	return rc;
}

/* Words between blanks; @copy keeps them. */
static int split(
	const char *text, char copy[LINK_WORDS_TEXT_MAX], struct reader *r, struct err *err)
{
	unsigned words = 0;
	char *save = NULL;

	if ((size_t)snprintf(copy, LINK_WORDS_TEXT_MAX, "%s", text) >= LINK_WORDS_TEXT_MAX)
		return err_usage(
			err, "a link's words have %d bytes at most", LINK_WORDS_TEXT_MAX - 1);
	for (char *w = strtok_r(copy, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		if (words == LINK_WORDS_MAX)
			return err_usage(err, "a link has %d words at most", LINK_WORDS_MAX);
		r->word[words++] = w;
	}
	return words ? 0 : err_usage(err, "no words: write like delay 20ms loss 1%%");
}

static int read_profile(struct link_change *ret, const char *name, struct err *err)
{
	char all[128] = "";

	for (unsigned i = 0; link_profiles_list(i); i++) {
		const struct link_word *profile = link_profiles_list(i);
		size_t len = strlen(all);

		if (name && strcmp(profile->name, name) == 0)
			return link_change_read(profile->args, ret, err);
		(void)snprintf(all + len, sizeof all - len, "%s%s", len ? ", " : "", profile->name);
	}
	return err_usage(err, "no profile is called '%.40s': there are %s", name ? name : "", all);
}

int link_change_read(const char *text, struct link_change *ret, struct err *err)
{
	struct reader r = {.last = -1, .change = ret};
	char copy[LINK_WORDS_TEXT_MAX];
	int rc = split(text, copy, &r, err);

	*ret = (struct link_change){0};
	if (rc)
		return rc;
	if (take_word(&r, "clean")) {
		ret->implied = ALL_FIELDS;
	} else if (take_word(&r, "profile")) {
		rc = read_profile(ret, peek(&r), err);
		if (rc)
			return rc;
		r.at++;
		ret->implied = ALL_FIELDS;
	}
	return read_faults(&r, err);
}

void link_change_apply(const struct link_change *change, uint32_t keep, struct link_state *state)
{
	static const struct link_state nothing;

	for (int i = 0; i < LINK_FIELD_NR; i++) {
		if (change->named & BIT(i))
			copy_field((enum link_field)i, &change->to, state);
		else if (change->implied & BIT(i) & ~keep)
			copy_field((enum link_field)i, &nothing, state);
	}
	/* Without jitter its shape says nothing. */
	if ((change->named & BIT(LINK_JITTER)) && !state->jitter_ns && dist_scaled(state->dist)) {
		if (!(change->named & BIT(LINK_DISTRIBUTION)))
			state->dist = DIST_UNIFORM;
		if (!(change->named & BIT(LINK_CORRELATION)))
			state->correlation_ppm = 0;
	}
}

bool link_change_contradicts(
	const struct link_change *change, uint32_t named, const struct link_state *state)
{
	struct link_state other = *state;

	for (int i = 0; i < LINK_FIELD_NR; i++) {
		if (change->named & named & BIT(i))
			copy_field((enum link_field)i, &change->to, &other);
	}
	return !link_state_same(&other, state);
}

int link_words_check(const struct link_state *state, struct err *err)
{
	if (state->dist != DIST_UNIFORM && dist_scaled(state->dist) && !state->jitter_ns)
		return err_usage(err, "distribution %s needs jitter", dist_name(state->dist));
	if (!dist_scaled(state->dist) && state->jitter_ns)
		return err_usage(err, "the delay comes from a table, '%s': it has no jitter",
			dist_name(state->dist));
	return link_state_check(state, err);
}

int link_words_parse(const char *text, struct link_state *state, struct err *err)
{
	struct link_state now = *state;
	struct link_change change;
	int rc = link_change_read(text, &change, err);

	if (rc)
		return rc;
	link_change_apply(&change, 0, &now);
	rc = link_words_check(&now, err);
	if (!rc)
		*state = now;
	return rc;
}

/* One more word, or several. */
__attribute__((format(printf, 2, 3))) static void put(
	char out[LINK_WORDS_TEXT_MAX], const char *fmt, ...)
{
	size_t len = strlen(out);
	va_list args;

	if (len && len + 1 < LINK_WORDS_TEXT_MAX) {
		out[len++] = ' ';
		out[len] = '\0';
	}
	va_start(args, fmt);
	(void)vsnprintf(out + len, LINK_WORDS_TEXT_MAX - len, fmt, args);
	va_end(args);
}

static void put_share(char out[LINK_WORDS_TEXT_MAX], const char *name, uint32_t ppm)
{
	char share[32];

	put(out, "%s%s%s", name, *name ? " " : "", units_word_share(ppm, share, sizeof share));
}

/* Shares of a model; those at the end that are as if they were left out are. */
static void put_shares(
	char out[LINK_WORDS_TEXT_MAX], const uint32_t *ppm, const uint32_t *otherwise, unsigned n)
{
	while (n > 0 && ppm[n - 1] == otherwise[n - 1])
		n--;
	for (unsigned i = 0; i < n; i++)
		put_share(out, "", ppm[i]);
}

static void put_loss(char out[LINK_WORDS_TEXT_MAX], const struct link_state *s)
{
	const uint32_t *p = s->loss_ppm;

	switch (s->loss) {
	case LOSS_RANDOM:
		put_share(out, "loss", p[0]);
		if (p[1])
			put_share(out, "correlation", p[1]);
		break;
	case LOSS_GE:
		put_share(out, "loss ge", p[0]);
		put_share(out, "", p[1]);
		put_shares(out, p + 2, (const uint32_t[]){GE_BAD_PPM, 0}, 2);
		break;
	case LOSS_STATE:
		put_share(out, "loss state", p[0]);
		put_shares(out, p + 1, (const uint32_t[]){PPM_ONE - p[0], 0, PPM_ONE, 0}, 4);
		break;
	default:
		break;
	}
}

static void put_drop(char out[LINK_WORDS_TEXT_MAX], const struct link_state *s)
{
	char text[LINK_DROPS_MAX * 40] = "";
	size_t len = 0;

	for (unsigned i = 0; i < LINK_DROPS_MAX && s->drop[i].first; i++) {
		const struct link_drop *d = &s->drop[i];

		len += (size_t)snprintf(
			text + len, sizeof text - len, "%s%u", i ? "," : "", d->first);
		if (d->last == UINT32_MAX && d->first != UINT32_MAX)
			len += (size_t)snprintf(text + len, sizeof text - len, "-");
		else if (d->last != d->first || d->every != 1)
			len += (size_t)snprintf(text + len, sizeof text - len, "-%u", d->last);
		if (d->every != 1)
			len += (size_t)snprintf(text + len, sizeof text - len, "/%u", d->every);
	}
	if (len)
		put(out, "drop %s", text);
}

static void put_delay(char out[LINK_WORDS_TEXT_MAX], const struct link_state *s)
{
	char text[48];

	if (!dist_scaled(s->dist))
		put(out, "distribution %s", dist_name(s->dist));
	else if (s->delay_ns)
		put(out, "delay %s", units_word_duration(s->delay_ns, text, sizeof text));
	if (s->jitter_ns)
		put(out, "jitter %s", units_word_duration(s->jitter_ns, text, sizeof text));
	if (s->dist && dist_scaled(s->dist))
		put(out, "distribution %s", dist_name(s->dist));
	if (s->correlation_ppm)
		put_share(out, "correlation", s->correlation_ppm);
}

const char *link_words_print(const struct link_state *state, char out[LINK_WORDS_TEXT_MAX])
{
	char text[48];

	out[0] = '\0';
	put_delay(out, state);
	put_loss(out, state);
	put_drop(out, state);
	if (state->duplicate_ppm)
		put_share(out, "duplicate", state->duplicate_ppm);
	if (state->corrupt_ppm)
		put_share(out, "corrupt", state->corrupt_ppm);
	if (state->corrupt_silent)
		put(out, "silent");
	if (state->reorder_ppm)
		put_share(out, "reorder", state->reorder_ppm);
	if (state->rate_bps)
		put(out, "rate %s", units_word_rate(state->rate_bps, text, sizeof text));
	if (state->queue_bytes)
		put(out, "queue %s", units_word_size(state->queue_bytes, text, sizeof text));
	if (state->flap_up_ns || state->flap_down_ns) {
		put(out, "flap %s", units_word_duration(state->flap_up_ns, text, sizeof text));
		put(out, "%s", units_word_duration(state->flap_down_ns, text, sizeof text));
	}
	if (!out[0])
		put(out, "clean");
	return out;
}

const char *link_field_print(
	enum link_field field, const struct link_state *state, char out[LINK_WORDS_TEXT_MAX])
{
	struct link_state only = {0};
	size_t name = strlen(faults[field].word.name) + 1;

	copy_field(field, state, &only);
	if (field == LINK_RATE)
		copy_field(LINK_QUEUE, state, &only);
	link_words_print(&only, out);
	if (link_state_same(&only, &(struct link_state){0}))
		out[0] = '\0';
	else
		memmove(out, out + name, strlen(out + name) + 1);
	return out;
}
