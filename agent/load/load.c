/* SPDX-License-Identifier: MIT */
/* load.c - the load process of one site: starts its clients and waits for them */
#include "agent/load/load.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "agent/base/log.h"
#include "agent/load/client.h"

/* A client's frames are small; 256 of them should not ask for 2 GiB of address space. */
#define LOAD_STACK_BYTES (256u << 10)
/* The default slack of 50 us would start every operation late. */
#define LOAD_TIMER_SLACK_NS 1000ul

static int start_client(struct client *c)
{
	pthread_attr_t attr;
	int rc;

	rc = pthread_attr_init(&attr);
	if (rc == 0)
		rc = pthread_attr_setstacksize(&attr, LOAD_STACK_BYTES);
	if (rc == 0)
		rc = pthread_create(&c->thread, &attr, client_run, c);
	(void)pthread_attr_destroy(&attr);
	return -rc;
}

static int wait_for_clients(struct client *clients, unsigned count)
{
	int error = 0;

	for (unsigned i = 0; i < count; i++) {
		(void)pthread_join(clients[i].thread, NULL);
		if (clients[i].error)
			error = clients[i].error;
	}
	return error;
}

int load_main(
	const struct plan *plan, unsigned site, struct history *history, struct load_shared *shared)
{
	struct client_site common;
	unsigned count = plan->load.clients_per_site;
	struct client *clients = calloc(count, sizeof *clients);
	unsigned started = 0;
	int rc = 0;
	int error;

	assert(clients && site < plan->sites);
	client_site_init(&common, plan, site, history, shared);
	(void)prctl(PR_SET_TIMERSLACK, LOAD_TIMER_SLACK_NS);
	for (unsigned i = 0; i < count; i++)
		client_init(&clients[i], &common, i);
	while (started < count && rc == 0) {
		rc = start_client(&clients[started]);
		started += rc == 0;
	}
	if (rc < 0) {
		log_error("client %u of site %s: start thread: %s", started, plan->site[site].name,
			strerror(-rc));
		atomic_fetch_add(&shared->failed, 1);
	}
	error = wait_for_clients(clients, started);
	if (error) {
		log_error("site %s: history: %s", plan->site[site].name, strerror(-error));
		atomic_fetch_add(&shared->failed, 1);
	}
	for (unsigned i = 0; i < count; i++)
		client_fini(&clients[i]);
	free(clients);
	client_site_fini(&common);
	atomic_fetch_add(&shared->finals_done, 1);
	return rc < 0 || error ? EXIT_INTERNAL : EXIT_AS_EXPECTED;
}
