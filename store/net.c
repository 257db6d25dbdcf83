/* SPDX-License-Identifier: MIT */
/*
 * net.c - clients: who is connected, which reply goes where, in which order
 *
 * Theory of operation
 *
 * A command takes place number `tail`. A reply for place `head` is written straight into the
 * stream's output; a reply for a later place waits in that place's own buffer until all before it
 * have left. A client is stalled, i.e. nothing more is read from it, while one of the limits in
 * net.h is reached; net_turn() looks again at the end of each turn.
 *
 * A ticket is (serial << 16 | index of a struct net_request): never 0, never used twice. The
 * client's id is checked when the reply comes, so a reply for a client that has gone, or whose
 * index has a new owner, is dropped.
 */
#include "store/net.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "store/commands.h"
#include "store/gather.h"
#include "store/plain.h"
#include "store/replica.h"

#define PLACES_MIN 16u
#define REQUEST_INDEX_BITS 16
#define REQUEST_NONE UINT32_MAX
/* After accept() failed for want of descriptors or memory. */
#define ACCEPT_AGAIN_NS (100 * NS_PER_MS)
/* A reply buffer that waited in its place keeps at most this. */
#define PLACE_KEEP_MAX 4096u
/* GETs and SETs that are read before the first of them is run. */
#define PLAIN_BATCH 16u

_Static_assert(PLAIN_BATCH <= TABLE_PREFETCH_MAX, "a batch is one prefetch");
/* The others: those of the protocol, and a dozen of log, snapshot, listeners and peers. */
_Static_assert(NET_CLIENTS_MAX + PROTO_TIMERS_MAX + 64 <= LOOP_TIMERS_MAX, "a timer for each");
_Static_assert(NET_REQUESTS_MAX <= 1u << REQUEST_INDEX_BITS, "an index fits a ticket");

static struct net_client *client_of(struct stream *s)
{
	return list_entry(s, struct net_client, stream);
}

/* --- places --- */

static struct net_place *place_at(struct net_client *c, uint32_t place)
{
	assert(place - c->head < c->tail - c->head);
	return &c->places[place & (c->places_cap - 1)];
}

static void places_grow(struct net_client *c)
{
	uint32_t cap = c->places_cap ? 2 * c->places_cap : PLACES_MIN;
	struct net_place *places = calloc(cap, sizeof *places);

	assert(places);
	for (uint32_t i = c->head; i != c->tail; i++)
		places[i & (cap - 1)] = c->places[i & (c->places_cap - 1)];
	free(c->places);
	c->places = places;
	c->places_cap = cap;
}

static uint32_t place_take(struct net_client *c)
{
	if (c->tail - c->head == c->places_cap)
		places_grow(c); /* all are taken, so none with a buffer is left behind */
	c->tail++;
	place_at(c, c->tail - 1)->done = false;
	place_at(c, c->tail - 1)->expected = 0;
	return c->tail - 1;
}

struct buf *net_begin(struct net_client *c, uint32_t place)
{
	return place == c->head ? &c->stream.out : &place_at(c, place)->reply;
}

void net_end(struct net_client *c, uint32_t place)
{
	struct net_place *p = place_at(c, place);

	assert(!p->done);
	p->done = true;
	c->expected -= p->expected;
	c->net->expected -= p->expected;
	if (place != c->head) {
		c->waiting += p->reply.len;
		c->net->waiting += p->reply.len;
		return;
	}
	/* The head wrote to the stream itself; those right behind it may have waited for it. */
	while (c->head != c->tail && place_at(c, c->head)->done) {
		p = place_at(c, c->head);
		buf_add(&c->stream.out, p->reply.p, p->reply.len);
		c->waiting -= p->reply.len;
		c->net->waiting -= p->reply.len;
		p->reply.len = 0;
		if (p->reply.cap > PLACE_KEEP_MAX)
			buf_fini(&p->reply);
		c->head++;
	}
	if (c->quit && c->head == c->tail)
		stream_drain(&c->stream);
	stream_touch(&c->stream);
}

bool net_awaited(const struct net_client *c, uint32_t place)
{
	return place - c->head < c->tail - c->head && !c->places[place & (c->places_cap - 1)].done;
}

void net_expect(struct net_client *c, uint32_t place, size_t bytes)
{
	place_at(c, place)->expected += bytes;
	c->expected += bytes;
	c->net->expected += bytes;
}

/* What a client makes this replica keep in memory. */
static size_t kept_for(const struct net_client *c)
{
	return stream_queued(&c->stream) + c->waiting;
}

/* --- requests --- */

uint64_t net_ticket(struct net_client *c, uint32_t place, const struct net_answer *answer)
{
	struct net *net = c->net;
	unsigned index = net->requests_free;
	struct net_request *r;

	if (index != REQUEST_NONE)
		net->requests_free = net->requests[index].next_free;
	else
		index = net->requests_high++;
	assert(index < NET_REQUESTS_MAX);
	r = &net->requests[index];
	*r = (struct net_request){
		.ticket = ++net->last_serial << REQUEST_INDEX_BITS | index,
		.client_id = c->id,
		.client = c->index,
		.place = place,
		.answer = *answer,
	};
	net->requests_used++;
	return r->ticket;
}

static bool requests_left(const struct net *net)
{
	return NET_REQUESTS_MAX - net->requests_used >= RESP_ARGS_MAX;
}

/* The values of many replies at once may be more than anybody could foresee. */
static struct proto_reply too_much(const struct proto_reply *reply)
{
	bool changed = reply->status == PROTO_OK && reply->found;

	return (struct proto_reply){
		.status = changed ? PROTO_UNCERTAIN : PROTO_UNAVAILABLE,
		.why = changed ? "done, but too many bytes wait for this client to tell it more"
			       : "too many bytes wait for this client",
	};
}

static void give(struct net_client *c, const struct net_request *r, const struct proto_reply *reply)
{
	struct proto_reply instead;

	if (kept_for(c) + reply->value.len > NET_OUT_HARD_MAX) {
		instead = too_much(reply);
		reply = &instead;
	}
	commands_reply(net_begin(c, r->place), c->net->replica, &r->answer, reply);
	net_end(c, r->place);
}

void net_reply(struct net *net, uint64_t ticket, const struct proto_reply *reply)
{
	unsigned index = ticket & ((1u << REQUEST_INDEX_BITS) - 1);
	struct net_request *r = &net->requests[index];
	struct net_client *c;

	assert(ticket && r->ticket == ticket); /* at most one reply per request */
	c = net->clients[r->client];
	if (!c || c->id != r->client_id || stream_ending(&c->stream))
		c = NULL;
	if (r->answer.gather)
		gather_take(r->answer.gather, c, r->answer.part, reply);
	else if (c)
		give(c, r, reply);
	r->ticket = 0;
	net->requests_used--;
	r->next_free = net->requests_free;
	net->requests_free = index;
}

/* --- reading --- */

/* What clients and peers make this replica keep, or will, as can be foreseen. */
static size_t kept_for_all(const struct net *net)
{
	return net->replica->streams.bytes + net->waiting + net->expected;
}

static bool turn_is_full(const struct net *net)
{
	return net->commands - net->commands_before >= NET_TURN_COMMANDS;
}

static bool must_wait(struct net_client *c)
{
	size_t out_max = NET_OUT_MAX;

	if (turn_is_full(c->net))
		return true;
	stream_count(&c->stream);
	if (kept_for_all(c->net) > NET_CROWDED)
		out_max = kept_for_all(c->net) > NET_MEMORY_MAX ? 0 : NET_OUT_CROWDED;
	return c->tail - c->head >= NET_PLACES_MAX || out_max == 0 ||
	       kept_for(c) + c->expected > out_max || c->expected > NET_AHEAD_MAX ||
	       !requests_left(c->net) || replica_busy(c->net->replica);
}

static void quit(struct net_client *c)
{
	struct loop *loop = c->net->replica->loop;

	c->quit = true;
	loop_arm(loop, &c->linger, loop_now(loop) + NET_LINGER_NS);
	if (c->head == c->tail)
		stream_drain(&c->stream);
	else
		stream_pause(&c->stream);
}

static void linger_over(struct loop_timer *timer)
{
	stream_close(&list_entry(timer, struct net_client, linger)->stream);
}

int net_kill(struct net *net, uint64_t id)
{
	for (unsigned i = 0; i < net->clients_high; i++)
		if (net->clients[i] && net->clients[i]->id == id) {
			stream_close(&net->clients[i]->stream);
			return 0;
		}
	return -ENOENT;
}

static void refuse(struct net_client *c, const char *error)
{
	uint32_t place = place_take(c);

	c->net->clients_bad++;
	log_info("client %llu closed: %s", (unsigned long long)c->id, error);
	resp_error(net_begin(c, place), "ERR %s", error);
	c->quit = true;
	net_end(c, place);
	quit(c);
}

/*
 * GETs and SETs at the front of @p, while there is room for them. Return: how many bytes they were.
 * What a table.c look-up waits for is memory: that of all keys is asked for at once.
 */
static size_t run_plain(struct net_client *c, const uint8_t *p, size_t n)
{
	struct replica *r = c->net->replica;
	struct proto_bytes keys[PLAIN_BATCH];
	struct plain batch[PLAIN_BATCH];
	unsigned count = plain_parse(p, n, batch, PLAIN_BATCH);
	size_t used = 0;

	for (unsigned i = 0; count > 1 && i < count; i++)
		keys[i] = batch[i].key;
	if (count > 1)
		table_prefetch(r->table, keys, count);
	for (unsigned i = 0; i < count && !must_wait(c); i++) {
		commands_plain(c, &batch[i], place_take(c));
		used += batch[i].used;
	}
	return used;
}

static size_t client_data(struct stream *s, const uint8_t *p, size_t n)
{
	struct net_client *c = client_of(s);
	struct resp_command *command = &c->net->command;
	size_t used = 0;
	size_t took = 0;

	while (used < n && !c->quit) {
		int ret;

		if (must_wait(c)) {
			stream_pause(s);
			list_push(&c->net->stalled, &c->stalled);
			return used;
		}
		took = run_plain(c, p + used, n - used);
		if (took > 0) {
			used += took;
			continue;
		}
		ret = resp_parse(p + used, n - used, command, &took);
		if (ret == -EAGAIN)
			return used;
		if (ret < 0) {
			refuse(c, command->error);
			return n;
		}
		used += took;
		if (command->n > 0 && commands_run(c, command, place_take(c)) == COMMANDS_QUIT)
			quit(c);
	}
	return c->quit ? n : used;
}

static size_t memory_of(const struct net_client *c)
{
	return stream_memory(&c->stream) + c->waiting + c->expected;
}

static struct net_client *most_memory(const struct net *net)
{
	struct net_client *most = NULL;

	for (unsigned i = 0; i < net->clients_high; i++) {
		struct net_client *c = net->clients[i];

		if (c && !c->stream.closing && (!most || memory_of(c) > memory_of(most)))
			most = c;
	}
	return most;
}

/* Close those with the most, until what is left when they are gone will fit. */
static void make_room(struct net *net)
{
	size_t bytes = kept_for_all(net);
	size_t going = 0;
	struct net_client *c;

	for (unsigned i = 0; i < net->clients_high; i++)
		if (net->clients[i] && net->clients[i]->stream.closing)
			going += memory_of(net->clients[i]);
	while (bytes > NET_MEMORY_MAX + going && (c = most_memory(net))) {
		net->clients_big++;
		log_info("client %llu closed: it takes %zu KiB of %zu MiB",
			(unsigned long long)c->id, memory_of(c) >> 10, bytes >> 20);
		going += memory_of(c);
		stream_close(&c->stream);
	}
}

/* It has done what it was armed for: the loop's turn has come. */
static void turn_came(struct loop_timer *timer)
{
	(void)timer;
}

void net_turn(struct net *net)
{
	struct list *pos, *tmp;

	if (kept_for_all(net) > NET_MEMORY_MAX)
		make_room(net);
	net->commands_before = net->commands;
	list_for_each(pos, tmp, &net->stalled)
	{
		struct net_client *c = list_entry(pos, struct net_client, stalled);

		if (must_wait(c))
			continue;
		list_del(&c->stalled);
		stream_resume(&c->stream);
		if (c->stream.ended && list_empty(&c->stalled))
			quit(c);
	}
	/* Who waits for the next turn would not be woken by anything else. */
	if (turn_is_full(net))
		net_turn_again(net);
}

void net_turn_again(struct net *net)
{
	if (!list_empty(&net->stalled))
		loop_arm(net->replica->loop, &net->next_turn, loop_now(net->replica->loop));
}

/* --- coming and going --- */

/* The other side sends no more, but may wait for what is under way. */
static void client_ended(struct stream *s)
{
	struct net_client *c = client_of(s);

	if (list_empty(&c->stalled))
		quit(c);
}

static void client_free(struct net_client *c)
{
	stream_fini(&c->stream);
	for (uint32_t i = 0; i < c->places_cap; i++)
		buf_fini(&c->places[i].reply);
	free(c->places);
	list_del(&c->stalled);
	free(c);
}

static void client_closed(struct stream *s)
{
	struct net_client *c = client_of(s);

	loop_disarm(c->net->replica->loop, &c->linger);
	c->net->clients[c->index] = NULL;
	c->net->connected--;
	c->net->waiting -= c->waiting;
	c->net->expected -= c->expected;
	client_free(c);
}

static const struct stream_ops client_ops = {
	.data = client_data,
	.ended = client_ended,
	.closed = client_closed,
};

static unsigned free_index(struct net *net)
{
	if (net->connected == net->clients_high)
		return net->clients_high++;
	for (unsigned i = 0;; i++)
		if (!net->clients[i])
			return i;
}

static void client_take(struct net *net, int fd, bool tcp)
{
	static const char full[] = "-ERR max number of clients reached\r\n";
	struct net_client *c;
	int one = 1;

	if (net->connected >= (tcp ? net->connected_max : NET_CLIENTS_MAX)) {
		(void)send(fd, full, sizeof full - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
		return;
	}
	if (tcp)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c = calloc(1, sizeof *c);
	assert(c);
	c->net = net;
	c->tcp = tcp;
	c->id = ++net->last_id;
	c->index = free_index(net);
	c->since_ns = loop_now(net->replica->loop);
	c->linger.fire = linger_over;
	list_init(&c->stalled);
	net->clients[c->index] = c;
	net->connected++;
	stream_init(&c->stream, &net->replica->streams, &client_ops, fd);
}

static void accept_again(struct loop_timer *timer)
{
	struct net_listener *l = list_entry(timer, struct net_listener, again);

	loop_accept(l->net->replica->loop, &l->accept, l->fd);
}

static void accept_done(struct loop_op *op, const struct loop_event *event)
{
	struct net_listener *l = list_entry(op, struct net_listener, accept);
	struct loop *loop = l->net->replica->loop;

	if (event->res >= 0)
		client_take(l->net, event->res, l->tcp);
	if (!event->more && event->res != -ECANCELED)
		loop_arm(loop, &l->again, loop_now(loop) + (event->res < 0 ? ACCEPT_AGAIN_NS : 0));
}

void net_listen(struct net *net, int fd, bool tcp)
{
	for (int i = 0; i < NET_LISTENERS_MAX; i++) {
		struct net_listener *l = &net->listeners[i];

		if (l->fd >= 0)
			continue;
		*l = (struct net_listener){
			.accept = {.done = accept_done},
			.again = {.fire = accept_again},
			.net = net,
			.fd = fd,
			.tcp = tcp,
		};
		loop_accept(net->replica->loop, &l->accept, fd);
		return;
	}
	assert(0 && "room for a listener");
}

/* A crowd of idle clients must not leave a replica without descriptors for its peers. */
static unsigned connected_max(unsigned nodes)
{
	rlim_t kept = NET_FILES_KEPT + NET_FILES_PER_PEER * nodes;
	unsigned max = NET_CLIENTS_MAX - NET_ADMINS_KEPT;
	struct rlimit files;
	rlim_t left;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return max;
	left = files.rlim_cur > 2 * kept ? files.rlim_cur - kept : files.rlim_cur / 2;
	return left < max ? (unsigned)left : max;
}

void net_init(struct net *net, struct replica *replica)
{
	*net = (struct net){.replica = replica, .requests_free = REQUEST_NONE};
	net->connected_max = connected_max(replica->config.proto.nodes);
	net->clients = calloc(NET_CLIENTS_MAX, sizeof *net->clients);
	net->requests = calloc(NET_REQUESTS_MAX, sizeof *net->requests);
	assert(net->clients && net->requests);
	list_init(&net->stalled);
	list_init(&net->gathers);
	net->since_ns = loop_now(replica->loop);
	net->next_turn.fire = turn_came;
	for (int i = 0; i < NET_LISTENERS_MAX; i++)
		net->listeners[i].fd = -1;
}

void net_fini(struct net *net)
{
	if (!net->clients)
		return;
	for (unsigned i = 0; i < net->clients_high; i++)
		if (net->clients[i])
			client_free(net->clients[i]);
	gather_fini_all(&net->gathers);
	for (int i = 0; i < NET_LISTENERS_MAX; i++)
		if (net->listeners[i].fd >= 0)
			close(net->listeners[i].fd);
	free(net->clients);
	free(net->requests);
	net->clients = NULL;
}
