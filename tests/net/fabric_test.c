/* SPDX-License-Identifier: MIT */
/* fabric_test.c - the network as a whole: what it is made of, what it leaves alone and behind */
#include <dirent.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tests/net/net_lab.h"

/* Everything of the host's network that a lab could disturb. */
#define HOST_STATE \
	"ip -o link; ip -o addr | sed 's/valid_lft.*//'; ip route show table all; ip rule; " \
	"ip neigh | wc -l; tc qdisc; nft list ruleset 2>&1; mount; cat /proc/net/dev_mcast; " \
	"sysctl -a 2>/dev/null | grep '^net\\.' | grep -v nf_conntrack_count; true"

static char before[1 << 20], after[1 << 20];

static unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void everything_is_reachable(struct net_lab *lab)
{
	struct fabric_change change = net_lab_apply(lab);
	struct evidence evidence;

	fabric_change_fini(&change);
	net_lab_delay_all(lab, 2 * NS_PER_MS, 0);
	change = net_lab_apply(lab);
	evidence = net_lab_evidence(lab, &change);
	assert_string_not_equal(evidence.why, "");
	assert_int_not_equal(evidence.result, EVIDENCE_MISMATCH);
	fabric_change_fini(&change);
}

static void fabric__builds_five_nodes(void **state)
{
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 5, EMULATOR_AUTO);
	assert_true(fabric_build_ns(lab.fabric) > 0);
	assert_string_not_equal(fabric_emulator_text(lab.fabric), "");
	everything_is_reachable(&lab);
	net_lab_destroy(&lab);
}

static void fabric__builds_fifty_nodes(void **state)
{
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 50, EMULATOR_AUTO);
	everything_is_reachable(&lab);
	net_lab_destroy(&lab);
}

/* Up, cut, healed, down; a class for each link would take the kernel many seconds. */
static void fabric__builds_as_many_nodes_as_there_may_be(void **state)
{
	struct fabric_change change;
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, FABRIC_NODES_MAX, EMULATOR_WIRE);
	net_lab_split(&lab, FABRIC_NODES_MAX / 2, true);
	change = net_lab_apply(&lab);
	assert_int_equal(change.cuts, FABRIC_NODES_MAX * FABRIC_NODES_MAX / 2);
	fabric_change_fini(&change);
	assert_true(net_lab_ping(&lab, 0, FABRIC_NODES_MAX - 1, 1, 1) < 0);
	assert_true(net_lab_ping(&lab, 0, 1, 1, 2) >= 0);
	net_lab_split(&lab, FABRIC_NODES_MAX / 2, false);
	change = net_lab_apply(&lab);
	fabric_change_fini(&change);
	assert_true(net_lab_ping(&lab, 0, FABRIC_NODES_MAX - 1, 1, 2) >= 0);
	net_lab_destroy(&lab);
}

static void fabric__builds_one_node(void **state)
{
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 1, EMULATOR_AUTO);
	net_lab_destroy(&lab);
}

static void fabric__leaves_the_host_as_it_was(void **state)
{
	struct net_lab lab;

	(void)state;
	need_root();
	assert_int_equal(net_lab_run(-1, HOST_STATE, before, sizeof before), 0);
	assert_non_null(strstr(before, "net.ipv4"));
	net_lab_build(&lab, 5, EMULATOR_AUTO);
	everything_is_reachable(&lab);
	(void)net_lab_run(-1, HOST_STATE, after, sizeof after);
	assert_string_equal(before, after);
	net_lab_destroy(&lab);
	(void)net_lab_run(-1, HOST_STATE, after, sizeof after);
	assert_string_equal(before, after);
}

static void fabric__leaves_nothing_behind(void **state)
{
	unsigned fds = 0;
	struct net_lab lab;
	pid_t wire;

	(void)state;
	need_root();
	fds = count_fds();
	net_lab_build(&lab, 5, EMULATOR_AUTO);
	wire = fabric_wire_pid(lab.fabric);
	net_lab_destroy(&lab);
	assert_int_equal(count_fds(), fds);
	if (wire > 0) {
		assert_int_equal(kill(wire, 0), -1);
		assert_int_equal(errno, ESRCH);
	}
}

static void fabric_destroy__is_done_when_the_links_are_gone(void **state)
{
	char out[NET_LAB_OUTPUT_MAX];
	struct net_lab lab;
	int node, sw;

	(void)state;
	need_root();
	net_lab_build(&lab, 5, EMULATOR_AUTO);
	node = fcntl(fabric_netns_fd(lab.fabric, 0), F_DUPFD_CLOEXEC, 3);
	sw = fcntl(fabric_switch_fd(lab.fabric), F_DUPFD_CLOEXEC, 3);
	assert_int_equal(net_lab_run(node, "ip link show eth0", out, sizeof out), 0);
	net_lab_destroy(&lab);
	assert_int_not_equal(net_lab_run(node, "ip link show eth0", out, sizeof out), 0);
	(void)net_lab_run(sw, "ip -o link | wc -l", out, sizeof out);
	assert_int_equal(strtol(out, NULL, 10), 1); /* lo, which every namespace has */
	close(node);
	close(sw);
}

static void fabric__dies_with_its_maker(void **state)
{
	struct net_lab lab;
	int pipes[2], status, sw;
	pid_t maker, wire = 0;
	char out[NET_LAB_OUTPUT_MAX], path[64];
	uint64_t end;

	(void)state;
	need_root();
	assert_int_equal(pipe(pipes), 0);
	maker = fork();
	if (maker == 0) {
		struct err err = {0};

		net_lab_config(&lab, 3, EMULATOR_AUTO);
		if (fabric_build(&lab.fabric, &lab.config, &err))
			_exit(1);
		wire = fabric_wire_pid(lab.fabric);
		(void)!write(pipes[1], &wire, sizeof wire);
		(void)!write(pipes[1], &lab.fabric->switch_fd, sizeof(int));
		for (;;)
			pause();
	}
	assert_int_equal(read(pipes[0], &wire, sizeof wire), sizeof wire);
	assert_int_equal(read(pipes[0], &sw, sizeof sw), sizeof sw);
	(void)snprintf(path, sizeof path, "/proc/%d/fd/%d", maker, sw);
	sw = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(sw >= 0);
	assert_int_equal(kill(maker, SIGKILL), 0);
	assert_int_equal(waitpid(maker, &status, 0), maker);
	end = clock_now_ns() + 2 * NS_PER_S;
	while ((wire > 0 && kill(wire, 0) == 0) ||
		(net_lab_run(sw, "ip -o link show type veth | wc -l", out, sizeof out),
			strtol(out, NULL, 10) > 0))
		assert_true(clock_now_ns() < end);
	close(sw);
	close(pipes[0]);
	close(pipes[1]);
}

static void fabric__nodes_have_settings_of_their_own(void **state)
{
	static const char *const settings =
		"cd /proc/sys/net; cat ipv4/tcp_no_metrics_save ipv4/tcp_retries2; "
		"cat ipv6/conf/all/disable_ipv6 2>/dev/null || echo 1; "
		"ip route; ip -o link show lo";
	char out[NET_LAB_OUTPUT_MAX];
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_AUTO);
	(void)net_lab_run(fabric_netns_fd(lab.fabric, 1), settings, out, sizeof out);
	assert_memory_equal(out, "1\n255\n1\n", 8);
	assert_non_null(strstr(out, "10.99.0.0/16 dev eth0"));
	assert_non_null(strstr(out, "LOWER_UP"));
	if (node_has_cubic())
		assert_non_null(strstr(out, "congctl cubic"));
	(void)net_lab_run(fabric_netns_fd(lab.fabric, 1), "ip neigh", out, sizeof out);
	assert_non_null(strstr(out, "10.99.0.1 dev eth0 lladdr 02:00:00:00:00:00 PERMANENT"));
	net_lab_destroy(&lab);
}

static void fabric__two_labs_stand_side_by_side(void **state)
{
	struct net_lab a, b;

	(void)state;
	need_root();
	net_lab_build(&a, 3, EMULATOR_AUTO);
	net_lab_build(&b, 3, EMULATOR_AUTO);
	net_lab_split(&a, 1, true);
	{
		struct fabric_change change = net_lab_apply(&a);

		fabric_change_fini(&change);
	}
	assert_true(net_lab_ping(&b, 0, 1, 1, 2) >= 0);
	net_lab_destroy(&a);
	assert_true(net_lab_ping(&b, 0, 1, 1, 2) >= 0);
	net_lab_destroy(&b);
}

/* One descriptor more each time: the build fails at each place that needs one. */
static void fabric_build__undoes_what_fails(void **state)
{
	struct rlimit was, limit;
	struct stat home, now;
	struct net_lab lab;
	unsigned failed = 0, fds;
	int code;

	(void)state;
	need_root();
	net_lab_config(&lab, 3, EMULATOR_AUTO);
	assert_int_equal(stat("/proc/self/ns/net", &home), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	fds = count_fds();
	do {
		struct err err = {0};

		/* "." and ".." and the directory itself were counted, too. */
		limit = (struct rlimit){.rlim_cur = fds - 3 + failed, .rlim_max = was.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		code = fabric_build(&lab.fabric, &lab.config, &err);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
		assert_int_equal(stat("/proc/self/ns/net", &now), 0);
		assert_int_equal(now.st_ino, home.st_ino);
		if (!code)
			break;
		assert_null(lab.fabric);
		assert_string_not_equal(err.text, "");
		assert_int_equal(count_fds(), fds);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	} while (++failed < 100);
	assert_int_equal(code, 0);
	assert_in_range(failed, 10, 99);
	fabric_destroy(lab.fabric);
	assert_int_equal(count_fds(), fds);
}

/* From now on this process has no pidfd_open(2), as in a container that does not know it. */
static int forbid_pidfds(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void fabric_build__ends_a_wire_process_that_cannot_be_watched(void **state)
{
	struct net_lab lab;
	int status;
	pid_t pid;

	(void)state;
	need_root();
	net_lab_config(&lab, 2, EMULATOR_WIRE);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err err = {0};

		(void)alarm(20);
		if (forbid_pidfds())
			_exit(2);
		_exit(fabric_build(&lab.fabric, &lab.config, &err) == -EPERM &&
					waitpid(-1, NULL, WNOHANG) == -1
				? 0
				: 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void name_second(struct net_lab *lab, const char *name)
{
	(void)snprintf(lab->node[1].name, sizeof lab->node[1].name, "%s", name);
}

static void fabric_build__refuses_bad_names(void **state)
{
	struct err err = {0};
	struct net_lab lab;

	(void)state;
	net_lab_config(&lab, 2, EMULATOR_AUTO);
	name_second(&lab, "n1");
	assert_int_equal(fabric_build(&lab.fabric, &lab.config, &err), -EINVAL);
	assert_int_equal(err.status, EXIT_USAGE);
	name_second(&lab, "a/b");
	assert_int_equal(fabric_build(&lab.fabric, &lab.config, &err), -EINVAL);
	name_second(&lab, "lo");
	assert_int_equal(fabric_build(&lab.fabric, &lab.config, &err), -EINVAL);
	name_second(&lab, "n2");
	lab.config.lab = "no spaces";
	assert_int_equal(fabric_build(&lab.fabric, &lab.config, &err), -EINVAL);
	lab.config.lab = "t";
	lab.config.nodes = 0;
	assert_int_equal(fabric_build(&lab.fabric, &lab.config, &err), -EINVAL);
	assert_null(lab.fabric);
}

static void fabric_apply__refuses_more_jitter_than_delay(void **state)
{
	struct fabric_change change;
	struct err err = {0};
	struct net_lab lab;

	(void)state;
	need_root();
	net_lab_build(&lab, 2, EMULATOR_AUTO);
	*link_matrix_at(&lab.want, 0, 1) = (struct link_state){.delay_ns = 5, .jitter_ns = 6};
	assert_int_equal(fabric_apply(lab.fabric, &lab.want, &change, &err), -EINVAL);
	assert_int_equal(err.status, EXIT_USAGE);
	assert_int_equal(link_matrix_at(fabric_matrix(lab.fabric), 0, 1)->delay_ns, 0);
	net_lab_destroy(&lab);
}

static unsigned good, bad;

static void count_feature(void *ctx, bool ok, const char *what, const char *cure)
{
	(void)ctx;
	assert_string_not_equal(what, "");
	if (!ok)
		assert_string_not_equal(cure, "");
	good += ok;
	bad += !ok;
}

static void fabric_probe_features__finds_what_labs_need(void **state)
{
	(void)state;
	need_root();
	fabric_probe_features(count_feature, NULL);
	assert_true(good >= 9);
	assert_true(bad <= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fabric__builds_one_node),
		cmocka_unit_test(fabric__builds_five_nodes),
		cmocka_unit_test(fabric__builds_fifty_nodes),
		cmocka_unit_test(fabric__builds_as_many_nodes_as_there_may_be),
		cmocka_unit_test(fabric__leaves_the_host_as_it_was),
		cmocka_unit_test(fabric__leaves_nothing_behind),
		cmocka_unit_test(fabric_destroy__is_done_when_the_links_are_gone),
		cmocka_unit_test(fabric__dies_with_its_maker),
		cmocka_unit_test(fabric__nodes_have_settings_of_their_own),
		cmocka_unit_test(fabric__two_labs_stand_side_by_side),
		cmocka_unit_test(fabric_build__undoes_what_fails),
		cmocka_unit_test(fabric_build__ends_a_wire_process_that_cannot_be_watched),
		cmocka_unit_test(fabric_build__refuses_bad_names),
		cmocka_unit_test(fabric_apply__refuses_more_jitter_than_delay),
		cmocka_unit_test(fabric_probe_features__finds_what_labs_need),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("fabric", tests, NULL, NULL);
}
