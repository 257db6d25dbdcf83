/* SPDX-License-Identifier: MIT */
/*
 * net_bench.c - how fast the network is built and cut, how exact and how fast the emulator is
 *
 * One line per figure: name, value, unit, goal, separated by tabs. PARTS="cut delay" in the
 * environment chooses among cut, delay, throughput, iperf and topology; it all takes two minutes,
 * most of them iproute2's. It is run where tests/bench/topology.sh is.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include "agent/base/hist.h"
#include "tests/net/net_lab.h"

#define PORT 7010
#define MS NS_PER_MS
#define ROUNDS 3
#define CUTS 101
#define HOGS 2

#define WATCHES 21
#define WATCH_LINKS 8
#define WATCH_FRAMES 16384
#define SECONDS 2
#define BATCH 32
#define RATE_WIRE 200000ull

static void say(const char *name, unsigned nodes, double value, const char *unit, const char *goal)
{
	char full[64];

	(void)snprintf(full, sizeof full, nodes ? "%s_%u_nodes" : "%s", name, nodes);
	(void)printf("%s\t%.3f\t%s\t%s\n", full, value, unit, goal);
	(void)fflush(stdout);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t median(uint64_t *value, unsigned n)
{
	qsort(value, n, sizeof *value, compare);
	return value[n / 2];
}

/* The same by iproute2, see topology.sh; once, for it takes long. */
static void bench_iproute2(unsigned nodes, double build_ms, double destroy_ms)
{
	char command[64], out[NET_LAB_OUTPUT_MAX], *at = out;
	double by_ip, by_tc, removed;

	(void)snprintf(command, sizeof command, "tests/bench/topology.sh %u", nodes);
	if (net_lab_run(-1, command, out, sizeof out)) {
		(void)fprintf(stderr, "topology.sh %u: %s\n", nodes, out);
		return;
	}
	by_ip = strtod(at, &at);
	by_tc = strtod(at, &at);
	removed = strtod(at, &at);
	say("iproute2_links", nodes, by_ip, "ms", "-");
	say("iproute2_queues", nodes, by_tc, "ms", "-");
	say("iproute2_remove", nodes, removed, "ms", "-");
	say("build_ratio", nodes, (by_ip + by_tc) / build_ms, "times", "-");
	say("build_ratio_links_only", nodes, by_ip / build_ms, "times", "-");
	say("remove_ratio", nodes, removed / destroy_ms, "times", "-");
}

static void bench_topology(unsigned nodes, const char *goal)
{
	/* The kernel frees the namespaces behind our back, under the locks that a build needs. */
	const struct timespec quiet = {.tv_nsec = 500 * (long)MS};
	uint64_t build[ROUNDS], destroy[ROUNDS], cpu[ROUNDS];
	struct net_lab lab;

	for (int i = 0; i < ROUNDS; i++) {
		cpu[i] = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
		net_lab_build(&lab, nodes, EMULATOR_AUTO);
		cpu[i] = clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - cpu[i];
		build[i] = fabric_build_ns(lab.fabric);
		destroy[i] = clock_now_ns();
		net_lab_destroy(&lab);
		destroy[i] = clock_now_ns() - destroy[i];
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &quiet, NULL);
	}
	say("fabric_build", nodes, (double)median(build, ROUNDS) / 1e6, "ms", goal);
	/* With self-check; what a machine with other work would need if it had none. */
	say("fabric_build_cpu", nodes, (double)median(cpu, ROUNDS) / 1e6, "ms", "-");
	say("fabric_destroy", nodes, (double)median(destroy, ROUNDS) / 1e6, "ms", "-");
	bench_iproute2(
		nodes, (double)median(build, ROUNDS) / 1e6, (double)median(destroy, ROUNDS) / 1e6);
}

static void bench_topologies(void)
{
	bench_topology(3, "-");
	bench_topology(5, "< 10");
	bench_topology(10, "-");
	bench_topology(50, "< 150");
	bench_topology(100, "< 800");
}

/*
 * What packets see of a cut: a thread sends over some of the links in turn, one frame after the
 * other, while all are cut. On each link the cut came after the last frame that arrived was sent,
 * and before the next one of that link had passed. So links differ by at least the time from the
 * first frame that was lost to the last one that arrived, if that is later, and by at most the
 * time from the earliest last arrival to the latest first loss.
 */
struct watch {
	struct net_lab *lab;
	unsigned side; /* nodes before it are cut from those behind */
	unsigned links;
	int tx[WATCH_LINKS];
	int rx[WATCH_LINKS];
	unsigned sent;
	uint64_t sent_ns[WATCH_FRAMES];
	bool came[WATCH_FRAMES];
	bool stop;
};

static unsigned watch_dst(const struct watch *w, unsigned link)
{
	return w->side + link % (w->lab->want.nodes - w->side);
}

static void *watch_send(void *arg)
{
	const struct sched_param realtime = {.sched_priority = 10};
	struct watch *w = arg;

	(void)pthread_setschedparam(pthread_self(), SCHED_FIFO, &realtime);
	while (w->sent < WATCH_FRAMES && !__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		unsigned link = w->sent % w->links;

		w->sent_ns[w->sent] = clock_now_ns();
		net_lab_send(w->lab, w->tx[link], watch_dst(w, link), PORT, w->sent++);
	}
	return NULL;
}

static void watch_drain(struct watch *w)
{
	for (unsigned link = 0; link < w->links; link++) {
		uint32_t number;

		while (recv(w->rx[link], &number, sizeof number, MSG_DONTWAIT) == sizeof number)
			w->came[number % WATCH_FRAMES] = true;
	}
}

/* Return: false if the cut was not seen on each link. */
static bool watch_skew(const struct watch *w, uint64_t *ret_least, uint64_t *ret_most)
{
	uint64_t first_loss = UINT64_MAX, last_loss = 0, first_last = UINT64_MAX, last_last = 0;

	for (unsigned link = 0; link < w->links; link++) {
		unsigned last = link;

		while (last + w->links < w->sent && w->came[last + w->links])
			last += w->links;
		if (!w->came[last] || last + w->links >= w->sent)
			return false;
		uint64_t arrived = w->sent_ns[last], lost = w->sent_ns[last + w->links];

		first_last = arrived < first_last ? arrived : first_last;
		last_last = arrived > last_last ? arrived : last_last;
		first_loss = lost < first_loss ? lost : first_loss;
		last_loss = lost > last_loss ? lost : last_loss;
	}
	*ret_least = last_last > first_loss ? last_last - first_loss : 0;
	*ret_most = last_loss - first_last;
	return true;
}

static void split(struct net_lab *lab, unsigned side, bool cut, uint64_t *ret_took)
{
	struct fabric_change change;

	net_lab_split(lab, side, cut);
	change = net_lab_apply(lab);
	*ret_took = change.t_last_ns - change.t_request_ns;
	fabric_change_fini(&change);
}

static bool watch_cut(struct watch *w, uint64_t *ret_least, uint64_t *ret_most)
{
	const struct timespec before = {.tv_nsec = 3 * (long)MS}, after = {.tv_nsec = 2 * (long)MS};
	uint64_t took;
	pthread_t sender;

	watch_drain(w);
	memset(w->came, 0, sizeof w->came);
	w->sent = 0;
	w->stop = false;
	if (pthread_create(&sender, NULL, watch_send, w))
		abort();
	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &before, NULL);
	split(w->lab, w->side, true, &took);
	(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &after, NULL);
	__atomic_store_n(&w->stop, true, __ATOMIC_RELEASE);
	(void)pthread_join(sender, NULL);
	watch_drain(w);
	split(w->lab, w->side, false, &took);
	return watch_skew(w, ret_least, ret_most);
}

static void bench_skew(struct net_lab *lab, unsigned nodes)
{
	static struct watch w;
	uint64_t least[WATCHES], most[WATCHES];
	unsigned n = 0;

	w = (struct watch){.lab = lab, .side = nodes / 2};
	for (; w.links < WATCH_LINKS && w.links < nodes - w.side; w.links++) {
		w.tx[w.links] = net_lab_udp(lab, w.links % w.side, 0);
		w.rx[w.links] = net_lab_udp(lab, watch_dst(&w, w.links), PORT);
	}
	for (unsigned i = 0; i < WATCHES; i++)
		n += watch_cut(&w, &least[n], &most[n]);
	if (n > 0) {
		say("cut_skew_at_least_p50", nodes, (double)median(least, n) / 1e3, "us", "< 10");
		say("cut_skew_at_least_max", nodes, (double)least[n - 1] / 1e3, "us", "-");
		say("cut_skew_at_most_p50", nodes, (double)median(most, n) / 1e3, "us", "-");
	}
	for (unsigned i = 0; i < w.links; i++) {
		close(w.tx[i]);
		close(w.rx[i]);
	}
}

static void bench_cut(unsigned nodes)
{
	uint64_t cut[CUTS], heal[CUTS], first;
	struct net_lab lab;

	net_lab_build(&lab, nodes, EMULATOR_AUTO);
	/* As everybody comes to the matrix that is wanted. */
	link_matrix_copy(&lab.want, fabric_matrix(lab.fabric));
	split(&lab, nodes / 2, true, &first);
	split(&lab, nodes / 2, false, &heal[0]);
	say("first_cut_request_to_done", nodes, (double)first / 1e6, "ms", "< 0.1");
	for (unsigned i = 0; i < CUTS; i++) {
		split(&lab, nodes / 2, true, &cut[i]);
		split(&lab, nodes / 2, false, &heal[i]);
	}
	say("cut_request_to_done", nodes, (double)median(cut, CUTS) / 1e6, "ms", "< 0.1");
	say("heal_request_to_done", nodes, (double)median(heal, CUTS) / 1e6, "ms", "< 0.1");
	bench_skew(&lab, nodes);
	net_lab_destroy(&lab);
}

static void bench_cuts(void)
{
	bench_cut(5);
	bench_cut(9);
	bench_cut(50);
	bench_cut(100);
}

struct stream {
	int tx;
	int rx;
	uint64_t pps; /* 0: as fast as it goes */
	unsigned batch;
	uint64_t sent;
	struct sockaddr_in to;
	bool done;
};

static void *send_stream(void *arg)
{
	struct stream *s = arg;
	uint64_t begin = clock_now_ns(), end = begin + SECONDS * NS_PER_S;
	const struct sched_param realtime = {.sched_priority = 10}, normal = {0};

	(void)prctl(PR_SET_TIMERSLACK, 1ul);
	/* On time also on a busy machine, as the emulator is; what it offers is what is measured.
	 */
	(void)pthread_setschedparam(pthread_self(), SCHED_FIFO, &realtime);
	while (clock_now_ns() < end) {
		uint64_t stamp[BATCH];
		struct mmsghdr msg[BATCH] = {0};
		struct iovec iov[BATCH];
		int n;

		if (s->pps) {
			struct timespec at = clock_timespec(begin + s->sent * NS_PER_S / s->pps);

			(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		}
		for (unsigned i = 0; i < s->batch; i++) {
			stamp[i] = clock_wall_ns();
			iov[i] = (struct iovec){.iov_base = &stamp[i], .iov_len = sizeof stamp[i]};
			msg[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i],
				.msg_iovlen = 1,
				.msg_name = &s->to,
				.msg_namelen = sizeof s->to};
		}
		n = sendmmsg(s->tx, msg, s->batch, 0);
		if (n > 0)
			s->sent += (unsigned)n;
	}
	(void)pthread_setschedparam(pthread_self(), SCHED_OTHER, &normal);
	__atomic_store_n(&s->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* One-way time of the next frame by the kernel's stamp, 0 if none comes within 0.2 s. */
static uint64_t receive_one(int fd)
{
	uint64_t sent_ns;
	char control[CMSG_SPACE(sizeof(struct timespec))];
	struct iovec iov = {.iov_base = &sent_ns, .iov_len = sizeof sent_ns};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof control};
	struct timespec at;

	if (recvmsg(fd, &msg, 0) != sizeof sent_ns || !CMSG_FIRSTHDR(&msg))
		return 0;
	memcpy(&at, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof at);
	return (uint64_t)at.tv_sec * NS_PER_S + (uint64_t)at.tv_nsec - sent_ns;
}

/* Errors beside @delay_ns, early or late, as absolute values; nothing is subtracted. */
static void measure_error(struct stream *s, uint64_t delay_ns, struct hist *error)
{
	struct timeval wait = {.tv_usec = 200000};
	pthread_t sender;
	uint64_t took;
	int one = 1;

	memset(error, 0, sizeof *error);
	(void)setsockopt(s->rx, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
	(void)setsockopt(s->rx, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	s->sent = 0;
	s->done = false;
	if (pthread_create(&sender, NULL, send_stream, s))
		abort();
	while ((took = receive_one(s->rx)) || !__atomic_load_n(&s->done, __ATOMIC_ACQUIRE)) {
		if (took)
			hist_add(error, took > delay_ns ? took - delay_ns : delay_ns - took);
	}
	(void)pthread_join(sender, NULL);
}

/* What the emulator's process has used so far. */
static uint64_t wire_cpu_ns(const struct net_lab *lab)
{
	clockid_t id;

	return clock_getcpuclockid(fabric_wire_pid(lab->fabric), &id) ? 0 : clock_read_ns(id);
}

static void bench_error(struct net_lab *lab, struct stream *s, uint64_t delay_ns, const char *load)
{
	static const struct {
		double share;
		const char *name;
		const char *goal;
	} quantiles[] = {{0.5, "p50", "< 30"}, {0.99, "p99", "< 200"}, {0.999, "p99.9", "-"}};
	static struct hist error;
	struct fabric_change change;
	uint64_t cpu_ns, begin_ns;
	char name[64];

	net_lab_delay_all(lab, delay_ns, 0);
	change = net_lab_apply(lab);
	fabric_change_fini(&change);
	cpu_ns = wire_cpu_ns(lab);
	begin_ns = clock_now_ns();
	measure_error(s, delay_ns, &error);
	(void)snprintf(name, sizeof name, "wire_cpu_%.1fms_%llupps_%s", (double)delay_ns / 1e6,
		(unsigned long long)s->pps, load);
	say(name, 0,
		100 * (double)(wire_cpu_ns(lab) - cpu_ns) / (double)(clock_now_ns() - begin_ns),
		"%", "-");
	for (unsigned i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
		(void)snprintf(name, sizeof name, "delay_error_%.1fms_%llupps_%s_%s",
			(double)delay_ns / 1e6, (unsigned long long)s->pps, load,
			quantiles[i].name);
		say(name, 0, (double)hist_quantile(&error, quantiles[i].share) / 1e3, "us",
			quantiles[i].goal);
	}
}

/* A process that needs a core for itself, until it is killed or its parent dies. */
static pid_t hog(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (volatile unsigned i = 0;; i++)
			;
	}
	return pid;
}

static void bench_errors(struct net_lab *lab, struct stream *s, const char *load)
{
	static const uint64_t delays[] = {MS / 2, MS, 10 * MS, 50 * MS}, rates[] = {1000, 20000};

	for (unsigned i = 0; i < sizeof rates / sizeof *rates; i++) {
		s->pps = rates[i];
		for (unsigned k = 0; k < sizeof delays / sizeof *delays; k++)
			bench_error(lab, s, delays[k], load);
	}
}

/* Frames that the emulator has given back; those that nobody reads count all the same. */
static uint64_t delivered(const struct net_lab *lab)
{
	struct fabric_quality quality;

	fabric_quality(lab->fabric, &quality);
	return quality.late.count;
}

static uint64_t lost(const struct net_lab *lab)
{
	struct fabric_quality quality;

	fabric_quality(lab->fabric, &quality);
	return quality.lost;
}

static void bench_throughput(struct net_lab *lab, struct stream *s)
{
	uint64_t gone = lost(lab), frames, begin;
	double seconds;

	s->sent = 0;
	s->batch = BATCH;
	s->pps = RATE_WIRE;
	(void)send_stream(s);
	/* What is under way now is delivered or lost by then. */
	while (receive_one(s->rx))
		;
	say("wire_lost_at_200000_pps", 0, (double)(lost(lab) - gone), "frames", "0");
	say("wire_offered_pps", 0, (double)s->sent / SECONDS, "1/s", "200000");
	frames = delivered(lab);
	begin = clock_now_ns();
	s->sent = 0;
	s->pps = 0;
	(void)send_stream(s);
	seconds = (double)(clock_now_ns() - begin) / 1e9;
	say("wire_packets_per_s", 0, (double)(delivered(lab) - frames) / seconds, "1/s",
		">= 200000");
}

/* Two nodes and a stream from the first to the second. */
static void open_stream(struct net_lab *lab, struct stream *s)
{
	net_lab_build(lab, 2, EMULATOR_WIRE);
	*s = (struct stream){.batch = 1};
	s->tx = net_lab_udp(lab, 0, 0);
	s->rx = net_lab_udp(lab, 1, PORT);
	s->to = (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = lab->node[1].addr_be};
}

static void close_stream(struct net_lab *lab, struct stream *s)
{
	close(s->tx);
	close(s->rx);
	net_lab_destroy(lab);
}

static void bench_delays(void)
{
	pid_t hogs[HOGS];
	struct net_lab lab;
	struct stream s;

	open_stream(&lab, &s);
	bench_errors(&lab, &s, "idle");
	for (unsigned i = 0; i < HOGS; i++)
		hogs[i] = hog();
	bench_errors(&lab, &s, "busy");
	for (unsigned i = 0; i < HOGS; i++) {
		if (hogs[i] > 0 && !kill(hogs[i], SIGKILL))
			(void)waitpid(hogs[i], NULL, 0);
	}
	close_stream(&lab, &s);
}

static void bench_throughputs(void)
{
	struct fabric_change change;
	struct net_lab lab;
	struct stream s;

	open_stream(&lab, &s);
	net_lab_delay_all(&lab, 10 * MS, 0);
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	bench_throughput(&lab, &s);
	close_stream(&lab, &s);
}

/* iperf3 from the first node to the second, with @state on the way there. */
static void bench_iperf(
	struct net_lab *lab, const char *name, struct link_state state, const char *goal)
{
	char command[256], addr[INET_ADDRSTRLEN], out[NET_LAB_OUTPUT_MAX];
	struct fabric_change change;
	pid_t server;

	*link_matrix_at(&lab->want, 0, 1) = state;
	change = net_lab_apply(lab);
	fabric_change_fini(&change);
	server = fork();
	if (server == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (setns(fabric_netns_fd(lab->fabric, 1), CLONE_NEWNET))
			_exit(1);
		execlp("iperf3", "iperf3", "-s", "-1", "--logfile", "/dev/null", (char *)NULL);
		_exit(127);
	}
	(void)inet_ntop(AF_INET, &lab->node[1].addr_be, addr, sizeof addr);
	/* The server may need a moment; then the receiver's line of the summary. */
	(void)snprintf(command, sizeof command,
		"for i in $(seq 50); do iperf3 -c %s -t %d -f m 2>/dev/null && exit; sleep 0.1; "
		"done | awk '/receiver/ { print $7 }'",
		addr, SECONDS);
	(void)net_lab_run(fabric_netns_fd(lab->fabric, 0), command, out, sizeof out);
	if (server > 0 && (kill(server, SIGKILL), waitpid(server, NULL, 0)) < 0)
		abort();
	say(name, 0, strtod(out, NULL), "Mbit/s", goal);
}

static void bench_iperfs(void)
{
	struct net_lab lab;

	net_lab_build(&lab, 2, EMULATOR_WIRE);
	bench_iperf(&lab, "iperf3_healthy", (struct link_state){0}, "-");
	bench_iperf(&lab, "iperf3_delay_10ms", (struct link_state){.delay_ns = 10 * MS}, "-");
	bench_iperf(&lab, "iperf3_rate_100mbit", (struct link_state){.rate_bps = 100000000},
		"94 to 96");
	net_lab_destroy(&lab);
}

static const struct {
	const char *name;
	void (*run)(void);
} parts[] = {
	{"cut", bench_cuts},
	{"delay", bench_delays},
	{"throughput", bench_throughputs},
	{"iperf", bench_iperfs},
	{"topology", bench_topologies},
};

static bool wanted(const char *name)
{
	const char *names = getenv("PARTS");

	return !names || !*names || strstr(names, name);
}

int main(void)
{
	if (geteuid() != 0) {
		(void)fprintf(stderr, "net_bench: not root\n");
		return EXIT_CANNOT_RUN;
	}
	for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (wanted(parts[i].name))
			parts[i].run();
	}
	return 0;
}
