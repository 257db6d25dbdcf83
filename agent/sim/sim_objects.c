/* SPDX-License-Identifier: MIT */
/* sim_objects.c - sets and counters in a simulated run, see sim_objects.h */
#include "agent/sim/sim_objects.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define AMOUNT_MAX 20 /* of one change of a counter */

/* An element has the number of the action that may be the first to add it. */
struct element {
	unsigned key;
	unsigned adds;       /* asked for */
	uint64_t acked_ns;   /* when the last acknowledged addition began, 0: none was */
	uint64_t removed_ns; /* when the last removal returned, UINT64_MAX: one is out */
	unsigned removing;   /* removals that have not returned */
	bool gone;           /* a removal found it */
	uint64_t seen_by;    /* last listing that has it */
};

/* What the final reads have in common. */
struct object {
	bool read;       /* by one replica already */
	uint64_t digest; /* of a set: of its elements in any order */
	int64_t acked;   /* of a counter: the sum of what was acknowledged, */
	int64_t below;   /* ... of what is out or uncertain and negative, */
	int64_t above;   /* ... and positive */
	size_t *element; /* of a set: owned */
	size_t elements;
	size_t elements_cap;
};

struct sim_objects {
	struct sim *sim;
	const struct sim_script *script;
	bool sets;
	bool counters;
	bool keeps_added; /* what was acknowledged is not lost */
	bool keeps_counted;
	struct object object[SIM_OBJECTS_MAX];
	struct element *element; /* [number of the action] */
	uint64_t listings;
};

struct sim_objects *sim_objects_open(
	struct sim *sim, const struct proto_claim *claim, const struct sim_script *script)
{
	struct sim_objects *o = calloc(1, sizeof(*o));
	bool strings = claim->does & PROTO_DOES(PROTO_APPEND);

	assert(o);
	*o = (struct sim_objects){
		.sim = sim,
		.script = script,
		.sets = claim->does & PROTO_DOES(PROTO_ADD),
		.counters = !strings && claim->does & PROTO_DOES(PROTO_INCREASE),
		.keeps_added = !proto_loses(claim, PROTO_ADD),
		.keeps_counted = !proto_loses(claim, PROTO_INCREASE),
	};
	o->element = calloc(script->count + 1, sizeof(*o->element));
	assert(o->element);
	return o;
}

void sim_objects_close(struct sim_objects *o)
{
	for (unsigned i = 0; i < SIM_OBJECTS_MAX; i++)
		free(o->object[i].element);
	free(o->element);
	free(o);
}

enum sim_object sim_objects_type(const struct sim_objects *o, unsigned key)
{
	if (o->sets && key % 3 == 1)
		return SIM_SET;
	if (o->counters && key % 3 == (o->sets ? 2 : 1))
		return SIM_COUNTER;
	return SIM_REGISTER;
}

static void draw_for_set(struct sim_objects *o, const struct sim_action *a, size_t number,
	struct sim_object_ask *ask)
{
	const struct object *set = &o->object[a->key];
	uint64_t chance = sim_hash(a->arg, number, 1);
	bool again = set->elements && chance % 8 == 0;

	ask->op = a->kind == SIM_ACT_READ ? PROTO_MEMBERS : PROTO_ADD;
	ask->element = again ? set->element[chance / 8 % set->elements] : number;
	if (a->kind == SIM_ACT_DELETE || (a->kind == SIM_ACT_CAS && chance % 3 == 0)) {
		ask->op = PROTO_REMOVE;
		/* Mostly one of the latest: it may be under way still. */
		if (set->elements)
			ask->element =
				set->element[set->elements - 1 - chance / 16 % set->elements % 4];
	}
}

static void draw_for_counter(const struct sim_action *a, size_t number, struct sim_object_ask *ask)
{
	uint64_t chance = sim_hash(a->arg, number, 1);

	ask->op = a->kind == SIM_ACT_READ ? PROTO_GET : PROTO_INCREASE;
	ask->amount = 1 + (int64_t)(chance % AMOUNT_MAX);
	if (a->kind == SIM_ACT_DELETE || chance / AMOUNT_MAX % 3 == 0)
		ask->amount = -ask->amount;
}

struct sim_object_ask sim_objects_draw(struct sim_objects *o, size_t number)
{
	const struct sim_action *a = &o->script->action[number];
	struct sim_object_ask ask = {.key = a->key};

	assert(a->key < SIM_OBJECTS_MAX);
	if (sim_objects_type(o, a->key) == SIM_SET)
		draw_for_set(o, a, number, &ask);
	else
		draw_for_counter(a, number, &ask);
	return ask;
}

static void element_asked(struct sim_objects *o, const struct sim_object_ask *ask)
{
	struct element *e = &o->element[ask->element];
	struct object *set = &o->object[ask->key];

	if (ask->op == PROTO_REMOVE) {
		e->removing++;
		return;
	}
	if (e->adds++)
		return;
	e->key = ask->key;
	if (set->elements == set->elements_cap) {
		set->elements_cap = set->elements_cap ? 2 * set->elements_cap : 64;
		set->element = realloc(set->element, set->elements_cap * sizeof(*set->element));
		assert(set->element);
	}
	set->element[set->elements++] = ask->element;
}

void sim_objects_asked(struct sim_objects *o, struct sim_object_ask *ask)
{
	struct object *object = &o->object[ask->key];

	ask->asked_ns = o->sim->now_ns;
	if (ask->op == PROTO_ADD || ask->op == PROTO_REMOVE)
		element_asked(o, ask);
	if (ask->op == PROTO_INCREASE)
		*(ask->amount < 0 ? &object->below : &object->above) += ask->amount;
}

/* Answers. */

/* Return: the element's number; what is no element is a violation, and 0. */
static uint64_t element_of(
	struct sim_objects *o, unsigned key, struct proto_bytes b, uint32_t pad, unsigned node)
{
	uint64_t number = 0;

	if (b.len == sizeof(number) + pad) {
		memcpy(&number, b.p, sizeof(number));
		if (number < o->script->count && o->element[number].adds &&
			o->element[number].key == key)
			return number;
	}
	sim_fail(o->sim, "r%u lists an element of k%u that nobody added", node, key);
	return 0;
}

static void check_members(struct sim_objects *o, unsigned key, unsigned node)
{
	const struct object *set = &o->object[key];

	for (size_t i = 0; i < set->elements && o->keeps_added; i++) {
		const struct element *e = &o->element[set->element[i]];
		bool listed = e->seen_by == o->listings;

		if (e->acked_ns > e->removed_ns && !e->removing && !listed)
			sim_fail(o->sim,
				"r%u: k%u lacks element %zu, whose addition was acknowledged", node,
				key, set->element[i]);
		if (e->adds == 1 && e->gone && listed)
			sim_fail(o->sim, "r%u: k%u has element %zu, which was removed", node, key,
				set->element[i]);
	}
}

static void check_same(struct sim_objects *o, unsigned key, uint64_t digest, unsigned node)
{
	struct object *object = &o->object[key];

	if (object->read && object->digest != digest)
		sim_fail(o->sim, "r%u reads another k%u than other replicas at the end", node, key);
	object->read = true;
	object->digest = digest;
}

static void members(struct sim_objects *o, const struct sim_object_ask *ask,
	const struct proto_reply *reply, uint32_t pad, unsigned node, bool final)
{
	uint64_t digest = 0;

	o->listings++;
	for (uint32_t i = 0; i < reply->listed; i++) {
		uint64_t number = element_of(o, ask->key, reply->list[i], pad, node);

		if (o->sim->violation[0])
			return;
		if (o->element[number].seen_by == o->listings)
			sim_fail(o->sim, "r%u lists element %" PRIu64 " of k%u twice", node, number,
				ask->key);
		o->element[number].seen_by = o->listings;
		digest += sim_hash(number, 1, 2); /* in any order */
	}
	if (!final)
		return;
	check_members(o, ask->key, node);
	check_same(o, ask->key, digest, node);
}

static void count(struct sim_objects *o, const struct sim_object_ask *ask,
	const struct proto_reply *reply, unsigned node, bool final)
{
	const struct object *c = &o->object[ask->key];
	char text[24] = "0", *end = text;
	long long value;

	if (reply->status == PROTO_OK)
		snprintf(text, sizeof(text), "%.*s", (int)reply->value.len,
			(const char *)reply->value.p);
	value = strtoll(text, &end, 10);
	if (!*text || *end)
		sim_fail(o->sim, "r%u: counter k%u is '%s'", node, ask->key, text);
	if (final && o->keeps_counted &&
		(value < c->acked + c->below || value > c->acked + c->above))
		sim_fail(o->sim,
			"r%u: counter k%u is %lld, not %" PRIi64 " with %" PRIi64 " to %" PRIi64
			" uncertain",
			node, ask->key, value, c->acked, c->below, c->above);
	if (final)
		check_same(o, ask->key, (uint64_t)value, node);
}

static void removed(
	struct sim_objects *o, const struct sim_object_ask *ask, const struct proto_reply *reply)
{
	struct element *e = &o->element[ask->element];

	if (reply->status == PROTO_UNCERTAIN)
		return; /* for ever out */
	e->removing--;
	if (reply->status != PROTO_OK && reply->status != PROTO_NIL)
		return;
	e->removed_ns = o->sim->now_ns;
	e->gone |= reply->number == 1;
}

static void increased(
	struct sim_objects *o, const struct sim_object_ask *ask, const struct proto_reply *reply)
{
	struct object *c = &o->object[ask->key];

	if (reply->status == PROTO_UNCERTAIN)
		return;
	*(ask->amount < 0 ? &c->below : &c->above) -= ask->amount;
	if (reply->status == PROTO_OK)
		c->acked += ask->amount;
}

void sim_objects_answered(struct sim_objects *o, const struct sim_object_ask *ask,
	const struct proto_reply *reply, uint32_t pad, unsigned node, bool final)
{
	bool ok = reply->status == PROTO_OK;
	struct element *e = &o->element[ask->element];

	if (!ok && reply->status != PROTO_NIL && reply->status != PROTO_UNAVAILABLE &&
		reply->status != PROTO_UNCERTAIN)
		sim_fail(o->sim, "r%u: an unexpected answer, %s", node,
			proto_status_names[reply->status]);
	if (proto_reads(ask->op) && reply->status == PROTO_UNCERTAIN)
		sim_fail(o->sim, "r%u: a read cannot be uncertain", node);
	o->sim->count[SIM_ADDED] += ok && ask->op == PROTO_ADD;
	o->sim->count[SIM_TAKEN] += ok && ask->op == PROTO_REMOVE;
	o->sim->count[SIM_INCREASED] += ok && ask->op == PROTO_INCREASE;
	if (ask->op == PROTO_ADD && ok && ask->asked_ns > e->acked_ns)
		e->acked_ns = ask->asked_ns;
	else if (ask->op == PROTO_REMOVE)
		removed(o, ask, reply);
	else if (ask->op == PROTO_INCREASE)
		increased(o, ask, reply);
	else if (ask->op == PROTO_MEMBERS && (ok || reply->status == PROTO_NIL))
		members(o, ask, reply, pad, node, final);
	else if (ask->op == PROTO_GET && (ok || reply->status == PROTO_NIL))
		count(o, ask, reply, node, final);
}
