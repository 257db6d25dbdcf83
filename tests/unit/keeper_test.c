/* SPDX-License-Identifier: MIT */
/* keeper_test.c - what a keeper writes, says and starts, in a folder and not in a node */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/lab/keeper_priv.h"
#include "agent/lab/mounts.h"
#include "agent/lab/outdir.h"
#include "tests/lib/test.h"

#define END_WAIT_NS (10 * NS_PER_S)

static const struct keeper_words all_words = {
	.dir = "/tmp/data", .cluster = "0123456789abcdef", .leader = "10.1.0.2", .name = "n2"};

static struct {
	char folder[64];
	int home; /* the working directory before */
	int port; /* of the database: a socket that serves() lets take connections */
	int out;  /* standard error before */
} at;

static int enter(void **state)
{
	(void)state;
	(void)snprintf(at.folder, sizeof at.folder, "/tmp/pacelab-keeper-XXXXXX");
	assert_non_null(mkdtemp(at.folder));
	at.home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(at.home >= 0);
	return chdir(at.folder);
}

static int leave(void **state)
{
	struct outdir all = {.made = true};

	(void)state;
	(void)snprintf(all.path, sizeof all.path, "%s", at.folder);
	assert_int_equal(fchdir(at.home), 0);
	close(at.home);
	(void)snprintf(all.shown, sizeof all.shown, "%s", at.folder);
	outdir_remove(&all);
	(void)rmdir(at.folder);
	return 0;
}

static void assert_expands(const char *text, const struct keeper_words *words, const char *want)
{
	char *got = keeper_expand(text, words);

	assert_string_equal(got, want);
	free(got);
}

static void keeper_expand__replaces_the_words_it_knows(void **state)
{
	(void)state;
	assert_expands("{dir}/pg", &all_words, "/tmp/data/pg");
	assert_expands("{name}@{leader}:{cluster}", &all_words, "n2@10.1.0.2:0123456789abcdef");
	assert_expands("{{dir}}", &all_words, "{/tmp/data}");
	assert_expands("", &all_words, "");
}

static void keeper_expand__leaves_other_braces_alone(void **state)
{
	const struct keeper_words none = {.dir = "/d", .cluster = "c"};

	(void)state;
	assert_expands(
		"{\"a\": {}} {di {directory} {", &all_words, "{\"a\": {}} {di {directory} {");
	/* Nobody leads yet. */
	assert_expands("{leader} {name} {dir}", &none, "{leader} {name} /d");
}

static void keeper_argv__replaces_in_all_of_them(void **state)
{
	char *argv[] = {"sh", "-c", "cd {dir}", NULL};
	char **got = keeper_argv(argv, &all_words);

	(void)state;
	assert_string_equal(got[0], "sh");
	assert_string_equal(got[2], "cd /tmp/data");
	assert_null(got[3]);
	keeper_argv_free(got);
	keeper_argv_free(NULL);
}

static void text_of(const char *path, char out[128])
{
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	out[fread(out, 1, 127, f)] = '\0';
	(void)fclose(f);
}

static void keeper_files__writes_those_of_once_only_once(void **state)
{
	struct real_node node = {.file = {{"a/b/c.conf", "at {dir}\n"}, {"id", "1\n"}},
		.once = {false, true},
		.files = 2};
	struct err err;
	struct stat st;
	char text[128];

	(void)state;
	assert_int_equal(keeper_files(&node, &all_words, true, &err), 0);
	text_of("a/b/c.conf", text);
	assert_string_equal(text, "at /tmp/data\n");
	assert_int_equal(stat("a/b/c.conf", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	node.file[0].text = "anew";
	node.file[1].text = "2";
	assert_int_equal(keeper_files(&node, &all_words, false, &err), 0);
	text_of("a/b/c.conf", text);
	assert_string_equal(text, "anew");
	text_of("id", text);
	assert_string_equal(text, "1\n");
}

static void keeper_files__follows_no_link_that_a_database_left(void **state)
{
	const struct real_node node = {.file = {{"conf", "text"}}, .files = 1};
	struct err err;

	(void)state;
	assert_int_equal(symlink("elsewhere", "conf"), 0);
	assert_int_equal(keeper_files(&node, &all_words, true, &err), -ELOOP);
	assert_int_equal(access("elsewhere", F_OK), -1);
	assert_non_null(strstr(err.text, "/tmp/data/conf"));
}

static void keeper_info__is_what_watchers_read(void **state)
{
	const struct driver_status status = {
		.ready = true, .leader = 2, .term = 7, .role = "fol\r\nterm:9"};
	struct driver_status leads = {.leads = true, .leader = -1, .role = "primary"};
	struct buf out = {0};

	(void)state;
	keeper_info(&out, &status, 1, 5000000);
	buf_u8(&out, '\0');
	assert_string_equal((char *)out.p,
		"$53\r\nrole:fol\r\nleader:2\r\nterm:7\r\nready:1\r\nmemory:5000000\r\n\r\n");
	out.len = 0;
	keeper_info(&out, &leads, 1, 0);
	buf_u8(&out, '\0');
	assert_non_null(strstr((char *)out.p, "\r\nleader:1\r\n"));
	assert_non_null(strstr((char *)out.p, "\r\nready:0\r\n"));
	buf_fini(&out);
}

static void keeper_clock_print__has_a_sign_and_nanoseconds(void **state)
{
	char out[KEEPER_CLOCK_MAX];

	(void)state;
	assert_string_equal(keeper_clock_print(0, out), "+0.000000000");
	assert_string_equal(keeper_clock_print(1500000000, out), "+1.500000000");
	assert_string_equal(keeper_clock_print(-1, out), "-0.000000001");
	assert_string_equal(keeper_clock_print(INT64_MIN, out), "-9223372036.854775808");
}

/* Its output goes to the file "log". */
static void run(struct keeper_process *p, char *const *argv)
{
	uint64_t deadline = clock_now_ns() + END_WAIT_NS;
	int log = open("log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct err err;

	at.out = dup(STDERR_FILENO);
	assert_true(dup2(log, STDERR_FILENO) >= 0);
	close(log);
	assert_int_equal(process_start(p, argv, &err), 0);
	while (!process_reap(p) && clock_now_ns() < deadline) {
		struct pollfd fd = {.fd = p->out_fd, .events = POLLIN};

		(void)poll(&fd, 1, 10);
		process_hear(p);
	}
	assert_true(dup2(at.out, STDERR_FILENO) >= 0);
	close(at.out);
	assert_int_equal(p->pid, 0);
}

static void process_start__logs_each_line_with_a_name_and_keeps_the_last(void **state)
{
	char *argv[] = {"sh", "-c", "echo one; printf 'two\\r\\n\\nthree' >&2; exit 3", NULL};
	struct keeper_process p = {.out_fd = -1, .name = "toy"};
	char words[PROCESS_WORDS_MAX];
	char text[128];

	(void)state;
	run(&p, argv);
	assert_false(process_succeeded(&p));
	assert_string_equal(process_words(&p, words), "exited with 3");
	assert_string_equal(p.last, "three");
	text_of("log", text);
	assert_non_null(strstr(text, " toy: one\n"));
	assert_non_null(strstr(text, " toy: two\n"));
	assert_non_null(strstr(text, " toy: three\n"));
	process_fini(&p);
}

static void process_start__says_that_there_is_no_such_program(void **state)
{
	char *argv[] = {"pacelab-no-such-program", NULL};
	struct keeper_process p = {.out_fd = -1, .name = "toy"};

	(void)state;
	run(&p, argv);
	assert_false(process_succeeded(&p));
	assert_string_equal(
		p.last, "cannot run pacelab-no-such-program: No such file or directory");
	process_fini(&p);
}

static void process_start__breaks_lines_that_have_no_end(void **state)
{
	char *argv[] = {"sh", "-c", "head -c 5000 /dev/zero | tr '\\0' x; kill -9 $$", NULL};
	struct keeper_process p = {.out_fd = -1, .name = "toy", .captured = true};
	char words[PROCESS_WORDS_MAX];

	(void)state;
	run(&p, argv);
	assert_string_equal(process_words(&p, words), "was killed by SIGKILL");
	assert_int_equal(strspn(p.last, "x"), strlen(p.last));
	process_fini(&p);
}

static void process_start__keeps_no_more_than_a_log_may_have(void **state)
{
	char *argv[] = {"sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do echo line $i; done", NULL};
	struct keeper_process p = {
		.out_fd = -1, .name = "toy", .logged = PROCESS_LOG_MAX - sizeof " toy: line 1\n"};
	char text[128];

	(void)state;
	run(&p, argv);
	text_of("log", text);
	assert_non_null(strstr(text, " toy: line 1\n"));
	assert_non_null(strstr(text, " toy: (it says too much"));
	assert_null(strstr(text, "line 3"));
	assert_string_equal(p.last, "line 9");
	process_fini(&p);
}

static void process_name__is_the_program_or_its_script(void **state)
{
	char *program[] = {"/usr/bin/redis-server", "x", NULL};
	char *script[] = {"sh", "dir/serve.sh", NULL};
	char *inline_script[] = {"sh", "-c", "true", NULL};
	char out[PROCESS_NAME_MAX];

	(void)state;
	process_name(out, program, 2);
	assert_string_equal(out, "redis-server-2");
	process_name(out, script, 0);
	assert_string_equal(out, "serve.sh");
	process_name(out, inline_script, 0);
	assert_string_equal(out, "sh");
}

static void mounts_see__shows_folders_below_hidden_ones_only(void **state)
{
	static struct mounts m;

	(void)state;
	mounts_see(&m, "/usr/bin/redis-server");
	mounts_see(&m, "relative");
	mounts_see(&m, "/tmp/mine.lua");
	assert_int_equal(m.seens, 0);
	mounts_see(&m, "/tmp/a/mine.lua");
	mounts_see(&m, "/tmp/a/other.lua");
	mounts_see(&m, "/dev/shm/b/");
	assert_int_equal(m.seens, 2);
	assert_string_equal(m.seen[0], "/tmp/a");
	assert_string_equal(m.seen[1], "/dev/shm/b");
}

/* What a keeper that is up answers to @line; "" if it closes the connection. */
static void ask(struct keeper *k, const char *line, char out[256])
{
	int pair[2];
	ssize_t n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	k->client[0] = (struct keeper_client){.fd = pair[0]};
	assert_int_equal(send(pair[1], line, strlen(line), 0), strlen(line));
	keeper_admin_hear(k, &k->client[0]);
	n = recv(pair[1], out, 255, 0);
	out[n > 0 ? n : 0] = '\0';
	assert_int_equal(k->client[0].fd < 0, n <= 0);
	if (k->client[0].fd >= 0)
		close(k->client[0].fd);
	close(pair[1]);
}

static void keeper_admin__answers_what_watchers_and_nemesis_ask(void **state)
{
	static struct real_node node;
	const struct real real = {.node = &node};
	const uint32_t addr_be[] = {0};
	const struct keeper_task task = {
		.real = &real, .addr_be = addr_be, .nodes = 1, .name = "n1", .clock_library = ""};
	static struct keeper k;
	uint64_t before = clock_wall_ns();
	char out[256];

	(void)state;
	k = (struct keeper){.task = &task, .node = &node, .state = KEEPER_UP};
	ask(&k, "INFO\r\n", out);
	assert_non_null(strstr(out, "role:silent\r\nleader:-1\r\nterm:0\r\nready:0\r\n"));
	ask(&k, "PACELAB CLOCK\r\n", out);
	assert_int_equal(out[0], ':');
	assert_true(strtoull(out + 1, NULL, 10) >= before);
	ask(&k, "PACELAB CLOCK 5\r\n", out);
	assert_string_equal(out, "-ERR the clock of this database cannot be set\r\n");
	ask(&k, "PACELAB CLOCK 5x\r\n", out);
	assert_string_equal(out, "-ERR PACELAB CLOCK: nanoseconds, please\r\n");
	ask(&k, "PACELAB LEAD\r\n", out);
	assert_string_equal(
		out, "-ERR this system has no commands that make a node the leader\r\n");
	k.state = KEEPER_AFTER;
	ask(&k, "PACELAB FOLLOW 10.1.0.2 n2\n", out);
	assert_string_equal(out, "-ERR the database is still starting\r\n");
	k.asked = true;
	ask(&k, "PACELAB LEAD\r\n", out);
	assert_string_equal(out, "-ERR the database ends\r\n");
}

static void keeper_admin__refuses_everything_else(void **state)
{
	static const char *const bad[] = {"\n", "VERSIONS\n", "PACELAB\n", "PACELAB VERSIONS\r\n",
		"INFO all\n", "PACELAB FOLLOW 10.1.0.2\n", "*1\r\n", "PACELAB CLOCK 1 2\n",
		"a b c d e f g h i j\n"};
	const struct keeper_task task = {.clock_library = ""};
	static struct keeper k;
	char long_line[KEEPER_LINE_MAX + 1];
	char out[256];

	(void)state;
	k = (struct keeper){.task = &task, .state = KEEPER_UP};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		ask(&k, bad[i], out);
		assert_int_equal(strncmp(out, "-ERR ", 5), 0);
	}
	memset(long_line, 'x', sizeof long_line - 1);
	long_line[sizeof long_line - 1] = '\0';
	ask(&k, long_line, out);
	assert_string_equal(out, "");
}

/* --- a keeper at work, in a process of its own --- */

/* Each process of the database writes its number at the end of a file. An order ends the first. */
#define RUN(file) \
	{ \
		"sh", "-c", "echo $$ >>" file "; exec sleep 1000", NULL \
	}
#define END_FIRST "p=$(tail -n 1 first); kill $p; while kill -0 $p 2>/dev/null; do :; done; "

static char *first_argv[] = RUN("first");
static char *second_argv[] = RUN("second");
static char *promote_argv[] = {"sh", "-c", END_FIRST "echo {leader} >leads", NULL};
static char *follow_argv[] = {"sh", "-c", END_FIRST "echo no luck; exit 3", NULL};
static struct real_command run_commands[] = {{.argv = first_argv}, {.argv = second_argv}};
static struct real_command promote_command = {.argv = promote_argv};
static struct real_command follow_command = {.argv = follow_argv};

/* A port that nobody else has, and where nobody is answered yet. */
static uint16_t port_take(void)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof addr;

	at.port = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(at.port, (const struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(getsockname(at.port, (struct sockaddr *)&addr, &len), 0);
	return ntohs(addr.sin_port);
}

static void serves(void)
{
	assert_int_equal(listen(at.port, SOMAXCONN), 0);
}

static struct real_commands after_commands;

static pid_t keeper_begin(void)
{
	struct real_node node = {.run = {run_commands, 2},
		.after = after_commands,
		.promote = {&promote_command, 1},
		.follow = {&follow_command, 1}};
	char settings[] = "";
	const struct real real = {
		.name = "toy", .settings = settings, .port = port_take(), .node = &node};
	const uint32_t addr_be[] = {htonl(INADDR_LOOPBACK)};
	const struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "admin"};
	struct keeper_task task = {.real = &real,
		.addr_be = addr_be,
		.nodes = 1,
		.name = "n1",
		.dir = at.folder,
		.cluster = "0123456789abcdef",
		.admin_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
		.clock_library = ""};
	int log = open("log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	pid_t pid;

	assert_int_equal(bind(task.admin_fd, (const struct sockaddr *)&name, sizeof name), 0);
	assert_int_equal(listen(task.admin_fd, 4), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)dup2(log, STDERR_FILENO);
		_exit(keeper_main(&task));
	}
	close(task.admin_fd);
	close(log);
	return pid;
}

/* What the keeper answers. */
static void tell(const char *line, char out[256])
{
	const struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "admin"};
	const struct timeval wait = {.tv_sec = (time_t)(END_WAIT_NS / NS_PER_S)};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ssize_t n;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&name, sizeof name), 0);
	assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), strlen(line));
	n = recv(fd, out, 255, 0);
	assert_true(n > 0);
	out[n] = '\0';
	close(fd);
}

/* An order is refused until it is up. */
static void order(const char *line, char out[256])
{
	uint64_t deadline = clock_now_ns() + END_WAIT_NS;

	do {
		tell(line, out);
	} while (strstr(out, "still starting") && clock_now_ns() < deadline &&
		 poll(NULL, 0, 5) == 0);
}

/* The number in line @number, from 1, of @path, once it is there. */
static pid_t started(const char *path, unsigned number)
{
	uint64_t deadline = clock_now_ns() + END_WAIT_NS;
	long pid = 0;

	while (pid == 0 && clock_now_ns() < deadline && poll(NULL, 0, 5) == 0) {
		FILE *f = fopen(path, "re");
		char line[32];
		unsigned n = 0;

		while (f && fgets(line, sizeof line, f))
			if (++n == number && strchr(line, '\n'))
				pid = strtol(line, NULL, 10);
		if (f)
			(void)fclose(f);
	}
	assert_true(pid > 1);
	return (pid_t)pid;
}

static int status_of(pid_t pid)
{
	uint64_t deadline = clock_now_ns() + END_WAIT_NS;
	int status = -1;
	pid_t ended = 0;

	while (!ended && clock_now_ns() < deadline && poll(NULL, 0, 5) == 0)
		ended = waitpid(pid, &status, WNOHANG);
	assert_int_equal(ended, pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void assert_gone(pid_t pid)
{
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(errno, ESRCH);
}

static void assert_log(const char *want)
{
	char text[8192];
	FILE *f = fopen("log", "re");

	assert_non_null(f);
	text[fread(text, 1, sizeof text - 1, f)] = '\0';
	(void)fclose(f);
	if (!strstr(text, want))
		fail_msg("no '%s' in\n%s", want, text);
}

/* As a database does that is stopped and started to follow another one. */
static void keeper__starts_again_what_ends_during_an_order(void **state)
{
	pid_t keeper = keeper_begin();
	pid_t before = started("first", 1);
	pid_t other = started("second", 1);
	pid_t after;
	char out[256];

	(void)state;
	serves();
	order("PACELAB LEAD\n", out);
	assert_string_equal(out, "+OK\r\n");
	after = started("first", 2);
	assert_gone(before);
	assert_int_equal(kill(after, 0) | kill(other, 0), 0);
	text_of("leads", out);
	assert_string_equal(out, "127.0.0.1\n");
	assert_log("sh-1 was killed by SIGTERM; it is started again after promote");
	/* Also if it fails. */
	order("PACELAB FOLLOW 10.1.0.2 n2\n", out);
	assert_string_equal(out, "-ERR sh exited with 3: no luck\r\n");
	assert_gone(after);
	after = started("first", 3);
	assert_int_equal(kill(after, 0) | kill(other, 0), 0);
	assert_int_equal(kill(keeper, SIGTERM), 0);
	assert_int_equal(status_of(keeper), EXIT_AS_EXPECTED);
	assert_gone(after);
	assert_gone(other);
	assert_log("toy was stopped");
	close(at.port);
}

/* It runs already, and would refuse what it is told. */
static void keeper__takes_no_order_before_its_database_answers(void **state)
{
	pid_t keeper = keeper_begin();
	char out[256];

	(void)state;
	(void)started("first", 1);
	(void)started("second", 1);
	tell("PACELAB FOLLOW 10.1.0.2 n2\n", out);
	assert_string_equal(out, "-ERR the database is still starting\r\n");
	serves();
	order("PACELAB FOLLOW 10.1.0.2 n2\n", out);
	assert_string_equal(out, "-ERR sh exited with 3: no luck\r\n");
	assert_int_equal(kill(keeper, SIGTERM), 0);
	assert_int_equal(status_of(keeper), EXIT_AS_EXPECTED);
	close(at.port);
}

static void keeper__ends_with_one_of_its_processes(void **state)
{
	pid_t keeper = keeper_begin();
	pid_t first = started("first", 1);
	pid_t second = started("second", 1);

	(void)state;
	assert_int_equal(kill(second, SIGKILL), 0);
	assert_int_equal(status_of(keeper), EXIT_CANNOT_RUN);
	assert_gone(first);
	assert_gone(second);
	assert_log("sh-2 was killed by SIGKILL");
	close(at.port);
}

/* Its end is not one of its own making, and is not told as such. */
static void keeper__tells_what_took_too_long(void **state)
{
	static char *hang_argv[] = {"sh", "-c", "echo waiting; sleep 60", NULL};
	static struct real_command hang = {.argv = hang_argv, .retry_ns = 200 * NS_PER_MS};
	pid_t keeper;

	(void)state;
	after_commands = (struct real_commands){&hang, 1};
	keeper = keeper_begin();
	serves();
	assert_int_equal(status_of(keeper), EXIT_CANNOT_RUN);
	assert_log("after: sh was not done 0.");
	assert_log(" s after its last start: waiting");
	after_commands = (struct real_commands){NULL, 0};
	close(at.port);
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void outdir_tail__is_the_last_lines_that_fit(void **state)
{
	struct outdir o = {.path = ""};
	char out[64];

	(void)state;
	(void)snprintf(o.path, sizeof o.path, "%s", at.folder);
	assert_int_equal(mkdir("log", 0700), 0);
	outdir_tail(&o, "n1", out, sizeof out);
	assert_string_equal(out, "");
	write_text("log/n1.log", "first\n\nsecond\nthird and last\n");
	outdir_tail(&o, "n1", out, sizeof out);
	assert_string_equal(out, "\n  first\n  second\n  third and last");
	outdir_tail(&o, "n1", out, 26);
	assert_string_equal(out, "\n  third and last");
	write_text("log/n1.log", "1\n2\n3\n4\n5\n6\n7\n8\n");
	outdir_tail(&o, "n1", out, sizeof out);
	assert_string_equal(out, "\n  3\n  4\n  5\n  6\n  7\n  8");
}

static void outdir_tail__looks_at_the_end_of_a_long_log_only(void **state)
{
	struct outdir o = {.path = ""};
	char out[64];
	FILE *f;

	(void)state;
	(void)snprintf(o.path, sizeof o.path, "%s", at.folder);
	assert_int_equal(mkdir("log", 0700), 0);
	f = fopen("log/n1.log", "we");
	assert_non_null(f);
	assert_true(fputs("far\n", f) >= 0);
	for (unsigned i = 0; i < 20000; i++)
		assert_int_equal(putc('\n', f), '\n');
	assert_int_equal(fflush(f), 0);
	outdir_tail(&o, "n1", out, sizeof out);
	assert_string_equal(out, "");
	assert_true(fputs("near\nlast\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	outdir_tail(&o, "n1", out, sizeof out);
	assert_string_equal(out, "\n  near\n  last");
	outdir_last_line(&o, "n1", out, sizeof out);
	assert_string_equal(out, "last");
}

static void outdir_tail__does_nothing_to_a_terminal(void **state)
{
	struct outdir o = {.path = ""};
	char out[64];

	(void)state;
	(void)snprintf(o.path, sizeof o.path, "%s", at.folder);
	assert_int_equal(mkdir("log", 0700), 0);
	write_text("log/n1.log", "a\033[2Jb\tc\177\xc2\x9b"
				 "d\xc3\xa9\xff!\n");
	outdir_tail(&o, "n1", out, sizeof out);
	assert_string_equal(out, "\n  a [2Jb c   d\xc3\xa9 !");
	outdir_last_line(&o, "n1", out, sizeof out);
	assert_string_equal(out, "a [2Jb c   d\xc3\xa9 !");
}

static void outdir_keep_logs__copies_texts_and_nothing_else(void **state)
{
	struct outdir o = {.path = ""};
	char text[128];

	(void)state;
	(void)snprintf(o.path, sizeof o.path, "%s", at.folder);
	assert_int_equal(mkdir("log", 0700) | mkdir("data", 0700) | mkdir("data/n1", 0700) |
				 mkdir("data/n1/sub", 0700) | mkdir("data/n2", 0700),
		0);
	write_text("secret", "secret\n");
	write_text("data/n1/sub/server.log", "words\n");
	write_text("data/n1/table.db", "data\n");
	write_text("data/n2/other.log", "other\n");
	write_text("data/n1/000003.log", "as LevelDB has them: a header\x01 and data\n");
	write_text("data/n1/empty.log", "");
	write_text("data/n1/colours.log", "\033[31mred\033[0m\r\n");
	assert_int_equal(symlink("../../secret", "data/n1/link.log"), 0);
	assert_int_equal(mkfifo("data/n1/fifo.log", 0600), 0);
	outdir_keep_logs(&o, "n1");
	text_of("log/n1-sub-server.log", text);
	assert_string_equal(text, "words\n");
	text_of("log/n1-colours.log", text);
	assert_string_equal(text, "\033[31mred\033[0m\r\n");
	assert_int_equal(access("log/n1-000003.log", F_OK), -1);
	assert_int_equal(access("log/n1-empty.log", F_OK), -1);
	assert_int_equal(access("log/n1-link.log", F_OK), -1);
	assert_int_equal(access("log/n1-fifo.log", F_OK), -1);
	assert_int_equal(access("log/n1-table.db", F_OK), -1);
	assert_int_equal(access("log/n2-other.log", F_OK), -1);
}

/* @levels folders, one in the other; their path is far longer than PATH_MAX. */
static void make_deep(const char *top, unsigned levels)
{
	char name[201];
	int back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	assert_int_equal(chdir(top), 0);
	for (unsigned i = 0; i < levels; i++) {
		assert_int_equal(mkdir(name, 0700), 0);
		assert_int_equal(chdir(name), 0);
	}
	write_text("raised-0", "deep");
	assert_int_equal(fchdir(back), 0);
	close(back);
}

static void outdir__is_removed_and_searched_however_deep_it_is(void **state)
{
	struct outdir o = {.made = true};
	char text[128];

	(void)state;
	(void)snprintf(o.path, sizeof o.path, "%s/all", at.folder);
	assert_int_equal(mkdir("all", 0700) | mkdir("all/log", 0700) | mkdir("all/data", 0700) |
				 mkdir("all/data/n1", 0700) | mkdir("all/data/n1/a", 0700) |
				 mkdir("all/data/n1/b", 0700) | mkdir("kept", 0700),
		0);
	write_text("all/data/n1/raised-0", "another");
	write_text("all/data/n1/z.log", "words\n");
	write_text("kept/file", "not ours\n");
	assert_int_equal(symlink("../../../kept", "all/data/n1/a/link"), 0);
	make_deep("all/data/n1/a", 500);
	make_deep("all/data/n1/b", 30);
	outdir_keep_logs(&o, "n1");
	text_of("all/log/n1-z.log", text);
	assert_string_equal(text, "words\n");
	outdir_remove_data(&o);
	assert_int_equal(access("all/data", F_OK), -1);
	outdir_remove(&o);
	assert_int_equal(access("all", F_OK), -1);
	assert_int_equal(access("kept/file", F_OK), 0);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter, leave)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeper_expand__replaces_the_words_it_knows),
		cmocka_unit_test(keeper_expand__leaves_other_braces_alone),
		cmocka_unit_test(keeper_argv__replaces_in_all_of_them),
		IN_FOLDER(keeper_files__writes_those_of_once_only_once),
		IN_FOLDER(keeper_files__follows_no_link_that_a_database_left),
		cmocka_unit_test(keeper_info__is_what_watchers_read),
		cmocka_unit_test(keeper_clock_print__has_a_sign_and_nanoseconds),
		IN_FOLDER(process_start__logs_each_line_with_a_name_and_keeps_the_last),
		IN_FOLDER(process_start__says_that_there_is_no_such_program),
		IN_FOLDER(process_start__breaks_lines_that_have_no_end),
		IN_FOLDER(process_start__keeps_no_more_than_a_log_may_have),
		cmocka_unit_test(process_name__is_the_program_or_its_script),
		cmocka_unit_test(keeper_admin__answers_what_watchers_and_nemesis_ask),
		cmocka_unit_test(keeper_admin__refuses_everything_else),
		IN_FOLDER(keeper__starts_again_what_ends_during_an_order),
		IN_FOLDER(keeper__takes_no_order_before_its_database_answers),
		IN_FOLDER(keeper__ends_with_one_of_its_processes),
		IN_FOLDER(keeper__tells_what_took_too_long),
		cmocka_unit_test(mounts_see__shows_folders_below_hidden_ones_only),
		IN_FOLDER(outdir_tail__is_the_last_lines_that_fit),
		IN_FOLDER(outdir_tail__looks_at_the_end_of_a_long_log_only),
		IN_FOLDER(outdir_tail__does_nothing_to_a_terminal),
		IN_FOLDER(outdir_keep_logs__copies_texts_and_nothing_else),
		IN_FOLDER(outdir__is_removed_and_searched_however_deep_it_is),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
