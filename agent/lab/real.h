/* SPDX-License-Identifier: MIT */
/*
 * real.h - a real database as a system: what its Lua file says, as data for one lab
 *
 * A file of scripts/systems/ names the packages, the driver, the settings and what each node
 * writes and runs. Its function node() is called once for each node when the plan is made, so that
 * nothing of Lua is left when processes start. In all texts of a node these stand for what is known
 * only then:
 *
 *	{dir}		the node's data folder, absolute; also the working directory of its commands
 *	{cluster}	16 hexadecimal digits, others in each run
 *	{leader}	in promote and follow: address of the node that leads from now on
 *	{name}		... and its name
 *
 * Wherever a protocol of ours says what is claimed and what round trips cost, the system that its
 * file calls "like" says it for the real one.
 */
#ifndef LAB_REAL_H
#define LAB_REAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/err.h"
#include "store/systems.h"

#define REAL_NAME_MAX 48
#define REAL_WORD_MAX 256   /* a name, a path, a sentence */
#define REAL_TEXT_MAX 16384 /* one file, one argument */
#define REAL_SETTINGS_MAX 512
#define REAL_COMMANDS_MAX 16 /* of one kind, of one node */
#define REAL_ARGS_MAX 96     /* of one command */
#define REAL_FILES_MAX 16    /* of one node */
#define REAL_ENV_MAX 16      /* variables of one node */
#define REAL_PACKAGES_MAX 16 /* also programs, and folders of them */
#define REAL_CHOICES_MAX 16  /* values of one knob */
#define REAL_KNOBS_MAX 16
#define REAL_NODES_MAX 16

/**
 * struct real_command - a program with its arguments
 * @argv:	ends with NULL; argv[0] is looked for in PATH and in the system's own folders
 * @retry_ns:	it is tried again until it succeeds, for so long; 0: once
 */
struct real_command {
	char **argv;
	uint64_t retry_ns;
};

struct real_commands {
	struct real_command *command;
	unsigned n;
};

/* Written before anything runs; @path is below the data folder. */
struct real_file {
	char *path;
	char *text;
};

/**
 * struct real_node - one node of the database
 * @file:	written at each start, but for those (@once) that a restarted server must find as it
 *		left them
 * @prepare:	run in order at the first start, before @run, each until it has ended
 * @run:	the processes; all of them run as long as the node does
 * @after:	run in order at the first start, once @run was started
 * @promote:	make this node the leader, by force if it must
 * @follow:	another node leads from now on
 * @env:	"NAME=value" of all of them
 */
struct real_node {
	struct real_file file[REAL_FILES_MAX];
	bool once[REAL_FILES_MAX];
	unsigned files;
	struct real_commands prepare;
	struct real_commands run;
	struct real_commands after;
	struct real_commands promote;
	struct real_commands follow;
	char **env; /* ends with NULL */
};

/**
 * struct real - a system file, evaluated for the nodes of one lab
 * @name:	of the row, "etcd-real-serializable"
 * @path:	of the file
 * @store:	what --store takes to find it again: its name, or "./mine.lua:name"
 * @package:	that have its programs
 * @install:	command that installs what no package has; ""
 * @program:	that must be there; one with a '/' is a file that must be there
 * @folder:	in which programs are looked for, too; absolute
 * @driver:	name of its driver; "program:..." is one that speaks the line protocol
 * @settings:	what its clients are told, see struct driver_target
 * @knobs:	settings in force, "reads=serializable prevote=yes"; "": it has none
 * @choices:	all that may be set, "reads=linearizable|serializable"
 * @like:	the system of ours that is claimed to be like it
 * @model:	settings of that one that make it more so, "ttl=5s"; "": its own
 * @differs:	how they differ, one sentence
 * @port:	where clients reach it
 * @nodes_min, @nodes_max: replicas that it can have
 * @rate:	operations per second of all clients that it sustains here; 0: no limit
 * @clients:	of each site that it serves at most; 0: no limit
 * @deadline_ns: of an operation at least, so that it fits the failure detector; 0: the lab's
 * @cut_ns:	no cut shorter than this shows what it does; 0: any
 * @settle_ns:	after the last fault it is whole again after so long
 * @warmup_ns:	load before all phases that is in no figure: what is slow only at first; 0: the
 * lab's
 * @ready_ns:	it is ready to serve so long after its start at the latest
 * @skew:	its clock can be set by libfaketime
 * @apart:	its nodes may differ for good, whatever @like claims
 * @notices:	a side that @like claims to answer alone does so once it has noticed the cut
 * @one_leader:	one node orders the writes: it has a leader
 * @not_run:	why nobody has run it here; "": it was
 */
struct real {
	char name[REAL_NAME_MAX];
	char *path;
	char *store;
	char *package[REAL_PACKAGES_MAX];
	unsigned packages;
	char *install;
	char *program[REAL_PACKAGES_MAX];
	unsigned programs;
	char *folder[REAL_PACKAGES_MAX];
	unsigned folders;
	char *driver;
	char *settings;
	char *knobs;
	char *choices;
	const struct system *like;
	char *model;
	char *kept;
	char *differs;
	char *not_run;
	uint16_t port;
	unsigned nodes_min;
	unsigned nodes_max;
	double rate;
	unsigned clients;
	uint64_t deadline_ns;
	uint64_t cut_ns;
	uint64_t settle_ns;
	uint64_t warmup_ns;
	uint64_t ready_ns;
	bool skew;
	bool apart;
	bool notices;
	bool one_leader;
	struct real_node *node; /* NULL before real_expand() */
	unsigned nodes;
};

struct plan;

/*
 * real_find() - the row of a real system, as all systems have one. @name may be the path of a file,
 * "./mine.lua", and one of its variants, "./mine.lua:name". Rows stay for good.
 * Return: NULL with EXIT_USAGE in @err: no file has it, or what is wrong in the file.
 */
const struct system *real_find(const char *name, struct err *err);

/* real_list() - number @i of all that have names, NULL after the last; files with errors are left
 * out. real_broken() - number @i of these errors, NULL after the last. */
const struct system *real_list(unsigned i);
const struct err *real_broken(unsigned i);

/**
 * real_expand() - evaluate the file for the nodes of @plan
 * @set:	knobs, "reads=serializable"; a comma will do for a blank; NULL: none
 *
 * Return: 0, or a negative errno with EXIT_USAGE and file, line, field and cure in @err; *@ret is
 * then unchanged.
 */
int real_expand(struct real **ret, const struct system *row, const struct plan *plan,
	const char *set, struct err *err);
void real_free(struct real *r);

/* real_path() - PATH of all that @r runs, whatever the caller's own is; to be freed. */
char *real_path(const struct real *r);

/* real_program() - the path of @program, in one of these folders. Return: false if it is nowhere.
 */
bool real_program(const struct real *r, const char *program, char *ret, size_t size);

/**
 * real_missing() - does this machine have all that @r needs?
 * Return: 0, or -ENOENT with EXIT_CANNOT_RUN and the one apt-get line in @err.
 */
int real_missing(const struct real *r, struct err *err);

#endif
