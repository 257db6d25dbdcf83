/* SPDX-License-Identifier: MIT */
/* log.c - pacelab log: a replica's log, a line for each record */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/buf.h"
#include "agent/base/json.h"
#include "agent/cmd/cmd.h"
#include "store/proto.h"
#include "store/snapshot.h"
#include "store/wal.h"

/* Of a folder; a log has as many when it is a terabyte. */
#define FILES_MAX 65536u

enum { OPT_JSON };

static const struct cmd_option options[] = {
	[OPT_JSON] = {"--json", NULL, "print a JSON array of the records"},
	{NULL, NULL, NULL},
};

struct reader {
	const struct proto_ops *ops; /* NULL: of a protocol that is not known here */
	unsigned id;
	bool json;
	const char *file;
	struct json out;
};

/* The log's header names protocol and replica by a checksum: only those it can be are tried. */
static void find_owner(struct reader *r, uint32_t kind)
{
	for (unsigned i = 0; proto_list(i); i++)
		for (unsigned id = 0; id < PROTO_NODES_MAX; id++)
			if (wal_kind(proto_list(i)->name, id) == kind) {
				r->ops = proto_list(i);
				r->id = id;
				return;
			}
}

static void print_json(struct reader *r, const struct wal_record *record, const char *what)
{
	struct json *j = &r->out;

	json_object(j);
	json_key(j, "file");
	json_string(j, r->file);
	json_key(j, "record");
	json_uint(j, record->seq);
	json_key(j, "offset");
	json_uint(j, record->offset);
	json_key(j, "length");
	json_uint(j, record->whole);
	json_key(j, "what");
	json_string(j, what);
	json_object_end(j);
}

static void print_record(void *arg, const struct wal_record *record)
{
	struct reader *r = arg;
	struct buf text = {0};
	const char *what;

	if (!r->ops || !r->ops->describe ||
		r->ops->describe(record->bytes, record->len, &text) < 0) {
		text.len = 0;
		buf_printf(&text, "unknown, %u bytes", record->len);
	}
	buf_u8(&text, 0);
	what = (const char *)text.p;
	if (r->json)
		print_json(r, record, what);
	else
		printf("%8llu  %10llu  %7llu  %s\n", (unsigned long long)record->seq,
			(unsigned long long)record->offset, (unsigned long long)record->whole,
			what);
	buf_fini(&text);
}

static void print_head(const struct reader *r, const char *what)
{
	if (r->json)
		return;
	if (r->ops)
		printf("%s of replica %u, protocol %s\n", what, r->id, r->ops->name);
	else
		printf("%s of an unknown protocol\n", what);
	printf("%8s  %10s  %7s  %s\n", "record", "offset", "length", "what");
}

/* A segment of the log or a snapshot, as its first bytes say. */
static int read_one(struct reader *r, const char *path, struct err *err)
{
	struct wal_file file = {.fd = open(path, O_RDONLY | O_CLOEXEC),
		.name = path,
		.each = print_record,
		.arg = r};
	struct snapshot_report snapshot;
	struct wal_report report;
	uint32_t kind;
	int ret;

	if (file.fd < 0)
		return err_usage(err, "open %s: %s", path, strerror(errno));
	r->file = path;
	if (snapshot_is(&file, &kind)) {
		find_owner(r, kind);
		print_head(r, "snapshot");
		ret = snapshot_walk(&file, &snapshot, err);
		if (ret == 0 && !r->json)
			printf("whole: %llu records in place of the log's first %llu\n",
				(unsigned long long)snapshot.records,
				(unsigned long long)snapshot.after);
	} else {
		ret = wal_whose(&file, &kind, err);
		find_owner(r, kind);
		if (ret == 0)
			print_head(r, "log");
		if (ret == 0)
			ret = wal_walk(&file, &report, err);
		if (ret == 0 && !r->json && report.torn_bytes)
			printf("torn: %llu bytes at offset %llu of a write that did not end\n",
				(unsigned long long)report.torn_bytes,
				(unsigned long long)report.end);
	}
	close(file.fd);
	return ret;
}

struct entry {
	bool log;
	uint64_t number;
};

/* Snapshots first, then the log, each from the oldest on. */
static int by_age(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;

	if (x->log != y->log)
		return x->log ? 1 : -1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static bool entry_of(const char *name, struct entry *ret)
{
	int segment = wal_number(name);

	ret->log = segment >= 0;
	ret->number = segment >= 0 ? (uint64_t)segment : snapshot_after(name);
	return ret->log || ret->number > 0;
}

static size_t list_folder(DIR *dir, struct entry *ret, size_t max)
{
	const struct dirent *e;
	size_t n = 0;

	while (n < max && (e = readdir(dir)))
		n += entry_of(e->d_name, &ret[n]);
	qsort(ret, n, sizeof *ret, by_age);
	return n;
}

static bool prepared_only(const char *path)
{
	struct wal_file file = {.fd = open(path, O_RDONLY | O_CLOEXEC), .name = path};
	struct err ignored = {0};
	uint32_t kind = 0;
	bool empty = file.fd >= 0 && wal_whose(&file, &kind, &ignored) < 0 &&
		     ignored.status == EXIT_USAGE;

	if (file.fd >= 0)
		close(file.fd);
	return empty;
}

static int read_folder(struct reader *r, const char *folder, DIR *dir, struct err *err)
{
	struct entry *entry = calloc(FILES_MAX, sizeof *entry);
	size_t n;
	int ret = 0;

	if (!entry)
		return err_set(err, -ENOMEM, EXIT_INTERNAL, "no memory");
	n = list_folder(dir, entry, FILES_MAX);
	if (n == 0)
		ret = err_usage(err, "%s: no file of a replica's log is there", folder);
	for (size_t i = 0; i < n && ret == 0; i++) {
		char name[SNAPSHOT_NAME_MAX];
		char path[PATH_MAX];

		if (entry[i].log)
			wal_name((unsigned)entry[i].number, name);
		else
			snapshot_name(entry[i].number, name);
		(void)snprintf(path, sizeof path, "%s/%s", folder, name);
		if (!entry[i].log || !prepared_only(path))
			ret = read_one(r, path, err);
	}
	free(entry);
	return ret;
}

static int log_main(const struct cmd_line *line, struct err *err)
{
	const char *path = line->arg[0];
	struct reader r = {.json = line->value[OPT_JSON]};
	DIR *dir = opendir(path);
	int ret;

	if (r.json) {
		json_init(&r.out, stdout);
		json_array(&r.out);
	}
	ret = dir ? read_folder(&r, path, dir, err) : read_one(&r, path, err);
	if (r.json)
		json_array_end(&r.out);
	if (dir)
		closedir(dir);
	if (ret == -EBADMSG)
		err->status = EXIT_USAGE;
	return ret < 0 ? (int)err->status : EXIT_AS_EXPECTED;
}

const struct cmd log_cmd = {
	.name = "log",
	.args = "PATH",
	.summary = "print a replica's log, a line for each record",
	.help = "PATH is a replica's data folder, which `pacelab run --keep` keeps, or one file of it:\n"
		"replica.log, replica.log.1 ... are the log, replica.snapshot.N is what stands for its\n"
		"first N records. Printed are each record's number, offset and length in the file, and\n"
		"what it says. Nothing is changed. A damaged file is printed up to the damage; then file\n"
		"and offset are named and the exit status is 64.\n",
	.args_min = 1,
	.args_max = 1,
	.option = options,
	.main = log_main,
};
