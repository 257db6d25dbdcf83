/* SPDX-License-Identifier: MIT */
/* log_test.c - one line is one write, ends, and is dropped above its level */
#include "agent/base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/test.h"

#define LINE_MAX_SEEN 1024

/* What one read of the pipe gives after @level and @text were logged; packet mode keeps writes
 * apart. */
static ssize_t logged(enum log_level level, const char *text, char *out, size_t size)
{
	ssize_t n;
	int fds[2];

	assert_int_equal(pipe2(fds, O_DIRECT | O_NONBLOCK), 0);
	log_init(fds[1], "n1", LOG_INFO);
	log_at(level, "%s", text);
	log_init(STDERR_FILENO, "test", LOG_WARN);
	n = read(fds[0], out, size - 1);
	out[n > 0 ? n : 0] = '\0';
	close(fds[0]);
	close(fds[1]);
	return n;
}

static void log_at__writes_time_name_level_and_text(void **state)
{
	long long seconds;
	char line[2 * LINE_MAX_SEEN];
	char text[64];
	long micros;

	(void)state;
	assert_true(logged(LOG_WARN, "disk is slow", line, sizeof line) > 0);
	assert_int_equal(sscanf(line, "%lld.%6ld %63[^\n]", &seconds, &micros, text), 3);
	assert_string_equal(text, "n1: warning: disk is slow");
	assert_int_equal(line[strlen(line) - 1], '\n');
}

static void log_at__drops_what_is_above_its_level(void **state)
{
	char line[2 * LINE_MAX_SEEN];

	(void)state;
	assert_true(logged(LOG_INFO, "x", line, sizeof line) > 0);
	assert_true(logged(LOG_DEBUG, "x", line, sizeof line) < 0);
}

static void log_at__cuts_a_long_line_and_still_ends_it(void **state)
{
	char text[4 * LINE_MAX_SEEN];
	char line[2 * LINE_MAX_SEEN];
	ssize_t n;

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	n = logged(LOG_ERROR, text, line, sizeof line);
	assert_true(n > LINE_MAX_SEEN - 2 && n <= LINE_MAX_SEEN);
	assert_int_equal(line[n - 1], '\n');
	assert_ptr_equal(strchr(line, '\n'), line + n - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(log_at__writes_time_name_level_and_text),
		cmocka_unit_test(log_at__drops_what_is_above_its_level),
		cmocka_unit_test(log_at__cuts_a_long_line_and_still_ends_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
