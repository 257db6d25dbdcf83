/* SPDX-License-Identifier: MIT */
/* log.c - pacelab log: a replica's log, a line for each record */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/base/buf.h"
#include "agent/base/json.h"
#include "agent/cmd/cmd.h"
#include "store/proto.h"
#include "store/wal.h"

enum { OPT_JSON };

static const struct cmd_option options[] = {
	[OPT_JSON] = {"--json", NULL, "print a JSON array of the records"},
	{NULL, NULL, NULL},
};

struct reader {
	const struct proto_ops *ops; /* NULL: of a protocol that is not known here */
	unsigned id;
	bool json;
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

static void print_json(struct json *j, const struct wal_record *record, const char *what)
{
	json_object(j);
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
		print_json(&r->out, record, what);
	else
		printf("%8llu  %10llu  %7llu  %s\n", (unsigned long long)record->seq,
			(unsigned long long)record->offset, (unsigned long long)record->whole,
			what);
	buf_fini(&text);
}

static void print_head(struct reader *r)
{
	if (r->json) {
		json_init(&r->out, stdout);
		json_array(&r->out);
		return;
	}
	if (r->ops)
		printf("log of replica %u, protocol %s\n", r->id, r->ops->name);
	else
		printf("log of an unknown protocol\n");
	printf("%8s  %10s  %7s  %s\n", "record", "offset", "length", "what");
}

static int read_log(int fd, const char *path, bool json, struct err *err)
{
	struct reader r = {.json = json};
	struct wal_file file = {.fd = fd, .name = path, .each = print_record, .arg = &r};
	struct wal_report report;
	uint32_t kind;
	int ret = wal_whose(&file, &kind, err);

	if (ret < 0)
		return ret;
	find_owner(&r, kind);
	print_head(&r);
	ret = wal_walk(&file, &report, err);
	if (json)
		json_array_end(&r.out);
	else if (ret == 0 && report.torn_bytes)
		printf("torn: %llu bytes at offset %llu of a write that did not end\n",
			(unsigned long long)report.torn_bytes, (unsigned long long)report.end);
	return ret;
}

static int log_main(const struct cmd_line *line, struct err *err)
{
	const char *path = line->arg[0];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0) {
		(void)err_usage(err, "open %s: %s", path, strerror(errno));
		return err->status;
	}
	ret = read_log(fd, path, line->value[OPT_JSON], err);
	close(fd);
	if (ret == -EBADMSG)
		err->status = EXIT_USAGE;
	return ret < 0 ? (int)err->status : EXIT_AS_EXPECTED;
}

const struct cmd log_cmd = {
	.name = "log",
	.args = "FILE",
	.summary = "print a replica's log, a line for each record",
	.help = "FILE is replica.log of a replica's data, which `pacelab run --keep` keeps. Printed are\n"
		"each record's number, offset and length in the file, and what it says. The file is not\n"
		"changed. A damaged log is printed up to the damage; then file and offset are named and\n"
		"the exit status is 64.\n",
	.args_min = 1,
	.args_max = 1,
	.option = options,
	.main = log_main,
};
