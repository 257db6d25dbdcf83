/* SPDX-License-Identifier: MIT */
/*
 * sim_disk.c - what a simulated replica has on disk: its log, its snapshot
 *
 * The disk writes all that is waiting in one go, as a log with group commit does. A crash leaves
 * all that was reported and any number of the records after it (rule 3 of proto.h).
 *
 * A snapshot (rule 7) is taken in parts, with any other events in between, and goes to the disk by
 * itself. It counts when it is there and so is the log up to its last part; then the records that
 * it stands for are forgotten. A crash before leaves everything as it was. With config.archive
 * nothing is really forgotten: at each restart the replica is compared with one that was restored
 * from every record that there ever was.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sim/sim.h"
#include "agent/sim/sim_torn.h"

#define PART_NS (2 * NS_PER_MS) /* mean pause between the parts of a snapshot */

static void copy(struct sim_record *record, const void *bytes, size_t len)
{
	record->bytes = malloc(len);
	assert(record->bytes);
	memcpy(record->bytes, bytes, len);
	record->len = len;
}

/* The log. */

uint64_t sim_disk_persist(struct sim_node *n, const void *bytes, size_t len)
{
	assert(len > 0 && len <= PROTO_MESSAGE_MAX);
	if (n->records == n->records_cap) {
		n->records_cap = n->records_cap ? 2 * n->records_cap : 64;
		n->record = realloc(n->record, n->records_cap * sizeof(*n->record));
		assert(n->record);
	}
	copy(&n->record[n->records++], bytes, len);
	sim_disk_write(n);
	return n->records;
}

void sim_disk_write(struct sim_node *n)
{
	struct sim *sim = n->sim;
	uint64_t span = sim->config.persist_ns_max - sim->config.persist_ns_min;
	struct sim_event e = {.kind = SIM_PERSISTED, .node = n->id, .life = n->life};

	if (n->writing || n->full || n->records == n->records_durable)
		return;
	n->writing = true;
	n->records_writing = n->records;
	e.at_ns = sim->config.persist_ns_min + prng_below(&n->chance, span + 1);
	if (sim->config.slow_disk == n->id + 1)
		e.at_ns *= SIM_SLOW_DISK;
	e.at_ns += sim->now_ns;
	if (n->stalled) {
		sim->count[SIM_STALLS]++;
		e.at_ns += SIM_STALL_NS;
	}
	sim_schedule(sim, &e);
}

void sim_disk_done(struct sim_node *n)
{
	struct sim *sim = n->sim;
	uint64_t seq = n->records_writing;

	n->writing = false;
	n->records_durable = n->records_writing;
	sim_disk_write(n);
	sim->config.ops->persisted(n->proto, seq);
	sim_checked(sim, n->id, true);
	if (n->snapping == SIM_SNAP_WAIT)
		sim_disk_snap(n);
}

/* Snapshots. */

static void snapshot_drop(struct sim_snapshot *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->record[i].bytes);
	free(s->record);
	*s = (struct sim_snapshot){0};
}

static void snapshot_record(void *arg, const void *bytes, size_t len)
{
	struct sim_snapshot *s = arg;

	assert(len > 0 && len <= PROTO_MESSAGE_MAX);
	if (s->count == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 16;
		s->record = realloc(s->record, s->cap * sizeof(*s->record));
		assert(s->record);
	}
	copy(&s->record[s->count++], bytes, len);
}

static void snap_at(struct sim_node *n, double mean_ns)
{
	const struct sim_event e = {
		.kind = SIM_SNAP,
		.node = n->id,
		.life = n->life,
		.at_ns = n->sim->now_ns + 1 + (uint64_t)prng_exp(&n->chance, mean_ns),
	};

	sim_schedule(n->sim, &e);
}

static void snap_part(struct sim_node *n)
{
	if (!n->sim->config.ops->snapshot(n->proto, &n->walk)) {
		n->taking.last = n->records;
		n->snapping = SIM_SNAP_DISK;
	}
	sim_checked(n->sim, n->id, true);
	snap_at(n, (double)PART_NS);
}

static void snap_begin(struct sim_node *n)
{
	if (n->records == n->snapshot.from) { /* there is nothing that it could replace */
		snap_at(n, (double)n->sim->config.snapshot_ns);
		return;
	}
	n->taking = (struct sim_snapshot){.from = n->records};
	n->walk = (struct proto_snapshot){.record = snapshot_record, .arg = &n->taking};
	n->snapping = SIM_SNAP_PARTS;
	sim_trace(n->sim, "r%u begins a snapshot at record %zu", n->id, n->records);
	snap_part(n);
}

static void snap_counts(struct sim_node *n)
{
	struct sim *sim = n->sim;

	for (size_t i = n->snapshot.from; i < n->taking.from && !sim->config.archive; i++) {
		free(n->record[i].bytes);
		n->record[i].bytes = NULL;
	}
	snapshot_drop(&n->snapshot);
	n->snapshot = n->taking;
	n->taking = (struct sim_snapshot){0};
	n->snapping = SIM_SNAP_IDLE;
	sim->count[SIM_SNAPSHOTS]++;
	sim_trace(sim, "r%u has a snapshot of %zu records in place of %zu", n->id,
		n->snapshot.count, n->snapshot.from);
	if (sim->config.ops->snapshot_done)
		sim->config.ops->snapshot_done(n->proto, &n->walk);
	sim_checked(sim, n->id, true);
	snap_at(n, (double)sim->config.snapshot_ns);
}

void sim_disk_snap(struct sim_node *n)
{
	switch (n->snapping) {
	case SIM_SNAP_IDLE:
		snap_begin(n);
		break;
	case SIM_SNAP_PARTS:
		snap_part(n);
		break;
	case SIM_SNAP_DISK:
		n->snapping = SIM_SNAP_WAIT;
		__attribute__((fallthrough));
	case SIM_SNAP_WAIT:
		if (n->records_durable >= n->taking.last || PROTO_BUG(BUG_LOG_SNAPSHOT_TOO_EARLY))
			snap_counts(n);
		break;
	}
}

/* Crash and restart. */

void sim_disk_crash(struct sim_node *n)
{
	struct sim *sim = n->sim;
	size_t keep = n->records_durable +
		      (size_t)prng_below(&n->chance, n->records - n->records_durable + 1);

	if (prng_below(&n->chance, SIM_PPM) < sim->config.torn_ppm)
		keep = sim_torn(n);
	if (PROTO_BUG(BUG_LOG_DROPS_ACKED) && keep == n->records_durable && keep > n->snapshot.from)
		keep--;
	sim_trace(sim, "r%u crashes, %zu of %zu records left", n->id, keep, n->records);
	sim->count[SIM_RECORDS_LOST] += n->records - keep;
	for (size_t i = keep; i < n->records; i++)
		free(n->record[i].bytes);
	n->records = keep;
	n->writing = false;
	if (n->snapping != SIM_SNAP_IDLE) {
		sim->count[SIM_SNAPSHOTS_LOST]++;
		snapshot_drop(&n->taking);
	}
	n->snapping = SIM_SNAP_IDLE;
}

static void restore(
	struct sim_node *n, struct proto *p, const struct sim_record *record, size_t count)
{
	bool log = record >= n->record && record < n->record + n->records;
	size_t first = log ? (size_t)(record - n->record) + 1 : 1;

	for (size_t i = 0; i < count; i++) {
		int rc = n->sim->config.ops->restore(p, record[i].bytes, record[i].len);

		if (rc)
			sim_fail(n->sim, "r%u does not know its own record %zu of its %s (%d)",
				n->id, first + i, log ? "log" : "snapshot", rc);
	}
}

/* What all records make of a replica must be what the snapshot and the others made of it. */
static void compare(struct sim_node *n)
{
	struct table *table = table_open();
	struct proto_config cfg = n->sim->config.proto;
	struct proto *full;

	cfg.self = n->id;
	full = proto_open(n->sim->config.ops, &cfg, &n->io, table);
	restore(n, full, n->record, n->records);
	n->sim->count[SIM_COMPARED]++;
	sim_check_restored(n->sim, n->id, full, table);
	proto_close(full);
	table_close(table);
}

void sim_disk_boot(struct sim_node *n)
{
	struct sim *sim = n->sim;

	assert(n->snapshot.from <= n->records);
	restore(n, n->proto, n->snapshot.record, n->snapshot.count);
	restore(n, n->proto, n->record + n->snapshot.from, n->records - n->snapshot.from);
	n->records_writing = n->records;
	n->records_durable = n->records;
	n->writing = false;
	if (n->snapshot.from)
		sim->count[SIM_RESTORED]++;
	if (n->snapshot.from && sim->config.archive)
		compare(n);
	if (sim->config.snapshot_ns && sim->config.ops->snapshot)
		snap_at(n, (double)sim->config.snapshot_ns);
}

void sim_disk_fini(struct sim_node *n)
{
	for (size_t i = 0; i < n->records; i++)
		free(n->record[i].bytes);
	free(n->record);
	snapshot_drop(&n->taking);
	snapshot_drop(&n->snapshot);
}
