/* SPDX-License-Identifier: MIT */
/*
 * dns.c - driver for DNS servers: queries, and dynamic updates (RFC 2136), by ldns
 *
 * Key 7 is the TXT record of k7 in the zone. A write replaces it, compare-and-set does so if it has
 * that value (a prerequisite, RFC 2136 2.4.2); both go to the primary that the zone's SOA record
 * names at the nearest server. Settings:
 *	zone=lab ttl=5		(seconds)
 *	reads=server|cache|primary	the nearest server, a cache beside it, or the primary
 *	cache_port=5300
 *
 * One datagram there, one back, from a socket of its own: nothing is sent again, so an answer that
 * is lost on its way is a time-out; resolvers on hosts would ask again. That there is no record is
 * believed only of a whole answer of somebody who has the zone, or of a cache.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <ldns/ldns.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/load/plugin.h"
#include "agent/load/plugins/common.h"

#define NAME_MAX_LEN (COMMON_KEY_MAX + COMMON_SETTING_MAX)
#define MESSAGE_MAX 4096

enum reads { READS_SERVER, READS_CACHE, READS_PRIMARY, READS_NR };
static const char *const reads_names[] = {"server", "cache", "primary"};
_Static_assert(sizeof reads_names / sizeof *reads_names == READS_NR, "a name for each");

struct dns {
	struct driver driver;
	const uint32_t *addr_be;
	unsigned nodes;
	unsigned contact;
	uint16_t port;
	uint16_t cache_port;
	char zone[COMMON_SETTING_MAX];
	uint32_t ttl;
	enum reads reads;
	bool wrong;          /* the settings make no sense: nothing is done */
	uint32_t primary_be; /* 0: not known */
};

extern const struct driver_ops pacelab_driver;

static struct dns *dns_of(struct driver *d)
{
	return (struct dns *)d;
}

/*
 * Messages.
 */

/* Wait for a datagram with the id of ours. Return: its length, or a negative errno. */
static ssize_t receive(int fd, const uint8_t id[2], uint8_t *to, uint64_t deadline_ns)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (;;) {
		uint64_t now = clock_now_ns();
		struct timespec t = clock_timespec(deadline_ns > now ? deadline_ns - now : 0);
		int ready = ppoll(&p, 1, &t, NULL);
		ssize_t n;

		if (ready == 0 && clock_now_ns() >= deadline_ns)
			return -ETIMEDOUT;
		if (ready <= 0)
			continue;
		n = recv(fd, to, MESSAGE_MAX, MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n >= 2 && memcmp(to, id, 2) == 0)
			return n;
	}
}

/* Return: a socket that hears from that server only, or -1. */
static int dial(uint32_t addr_be, uint16_t port)
{
	const struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = addr_be, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof addr) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * Send @message, which is freed, and wait for the answer. Return: no error with *@ret, to be freed;
 * HISTORY_CONNECT: it was not sent, or nobody was there to take it.
 */
static enum history_error exchange(
	uint32_t addr_be, uint16_t port, ldns_pkt *message, uint64_t deadline_ns, ldns_pkt **ret)
{
	uint8_t in[MESSAGE_MAX], *out = NULL;
	enum history_error error = HISTORY_CONNECT;
	ldns_pkt_opcode opcode = ldns_pkt_get_opcode(message);
	size_t len = 0;
	uint16_t id = 0;
	ssize_t n = 0;
	int fd;

	*ret = NULL;
	(void)!getrandom(&id, sizeof id, 0);
	ldns_pkt_set_id(message, id);
	if (ldns_pkt2wire(&out, message, &len) != LDNS_STATUS_OK)
		len = 0;
	assert(len > 0);
	ldns_pkt_free(message);
	fd = dial(addr_be, port);
	if (fd >= 0 && clock_now_ns() < deadline_ns && send(fd, out, len, MSG_NOSIGNAL) > 0) {
		n = receive(fd, out, in, deadline_ns);
		if (n == -ETIMEDOUT)
			error = HISTORY_TIMEOUT;
		else if (n == -ECONNREFUSED)
			error = HISTORY_CONNECT; /* its host said that no server is there */
		else if (n < 0)
			error = HISTORY_CLOSED;
		else
			error = ldns_wire2pkt(ret, in, (size_t)n) == LDNS_STATUS_OK &&
						ldns_pkt_qr(*ret) &&
						ldns_pkt_get_opcode(*ret) == opcode
					? HISTORY_NO_ERROR
					: HISTORY_OTHER;
	}
	if (error != HISTORY_NO_ERROR) {
		ldns_pkt_free(*ret);
		*ret = NULL;
	}
	if (fd >= 0)
		close(fd);
	free(out);
	return error;
}

static ldns_rdf *name_of(const struct dns *s, uint64_t key)
{
	char k[COMMON_KEY_MAX], name[NAME_MAX_LEN + 2];

	(void)snprintf(name, sizeof name, "%s.%s.", common_key(key, k), s->zone);
	return ldns_dname_new_frm_str(name);
}

/* @name is taken. */
static ldns_pkt *query(ldns_rdf *name, ldns_rr_type type, bool recursive)
{
	ldns_pkt *p =
		ldns_pkt_query_new(name, type, LDNS_RR_CLASS_IN, recursive ? LDNS_RD : (uint16_t)0);

	assert(p);
	return p;
}

/* The key's record; @value 0: none, as it stands for all of them in an update. */
static ldns_rr *record(
	const struct dns *s, uint64_t key, ldns_rr_class class, uint32_t ttl, uint64_t value)
{
	ldns_rr *rr = ldns_rr_new();
	char text[COMMON_KEY_MAX];

	assert(rr);
	ldns_rr_set_owner(rr, name_of(s, key));
	ldns_rr_set_type(rr, LDNS_RR_TYPE_TXT);
	ldns_rr_set_class(rr, class);
	ldns_rr_set_ttl(rr, ttl);
	(void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	if (value)
		ldns_rr_push_rdf(rr, ldns_rdf_new_frm_str(LDNS_RDF_TYPE_STR, text));
	return rr;
}

/* RFC 2136 2.5.2: delete all, 2.5.1: add one; 2.4.2, if @old: only if exactly that is there. */
static ldns_pkt *update(const struct dns *s, uint64_t key, uint64_t old, uint64_t value)
{
	ldns_rr_list *before = ldns_rr_list_new(), *changes = ldns_rr_list_new();
	char zone[COMMON_SETTING_MAX + 1];
	ldns_pkt *p;

	assert(before && changes);
	if (old)
		ldns_rr_list_push_rr(before, record(s, key, LDNS_RR_CLASS_IN, 0, old));
	ldns_rr_list_push_rr(changes, record(s, key, LDNS_RR_CLASS_ANY, 0, 0));
	ldns_rr_list_push_rr(changes, record(s, key, LDNS_RR_CLASS_IN, s->ttl, value));
	(void)snprintf(zone, sizeof zone, "%s.", s->zone);
	p = ldns_update_pkt_new(
		ldns_dname_new_frm_str(zone), LDNS_RR_CLASS_IN, before, changes, NULL);
	assert(p);
	ldns_rr_list_deep_free(before);
	ldns_rr_list_deep_free(changes);
	return p;
}

/* Return: the first record of that name and type in the answer, or NULL; the message's. */
static const ldns_rr *answer_of(const ldns_pkt *p, const ldns_rdf *name, ldns_rr_type type)
{
	const ldns_rr_list *list = ldns_pkt_answer(p);

	for (size_t i = 0; list && i < ldns_rr_list_rr_count(list); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(list, i);

		if (ldns_rr_get_type(rr) == type && ldns_rr_rd_count(rr) > 0 &&
			ldns_dname_compare(ldns_rr_owner(rr), name) == 0)
			return rr;
	}
	return NULL;
}

/*
 * The primary.
 */

struct zone_state {
	bool authoritative;
	uint32_t serial;
	uint32_t primary_be;
};

/* The address of who the SOA record names, asked at the same server. */
static uint32_t address_of(
	const struct dns *s, const ldns_rdf *name, uint32_t server_be, uint64_t deadline_ns)
{
	ldns_pkt *in;
	const ldns_rr *rr;
	uint32_t addr_be = 0;

	if (exchange(server_be, s->port, query(ldns_rdf_clone(name), LDNS_RR_TYPE_A, false),
		    deadline_ns, &in) != HISTORY_NO_ERROR)
		return 0;
	rr = answer_of(in, name, LDNS_RR_TYPE_A);
	if (rr && ldns_rdf_size(ldns_rr_rdf(rr, 0)) == sizeof addr_be)
		memcpy(&addr_be, ldns_rdf_data(ldns_rr_rdf(rr, 0)), sizeof addr_be);
	ldns_pkt_free(in);
	return addr_be;
}

/* Return: 0, or a negative errno if the server has no zone or does not answer. */
static int ask_zone(const struct dns *s, uint64_t deadline_ns, struct zone_state *ret)
{
	uint32_t server_be = s->addr_be[s->contact];
	char zone[COMMON_SETTING_MAX + 1];
	const ldns_rr *soa;
	ldns_rdf *name;
	ldns_pkt *in;
	int rc = -EAGAIN;

	(void)snprintf(zone, sizeof zone, "%s.", s->zone);
	name = ldns_dname_new_frm_str(zone);
	if (exchange(server_be, s->port, query(ldns_rdf_clone(name), LDNS_RR_TYPE_SOA, false),
		    deadline_ns, &in) != HISTORY_NO_ERROR) {
		ldns_rdf_deep_free(name);
		return -ETIMEDOUT;
	}
	soa = answer_of(in, name, LDNS_RR_TYPE_SOA);
	if (soa && ldns_rr_rd_count(soa) >= 3 && ldns_pkt_get_rcode(in) == LDNS_RCODE_NOERROR) {
		ret->authoritative = ldns_pkt_aa(in);
		ret->serial = ldns_rdf2native_int32(ldns_rr_rdf(soa, 2));
		ret->primary_be = address_of(s, ldns_rr_rdf(soa, 0), server_be, deadline_ns);
		rc = ret->primary_be ? 0 : -EAGAIN;
	}
	ldns_pkt_free(in);
	ldns_rdf_deep_free(name);
	return rc;
}

static bool find_primary(struct dns *s, uint64_t deadline_ns)
{
	struct zone_state zone;

	if (!s->primary_be && ask_zone(s, deadline_ns, &zone) == 0)
		s->primary_be = zone.primary_be;
	return s->primary_be != 0;
}

/*
 * Requests.
 */

/* Return: true if it was answered; else *ret is the outcome. */
static bool ask(struct dns *s, uint64_t key, uint64_t deadline_ns, ldns_pkt **reply,
	struct driver_result *ret)
{
	bool cache = s->reads == READS_CACHE;
	uint32_t server_be = s->addr_be[s->contact];
	enum history_error error;

	if (s->wrong)
		error = HISTORY_OTHER;
	else if (s->reads == READS_PRIMARY && !find_primary(s, deadline_ns))
		error = HISTORY_CONNECT;
	else
		error = exchange(s->reads == READS_PRIMARY ? s->primary_be : server_be,
			cache ? s->cache_port : s->port,
			query(name_of(s, key), LDNS_RR_TYPE_TXT, cache), deadline_ns, reply);
	if (error != HISTORY_NO_ERROR)
		common_fail(ret, error);
	return error == HISTORY_NO_ERROR;
}

/* RFC 2181 9: a part of an answer is none. RFC 1034 4.3.2: who has not the zone only refers. */
static bool is_refusal(const struct dns *s, const ldns_pkt *in)
{
	ldns_pkt_rcode rcode = ldns_pkt_get_rcode(in);

	return (rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN) || ldns_pkt_tc(in) ||
	       (s->reads != READS_CACHE && !ldns_pkt_aa(in));
}

static void dns_read(
	struct driver *d, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	struct dns *s = dns_of(d);
	const ldns_rdf *text = NULL;
	const ldns_rr *rr;
	ldns_rdf *name;
	ldns_pkt *in;
	uint64_t value;

	if (!ask(s, key, deadline_ns, &in, ret))
		return;
	name = name_of(s, key);
	rr = answer_of(in, name, LDNS_RR_TYPE_TXT);
	if (rr)
		text = ldns_rr_rdf(rr, 0);
	if (is_refusal(s, in))
		common_fail(ret, HISTORY_REFUSED);
	else if (!rr)
		common_value(ret, 0);
	else if (ldns_rdf_size(text) > 1 && /* a string begins with its length */
		 common_number(
			 (const char *)ldns_rdf_data(text) + 1, ldns_rdf_size(text) - 1, &value))
		common_value(ret, value);
	else
		common_fail(ret, HISTORY_OTHER);
	ldns_rdf_deep_free(name);
	ldns_pkt_free(in);
}

/*
 * RFC 2136 3: all of these but SERVFAIL are said before anything is changed. A server that has
 * failed on its way should have undone it all, but who knows.
 */
static void take_rcode(struct dns *s, ldns_pkt_rcode rcode, bool cas, struct driver_result *ret)
{
	if (rcode == LDNS_RCODE_NOERROR) {
		common_ok(ret);
	} else if (rcode == LDNS_RCODE_NXRRSET && cas) {
		common_unmet(ret);
	} else if (rcode == LDNS_RCODE_FORMERR || rcode == LDNS_RCODE_YXDOMAIN ||
		   rcode == LDNS_RCODE_YXRRSET || rcode == LDNS_RCODE_NXRRSET ||
		   rcode == LDNS_RCODE_NOTZONE) {
		common_fail(ret, HISTORY_OTHER);
	} else if (rcode == LDNS_RCODE_REFUSED || rcode == LDNS_RCODE_NOTAUTH ||
		   rcode == LDNS_RCODE_NOTIMPL) {
		s->primary_be = 0;
		common_fail(ret, HISTORY_REFUSED);
	} else {
		common_unknown(ret, HISTORY_OTHER);
	}
}

static void change(struct dns *s, uint64_t key, uint64_t old, uint64_t value, uint64_t deadline_ns,
	struct driver_result *ret)
{
	enum history_error error;
	ldns_pkt *in;

	if (s->wrong || !find_primary(s, deadline_ns)) {
		common_fail(ret, s->wrong ? HISTORY_OTHER : HISTORY_CONNECT);
		return;
	}
	error = exchange(s->primary_be, s->port, update(s, key, old, value), deadline_ns, &in);
	if (error == HISTORY_CONNECT)
		common_fail(ret, error);
	else if (error != HISTORY_NO_ERROR)
		common_unknown(ret, error);
	else
		take_rcode(s, ldns_pkt_get_rcode(in), old != 0, ret);
	if (error != HISTORY_NO_ERROR)
		s->primary_be = 0;
	ldns_pkt_free(in);
}

static void dns_write(struct driver *d, uint64_t key, uint64_t value, uint64_t deadline_ns,
	struct driver_result *ret)
{
	change(dns_of(d), key, 0, value, deadline_ns, ret);
}

static void dns_cas(struct driver *d, uint64_t key, uint64_t old, uint64_t value,
	uint64_t deadline_ns, struct driver_result *ret)
{
	assert(old != 0);
	change(dns_of(d), key, old, value, deadline_ns, ret);
}

/*
 * Life.
 */

static bool read_number(const char *settings, const char *name, uint64_t max, uint64_t *ret)
{
	char text[COMMON_SETTING_MAX];

	return common_setting(settings, name, text)[0] == '\0' ||
	       (common_number(text, strlen(text), ret) && *ret <= max);
}

static bool read_settings(struct dns *s, const char *settings)
{
	char text[COMMON_SETTING_MAX];
	uint64_t ttl = 5, cache_port = 5300;
	ldns_rdf *zone;

	(void)common_setting(settings, "reads", text);
	while (text[0] && s->reads < READS_NR && strcmp(text, reads_names[s->reads]) != 0)
		s->reads++;
	if (common_setting(settings, "zone", s->zone)[0] == '\0')
		(void)snprintf(s->zone, sizeof s->zone, "lab");
	zone = ldns_dname_new_frm_str(s->zone);
	ldns_rdf_deep_free(zone);
	if (!zone || s->reads == READS_NR || !read_number(settings, "ttl", INT32_MAX, &ttl) ||
		!read_number(settings, "cache_port", UINT16_MAX, &cache_port))
		return false;
	s->ttl = (uint32_t)ttl;
	s->cache_port = (uint16_t)cache_port;
	return true;
}

static struct driver *dns_open(const struct driver_target *target)
{
	struct dns *s = calloc(1, sizeof *s);

	assert(s);
	s->driver.ops = &pacelab_driver;
	s->addr_be = target->addr_be;
	s->nodes = target->nodes;
	s->contact = target->contact;
	s->port = target->port;
	s->wrong = !read_settings(s, target->settings);
	return &s->driver;
}

/* There are no connections; only who takes updates can be known before. */
static void dns_connect(struct driver *d, uint64_t deadline_ns)
{
	if (!dns_of(d)->wrong)
		(void)find_primary(dns_of(d), deadline_ns);
}

static int dns_status(struct driver *d, uint64_t deadline_ns, struct driver_status *ret)
{
	struct dns *s = dns_of(d);
	struct driver_result cached = {.outcome = HISTORY_OK};
	struct zone_state zone;
	int rc;

	*ret = (struct driver_status){.leader = -1};
	if (s->wrong)
		return -EINVAL;
	rc = ask_zone(s, deadline_ns, &zone);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < s->nodes; i++) {
		if (s->addr_be[i] == zone.primary_be)
			ret->leader = (int)i;
	}
	if (s->reads == READS_CACHE)
		dns_read(d, 0, deadline_ns, &cached);
	ret->leads = ret->leader == (int)s->contact;
	ret->ready = zone.authoritative && ret->leader >= 0 && cached.outcome == HISTORY_OK;
	ret->term = zone.serial;
	(void)snprintf(ret->role, sizeof ret->role, "%s", ret->leads ? "primary" : "secondary");
	return 0;
}

static void dns_close(struct driver *d)
{
	free(d);
}

const unsigned pacelab_driver_abi = PLUGIN_ABI;
const struct driver_ops pacelab_driver = {
	.name = "dns",
	.open = dns_open,
	.connect = dns_connect,
	.read = dns_read,
	.write = dns_write,
	.cas = dns_cas,
	.status = dns_status,
	.close = dns_close,
};
