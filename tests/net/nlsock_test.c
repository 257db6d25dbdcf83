/* SPDX-License-Identifier: MIT */
/* nlsock_test.c - batches of netlink messages: what fails is named, with the kernel's words */
#include <linux/pkt_sched.h>

#include "netns/link.h"
#include "netns/qdisc.h"
#include "tests/net/net_lab.h"

/* A namespace of the test's own and a socket in it; the thread is back where it was. */
static int scratch(struct nlsock *s)
{
	struct err err = {0};
	int home = namespace_home(&err), fd = namespace_open(&err);

	assert_true(home >= 0);
	assert_true(fd >= 0);
	assert_int_equal(nlsock_open(s, &err), 0);
	namespace_enter(home);
	close(home);
	return fd;
}

static void add_qdisc(struct nlbatch *b, const char *kind)
{
	struct nlmsghdr *nlh = nlbatch_begin(b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(nlh, sizeof *tc);

	tc->tcm_ifindex = LINK_LO;
	tc->tcm_parent = TC_H_ROOT;
	mnl_attr_put_strz(nlh, TCA_KIND, kind);
	nlbatch_end(b, nlh);
}

static void nlsock_send__names_the_message_that_failed(void **state)
{
	struct nlbatch b = {0};
	struct err err = {0};
	struct nlsock s;
	int fd;

	(void)state;
	need_root();
	fd = scratch(&s);
	add_qdisc(&b, "pfifo");
	add_qdisc(&b, "nosuchkind");
	add_qdisc(&b, "pfifo");
	assert_int_equal(nlsock_send(&s, &b, &err), -ENOENT);
	assert_int_equal(err.code, -ENOENT);
	assert_non_null(strstr(err.text, "RTM_NEWQDISC nosuchkind: No such file or directory"));
	assert_non_null(strstr(err.text, "(kernel: "));
	nlbatch_fini(&b);
	/* The socket is usable after a failure: no answer is left over. */
	link_up(&b, LINK_LO);
	assert_int_equal(nlsock_send(&s, &b, &err), 0);
	nlbatch_fini(&b);
	nlsock_close(&s);
	close(fd);
}

static void nlsock_send__carries_more_than_one_chunk(void **state)
{
	enum { MANY = 9000 };
	char out[NET_LAB_OUTPUT_MAX];
	struct nlbatch b = {0};
	struct err err = {0};
	struct nlsock s;
	int fd;

	(void)state;
	need_root();
	fd = scratch(&s);
	qdisc_htb_root(&b, LINK_LO);
	/* The same a second time is an error, and it does not stop what follows. */
	qdisc_clsact(&b, LINK_LO);
	qdisc_clsact(&b, LINK_LO);
	for (unsigned i = 0; i < MANY; i++)
		qdisc_htb_class(&b, LINK_LO, i);
	assert_true(b.bytes.len > 1 << 20);
	assert_int_equal(nlsock_send(&s, &b, &err), -EEXIST);
	assert_int_equal(s.refusal.ifindex, LINK_LO);
	assert_int_equal(s.refusal.handle, TC_H_MAKE(TC_H_CLSACT, 0));
	nlbatch_fini(&b);
	(void)net_lab_run(fd, "tc class show dev lo | wc -l", out, sizeof out);
	assert_int_equal(strtol(out, NULL, 10), MANY);
	nlsock_close(&s);
	close(fd);
}

static void nlsock__stays_in_the_namespace_where_it_was_opened(void **state)
{
	char out[NET_LAB_OUTPUT_MAX];
	struct nlbatch b = {0};
	struct nlsock s;
	int fd;

	(void)state;
	need_root();
	fd = scratch(&s);
	link_bridge(&b);
	assert_int_equal(nlsock_send(&s, &b, NULL), 0);
	nlbatch_fini(&b);
	assert_int_equal(net_lab_run(fd, "ip link show " LINK_BRIDGE_NAME, out, sizeof out), 0);
	assert_int_not_equal(net_lab_run(-1, "ip link show " LINK_BRIDGE_NAME, out, sizeof out), 0);
	nlsock_close(&s);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nlsock_send__names_the_message_that_failed),
		cmocka_unit_test(nlsock_send__carries_more_than_one_chunk),
		cmocka_unit_test(nlsock__stays_in_the_namespace_where_it_was_opened),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("nlsock", tests, NULL, NULL);
}
