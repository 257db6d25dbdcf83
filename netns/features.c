/* SPDX-License-Identifier: MIT */
/*
 * features.c - what this kernel lacks, found out by trying
 *
 * Everything is tried in a network namespace made for it, with the code that builds labs. The
 * namespace and all in it goes away with its last descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "netns/fabric_priv.h"
#include "netns/link.h"
#include "netns/qdisc.h"
#include "netns/wire.h"

struct inspection {
	void (*say)(void *ctx, bool good, const char *what, const char *cure);
	void *ctx;
	struct nlsock nl;
	struct matrix matrix;
};

static void report(const struct inspection *x, int code, const char *what, const char *cure)
{
	char line[256];

	if (code == 0)
		(void)snprintf(line, sizeof line, "%s", what);
	else
		(void)snprintf(line, sizeof line, "%s: %s", what, strerror(-code));
	x->say(x->ctx, code == 0, line, code == 0 ? "" : cure);
}

/* Carry out what @b holds, empty it. */
static int attempt(struct inspection *x, struct nlbatch *b)
{
	int code = nlsock_send(&x->nl, b, NULL);

	nlbatch_fini(b);
	return code;
}

static int try_realtime(void)
{
	struct sched_param was, want = {.sched_priority = WIRE_PRIORITY};
	int policy = sched_getscheduler(0);

	if (policy < 0 || sched_getparam(0, &was))
		return -errno;
	if (sched_setscheduler(0, SCHED_FIFO, &want))
		return -errno;
	(void)sched_setscheduler(0, policy, &was);
	return 0;
}

static void inspect_links(struct inspection *x, int netns_fd)
{
	struct nlbatch b = {0};
	int code, fd;

	code = link_veth(&b, "n1", 0, netns_fd, NULL);
	report(x, code ? code : attempt(x, &b), "veth links", "modprobe veth (CONFIG_VETH)");
	link_delete_group(&b);
	(void)attempt(x, &b);
	link_bridge(&b);
	report(x, attempt(x, &b), "bridge", "modprobe bridge (CONFIG_BRIDGE)");
	qdisc_htb_root(&b, LINK_LO);
	report(x, attempt(x, &b), "queueing by HTB", "modprobe sch_htb (CONFIG_NET_SCH_HTB)");
	qdisc_root_delete(&b, LINK_LO);
	(void)attempt(x, &b);
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	report(x, fd < 0 ? -errno : 0, "tap device for the wire emulator",
		"modprobe tun (CONFIG_TUN); in a container: --device /dev/net/tun");
	if (fd >= 0)
		close(fd);
}

static void inspect_programs(struct inspection *x)
{
	struct nlbatch b = {0};
	int code = matrix_open(&x->matrix, 2, 0, NULL);

	report(x, code, "BPF (link matrix, cuts in one store)",
		"run with CAP_BPF and CAP_PERFMON or CAP_SYS_ADMIN; without BPF cuts are made leaf "
		"by leaf");
	qdisc_clsact(&b, LINK_LO);
	report(x, attempt(x, &b), "clsact", "modprobe sch_ingress (CONFIG_NET_SCH_INGRESS)");
	if (code)
		return;
	qdisc_ingress_program(&b, LINK_LO, x->matrix.port_prog_fd, "doctor");
	report(x, attempt(x, &b), "tc programs (cls_bpf)", "modprobe cls_bpf (CONFIG_NET_CLS_BPF)");
	matrix_close(&x->matrix);
}

static void inspect_emulators(struct inspection *x)
{
	int code = netem_ops.probe(&x->nl, NULL);

	if (code == -ENOENT)
		x->say(x->ctx, true, "netem: not in this kernel, delays are made by wire", "");
	else
		report(x, code, "netem", "modprobe sch_netem (CONFIG_NET_SCH_NETEM)");
	report(x, try_realtime(), "real-time priority for the wire emulator",
		"give CAP_SYS_NICE, and a real-time budget to this control group");
}

void fabric_probe_features(
	void (*say)(void *ctx, bool good, const char *what, const char *cure), void *ctx)
{
	struct inspection x = {.say = say, .ctx = ctx};
	int home = namespace_home(NULL), scratch;

	if (home < 0) {
		report(&x, home, "/proc", "mount -t proc proc /proc");
		return;
	}
	scratch = namespace_open(NULL);
	report(&x, scratch < 0 ? scratch : 0, "network namespaces",
		"run as root (CAP_SYS_ADMIN, CAP_NET_ADMIN); CONFIG_NET_NS");
	if (scratch >= 0) {
		int code = nlsock_open(&x.nl, NULL);

		report(&x, code, "rtnetlink", "run as root (CAP_NET_ADMIN)");
		if (!code) {
			inspect_links(&x, scratch);
			inspect_programs(&x);
			inspect_emulators(&x);
		}
		nlsock_close(&x.nl);
		close(scratch);
	}
	namespace_enter(home);
	close(home);
}
