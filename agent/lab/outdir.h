/* SPDX-License-Identifier: MIT */
/*
 * outdir.h - the folder of one run: results.json, history.bin, plan.txt, log/, data/<node>/
 */
#ifndef LAB_OUTDIR_H
#define LAB_OUTDIR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "agent/base/err.h"

#define OUTDIR_PATH_MAX 3072
#define OUTDIR_FILE_MAX (OUTDIR_PATH_MAX + 64)
#define OUTDIR_BASE "results"

struct outdir {
	char path[OUTDIR_PATH_MAX];  /* absolute; "" before it is made */
	char shown[OUTDIR_PATH_MAX]; /* as a person would type it */
	bool made;                   /* the folder was not there before */
	bool made_base;              /* nor was OUTDIR_BASE */
};

/**
 * outdir_make() - make the folder with its log/ and data/
 * @want:	folder to use, empty or not there yet; NULL: results/<lab>-<store>-<seed>, with a
 *		number behind it if that exists
 *
 * Return: 0, or a negative errno with the cure in @err, EXIT_USAGE where another folder is one.
 */
int outdir_make(struct outdir *o, const char *want, const char *lab, const char *store,
	uint64_t seed, struct err *err);

/* outdir_file() - path of a file in it. */
void outdir_file(const struct outdir *o, const char *name, char out[OUTDIR_FILE_MAX]);

/* outdir_log() - open log/<who>.log for appending. Return: descriptor or negative errno. */
int outdir_log(const struct outdir *o, const char *who, struct err *err);

/* outdir_data() - make data/<node>/, which belongs to @uid. Return: its path in @ret. */
int outdir_data(const struct outdir *o, const char *node, unsigned uid, char ret[OUTDIR_FILE_MAX],
	struct err *err);

/* outdir_last_line() - last line of log/<who>.log that is not empty, "" if there is none. */
void outdir_last_line(const struct outdir *o, const char *who, char *out, size_t size);

/* outdir_tail() - its last lines, each on a line of its own behind a newline, as many as fit @size;
 * "" if there is none. */
void outdir_tail(const struct outdir *o, const char *who, char *out, size_t size);

/**
 * outdir_keep_logs() - copy what is called *.log in data/<node>/, and is text, to log/<node>-<name>
 * Only some, and of large ones the end: these are the programs' own and nobody bounds them.
 */
void outdir_keep_logs(const struct outdir *o, const char *node);

/* outdir_full() - has the file system of the folder no room left? */
bool outdir_full(const struct outdir *o);

/* outdir_remove_data() - the replicas' data; outdir_remove() - everything but a folder that was
 * there before. */
void outdir_remove_data(const struct outdir *o);
void outdir_remove(struct outdir *o);

#endif
