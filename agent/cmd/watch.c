/* SPDX-License-Identifier: MIT */
/*
 * watch.c - pacelab watch: a lab that is up, live
 *
 * The lab is asked over its control socket, once an interval, and never waited for: it may be
 * gathering evidence, with its loop standing still. The load's counters are in memory that comes
 * along with the answer, so they move all the same.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/units.h"
#include "agent/base/wrap.h"
#include "agent/cmd/remote.h"
#include "agent/cmd/watch_draw.h"
#include "agent/lab/control.h"

#define INTERVAL_NS (500 * NS_PER_MS)
#define INTERVAL_NS_MIN (100 * NS_PER_MS)
#define INTERVAL_NS_MAX (3600 * NS_PER_S)
#define EXIT_SIGNALLED 128 /* plus the signal, as shells say it */

enum { OPT_LAB, OPT_INTERVAL, OPT_ONCE, OPT_PLAIN };

static const struct cmd_option options[] = {
	[OPT_LAB] = {"--lab", "NAME", REMOTE_LAB_HELP},
	[OPT_INTERVAL] = {"--interval", "TIME", "between two looks, 100ms to 1h; default: 500ms"},
	[OPT_ONCE] = {"--once", NULL, "one picture, after one interval, and no more"},
	[OPT_PLAIN] = {"--plain", NULL, "only what changes, in lines, as if into a file"},
	{NULL, NULL, NULL},
};

/* Why the watch is over. */
enum end { END_NOT, END_WANTED, END_GONE, END_BAD };

struct watch {
	char lab[33];
	uint64_t interval_ns;
	bool once;
	struct term term;
	bool drawing; /* pictures; else lines */
	int signals;
	int signal; /* that ends it */
	struct control_talk talk;
	bool asked; /* an answer is due */
	uint64_t asked_ns;
	struct watch_lab *now; /* NULL: nothing has been heard yet */
	struct watch_lab *before;
	unsigned heard;
	const struct load_shared *shared; /* NULL: no load */
	struct pulse *pulse;
	enum end end;
	struct err *err;
};

static void load_forget(struct watch *w)
{
	if (w->shared)
		(void)munmap((void *)w->shared, sizeof *w->shared);
	w->shared = NULL;
}

/* Counters of the load, if they are of this version and the answer brought them. */
static void load_take(struct watch *w, int fd)
{
	struct stat st;
	void *p;

	if (w->shared || fd < 0)
		return;
	if (fstat(fd, &st) || (size_t)st.st_size != sizeof *w->shared)
		return;
	p = mmap(NULL, sizeof *w->shared, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return;
	w->shared = p;
	if (w->shared->version != LOAD_SHARED_VERSION) {
		load_forget(w);
		return;
	}
	pulse_init(w->pulse, w->shared, PLAN_PHASES_MAX, w->now->sites);
}

/* The answer is whole: status byte and JSON. */
static void answer_take(struct watch *w)
{
	struct watch_lab *last = w->before;

	buf_u8(&w->talk.answer, '\0');
	w->before = w->now;
	w->now = last;
	if (w->talk.answer.p[0] != EXIT_AS_EXPECTED) {
		(void)err_set(w->err, -EREMOTEIO, (enum exit_status)w->talk.answer.p[0], "%s",
			(char *)w->talk.answer.p + 1);
		w->end = END_BAD;
	} else if (watch_read((char *)w->talk.answer.p + 1, w->now, w->err)) {
		w->end = END_BAD;
	} else {
		w->heard++;
		load_take(w, w->talk.fd);
	}
	control_talk_end(&w->talk);
	w->asked = false;
}

static void ask(struct watch *w, uint64_t now_ns)
{
	static const char *const word[] = {"live", "json", NULL};
	int rc = control_talk_begin(&w->talk, w->lab, word);

	w->asked_ns = now_ns;
	w->asked = rc == 0;
	/* Too many ask at once: again in the next turn. */
	if (rc && rc != -EAGAIN)
		w->end = END_GONE;
}

static void draw(struct watch *w, uint64_t now_ns)
{
	struct pulse_rates rates;
	struct watch_picture picture = {.view = w->now,
		.before = w->heard > 1 ? w->before : NULL,
		.now_ns = now_ns,
		.silent_ns = w->asked ? now_ns - w->asked_ns : 0,
		.keys = w->term.keys};
	struct look look = w->term.look;
	struct canvas canvas;

	if (w->shared) {
		pulse_rates(w->pulse, &rates);
		picture.load = &rates;
	}
	if (w->once)
		look.rows = 0;
	canvas_init(&canvas, &look);
	watch_draw(&canvas, &picture);
	if (w->once)
		fputs(canvas_text(&canvas), stdout);
	else
		term_show(&w->term, canvas_text(&canvas));
	canvas_fini(&canvas);
}

/* There is news, or time has passed. */
static void show(struct watch *w, bool news, uint64_t now_ns)
{
	if (!w->heard)
		return;
	if (w->shared)
		pulse_take(w->pulse, now_ns);
	if (w->once) {
		/* Rates are between two answers. */
		if (news && w->heard > 1) {
			draw(w, now_ns);
			w->end = END_WANTED;
		}
	} else if (w->drawing) {
		term_measure(&w->term);
		draw(w, now_ns);
	} else if (news) {
		watch_changes(w->heard > 1 ? w->before : NULL, w->now, stdout);
		(void)fflush(stdout);
	}
}

static void signal_take(struct watch *w)
{
	struct signalfd_siginfo info;

	while (read(w->signals, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGWINCH)
			continue;
		w->signal = (int)info.ssi_signo;
		w->end = END_WANTED;
	}
}

static void key_take(struct watch *w)
{
	char key;

	if (read(STDIN_FILENO, &key, 1) != 1)
		w->term.keys = false; /* nobody is there any more */
	else if (key == 'q' || key == 'Q')
		w->end = END_WANTED;
}

/* Return: whether there is news of the lab. */
static bool turn(struct watch *w, uint64_t due_ns)
{
	uint64_t now = clock_now_ns();
	struct pollfd p[] = {{.fd = w->asked ? w->talk.sock : -1, .events = POLLIN},
		{.fd = w->signals, .events = POLLIN},
		{.fd = w->term.keys ? STDIN_FILENO : -1, .events = POLLIN}};
	uint64_t wait_ms = due_ns > now ? (due_ns - now) / NS_PER_MS + 1 : 0;
	int rc = 0;

	if (poll(p, 3, (int)wait_ms) <= 0)
		return false;
	if (p[1].revents)
		signal_take(w);
	if (p[2].revents)
		key_take(w);
	if (p[0].revents)
		rc = control_talk_step(&w->talk);
	if (rc < 0)
		w->end = END_GONE;
	if (rc > 0)
		answer_take(w);
	return rc > 0;
}

static void watch_run(struct watch *w)
{
	uint64_t due = 0;
	bool news = false;

	while (!w->end) {
		uint64_t now = clock_now_ns();

		if (now >= due) {
			due = now + w->interval_ns;
			if (!w->asked)
				ask(w, now);
		}
		if (w->end)
			break;
		news = turn(w, due);
		if (!w->end)
			show(w, news, clock_now_ns());
	}
}

static int signals_take(struct watch *w, struct err *err)
{
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGHUP);
	sigaddset(&ours, SIGWINCH);
	(void)sigprocmask(SIG_BLOCK, &ours, NULL);
	w->signals = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
	return w->signals < 0 ? err_sys(err, -errno, "signalfd") : 0;
}

static int interval_read(const char *text, uint64_t *ret, struct err *err)
{
	*ret = INTERVAL_NS;
	if (!text)
		return 0;
	if (units_parse_duration(text, ret, err))
		return err_wrap(err, "--interval");
	if (*ret < INTERVAL_NS_MIN || *ret > INTERVAL_NS_MAX)
		return err_usage(err, "--interval %s: it is from 100ms to 1h", text);
	return 0;
}

static int watch_init(struct watch *w, const struct cmd_line *line, struct err *err)
{
	const char *lab = line->args ? line->arg[0] : line->value[OPT_LAB];

	*w = (struct watch){.signals = -1, .talk = {.sock = -1, .fd = -1}, .err = err};
	if (line->args && line->value[OPT_LAB])
		return err_usage(err, "name the lab once: as argument, or with --lab");
	w->once = line->value[OPT_ONCE] != NULL;
	if (interval_read(line->value[OPT_INTERVAL], &w->interval_ns, err))
		return err->code;
	if (cmd_need_root(line->cmd, err))
		return err->code;
	names_sweep();
	if (control_lab(lab, w->lab, err) || signals_take(w, err))
		return err->code;
	w->now = calloc(1, sizeof *w->now);
	w->before = calloc(1, sizeof *w->before);
	w->pulse = calloc(1, sizeof *w->pulse);
	if (!w->now || !w->before || !w->pulse)
		return err_sys(err, -ENOMEM, "watch the lab");
	term_open(&w->term, STDOUT_FILENO);
	if (!w->term.terminal)
		w->term.look.columns = WRAP_COLUMNS + 1;
	w->drawing = w->term.terminal && !w->once && !line->value[OPT_PLAIN];
	if (w->drawing)
		term_screen(&w->term);
	return 0;
}

/* Return: exit status. */
static int watch_end(const struct watch *w)
{
	if (w->err->code)
		return (int)w->err->status;
	if (w->end == END_GONE && !w->heard)
		return err_set(w->err, -ECONNREFUSED, EXIT_USAGE,
			"lab '%s' does not answer: it is just starting or ending", w->lab);
	if (w->end == END_GONE)
		printf("lab %s is gone\n", w->lab);
	/* Ctrl-C is how a watch is ended; other signals mean something else. */
	if (w->signal && w->signal != SIGINT)
		return EXIT_SIGNALLED + w->signal;
	return EXIT_AS_EXPECTED;
}

static int watch_main(const struct cmd_line *line, struct err *err)
{
	struct watch w;
	int status;

	if (watch_init(&w, line, err) == 0)
		watch_run(&w);
	if (w.drawing)
		term_close(&w.term);
	status = watch_end(&w);
	control_talk_end(&w.talk);
	load_forget(&w);
	free(w.now);
	free(w.before);
	free(w.pulse);
	if (w.signals >= 0)
		close(w.signals);
	return status;
}

const struct cmd watch_cmd = {
	.name = "watch",
	.args = "[LAB]",
	.summary = "show a lab that is up, live",
	.help = "A node a row: what its replica is, its frames a second, its links to all others;\n"
		"a site a row if that is too much. Above: phase, load, faults, leader. 'q' or\n"
		"ctrl-C ends it. Where standard output is no terminal: a line for each change.\n"
		"Latencies are those of the load of 'pacelab run'; a lab of 'up' has none.\n"
		"Exit status: 0 when it was ended or the lab is gone, 64 if there is no such lab.\n",
	.args_max = 1,
	.option = options,
	.main = watch_main,
};
