/* SPDX-License-Identifier: MIT */
/*
 * net_bench.c - how fast the network is built and cut, how exact and how fast the emulator is
 *
 * One line per figure: name, value, unit, goal, separated by tabs.
 */
#include <pthread.h>
#include <sys/prctl.h>
#include <time.h>

#include "agent/base/hist.h"
#include "tests/net/net_lab.h"

#define PORT 7010
#define MS NS_PER_MS
#define ROUNDS 5
#define CUTS 101
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

static void bench_topology(unsigned nodes, const char *goal)
{
	/* The kernel frees the namespaces behind our back, under the locks that a build needs. */
	const struct timespec quiet = {.tv_nsec = 500 * (long)MS};
	uint64_t build[ROUNDS], destroy[ROUNDS], cpu[ROUNDS], cut[CUTS];
	struct net_lab lab;

	for (int i = 0; i < ROUNDS; i++) {
		cpu[i] = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
		net_lab_build(&lab, nodes, EMULATOR_AUTO);
		cpu[i] = clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - cpu[i];
		build[i] = fabric_build_ns(lab.fabric);
		for (int k = 0; i == 0 && k < CUTS; k++) {
			struct fabric_change change;

			net_lab_split(&lab, nodes / 2, k % 2 == 0);
			change = net_lab_apply(&lab);
			cut[k] = change.t_last_ns - change.t_request_ns;
			fabric_change_fini(&change);
		}
		destroy[i] = clock_now_ns();
		net_lab_destroy(&lab);
		destroy[i] = clock_now_ns() - destroy[i];
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &quiet, NULL);
	}
	say("fabric_build", nodes, (double)median(build, ROUNDS) / 1e6, "ms", goal);
	/* With self-check; what a machine with other work would need if it had none. */
	say("fabric_build_cpu", nodes, (double)median(cpu, ROUNDS) / 1e6, "ms", "-");
	say("fabric_destroy", nodes, (double)median(destroy, ROUNDS) / 1e6, "ms", "-");
	say("cut_request_to_done", nodes, (double)median(cut, CUTS) / 1e6, "ms", "< 0.1");
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

/* Errors beside @delay_ns plus the bias that the self-check found, as absolute values. */
static void bench_error(struct net_lab *lab, struct stream *s, uint64_t delay_ns)
{
	struct timeval wait = {.tv_usec = 200000};
	struct fabric_quality quality;
	static struct hist error;
	pthread_t sender;
	char name[64];
	uint64_t took;
	int one = 1;

	memset(&error, 0, sizeof error);
	fabric_quality(lab->fabric, &quality);
	(void)setsockopt(s->rx, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
	(void)setsockopt(s->rx, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	s->sent = 0;
	s->done = false;
	if (pthread_create(&sender, NULL, send_stream, s))
		abort();
	while ((took = receive_one(s->rx)) || !__atomic_load_n(&s->done, __ATOMIC_ACQUIRE)) {
		uint64_t want = delay_ns + quality.bias_ns;

		if (took)
			hist_add(&error, took > want ? took - want : want - took);
	}
	(void)pthread_join(sender, NULL);
	(void)snprintf(
		name, sizeof name, "emulator_error_p50_%llu_pps", (unsigned long long)s->pps);
	say(name, 0, (double)hist_quantile(&error, 0.50) / 1e3, "us", "< 30");
	(void)snprintf(
		name, sizeof name, "emulator_error_p99_%llu_pps", (unsigned long long)s->pps);
	say(name, 0, (double)hist_quantile(&error, 0.99) / 1e3, "us", "< 200");
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

static void bench_emulator(void)
{
	struct fabric_change change;
	struct net_lab lab;
	struct stream s = {.batch = 1};

	net_lab_build(&lab, 2, EMULATOR_WIRE);
	s.tx = net_lab_udp(&lab, 0, 0);
	s.rx = net_lab_udp(&lab, 1, PORT);
	s.to = (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = lab.node[1].addr_be};
	net_lab_delay_all(&lab, 10 * MS, 0);
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	s.pps = 1000;
	bench_error(&lab, &s, 10 * MS);
	s.pps = 20000;
	bench_error(&lab, &s, 10 * MS);
	bench_throughput(&lab, &s);
	close(s.tx);
	close(s.rx);
	net_lab_destroy(&lab);
}

int main(void)
{
	if (geteuid() != 0) {
		(void)fprintf(stderr, "net_bench: not root\n");
		return EXIT_CANNOT_RUN;
	}
	bench_topology(5, "< 10");
	bench_topology(50, "< 150");
	bench_topology(100, "< 800");
	bench_emulator();
	return 0;
}
