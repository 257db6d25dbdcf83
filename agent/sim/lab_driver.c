/* SPDX-License-Identifier: MIT */
/*
 * lab_driver.c - how the clients of a simulated lab reach its replicas: connections and letters
 *
 * Does what drivers/resp.c and a replica's side of RESP do, without the bytes: a connection that
 * takes a round trip, one request in flight, an outcome that is UNKNOWN for a write that was sent
 * and not answered, a connection that is closed then. A letter is what is under way:
 *
 *	SYN -> SYN_ACK           REQUEST -> (the replica has it, by its ticket) -> ANSWER
 *	  `--> RESET: nobody listens       `--> RESET: the process was killed
 *
 * One that the network does not take is sent again, as TCP does it, as long as the connection that
 * it is of lives. A request that is on its way is delivered even if its client has given up.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sim/lab_world.h"
#include "store/token.h"

#define SYN_RTO_NS NS_PER_S
/* A paused replica is looked after so often by what waits for it. */
#define PAUSED_NS NS_PER_MS
#define SLOT_BITS 24
/* Of a request in RESP: about so much beside its values. */
#define LETTER_BYTES 32u

enum kind { SYN, SYN_ACK, REQUEST, ANSWER, RESET };

struct conn {
	struct driver driver;
	struct lab *lab;
	struct lab_client *owner; /* who waits for it */
	unsigned replica;
	unsigned node;
	enum { CLOSED, CONNECTING, OPEN } state;
	uint64_t life;             /* counts connections: letters of earlier ones are nobody's */
	uint64_t served;           /* life of the replica that took it */
	struct lab_letter *answer; /* owned; it has come */
	struct buf *token;         /* of the session, as text; NULL: none */
};

struct lab_letter {
	enum kind kind;
	struct conn *conn;
	uint32_t slot;
	uint64_t life;   /* of the connection */
	uint64_t served; /* of the replica */
	uint64_t ticket; /* a replica has it; 0: it is under way */
	unsigned tries;
	bool under_way; /* else it waits to be sent again */
	enum proto_op op;
	enum proto_cond cond;
	enum proto_status status;
	uint64_t key;
	struct buf value; /* of a request, or of its answer: with a comma behind each of many */
	struct buf expected;
	bool session;
	struct token token;
};

static struct conn *conn_of(struct driver *d)
{
	return (struct conn *)d;
}

/* Letters. */

static struct lab_letter *letter_new(struct conn *c, enum kind kind)
{
	struct lab *lab = c->lab;
	struct lab_letter *l = calloc(1, sizeof *l);

	assert(l);
	if (lab->frees == 0) {
		uint32_t cap = lab->letters ? 2 * lab->letters : 256;

		assert(cap < 1u << SLOT_BITS);
		lab->letter = realloc(lab->letter, cap * sizeof *lab->letter);
		lab->free = realloc(lab->free, cap * sizeof *lab->free);
		assert(lab->letter && lab->free);
		for (uint32_t i = cap; i-- > lab->letters;) {
			lab->letter[i] = NULL;
			lab->free[lab->frees++] = i;
		}
		lab->letters = cap;
	}
	*l = (struct lab_letter){.kind = kind,
		.conn = c,
		.slot = lab->free[--lab->frees],
		.life = c->life,
		.served = c->served};
	lab->letter[l->slot] = l;
	return l;
}

static void letter_free(struct lab_letter *l)
{
	struct lab *lab;

	if (!l)
		return;
	lab = l->conn->lab;
	lab->letter[l->slot] = NULL;
	lab->free[lab->frees++] = l->slot;
	buf_fini(&l->value);
	buf_fini(&l->expected);
	free(l);
}

void lab_letters_fini(struct lab *lab)
{
	for (uint32_t i = 0; i < lab->letters; i++)
		letter_free(lab->letter[i]);
	free(lab->letter);
	free(lab->free);
}

static bool to_replica(const struct lab_letter *l)
{
	return l->kind == SYN || l->kind == REQUEST;
}

static unsigned sender(const struct lab_letter *l)
{
	return to_replica(l) ? l->conn->node : l->conn->replica;
}

static unsigned receiver(const struct lab_letter *l)
{
	return to_replica(l) ? l->conn->replica : l->conn->node;
}

/* It comes back to the sender, at once, as that. */
static void bounce(struct lab *lab, struct lab_letter *l)
{
	l->kind = RESET;
	l->under_way = true;
	sim_call(lab->sim, lab->sim->now_ns, l->slot, LAB_LETTER);
}

static void letter_send(struct lab *lab, struct lab_letter *l)
{
	uint64_t now = lab->sim->now_ns;
	size_t len = LETTER_BYTES + l->value.len + l->expected.len;
	uint64_t at_ns = lab_net_send(&lab->net, sender(l), receiver(l), len, now);

	l->under_way = at_ns > 0;
	if (!at_ns && to_replica(l) && lab_net_rejects(&lab->net, sender(l), receiver(l))) {
		bounce(lab, l);
		return;
	}
	if (!at_ns && l->tries == LAB_ATTEMPTS) {
		letter_free(l);
		return;
	}
	if (!at_ns)
		at_ns = now + ((l->kind == SYN ? SYN_RTO_NS : LAB_RTO_NS) << l->tries++);
	sim_call(lab->sim, at_ns, l->slot, LAB_LETTER);
}

static void letter_turn(struct lab *lab, struct lab_letter *l, enum kind kind)
{
	l->kind = kind;
	l->tries = 0;
	letter_send(lab, l);
}

/* At the replica. */

static void give(struct lab *lab, struct lab_letter *l)
{
	char key[24];
	struct proto_request req = {.op = l->op,
		.cond = l->cond,
		.level = PROTO_DEFAULT,
		.key = {.p = (uint8_t *)key},
		.value = {l->value.p, (uint32_t)l->value.len},
		.expected = {l->expected.p, (uint32_t)l->expected.len},
		.token = l->session ? &l->token : NULL};

	req.key.len = (uint32_t)snprintf(key, sizeof key, "k%llu", (unsigned long long)l->key);
	l->ticket = ++lab->tickets << SLOT_BITS | l->slot;
	req.ticket = l->ticket;
	sim_request(lab->sim, l->conn->replica, &req);
}

static void request_arrives(struct lab *lab, struct lab_letter *l)
{
	const struct sim_node *n = &lab->sim->node[l->conn->replica];

	if (!n->alive || n->life != l->served)
		letter_turn(lab, l, RESET);
	else if (n->paused)
		sim_call(lab->sim, lab->sim->now_ns + PAUSED_NS, l->slot, LAB_LETTER);
	else
		give(lab, l);
}

/* The elements of a list, as drivers/resp.c makes one text of them. */
static void take_list(struct buf *to, const struct proto_reply *reply)
{
	for (uint32_t i = 0; i < reply->listed; i++) {
		const struct proto_bytes *e = &reply->list[i];

		buf_add(to, e->p, e->len);
		if (e->len > 0 && e->p[e->len - 1] != ',')
			buf_u8(to, ',');
	}
}

void lab_answer(struct lab *lab, unsigned node, uint64_t ticket, const struct proto_reply *reply)
{
	uint32_t slot = (uint32_t)(ticket & ((1u << SLOT_BITS) - 1));
	struct lab_letter *l = slot < lab->letters ? lab->letter[slot] : NULL;

	if (!l || l->ticket != ticket || l->conn->replica != node) {
		sim_fail(lab->sim, "r%u answered a request that it does not have", node);
		return;
	}
	l->ticket = 0;
	if (l->life != l->conn->life) {
		letter_free(l);
		return;
	}
	l->status = reply->status;
	l->value.len = 0;
	if (l->op == PROTO_GET && reply->status == PROTO_OK)
		buf_add(&l->value, reply->value.p, reply->value.len);
	take_list(&l->value, reply);
	if (reply->token)
		l->token = *reply->token;
	letter_turn(lab, l, ANSWER);
}

void lab_crashed(struct lab *lab, unsigned node)
{
	for (uint32_t i = 0; i < lab->letters; i++) {
		struct lab_letter *l = lab->letter[i];

		if (!l || !l->ticket || l->conn->replica != node)
			continue;
		l->ticket = 0;
		letter_turn(lab, l, RESET);
	}
}

/* At the client. */

static void hang_up(struct conn *c)
{
	c->state = CLOSED;
	c->life++;
	letter_free(c->answer);
	c->answer = NULL;
}

static void at_client(struct lab_letter *l)
{
	struct conn *c = l->conn;

	if (l->kind == ANSWER) {
		c->answer = l; /* whoever waits for it frees it */
	} else {
		if (l->kind == SYN_ACK)
			c->state = OPEN;
		else
			hang_up(c);
		c->served = l->served;
		letter_free(l);
	}
	if (c->owner)
		lab_wake(c->owner);
}

static void syn_arrives(struct lab *lab, struct lab_letter *l)
{
	const struct sim_node *n = &lab->sim->node[l->conn->replica];

	l->served = n->life;
	letter_turn(lab, l, n->alive ? SYN_ACK : RESET);
}

void lab_letter_due(struct lab *lab, uint32_t slot)
{
	struct lab_letter *l = lab->letter[slot];
	bool arrives = l->under_way && lab_net_arrives(&lab->net, sender(l), receiver(l));

	if (l->life != l->conn->life && !(l->kind == REQUEST && arrives))
		letter_free(l);
	else if (!arrives)
		letter_send(lab, l);
	else if (l->kind == SYN)
		syn_arrives(lab, l);
	else if (l->kind == REQUEST)
		request_arrives(lab, l);
	else
		at_client(l);
}

/* The driver. */

static uint64_t conn_now(const struct driver *d)
{
	return ((const struct conn *)d)->lab->sim->now_ns;
}

static void conn_sleep(struct driver *d, uint64_t t_ns)
{
	struct lab *lab = conn_of(d)->lab;

	if (t_ns > lab->sim->now_ns)
		lab_wait(lab, t_ns + lab->net.costs.wake_ns);
}

static struct driver *conn_open(const struct driver_target *target)
{
	const struct lab_site *site = target->world;
	struct conn *c = calloc(1, sizeof *c);

	assert(c);
	*c = (struct conn){.driver = {&lab_driver},
		.lab = site->lab,
		.node = site->node,
		.replica = target->contact};
	assert(c->replica < c->lab->plan->replicas);
	return &c->driver;
}

static void conn_close(struct driver *d)
{
	free(d); /* letters of it are freed with the lab's */
}

/* Wait until something happens to the connection, or the deadline. Return: false at that. */
static bool wait_for(struct conn *c, uint64_t deadline_ns)
{
	if (c->lab->sim->now_ns >= deadline_ns)
		return false;
	c->owner = c->lab->running;
	lab_wait(c->lab, deadline_ns);
	c->owner = NULL;
	return true;
}

static bool be_open(struct conn *c, uint64_t deadline_ns)
{
	if (c->state == CLOSED) {
		c->state = CONNECTING;
		letter_send(c->lab, letter_new(c, SYN));
	}
	while (c->state == CONNECTING && wait_for(c, deadline_ns))
		;
	return c->state == OPEN;
}

/* Its end is seen in idle time, if it could come through. */
static void conn_connect(struct driver *d, uint64_t deadline_ns)
{
	struct conn *c = conn_of(d);
	const struct sim_node *n = &c->lab->sim->node[c->replica];

	if (c->state == OPEN && n->life != c->served &&
		!plan_closed(c->lab->net.matrix, c->replica, c->node))
		hang_up(c);
	(void)be_open(c, deadline_ns);
}

static void take_status(const struct lab_letter *l, bool reads, struct driver_result *ret)
{
	static const enum history_error errors[PROTO_STATUS_NR] = {
		[PROTO_UNMET] = HISTORY_UNMET,
		[PROTO_UNAVAILABLE] = HISTORY_REFUSED,
		[PROTO_UNCERTAIN] = HISTORY_UNCERTAIN,
		[PROTO_UNSUPPORTED] = HISTORY_OTHER,
		[PROTO_UNFIT] = HISTORY_OTHER,
		[PROTO_WRONG] = HISTORY_OTHER,
	};

	ret->error = errors[l->status];
	ret->outcome = HISTORY_FAIL;
	if (l->status == PROTO_OK || l->status == PROTO_NIL || l->status == PROTO_UNMET)
		ret->outcome = HISTORY_OK;
	else if (l->status == PROTO_UNCERTAIN && !reads)
		ret->outcome = HISTORY_UNKNOWN;
	ret->found = l->status == PROTO_OK;
}

static void put_token(struct conn *c, struct lab_letter *l)
{
	l->session = c->token != NULL;
	if (l->session && c->token->len > 0 &&
		token_parse((struct proto_bytes){c->token->p, (uint32_t)c->token->len}, &l->token))
		assert(0 && "what token_print() wrote can be read");
}

static void take_token(struct conn *c, const struct lab_letter *l)
{
	if (!c->token || l->token.n == 0)
		return;
	c->token->len = 0;
	token_print(c->token, &l->token);
}

/* Send, wait. @l is taken. Return: the answer, to be freed, with @ret; NULL: there is none. */
static struct lab_letter *ask(
	struct conn *c, struct lab_letter *l, uint64_t deadline_ns, struct driver_result *ret)
{
	bool reads = proto_reads(l->op);

	*ret = (struct driver_result){.outcome = HISTORY_FAIL, .error = HISTORY_CONNECT};
	if (!be_open(c, deadline_ns)) {
		hang_up(c);
		letter_free(l);
		return NULL;
	}
	l->life = c->life;
	l->served = c->served;
	put_token(c, l);
	letter_send(c->lab, l);
	while (!c->answer && c->state == OPEN && wait_for(c, deadline_ns))
		;
	l = c->answer;
	c->answer = NULL;
	if (!l) {
		ret->outcome = reads ? HISTORY_FAIL : HISTORY_UNKNOWN;
		ret->error = c->state == OPEN ? HISTORY_TIMEOUT : HISTORY_CLOSED;
		hang_up(c);
		return NULL;
	}
	take_token(c, l);
	take_status(l, reads, ret);
	return l;
}

static struct lab_letter *request(struct driver *d, enum proto_op op, uint64_t key)
{
	struct lab_letter *l = letter_new(conn_of(d), REQUEST);

	l->op = op;
	l->key = key;
	return l;
}

static void change(
	struct driver *d, struct lab_letter *l, uint64_t deadline_ns, struct driver_result *ret)
{
	letter_free(ask(conn_of(d), l, deadline_ns, ret));
}

static void fetch(struct driver *d, struct lab_letter *l, uint64_t deadline_ns,
	struct buf *ret_text, struct driver_result *ret)
{
	ret_text->len = 0;
	l = ask(conn_of(d), l, deadline_ns, ret);
	if (l && ret->found)
		buf_add(ret_text, l->value.p, l->value.len);
	letter_free(l);
}

static void conn_read(
	struct driver *d, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	struct lab_letter *l = ask(conn_of(d), request(d, PROTO_GET, key), deadline_ns, ret);

	for (size_t i = 0; l && i < l->value.len; i++)
		ret->value = ret->value * 10 + (uint64_t)(l->value.p[i] - '0');
	letter_free(l);
}

static void conn_set(struct driver *d, uint64_t key, uint64_t old, uint64_t value,
	uint64_t deadline_ns, struct driver_result *ret)
{
	struct lab_letter *l = request(d, PROTO_SET, key);

	buf_printf(&l->value, "%llu", (unsigned long long)value);
	if (old) {
		l->cond = PROTO_IFEQ;
		buf_printf(&l->expected, "%llu", (unsigned long long)old);
	}
	change(d, l, deadline_ns, ret);
}

static void conn_write(struct driver *d, uint64_t key, uint64_t value, uint64_t deadline_ns,
	struct driver_result *ret)
{
	conn_set(d, key, 0, value, deadline_ns, ret);
}

static void conn_get(struct driver *d, uint64_t key, uint64_t deadline_ns, struct buf *ret_text,
	struct driver_result *ret)
{
	fetch(d, request(d, PROTO_GET, key), deadline_ns, ret_text, ret);
}

static void put_text(struct driver *d, enum proto_op op, uint64_t key, const struct buf *text,
	uint64_t deadline_ns, struct driver_result *ret)
{
	struct lab_letter *l = request(d, op, key);

	buf_add(&l->value, text->p, text->len);
	change(d, l, deadline_ns, ret);
}

static void conn_put(struct driver *d, uint64_t key, const struct buf *text, uint64_t deadline_ns,
	struct driver_result *ret)
{
	put_text(d, PROTO_SET, key, text, deadline_ns, ret);
}

static void conn_append(struct driver *d, uint64_t key, const struct buf *text,
	uint64_t deadline_ns, struct driver_result *ret)
{
	put_text(d, PROTO_APPEND, key, text, deadline_ns, ret);
}

static void put_number(struct driver *d, enum proto_op op, uint64_t key, int64_t number,
	uint64_t deadline_ns, struct driver_result *ret)
{
	struct lab_letter *l = request(d, op, key);

	buf_printf(&l->value, "%lld", (long long)number);
	change(d, l, deadline_ns, ret);
}

static void conn_increase(
	struct driver *d, uint64_t key, int64_t by, uint64_t deadline_ns, struct driver_result *ret)
{
	put_number(d, PROTO_INCREASE, key, by, deadline_ns, ret);
}

static void conn_add(struct driver *d, uint64_t key, uint64_t element, uint64_t deadline_ns,
	struct driver_result *ret)
{
	put_number(d, PROTO_ADD, key, (int64_t)element, deadline_ns, ret);
}

static void conn_remove(struct driver *d, uint64_t key, uint64_t element, uint64_t deadline_ns,
	struct driver_result *ret)
{
	put_number(d, PROTO_REMOVE, key, (int64_t)element, deadline_ns, ret);
}

static void conn_members(struct driver *d, uint64_t key, uint64_t deadline_ns, struct buf *ret_text,
	struct driver_result *ret)
{
	fetch(d, request(d, PROTO_MEMBERS, key), deadline_ns, ret_text, ret);
}

static void conn_values(struct driver *d, uint64_t key, uint64_t deadline_ns, struct buf *ret_text,
	struct driver_result *ret)
{
	fetch(d, request(d, PROTO_VALUES, key), deadline_ns, ret_text, ret);
}

static void conn_session(struct driver *d, struct buf *token)
{
	conn_of(d)->token = token;
}

const struct driver_ops lab_driver = {
	.name = "simulation",
	.now = conn_now,
	.sleep = conn_sleep,
	.open = conn_open,
	.connect = conn_connect,
	.read = conn_read,
	.write = conn_write,
	.cas = conn_set,
	.get = conn_get,
	.put = conn_put,
	.append = conn_append,
	.increase = conn_increase,
	.add = conn_add,
	.remove = conn_remove,
	.members = conn_members,
	.values = conn_values,
	.session = conn_session,
	.close = conn_close,
};
