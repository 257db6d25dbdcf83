/* SPDX-License-Identifier: MIT */
/* real_test.c - system files: what they say for a lab, and what is wrong in them */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/test.h"

#include "agent/lab/plan.h"
#include "agent/lab/real.h"
#include "agent/lab/stores.h"

static char folder[] = "/tmp/pacelab-real-XXXXXX";
static char repository[PLAN_PATH_MAX];

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	(void)fputs(text, f);
	(void)fclose(f);
}

/* A lab of three nodes whose second leads; the store is not what is looked at. */
static struct plan *lab_of(unsigned nodes)
{
	char path[sizeof folder + 16];
	char text[512];
	struct plan *plan = NULL;
	struct err err;

	(void)snprintf(text, sizeof text,
		"lab 'x' store('raft', {leader = 'n%d'}) phase('p', '1s')\n", nodes > 1 ? 2 : 1);
	for (unsigned i = 1; i <= nodes; i++) {
		size_t len = strlen(text);

		(void)snprintf(text + len, sizeof text - len, "site('s%u', {'n%u'})\n", i, i);
	}
	(void)snprintf(path, sizeof path, "%s/lab.lua", folder);
	write_file(path, text);
	if (plan_load(&plan, path, NULL, &err) < 0)
		fail_msg("%s", err.text);
	return plan;
}

static int expand(
	struct real **ret, const char *store, unsigned nodes, const char *set, struct err *err)
{
	const struct system *row = stores_find(store, err);
	struct plan *plan;
	int rc;

	*ret = NULL;
	if (!row)
		return -1;
	plan = lab_of(nodes);
	rc = real_expand(ret, row, plan, set, err);
	plan_free(plan);
	return rc;
}

static struct real *must_expand(const char *store, unsigned nodes, const char *set)
{
	struct err err = {.code = 0};
	struct real *r;

	if (expand(&r, store, nodes, set, &err) < 0)
		fail_msg("%s", err.text);
	return r;
}

static const char good[] =
	"system('my-db', {\n"
	"  packages = {'my-server', 'my-tools'}, install = 'npm install my',\n"
	"  programs = {'sh', 'my-tool'}, paths = {'/opt/my/bin'},\n"
	"  driver = 'program:drivers/my.py', port = 4000, nodes = {3, 5},\n"
	"  knobs = {reads = {'any', 'leader'}, acks = {'1', '2'}},\n"
	"  like = function(k) return k.reads == 'any' and 'etcd-serializable' or 'etcd' end,\n"
	"  client = function(k) return 'reads=' .. k.reads end,\n"
	"  kept = 'all of it', differs = 'in nothing',\n"
	"  rate = 150.5, deadline = '2s', cut = '20s', settle = '5s', ready = '15s',\n"
	"  leader = true, skew = true, apart = true, notices = true,\n"
	"  node = function(n)\n"
	"    local others = {}\n"
	"    for _, o in ipairs(n.nodes) do others[#others + 1] = o.name .. '=' .. o.addr end\n"
	"    return {\n"
	"      files = {['b/x.conf'] = table.concat(others, ' '), ['a.conf'] = '{dir}'},\n"
	"      once = {id = n.number},\n"
	"      prepare = {{'init', '-D', '{dir}'}, {'copy', retry = '20s'}},\n"
	"      run = {{'my-db', n.name, n.addr, n.site, n.leader, n.knobs.acks}},\n"
	"      after = {{'join'}}, promote = {{'promote'}}, follow = {{'follow', '{leader}'}},\n"
	"      env = {Z = '1', A = 2},\n"
	"    }\n"
	"  end,\n"
	"})\n"
	"variant('my-db-leader', {reads = 'leader'}, {differs = 'in something', cut = '1s'})\n";

static void system_file__gives_a_row_like_the_system_that_it_names(void **state)
{
	const struct system *like = system_find("etcd-serializable");
	const struct system *row, *variant;
	struct err err;

	(void)state;
	write_file("mine.lua", good);
	row = stores_find("./mine.lua", &err);
	assert_non_null(row);
	assert_string_equal(row->name, "my-db");
	assert_ptr_equal(row->ops, like->ops);
	assert_int_equal(row->read_level, like->read_level);
	assert_string_equal(row->kept, "all of it");
	assert_string_equal(row->differs, "in nothing");
	assert_string_equal(row->left_out, "");
	assert_string_equal(stores_name(row), "./mine.lua");
	assert_ptr_equal(stores_find("./mine.lua", &err), row);
	variant = stores_find("./mine.lua:my-db-leader", &err);
	assert_non_null(variant);
	assert_string_equal(variant->name, "my-db-leader");
	assert_int_equal(variant->read_level, system_find("etcd")->read_level);
	assert_string_equal(variant->differs, "in something");
	assert_string_equal(variant->real->knobs, "acks=1 reads=leader");
	assert_int_equal(variant->real->cut_ns, 1000000000);
	assert_int_equal(variant->real->settle_ns, 5000000000);
	assert_string_equal(stores_name(variant), "./mine.lua:my-db-leader");
	assert_null(stores_find("./mine.lua:my-db-leder", &err));
	assert_string_equal(err.text, "./mine.lua has no variant 'my-db-leder': write "
				      "variant(\"my-db-leder\", {...})");
}

static void assert_command(const struct real_commands *c, unsigned i, const char *words)
{
	char text[512] = "";

	assert_true(i < c->n);
	for (char **argv = c->command[i].argv; *argv; argv++) {
		size_t len = strlen(text);

		(void)snprintf(text + len, sizeof text - len, "%s%s", len ? " " : "", *argv);
	}
	assert_string_equal(text, words);
}

static void system_file__says_what_each_node_writes_and_runs(void **state)
{
	const struct real_node *node;
	char path[PLAN_PATH_MAX + 64];
	struct real *r;

	(void)state;
	write_file("mine.lua", good);
	r = must_expand("./mine.lua", 3, "acks=2");
	assert_string_equal(r->knobs, "acks=2 reads=any");
	assert_string_equal(r->choices, "acks=1|2 reads=any|leader");
	assert_string_equal(r->settings, "reads=any");
	(void)snprintf(path, sizeof path, "program:%s/drivers/my.py", folder);
	assert_string_equal(r->driver, path);
	assert_int_equal(r->port, 4000);
	assert_true(r->rate == 150.5);
	assert_int_equal(r->ready_ns, 15000000000);
	assert_true(r->one_leader && r->skew && r->apart && r->notices);
	assert_int_equal(r->packages, 2);
	assert_string_equal(r->package[1], "my-tools");
	assert_int_equal(r->nodes, 3);
	node = &r->node[2];
	assert_int_equal(node->files, 3);
	assert_string_equal(node->file[0].path, "a.conf");
	assert_string_equal(node->file[0].text, "{dir}");
	assert_string_equal(node->file[1].path, "b/x.conf");
	assert_string_equal(node->file[1].text, "n1=10.99.0.1 n2=10.99.0.2 n3=10.99.0.3");
	assert_string_equal(node->file[2].path, "id");
	assert_string_equal(node->file[2].text, "3");
	assert_true(!node->once[0] && !node->once[1] && node->once[2]);
	assert_int_equal(node->prepare.n, 2);
	assert_int_equal(node->prepare.command[0].retry_ns, 0);
	assert_int_equal(node->prepare.command[1].retry_ns, 20000000000);
	assert_command(&node->run, 0, "my-db n3 10.99.0.3 s3 2 2");
	assert_command(&node->after, 0, "join");
	assert_command(&node->promote, 0, "promote");
	assert_command(&node->follow, 0, "follow {leader}");
	assert_string_equal(node->env[0], "A=2");
	assert_string_equal(node->env[1], "Z=1");
	assert_null(node->env[2]);
	real_free(r);
}

static void system_file__takes_settings_that_it_has(void **state)
{
	static const struct {
		const char *set;
		const char *message;
	} bad[] = {
		{"color=any", "my-db: no knob 'color': there are acks=1|2 reads=any|leader"},
		{"read=any", "my-db: no knob 'read', did you mean 'reads'? there are acks"},
		{"reads=lead", "my-db: knob 'reads' has no value 'lead', did you mean 'leader'?"},
		{"reads", "my-db: knob 'reads' has no value '': there are acks"},
	};
	struct err err;
	struct real *r;

	(void)state;
	write_file("mine.lua", good);
	r = must_expand("./mine.lua", 3, "reads=leader, acks=2 acks=1");
	assert_string_equal(r->knobs, "acks=1 reads=leader");
	assert_string_equal(r->like->name, "etcd");
	assert_string_equal(r->settings, "reads=leader");
	real_free(r);
	r = must_expand("./mine.lua:my-db-leader", 3, "reads=any");
	assert_string_equal(r->like->name, "etcd-serializable");
	real_free(r);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_true(expand(&r, "./mine.lua", 3, bad[i].set, &err) < 0);
		if (strncmp(err.text, bad[i].message, strlen(bad[i].message)) != 0)
			fail_msg("said: %s\nwanted: %s", err.text, bad[i].message);
		assert_int_equal(err.status, EXIT_USAGE);
		assert_null(r);
	}
}

static void system_file__wants_as_many_nodes_as_it_can_have(void **state)
{
	struct err err;
	struct real *r;

	(void)state;
	write_file("mine.lua", good);
	assert_true(expand(&r, "./mine.lua", 2, NULL, &err) < 0);
	assert_string_equal(err.text, "my-db has 3 to 5 nodes, and the lab has 2: choose another "
				      "lab, or 'nodes' in ./mine.lua");
	assert_true(expand(&r, "./mine.lua", 6, NULL, &err) < 0);
	assert_int_equal(err.status, EXIT_USAGE);
}

struct bad {
	const char *text;
	const char *message; /* how the error begins, behind the path */
};

/* Until the first line's end they are all alike, so that what is wrong stands in line 2. */
#define NEEDED "driver='etcd', port=1, like='etcd', kept='k', differs='d'"
#define NODE "node=function(n) return {run={{'x'}}} end"

static void assert_bad(const struct bad *bad, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct err err = {.code = 0};
		const char *said;
		struct real *r;

		write_file("bad.lua", bad[i].text);
		(void)expand(&r, "./bad.lua", 3, NULL, &err);
		if (r)
			fail_msg("was taken: %s", bad[i].text);
		said = strncmp(err.text, "./bad.lua:", 10) == 0 ? err.text + 10 : err.text;
		if (strncmp(said, bad[i].message, strlen(bad[i].message)) != 0)
			fail_msg("file: %s\nsaid:   %s\nwanted: %s", bad[i].text, err.text,
				bad[i].message);
		assert_int_equal(err.status, EXIT_USAGE);
		assert_null(strchr(err.text, '\n'));
	}
}

#define ASSERT_BAD(list) assert_bad(list, sizeof(list) / sizeof *(list))

static void system_file__names_line_field_and_cure_of_what_is_wrong(void **state)
{
	static const struct bad bad[] = {
		{"", "1: no system: write system("},
		{"\nsytem('x', {})", "2: unknown word 'sytem', did you mean 'system'?"},
		{"\nos.exit()", "2: unknown word 'os': a system file has system, variant, and"},
		{"\nsystem('x')", "2: system() got 1 arguments: write system("},
		{"\nsystem('x', 7)", "2: system() got a number, not a table"},
		{"\nsystem('a/b', {})", "2: 'a/b' is no name of a system: use letters"},
		{"\nsystem('raft', {})", "2: 'raft' is a name of pacelab's own: write 'raft-real'"},
		{"\nsystem('x', {drivr='etcd'})",
			"2: system has no field 'drivr', did you mean 'driver'? it has packages"},
		{"\nsystem('x', {port='1'})", "2: 'port' of system is 1: write a whole number"},
		{"\nsystem('x', {port=70000})", "2: 'port' of system is 70000: write a whole"},
		{"\nsystem('x', {cut=20})", "2: 'cut' of system: 20 has no unit"},
		{"\nsystem('x', {nodes=3})", "2: 'nodes' of system is not {least, most}"},
		{"\nsystem('x', {nodes={5, 3}})", "2: 'nodes' of system: write the smaller"},
		{"\nsystem('x', {packages='etcd'})", "2: 'packages' of system is a string, not"},
		{"\nsystem('x', {paths={'bin'}})", "2: 'paths' of system: 'bin' is no absolute"},
		{"\nsystem('x', {node='x'})", "2: 'node' of system is a string: write a function"},
		{"\nsystem('x', {like=7})", "2: 'like' of system is a number: write a text, or"},
		{"\nsystem('x', {knobs={reads='a'}})", "2: a value of knob 'reads' is a string"},
		{"\nsystem('x', {knobs={reads={}}})", "2: knob 'reads' has no values"},
		{"\nsystem('x', {knobs={['a b']={'1'}}})", "2: the name of a knob 'a b' has a"},
		{"\nsystem('x', {" NODE ", port=1})", "2: system 'x' has no field 'driver': add"},
		{"\nsystem('x', {" NEEDED "})", "2: system 'x' has no field 'node': add node ="},
		{"\nsystem('x', {driver='e', port=1, like='etdc', kept='k', differs='d', " NODE
		 "})",
			"2: 'like' of x: no store of ours is called 'etdc', did you mean 'etcd'?"},
		{"system('x', {driver='e', port=1, kept='k', differs='d', " NODE ",\n"
		 "like=function(k) return k.no.such end})",
			"2: attempt to index a nil value"},
		{"system('x', {driver='e', port=1, kept='k', differs='d', " NODE ",\n"
		 "like=function(k) return 7 end})",
			"2: 'like' is a number, not a string"},
		{"system('x', {" NEEDED ", " NODE "})\nsystem('y', {})",
			"2: system 'x' was already said in line 1"},
		{"\nvariant('y', {})", "2: variant() of what? system() comes before it"},
		{"system('x', {" NEEDED ", " NODE "})\nvariant('x', {})",
			"2: 'x' was already said in line 1"},
		{"system('x', {" NEEDED ", " NODE "})\nvariant('y', {reads='a'})",
			"2: variant 'y': no knob 'reads': it has none"},
		{"system('x', {" NEEDED ", " NODE ", knobs={reads={'any', 'all'}}})\n"
		 "variant('y', {reads='al'})",
			"2: variant 'y': knob 'reads' has no value 'al', did you mean 'all'?"},
		{"system('x', {" NEEDED ", " NODE "})\nvariant('y', {}, {knobs={}})",
			"2: variant 'y' has knobs of its own"},
		{"system('x', {" NEEDED ", " NODE "})\nvariant('y', {}, {differ='z'})",
			"2: variant has no field 'differ', did you mean 'differs'?"},
	};

	(void)state;
	ASSERT_BAD(bad);
}

/* node() begins in line 2. */
#define RETURNS(what) "system('x', {" NEEDED ",\nnode=function(n) return " what " end})"

static void node__names_the_line_where_it_begins(void **state)
{
	static const struct bad bad[] = {
		{RETURNS("nil"), "2: node() returned a nil, not a table"},
		{RETURNS("{}"), "2: node() starts no process: write node ="},
		{RETURNS("{run={{'x'}}, fils={}}"), "2: node has no field 'fils', did you mean"},
		{RETURNS("{run='x'}"), "2: 'run' of node is a string: write {{"},
		{RETURNS("{run={'x'}}"), "2: command 1 of 'run' has no program: write {{"},
		{RETURNS("{run={{'x', n.nothing.at_all}}}"), "2: attempt to index a nil value"},
		{RETURNS("{run={{'x', {}}}}"), "2: command 1 of 'run' is a table: write a text"},
		{RETURNS("{run={{'x', 1.5}}}"), "2: command 1 of 'run' is a number: write a text"},
		{RETURNS("{run={{'x', 'a\\0b'}}}"), "2: command 1 of 'run' has a byte 0x00"},
		{RETURNS("{run={{''}}}"), "2: the program of command 1 of 'run' is empty"},
		{RETURNS("{run={{'x', tries=3}}}"), "2: command 1 of 'run' has words and, of"},
		{RETURNS("{run={{'x', retry='1s'}}}"), "2: a process of 'run' has a retry"},
		{RETURNS("{run={{'x'}}, after={{'y', retry=1}}}"), "2: retry of command 1 of"},
		{RETURNS("{run={{'x'}}, files={['/etc/x']='y'}}"),
			"2: file '/etc/x' is not below the data folder"},
		{RETURNS("{run={{'x'}}, files={['a/../../x']='y'}}"),
			"2: file 'a/../../x' is not below the data folder"},
		{RETURNS("{run={{'x'}}, files={'y'}}"), "2: a file of node has no path"},
		{RETURNS("{run={{'x'}}, files={a='y'}, once={a='z'}}"),
			"2: file 'a' is in files and in once"},
		{RETURNS("{run={{'x'}}, env={['A B']='y'}}"), "2: 'A B' of env is no name of a"},
		{RETURNS("{run={{'x'}}, env={A={}}}"), "2: a value of env is a table"},
	};

	(void)state;
	ASSERT_BAD(bad);
}

static void system_file__ends_at_its_limits(void **state)
{
	static const struct bad bad[] = {
		{"\nwhile true do end", "2: stopped after 20000000 instructions"},
		{RETURNS("(function() while true do end end)()"), "2: stopped after 20000000"},
		{"system('x', {driver='e', port=1, kept='k', differs='d', " NODE ",\n"
		 "like=function(k) while true do end end})",
			"2: stopped after 20000000 instructions"},
		{RETURNS("(function() local t = {} while true do t[#t + 1] = {} end end)()"),
			"1: the script needs more than 32 MiB of memory"},
		{RETURNS("{run={{'x', ('y'):rep(16384)}}}"),
			"2: command 1 of 'run' has 16384 bytes"},
		{RETURNS("{run={{'x'}}, files={a=('y'):rep(16384)}}"),
			"2: file 'a' has 16384 bytes: 16383 is the most"},
		{RETURNS("(function() local c = {} for i = 1, 97 do c[i] = 'x' end "
			 "return {run={c}} end)()"),
			"2: command 1 of 'run' has 97 words: 96 is the most"},
		{RETURNS("(function() local c = {} for i = 1, 17 do c[i] = {'x'} end "
			 "return {run=c} end)()"),
			"2: 'run' of node has 17 names: 16 is the most"},
		{RETURNS("(function() local f = {} for i = 1, 17 do f['x' .. i] = 'y' end "
			 "return {run={{'x'}}, files=f} end)()"),
			"2: more than 16 files of one node"},
		{RETURNS("(function() local e = {} for i = 1, 17 do e['x' .. i] = 'y' end "
			 "return {run={{'x'}}, env=e} end)()"),
			"2: more than 16 variables of env"},
		/* Little in Lua, where equal texts are one; much for all nodes. */
		{RETURNS("(function() local c, y = {}, ('y'):rep(16000) for i = 1, 96 do c[i] = y "
			 "end return {run={c, c, c}} end)()"),
			"2: more than 4 MiB for all nodes"},
		{"system('x', {" NEEDED ", " NODE "})\n"
		 "for i = 1, 32 do variant('y' .. i, {}) end",
			"2: more than 31 variants"},
		{"\nsystem(('x'):rep(48), {})",
			"2: the system's name 'xxxxxxxxxxxxxxxxxxxx...' has"},
	};

	(void)state;
	ASSERT_BAD(bad);
}

static void stores__says_what_a_store_may_be_called(void **state)
{
	const struct system *s;
	struct err err;

	(void)state;
	assert_ptr_equal(stores_find("raft", &err), system_find("raft"));
	assert_null(stores_find("rafft", &err));
	assert_string_equal(err.text,
		"no store is called 'rafft', did you mean 'raft'? `pacelab list "
		"systems` has them all");
	assert_int_equal(err.status, EXIT_USAGE);
	assert_null(stores_find("./nothing.lua", &err));
	assert_string_equal(err.text,
		"system file './nothing.lua': No such file or directory: is the path right?");
	assert_int_equal(mkfifo("fifo.lua", 0600), 0);
	assert_null(stores_find("./fifo.lua", &err));
	assert_non_null(strstr(err.text, "system file './fifo.lua' is not a file of at most"));
	assert_int_equal(err.status, EXIT_USAGE);
	for (unsigned i = 0; (s = system_list(i)); i++)
		assert_ptr_equal(stores_find(stores_name(s), &err), s);
	for (unsigned i = 0; (s = real_list(i)); i++)
		assert_ptr_equal(stores_find(stores_name(s), &err), s);
}

static void real__finds_what_is_missing_here(void **state)
{
	char path[PLAN_PATH_MAX], text[512];
	struct err err;
	struct real *r;

	(void)state;
	write_file("mine.lua", good);
	r = must_expand("./mine.lua", 3, NULL);
	assert_true(real_program(r, "sh", path, sizeof path));
	assert_true(access(path, X_OK) == 0);
	assert_false(real_program(r, "my-tool", path, sizeof path));
	assert_true(real_missing(r, &err) < 0);
	assert_string_equal(err.text,
		"my-db needs my-tool: apt-get install my-server my-tools, then npm install my");
	assert_int_equal(err.status, EXIT_CANNOT_RUN);
	real_free(r);
	/* It is in a folder of the system's own. */
	assert_int_equal(mkdir("bin", 0700), 0);
	write_file("bin/my-tool", "#!/bin/sh\n");
	assert_int_equal(chmod("bin/my-tool", 0700), 0);
	(void)snprintf(text, sizeof text,
		"system('here', {" NEEDED ", " NODE ", paths={'%s/bin'},\n"
		"programs={'my-tool', '/no/such.jar'}, not_run='no package has it'})",
		folder);
	write_file("here.lua", text);
	r = must_expand("./here.lua", 3, NULL);
	assert_true(real_program(r, "my-tool", path, sizeof path));
	assert_non_null(strstr(path, "/bin/my-tool"));
	assert_true(real_missing(r, &err) < 0);
	assert_string_equal(err.text, "here needs /no/such.jar: no package has it");
	real_free(r);
}

/* Each value of each knob, alone: a name mistyped in node() shows. A file may refuse one without
 * another, if it says what to set. */
static void try_knob(const struct system *row, const char *knob, const char *value)
{
	char set[REAL_SETTINGS_MAX];
	struct err err = {.code = 0};
	struct real *r;

	(void)snprintf(set, sizeof set, "%s=%s", knob, value);
	if (expand(&r, row->name, row->real->nodes_min, set, &err) < 0 &&
		!strstr(err.text, "--set"))
		fail_msg("%s: %s", set, err.text);
	real_free(r);
}

static void try_knobs(const struct system *row)
{
	char choices[2048];
	char *at = choices;
	char *knob;

	(void)snprintf(choices, sizeof choices, "%s", row->real->choices);
	while ((knob = strsep(&at, " "))) {
		char *values = strchr(knob, '=');
		char *value;

		if (!values)
			continue;
		*values++ = '\0';
		while ((value = strsep(&values, "|")))
			try_knob(row, knob, value);
	}
}

static void system_files__of_the_repository_are_good(void **state)
{
	(void)state;
	assert_int_equal(chdir(repository), 0);
	if (real_broken(0))
		fail_msg("%s", real_broken(0)->text);
	for (unsigned i = 0; real_list(i); i++) {
		const struct system *row = real_list(i);

		real_free(must_expand(row->name, row->real->nodes_min, NULL));
		real_free(must_expand(row->name, row->real->nodes_max, NULL));
		try_knobs(row);
	}
}

/* The table is filled from where the test was started; all else happens in a folder of its own. */
static int make_folder(void **state)
{
	(void)state;
	if (!getcwd(repository, sizeof repository))
		return -1;
	(void)real_list(0);
	return mkdtemp(folder) ? chdir(folder) : -1;
}

static int drop_folder(void **state)
{
	static const char *const made[] = {
		"lab.lua", "mine.lua", "bad.lua", "here.lua", "fifo.lua", "bin/my-tool"};

	(void)state;
	if (chdir(folder))
		return -1;
	for (size_t i = 0; i < sizeof made / sizeof *made; i++)
		(void)unlink(made[i]);
	(void)rmdir("bin");
	return chdir(repository) || rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(system_file__gives_a_row_like_the_system_that_it_names),
		cmocka_unit_test(system_file__says_what_each_node_writes_and_runs),
		cmocka_unit_test(system_file__takes_settings_that_it_has),
		cmocka_unit_test(system_file__wants_as_many_nodes_as_it_can_have),
		cmocka_unit_test(system_file__names_line_field_and_cure_of_what_is_wrong),
		cmocka_unit_test(node__names_the_line_where_it_begins),
		cmocka_unit_test(system_file__ends_at_its_limits),
		cmocka_unit_test(stores__says_what_a_store_may_be_called),
		cmocka_unit_test(real__finds_what_is_missing_here),
		cmocka_unit_test(system_files__of_the_repository_are_good),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
