# pacelab: the folders are the source lists; objects under build/
#
#   make            build                      make check   every test this machine can run
#   make demo       build, run lab cap twice   make bench   the numbers, side by side
#   make lint       style and static checks    make install DESTDIR= PREFIX=/usr/local
#   make bench-check   the checkers alone
#   make fuzz       the fuzz targets for libFuzzer, to be run by hand
#   make bench-net  only the network's numbers; PARTS="cut delay throughput iperf topology" chooses
#   make bench-store  only the store's; PARTS="redis memory recovery snapshot etcd" chooses
#
# Variables: V=1 shows commands, SAN=address,undefined adds sanitizers, WERROR=1 as CI has it,
# MUST_WORK=1 turns skipped tests into failures, CC=clang, T=raft runs only the tests named so.

PREFIX ?= /usr/local
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
Q := $(if $(V),,@)
comma := ,
B := build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))$(if $(findstring clang,$(CC)),/clang)

PKGS := libnl-3.0 libnl-route-3.0 libmnl liburing lua5.4 jansson expat
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla \
	-Wconversion -Wno-sign-conversion -Wswitch-enum -Wno-gnu-variable-sized-type-not-at-end $(if $(WERROR),-Werror)
HARDEN := -fstack-protector-strong -fPIE $(if $(SAN),,-D_FORTIFY_SOURCE=2)
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -I. $(PKG_CFLAGS) $(WARN) \
	$(HARDEN) $(CFLAGS) \
	$(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(LDFLAGS) $(if $(SAN),-fsanitize=$(SAN))
LIBS = $(PKG_LIBS) -lpthread -lm

# Libraries: a folder each. What has a main() is not in one.
base_src := $(wildcard agent/base/*.c)
netns_src := $(wildcard netns/*.c)
store_src := $(filter-out store/main.c,$(wildcard store/*.c store/proto/*.c))
agent_src := $(filter-out agent/main.c,$(wildcard agent/*.c $(foreach d,cmd lab load load/drivers \
	history check report sim,agent/$(d)/*.c))) \
	agent/load/plugins/common.c agent/load/plugins/bson.c
tests_src := $(wildcard tests/lib/*.c) $(filter-out %_test.c,$(wildcard tests/check/*.c)) \
	$(filter-out %_test.c %/main.c,$(wildcard tests/sim/*.c))

obj = $(patsubst %.c,$(B)/%.o,$(1))
base_lib := $(B)/libbase.a
netns_lib := $(B)/libnetns.a
store_lib := $(B)/libstore.a
agent_lib := $(B)/libagent.a
tests_lib := $(B)/libtests.a
libs := $(agent_lib) $(netns_lib) $(store_lib) $(base_lib)

programs := $(B)/pacelab $(B)/pacelab-replica

# Drivers for real databases: a shared object each, where its client library is there. A library
# without a pkg-config file is known by its header.
plugin_pc_etcd := libcurl jansson
plugin_pc_couch := libcurl jansson
plugin_pc_consul := libcurl jansson
plugin_pc_influx := libcurl jansson
plugin_pc_http := libcurl jansson
plugin_pc_ldap := ldap lber
plugin_header_zookeeper := zookeeper/zookeeper.h
plugin_libs_zookeeper := -lzookeeper_mt
plugin_pc_postgres := libpq
plugin_pc_mysql := libmariadb
plugin_pc_dns := ldns
plugin_pc_nats := libnats
plugin_pc_rabbitmq := librabbitmq
plugin_src := $(filter-out %/common.c %/http.c %/bson.c $(wildcard agent/load/plugins/redis_*.c),\
	$(wildcard agent/load/plugins/*.c))
plugin_names := $(patsubst agent/load/plugins/%.c,%,$(plugin_src))
plugin_there = $(if $(plugin_pc_$(1)),$(shell pkg-config --exists $(plugin_pc_$(1)) && echo yes),$(if \
	$(plugin_header_$(1)),$(wildcard /usr/include/$(plugin_header_$(1))),yes))
plugins := $(foreach p,$(plugin_names),$(if $(call plugin_there,$(p)),$(B)/drivers/$(p).so))
plugin_common := $(patsubst %.c,$(B)/pic/%.o,agent/load/plugins/common.c agent/base/buf.c)
test_c := $(wildcard tests/unit/*_test.c tests/proto/*_test.c tests/sim/*_test.c \
	tests/check/*_test.c tests/net/*_test.c)
test_bin := $(patsubst %.c,$(B)/%,$(test_c))
test_sh := $(wildcard tests/sim/*_test.sh tests/net/*_test.sh tests/e2e/*_test.sh)
fuzz_bin := $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/*_fuzz.c))
suites = $(test_bin:$(B)/%=%) $(fuzz_bin:$(B)/%=%) $(test_sh)
chosen = $(if $(T),$(foreach s,$(suites),$(if $(findstring $(T),$(s)),$(s))),$(suites))
bench_bin := $(patsubst %.c,$(B)/%,$(wildcard tests/bench/*_bench.c)) $(B)/tests/bench/store_load

bug_bin := $(B)/bug/pacelab-replica $(B)/bug/sim

.PHONY: all demo check lint bench bench-net bench-check bench-store fuzz install clean deps deps-systems flags programs tests \
	libfuzzer
.SECONDARY:
.DELETE_ON_ERROR:

all: programs
	$(Q)ln -sfn $(B)/pacelab pacelab

programs: $(programs) $(plugins)
tests: $(test_bin) $(fuzz_bin) $(bench_bin) $(B)/sim $(bug_bin)
	@:

deps:
	$(Q)scripts/deps.sh

# Tests start real databases, and lint reads their drivers.
deps-systems: deps
	$(Q)scripts/deps.sh --systems

# The goals for a fresh machine install first, then build in a make of their own.
demo: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)scripts/demo.sh

check: deps-systems
	$(Q)$(MAKE) --no-print-directory all tests
	$(Q)B=$(B) tests/run.sh $(chosen)

bench: deps
	$(Q)$(MAKE) --no-print-directory all tests
	$(Q)B=$(B) tests/bench/run.sh

bench-net: deps
	$(Q)$(MAKE) --no-print-directory $(B)/tests/bench/net_bench
	$(Q)B=$(B) PARTS="$(PARTS)" tests/bench/run.sh net_bench

bench-check: deps
	$(Q)$(MAKE) --no-print-directory $(B)/tests/bench/check_bench
	$(Q)B=$(B) tests/bench/run.sh check_bench

bench-store: deps
	$(Q)$(MAKE) --no-print-directory $(B)/pacelab-replica $(B)/tests/bench/store_load
	$(Q)B=$(B) PARTS="$(PARTS)" tests/bench/store.sh

lint: deps-systems
	$(Q)scripts/lint.sh

# What scripts/lint.sh compiles with.
flags: plugin_pcs = $(foreach p,$(plugin_names),$(if $(call plugin_there,$(p)),$(plugin_pc_$(p))))
flags:
	@echo '$(ALL_CFLAGS) $(if $(plugin_pcs),$(shell pkg-config --cflags $(plugin_pcs)))'

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/pacelab \
		$(DESTDIR)$(PREFIX)/share/pacelab/labs $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(B)/pacelab $(DESTDIR)$(PREFIX)/bin/pacelab
	install -m 755 $(B)/pacelab-replica $(DESTDIR)$(PREFIX)/libexec/pacelab/pacelab-replica
	install -m 644 scripts/labs/*.lua $(DESTDIR)$(PREFIX)/share/pacelab/labs
	install -d $(DESTDIR)$(PREFIX)/lib/pacelab/drivers $(DESTDIR)$(PREFIX)/share/pacelab/systems
	$(if $(plugins),install -m 755 $(plugins) $(DESTDIR)$(PREFIX)/lib/pacelab/drivers)
	install -m 644 $(wildcard scripts/systems/*.*) $(DESTDIR)$(PREFIX)/share/pacelab/systems
	install -d $(DESTDIR)$(PREFIX)/share/pacelab/systems/drivers
	install -m 755 scripts/systems/drivers/* $(DESTDIR)$(PREFIX)/share/pacelab/systems/drivers
	install -m 644 agent/report/*.schema.json $(DESTDIR)$(PREFIX)/share/pacelab
	install -m 644 agent/pacelab.1 $(DESTDIR)$(PREFIX)/share/man/man1/pacelab.1

clean:
	rm -rf build pacelab

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC $<")
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# What is told of it in every result. The file is written anew only if that changes.
version := $(shell git describe --always --dirty --tags 2>/dev/null | tr -cd 'A-Za-z0-9._-')
.PHONY: version
$(B)/version: version
	@mkdir -p $(@D)
	@echo '$(version)' | cmp -s - $@ || echo '$(version)' >$@

$(B)/agent/base/version.o: $(B)/version
$(B)/agent/base/version.o: ALL_CFLAGS += $(if $(version),-DPACELAB_VERSION='"$(version)"')

$(base_lib): $(call obj,$(base_src))
$(netns_lib): $(call obj,$(netns_src))
$(store_lib): $(call obj,$(store_src))
$(agent_lib): $(call obj,$(agent_src))
$(tests_lib): $(call obj,$(tests_src))
$(B)/lib%.a:
	$(Q)rm -f $@
	$(Q)$(AR) crs $@ $^


$(B)/pacelab: $(B)/agent/main.o $(libs)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(B)/pacelab-replica: $(B)/store/main.o $(store_lib) $(base_lib)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(B)/pic/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC $<")
	$(Q)$(CC) $(ALL_CFLAGS) -fPIC -MMD -MP -c -o $@ $<

$(B)/pic/agent/load/plugins/%.o: PLUGIN = $(if $(plugin_pc_$(notdir $*)),$(shell pkg-config --cflags $(plugin_pc_$(notdir $*))))
$(B)/pic/agent/load/plugins/%.o: ALL_CFLAGS += $(PLUGIN)

$(patsubst %,$(B)/drivers/%.so,etcd couch consul influx): $(B)/pic/agent/load/plugins/http.o \
	$(B)/pic/agent/load/drivers/resp_link.o

$(B)/drivers/tarantool.so: $(B)/pic/agent/load/drivers/resp_link.o

$(B)/drivers/mongo.so: $(B)/pic/agent/load/plugins/bson.o $(B)/pic/agent/load/drivers/resp_link.o

$(B)/drivers/redis.so: $(patsubst %.c,$(B)/pic/%.o,$(wildcard agent/load/plugins/redis_*.c) \
	agent/load/drivers/resp_answer.c agent/load/drivers/resp_link.c)

$(B)/drivers/%.so: $(B)/pic/agent/load/plugins/%.o $(plugin_common)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(filter-out -pie,$(ALL_LDFLAGS)) -shared -o $@ $^ \
		$(if $(plugin_pc_$*),$(shell pkg-config --libs $(plugin_pc_$*)),$(plugin_libs_$*))

$(B)/sim: $(B)/tests/sim/main.o $(tests_lib) $(libs)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

$(test_bin) $(bench_bin): $(B)/%: $(B)/%.o $(tests_lib) $(libs)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

$(fuzz_bin): $(B)/%: $(B)/%.o $(B)/tests/fuzz/main.o $(tests_lib) $(libs)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

# The same targets under libFuzzer: build/.../NAME_libfuzzer CORPUS
fuzz: deps
	$(Q)$(MAKE) --no-print-directory CC=clang SAN=fuzzer-no-link,address,undefined libfuzzer

libfuzzer: $(fuzz_bin:%_fuzz=%_libfuzzer)
	@printf '  %s\n' $^

$(B)/%_libfuzzer: $(B)/%_fuzz.o $(tests_lib) $(libs)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS) -lcmocka

# Bugs put in on purpose: store and simulator once more with all of them, see store/bugs.h.
bug_src := $(wildcard store/*.c store/proto/*.c agent/sim/*.c) tests/sim/main.c
bug_obj = $(patsubst %.c,$(B)/bug/%.o,$(1))

$(B)/bug/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC $< with bugs")
	$(Q)$(CC) $(ALL_CFLAGS) -DPROTO_BUGS -MMD -MP -c -o $@ $<

$(B)/bug/pacelab-replica: $(call bug_obj,$(filter store/%,$(bug_src))) $(base_lib)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(B)/bug/sim: $(call bug_obj,$(filter-out store/main.c,$(bug_src))) \
		$(agent_lib) $(netns_lib) $(base_lib)
	$(if $(V),,@echo "  LD $@")
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

-include $(shell find build -name '*.d' 2>/dev/null)
