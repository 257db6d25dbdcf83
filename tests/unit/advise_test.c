/* SPDX-License-Identifier: MIT */
/* advise_test.c - who fits what is needed, and the floors by hand */
#include "tests/lib/test.h"

#include <string.h>

#include "agent/base/clock.h"
#include "agent/report/advise.h"

/* East and west 20 ms apart, far 40 ms from both; five replicas. */
static struct advise_sites cap_sites(void)
{
	const uint64_t near = 20 * NS_PER_MS, far = 40 * NS_PER_MS;

	return (struct advise_sites){.sites = 3,
		.name = {"east", "west", "far"},
		.replicas = {2, 2, 1},
		.rtt_ns = {{0, near, far}, {near, 0, far}, {far, far, 0}}};
}

static const struct advice *find(const struct advice *a, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (strcmp(a[i].system->name, name) == 0)
			return &a[i];
	fail_msg("no %s", name);
	return NULL;
}

static void advise__takes_nobody_who_claims_less(void **state)
{
	struct advice a[ADVISE_SYSTEMS_MAX];
	struct advise_sites sites = cap_sites();
	unsigned n = advise(advise_find("lock"), &sites, a);

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		struct proto_config config;
		struct proto_claim claim;

		system_config(a[i].system, 5, &config);
		a[i].system->ops->claim(&config, &claim);
		if (a[i].fits)
			assert_true(claim.cut == PROTO_LINEARIZABLE && claim.cas &&
				    !claim.loses_acked && !claim.one_copy);
		else
			assert_true(a[i].why[0]);
		assert_true(i == 0 || a[i - 1].fits >= a[i].fits);
	}
	assert_true(find(a, n, "etcd")->fits);
	assert_non_null(strstr(find(a, n, "single")->why, "has one copy"));
	assert_non_null(strstr(find(a, n, "cassandra-one")->why, "claims no more than eventual"));
	assert_non_null(strstr(find(a, n, "cassandra-quorum")->why, "has no compare-and-set"));
	assert_non_null(strstr(find(a, n, "dynamodb-strong")->why, "relies on clocks"));
	assert_non_null(strstr(find(a, n, "postgres-sync")->why, "a cut can stop all writes"));
}

/* Led from east: a majority is 20 ms away, and the way there from west 20, from far 40. */
static void advise__has_the_floors_of_the_matrix(void **state)
{
	struct advice a[ADVISE_SYSTEMS_MAX];
	struct advise_sites sites = cap_sites();
	unsigned n = advise(advise_find("bank"), &sites, a);
	const struct advice *etcd = find(a, n, "etcd"), *one = find(a, n, "cassandra-one");

	(void)state;
	assert_int_equal(etcd->write_ns / NS_PER_MS, 40);
	assert_int_equal(etcd->write_worst_ns, 60 * NS_PER_MS);
	assert_true(etcd->leader == 0 || etcd->leader == 1);
	assert_int_equal(one->read_ns, 0);
	assert_int_equal(one->leader, -1);
}

static void advise__takes_the_fastest_of_those_that_fit(void **state)
{
	struct advice a[ADVISE_SYSTEMS_MAX];
	struct advise_sites sites = cap_sites();

	(void)state;
	for (unsigned i = 0; advise_use(i); i++) {
		unsigned n = advise(advise_use(i), &sites, a);

		for (unsigned k = 1; k < n && a[k].fits; k++)
			assert_true(a[k - 1].cost_ns <= a[k].cost_ns + NS_PER_MS / 10);
	}
	assert_int_equal(advise(advise_find("ingest"), &sites, a) > 0, true);
	assert_true(a[0].fits);
	assert_int_equal(a[0].cost_ns, 0);
}

/* Consistency and availability while cut: nobody, by Gilbert and Lynch. */
static void advise__finds_nobody_for_what_cannot_be(void **state)
{
	const struct advise_needs all = {
		.model = PROTO_LINEARIZABLE, .minority = true, .does = PROTO_DOES(PROTO_SET)};
	struct advice a[ADVISE_SYSTEMS_MAX];
	struct advise_sites sites = cap_sites();

	(void)state;
	assert_true(advise(&all, &sites, a) > 0);
	assert_false(a[0].fits);
}

static void advise__knows_seven_uses_by_name(void **state)
{
	unsigned n = 0;

	(void)state;
	for (; advise_use(n); n++)
		assert_ptr_equal(advise_find(advise_use(n)->name), advise_use(n));
	assert_int_equal(n, 7);
	assert_null(advise_find("own"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(advise__takes_nobody_who_claims_less),
		cmocka_unit_test(advise__has_the_floors_of_the_matrix),
		cmocka_unit_test(advise__takes_the_fastest_of_those_that_fit),
		cmocka_unit_test(advise__finds_nobody_for_what_cannot_be),
		cmocka_unit_test(advise__knows_seven_uses_by_name),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
