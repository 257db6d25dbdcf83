/* SPDX-License-Identifier: MIT */
/*
 * chain_config.c - who the chain is: configurations, agreed on by a majority of all replicas
 *
 * The paper has a master that is told who failed and says what the chain is now (section 3). Here
 * replicas choose each configuration themselves, as Vertical Paxos does (Lamport, Malkhi and Zhou,
 * PODC 2009): a proposer takes an epoch of its own,
 *
 *   PREPARE --a majority has promised: no part in any earlier epoch--> ACCEPT the next chain
 *           --a majority has accepted--> CHOSEN, and its head may begin
 *
 * A member has *installed* a configuration when its log has all that the head's had at the
 * beginning of the epoch: that is when it has the entry with which the epoch begins. A write is
 * acknowledged when all members have it, so they all have installed the configuration before.
 *
 * Who begins the next chain must have all that was acknowledged. Of those who promised let I be the
 * latest epoch that one of them has installed, and E the latest configuration that one of them has
 * accepted. Whatever was chosen is known to one of them, so nothing later than E can have
 * acknowledged anything. If I is E, or I is at least E's own base and a member of E among them has
 * not installed E (and has promised that it never will, so E never acknowledged anything), then
 * whoever has installed I has it all, and the next chain begins with these; its base is I. If not,
 * those who know are away: nothing is proposed until they are back. By induction the base of a
 * configuration is not before any earlier one that acknowledged something.
 *
 * Behind those come others that are near: they get the rest from their predecessor before the new
 * chain acknowledges anything.
 *
 * So a chain has one member only by its setting (length=1), or for as long as the others need to
 * catch up. It goes on: that a majority has promised nothing later is all that it needs. Nobody can
 * go on without that member, whatever a majority agrees on, for what it has acknowledged is on its
 * disk alone. Those outside get entries after they were acknowledged, and cannot know if they have
 * all.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "store/proto/chain_internal.h"

int chain_place(const struct chain_config *cfg, unsigned node)
{
	for (unsigned i = 0; i < cfg->count; i++)
		if (cfg->list[i] == node)
			return (int)i;
	return -1;
}

static unsigned longest(const struct proto_config *cfg)
{
	return cfg->length && cfg->length < cfg->nodes ? cfg->length : cfg->nodes;
}

/* The one that all begin with: nobody has to be asked. Everybody has all of what was before. */
void chain_config_first(const struct proto_config *cfg, struct chain_config *ret)
{
	unsigned head = cfg->leader < 0 ? 0 : (unsigned)cfg->leader;

	*ret = (struct chain_config){
		.epoch = CHAIN_EPOCH_FIRST, .base = CHAIN_EPOCH_NONE, .list = {(uint16_t)head}};
	ret->count = 1;
	for (unsigned i = 0; i < cfg->nodes && ret->count < longest(cfg); i++)
		if (i != head)
			ret->list[ret->count++] = (uint16_t)i;
}

void chain_config_encode(struct buf *b, const struct chain_config *cfg)
{
	buf_u64(b, cfg->epoch);
	buf_u64(b, cfg->base);
	buf_u16(b, (uint16_t)cfg->count);
	for (unsigned i = 0; i < cfg->count; i++)
		buf_u16(b, cfg->list[i]);
}

int chain_config_decode(struct cursor *c, unsigned nodes, struct chain_config *ret)
{
	struct node_set seen = {0};

	ret->epoch = cursor_u64(c);
	ret->base = cursor_u64(c);
	ret->count = cursor_u16(c);
	if (c->bad || ret->count == 0 || ret->count > nodes || ret->base >= ret->epoch ||
		ret->epoch > RAFT_NUMBER_MAX)
		return -EBADMSG;
	for (unsigned i = 0; i < ret->count; i++) {
		ret->list[i] = cursor_u16(c);
		if (c->bad || ret->list[i] >= nodes || node_set_has(&seen, ret->list[i]))
			return -EBADMSG;
		node_set_add(&seen, ret->list[i]);
	}
	return 0;
}

void chain_config_record(struct chain *c)
{
	struct proto_io *io = c->proto.io;
	struct buf b = {0};

	/* Entries come first, so that records stand in the order of what happened. */
	chain_record(c);
	buf_u8(&b, CHAIN_RECORD_CONFIG);
	buf_u64(&b, c->promised);
	buf_u64(&b, c->installed);
	chain_config_encode(&b, &c->config);
	c->config_seq = io->persist(io, b.p, b.len);
	buf_fini(&b);
}

/* --- answers --- */

static void on_promise(struct chain *c, unsigned from, uint64_t epoch,
	const struct chain_promise *promise, const struct chain_config *config);
static void on_accepted(struct chain *c, unsigned from, uint64_t epoch);

static void send_owed(struct chain *c)
{
	struct proto_io *io = c->proto.io;
	struct chain_owed o = c->owed;
	const struct chain_promise mine = {
		.installed = c->installed, .last = chain_last(c), .lacking = c->lacking};
	struct buf b = {0};

	c->owed.type = 0;
	if (o.to == chain_self(c)) {
		if (o.type == CHAIN_PROMISE)
			on_promise(c, o.to, o.epoch, &mine, &c->config);
		else
			on_accepted(c, o.to, o.epoch);
		return;
	}
	buf_u8(&b, (uint8_t)o.type);
	buf_u64(&b, o.epoch);
	if (o.type == CHAIN_PROMISE) {
		buf_u64(&b, mine.installed);
		buf_u64(&b, mine.last);
		buf_u8(&b, mine.lacking);
		chain_config_encode(&b, &c->config);
	}
	io->send(io, o.to, b.p, b.len);
	buf_fini(&b);
}

static void owe(struct chain *c, enum chain_message type, unsigned to, uint64_t epoch)
{
	c->owed = (struct chain_owed){type, to, epoch, c->config_seq};
	if (c->config_seq <= c->persisted)
		send_owed(c);
}

/* Nothing of an earlier epoch is served from now on. */
static void leave_epoch(struct chain *c)
{
	c->chosen = false;
	c->matched = 0;
	chain_reads_drop(c);
	if (!c->trouble_ns)
		c->trouble_ns = chain_now(c);
}

static void prepare(struct chain *c, unsigned from, uint64_t epoch)
{
	uint64_t now = chain_now(c);

	if (epoch < c->promised || (epoch == c->promised && epoch == c->config.epoch))
		return;
	/* Members answer reads by what was granted to them: that ends first. */
	if (epoch > c->promised && chain_leases(&c->proto.cfg) && now < c->grant_ns) {
		c->quiet_ns = c->grant_ns + c->proto.cfg.election_min_ns;
		return;
	}
	if (epoch > c->promised) {
		c->promised = epoch;
		leave_epoch(c);
		chain_config_record(c);
	}
	c->trouble_ns = now;
	owe(c, CHAIN_PROMISE, from, epoch);
}

static void accept(struct chain *c, unsigned from, const struct chain_config *config)
{
	if (config->epoch < c->promised)
		return;
	if (config->epoch > c->config.epoch) {
		c->promised = config->epoch;
		c->config = *config;
		leave_epoch(c);
		chain_config_record(c);
	}
	owe(c, CHAIN_ACCEPTED, from, config->epoch);
}

void chain_send_chosen(struct chain *c, unsigned to)
{
	struct proto_io *io = c->proto.io;
	struct buf b = {0};

	buf_u8(&b, CHAIN_CHOSEN);
	chain_config_encode(&b, &c->config);
	io->send(io, to, b.p, b.len);
	buf_fini(&b);
}

/* The head begins the epoch; its predecessors' entries stand before that. */
static void begin(struct chain *c)
{
	if (!chain_settled(c) || chain_head(c) != chain_self(c) || c->config_seq > c->persisted ||
		c->installed == c->config.epoch || c->config.epoch == c->boot_epoch || c->lacking)
		return;
	chain_append(c, (struct proto_bytes){0}, NULL);
	c->matched = chain_last(c);
	chain_installed(c);
}

void chain_installed(struct chain *c)
{
	c->installed = c->config.epoch;
	chain_config_record(c);
}

static void chosen(struct chain *c, const struct chain_config *config)
{
	if (config->epoch < c->promised || (c->chosen && config->epoch == c->config.epoch))
		return;
	if (config->epoch > c->config.epoch) {
		c->config = *config;
		c->promised = config->epoch;
		leave_epoch(c);
		chain_config_record(c);
	}
	c->chosen = true;
	c->changes++;
	c->trouble_ns = 0;
	c->patience_ns = 0;
	c->progress_ns = chain_now(c);
	if (c->proposal.epoch <= config->epoch)
		c->proposal.phase = CHAIN_IDLE;
	c->copy_number = 0;
	begin(c);
	chain_durable(c);
	chain_requests_go(c);
}

void chain_config_persisted(struct chain *c)
{
	if (c->owed.type && c->owed.seq <= c->persisted)
		send_owed(c);
	begin(c);
}

/* --- the proposer's side --- */

static void broadcast(struct chain *c, const struct buf *b)
{
	struct proto_io *io = c->proto.io;

	for (unsigned i = 0; i < chain_nodes(c); i++)
		if (i != chain_self(c) && !node_set_has(&c->proposal.answered, i))
			io->send(io, i, b->p, b->len);
}

static void send_proposal(struct chain *c)
{
	struct chain_proposal *p = &c->proposal;
	struct buf b = {0};

	p->sent_ns = chain_now(c);
	buf_u8(&b, p->phase == CHAIN_PREPARING ? CHAIN_PREPARE : CHAIN_ACCEPT);
	if (p->phase == CHAIN_PREPARING)
		buf_u64(&b, p->epoch);
	else
		chain_config_encode(&b, &p->next);
	broadcast(c, &b);
	buf_fini(&b);
}

void chain_propose(struct chain *c)
{
	struct chain_proposal *p = &c->proposal;
	struct proto_io *io = c->proto.io;
	const struct proto_config *cfg = &c->proto.cfg;
	uint64_t now = chain_now(c);
	uint64_t least = p->epoch > c->promised ? p->epoch : c->promised;

	if (least / cfg->nodes + 2 > RAFT_NUMBER_MAX / cfg->nodes)
		return;
	p->epoch = (least / cfg->nodes + 1) * cfg->nodes + cfg->self;
	p->phase = CHAIN_PREPARING;
	p->until_ns = now + 2 * cfg->election_max_ns;
	p->gather_ns = 0;
	p->answered = (struct node_set){0};
	p->top = (struct chain_config){0};
	c->trouble_ns = now;
	c->patience_ns = cfg->election_min_ns +
			 io->random(io) % (cfg->election_max_ns - cfg->election_min_ns + 1);
	send_proposal(c);
	prepare(c, chain_self(c), p->epoch);
}

static void propose_again(struct chain *c)
{
	struct chain_proposal *p = &c->proposal;

	send_proposal(c);
	if (!node_set_has(&p->answered, chain_self(c)) && p->phase == CHAIN_PREPARING)
		prepare(c, chain_self(c), p->epoch);
}

/* See the theory above: the latest epoch whose members have all, or 0: those who know are away. */
static uint64_t safe_base(const struct chain *c)
{
	const struct chain_proposal *p = &c->proposal;
	uint64_t installed = 0;
	bool never = false; /* the latest configuration has acknowledged nothing */

	for (unsigned i = 0; i < chain_nodes(c); i++) {
		if (!node_set_has(&p->answered, i))
			continue;
		if (p->promise[i].installed > installed)
			installed = p->promise[i].installed;
		if (chain_place(&p->top, i) >= 0 && p->promise[i].installed < p->top.epoch)
			never = true;
	}
	if (installed >= p->top.epoch || (never && installed >= p->top.base))
		return installed;
	return 0;
}

/* Whether @a stands before @b: the longer log, or as it was. */
static bool before(const struct chain *c, unsigned a, unsigned b)
{
	const struct chain_proposal *p = &c->proposal;
	int x = chain_place(&p->top, a), y = chain_place(&p->top, b);

	if (p->promise[a].last != p->promise[b].last && !PROTO_BUG(BUG_CHAIN_WITHOUT_OLD))
		return p->promise[a].last > p->promise[b].last;
	if (x < 0 || y < 0)
		return x != y ? x >= 0 : a < b;
	return x < y;
}

static void insert(struct chain *c, unsigned first, unsigned node)
{
	struct chain_config *next = &c->proposal.next;
	unsigned i = next->count++;

	for (; i > first && before(c, node, next->list[i - 1]); i--)
		next->list[i] = next->list[i - 1];
	next->list[i] = (uint16_t)node;
}

/* The next chain: who has all, then who is near. Return: whether there can be one. */
static bool next_chain(struct chain *c)
{
	struct chain_proposal *p = &c->proposal;
	uint64_t base = safe_base(c);
	unsigned old;

	if (!base)
		return false;
	p->next = (struct chain_config){.epoch = p->epoch, .base = base};
	for (unsigned i = 0; i < chain_nodes(c); i++)
		if (node_set_has(&p->answered, i) && !p->promise[i].lacking &&
			(p->promise[i].installed == base || PROTO_BUG(BUG_CHAIN_WITHOUT_OLD)))
			insert(c, 0, i);
	old = p->next.count;
	if (!old)
		return false;
	for (unsigned i = 0; i < chain_nodes(c); i++)
		if (node_set_has(&p->answered, i) && !p->promise[i].lacking &&
			chain_place(&p->next, i) < 0 &&
			p->promise[i].last + CHAIN_JOIN_LAG >= p->promise[p->next.list[0]].last)
			insert(c, old, i);
	if (p->next.count > longest(&c->proto.cfg))
		p->next.count = longest(&c->proto.cfg);
	return true;
}

static bool all_heard_answered(const struct chain *c)
{
	for (unsigned i = 0; i < chain_nodes(c); i++)
		if (heard_alive(&c->heard, i) && !node_set_has(&c->proposal.answered, i))
			return false;
	return true;
}

static void gathered(struct chain *c)
{
	struct chain_proposal *p = &c->proposal;

	if (p->phase != CHAIN_PREPARING || p->answered.count < chain_majority(c) ||
		(!all_heard_answered(c) && chain_now(c) < p->gather_ns) || !next_chain(c))
		return;
	p->phase = CHAIN_ACCEPTING;
	p->answered = (struct node_set){0};
	send_proposal(c);
	accept(c, chain_self(c), &p->next);
}

static void on_promise(struct chain *c, unsigned from, uint64_t epoch,
	const struct chain_promise *promise, const struct chain_config *config)
{
	struct chain_proposal *p = &c->proposal;

	if (p->phase != CHAIN_PREPARING || epoch != p->epoch || node_set_has(&p->answered, from))
		return;
	node_set_add(&p->answered, from);
	p->promise[from] = *promise;
	if (config->epoch > p->top.epoch)
		p->top = *config;
	if (p->answered.count == chain_majority(c))
		p->gather_ns = chain_now(c) + CHAIN_GATHER_HEARTBEATS * c->proto.cfg.heartbeat_ns;
	gathered(c);
}

static void on_accepted(struct chain *c, unsigned from, uint64_t epoch)
{
	struct chain_proposal *p = &c->proposal;

	if (p->phase != CHAIN_ACCEPTING || epoch != p->epoch)
		return;
	node_set_add(&p->answered, from);
	if (p->answered.count < chain_majority(c))
		return;
	p->phase = CHAIN_IDLE;
	/* Who has promised something newer meanwhile keeps that promise; a majority accepted. */
	if (c->config.epoch != epoch || c->promised != epoch)
		return;
	chosen(c, &p->next);
	for (unsigned i = 0; i < chain_nodes(c); i++)
		if (i != chain_self(c))
			chain_send_chosen(c, i);
}

/* --- messages --- */

static int take_promise(struct chain *c, unsigned from, struct cursor *at)
{
	uint64_t epoch = cursor_u64(at);
	struct chain_promise promise = {.installed = cursor_u64(at)};
	struct chain_config config;
	uint8_t lacking;

	promise.last = cursor_u64(at);
	lacking = cursor_u8(at);
	promise.lacking = lacking;
	if (lacking > 1 || chain_config_decode(at, chain_nodes(c), &config) || !cursor_done(at) ||
		promise.last > RAFT_NUMBER_MAX || promise.installed > epoch)
		return -EBADMSG;
	on_promise(c, from, epoch, &promise, &config);
	return 0;
}

static int take_config(struct chain *c, unsigned from, bool is_chosen, struct cursor *at)
{
	struct chain_config config;

	if (chain_config_decode(at, chain_nodes(c), &config) || !cursor_done(at))
		return -EBADMSG;
	if (is_chosen)
		chosen(c, &config);
	else
		accept(c, from, &config);
	return 0;
}

int chain_config_message(struct chain *c, unsigned from, enum chain_message type, struct cursor *at)
{
	uint64_t epoch;

	if (type == CHAIN_PROMISE)
		return take_promise(c, from, at);
	if (type == CHAIN_ACCEPT || type == CHAIN_CHOSEN)
		return take_config(c, from, type == CHAIN_CHOSEN, at);
	epoch = cursor_u64(at);
	if (!cursor_done(at) || !epoch || epoch > RAFT_NUMBER_MAX)
		return -EBADMSG;
	if (type == CHAIN_PREPARE)
		prepare(c, from, epoch);
	else
		on_accepted(c, from, epoch);
	return 0;
}

/* --- when something is wrong --- */

static bool silent(const struct chain *c, int place)
{
	return place >= 0 && place < (int)c->config.count &&
	       heard_silent_ns(&c->heard, c->config.list[place]) >
		       c->proto.cfg.election_min_ns / 2 + heard_deaf_ns(&c->heard) / 4;
}

/* Only neighbours are watched: a chain needs no other links. */
static bool wrong(const struct chain *c)
{
	int place = chain_place(&c->config, chain_self(c));
	uint64_t idle = chain_now(c) - c->progress_ns;

	if (!chain_settled(c))
		return true;
	if (place < 0)
		return false;
	if (place == 0 && c->config.epoch == c->boot_epoch)
		return true;
	if (c->installed != c->config.epoch && idle > c->proto.cfg.election_max_ns)
		return true;
	return silent(c, place - 1) || silent(c, place + 1);
}

/* Whether one who is not in the chain is near enough to come in. */
static bool somebody_waits(struct chain *c)
{
	if (!chain_tails(c) || c->config.count >= longest(&c->proto.cfg))
		return false;
	for (unsigned i = 0; i < chain_nodes(c); i++) {
		const struct chain_peer *peer = chain_peer_of(c, i);

		if (chain_fed(c, i) && heard_alive(&c->heard, i) && peer->feeding == CHAIN_STREAM &&
			peer->match && peer->match + CHAIN_JOIN_LAG >= chain_last(c))
			return true;
	}
	return false;
}

void chain_config_tick(struct chain *c)
{
	struct chain_proposal *p = &c->proposal;
	struct proto_io *io = c->proto.io;
	const struct proto_config *cfg = &c->proto.cfg;
	uint64_t now = chain_now(c);

	if (p->phase != CHAIN_IDLE) {
		gathered(c);
		if (now >= p->until_ns || p->epoch < c->promised)
			p->phase = CHAIN_IDLE;
		else if (now - p->sent_ns >= 2 * cfg->heartbeat_ns)
			propose_again(c);
		return;
	}
	if (heard_count(&c->heard) < chain_majority(c) || (!wrong(c) && !somebody_waits(c))) {
		c->trouble_ns = 0;
		return;
	}
	if (!c->patience_ns)
		c->patience_ns = cfg->election_min_ns / 2 + io->random(io) % cfg->election_min_ns;
	if (!c->trouble_ns)
		c->trouble_ns = now;
	if (now - c->trouble_ns >= c->patience_ns)
		chain_propose(c);
}
