/* SPDX-License-Identifier: MIT */
/* settings.c - what may be set of a protocol, by name: "acks=1 fallback=10s" */
#include "store/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/units.h"

#define FIELD(member) offsetof(struct proto_config, member)
#define WORD_TEXT_MAX 64
#define LOG_KEEP_KIB_MAX (1u << 20)

/* clang-format off */
static const struct setting settings[] = {
	{"leases", SETTING_YES, FIELD(leases), 0, "raft chain",
		"reads at level lease by the leader's clock; restarted voters wait then"},
	{"voters", SETTING_COUNT, FIELD(voters), PROTO_NODES_MAX, "raft",
		"so many replicas are the first membership; 0: all"},
	{"sessions", SETTING_YES, FIELD(sessions), 0, "raft",
		"sessions carry a token: with it reads at level one never go back in time"},
	{"unconfirmed", SETTING_YES, FIELD(unconfirmed), 0, "raft",
		"the leader answers reads above level one without asking a majority"},
	{"plain_elections", SETTING_YES, FIELD(plain_elections), 0, "raft",
		"no pre-vote, votes against a living leader, no end of one that hears nobody"},
	{"log_keep_kib", SETTING_COUNT, FIELD(log_keep_kib), LOG_KEEP_KIB_MAX, "raft zab causal chain",
		"of the log in memory for replicas that are behind; 0: 16 MiB"},
	{"sloppy", SETTING_YES, FIELD(sloppy), 0, "quorum",
		"a hint at another replica counts for one that is not heard"},
	{"anti_entropy", SETTING_DURATION, FIELD(anti_entropy_ns), 0, "quorum crdt",
		"how often replicas compare their data; 0: never"},
	{"hint_window", SETTING_DURATION, FIELD(hint_ns_max), 0, "quorum",
		"no more hints for one who was not heard for so long; 0: no end"},
	{"tombstones", SETTING_DURATION, FIELD(tombstone_ns), 0, "quorum causal",
		"a deleted key is forgotten after so long; 0: never"},
	{"copies", SETTING_COUNT, FIELD(copies), PROTO_NODES_MAX, "quorum",
		"the first so many replicas have the data, the others coordinate; 0: all"},
	{"unrepaired", SETTING_YES, FIELD(unrepaired), 0, "quorum",
		"reads bring no replica up to date"},
	{"datagrams", SETTING_YES, FIELD(datagrams), 0, "quorum",
		"messages between replicas are datagrams: none waits for another"},
	{"acks", SETTING_COUNT, FIELD(acks), PROTO_NODES_MAX - 1, "primary",
		"other replicas that must have a write on disk; 0: asynchronous"},
	{"wait", SETTING_WORD, FIELD(wait), PROTO_WAIT_NR, "primary",
		"for these: before others can see the write, or after"},
	{"fallback", SETTING_DURATION, FIELD(fallback_ns), 0, "primary",
		"they are waited for so long, then asynchronous until they are back; 0: for ever"},
	{"watcher", SETTING_DURATION, FIELD(watcher_ns), 0, "primary",
		"another takes over when the primary was not heard for so long; 0: by hand only"},
	{"secondaries", SETTING_COUNT, FIELD(secondaries), PROTO_NODES_MAX - 1, "zone",
		"replicas behind the primary that have a copy; the others are caches"},
	{"notify", SETTING_YES, FIELD(notify), 0, "zone",
		"secondaries are told of changes at once"},
	{"refresh", SETTING_DURATION, FIELD(refresh_ns), 0, "zone",
		"how often a secondary asks for the serial"},
	{"retry", SETTING_DURATION, FIELD(retry_ns), 0, "zone",
		"how soon it asks again when it was not answered"},
	{"expire", SETTING_DURATION, FIELD(expire_ns), 0, "zone",
		"it answers nothing when it was not answered for so long (above refresh); 0: no end"},
	{"ttl", SETTING_DURATION, FIELD(ttl_ns), 0, "zone",
		"a cache keeps an answer so long; 0: not at all"},
	{"negative_ttl", SETTING_DURATION, FIELD(negative_ttl_ns), 0, "zone",
		"the same for the answer that there is no such key"},
	{"serve_stale", SETTING_DURATION, FIELD(serve_stale_ns), 0, "zone",
		"a cache gives an old answer so much longer when nobody answers; 0: never"},
	{"journal_kib", SETTING_COUNT, FIELD(journal_kib), LOG_KEEP_KIB_MAX, "zone",
		"changes that the primary keeps for secondaries; 0: 16 MiB"},
	{"register", SETTING_WORD, FIELD(registers), PROTO_REGISTER_NR, "crdt",
		"of writes that have not seen each other: lww, the last wins, or mv, all stay"},
	{"plain", SETTING_YES, FIELD(plain), 0, "crdt",
		"registers only: no counters and no sets"},
	{"revs", SETTING_COUNT, FIELD(revs), 1000, "multimaster",
		"revisions of a key that are remembered; 0: 1000"},
	{"length", SETTING_COUNT, FIELD(length), PROTO_NODES_MAX, "chain",
		"members of the chain at most, the others wait to come in; 0: all"},
	{"reads", SETTING_WORD, FIELD(reads), PROTO_READERS_NR, "chain",
		"who answers: any member (CRAQ), the tail alone, the head alone"},
};
/* clang-format on */

const struct setting *settings_list(unsigned i)
{
	return i < sizeof settings / sizeof *settings ? &settings[i] : NULL;
}

bool settings_of(const struct setting *s, const struct proto_ops *ops)
{
	size_t len = strlen(ops->name);

	for (const char *at = s->protocols; (at = strstr(at, ops->name)); at += len)
		if ((at == s->protocols || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

void settings_defaults(struct proto_config *config)
{
	config->anti_entropy_ns = 10 * NS_PER_S;
	config->hint_ns_max = 3 * 3600 * NS_PER_S; /* as Cassandra */
	config->tombstone_ns = 3600 * NS_PER_S;    /* shorter than Cassandra: all are asked first */
	config->fallback_ns = 10 * NS_PER_S;       /* as MySQL, rpl_semi_sync_source_timeout */
	/* RFC 1912, 2.2, and RFC 8767, 4, have hours and days: a lab lasts a minute. */
	config->secondaries = 1;
	config->notify = true;
	config->refresh_ns = NS_PER_S;
	config->retry_ns = 250 * NS_PER_MS;
	config->expire_ns = 60 * NS_PER_S;
	config->ttl_ns = 2 * NS_PER_S;
	config->negative_ttl_ns = NS_PER_S;
	config->serve_stale_ns = 30 * NS_PER_S;
}

static int fail_name(const char *name, const struct proto_ops *ops, struct err *err)
{
	char all[SETTINGS_TEXT_MAX] = "";
	const struct setting *s;

	for (unsigned i = 0; (s = settings_list(i)); i++) {
		size_t len = strlen(all);

		if (settings_of(s, ops))
			(void)snprintf(
				all + len, sizeof all - len, "%s%s", len ? ", " : "", s->name);
	}
	return err_usage(
		err, "%s has no setting '%s': it has %s", ops->name, name, all[0] ? all : "none");
}

/* Which words there are, by the field. */
static const char *const *words_of(const struct setting *s)
{
	if (s->offset == FIELD(registers))
		return proto_register_names;
	if (s->offset == FIELD(reads))
		return proto_readers_names;
	return s->offset == FIELD(wait) ? proto_wait_names : NULL;
}

static int take_word(unsigned *to, const struct setting *s, const char *text, struct err *err)
{
	char all[WORD_TEXT_MAX] = "";

	for (unsigned i = 0; i < s->max; i++) {
		size_t len = strlen(all);

		if (strcmp(text, words_of(s)[i]) == 0) {
			*to = i;
			return 0;
		}
		(void)snprintf(all + len, sizeof all - len, "%s%s", i ? ", " : "", words_of(s)[i]);
	}
	return err_usage(err, "'%s' is none of %s", text, all);
}

static int take(
	struct proto_config *config, const struct setting *s, const char *text, struct err *err)
{
	void *to = (char *)config + s->offset;
	uint64_t n = 0;
	int ret = 0;

	switch (s->kind) {
	case SETTING_COUNT:
		ret = units_parse_count(text, 0, s->max, &n, err);
		if (ret == 0)
			*(unsigned *)to = (unsigned)n;
		break;
	case SETTING_DURATION:
		ret = units_parse_duration(text, to, err);
		break;
	case SETTING_YES:
		if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
			ret = err_usage(err, "'%s' is neither yes nor no", text);
		else
			*(bool *)to = strcmp(text, "yes") == 0;
		break;
	case SETTING_WORD:
		ret = take_word(to, s, text, err);
		break;
	case SETTING_NR:
		break;
	}
	return ret < 0 ? err_wrap(err, "%s", s->name) : 0;
}

static int read_one(
	struct proto_config *config, const struct proto_ops *ops, char *word, struct err *err)
{
	char *value = strchr(word, '=');
	const struct setting *s;

	if (!value)
		return err_usage(err, "'%s' is not NAME=VALUE", word);
	*value++ = '\0';
	for (unsigned i = 0; (s = settings_list(i)); i++)
		if (strcmp(s->name, word) == 0 && settings_of(s, ops))
			return take(config, s, value, err);
	return fail_name(word, ops, err);
}

int settings_read(
	struct proto_config *config, const struct proto_ops *ops, const char *text, struct err *err)
{
	char copy[SETTINGS_TEXT_MAX];
	char *at = copy;
	char *word;

	if (strlen(text) >= sizeof copy)
		return err_usage(err, "settings are longer than %zu characters", sizeof copy - 1);
	(void)snprintf(copy, sizeof copy, "%s", text);
	while ((word = strsep(&at, " ,"))) {
		int ret = word[0] ? read_one(config, ops, word, err) : 0;

		if (ret < 0)
			return ret;
	}
	return 0;
}

void settings_print_value(
	struct buf *out, const struct setting *s, const struct proto_config *config)
{
	const void *from = (const char *)config + s->offset;
	char word[WORD_TEXT_MAX];

	switch (s->kind) {
	case SETTING_COUNT:
		buf_printf(out, "%u", *(const unsigned *)from);
		break;
	case SETTING_DURATION:
		buf_printf(
			out, "%s", units_word_duration(*(const uint64_t *)from, word, sizeof word));
		break;
	case SETTING_YES:
		buf_printf(out, "%s", *(const bool *)from ? "yes" : "no");
		break;
	case SETTING_WORD:
		buf_printf(out, "%s", words_of(s)[*(const unsigned *)from]);
		break;
	case SETTING_NR:
		break;
	}
}

void settings_print(struct buf *out, const struct proto_config *config, const struct proto_ops *ops)
{
	const struct setting *s;
	bool first = true;

	for (unsigned i = 0; (s = settings_list(i)); i++) {
		if (!settings_of(s, ops))
			continue;
		buf_printf(out, "%s%s=", first ? "" : " ", s->name);
		settings_print_value(out, s, config);
		first = false;
	}
}
