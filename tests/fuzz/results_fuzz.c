/* SPDX-License-Identifier: MIT */
/*
 * results_fuzz.c - any bytes as a results.json: refused with a place, or told as a summary, as
 * Markdown, and as JUnit XML that is well-formed
 */
#include <assert.h>
#include <expat.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "agent/report/junit.h"
#include "agent/report/markdown.h"
#include "tests/fuzz/again.h"
#include "tests/fuzz/fuzz.h"

static void take_junit(const json_t *results)
{
	const struct junit_suite suite = {
		.lab = "l<a>b", .store = "raft", .several = true, .results = results};
	XML_Parser parser = XML_ParserCreate("UTF-8");
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert(parser && out);
	junit_print(&suite, 1, "host", 0, out);
	assert(fclose(out) == 0);
	assert(XML_Parse(parser, text, (int)size, 1) == XML_STATUS_OK);
	XML_ParserFree(parser);
	free(text);
}

static void take_markdown(const json_t *results)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert(out);
	markdown_run(results, out);
	assert(fclose(out) == 0);
	assert(!strchr(text, '\r') && strncmp(text, "### ", 4) == 0);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[32];
	int fd = file_of(data, size, path);
	struct err err = {0};
	struct summary summary;
	json_t *results;

	if (summary_read(&summary, path, &err))
		assert(err.status == EXIT_USAGE && strstr(err.text, path));
	if (summary_load(&results, path, &err) == 0) {
		take_junit(results);
		take_markdown(results);
		json_decref(results);
	} else {
		assert(err.status == EXIT_USAGE && strncmp(err.text, path, strlen(path)) == 0);
	}
	(void)close(fd);
	return 0;
}
