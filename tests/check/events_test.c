/* SPDX-License-Identifier: MIT */
/* events_test.c - histories as events: what Jepsen, Elle and Porcupine write is understood */
#include "tests/check/files.h"

#define INVOKE(process, f, value) \
	"{:process " #process ", :type :invoke, :f :" #f ", :value " value "}\n"
#define OK(process, f, value) "{:process " #process ", :type :ok, :f :" #f ", :value " value "}\n"

static struct history_ops read_text(const struct files *f, const char *text)
{
	struct history_ops ops;
	struct err err = {0};

	files_save(f, text, strlen(text));
	if (history_read(&ops, f->path, &err))
		fail_msg("%s", err.text);
	return ops;
}

static void refused(const struct files *f, const char *text, const char *what)
{
	files_save(f, text, strlen(text));
	files_refused(f, what);
}

static void is_text(const struct history_ops *ops, uint64_t value, const char *text)
{
	assert_true(value >= HISTORY_INTERNED);
	assert_string_equal(history_text(ops, value), text);
}

static void events__are_operations_of_registers(void **state)
{
	struct history_ops ops = read_text(*state,
		"; a comment\n"
		"{:index 0, :time 10, :process 0, :type :invoke, :f :write, :value 3}\n"
		"{:index 1, :time 11, :process 1, :type :invoke, :f :read, :value nil}\n"
		"{:time 12, :process :nemesis, :type :info, :f :kill, :value {:a [1 2]}}\n"
		"{:index 2, :time 15, :process 1, :type :ok, :f :read, :value 3, :x #{1 (2)}}\n"
		"{:index 3, :time 16, :process 0, :type :ok, :f :write, :value 3}\n"
		"{:index 4, :time 20, :process 1, :type :invoke, :f :cas, :value [3 0]}\n"
		"{:index 5, :time 25, :process 1, :type :info, :f :cas, :value [3 0],"
		" :error [:timeout \"}\"]}\n"
		"{:index 6, :time 26, :process 0, :type :invoke, :f :cas, :value [nil \"a\\\"\"]}\n"
		"{:index 7, :time 27, :process 0, :type :fail, :f :cas, :error :refused}\n");

	assert_int_equal(ops.count, 4);
	assert_int_equal(ops.op[0].kind, HISTORY_WRITE);
	assert_int_equal(ops.op[0].value, 3);
	assert_int_equal(ops.op[0].t_invoke_ns, 10);
	assert_int_equal(ops.op[0].t_return_ns, 16);
	assert_int_equal(ops.op[1].session, 1);
	assert_int_equal(ops.op[1].value, 3);
	assert_false(ops.op[1].many);
	assert_int_equal(ops.op[2].outcome, HISTORY_UNKNOWN);
	assert_int_equal(ops.op[2].error, HISTORY_OTHER);
	assert_int_equal(ops.op[2].old, 3);
	is_text(&ops, ops.op[2].value, "0");
	assert_int_equal(ops.op[3].outcome, HISTORY_FAIL);
	assert_int_equal(ops.op[3].error, HISTORY_REFUSED);
	assert_int_equal(ops.op[3].old, 0);
	is_text(&ops, ops.op[3].value, "\"a\\\"\"");
	history_ops_fini(&ops);
}

static void events__may_stand_in_a_vector_and_have_tags(void **state)
{
	struct history_ops ops = read_text(*state,
		"[#jepsen.history.Op{:process 0 :type :invoke :f :write :value :x}\n"
		"#_ {:not [an event]} #jepsen.history.Op{:process 0 :type :ok :f :write}]\n");

	assert_int_equal(ops.count, 1);
	assert_int_equal(ops.op[0].outcome, HISTORY_OK);
	assert_int_equal(ops.op[0].t_invoke_ns, 0);
	assert_int_equal(ops.op[0].t_return_ns, 1000000);
	is_text(&ops, ops.op[0].value, ":x");
	history_ops_fini(&ops);
}

static void events__of_independent_keys_have_them_in_the_value(void **state)
{
	struct history_ops ops = read_text(*state,
		INVOKE(0, write, "[5 1]") OK(0, write, "[5 1]") INVOKE(0, read, "[6 nil]")
			OK(0, read, "[6 nil]") INVOKE(0, cas, "[5 [1 2]]") OK(0, cas, "[5 [1 2]]")
				INVOKE(0, cas, "[1 2]"));

	assert_int_equal(ops.count, 4);
	assert_int_equal(ops.op[0].key, 5);
	assert_int_equal(ops.op[0].value, 1);
	assert_int_equal(ops.op[1].key, 6);
	assert_int_equal(ops.op[1].value, 0);
	assert_int_equal(ops.op[2].key, 5);
	assert_int_equal(ops.op[2].old, 1);
	assert_int_equal(ops.op[2].value, 2);
	assert_int_equal(ops.op[3].key, 0);
	history_ops_fini(&ops);
}

static void are_transactions(const struct history_ops *ops)
{
	const struct history_micro *step = ops->micro + ops->op[0].first;

	assert_int_equal(ops->count, 2);
	assert_int_equal(ops->op[0].kind, HISTORY_TRANSACTION);
	assert_int_equal(ops->op[0].count, 3);
	assert_int_equal(step[0].kind, HISTORY_APPEND);
	assert_int_equal(step[0].key, 1);
	assert_int_equal(step[0].value, 2);
	assert_int_equal(step[1].kind, HISTORY_READ);
	assert_int_equal(step[1].count, 2);
	assert_int_equal(ops->list[step[1].first], 7);
	assert_int_equal(ops->list[step[1].first + 1], 2);
	assert_int_equal(step[2].count, 0);
	assert_int_equal(ops->op[1].outcome, HISTORY_UNKNOWN);
	assert_int_equal(ops->op[1].count, 1);
}

static void events__are_transactions_of_lists(void **state)
{
	struct history_ops ops = read_text(*state,
		INVOKE(0, txn, "[[:append 1 2] [:r 1 nil] [:r 3 nil]]") INVOKE(1, txn,
			"[[:append 1 7]]") OK(0, txn, "[[:append 1 2] [:r 1 [7 2]] [:r 3 []]]"));

	are_transactions(&ops);
	history_ops_fini(&ops);
}

static void events__are_read_as_json(void **state)
{
	struct history_ops ops = read_text(*state,
		"[{\"type\": \"invoke\", \"f\": \"txn\", \"process\": 0, \"value\":"
		"[[\"append\", 1, 2], [\"r\", 1, null],[\"r\",3,null]], \"time\":null},\n"
		"{\"type\":\"invoke\",\"f\":\"txn\",\"process\":1,\"value\":[[\"append\",1,7]]},\n"
		"{\"index\": 2,\"type\":\"ok\",\"f\":\"txn\",\"process\":0,\"value\":"
		"[[\"append\",1,2],[\"r\",1,[7,2]],[\"r\",3,null]]}]");

	are_transactions(&ops);
	history_ops_fini(&ops);
}

static void events__add_to_sets_or_counters(void **state)
{
	struct history_ops ops = read_text(*state,
		INVOKE(0, add, "0") OK(0, add, "0") INVOKE(0, read, "nil") OK(0, read, "#{0 5}"));

	assert_int_equal(ops.op[0].kind, HISTORY_ADD);
	is_text(&ops, ops.op[0].value, "0");
	assert_true(ops.op[1].many);
	assert_int_equal(ops.op[1].count, 2);
	assert_true(ops.list[0] == ops.op[0].value);
	assert_int_equal(ops.list[1], 5);
	history_ops_fini(&ops);
	ops = read_text(*state,
		INVOKE(1, read, "nil") INVOKE(0, add, "-3") OK(0, add, "-3") OK(1, read, "-3"));
	assert_int_equal(ops.op[1].kind, HISTORY_INCREASE);
	assert_true((int64_t)ops.op[1].value == -3);
	assert_true((int64_t)ops.op[0].value == -3);
	history_ops_fini(&ops);
}

static void events__transfer_between_accounts(void **state)
{
	struct history_ops ops =
		read_text(*state, INVOKE(0, transfer, "{:from 1, :to 0, :amount 7}")
					  INVOKE(1, read, "nil") OK(1, read, "{2 0, 0 17, 1 -7}"));

	assert_int_equal(ops.op[0].kind, HISTORY_TRANSFER);
	assert_int_equal(ops.op[0].old, 1);
	assert_int_equal(ops.op[0].to, 0);
	assert_int_equal(ops.op[0].value, 7);
	assert_int_equal(ops.op[1].count, 3);
	assert_int_equal(ops.list[0], 17);
	assert_true((int64_t)ops.list[1] == -7);
	assert_int_equal(ops.list[2], 0);
	history_ops_fini(&ops);
}

#define KV(type, f, key, value) \
	"{:process 0, :type :" #type ", :f :" #f ", :key \"" key "\", :value " value "}\n"

static void events__take_strings_apart(void **state)
{
	struct history_ops ops = read_text(*state,
		KV(invoke, append, "7", "\"x 1\"") KV(ok, append, "7", "\"x 1\"")
			KV(invoke, put, "b", "\"yy\"") KV(ok, put, "b", "\"yy\"")
				KV(invoke, get, "7", "nil") KV(ok, get, "7", "\"yyx 1yy?\"")
					KV(invoke, get, "7", "nil") KV(ok, get, "7", "\"\""));
	const struct history_op *get = &ops.op[2];

	assert_int_equal(ops.op[0].kind, HISTORY_APPEND);
	assert_int_equal(ops.op[0].key, 7);
	assert_int_equal(ops.op[1].kind, HISTORY_WRITE);
	is_text(&ops, ops.op[1].key, "\"b\"");
	assert_true(get->many);
	assert_int_equal(get->count, 4);
	assert_true(ops.list[get->first] == ops.op[1].value);
	assert_true(ops.list[get->first + 1] == ops.op[0].value);
	is_text(&ops, ops.list[get->first + 3], "\"?\"");
	assert_true(ops.op[3].many);
	assert_int_equal(ops.op[3].count, 0);
	history_ops_fini(&ops);
	refused(*state,
		KV(invoke, append, "7", "\"ab\"") KV(invoke, get, "7", "nil")
			KV(invoke, put, "7", "\"a\""),
		"the string \"ab\" is written, and so is \"a\", with which it begins");
}

#define LOG(process, type, f, value) \
	"INFO  jepsen.util - " process "\t:" #type "\t:" #f "\t" value "\n"

static void log__has_an_event_a_line(void **state)
{
	struct history_ops ops = read_text(*state,
		LOG("0", invoke, read, "nil") LOG("13", invoke, cas, "[1 2]") LOG("0", fail, read,
			":timed-out") LOG("13", fail, cas, "[1 2]") LOG("2", invoke, write, "4")
			LOG("2", info, write, ":timed-out") LOG(":nemesis", info, start, "nil"));

	assert_int_equal(ops.count, 3);
	assert_int_equal(ops.op[0].outcome, HISTORY_FAIL);
	assert_int_equal(ops.op[0].error, HISTORY_TIMEOUT);
	assert_int_equal(ops.op[1].session, 13);
	assert_int_equal(ops.op[1].outcome, HISTORY_OK);
	assert_int_equal(ops.op[1].error, HISTORY_UNMET);
	assert_false(ops.op[1].met);
	assert_int_equal(ops.op[2].outcome, HISTORY_UNKNOWN);
	assert_int_equal(ops.op[2].error, HISTORY_TIMEOUT);
	history_ops_fini(&ops);
	refused(*state, LOG("0", invoke, read, "nil") "INFO  jepsen.util - 0\t:ok\n",
		": line 3, column 1: the file ends, a value was expected");
	refused(*state, LOG("0", invoke, read, "nil") "WARN jepsen\n",
		": line 2, column 1: 'INFO ... - PROCESS :TYPE :F VALUE' was expected");
}

static void events__say_what_is_wrong_with_the_order(void **state)
{
	refused(*state, OK(3, read, "1"),
		": line 1, column 1: process 3 ends a read that it did not begin");
	refused(*state, INVOKE(3, read, "nil") INVOKE(3, read, "nil"),
		": line 2, column 1: process 3 invokes a read, but its operation 1 has not ended");
	refused(*state, INVOKE(3, read, "nil") OK(3, write, "1"),
		": line 2, column 1: process 3 ends a write, but it began a read");
	refused(*state,
		INVOKE(3, read, "nil") "{:process 3 :type :info :f :read}\n" INVOKE(3, read, "nil"),
		": line 3: session 3 begins operation 2, but the outcome of its operation 1 is");
	refused(*state,
		"{:process 1 :type :invoke :f :read :time 5}\n"
		"{:process 1 :type :ok :f :read :value 1 :time 4}\n",
		": line 2, column 47: the time goes back to 4 ns, at least 5 was expected");
	refused(*state,
		"{:process 1 :type :invoke :f :read :time 5}\n{:process 1 :type :ok :f :read}\n",
		": line 2, column 1: an event without a :time after events with one");
	refused(*state, "{:process 1 :type :invoke :f :read :time -1}\n",
		"a :time that is no number of nanoseconds");
}

static void events__say_what_is_wrong_with_a_value(void **state)
{
	refused(*state, INVOKE(0, write, "nil"), "'n', a value was expected");
	refused(*state, INVOKE(0, cas, "[1]"), "']', a value was expected");
	refused(*state, INVOKE(0, cas, "[1 2 3]"), "'3', ']' was expected");
	refused(*state, INVOKE(0, cas, "7"), "'7', [old new] was expected");
	refused(*state, INVOKE(0, jump, "7"), "unknown :f 'jump' (read, write, cas, ");
	refused(*state, INVOKE(0, write, "[1 2 3]"), "'3', ']' ([key value]) was expected");
	refused(*state, "{:process 0, :type :invoke, :f :write}\n", "a write without a :value");
	refused(*state, "{:process 0, :type :begin, :f :write}\n", "unknown :type 'begin'");
	refused(*state, "{:process 0, :f :write}\n", "an event without a :type");
	refused(*state, "{:type :invoke, :f :write}\n", "an event without a :process");
	refused(*state, "{:process 0, :process 1}\n", "field :process twice");
	refused(*state, INVOKE(0, transfer, "{:from 0 :to 1}"), "needs :from, :to and :amount");
	refused(*state, INVOKE(0, transfer, "{:from 65536}"), "an account from 0 to 65535");
	refused(*state, INVOKE(0, read, "nil") OK(0, read, "{0 1, 2 3}"),
		"each account from 0 on once was expected");
	refused(*state, KV(invoke, put, "7", "1") KV(ok, put, "8", "1"),
		": line 2, column 39: '\"', the key that it was invoked with was expected");
	refused(*state, INVOKE(0, txn, "[[:w 1 2]]"), ":r or :append (transactions of lists)");
	refused(*state, INVOKE(0, txn, "[[:r 1 nil]]") OK(0, txn, "[[:r 2 nil]]"),
		"the step that was invoked was expected");
	refused(*state, INVOKE(0, txn, "[[:r 1 nil]]") OK(0, txn, "[]"), "0 steps, 1 were invoked");
	refused(*state, INVOKE(0, write, "4611686018427387904") INVOKE(1, write, "0"),
		"values from 4611686018427387904 on, which stand for");
	refused(*state, INVOKE(0, write, "#{1}"), "a value that is no list, set or map");
}

static void events__say_where_a_form_is_broken(void **state)
{
	refused(*state, "{:process 0", ": line 1, column 12: the file ends, '}' was expected");
	refused(*state, "{:process 0 :value [1}", ": line 1, column 22: '}', ']' was expected");
	refused(*state, "{:process \"a}", "a string begins that does not end");
	refused(*state, "{:process}", "'}', a value was expected");
	refused(*state, "{:process #tag}", "'}', a value was expected");
	refused(*state, "{:a 1 2 3}", "'2', a keyword was expected");
	refused(*state, "[{:process :a :type :ok}", "the file ends, ']' was expected");
	refused(*state, "[] 1", ": line 1, column 4: '1', the end of the file was expected");
	refused(*state, "[7]", "'7', an event ('{') was expected");
	refused(*state, "{:a [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "lists inside each other");
	refused(*state, "{#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_#_",
		"more than 32 forms inside each other");
}

#define with_file(test) cmocka_unit_test_setup_teardown(test, files_setup, files_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_file(events__are_operations_of_registers),
		with_file(events__may_stand_in_a_vector_and_have_tags),
		with_file(events__of_independent_keys_have_them_in_the_value),
		with_file(events__are_transactions_of_lists),
		with_file(events__are_read_as_json),
		with_file(events__add_to_sets_or_counters),
		with_file(events__transfer_between_accounts),
		with_file(events__take_strings_apart),
		with_file(log__has_an_event_a_line),
		with_file(events__say_what_is_wrong_with_the_order),
		with_file(events__say_what_is_wrong_with_a_value),
		with_file(events__say_where_a_form_is_broken),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
