/* SPDX-License-Identifier: MIT */
/* ci.c - the files that --junit and --markdown ask for: what a service for CI shows of runs */
#include "agent/cmd/ci.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/lab/outdir.h"
#include "agent/report/junit.h"
#include "agent/report/look.h"
#include "agent/report/markdown.h"

#define HOST_MAX 256
#define CI_FILE_MODE 0644

/* A file that is made only to see if it can be is removed again. */
static int try_file(const char *option, const char *path, struct err *err)
{
	bool made = true;
	int fd;

	if (!path)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, CI_FILE_MODE);
	if (fd < 0 && errno == EEXIST) {
		made = false;
		fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
	}
	if (fd < 0)
		return err_usage(err, "%s %s: %s; name a file that can be written", option, path,
			strerror(errno));
	(void)close(fd);
	if (made)
		(void)unlink(path);
	return 0;
}

int ci_try(const struct ci_wish *wish, struct err *err)
{
	int rc = try_file("--junit", wish->junit, err);

	return rc ? rc : try_file("--markdown", wish->markdown, err);
}

static FILE *ci_open(const char *path, const char *mode, struct err *err)
{
	FILE *f = fopen(path, mode);

	if (!f)
		(void)err_sys(err, -errno, "write %s", path);
	return f;
}

/* Only a file of our own making may be removed because it is not whole. */
static int ci_close(FILE *f, const char *path, bool ours, struct err *err)
{
	struct stat st;

	if (ours && fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode))
		return file_keep(f, path, err);
	return fclose(f) ? err_sys(err, -errno, "write %s", path) : 0;
}

static int put_junit(const char *path, const struct junit_suite *suite, unsigned n, struct err *err)
{
	char host[HOST_MAX] = "";
	FILE *f;

	if (!path)
		return 0;
	f = ci_open(path, "we", err);
	if (!f)
		return err->code;
	if (gethostname(host, sizeof host - 1))
		(void)snprintf(host, sizeof host, "localhost");
	junit_print(suite, n, host, time(NULL), f);
	return ci_close(f, path, true, err);
}

int ci_run(const struct ci_wish *wish, const char *path, struct err *err)
{
	struct junit_suite suite = {0};
	json_t *results;
	FILE *f;
	int rc;

	if (!wish->junit && !wish->markdown)
		return 0;
	rc = summary_load(&results, path, err);
	if (rc)
		return rc;
	suite.lab = look_text(results, "lab");
	suite.store = look_text(results, "store");
	suite.results = results;
	rc = put_junit(wish->junit, &suite, 1, err);
	if (!rc && wish->markdown) {
		f = ci_open(wish->markdown, "ae", err);
		if (f)
			markdown_run(results, f);
		rc = f ? ci_close(f, wish->markdown, false, err) : err->code;
	}
	json_decref(results);
	return rc;
}

/* A suite for each store; what could not be read is the caller's failure, but is dropped here. */
static int load_suites(
	const struct compare_page *p, json_t **results, struct junit_suite *suite, struct err *err)
{
	char path[OUTDIR_FILE_MAX];

	for (unsigned i = 0; i < p->runs; i++) {
		const struct compare_run *s = &p->run[i];

		suite[i] = (struct junit_suite){
			.lab = p->lab, .store = s->system->name, .why = s->why};
		if (!s->dir)
			continue;
		(void)snprintf(path, sizeof path, "%s/%s/results.json", p->dir, s->dir);
		if (summary_load(&results[i], path, err))
			return err->code;
		suite[i].results = results[i];
		for (unsigned k = 0; k < p->runs; k++)
			suite[i].several |= k != i && p->run[k].system == s->system;
	}
	return 0;
}

static int put_suites(const char *path, const struct compare_page *p, struct err *err)
{
	json_t **results = calloc(p->runs + 1, sizeof(json_t *));
	struct junit_suite *suite = calloc(p->runs + 1, sizeof *suite);
	int rc = results && suite ? load_suites(p, results, suite, err)
				  : err_sys(err, -ENOMEM, "write %s", path);

	if (!rc)
		rc = put_junit(path, suite, p->runs, err);
	for (unsigned i = 0; results && i < p->runs; i++)
		json_decref(results[i]);
	free(results);
	free(suite);
	return rc;
}

int ci_compared(const struct ci_wish *wish, const struct compare_page *p, struct err *err)
{
	int rc = wish->junit ? put_suites(wish->junit, p, err) : 0;
	FILE *f;

	if (rc || !wish->markdown)
		return rc;
	f = ci_open(wish->markdown, "ae", err);
	if (!f)
		return err->code;
	markdown_comparison(p, f);
	return ci_close(f, wish->markdown, false, err);
}
