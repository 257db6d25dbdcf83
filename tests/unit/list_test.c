/* SPDX-License-Identifier: MIT */
/* list_test.c - order, and deletion at any moment */
#include "agent/base/list.h"

#include "tests/lib/test.h"

struct item {
	int number;
	struct list at;
};

#define ITEMS 5

static void fill(struct list *head, struct item *items)
{
	list_init(head);
	for (int i = 0; i < ITEMS; i++) {
		items[i].number = i;
		list_push(head, &items[i].at);
	}
}

/* The numbers in the list, as a decimal number with a leading 1. */
static int spell(const struct list *head)
{
	const struct list *pos, *tmp;
	int all = 1;

	list_for_each(pos, tmp, head) all =
		all * 10 + list_entry(pos, const struct item, at)->number;
	return all;
}

static void list__keeps_the_order_of_pushes(void **state)
{
	struct item items[ITEMS];
	struct list head;

	(void)state;
	list_init(&head);
	assert_true(list_empty(&head));
	assert_int_equal(spell(&head), 1);
	fill(&head, items);
	assert_false(list_empty(&head));
	assert_int_equal(spell(&head), 101234);
}

static void list_del__takes_out_any_element_twice(void **state)
{
	struct item items[ITEMS];
	struct list head;

	(void)state;
	fill(&head, items);
	list_del(&items[2].at);
	list_del(&items[1].at);
	list_del(&items[2].at); /* its old neighbours must not hear of it */
	list_del(&items[3].at);
	assert_int_equal(spell(&head), 104);
	list_del(&items[4].at);
	list_push(&head, &items[2].at);
	assert_int_equal(spell(&head), 102);
}

static void list_for_each__allows_deletion_under_the_cursor(void **state)
{
	struct item items[ITEMS];
	struct list *pos, *tmp;
	struct list head;
	int visited = 0;

	(void)state;
	fill(&head, items);
	list_for_each(pos, tmp, &head)
	{
		list_del(pos);
		visited++;
	}
	assert_int_equal(visited, ITEMS);
	assert_true(list_empty(&head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list__keeps_the_order_of_pushes),
		cmocka_unit_test(list_del__takes_out_any_element_twice),
		cmocka_unit_test(list_for_each__allows_deletion_under_the_cursor),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
