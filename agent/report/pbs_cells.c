/* SPDX-License-Identifier: MIT */
/* pbs_cells.c - staleness and latency of a run beside what the WARS model predicts of it */
#include "agent/report/pbs_cells.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "netns/dist.h"

#define HORIZON 0.999

/* A site that only writes or only reads. */
struct side {
	unsigned site;
	unsigned contact;
	unsigned need;
};

struct row {
	double *value; /* owned */
	uint64_t count;
	uint64_t cap;
};

struct write {
	uint64_t key;
	uint64_t value;
	uint64_t begin_ns;
	uint64_t acked_ns; /* UINT64_MAX: never */
	unsigned writer;   /* of struct work.writer */
};

/* Links of one writer and one reader, in the order of the model. */
struct ways {
	const struct link_state *link[PBS_LEG_NR][PBS_REPLICAS_MAX];
};

struct work {
	const struct plan *plan;
	const struct link_matrix *matrix;
	unsigned replicas;
	struct side writer[PLAN_SITES_MAX];
	struct side reader[PLAN_SITES_MAX];
	unsigned writers;
	unsigned readers;
	struct pbs *pair[PLAN_SITES_MAX][PLAN_SITES_MAX]; /* [reader][writer] */
	struct write *write;
	size_t writes;
	struct row read_row[PBS_LEVELS_MAX];
	struct row write_row[PBS_LEVELS_MAX];
	struct row read_base[PBS_LEVELS_MAX]; /* of the first phase */
	struct row write_base[PBS_LEVELS_MAX];
};

double pbs_percentile(unsigned i)
{
	return i + 1 < PBS_PERCENTILES ? (i + 1) / 100.0 : 0.999;
}

static void row_add(struct row *row, double value)
{
	if (row->count == row->cap) {
		row->cap = row->cap ? 2 * row->cap : 1024;
		row->value = reallocarray(row->value, row->cap, sizeof *row->value);
		assert(row->value);
	}
	row->value[row->count++] = value;
}

static unsigned need_of(const struct work *k, unsigned site, bool write)
{
	const struct proto_config *cfg = &k->plan->proto;
	enum proto_level level = k->plan->site[site].level;

	if (level == PROTO_DEFAULT)
		level = write ? cfg->write_level : cfg->read_level;
	switch (level) {
	case PROTO_TWO:
		return 2;
	case PROTO_THREE:
		return 3;
	case PROTO_QUORUM:
	case PROTO_LEASE:
		return k->replicas / 2 + 1;
	case PROTO_ALL:
		return k->replicas;
	case PROTO_ONE:
	case PROTO_DEFAULT:
	case PROTO_LEVEL_NR:
		break;
	}
	return 1;
}

static int find_sides(struct work *k, struct err *err)
{
	const struct plan *plan = k->plan;

	for (unsigned i = 0; i < plan->sites; i++) {
		const struct plan_site *site = &plan->site[i];
		struct side side = {.site = i, .contact = plan_contact(plan, i, 0)};

		if (!site->own || site->share <= 0)
			continue;
		side.need = need_of(k, i, site->write > 0);
		if ((site->read && site->write) || side.contact < k->replicas ||
			side.need > PBS_LEVELS_MAX || side.need > k->replicas)
			return err_usage(err,
				"site '%s': its clients must only read or only write, and its "
				"replica have no data",
				site->name);
		if (site->write)
			k->writer[k->writers++] = side;
		else
			k->reader[k->readers++] = side;
	}
	if (k->writers == 0 || k->readers == 0 || !plan->load.one_writer)
		return err_usage(err,
			"lab '%s' is none of this kind: it needs clients() of sites that write and "
			"of sites that read, and load {one_writer = true}",
			plan->name);
	return 0;
}

static double draw(const void *ctx, enum pbs_leg leg, unsigned replica, uint32_t u)
{
	const struct link_state *s = ((const struct ways *)ctx)->link[leg][replica];

	return (double)dist_draw_ns(s->dist, s->delay_ns, s->jitter_ns, u);
}

static struct pbs *predict(const struct work *k, const struct side *reader,
	const struct side *writer, const struct pbs_wish *wish)
{
	struct ways ways = {0};
	const struct pbs_model model = {.draw = draw,
		.ctx = &ways,
		.replicas = k->replicas,
		.r = reader->need,
		.w = writer->need};

	for (unsigned i = 0; i < k->replicas; i++) {
		ways.link[PBS_W][i] = link_matrix_at(k->matrix, writer->contact, i);
		ways.link[PBS_A][i] = link_matrix_at(k->matrix, i, writer->contact);
		ways.link[PBS_R][i] = link_matrix_at(k->matrix, reader->contact, i);
		ways.link[PBS_S][i] = link_matrix_at(k->matrix, i, reader->contact);
	}
	return pbs_open(&model, wish->trials, wish->seed);
}

/* Return: its place, or -1. */
static int side_of(const struct work *k, const struct side *side, unsigned sides, unsigned client)
{
	for (unsigned i = 0; i < sides; i++)
		if (k->plan->site[side[i].site].client == client)
			return (int)i;
	return -1;
}

static int by_key(const void *a, const void *b)
{
	const struct write *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->begin_ns > y->begin_ns) - (x->begin_ns < y->begin_ns);
}

/* The first phase has no delays: what is measured there is the machine. */
static bool is_base(const struct work *k, const struct history_op *op)
{
	return op->phase == 0 && k->plan->phases > 1 && op->outcome == HISTORY_OK;
}

/* The last phase is compared; those before are to connect and to warm up. */
static bool counts(const struct work *k, const struct history_op *op)
{
	return !(op->flags & HISTORY_F_FINAL) && op->phase + 1 == k->plan->phases;
}

static void take_writes(struct work *k, const struct history_ops *ops, struct pbs_report *ret)
{
	k->write = calloc(ops->count + 1, sizeof *k->write);
	assert(k->write);
	for (size_t i = 0; i < ops->count; i++) {
		const struct history_op *op = &ops->op[i];
		int writer = side_of(k, k->writer, k->writers, op->client);
		bool ok = op->outcome == HISTORY_OK;

		if (op->kind != HISTORY_WRITE || writer < 0 || op->error == HISTORY_LATE)
			continue;
		k->write[k->writes++] = (struct write){.key = op->key,
			.value = op->value,
			.begin_ns = op->t_invoke_ns,
			.acked_ns = ok ? op->t_return_ns : UINT64_MAX,
			.writer = (unsigned)writer};
		if (is_base(k, op))
			row_add(&k->write_base[k->writer[writer].need - 1],
				(double)(op->t_return_ns - op->t_invoke_ns));
		if (ok && counts(k, op))
			row_add(&k->write_row[k->writer[writer].need - 1],
				(double)(op->t_return_ns - op->t_invoke_ns));
		ret->failed += !ok;
	}
	qsort(k->write, k->writes, sizeof *k->write, by_key);
}

/* The last write of @key that began before @t_ns; NULL: none did. */
static const struct write *last_before(const struct work *k, uint64_t key, uint64_t t_ns)
{
	const struct write wanted = {.key = key, .begin_ns = t_ns};
	size_t low = 0, high = k->writes;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (by_key(&k->write[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && k->write[low - 1].key == key ? &k->write[low - 1] : NULL;
}

static bool is_later(const struct work *k, const struct write *than, uint64_t value)
{
	const struct write *end = k->write + k->writes;

	for (const struct write *w = than; w < end && w->key == than->key; w++)
		if (w->value == value)
			return true;
	return false;
}

static void add_sample(
	struct pbs_cell *cell, const struct pbs *pair, double t_ns, double range_ns, bool fresh)
{
	struct pbs_bin *bin = &cell->bin[(unsigned)(t_ns / range_ns * PBS_BINS)];

	cell->samples++;
	cell->stale += !fresh;
	bin->samples++;
	bin->fresh += fresh;
	bin->predicted += pbs_fresh(pair, t_ns);
}

/* Return: false if the read is no sample. */
static bool take_read(
	struct work *k, const struct history_op *op, unsigned reader, struct pbs_report *ret)
{
	const struct write *w = last_before(k, op->key, op->t_invoke_ns);
	const struct write *next = w ? w + 1 : NULL;
	const struct pbs *pair;
	double t_ns;

	if (!w || w->acked_ns >= op->t_invoke_ns)
		return false;
	pair = k->pair[reader][w->writer];
	if (next < k->write + k->writes && next->key == w->key &&
		(double)(next->begin_ns - op->t_invoke_ns) <
			pbs_quantile(pair->read, pair->trials, HORIZON))
		return false;
	t_ns = (double)(op->t_invoke_ns - w->acked_ns);
	if (t_ns < ret->range_ns)
		add_sample(&ret->cell[k->reader[reader].need - 1][k->writer[w->writer].need - 1],
			pair, t_ns, ret->range_ns, is_later(k, w, op->value));
	return true;
}

static void take_reads(struct work *k, const struct history_ops *ops, struct pbs_report *ret)
{
	for (size_t i = 0; i < ops->count; i++) {
		const struct history_op *op = &ops->op[i];
		int reader = side_of(k, k->reader, k->readers, op->client);

		if (op->kind != HISTORY_READ || reader < 0 || op->error == HISTORY_LATE)
			continue;
		if (is_base(k, op))
			row_add(&k->read_base[k->reader[reader].need - 1],
				(double)(op->t_return_ns - op->t_invoke_ns));
		if (!counts(k, op))
			continue;
		if (op->outcome != HISTORY_OK) {
			ret->failed++;
			continue;
		}
		row_add(&k->read_row[k->reader[reader].need - 1],
			(double)(op->t_return_ns - op->t_invoke_ns));
		ret->left_out += !take_read(k, op, (unsigned)reader, ret);
	}
}

static void judge_cell(struct pbs_cell *cell, double range_ns)
{
	double squares = 0, noise = 0;
	unsigned bins = 0;

	for (unsigned b = 0; b < PBS_BINS; b++) {
		struct pbs_bin *bin = &cell->bin[b];
		double n = (double)bin->samples, p, is;

		bin->from_ns = range_ns * b / PBS_BINS;
		if (bin->samples < PBS_BIN_LEAST)
			continue;
		p = bin->predicted / n;
		is = (double)bin->fresh / n;
		squares += (is - p) * (is - p);
		noise += p * (1 - p) / n;
		bins++;
	}
	cell->rmse = bins ? sqrt(squares / bins) : NAN;
	cell->noise = bins ? sqrt(noise / bins) : NAN;
}

/* All pairs that make up the cell are as likely as each other. */
static void predict_cell(const struct work *k, struct pbs_cell *cell)
{
	unsigned pairs = 0;

	for (unsigned i = 0; i < k->readers; i++) {
		for (unsigned j = 0; j < k->writers; j++) {
			if (k->reader[i].need != cell->r || k->writer[j].need != cell->w)
				continue;
			cell->fresh0 += pbs_fresh(k->pair[i][j], 0);
			cell->t999_ns = fmax(cell->t999_ns, pbs_visible(k->pair[i][j], 0.999));
			pairs++;
		}
	}
	cell->fresh0 = pairs ? cell->fresh0 / pairs : NAN;
}

static void judge_latency(
	struct row *is, struct row *base, struct row *predicted, struct pbs_latency *ret)
{
	double squares = 0, net = 0, range;

	ret->samples = is->count;
	ret->nrmse = ret->nrmse_net = NAN;
	pbs_sort(base->value, base->count);
	ret->base_ns = pbs_quantile(base->value, base->count, 0.5);
	if (is->count == 0 || predicted->count == 0)
		return;
	pbs_sort(is->value, is->count);
	pbs_sort(predicted->value, predicted->count);
	for (unsigned i = 0; i < PBS_PERCENTILES; i++) {
		double share = pbs_percentile(i), off;

		ret->predicted_ns[i] = pbs_quantile(predicted->value, predicted->count, share);
		ret->measured_ns[i] = pbs_quantile(is->value, is->count, share);
		off = ret->measured_ns[i] - ret->predicted_ns[i];
		squares += off * off;
		net += (off - ret->base_ns) * (off - ret->base_ns);
	}
	range = ret->predicted_ns[PBS_PERCENTILES - 1] - ret->predicted_ns[0];
	ret->nrmse = sqrt(squares / PBS_PERCENTILES) / range;
	ret->nrmse_net = sqrt(net / PBS_PERCENTILES) / range;
}

/* The predictions of all sides at that level, one row. */
static void judge_latencies(struct work *k, unsigned need, struct pbs_report *ret)
{
	struct row read = {0}, write = {0};

	for (unsigned i = 0; i < k->readers; i++) {
		const struct pbs *p = k->pair[i][0];

		for (unsigned n = 0; k->reader[i].need == need && n < p->trials; n++)
			row_add(&read, p->read[n]);
	}
	for (unsigned j = 0; j < k->writers; j++) {
		const struct pbs *p = k->pair[0][j];

		for (unsigned n = 0; k->writer[j].need == need && n < p->trials; n++)
			row_add(&write, p->write[n]);
	}
	judge_latency(&k->read_row[need - 1], &k->read_base[need - 1], &read, &ret->read[need - 1]);
	judge_latency(
		&k->write_row[need - 1], &k->write_base[need - 1], &write, &ret->write[need - 1]);
	free(read.value);
	free(write.value);
}

static void work_fini(struct work *k)
{
	for (unsigned i = 0; i < k->readers; i++)
		for (unsigned j = 0; j < k->writers; j++)
			pbs_close(k->pair[i][j]);
	for (unsigned i = 0; i < PBS_LEVELS_MAX; i++) {
		free(k->read_row[i].value);
		free(k->read_base[i].value);
		free(k->write_base[i].value);
		free(k->write_row[i].value);
	}
	free(k->write);
	free(k);
}

/* As far as the slowest pair needs to be fresh nearly always, and half as far again. */
static void choose_range(const struct work *k, struct pbs_report *ret)
{
	for (unsigned i = 0; ret->range_ns <= 0 && i < k->readers * k->writers; i++)
		ret->range_ns = fmin(ret->range_ns,
			-1.5 * pbs_visible(k->pair[i / k->writers][i % k->writers], 0.999));
	ret->range_ns = fmax(fabs(ret->range_ns), 1e6);
}

static void measure_cells(struct work *k, const struct history_ops *ops,
	const struct pbs_wish *wish, struct pbs_report *ret)
{
	for (unsigned i = 0; i < k->readers; i++)
		for (unsigned j = 0; j < k->writers; j++)
			k->pair[i][j] = predict(k, &k->reader[i], &k->writer[j], wish);
	choose_range(k, ret);
	take_writes(k, ops, ret);
	take_reads(k, ops, ret);
	for (unsigned r = 1; r <= PBS_LEVELS_MAX; r++) {
		for (unsigned w = 1; w <= PBS_LEVELS_MAX; w++) {
			struct pbs_cell *cell = &ret->cell[r - 1][w - 1];

			cell->r = r;
			cell->w = w;
			predict_cell(k, cell);
			judge_cell(cell, ret->range_ns);
		}
		judge_latencies(k, r, ret);
	}
}

int pbs_measure(struct pbs_report *ret, const struct plan *plan, const struct history_ops *ops,
	const struct pbs_wish *wish, struct err *err)
{
	struct work *k = calloc(1, sizeof *k);
	int rc;

	assert(k);
	memset(ret, 0, sizeof *ret);
	k->plan = plan;
	k->matrix = &plan->phase[plan->phases - 1].matrix;
	k->replicas = plan->proto.copies ? plan->proto.copies : plan->replicas;
	ret->replicas = k->replicas;
	ret->range_ns = wish->range_ns;
	rc = k->replicas > PBS_REPLICAS_MAX
		     ? err_usage(err, "%u copies: %u are the most", k->replicas, PBS_REPLICAS_MAX)
		     : find_sides(k, err);
	if (rc == 0)
		measure_cells(k, ops, wish, ret);
	work_fini(k);
	return rc;
}
