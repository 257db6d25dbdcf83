/* SPDX-License-Identifier: MIT */
/*
 * settings.h - what may be set of a protocol, by name: "acks=1 fallback=10s"
 *
 * One grammar for the table of systems, the lab script's store(), --set of `pacelab run` and of
 * pacelab-replica. A setting belongs to some protocols; the others refuse it.
 */
#ifndef STORE_SETTINGS_H
#define STORE_SETTINGS_H

#include "agent/base/buf.h"
#include "agent/base/err.h"
#include "store/proto.h"

/* Longest list of settings, as text. */
#define SETTINGS_TEXT_MAX 512

enum setting_kind { SETTING_COUNT, SETTING_DURATION, SETTING_YES, SETTING_WORD, SETTING_NR };

/**
 * struct setting - one row of the table
 * @offset:	in struct proto_config: of an unsigned, a uint64_t of ns, or a bool; of a word: of
 * an unsigned
 * @max:	of a count; of a word: how many there are
 * @protocols:	names with blanks between them
 */
struct setting {
	const char *name;
	enum setting_kind kind;
	size_t offset;
	unsigned max;
	const char *protocols;
	const char *help;
};

/* settings_list() - number @i, NULL after the last. settings_of() - whether @ops has it. */
const struct setting *settings_list(unsigned i);
bool settings_of(const struct setting *s, const struct proto_ops *ops);

/* settings_defaults() - give each setting of @config its default. */
void settings_defaults(struct proto_config *config);

/**
 * settings_read() - "name=value name=value ..." into @config; a comma will do for a blank
 *
 * Return: 0; -EINVAL: no such setting, one of another protocol, or a value that makes no sense;
 * @err names it and the cure, and @config may be changed in part.
 */
int settings_read(struct proto_config *config, const struct proto_ops *ops, const char *text,
	struct err *err);

/* settings_print_value() - append the value of one. */
void settings_print_value(
	struct buf *out, const struct setting *s, const struct proto_config *config);

/* settings_print() - append all settings of @ops, so that settings_read() gives them again. */
void settings_print(
	struct buf *out, const struct proto_config *config, const struct proto_ops *ops);

#endif
