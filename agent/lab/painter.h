/* SPDX-License-Identifier: MIT */
/*
 * painter.h - the process that draws on the terminal while a run goes on
 *
 * Apart from the supervisor, for that may stand still while it gathers evidence, and must not wait
 * for a terminal that takes nothing. It has the lowest priority, and reads the load's counters in
 * shared memory. It ends when the supervisor does, however that ends: then the picture is gone and
 * the cursor is back.
 */
#ifndef LAB_PAINTER_H
#define LAB_PAINTER_H

#include "agent/lab/picture.h"
#include "agent/load/load.h"

struct painter;

/**
 * painter_start() - begin to draw on terminal @fd, as soon as there is a scene
 * Return: NULL if there is no such process: then all is to be printed plainly.
 */
struct painter *painter_start(int fd, const struct load_shared *shared, const struct plan *plan);

/* painter_scene() - what there is to draw from now on. painter_print() - text above the picture.
 * Return: false if the painter is gone. */
bool painter_scene(struct painter *p, const struct scene *scene);
bool painter_print(struct painter *p, const char *text, size_t len);

/* painter_stop() - wait until all is printed and the terminal as it was. Takes NULL. */
void painter_stop(struct painter *p);

#endif
