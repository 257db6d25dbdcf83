/* SPDX-License-Identifier: MIT */
/* hello.c - what two replicas must agree on before they talk, as words */
#include "store/hello.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/crc32c.h"
#include "store/replica.h"
#include "store/settings.h"

bool hello_cluster_fits(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
			return false;
	return len > 0 && len <= HELLO_CLUSTER_MAX;
}

void hello_words(struct buf *out, const struct replica_config *config)
{
	const struct proto_config *proto = &config->proto;
	uint32_t digest = crc32c(0, &config->peer_port, sizeof config->peer_port);

	digest = crc32c(digest, config->peers, proto->nodes * sizeof *config->peers);
	buf_printf(out, "cluster=%s proto=%s nodes=%u addresses=%08x",
		config->cluster ? config->cluster : "none", config->ops->name, proto->nodes,
		digest);
	buf_printf(out, " read=%s write=%s leader=%d", proto_level_names[proto->read_level],
		proto_level_names[proto->write_level], proto->leader);
	buf_printf(out, " election=%lluns-%lluns heartbeat=%lluns ",
		(unsigned long long)proto->election_min_ns,
		(unsigned long long)proto->election_max_ns,
		(unsigned long long)proto->heartbeat_ns);
	settings_print(out, proto, config->ops);
}

/* The next word, empty at the end. */
static struct proto_bytes take_word(struct proto_bytes *from)
{
	struct proto_bytes word;

	while (from->len && *from->p == ' ') {
		from->p++;
		from->len--;
	}
	word = *from;
	for (word.len = 0; word.len < from->len && word.p[word.len] != ' '; word.len++)
		;
	from->p += word.len;
	from->len -= word.len;
	return word;
}

bool hello_differ(struct proto_bytes there, struct proto_bytes here, char *ret, size_t size)
{
	static const struct proto_bytes nothing = {.p = (const uint8_t *)"nothing", .len = 7};

	for (;;) {
		struct proto_bytes a = take_word(&there);
		struct proto_bytes b = take_word(&here);

		if (!a.len && !b.len)
			return false;
		if (a.len == b.len && memcmp(a.p, b.p, a.len) == 0)
			continue;
		a = a.len ? a : nothing;
		b = b.len ? b : nothing;
		(void)snprintf(ret, size, "%.*s there, %.*s here", (int)a.len, (const char *)a.p,
			(int)b.len, (const char *)b.p);
		return true;
	}
}
