/* SPDX-License-Identifier: MIT */
/* peers_info.c - the state of the other replicas, as INFO tells it */
#include "agent/base/clock.h"
#include "store/peers.h"
#include "store/replica.h"

void peers_info(const struct peers *peers, struct buf *out)
{
	unsigned left = PEERS_INFO_MAX;

	buf_printf(out,
		"frames_bad:%llu\r\nmessages_sent:%llu\r\nmessages_received:%llu\r\n"
		"messages_dropped:%llu\r\npeers_refused:%llu\r\npeers_overfull:%llu\r\n"
		"peers_inbound:%u\r\npeers_queued:%zu\r\n",
		(unsigned long long)peers->frames_bad, (unsigned long long)peers->sent,
		(unsigned long long)peers->received, (unsigned long long)peers->dropped,
		(unsigned long long)peers->refused, (unsigned long long)peers->overfull,
		peers->inbound_count, peers_queued(peers));
	for (unsigned i = 0; i < peers->nodes && left > 0; i++) {
		const struct peers_peer *peer = &peers->peer[i];

		if (i == peers->replica->config.proto.self ||
			(peer->up && peers->nodes > PEERS_INFO_MAX))
			continue;
		left--;
		if (peer->up)
			buf_printf(out, "peer_%u:up,rtt_us=%llu,queued=%zu\r\n", i,
				(unsigned long long)(peer->rtt_ns / NS_PER_US),
				peers_queued_for(peer));
		else
			buf_printf(out, "peer_%u:%s%s\r\n", i,
				peer->refusal[0] ? "refused," : "silent", peer->refusal);
	}
}
