/* SPDX-License-Identifier: MIT */
/*
 * ldap.c - driver for LDAP servers, by libldap's asynchronous calls
 *
 * Key 7 is the entry cn=k7 below the base, its value that entry's description. The socket is ours,
 * so that connecting has a deadline and the library nothing to connect again with; it is bound (in
 * LDAP's sense) before it is used.
 *
 * Outcomes. Nothing was sent: there is no bound connection by the deadline. No effect: results by
 * which a server refuses a request, or finds it wrong. All else may have taken effect: no answer, a
 * broken connection, "other", "operations error" and what is not known. After no answer or a wrong
 * one the connection is closed.
 *
 * Settings: base=dc=lab, user=cn=admin,dc=lab, password=secret.
 */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ldap.h>
#include <openldap.h>

#include "agent/load/plugin.h"
#include "agent/load/plugins/common.h"

#define NUMBER_MAX 24
#define NAME_MAX_BYTES (COMMON_KEY_MAX + COMMON_SETTING_MAX + 8)
#define URL_MAX 48
#define READY "ready" /* the last entry that a server is given at its start */

/* The library's own codes for what is no answer; those of servers are not below 0. */
#define NOT_SENT LDAP_CONNECT_ERROR
#define NO_ANSWER LDAP_TIMEOUT
#define BROKEN LDAP_SERVER_DOWN

struct ldap_driver {
	struct driver driver;
	struct sockaddr_in contact;
	char base[COMMON_SETTING_MAX];
	char user[COMMON_SETTING_MAX];
	char password[COMMON_SETTING_MAX];
	int fd;     /* the library's, once there is a connection */
	LDAP *link; /* NULL: none, or not bound */
};

const unsigned pacelab_driver_abi = PLUGIN_ABI;
const struct driver_ops pacelab_driver;

static struct ldap_driver *ldap_of(struct driver *d)
{
	return (struct ldap_driver *)d;
}

/*
 * When the shared object is loaded, before there are deadlines and perhaps a network without a name
 * server: the library's first call of all looks up the name of this host.
 */
__attribute__((constructor)) static void begin_library(void)
{
	int version = LDAP_VERSION3;

	(void)ldap_set_option(NULL, LDAP_OPT_PROTOCOL_VERSION, &version);
}

/* The library writes to sockets as if they were files. */
static void survive_broken_connections(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
}

static struct driver *open_driver(const struct driver_target *target)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct ldap_driver *l = calloc(1, sizeof *l);

	assert(l);
	pthread_once(&once, survive_broken_connections);
	l->driver.ops = &pacelab_driver;
	l->contact.sin_family = AF_INET;
	l->contact.sin_addr.s_addr = target->addr_be[target->contact];
	l->contact.sin_port = htons(target->port);
	common_setting(target->settings, "base", l->base);
	common_setting(target->settings, "user", l->user);
	common_setting(target->settings, "password", l->password);
	return &l->driver;
}

static void hang_up(struct ldap_driver *l)
{
	if (l->link)
		(void)ldap_unbind_ext(l->link, NULL, NULL);
	l->link = NULL;
}

static void close_driver(struct driver *d)
{
	if (!d)
		return;
	hang_up(ldap_of(d));
	free(d);
}

/* Return: whether @events are there. */
static bool wait_for(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd p = {.fd = fd, .events = events};
	int n;

	do
		n = poll(&p, 1, common_left_ms(deadline_ns));
	while (n < 0 && errno == EINTR);
	return n > 0;
}

/*
 * Answers. A connection without one is closed, so that it meets nobody.
 */
static int result_of(struct ldap_driver *l, int id, uint64_t deadline_ns, LDAPMessage **ret_message)
{
	int left_ms = common_left_ms(deadline_ns);
	struct timeval t = {left_ms / 1000, left_ms % 1000 * 1000};
	int code = NO_ANSWER;
	int n;

	*ret_message = NULL;
	n = ldap_result(l->link, id, LDAP_MSG_ALL, &t, ret_message);
	if (n < 0)
		code = BROKEN;
	else if (n > 0 && ldap_parse_result(l->link, *ret_message, &code, NULL, NULL, NULL, NULL,
				  0) != LDAP_SUCCESS)
		code = LDAP_DECODING_ERROR;
	if (code < 0)
		hang_up(l);
	return code;
}

/* What a request that was issued with @code comes to, if its answer has nothing but a code. */
static int finish(struct ldap_driver *l, int code, int id, uint64_t deadline_ns)
{
	LDAPMessage *message;

	if (code == LDAP_SUCCESS) {
		code = result_of(l, id, deadline_ns, &message);
		if (message)
			ldap_msgfree(message);
	} else if (code < 0) {
		hang_up(l);
	}
	return code;
}

/*
 * The connection.
 */
static int connect_by(const struct ldap_driver *l, uint64_t deadline_ns)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = 0, one = 1;
	socklen_t len = sizeof error;

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, (const struct sockaddr *)&l->contact, sizeof l->contact) < 0 &&
		errno != EINPROGRESS)
		error = errno;
	if (!error && wait_for(fd, POLLOUT, deadline_ns) &&
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && !error)
		return fd;
	close(fd);
	return -1;
}

static bool be_bound(struct ldap_driver *l, uint64_t deadline_ns)
{
	struct berval password = {strlen(l->password), l->password};
	char url[URL_MAX], addr[COMMON_ADDR_MAX];
	int version = LDAP_VERSION3, id = 0, code;

	if (l->link)
		return true;
	l->fd = connect_by(l, deadline_ns);
	if (l->fd < 0)
		return false;
	(void)snprintf(url, sizeof url, "ldap://%s:%u",
		common_addr(l->contact.sin_addr.s_addr, addr), ntohs(l->contact.sin_port));
	if (ldap_init_fd(l->fd, LDAP_PROTO_TCP, url, &l->link) != LDAP_SUCCESS) {
		l->link = NULL;
		close(l->fd);
		return false;
	}
	(void)ldap_set_option(l->link, LDAP_OPT_PROTOCOL_VERSION, &version);
	(void)ldap_set_option(l->link, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
	code = ldap_sasl_bind(l->link, l->user, LDAP_SASL_SIMPLE, &password, NULL, NULL, &id);
	if (finish(l, code, id, deadline_ns) != LDAP_SUCCESS)
		hang_up(l);
	return l->link != NULL;
}

static void connect_driver(struct driver *d, uint64_t deadline_ns)
{
	struct ldap_driver *l = ldap_of(d);

	/* Nothing is outstanding: what can be read is the end of the connection. */
	if (l->link && wait_for(l->fd, POLLIN, 0))
		hang_up(l);
	(void)be_bound(l, deadline_ns);
}

/*
 * Operations.
 */
static void take_error(int code, bool reads, struct driver_result *ret)
{
	switch (code) {
	case NOT_SENT:
		common_fail(ret, HISTORY_CONNECT);
		break;
	case NO_ANSWER:
		common_lost(ret, reads, HISTORY_TIMEOUT);
		break;
	case BROKEN:
		common_lost(ret, reads, HISTORY_CLOSED);
		break;
	case LDAP_BUSY:
	case LDAP_UNAVAILABLE:
	case LDAP_UNWILLING_TO_PERFORM:
	case LDAP_REFERRAL:
		common_fail(ret, HISTORY_REFUSED);
		break;
	case LDAP_NO_SUCH_OBJECT:
	case LDAP_ALREADY_EXISTS:
	case LDAP_INSUFFICIENT_ACCESS:
	case LDAP_INVALID_SYNTAX:
	case LDAP_CONSTRAINT_VIOLATION:
	case LDAP_OBJECT_CLASS_VIOLATION:
	case LDAP_UNDEFINED_TYPE:
		common_fail(ret, HISTORY_OTHER);
		break;
	default:
		common_lost(ret, reads, HISTORY_OTHER);
	}
}

static const char *entry_name(
	const struct ldap_driver *l, const char *name, char out[NAME_MAX_BYTES])
{
	(void)snprintf(out, NAME_MAX_BYTES, "cn=%s,%s", name, l->base);
	return out;
}

/* Return: a code; with LDAP_SUCCESS *@ret_message is the answer. */
static int search(
	struct ldap_driver *l, const char *name, uint64_t deadline_ns, LDAPMessage **ret_message)
{
	char description[] = "description";
	char *attributes[] = {description, NULL};
	char entry[NAME_MAX_BYTES];
	int id = 0, code;

	*ret_message = NULL;
	if (!be_bound(l, deadline_ns))
		return NOT_SENT;
	code = ldap_search_ext(l->link, entry_name(l, name, entry), LDAP_SCOPE_BASE, NULL,
		attributes, 0, NULL, NULL, NULL, LDAP_NO_LIMIT, &id);
	if (code != LDAP_SUCCESS) {
		hang_up(l);
		return code;
	}
	return result_of(l, id, deadline_ns, ret_message);
}

/* An entry without a description has no value yet. */
static void take_value(struct ldap_driver *l, LDAPMessage *message, struct driver_result *ret)
{
	LDAPMessage *entry = ldap_first_entry(l->link, message);
	struct berval **values = entry ? ldap_get_values_len(l->link, entry, "description") : NULL;
	uint64_t value = 0;

	if (values && values[0] && !common_number(values[0]->bv_val, values[0]->bv_len, &value))
		common_fail(ret, HISTORY_OTHER); /* none of ours wrote that */
	else
		common_value(ret, value);
	if (values)
		ldap_value_free_len(values);
}

static void read_key(
	struct driver *d, uint64_t key, uint64_t deadline_ns, struct driver_result *ret)
{
	struct ldap_driver *l = ldap_of(d);
	char name[COMMON_KEY_MAX];
	LDAPMessage *message;
	int code = search(l, common_key(key, name), deadline_ns, &message);

	if (code == LDAP_SUCCESS)
		take_value(l, message, ret);
	else if (code == LDAP_NO_SUCH_OBJECT)
		common_value(ret, 0);
	else
		take_error(code, true, ret);
	if (message)
		ldap_msgfree(message);
}

struct change {
	char name[COMMON_KEY_MAX];
	char value[NUMBER_MAX];
};

static int add(struct ldap_driver *l, struct change *c, uint64_t deadline_ns)
{
	char device[] = "device", cn[] = "cn", class[] = "objectClass", what[] = "description";
	char *classes[] = {device, NULL}, *names[] = {c->name, NULL}, *values[] = {c->value, NULL};
	LDAPMod is = {LDAP_MOD_ADD, class, {classes}}, called = {LDAP_MOD_ADD, cn, {names}},
		has = {LDAP_MOD_ADD, what, {values}};
	LDAPMod *all[] = {&is, &called, &has, NULL};
	char entry[NAME_MAX_BYTES];
	int id = 0, code;

	if (!be_bound(l, deadline_ns))
		return NOT_SENT;
	code = ldap_add_ext(l->link, entry_name(l, c->name, entry), all, NULL, NULL, &id);
	return finish(l, code, id, deadline_ns);
}

static int replace(struct ldap_driver *l, struct change *c, uint64_t deadline_ns)
{
	char what[] = "description";
	char *values[] = {c->value, NULL};
	LDAPMod has = {LDAP_MOD_REPLACE, what, {values}};
	LDAPMod *all[] = {&has, NULL};
	char entry[NAME_MAX_BYTES];
	int id = 0, code;

	if (!be_bound(l, deadline_ns))
		return NOT_SENT;
	code = ldap_modify_ext(l->link, entry_name(l, c->name, entry), all, NULL, NULL, &id);
	return finish(l, code, id, deadline_ns);
}

/* Each step but the last surely had no effect: no entry to change, or one that is already there. */
static void write_key(struct driver *d, uint64_t key, uint64_t value, uint64_t deadline_ns,
	struct driver_result *ret)
{
	struct ldap_driver *l = ldap_of(d);
	struct change c;
	int code;

	common_key(key, c.name);
	(void)snprintf(c.value, sizeof c.value, "%llu", (unsigned long long)value);
	code = replace(l, &c, deadline_ns);
	if (code == LDAP_NO_SUCH_OBJECT)
		code = add(l, &c, deadline_ns);
	if (code == LDAP_ALREADY_EXISTS)
		code = replace(l, &c, deadline_ns);
	if (code == LDAP_SUCCESS)
		common_ok(ret);
	else
		take_error(code, false, ret);
}

static int status_of(struct driver *d, uint64_t deadline_ns, struct driver_status *ret)
{
	struct ldap_driver *l = ldap_of(d);
	LDAPMessage *message;
	int code = search(l, READY, deadline_ns, &message);

	if (message)
		ldap_msgfree(message);
	*ret = (struct driver_status){.ready = code == LDAP_SUCCESS, .leader = -1};
	(void)snprintf(ret->role, sizeof ret->role, "%s", ret->ready ? "provider" : "filling");
	return code == LDAP_SUCCESS || code == LDAP_NO_SUCH_OBJECT ? 0 : -ENOTCONN;
}

const struct driver_ops pacelab_driver = {
	.name = "ldap",
	.open = open_driver,
	.connect = connect_driver,
	.read = read_key,
	.write = write_key,
	.status = status_of,
	.close = close_driver,
};
