/* SPDX-License-Identifier: MIT */
/* serve_index.c - the page that lists what is in a folder of results, newest first */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/report/html.h"
#include "agent/report/look.h"
#include "agent/report/serve.h"
#include "agent/report/summary.h"

#define TIME_TEXT_MAX 32
#define PROC_PATH_MAX 32

/* What makes a folder a run or a comparison. */
static const char *const marks[] = {"results.json", "compare.json", "costs.json"};
/* What there may be to look at, in this order; the first one is for people. */
static const char *const shown[] = {"report.html", "results.json", "compare.json", "compare.csv",
	"costs.json", "costs.csv", "plan.txt", "witness.svg", "history.bin"};

#define MARKS (sizeof marks / sizeof *marks)
#define SHOWN (sizeof shown / sizeof *shown)
_Static_assert(MARKS > 0, "the first mark is that of a run");

/* A folder with a run (mark 0) or a comparison in it. */
struct entry {
	char name[2 * NAME_MAX + 2]; /* with the folder that it is in */
	unsigned mark;
	time_t when;
};

struct listing {
	struct entry entry[SERVE_RUNS_MAX];
	unsigned entries;
	unsigned older; /* that there is no room for */
};

static bool is_file(int dir, const char *name, time_t *ret_when)
{
	int fd = serve_open(dir, name);
	struct stat st;
	bool is;

	if (fd < 0)
		return false;
	is = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	(void)close(fd);
	*ret_when = is ? st.st_mtime : 0;
	return is;
}

/* The oldest makes room. */
static void take(struct listing *l, const struct entry *e)
{
	unsigned oldest = 0;

	if (l->entries < SERVE_RUNS_MAX) {
		l->entry[l->entries++] = *e;
		return;
	}
	l->older++;
	for (unsigned i = 1; i < l->entries; i++)
		if (l->entry[i].when < l->entry[oldest].when)
			oldest = i;
	if (l->entry[oldest].when < e->when)
		l->entry[oldest] = *e;
}

static int newest_first(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;

	if (x->when != y->when)
		return x->when < y->when ? 1 : -1;
	return strcmp(x->name, y->name);
}

static void read_folder(struct listing *l, int dir, const char *below);

/* @below: the folder that @name is in, "": the one that is listed. Runs of one store that differ in
 * their seed are a step further down. */
static void look_at(struct listing *l, int dir, const char *below, const char *name)
{
	struct entry e = {.name = ""};
	int n = snprintf(e.name, sizeof e.name, "%s%s%s", below, below[0] ? "/" : "", name);
	int fd = n < (int)sizeof e.name ? serve_open(dir, e.name) : -1;

	if (fd < 0)
		return;
	for (e.mark = 0; e.mark < MARKS; e.mark++)
		if (is_file(fd, marks[e.mark], &e.when))
			break;
	(void)close(fd);
	if (e.mark < MARKS)
		take(l, &e);
	else if (!below[0])
		read_folder(l, dir, name);
}

static void read_folder(struct listing *l, int dir, const char *below)
{
	int fd = serve_open(dir, below[0] ? below : ".");
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!d) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && (e->d_type == DT_DIR || e->d_type == DT_UNKNOWN))
			look_at(l, dir, below, e->d_name);
	(void)closedir(d);
}

/* Names with slashes between as a part of a link: RFC 3986, 2.3. */
static void put_encoded(FILE *out, const char *name)
{
	for (const char *c = name; *c; c++) {
		if ((*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') ||
			(*c >= 'A' && *c <= 'Z') || strchr("/-._~", *c))
			(void)fputc(*c, out);
		else
			(void)fprintf(out, "%%%02X", (unsigned char)*c);
	}
}

/* @folder with a slash behind it, or "". */
static void put_link(FILE *out, const char *folder, const char *file, const char *words)
{
	(void)fputs("<a href=\"", out);
	put_encoded(out, folder);
	(void)fprintf(out, "%s%s\">", folder[0] ? "/" : "", file);
	html_text(out, words);
	(void)fputs("</a>", out);
}

static void put_files(FILE *out, int dir)
{
	time_t when;

	for (size_t i = 0; i < SHOWN; i++) {
		if (!is_file(dir, shown[i], &when))
			continue;
		(void)fputs("<li>", out);
		put_link(out, "", shown[i], shown[i]);
		(void)fputs("</li>\n", out);
	}
}

/* What the run says of itself; one of an older version, too, as far as it goes. */
static void put_run(FILE *out, int dir)
{
	static const char *const words[][2] = {[EXIT_AS_EXPECTED] = {"good", "as expected"},
		[EXIT_VIOLATED] = {"bad", "violated"},
		[EXIT_INCONCLUSIVE] = {"warn", "inconclusive"}};
	char path[PROC_PATH_MAX];
	struct err err = {0};
	json_t *run = NULL;
	uint64_t status;
	int fd = serve_open(dir, marks[0]);

	if (fd >= 0) {
		(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		(void)summary_load(&run, path, &err);
		(void)close(fd);
	}
	status = look_count(run, "status");
	html_cell_text(out, look_text(json_object_get(run, "verdict"), "pacelc"));
	if (!json_object_get(run, "status") || status >= sizeof words / sizeof *words)
		html_cell_text(out, "not known");
	else
		(void)fprintf(
			out, "<td class=\"t %s\">%s</td>", words[status][0], words[status][1]);
	if (look_simulated(run))
		(void)fputs("<td class=\"t\">simulated: ", out);
	else
		(void)fputs("<td class=\"t\">", out);
	html_text(out, look_text(run, "lab"));
	(void)fputs("</td>", out);
	html_cell_text(out, look_text(run, "store"));
	json_decref(run);
}

/* The page first, for people; all other files are a step further. */
static void put_entry(FILE *out, int dir, const struct entry *e)
{
	char when[TIME_TEXT_MAX] = "";
	int fd = serve_open(dir, e->name);
	time_t of_page;
	struct tm tm;

	if (fd < 0)
		return;
	(void)fputs("<tr><th scope=\"row\">", out);
	put_link(out, e->name, "", e->name);
	(void)fputs("</th>", out);
	if (e->mark == 0) {
		put_run(out, fd);
	} else {
		html_cell_text(out, "");
		html_cell_text(out, "comparison");
		html_cell_text(out, "");
		html_cell_text(out, "");
	}
	(void)fputs("<td class=\"t\">", out);
	if (is_file(fd, shown[0], &of_page))
		put_link(out, e->name, shown[0], shown[0]);
	else
		put_link(out, e->name, marks[e->mark], marks[e->mark]);
	(void)fputs("</td>", out);
	if (localtime_r(&e->when, &tm))
		(void)strftime(when, sizeof when, "%Y-%m-%d %H:%M", &tm);
	html_cell_text(out, when);
	(void)fputs("</tr>\n", out);
	(void)close(fd);
}

static void put_entries(FILE *out, int dir, const struct listing *l)
{
	static const char *const heads[] = {"folder", HTML_LEFT "verdict", HTML_LEFT "result",
		HTML_LEFT "lab", HTML_LEFT "store", HTML_LEFT "look at", HTML_LEFT "finished"};

	html_section(out, "runs", "Runs");
	html_table(out, "Runs and comparisons, newest first", heads, sizeof heads / sizeof *heads);
	for (unsigned i = 0; i < l->entries; i++)
		put_entry(out, dir, &l->entry[i]);
	html_table_end(out);
	if (l->older)
		html_linef(out, "p", NULL, "%u older ones are in the folder.", l->older);
	html_section_end(out);
}

void serve_index(int dir, const char *name, bool below, FILE *out)
{
	struct listing *l = calloc(1, sizeof *l);
	bool some = false;
	time_t when;

	html_begin(out, "pacelab results");
	html_linef(out, "h1", NULL, "Results in %s", name);
	if (below)
		(void)fputs("<nav aria-label=\"Folders\">\n<ul>\n<li><a href=\"../\">The folder "
			    "above</a></li>\n</ul>\n</nav>\n",
			out);
	html_main(out);
	for (size_t i = 0; i < SHOWN; i++)
		some = some || is_file(dir, shown[i], &when);
	if (some) {
		html_section(out, "files", "Files");
		(void)fputs("<ul>\n", out);
		put_files(out, dir);
		(void)fputs("</ul>\n", out);
		html_section_end(out);
	}
	if (l) {
		read_folder(l, dir, "");
		qsort(l->entry, l->entries, sizeof *l->entry, newest_first);
	}
	if (l && l->entries)
		put_entries(out, dir, l);
	else if (!some)
		html_line(out, "p", NULL,
			"No run is here. 'pacelab run cap' makes one, in results/ of the folder "
			"where it is started.");
	/* Not the end that all other pages have: this one does ask a server. */
	(void)fputs("</main>\n<footer>\n<p>Served by pacelab, on this machine only and until it is "
		    "stopped.</p>\n</footer>\n</body>\n</html>\n",
		out);
	free(l);
}
