/* SPDX-License-Identifier: MIT */
/*
 * capture.c - the frames at the switch's ports, in a pcapng file for each, with the faults as notes
 *
 * One packet socket in the switch's namespace sees the frames of all ports, stamped by the kernel.
 * They are taken in turns of CAPTURE_TURN_NS: by then the notes of the same time have come over
 * the socket pair as well, and both are written in the order of their times. The kernel stamps by
 * the wall clock; its distance to the monotonic one is read anew in each turn.
 *
 * The process ends when its end of the pair is closed, after one last turn, or with the supervisor.
 */
#include "agent/lab/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/units.h"
#include "agent/lab/pcapng.h"
#include "netns/link.h"
#include "netns/link_words.h"

#define CAPTURE_TURN_NS (20 * NS_PER_MS)
#define CAPTURE_RCVBUF (64 << 20) /* some 20,000 frames: 0.1 s of all that a lab can send */
#define CAPTURE_BATCH 64
#define CAPTURE_NOTES_MAX 64
#define CAPTURE_WORDS_LINKS 8 /* a note names so many links */

struct note {
	uint64_t t_ns;
	char text[PCAPNG_NOTE_MAX];
};

struct capture {
	int notes_fd;                /* -1: stopped */
	struct capture_count *count; /* shared with the process */
};

/* The process. */
struct writer {
	const struct capture_wish *wish;
	const struct plan *plan;
	struct capture_count *count;
	int packet_fd;
	int notes_fd;
	struct pcapng file[FABRIC_NODES_MAX];
	uint64_t frames[FABRIC_NODES_MAX];
	struct note note[CAPTURE_NOTES_MAX];
	unsigned notes;
	uint8_t bytes[CAPTURE_BATCH][PCAPNG_SNAP_MAX];
};

static int find_node(const struct plan *plan, const char *name, size_t len)
{
	for (unsigned i = 0; i < plan->nodes; i++) {
		if (strlen(plan->node[i].name) == len && !memcmp(plan->node[i].name, name, len))
			return (int)i;
	}
	return -ENOENT;
}

static void want(struct capture_wish *wish, unsigned port, unsigned peer)
{
	wish->port[port] = true;
	wish->peer[port][peer / 8] |= (uint8_t)(1 << peer % 8);
}

static bool wanted(const struct capture_wish *wish, unsigned port, unsigned peer)
{
	return wish->peer[port][peer / 8] & 1 << peer % 8;
}

static void want_port(struct capture_wish *wish, unsigned port)
{
	wish->port[port] = true;
	memset(wish->peer[port], 0xff, sizeof wish->peer[port]);
}

/* A '-' may be part of a name: the one that stands between two names counts. */
static int parse_one(const struct plan *plan, const char *text, size_t len,
	struct capture_wish *ret, struct err *err)
{
	int node = find_node(plan, text, len);

	if (node >= 0) {
		want_port(ret, (unsigned)node);
		return 0;
	}
	for (size_t at = 1; at + 1 < len; at++) {
		int a, b;

		if (text[at] != '-')
			continue;
		a = find_node(plan, text, at);
		b = find_node(plan, text + at + 1, len - at - 1);
		if (a < 0 || b < 0 || a == b)
			continue;
		want(ret, (unsigned)a, (unsigned)b);
		want(ret, (unsigned)b, (unsigned)a);
		return 0;
	}
	return err_usage(err,
		"--pcap '%.*s': a node, two nodes with a '-' between them, or 'all' are possible, "
		"for example n1-n2,n3",
		(int)(len < 64 ? len : 64), text);
}

int capture_parse(const struct plan *plan, const char *links, const char *snap,
	struct capture_wish *ret, struct err *err)
{
	uint64_t bytes = CAPTURE_SNAP_DEFAULT;
	int code = 0;

	*ret = (struct capture_wish){0};
	if (!links && snap)
		return err_usage(err, "--snap needs --pcap: nothing is captured without it");
	if (!links)
		return 0;
	if (snap)
		code = units_parse_count(snap, CAPTURE_SNAP_MIN, PCAPNG_SNAP_MAX, &bytes, err);
	if (code)
		return err_wrap(err, "--snap");
	ret->snap = (uint32_t)bytes;
	if (strcmp(links, "all") == 0) {
		for (unsigned i = 0; i < plan->nodes; i++)
			want_port(ret, i);
		return 0;
	}
	for (;;) {
		size_t len = strcspn(links, ",");

		code = parse_one(plan, links, len, ret, err);
		if (code || !links[len])
			return code;
		links += len + 1;
	}
}

/* Which node has this address? link_mac() the other way round. */
static int node_of(const struct writer *w, const uint8_t *mac)
{
	for (unsigned i = 0; i < w->plan->nodes; i++) {
		uint8_t is[ETH_ALEN];

		link_mac(i, is);
		if (!memcmp(is, mac, sizeof is))
			return (int)i;
	}
	return -ENOENT;
}

static uint64_t stamp_ns(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct timespec t;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPNS)
			continue;
		memcpy(&t, CMSG_DATA(c), sizeof t);
		return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
	}
	return clock_wall_ns();
}

static _Noreturn void give_up(const struct writer *w, unsigned port, int code)
{
	log_error("write %s/%s.pcapng: %s", CAPTURE_DIR, w->plan->node[port].name, strerror(-code));
	_exit(EXIT_INTERNAL);
}

/* All notes of that time or before, in all files. */
static void write_notes(struct writer *w, uint64_t until_ns)
{
	unsigned left = 0;

	for (unsigned i = 0; i < w->notes; i++) {
		if (w->note[i].t_ns > until_ns) {
			w->note[left++] = w->note[i];
			continue;
		}
		for (unsigned port = 0; port < w->plan->nodes; port++) {
			int code = w->wish->port[port] ? pcapng_note(&w->file[port],
								 w->note[i].t_ns, w->note[i].text)
						       : 0;

			if (code)
				give_up(w, port, code);
		}
	}
	w->notes = left;
}

/* Return: does somebody still send some? */
static bool take_notes(struct writer *w)
{
	for (;;) {
		struct note *note = &w->note[w->notes];
		ssize_t n;

		if (w->notes == CAPTURE_NOTES_MAX) {
			write_notes(w, UINT64_MAX);
			continue;
		}
		n = recv(w->notes_fd, note, sizeof *note, MSG_DONTWAIT);
		if (n == 0)
			return false;
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		note->text[PCAPNG_NOTE_MAX - 1] = 0;
		w->notes++;
	}
}

static void take_frame(struct writer *w, struct mmsghdr *m, const uint8_t *bytes, uint64_t apart_ns)
{
	const struct sockaddr_ll *at = m->msg_hdr.msg_name;
	bool outbound = at->sll_pkttype == PACKET_OUTGOING;
	unsigned port = (unsigned)(at->sll_ifindex - LINK_PORT(0));
	struct pcapng_frame frame = {.bytes = bytes, .len = m->msg_len, .outbound = outbound};
	uint64_t wall_ns = stamp_ns(&m->msg_hdr);
	int peer, code;

	if (at->sll_ifindex < LINK_PORT(0) || port >= w->plan->nodes || !w->wish->port[port] ||
		m->msg_len < ETH_HLEN)
		return;
	peer = node_of(w, outbound ? bytes + ETH_ALEN : bytes);
	if (peer >= 0 ? !wanted(w->wish, port, (unsigned)peer)
		      : !wanted(w->wish, port, port)) /* only a whole port wants strangers */
		return;
	frame.t_ns = wall_ns > apart_ns ? wall_ns - apart_ns : 0;
	write_notes(w, frame.t_ns);
	code = pcapng_frame(&w->file[port], &frame);
	if (code)
		give_up(w, port, code);
	w->frames[port]++;
	w->count->frames++;
}

static void take_frames(struct writer *w)
{
	struct sockaddr_ll from[CAPTURE_BATCH];
	char control[CAPTURE_BATCH][CMSG_SPACE(sizeof(struct timespec))];
	uint64_t apart_ns = clock_wall_ns() - clock_now_ns();
	uint64_t end_ns = clock_now_ns() + CAPTURE_TURN_NS;
	int n;

	do {
		struct mmsghdr m[CAPTURE_BATCH];
		struct iovec iov[CAPTURE_BATCH];

		for (unsigned i = 0; i < CAPTURE_BATCH; i++) {
			iov[i] =
				(struct iovec){.iov_base = w->bytes[i], .iov_len = PCAPNG_SNAP_MAX};
			m[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &from[i],
							.msg_namelen = sizeof from[i],
							.msg_iov = &iov[i],
							.msg_iovlen = 1,
							.msg_control = control[i],
							.msg_controllen = sizeof control[i]}};
		}
		n = recvmmsg(w->packet_fd, m, CAPTURE_BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);
		for (int i = 0; i < n; i++)
			take_frame(w, &m[i], w->bytes[i], apart_ns);
	} while (n == CAPTURE_BATCH && clock_now_ns() < end_ns);
}

/* Since the last call; the kernel begins to count anew. */
static void count_drops(struct writer *w)
{
	struct tpacket_stats stats = {0};
	socklen_t len = sizeof stats;
	uint64_t left_out = 0;

	if (getsockopt(w->packet_fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0)
		w->count->dropped += stats.tp_drops;
	for (unsigned i = 0; i < w->plan->nodes; i++)
		left_out += w->file[i].left_out;
	w->count->left_out = left_out;
}

static _Noreturn void write_until_end(struct writer *w)
{
	struct pollfd notes = {.fd = w->notes_fd, .events = POLLRDHUP};
	bool more = true;

	while (more) {
		(void)poll(&notes, 1, CAPTURE_TURN_NS / NS_PER_MS);
		more = take_notes(w);
		take_frames(w);
		write_notes(w, clock_now_ns() - CAPTURE_TURN_NS);
		count_drops(w);
		for (unsigned i = 0; i < w->plan->nodes; i++) {
			int code = w->wish->port[i] ? pcapng_flush(&w->file[i]) : 0;

			if (code)
				give_up(w, i, code);
		}
	}
	write_notes(w, UINT64_MAX);
	for (unsigned i = 0; i < w->plan->nodes; i++) {
		int code = 0;

		if (w->wish->port[i])
			code = pcapng_end(
				&w->file[i], clock_now_ns(), w->frames[i], w->count->dropped);
		if (code)
			give_up(w, i, code);
	}
	log_info("%llu frames captured, %llu dropped, %llu left out",
		(unsigned long long)w->count->frames, (unsigned long long)w->count->dropped,
		(unsigned long long)w->count->left_out);
	_exit(0);
}

static int open_files(struct writer *w, int dir_fd, struct err *err)
{
	unsigned files = 0;
	uint64_t max;

	for (unsigned i = 0; i < w->plan->nodes; i++)
		files += w->wish->port[i];
	max = CAPTURE_BYTES_MAX / (files ? files : 1);
	for (unsigned i = 0; i < w->plan->nodes; i++) {
		char name[FABRIC_NAME_MAX + 16], about[160];
		int fd, code;

		if (!w->wish->port[i])
			continue;
		(void)snprintf(name, sizeof name, "%s.pcapng", w->plan->node[i].name);
		(void)snprintf(about, sizeof about,
			"lab %s, port of node %s; times are CLOCK_MONOTONIC, the wall clock was "
			"%llu ns ahead",
			w->plan->name, w->plan->node[i].name,
			(unsigned long long)(clock_wall_ns() - clock_now_ns()));
		fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (fd < 0)
			return err_sys(err, -errno, "make %s/%s", CAPTURE_DIR, name);
		code = pcapng_begin(&w->file[i], fd,
			max < CAPTURE_FILE_MAX ? max : CAPTURE_FILE_MAX, w->wish->snap,
			w->plan->node[i].name, about);
		if (code)
			return err_sys(err, code, "write %s/%s", CAPTURE_DIR, name);
	}
	return 0;
}

/* Frames of the ports only, not those of bridge and tap again. */
static int open_packets(unsigned nodes, struct err *err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_IFINDEX)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, LINK_PORT(0), 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, LINK_PORT(nodes), 1, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog filter = {.len = sizeof code / sizeof *code, .filter = code};
	struct sockaddr_ll all = {.sll_family = AF_PACKET, .sll_protocol = htobe16(ETH_P_ALL)};
	int one = 1, rcvbuf = CAPTURE_RCVBUF;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(err, -errno, "open a packet socket");
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) ||
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf, sizeof rcvbuf) ||
		setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one) ||
		bind(fd, (struct sockaddr *)&all, sizeof all)) {
		int rc = -errno;

		close(fd);
		return err_sys(err, rc, "set up the packet socket");
	}
	return fd;
}

struct start {
	const struct capture_wish *wish;
	const struct plan *plan;
	struct capture_count *count;
	pid_t parent;
	int switch_fd;
	int dir_fd;
	int notes_fd;
	int report_fd;
	int log_fd;
};

/* All that can fail is told over the pipe before frames are taken. */
static _Noreturn void run(const struct start *s)
{
	const int keep[] = {s->switch_fd, s->dir_fd, s->notes_fd, s->report_fd, s->log_fd};
	struct writer *w = calloc(1, sizeof *w);
	struct err err = {0};

	spawn_shield(CAPTURE_COMM);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != s->parent)
		_exit(EXIT_INTERNAL);
	spawn_quiet(s->log_fd);
	spawn_close_others(keep, sizeof keep / sizeof *keep);
	log_init(STDERR_FILENO, "pcap", LOG_INFO);
	if (!w) {
		(void)err_sys(&err, -ENOMEM, "capture");
	} else if (setns(s->switch_fd, CLONE_NEWNET)) {
		(void)err_sys(&err, -errno, "enter the switch");
	} else {
		w->wish = s->wish;
		w->plan = s->plan;
		w->count = s->count;
		w->notes_fd = s->notes_fd;
		w->packet_fd = open_packets(s->plan->nodes, &err);
		if (w->packet_fd >= 0)
			(void)open_files(w, s->dir_fd, &err);
	}
	if (err.code) {
		ssize_t n = write(s->report_fd, &err, sizeof err);

		_exit(n < 0 ? EXIT_INTERNAL : (int)err.status);
	}
	close(s->report_fd);
	close(s->switch_fd);
	write_until_end(w);
}

static int start_process(struct capture *c, struct start *s, struct child *ret, struct err *err)
{
	int notes[2], report[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, notes))
		return err_sys(err, -errno, "socketpair");
	c->notes_fd = notes[0];
	s->notes_fd = notes[1];
	if (pipe2(report, O_CLOEXEC)) {
		close(notes[1]);
		return err_sys(err, -errno, "pipe");
	}
	s->report_fd = report[1];
	s->parent = getpid();
	s->count = c->count;
	ret->pid = fork();
	if (ret->pid == 0)
		run(s);
	close(notes[1]);
	close(report[1]);
	ret->ready_fd = report[0];
	ret->pidfd = ret->pid > 0 ? pidfd_open(ret->pid, 0) : -1;
	if (ret->pidfd >= 0)
		return 0;
	err_sys(err, -errno, "start to capture");
	close(report[0]);
	if (ret->pid > 0) { /* not reaped yet: the number is still its own */
		(void)kill(ret->pid, SIGKILL);
		(void)waitpid(ret->pid, NULL, 0);
	}
	return err->code;
}

int capture_open(struct capture **ret, const struct capture_wish *wish, const struct plan *plan,
	const struct outdir *out, int switch_fd, struct child *ret_child, struct err *err)
{
	struct start s = {.wish = wish, .plan = plan, .switch_fd = switch_fd, .dir_fd = -1};
	struct capture *c = calloc(1, sizeof *c);
	char path[OUTDIR_FILE_MAX];
	int code = 0;

	if (!c)
		return err_sys(err, -ENOMEM, "capture");
	c->notes_fd = -1;
	c->count = mmap(
		NULL, sizeof *c->count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	s.log_fd = outdir_log(out, "pcap", err);
	outdir_file(out, CAPTURE_DIR, path);
	if (c->count == MAP_FAILED)
		code = err_sys(err, -errno, "memory of the capture");
	else if (s.log_fd < 0)
		code = s.log_fd;
	else if (mkdir(path, 0755) && errno != EEXIST)
		code = err_sys(err, -errno, "make %s", path);
	else if ((s.dir_fd = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC)) < 0)
		code = err_sys(err, -errno, "open %s", path);
	if (!code)
		code = start_process(c, &s, ret_child, err);
	if (s.dir_fd >= 0)
		close(s.dir_fd);
	if (s.log_fd >= 0)
		close(s.log_fd);
	if (code)
		capture_close(c);
	else
		*ret = c;
	return code;
}

void capture_note(struct capture *c, uint64_t t_ns, const char *text)
{
	struct note note = {.t_ns = t_ns};

	if (!c || c->notes_fd < 0)
		return;
	(void)snprintf(note.text, sizeof note.text, "%s", text);
	if (send(c->notes_fd, &note, sizeof note, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_warn("a note is missing in the capture: %s", strerror(errno));
}

void capture_note_change(struct capture *c, const struct plan *plan, const char *kind,
	const struct fabric_change *change)
{
	char text[PCAPNG_NOTE_MAX];
	size_t len;

	if (!c || (!change->deltas && !change->downs))
		return;
	(void)snprintf(text, sizeof text, "%s: %u links changed", kind, change->deltas);
	for (unsigned i = 0; i < change->deltas && i < CAPTURE_WORDS_LINKS; i++) {
		const struct fabric_delta *d = &change->delta[i];
		char words[LINK_WORDS_TEXT_MAX];

		len = strlen(text);
		(void)snprintf(text + len, sizeof text - len, "%s %s > %s: %s, %s", i ? ";" : ":",
			plan->node[d->src].name, plan->node[d->dst].name, link_cut_names[d->to.cut],
			link_words_print(&d->to, words));
	}
	len = strlen(text);
	if (change->deltas > CAPTURE_WORDS_LINKS)
		(void)snprintf(text + len, sizeof text - len, "; and %u more",
			change->deltas - CAPTURE_WORDS_LINKS);
	capture_note(c, change->t_first_ns, text);
}

void capture_stop(struct capture *c)
{
	if (!c || c->notes_fd < 0)
		return;
	close(c->notes_fd);
	c->notes_fd = -1;
}

void capture_count(const struct capture *c, struct capture_count *ret)
{
	*ret = c ? *c->count : (struct capture_count){0};
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	capture_stop(c);
	if (c->count != MAP_FAILED)
		(void)munmap(c->count, sizeof *c->count);
	free(c);
}
