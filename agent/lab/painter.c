/* SPDX-License-Identifier: MIT */
/*
 * painter.c - the process that draws on the terminal while a run goes on
 *
 * Two kinds of message come over its socket: a scene, and text. Nobody waits for it: what does not
 * fit into the socket because the terminal takes nothing (ctrl-S) is not shown.
 */
#include "agent/lab/painter.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/lab/spawn.h"

#define PAINT_EVERY_NS (100 * NS_PER_MS)
/* To the end of what it prints: the terminal may be slow, or stopped. */
#define PAINT_END_MS 1000
#define TEXT_CHUNK 4096

enum message_kind { MESSAGE_SCENE, MESSAGE_TEXT };

struct message {
	enum message_kind kind;
	union {
		struct scene scene;
		char text[TEXT_CHUNK];
	};
};
#define MESSAGE_HEAD offsetof(struct message, text)

struct painter {
	pid_t pid;
	int pidfd;
	int sock;
	int terminal_fd;
};

/* The process's own side. */
struct easel {
	int sock;
	unsigned phases;
	const struct load_shared *shared;
	struct term term;
	struct pulse pulse;
	struct strips strips;
	struct scene scene;
	bool scened; /* there is one */
	struct message message;
};

static void scene_take(struct easel *e)
{
	const struct scene *s = &e->message.scene;

	if (!e->scened || s->phase != e->strips.phase || s->begin_ns != e->strips.begin_ns)
		strips_begin(&e->strips, s->phase, s->begin_ns, s->end_ns);
	e->scene = *s;
	e->scened = true;
}

/* Return: false when there will be no more. */
static bool message_take(struct easel *e)
{
	ssize_t n = recv(e->sock, &e->message, sizeof e->message, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	if (e->message.kind == MESSAGE_SCENE) {
		scene_take(e);
		return true;
	}
	term_measure(&e->term);
	term_print(&e->term, e->message.text, (size_t)n - MESSAGE_HEAD);
	return true;
}

static void paint(struct easel *e, uint64_t now_ns)
{
	struct pulse_tally tally[PLAN_SITES_MAX];
	struct pulse_rates rates;
	struct canvas canvas;

	pulse_take(&e->pulse, now_ns);
	pulse_rates(&e->pulse, &rates);
	for (unsigned site = 0; site < e->strips.sites; site++)
		tally[site] = pulse_tally(e->shared, e->scene.phase, site);
	strips_add(&e->strips, tally, now_ns);
	term_measure(&e->term);
	canvas_init(&canvas, &e->term.look);
	picture_draw(&canvas, &e->scene, &e->strips, &rates, e->phases, now_ns);
	term_show(&e->term, canvas_text(&canvas));
	canvas_fini(&canvas);
}

static void easel_run(struct easel *e)
{
	uint64_t due = 0;

	for (;;) {
		uint64_t now = clock_now_ns();
		struct pollfd p = {.fd = e->sock, .events = POLLIN};

		if (e->scened && now >= due) {
			paint(e, now);
			due = now + PAINT_EVERY_NS;
		}
		if (poll(&p, 1, !e->scened ? -1 : (int)((due - now) / NS_PER_MS) + 1) > 0 &&
			!message_take(e))
			return;
	}
}

static _Noreturn void painter_main(
	int sock, int fd, const struct load_shared *shared, const struct plan *plan)
{
	static const int of_terminal[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct easel *e = calloc(1, sizeof *e);
	int keep[] = {sock, fd};
	sigset_t ignored;

	(void)prctl(PR_SET_NAME, "pacelab-show");
	/* It stays in the terminal's session, to be stopped with the others by ctrl-Z. */
	sigemptyset(&ignored);
	for (size_t i = 0; i < sizeof of_terminal / sizeof *of_terminal; i++)
		sigaddset(&ignored, of_terminal[i]);
	(void)sigprocmask(SIG_BLOCK, &ignored, NULL);
	(void)!nice(19);
	spawn_close_others(keep, 2);
	assert(e);
	e->sock = sock;
	e->phases = plan->phases;
	e->shared = shared;
	e->strips.sites = plan->sites;
	pulse_init(&e->pulse, shared, plan->phases, plan->sites);
	term_open(&e->term, fd);
	easel_run(e);
	term_close(&e->term);
	_exit(0);
}

struct painter *painter_start(int fd, const struct load_shared *shared, const struct plan *plan)
{
	struct painter *p = calloc(1, sizeof *p);
	int pair[2];

	assert(p);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		free(p);
		return NULL;
	}
	p->pid = fork();
	if (p->pid == 0)
		painter_main(pair[1], fd, shared, plan);
	close(pair[1]);
	p->sock = pair[0];
	p->terminal_fd = fd;
	p->pidfd = p->pid > 0 ? pidfd_open(p->pid, 0) : -1;
	if (p->pid > 0)
		return p;
	close(p->sock);
	free(p);
	return NULL;
}

static bool message_send(struct painter *p, const struct message *m, size_t len)
{
	ssize_t n = send(p->sock, m, MESSAGE_HEAD + len, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n >= 0 || errno == EAGAIN || errno == EINTR;
}

bool painter_scene(struct painter *p, const struct scene *scene)
{
	struct message m = {.kind = MESSAGE_SCENE, .scene = *scene};

	return message_send(p, &m, sizeof *scene);
}

bool painter_print(struct painter *p, const char *text, size_t len)
{
	struct message m = {.kind = MESSAGE_TEXT};

	while (len > 0) {
		size_t chunk = len < sizeof m.text ? len : sizeof m.text;

		memcpy(m.text, text, chunk);
		if (!message_send(p, &m, chunk))
			return false;
		text += chunk;
		len -= chunk;
	}
	return true;
}

void painter_stop(struct painter *p)
{
	struct pollfd ended;
	int status = 0;

	if (!p)
		return;
	close(p->sock);
	ended = (struct pollfd){.fd = p->pidfd, .events = POLLIN};
	if (p->pidfd < 0 || poll(&ended, 1, PAINT_END_MS) == 0)
		(void)kill(p->pid, SIGKILL);
	(void)waitpid(p->pid, &status, 0);
	if (p->pidfd >= 0)
		close(p->pidfd);
	/* It could not do it itself. */
	if (!WIFEXITED(status))
		term_restore(p->terminal_fd);
	free(p);
}
