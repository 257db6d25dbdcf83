/* SPDX-License-Identifier: MIT */
/* report_serve.c - pacelab report --serve: a folder of results in a browser */
#include "agent/cmd/report_serve.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/base/units.h"
#include "agent/report/serve.h"

int report_serve(const char *dir, const char *port, struct err *err)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
	struct serve *serve;
	uint64_t number = 0;
	sigset_t set;
	int sig;

	if (port && units_parse_count(port, 0, UINT16_MAX, &number, err)) {
		(void)err_wrap(err, "--port");
		return EXIT_USAGE;
	}
	/* Before the library's thread is there, which inherits it. */
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		sigaddset(&set, ends[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	if (serve_start(&serve, dir, (uint16_t)number, err))
		return (int)err->status;
	printf("http://127.0.0.1:%u/ shows %s until ctrl-C\n", serve_port(serve), dir);
	(void)fflush(stdout);
	(void)sigwait(&set, &sig);
	serve_stop(serve);
	return EXIT_AS_EXPECTED;
}
