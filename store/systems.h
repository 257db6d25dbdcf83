/* SPDX-License-Identifier: MIT */
/* systems.h - the names that a lab may give after --store: settings of a protocol */
#ifndef STORE_SYSTEMS_H
#define STORE_SYSTEMS_H

#include "store/proto.h"

struct real;

/**
 * struct system - one row of the table of systems
 * @name:	"raft", "cassandra-one"
 * @settings:	of the protocol, as settings_read() takes them; NULL: its defaults
 * @kept:	what of the real system it keeps, one line
 * @left_out:	what it leaves out, one line
 * @textbook:	class that the literature gives it, "PC/EC"; "" where there is none
 * @source:	of @textbook
 * @differs:	why these settings are measured to be of another class, where they are; or NULL; of
 *		a real database how it differs from the protocol that stands for it
 * @real:	what its file says, if it is a real database; NULL: settings of a protocol of ours
 */
struct system {
	const char *name;
	const struct proto_ops *ops;
	enum proto_level read_level;
	enum proto_level write_level;
	const char *settings;
	const char *kept;
	const char *left_out;
	const char *textbook;
	const char *source;
	const char *differs;
	const struct real *real;
};

/* system_find() - by name, NULL if there is none. system_list() - number @i, NULL after the last.
 */
const struct system *system_find(const char *name);
const struct system *system_list(unsigned i);

/* system_config() - what its replicas are told on @nodes nodes if a lab says nothing else. */
void system_config(const struct system *s, unsigned nodes, struct proto_config *ret);

#endif
