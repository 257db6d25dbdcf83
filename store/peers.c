/* SPDX-License-Identifier: MIT */
/*
 * peers.c - connections between replicas
 *
 * Theory of operation
 *
 * Each replica dials every other one and sends its messages there; the other direction of that
 * connection carries FRAME_WELCOME and FRAME_PONG only. So nobody has to agree on who dials.
 *
 *	dial: connecting --connected--> HELLO sent --WELCOME--> live
 *	live: heard within the silence limit: up.  Longer silent: down, messages are dropped,
 *	      and new connections are tried until one is welcomed, or the old one answers again.
 *
 * Healing. After a cut the kernel's TCP waits for a retransmission timer that has doubled up to
 * two minutes, so the connections of before are useless for too long. Therefore silence is
 * noticed by pings (PING_TICKS), and while a peer is down a fresh connection is begun every
 * DIAL_EVERY_NS. Each lives ATTEMPT_LIFE_NS, which leaves room for the two round trips of a
 * connection at a RTT of 1 s, so several are under way at a time; the first that is welcomed
 * replaces the old one and ends the others. Who hears from a peer that it cannot reach dials at
 * once: the way is open again. After a heal messages flow again within DIAL_EVERY_NS + 2 RTT.
 *
 * A peer that is down gets nothing queued: a message of some seconds ago is worth less than the
 * delay which it would cause, and protocols tolerate loss.
 *
 * Limits: PEERS_QUEUE_MAX unsent bytes per peer, PEERS_INBOUND_MAX connections dialed by others,
 * ATTEMPT_LIFE_NS / DIAL_EVERY_NS + 1 attempts per peer. A connection on which the dialing side has
 * said nothing for INBOUND_SILENT_NS is closed.
 */
#include "store/peers.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "store/replica.h"

#define TICK_NS (100 * NS_PER_MS)
/* Ticks between pings; large labs ping less often, or pings would be all they do. */
#define PING_TICKS(nodes) (1 + (nodes) / 16)
#define SILENT_NS_MIN (500 * NS_PER_MS)
#define SILENT_RTTS 4
#define SILENT_PINGS 4
#define DIAL_EVERY_NS (200 * NS_PER_MS)
#define ATTEMPT_LIFE_NS (3 * NS_PER_S)
#define INBOUND_SILENT_NS (10 * NS_PER_S)
#define RTT_GAIN 8 /* as TCP's: RFC 6298, alpha = 1/8 */
/* Dead connections are found by silence; the kernel need not help. */
#define USER_TIMEOUT_MS 600000u
#define RTO_MAX_MS 1000
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44 /* since Linux 6.15; the smallest allowed value is 1000 */
#endif

/* One connection, dialed by us (peer) or by another replica (no peer). */
struct peers_link {
	struct stream stream;
	struct peers *peers;
	struct peers_peer *peer; /* NULL: inbound, or given up */
	struct list place;       /* among attempts, inbound or leaving ones; the live one: none */
	struct in_addr addr;     /* inbound: who dialed */
	int from;                /* inbound: replica id, -1 before its HELLO */
	uint64_t heard_ns;
	uint64_t began_ns;
};

static struct peers_link *link_of(struct stream *s)
{
	return list_entry(s, struct peers_link, stream);
}

static const struct replica_config *config_of(const struct peers *peers)
{
	return &peers->replica->config;
}

static uint64_t now_of(const struct peers *peers)
{
	return loop_now(peers->replica->loop);
}

static void link_free(struct peers_link *link)
{
	stream_fini(&link->stream);
	list_del(&link->place);
	free(link);
}

static void tune(int fd)
{
	unsigned timeout = USER_TIMEOUT_MS;
	int rto = RTO_MAX_MS;
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_RTO_MAX_MS, &rto, sizeof rto);
}

/* Close without the kernel's trying to deliver what is left. */
static void abandon(struct peers_link *link)
{
	struct linger reset = {.l_onoff = 1};

	if (link->stream.fd >= 0)
		(void)setsockopt(link->stream.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	list_del(&link->place);
	list_push(&link->peers->leaving, &link->place);
	link->peer = NULL;
	stream_close(&link->stream);
}

static void bad_frame(struct peers_link *link, const char *what)
{
	struct peers *peers = link->peers;
	char text[INET_ADDRSTRLEN] = "";

	peers->frames_bad++;
	(void)inet_ntop(AF_INET, &link->addr, text, sizeof text);
	log_warn("connection with %s closed: %s", text, what);
	stream_close(&link->stream);
}

static size_t each_frame(struct stream *s, const uint8_t *p, size_t n,
	const char *(*take)(struct peers_link *link, const struct frame *frame))
{
	struct peers_link *link = link_of(s);
	size_t used = 0;

	while (!stream_ending(s)) {
		const char *wrong;
		struct frame frame;
		size_t took = 0;
		int ret = frame_decode(p + used, n - used, &frame, &took);

		if (ret == -EAGAIN)
			return used;
		wrong = ret < 0 ? "damaged frame" : take(link, &frame);
		if (wrong) {
			bad_frame(link, wrong);
			break;
		}
		used += took;
	}
	return n;
}

static struct frame_hello hello_to(const struct peers *peers, unsigned to)
{
	return (struct frame_hello){
		.to = (uint16_t)to,
		.nodes = (uint16_t)peers->nodes,
		.proto = frame_proto_hash(config_of(peers)->ops->name),
	};
}

static uint16_t self_of(const struct peers *peers)
{
	return (uint16_t)config_of(peers)->proto.self;
}

/* Why this hello is not from the replica that it names, or not for us; NULL: all is well. */
static const char *hello_wrong(const struct peers *peers, const struct frame *frame)
{
	struct frame_hello hello;

	if (frame_hello_decode(frame->payload, &hello) < 0)
		return "malformed hello";
	if (hello.nodes != peers->nodes)
		return "it counts other replicas than we do";
	if (hello.proto != frame_proto_hash(config_of(peers)->ops->name))
		return "it speaks another protocol";
	if (hello.to != self_of(peers) || frame->from >= peers->nodes ||
		frame->from == self_of(peers))
		return "hello with a wrong replica id";
	return NULL;
}

/* --- connections that we dial --- */

static void peer_set_up(struct peers_peer *peer, bool up)
{
	if (peer->up == up)
		return;
	peer->up = up;
	peer->dialed_back = false;
	log_info("replica %u is %s", peer->id, up ? "reachable" : "silent");
	/* What waits is stale by the time that the peer is back. */
	if (!up && peer->live)
		peer->live->stream.out.len = 0;
}

static void welcomed(struct peers_link *link)
{
	struct peers_peer *peer = link->peer;
	struct list *pos, *tmp;

	if (peer->live)
		abandon(peer->live);
	list_del(&link->place);
	list_for_each(pos, tmp, &peer->attempts) abandon(list_entry(pos, struct peers_link, place));
	peer->live = link;
	peer->heard_ns = now_of(link->peers);
	if (!peer->rtt_ns)
		peer->rtt_ns = peer->heard_ns - link->began_ns;
	peer_set_up(peer, true);
}

static const char *take_pong(struct peers_link *link, const struct frame *frame)
{
	struct cursor c = cursor_over(frame->payload.p, frame->payload.len);
	struct peers_peer *peer = link->peer;
	uint64_t sent_ns = cursor_u64(&c);
	uint64_t now = now_of(link->peers);

	if (!cursor_done(&c) || sent_ns > now)
		return "malformed pong";
	peer->rtt_ns += (now - sent_ns) / RTT_GAIN;
	peer->rtt_ns -= peer->rtt_ns / (RTT_GAIN + 1);
	peer->heard_ns = now;
	if (!peer->up) {
		/* The old connection came back before a new one did. */
		struct list *pos, *tmp;

		list_for_each(pos, tmp, &peer->attempts)
			abandon(list_entry(pos, struct peers_link, place));
		peer_set_up(peer, true);
	}
	return NULL;
}

static const char *take_answer(struct peers_link *link, const struct frame *frame)
{
	struct peers_peer *peer = link->peer;

	if (frame->from != peer->id)
		return "frame with a wrong replica id";
	if (link == peer->live)
		return frame->type == FRAME_PONG ? take_pong(link, frame) : "unexpected frame";
	if (frame->type != FRAME_WELCOME)
		return "no welcome";
	if (hello_wrong(link->peers, frame))
		return hello_wrong(link->peers, frame);
	welcomed(link);
	return NULL;
}

static size_t outbound_data(struct stream *s, const uint8_t *p, size_t n)
{
	return each_frame(s, p, n, take_answer);
}

static void outbound_connected(struct stream *s)
{
	struct peers_link *link = link_of(s);
	struct frame_hello hello = hello_to(link->peers, link->peer->id);

	frame_hello_encode(&s->out, FRAME_HELLO, self_of(link->peers), &hello);
	stream_touch(s);
}

static void outbound_closed(struct stream *s)
{
	struct peers_link *link = link_of(s);
	struct peers_peer *peer = link->peer;

	if (peer && peer->live == link) {
		peer->live = NULL;
		peer_set_up(peer, false);
	}
	link_free(link);
}

static const struct stream_ops outbound_ops = {
	.data = outbound_data,
	.connected = outbound_connected,
	.closed = outbound_closed,
};

static struct peers_link *link_make(struct peers *peers, struct in_addr addr)
{
	struct peers_link *link = calloc(1, sizeof *link);

	assert(link);
	link->peers = peers;
	link->addr = addr;
	link->from = -1;
	link->began_ns = now_of(peers);
	link->heard_ns = link->began_ns;
	list_init(&link->place);
	return link;
}

static void dial(struct peers_peer *peer)
{
	struct peers *peers = peer->peers;
	const struct replica_config *config = config_of(peers);
	struct sockaddr_in from = {
		.sin_family = AF_INET, .sin_addr = config->peers[self_of(peers)]};
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_addr = config->peers[peer->id],
		.sin_port = htons(config->peer_port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct peers_link *link;

	peer->dialed_ns = now_of(peers);
	if (fd < 0)
		return; /* the next tick tries again */
	/* The other side knows us by our address. */
	if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0) {
		close(fd);
		return;
	}
	tune(fd);
	link = link_make(peers, to.sin_addr);
	link->peer = peer;
	list_push(&peer->attempts, &link->place);
	stream_dial(&link->stream, &peers->replica->streams, &outbound_ops, fd, &to);
}

static void ping(struct peers_peer *peer)
{
	struct stream *s = &peer->live->stream;
	uint64_t now = now_of(peer->peers);
	uint8_t bytes[8];
	struct frame frame = {.type = FRAME_PING,
		.from = self_of(peer->peers),
		.payload = {.p = bytes, .len = sizeof bytes}};

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(now >> 8 * i);
	frame_encode(&s->out, &frame);
	stream_touch(s);
}

static uint64_t silence_limit(const struct peers_peer *peer)
{
	uint64_t pings = SILENT_PINGS * PING_TICKS(peer->peers->nodes) * TICK_NS;
	uint64_t limit = SILENT_RTTS * peer->rtt_ns;

	limit = limit > pings ? limit : pings;
	return limit > SILENT_NS_MIN ? limit : SILENT_NS_MIN;
}

static void tick_peer(struct peers_peer *peer, bool ping_now)
{
	uint64_t now = now_of(peer->peers);
	struct list *pos, *tmp;

	list_for_each(pos, tmp, &peer->attempts)
	{
		struct peers_link *link = list_entry(pos, struct peers_link, place);

		if (now - link->began_ns > ATTEMPT_LIFE_NS)
			abandon(link);
	}
	if (peer->live && now - peer->heard_ns > silence_limit(peer))
		peer_set_up(peer, false);
	/* An old connection is asked, too, but only when it can carry the question. */
	if (peer->live && ping_now && stream_queued(&peer->live->stream) < PEERS_QUEUE_MAX)
		ping(peer);
	if (!peer->up && now - peer->dialed_ns >= DIAL_EVERY_NS)
		dial(peer);
}

/* --- connections that others dial --- */

static void answer(struct peers_link *link, const struct frame *frame)
{
	/* Who never reads its pongs gets no more of them. */
	if (stream_queued(&link->stream) > PEERS_QUEUE_MAX)
		return;
	frame_encode(&link->stream.out, frame);
	stream_touch(&link->stream);
}

static const char *take_hello(struct peers_link *link, const struct frame *frame)
{
	struct peers *peers = link->peers;
	struct frame_hello hello;
	const char *wrong;

	if (frame->type != FRAME_HELLO)
		return "no hello";
	wrong = hello_wrong(peers, frame);
	if (wrong)
		return wrong;
	if (link->addr.s_addr != config_of(peers)->peers[frame->from].s_addr)
		return "hello from another replica's address";
	link->from = frame->from;
	hello = hello_to(peers, frame->from);
	frame_hello_encode(&link->stream.out, FRAME_WELCOME, self_of(peers), &hello);
	stream_touch(&link->stream);
	return NULL;
}

/* Once in a silence: with a way that is open in one direction only, nothing is gained by more. */
static void heard_from(struct peers_peer *peer)
{
	if (peer->up || peer->dialed_back)
		return;
	peer->dialed_back = true;
	dial(peer);
}

static const char *take_inbound(struct peers_link *link, const struct frame *frame)
{
	struct peers *peers = link->peers;
	struct frame pong = {.type = FRAME_PONG, .from = self_of(peers), .payload = frame->payload};

	link->heard_ns = now_of(peers);
	if (link->from < 0)
		return take_hello(link, frame);
	if (frame->from != link->from)
		return "frame with a wrong replica id";
	heard_from(&peers->peer[link->from]);
	if (frame->type == FRAME_PING) {
		answer(link, &pong);
		return NULL;
	}
	if (frame->type != FRAME_MESSAGE)
		return "unexpected frame";
	peers->received++;
	if (replica_message(peers->replica, frame->from, frame->payload.p, frame->payload.len) < 0)
		return "message that no replica sends";
	return NULL;
}

static size_t inbound_data(struct stream *s, const uint8_t *p, size_t n)
{
	return each_frame(s, p, n, take_inbound);
}

static void inbound_closed(struct stream *s)
{
	struct peers_link *link = link_of(s);

	link->peers->inbound_count--;
	link_free(link);
}

static const struct stream_ops inbound_ops = {
	.data = inbound_data,
	.closed = inbound_closed,
};

static void inbound_take(struct peers *peers, int fd)
{
	struct sockaddr_in addr = {0};
	socklen_t len = sizeof addr;
	struct peers_link *link;

	if (peers->inbound_count == PEERS_INBOUND_MAX ||
		getpeername(fd, (struct sockaddr *)&addr, &len) < 0) {
		close(fd);
		return;
	}
	tune(fd);
	link = link_make(peers, addr.sin_addr);
	list_push(&peers->inbound, &link->place);
	peers->inbound_count++;
	stream_init(&link->stream, &peers->replica->streams, &inbound_ops, fd);
}

static void accept_again(struct loop_timer *timer)
{
	struct peers *peers = list_entry(timer, struct peers, accept_again);

	loop_accept(peers->replica->loop, &peers->accept, peers->listen_fd);
}

static void accept_done(struct loop_op *op, const struct loop_event *event)
{
	struct peers *peers = list_entry(op, struct peers, accept);

	if (event->res >= 0)
		inbound_take(peers, event->res);
	if (!event->more && event->res != -ECANCELED)
		loop_arm(peers->replica->loop, &peers->accept_again,
			now_of(peers) + (event->res < 0 ? TICK_NS : 0));
}

/* --- all of them --- */

static void tick(struct loop_timer *timer)
{
	struct peers *peers = list_entry(timer, struct peers, tick);
	uint64_t now = now_of(peers);
	bool ping_now = peers->ticks++ % PING_TICKS(peers->nodes) == 0;
	struct list *pos, *tmp;

	for (unsigned i = 0; i < peers->nodes; i++)
		if (i != self_of(peers))
			tick_peer(&peers->peer[i], ping_now);
	list_for_each(pos, tmp, &peers->inbound)
	{
		struct peers_link *link = list_entry(pos, struct peers_link, place);

		if (now - link->heard_ns > INBOUND_SILENT_NS && !stream_ending(&link->stream))
			stream_close(&link->stream);
	}
	loop_arm(peers->replica->loop, &peers->tick, now + TICK_NS);
}

void peers_init(struct peers *peers, struct replica *replica, int listen_fd)
{
	unsigned nodes = replica->config.proto.nodes;

	*peers = (struct peers){
		.replica = replica,
		.nodes = nodes,
		.listen_fd = listen_fd,
		.accept = {.done = accept_done},
		.accept_again = {.fire = accept_again},
		.tick = {.fire = tick},
	};
	list_init(&peers->inbound);
	list_init(&peers->leaving);
	peers->peer = calloc(nodes, sizeof *peers->peer);
	assert(peers->peer);
	for (unsigned i = 0; i < nodes; i++) {
		peers->peer[i] = (struct peers_peer){.peers = peers, .id = (uint16_t)i};
		list_init(&peers->peer[i].attempts);
	}
}

void peers_start(struct peers *peers)
{
	if (peers->listen_fd < 0)
		return;
	loop_accept(peers->replica->loop, &peers->accept, peers->listen_fd);
	for (unsigned i = 0; i < peers->nodes; i++)
		if (i != self_of(peers))
			dial(&peers->peer[i]);
	loop_arm(peers->replica->loop, &peers->tick, now_of(peers) + TICK_NS);
}

static void list_free(struct list *head)
{
	struct list *pos, *tmp;

	list_for_each(pos, tmp, head) link_free(list_entry(pos, struct peers_link, place));
}

void peers_fini(struct peers *peers)
{
	if (!peers->peer)
		return;
	for (unsigned i = 0; i < peers->nodes; i++) {
		if (peers->peer[i].live)
			link_free(peers->peer[i].live);
		list_free(&peers->peer[i].attempts);
	}
	list_free(&peers->inbound);
	list_free(&peers->leaving);
	if (peers->listen_fd >= 0)
		close(peers->listen_fd);
	free(peers->peer);
	peers->peer = NULL;
}

void peers_send(struct peers *peers, unsigned to, const void *bytes, size_t len)
{
	struct frame frame = {.type = FRAME_MESSAGE,
		.from = self_of(peers),
		.payload = {.p = bytes, .len = (uint32_t)len}};
	struct peers_peer *peer = &peers->peer[to];

	assert(to < peers->nodes && to != self_of(peers) && len <= PROTO_MESSAGE_MAX);
	if (!peer->up || stream_queued(&peer->live->stream) + len > PEERS_QUEUE_MAX) {
		peers->dropped++;
		return;
	}
	peers->sent++;
	frame_encode(&peer->live->stream.out, &frame);
	stream_touch(&peer->live->stream);
}

unsigned peers_up(const struct peers *peers)
{
	unsigned n = 0;

	for (unsigned i = 0; i < peers->nodes; i++)
		n += peers->peer[i].up;
	return n;
}
