/* SPDX-License-Identifier: MIT */
/*
 * term.c - a terminal to draw on
 *
 * Theory of operation. Movements are relative, so that what was printed before stays in the
 * terminal's own scrollback. A picture is one write, so that nobody sees half of one. Where the
 * terminal became narrower, it has wrapped the lines that stand there: so many more are gone up.
 *
 * Whatever ends or stops the program, the cursor is shown again and keys are echoed, by a handler
 * that does nothing else; only SIGKILL takes no notice of it.
 */
#include "agent/base/term.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "agent/base/buf.h"

#define COLUMNS_OTHERWISE 80
#define ROWS_OTHERWISE 24
/* A terminal that takes nothing for so long (ctrl-S) misses a picture. */
#define WRITE_WAIT_MS 200

#define ESC "\033["
#define CURSOR_HIDE ESC "?25l"
#define CURSOR_SHOW ESC "?25h"
#define LINE_CLEAR ESC "K"
#define BELOW_CLEAR ESC "J"
#define SCREEN_TAKE ESC "?1049h"
#define SCREEN_LEAVE ESC "?1049l"
#define HOME ESC "H"
#define PLAIN ESC "0m"

/* What the handlers need: there is one terminal for a process. */
static struct {
	volatile sig_atomic_t fd; /* -1: nothing to restore */
	volatile sig_atomic_t screen;
	volatile sig_atomic_t keys;
	volatile sig_atomic_t stopped; /* the program was, since the last picture */
	struct termios before;
} guard = {.fd = -1};

/* Async-signal-safe: write(2) and tcsetattr(3) alone. */
static void guard_restore(void)
{
	static const char leave[] = SCREEN_LEAVE;
	static const char show[] = PLAIN CURSOR_SHOW;

	if (guard.fd >= 0) {
		if (guard.screen)
			(void)!write(guard.fd, leave, sizeof leave - 1);
		(void)!write(guard.fd, show, sizeof show - 1);
	}
	if (guard.keys)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &guard.before);
}

static void on_fatal(int sig)
{
	guard_restore();
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}

static void keys_take(void)
{
	struct termios raw = guard.before;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

static void on_stop(int sig)
{
	static const char again[] = SCREEN_TAKE;

	(void)sig;
	guard_restore();
	(void)raise(SIGSTOP);
	/* Here it goes on. */
	guard.stopped = 1;
	if (guard.keys)
		keys_take();
	if (guard.fd >= 0 && guard.screen)
		(void)!write(guard.fd, again, sizeof again - 1);
}

static void guard_set(const struct term *t)
{
	static const int fatal[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGSEGV, SIGBUS, SIGFPE,
		SIGILL, SIGABRT, SIGPIPE};
	struct sigaction now;
	struct sigaction stop = {.sa_handler = on_stop, .sa_flags = SA_RESTART};

	guard.fd = t->fd;
	for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
		/* A program that handles it itself ends in order. */
		if (sigaction(fatal[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
			(void)signal(fatal[i], on_fatal);
	}
	(void)sigaction(SIGTSTP, &stop, NULL);
}

/* The locale that counts, as POSIX has it; it need not be installed here. */
static bool says_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *locale = getenv(names[i]);

		if (locale && *locale)
			return strcasestr(locale, "utf-8") || strcasestr(locale, "utf8");
	}
	return false;
}

void term_measure(struct term *t)
{
	struct winsize size = {0};

	t->look.columns = COLUMNS_OTHERWISE;
	t->look.rows = ROWS_OTHERWISE;
	if (!isatty(t->fd) || ioctl(t->fd, TIOCGWINSZ, &size))
		return;
	if (size.ws_col)
		t->look.columns = size.ws_col;
	if (size.ws_row)
		t->look.rows = size.ws_row;
}

void term_open(struct term *t, int fd)
{
	const char *name = getenv("TERM");
	const char *no_color = getenv("NO_COLOR");

	*t = (struct term){.fd = fd};
	t->terminal = isatty(fd) && name && *name && strcmp(name, "dumb") != 0;
	t->look.utf8 = says_utf8();
	t->look.colour = t->terminal && !(no_color && *no_color);
	term_measure(t);
}

/* All of it, however slowly it is taken; but not for ever. */
static bool put(const struct term *t, const char *text, size_t len)
{
	while (len > 0) {
		struct pollfd room = {.fd = t->fd, .events = POLLOUT};
		ssize_t n;

		if (poll(&room, 1, WRITE_WAIT_MS) == 0)
			return false;
		n = write(t->fd, text, len);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return false;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return true;
}

unsigned term_width(const char *line, size_t len)
{
	unsigned width = 0;

	for (size_t i = 0; i < len; i++) {
		if (line[i] == '\033') {
			while (i < len && line[i] != 'm')
				i++;
			continue;
		}
		width += ((unsigned char)line[i] & 0xc0) != 0x80;
	}
	return width;
}

/* Rows of the screen that the picture takes. Further up than the screen reaches nothing can be
 * changed. */
static unsigned rows_drawn(const struct term *t)
{
	unsigned rows = 0;

	for (unsigned i = 0; i < t->drawn; i++)
		rows += t->width[i] > t->look.columns ? (t->width[i] - 1u) / t->look.columns + 1
						      : 1;
	return rows < t->look.rows ? rows : t->look.rows;
}

/* To the first column of the picture's first line, from its last one. */
static void go_up(unsigned rows, struct buf *out)
{
	buf_printf(out, "\r");
	if (rows > 1)
		buf_printf(out, ESC "%uA", rows - 1);
}

/* Line by line: what is cleared to the screen's end at once, some terminals keep as if it had
 * scrolled away. */
static void wipe(struct term *t, struct buf *out)
{
	unsigned rows = rows_drawn(t);

	go_up(rows, out);
	for (unsigned i = 0; i < rows; i++)
		buf_printf(out, "%s%s", i ? "\n" : "", LINE_CLEAR);
	go_up(rows, out);
	t->drawn = 0;
}

static void add_lines(struct term *t, const char *picture, struct buf *out)
{
	unsigned rows = t->screen ? t->look.rows : t->look.rows - (t->look.rows > 1);
	unsigned n = 0;

	while (*picture && n < rows && n < TERM_LINES_MAX) {
		size_t len = strcspn(picture, "\n");

		/* No line's end behind the last: there may be no line below. */
		if (n > 0)
			buf_printf(out, "\r\n");
		buf_add(out, picture, len);
		buf_printf(out, "%s", LINE_CLEAR);
		t->width[n++] = (unsigned short)term_width(picture, len);
		picture += len + (picture[len] == '\n');
	}
	t->drawn = n;
}

static bool in_background(const struct term *t)
{
	pid_t group = tcgetpgrp(t->fd);

	return group > 0 && group != getpgrp();
}

void term_show(struct term *t, const char *picture)
{
	struct buf out = {0};
	bool narrower = rows_drawn(t) > t->drawn;
	unsigned before;

	if (!t->terminal || in_background(t))
		return;
	if (guard.fd != t->fd)
		guard_set(t);
	if (guard.stopped) {
		guard.stopped = 0;
		t->drawn = 0; /* others have written since */
	}
	buf_printf(&out, "%s", CURSOR_HIDE);
	if (t->screen)
		buf_printf(&out, "%s", HOME);
	else
		go_up(rows_drawn(t), &out);
	before = t->drawn;
	add_lines(t, picture, &out);
	/* Lines of a longer picture before; the screen may hold anything. */
	if (t->screen || before > t->drawn || narrower)
		buf_printf(&out, "%s", BELOW_CLEAR);
	(void)put(t, (const char *)out.p, out.len);
	buf_fini(&out);
}

void term_print(struct term *t, const char *text, size_t len)
{
	struct buf out = {0};

	if (t->terminal && t->drawn)
		wipe(t, &out);
	buf_add(&out, text, len);
	(void)put(t, (const char *)out.p, out.len);
	buf_fini(&out);
}

void term_screen(struct term *t)
{
	if (!t->terminal)
		return;
	t->screen = true;
	guard.screen = 1;
	if (isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &guard.before) == 0) {
		t->keys = true;
		guard.keys = 1;
	}
	guard_set(t);
	if (t->keys)
		keys_take();
	(void)put(t, SCREEN_TAKE HOME BELOW_CLEAR, strlen(SCREEN_TAKE HOME BELOW_CLEAR));
}

void term_restore(int fd)
{
	static const char restored[] = PLAIN CURSOR_SHOW "\r\n";

	(void)!write(fd, restored, sizeof restored - 1);
}

void term_close(struct term *t)
{
	if (t->terminal && t->drawn && !t->screen)
		term_print(t, "", 0);
	if (guard.fd >= 0 && guard.fd == t->fd)
		guard_restore();
	guard.fd = -1;
	guard.screen = 0;
	guard.keys = 0;
	t->terminal = false;
}
