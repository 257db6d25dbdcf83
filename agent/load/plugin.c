/* SPDX-License-Identifier: MIT */
/*
 * plugin.c - where drivers come from: built in, a shared object, or a program of any language
 *
 * Shared objects are looked for beside this program, where they are installed, and before that in
 * the folder that PACELAB_DRIVERS names; nowhere else, for what is loaded here may run as root.
 */
#include "agent/load/plugin.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lab/folders.h"
#include "agent/lab/near.h"
#include "agent/load/drivers/program.h"

#define PLUGIN_NAME_MAX 32
#define PLUGINS_MAX 32 /* loaded by one process */
#define PROGRAM_PREFIX "program:"

/* What is needed to build them: a driver without a library is always there. */
static const struct {
	const char *name;
	const char *library;
	const char *package;
} known[] = {
	{"dns", "libldns", "libldns-dev"},
	{"consul", "libcurl", "libcurl4-openssl-dev"},
	{"couch", "libcurl", "libcurl4-openssl-dev"},
	{"etcd", "libcurl", "libcurl4-openssl-dev"},
	{"influx", "libcurl", "libcurl4-openssl-dev"},
	{"ldap", "libldap", "libldap-dev"},
	{"mysql", "libmariadb", "libmariadb-dev"},
	{"nats", "libnats", "libnats-dev"},
	{"postgres", "libpq", "libpq-dev"},
	{"rabbitmq", "librabbitmq", "librabbitmq-dev"},
	{"zookeeper", "libzookeeper_mt", "libzookeeper-mt-dev"},
};

static struct plugin {
	char name[PLUGIN_NAME_MAX];
	const struct driver_ops *ops;
} loaded[PLUGINS_MAX];
static unsigned loaded_count;

static int known_find(const char *name)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(known[i].name, name) == 0)
			return (int)i;
	return -1;
}

const char *plugin_package(const char *name)
{
	int i = known_find(name);

	return i < 0 ? NULL : known[i].package;
}

/* Folder number @i. Return: false after the last. */
static bool folder(unsigned i, char *ret, size_t size)
{
	static const char *const beside[] = {"drivers", "../lib/pacelab/drivers"};
	const char *other = getenv("PACELAB_DRIVERS");
	char own[PATH_MAX - 64];

	if (other && i == 0) {
		(void)snprintf(ret, size, "%s", other);
		return true;
	}
	i -= other != NULL;
	if (i >= sizeof beside / sizeof *beside)
		return false;
	folders_own(own, sizeof own);
	(void)snprintf(ret, size, "%s/%s", own, beside[i]);
	return true;
}

/* Return: whether there is such a file; *@ret is its path. */
static bool object_find(const char *name, char *ret, size_t size)
{
	char in[PATH_MAX];

	for (unsigned i = 0; folder(i, in, sizeof in); i++)
		if ((size_t)snprintf(ret, size, "%s/%s.so", in, name) < size &&
			access(ret, F_OK) == 0)
			return true;
	return false;
}

static bool name_good(const char *name)
{
	size_t good = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return good > 0 && name[good] == '\0' && good < PLUGIN_NAME_MAX;
}

static void fail_absent(const char *name, struct err *err)
{
	struct near near = near_to(name);
	int i = known_find(name);
	char hint[96];

	if (i >= 0) {
		err_set(err, -ENOENT, EXIT_CANNOT_RUN,
			"driver '%s' was not built, it needs %s: apt-get install %s, then make",
			name, known[i].library, known[i].package);
		return;
	}
	near_offer(&near, resp_driver.name);
	for (size_t k = 0; k < sizeof known / sizeof *known; k++)
		near_offer(&near, known[k].name);
	near_text(&near, hint, sizeof hint);
	err_set(err, -ENOENT, EXIT_CANNOT_RUN,
		"no driver is called '%.64s'%s drivers/NAME.so stands beside pacelab, "
		"'program:PATH' is one of your own",
		name, near.best ? hint : ":");
}

/* What clients do without asking whether it is there. */
static bool complete(const struct driver_ops *ops)
{
	return ops->name && ops->open && ops->connect && ops->read && ops->write && ops->close;
}

static const struct driver_ops *object_load(const char *name, const char *path, struct err *err)
{
	const char *package = plugin_package(name);
	void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const struct driver_ops *ops;
	const unsigned *abi;

	if (!object) {
		err_set(err, -ENOENT, EXIT_CANNOT_RUN, "driver '%s': %s%s%s", name, dlerror(),
			package ? ": apt-get install " : "", package ? package : "");
		return NULL;
	}
	abi = dlsym(object, "pacelab_driver_abi");
	ops = dlsym(object, "pacelab_driver");
	if (!abi || !ops)
		err_set(err, -ENOEXEC, EXIT_CANNOT_RUN,
			"driver '%s': %s has no 'pacelab_driver_abi' and 'pacelab_driver': it is "
			"no driver",
			name, path);
	else if (*abi != PLUGIN_ABI)
		err_set(err, -ENOEXEC, EXIT_CANNOT_RUN,
			"driver '%s': %s is for version %u of drivers, this pacelab is for %u: "
			"make builds both",
			name, path, *abi, PLUGIN_ABI);
	else if (!complete(ops))
		err_set(err, -ENOEXEC, EXIT_CANNOT_RUN,
			"driver '%s': %s lacks one of name, open, connect, read, write and close",
			name, path);
	else
		return ops;
	(void)dlclose(object);
	return NULL;
}

static const struct driver_ops *object_get(const char *name, struct err *err)
{
	const struct driver_ops *ops;
	char path[PATH_MAX];

	for (unsigned i = 0; i < loaded_count; i++)
		if (strcmp(loaded[i].name, name) == 0)
			return loaded[i].ops;
	if (!name_good(name) || !object_find(name, path, sizeof path)) {
		fail_absent(name, err);
		return NULL;
	}
	if (loaded_count == PLUGINS_MAX) {
		err_usage(err, "driver '%s' is one more than the %d that fit one process", name,
			PLUGINS_MAX);
		return NULL;
	}
	ops = object_load(name, path, err);
	if (ops) {
		(void)snprintf(loaded[loaded_count].name, PLUGIN_NAME_MAX, "%s", name);
		loaded[loaded_count++].ops = ops;
	}
	return ops;
}

const struct driver_ops *plugin_find(const char *name, struct err *err)
{
	if (strcmp(name, resp_driver.name) == 0)
		return &resp_driver;
	if (strncmp(name, PROGRAM_PREFIX, sizeof PROGRAM_PREFIX - 1) == 0)
		return program_find(name + sizeof PROGRAM_PREFIX - 1, err);
	return object_get(name, err);
}

char *plugin_beside(const char *name, const char *file)
{
	const size_t prefix = sizeof PROGRAM_PREFIX - 1;
	char in[PATH_MAX];
	char whole[PATH_MAX];
	char *ret;
	int n;

	(void)snprintf(in, sizeof in, "%s", file);
	/* Who runs it may be elsewhere by then. */
	if (strncmp(name, PROGRAM_PREFIX, prefix) != 0 || name[prefix] == '/' ||
		!realpath(dirname(in), whole))
		n = asprintf(&ret, "%s", name);
	else
		n = asprintf(&ret, PROGRAM_PREFIX "%s/%s", whole, name + prefix);
	assert(n >= 0);
	return ret;
}
