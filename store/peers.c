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
 * Who we talk to. Both sides must say the same words (hello.h) in frames of the same version, be
 *who they say by their address, and mean each other. Who does not is refused with the reason before
 * the connection is closed, so that both sides can tell their people both values; it is dialed
 * again only every REFUSED_EVERY_NS, or when it says a right hello itself.
 *
 * Limits. Towards each peer: PEERS_QUEUE_MAX unsent bytes, ATTEMPT_LIFE_NS / DIAL_EVERY_NS + 1
 * attempts. Dialed by others: PEERS_INBOUND_MAX connections, from one replica's address
 * PEERS_PER_REPLICA_MAX (an older one makes room), from other addresses PEERS_STRANGERS_MAX in
 * all. A hello must come within HELLO_LIFE_NS and no frame before it may be longer than one, so
 * only replicas can fill memory: each PEERS_PER_REPLICA_MAX * FRAME_PAYLOAD_MAX, as it is received,
 * and PEERS_QUEUE_MAX of pongs that it does not read. A connection on which the dialing side has
 * said nothing whole for INBOUND_SILENT_NS is closed.
 */
#include "store/peers.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "store/hello.h"
#include "store/replica.h"

#define TICK_NS (100 * NS_PER_MS)
/* Ticks between pings; large labs ping less often, or pings would be all they do. */
#define PING_TICKS(nodes) (1 + (nodes) / 16)
#define SILENT_NS_MIN (500 * NS_PER_MS)
#define SILENT_RTTS 4
#define SILENT_PINGS 4
#define DIAL_EVERY_NS (200 * NS_PER_MS)
#define ATTEMPT_LIFE_NS (3 * NS_PER_S)
#define REFUSED_EVERY_NS (2 * NS_PER_S)
#define HELLO_LIFE_NS (3 * NS_PER_S)
#define INBOUND_SILENT_NS (10 * NS_PER_S)
/* Lines about connections that were refused or broke the rules: what a log can take. */
#define SAY_EVERY_NS NS_PER_S
#define SAY_AT_ONCE 8
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
	struct in_addr addr;     /* of the other side */
	int known;               /* inbound: replica with this address, -1: a stranger */
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

/* Whoever dials in a loop fills the counters, not the log. */
static void say(struct peers *peers, struct in_addr addr, const char *what, const char *why)
{
	uint64_t now = now_of(peers);
	char text[INET_ADDRSTRLEN] = "";
	char more[64] = "";

	if (now - peers->said_ns >= SAY_EVERY_NS) {
		peers->said_ns = now;
		peers->said = 0;
	}
	if (++peers->said > SAY_AT_ONCE) {
		peers->unsaid++;
		return;
	}
	if (peers->unsaid)
		(void)snprintf(more, sizeof more, " (and %llu more that are not shown)",
			(unsigned long long)peers->unsaid);
	peers->unsaid = 0;
	(void)inet_ntop(AF_INET, &addr, text, sizeof text);
	log_warn("connection with %s %s: %s%s", text, what, why, more);
}

static uint16_t self_of(const struct peers *peers)
{
	return (uint16_t)config_of(peers)->proto.self;
}

static void put_hello(struct peers_link *link, enum frame_type type, unsigned to, const char *why)
{
	struct peers *peers = link->peers;
	struct frame_hello hello = {
		.to = (uint16_t)to,
		.words = {.p = peers->words.p, .len = (uint32_t)peers->words.len},
		.why = {.p = (const uint8_t *)why, .len = (uint32_t)strlen(why)},
	};

	frame_hello_encode(&link->stream.out, type, self_of(peers), &hello);
	stream_touch(&link->stream);
}

static void bad_frame(struct peers_link *link, const char *why)
{
	link->peers->frames_bad++;
	say(link->peers, link->addr, "closed", why);
	stream_close(&link->stream);
}

/* The other side of a connection that we dialed is not one of ours, or thinks so of us. */
static void refused(struct peers_link *link, const char *why)
{
	struct peers_peer *peer = link->peer;
	bool news = strcmp(peer->refusal, why) != 0;

	link->peers->refused++;
	if (news) {
		(void)snprintf(peer->refusal, sizeof peer->refusal, "%s", why);
		log_warn("replica %u is not talked to: %s", peer->id, peer->refusal);
	}
	stream_close(&link->stream);
}

/* The same for who dialed us: it is told @told, where that is not our words. */
static void refuse(struct peers_link *link, unsigned to, const char *why, const char *told)
{
	link->peers->refused++;
	say(link->peers, link->addr, "refused", why);
	put_hello(link, FRAME_REFUSAL, to, told);
	stream_drain(&link->stream);
}

static void other_version(struct peers_link *link, const struct frame *frame)
{
	char why[PEERS_WHY_MAX];

	(void)snprintf(why, sizeof why, "version=%u there, version=%u here", frame->version,
		(unsigned)FRAME_VERSION);
	/* Of a refusal it can read the header, too. */
	if (link->peer)
		refused(link, why);
	else
		refuse(link, frame->from, why, "");
}

/* Return: what is wrong, NULL: the frame was taken, or refused. */
static const char *take_frame(struct peers_link *link, const uint8_t *p, size_t n, size_t *ret_took,
	const char *(*take)(struct peers_link *link, const struct frame *frame))
{
	size_t payload_max = link->from < 0 ? FRAME_HELLO_MAX : FRAME_PAYLOAD_MAX;
	struct frame frame;

	switch (frame_decode(p, n, payload_max, &frame, ret_took)) {
	case 0:
		/* What it says is static text. */
		/* cppcheck-suppress returnDanglingLifetime */
		return take(link, &frame);
	case -EAGAIN:
		*ret_took = 0;
		return NULL;
	case -EPROTONOSUPPORT:
		other_version(link, &frame);
		return NULL;
	case -EMSGSIZE:
		return "frame that is too long before a hello";
	default:
		return "damaged frame";
	}
}

static size_t each_frame(struct stream *s, const uint8_t *p, size_t n,
	const char *(*take)(struct peers_link *link, const struct frame *frame))
{
	struct peers_link *link = link_of(s);
	size_t used = 0;

	while (!stream_ending(s)) {
		size_t took = 0;
		const char *wrong = take_frame(link, p + used, n - used, &took, take);

		if (wrong)
			bad_frame(link, wrong);
		else if (took == 0 && !stream_ending(s))
			return used;
		used += took;
	}
	return n;
}

/* Whether the words are not ours; then @why, of PEERS_WHY_MAX, has both sides'. */
static bool words_wrong(const struct peers *peers, const struct frame_hello *hello, char *why)
{
	const struct proto_bytes ours = {.p = peers->words.p, .len = (uint32_t)peers->words.len};

	return hello_differ(hello->words, ours, why, PEERS_WHY_MAX);
}

/* --- connections that we dial --- */

static void peer_set_up(struct peers_peer *peer, bool up)
{
	if (peer->up == up)
		return;
	peer->up = up;
	peer->dialed_back = false;
	if (up)
		peer->refusal[0] = '\0';
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

	/* An old connection may come back after long, but not from before its own time. */
	if (!cursor_done(&c) || sent_ns > now || sent_ns < link->began_ns)
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

	struct frame_hello hello;
	char why[PEERS_WHY_MAX];

	if (link == peer->live && frame->type == FRAME_PONG && frame->from == peer->id)
		return take_pong(link, frame);
	if (link == peer->live || (frame->type != FRAME_WELCOME && frame->type != FRAME_REFUSAL))
		return "unexpected frame";
	if (frame_hello_decode(frame->payload, &hello) < 0)
		return "malformed hello";
	if (words_wrong(link->peers, &hello, why)) {
		refused(link, why);
	} else if (frame->type == FRAME_REFUSAL) {
		(void)snprintf(
			why, sizeof why, "%.*s", (int)hello.why.len, (const char *)hello.why.p);
		refused(link, why);
	} else if (frame->from != peer->id || hello.to != self_of(link->peers)) {
		(void)snprintf(
			why, sizeof why, "id=%u there, looked for id=%u", frame->from, peer->id);
		refused(link, why);
	} else {
		welcomed(link);
	}
	return NULL;
}

static size_t outbound_data(struct stream *s, const uint8_t *p, size_t n)
{
	return each_frame(s, p, n, take_answer);
}

static void outbound_connected(struct stream *s)
{
	struct peers_link *link = link_of(s);
	put_hello(link, FRAME_HELLO, link->peer->id, "");
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
	link->known = -1;
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
	uint8_t bytes[FRAME_PING_BYTES];
	struct frame frame = {.type = FRAME_PING,
		.from = self_of(peer->peers),
		.payload = {.p = bytes, .len = sizeof bytes}};

	for (unsigned i = 0; i < FRAME_PING_BYTES; i++)
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
	uint64_t every_ns = peer->refusal[0] ? REFUSED_EVERY_NS : DIAL_EVERY_NS;
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
	if (!peer->up && now - peer->dialed_ns >= every_ns)
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
	char why[PEERS_WHY_MAX];

	if (frame->type != FRAME_HELLO)
		return "no hello";
	if (frame_hello_decode(frame->payload, &hello) < 0)
		return "malformed hello";
	if (words_wrong(peers, &hello, why)) {
		refuse(link, frame->from, why, "");
		return NULL;
	}
	if (frame->from >= peers->nodes || frame->from == self_of(peers) ||
		hello.to != self_of(peers)) {
		(void)snprintf(why, sizeof why, "id=%u meant id=%u, this is id=%u", frame->from,
			hello.to, self_of(peers));
		refuse(link, frame->from, why, why);
		return NULL;
	}
	if (link->addr.s_addr != config_of(peers)->peers[frame->from].s_addr) {
		(void)snprintf(
			why, sizeof why, "id=%u is not at the address it comes from", frame->from);
		refuse(link, frame->from, why, why);
		return NULL;
	}
	link->from = frame->from;
	peers->peer[frame->from].refusal[0] = '\0';
	put_hello(link, FRAME_WELCOME, frame->from, "");
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

	if (link->from < 0)
		return take_hello(link, frame);
	link->heard_ns = now_of(peers);
	if (frame->from != link->from)
		return "frame with a wrong replica id";
	heard_from(&peers->peer[link->from]);
	if (frame->type == FRAME_PING) {
		if (frame->payload.len != FRAME_PING_BYTES)
			return "malformed ping";
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
	if (link->known < 0)
		link->peers->strangers--;
	link_free(link);
}

static const struct stream_ops inbound_ops = {
	.data = inbound_data,
	.closed = inbound_closed,
};

/* The replica with this address, -1: none but perhaps ourselves. */
static int replica_at(const struct peers *peers, struct in_addr addr)
{
	for (unsigned i = 0; i < peers->nodes; i++)
		if (i != self_of(peers) && config_of(peers)->peers[i].s_addr == addr.s_addr)
			return (int)i;
	return -1;
}

/* One more from replica @known: one that has not said hello makes room, else the oldest. */
static void make_room(struct peers *peers, int known)
{
	struct peers_link *oldest = NULL;
	struct list *pos, *tmp;
	unsigned n = 0;

	list_for_each(pos, tmp, &peers->inbound)
	{
		struct peers_link *link = list_entry(pos, struct peers_link, place);

		if (link->known != known)
			continue;
		n++;
		if (!oldest || (oldest->from >= 0 && link->from < 0))
			oldest = link;
	}
	if (n < PEERS_PER_REPLICA_MAX)
		return;
	peers->overfull++;
	abandon(oldest);
}

static void inbound_take(struct peers *peers, int fd)
{
	struct sockaddr_in addr = {0};
	socklen_t len = sizeof addr;
	struct peers_link *link;
	int known;

	if (getpeername(fd, (struct sockaddr *)&addr, &len) < 0) {
		close(fd); /* it has gone again */
		return;
	}
	known = replica_at(peers, addr.sin_addr);
	if (peers->inbound_count == PEERS_INBOUND_MAX ||
		(known < 0 && peers->strangers == PEERS_STRANGERS_MAX)) {
		peers->overfull++;
		close(fd);
		return;
	}
	if (known >= 0)
		make_room(peers, known);
	tune(fd);
	link = link_make(peers, addr.sin_addr);
	link->known = known;
	list_push(&peers->inbound, &link->place);
	peers->inbound_count++;
	if (known < 0)
		peers->strangers++;
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

/* Who was refused and does not read why is not waited for either. */
static void tick_inbound(struct peers *peers)
{
	uint64_t now = now_of(peers);
	struct list *pos, *tmp;

	list_for_each(pos, tmp, &peers->inbound)
	{
		struct peers_link *link = list_entry(pos, struct peers_link, place);
		uint64_t life = link->from < 0 ? HELLO_LIFE_NS : INBOUND_SILENT_NS;

		if (now - link->heard_ns > life && !link->stream.closing)
			stream_close(&link->stream);
	}
}

static void tick(struct loop_timer *timer)
{
	struct peers *peers = list_entry(timer, struct peers, tick);
	uint64_t now = now_of(peers);
	bool ping_now = peers->ticks++ % PING_TICKS(peers->nodes) == 0;

	for (unsigned i = 0; i < peers->nodes; i++)
		if (i != self_of(peers))
			tick_peer(&peers->peer[i], ping_now);
	tick_inbound(peers);
	loop_arm(peers->replica->loop, &peers->tick, now + TICK_NS);
}

void peers_init(struct peers *peers, struct replica *replica, int listen_fd, int datagram_fd)
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
	datagrams_init(&peers->datagrams, peers, datagram_fd);
	hello_words(&peers->words, &replica->config);
	assert(peers->words.len <= FRAME_WORDS_MAX);
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
	datagrams_start(&peers->datagrams);
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
	datagrams_fini(&peers->datagrams);
	if (peers->listen_fd >= 0)
		close(peers->listen_fd);
	buf_fini(&peers->words);
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
	if (peer->up && datagrams_send(&peers->datagrams, to, bytes, len))
		return;
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

size_t peers_queued_for(const struct peers_peer *peer)
{
	return peer->live ? stream_queued(&peer->live->stream) : 0;
}

size_t peers_queued(const struct peers *peers)
{
	size_t n = 0;
	struct list *pos, *tmp;

	for (unsigned i = 0; i < peers->nodes; i++)
		n += peers_queued_for(&peers->peer[i]);
	list_for_each(pos, tmp, &peers->inbound) n +=
		stream_queued(&list_entry(pos, struct peers_link, place)->stream);
	return n;
}
