/* SPDX-License-Identifier: MIT */
/*
 * plugin.h - where drivers come from: built in, a shared object, or a program of any language
 *
 * A shared object is agent/load/plugins/NAME.c, built as drivers/NAME.so beside pacelab when the
 * client library is there (installed: lib/pacelab/drivers); PACELAB_DRIVERS names another folder,
 * which is looked into first. It exports two symbols:
 *
 *	const unsigned pacelab_driver_abi = PLUGIN_ABI;
 *	const struct driver_ops pacelab_driver = { ... };
 *
 * It may use what driver.h, agent/base/buf.h and agent/load/plugins/common.h declare, and nothing
 * else of pacelab. Operations that it leaves NULL are not offered to clients; read, write, connect
 * and close are needed. Each client is a thread with drivers of its own.
 *
 * "program:PATH" is a driver that is a program, one for each connection: see
 * scripts/systems/README.md for its lines.
 */
#ifndef LOAD_PLUGIN_H
#define LOAD_PLUGIN_H

#include "agent/base/err.h"
#include "agent/load/drivers/driver.h"

#define PLUGIN_ABI 1u

/**
 * plugin_find() - the driver called @name, loaded at its first use and never unloaded; not for
 * several threads at once
 * Return: NULL with EXIT_CANNOT_RUN and the cure in @err: it was not built since a library is
 * missing (which), is of another version, is no program.
 */
const struct driver_ops *plugin_find(const char *name, struct err *err);

/**
 * plugin_beside() - @name as the system file @file means it: a program's path is relative to its
 * folder. Return: never NULL, to be freed.
 */
char *plugin_beside(const char *name, const char *file);

/* plugin_package() - the package whose library the driver needs; NULL: none, or unknown. */
const char *plugin_package(const char *name);

#endif
