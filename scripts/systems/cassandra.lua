-- SPDX-License-Identifier: MIT
-- cassandra.lua - Cassandra: every node has every key, and each request says how many must answer
--
-- Written by the documentation of Cassandra 4.0 and 4.1, not run here: Debian has no package. What
-- is not said here is as the server's own cassandra.yaml and cassandra-env.sh have it.
-- The time of a write is that of the clock of the node that was asked: the later one wins.

local storage, native = 7000, 9042

local function all(n)
  local addresses = {}
  for i, node in ipairs(n.nodes) do
    addresses[i] = node.addr
  end
  return table.concat(addresses, ",")
end

-- All are seeds: none waits for another's data. One token each, since each has everything.
local function yaml(n)
  return string.format([[
cluster_name: lab
num_tokens: 1
initial_token: %d
auto_bootstrap: false
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: "%s"
listen_address: %s
storage_port: %d
rpc_address: %s
native_transport_port: %d
endpoint_snitch: SimpleSnitch
authenticator: AllowAllAuthenticator
authorizer: AllowAllAuthorizer
data_file_directories: ["{dir}/data"]
commitlog_directory: "{dir}/commitlog"
saved_caches_directory: "{dir}/caches"
hints_directory: "{dir}/hints"
cdc_raw_directory: "{dir}/cdc"
commitlog_segment_size_in_mb: 8
%s
hinted_handoff_enabled: %s
hinted_handoff_throttle_in_kb: 1024
write_request_timeout_in_ms: 2000
read_request_timeout_in_ms: 2000
cas_contention_timeout_in_ms: 1000
]], (n.number - 1) * 1000000000000000000, all(n), n.addr, storage, n.addr, native,
    n.knobs.commitlog == "batch" and "commitlog_sync: batch" or
    "commitlog_sync: periodic\ncommitlog_sync_period_in_ms: 10000",
    n.knobs.hints == "yes" and "true" or "false")
end

local function schema(n)
  return string.format([[
CREATE KEYSPACE IF NOT EXISTS lab
  WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': %d};
CREATE TABLE IF NOT EXISTS lab.kv (k text PRIMARY KEY, v text)
  WITH read_repair = '%s';]], #n.nodes, n.knobs.read_repair)
end

local levels = {"one", "quorum", "all"}

system("cassandra-real", {
  programs = {"cassandra", "cqlsh", "java"},
  paths = {"/opt/cassandra/bin", "/usr/share/cassandra/bin"},
  driver = "program:drivers/cassandra.py",
  port = native,
  nodes = {3, 7},
  knobs = {
    reads = {"one", "quorum", "all", "serial"},
    writes = levels,
    hints = {"yes", "no"},
    read_repair = {"BLOCKING", "NONE"},
    commitlog = {"periodic", "batch"}, -- a write waits for no disk, or for its own node's
  },
  -- With one of them alone at all, two readers may still see two writes in two orders.
  like = function(knobs)
    if knobs.reads == "one" or knobs.writes == "one" then
      return "cassandra-one"
    end
    return knobs.reads == "all" and knobs.writes == "all" and "cassandra-all" or
      "cassandra-quorum"
  end,
  client = function(knobs)
    return "reads=" .. knobs.reads .. " writes=" .. knobs.writes
  end,
  kept = "the server itself; a client asks the nearest node, which asks as many as the level " ..
    "says",
  differs = "the node that is asked sets the time of a write by its clock; a write that failed " ..
    "at too few replicas stays at those that took it; cas and plain writes must not be mixed",
  not_run = "no package in Debian; cassandra.apache.org/doc/latest/cassandra/installing has one",
  rate = 100,
  deadline = "2s",
  warmup = "10s", -- until Java has compiled what it needs
  cut = "30s", -- the failure detector takes 10 to 20 s
  settle = "20s",
  ready = "180s",
  node = function(n)
    return {
      files = {["cassandra.yaml"] = yaml(n)},
      prepare = {{"mkdir", "-p", "{dir}/data", "{dir}/commitlog", "{dir}/caches", "{dir}/hints",
        "{dir}/cdc", "{dir}/log"}},
      run = {{"cassandra", "-f"}},
      after = n.number == (n.leader or 1) and
        {{"cqlsh", n.addr, tostring(native), "-e", schema(n), retry = "150s"}} or {},
      env = {
        HOME = "{dir}",
        MAX_HEAP_SIZE = "384M",
        HEAP_NEWSIZE = "96M",
        CASSANDRA_LOG_DIR = "{dir}/log",
        JVM_EXTRA_OPTS = "-Dcassandra.config=file://{dir}/cassandra.yaml " ..
          "-Dcassandra.storagedir={dir} -Dcassandra.superuser_setup_delay_ms=0 " ..
          "-Dcassandra.skip_wait_for_gossip_to_settle=0",
      },
    }
  end,
})

variant("cassandra-real-quorum", {reads = "quorum", writes = "quorum"}, {
  differs = "a read repairs what it read before it answers; a write that reached too few " ..
    "replicas is said to have failed, and may be read all the same",
})
variant("cassandra-real-all", {reads = "all", writes = "all"}, {
  differs = "one replica that cannot be reached is enough, and nothing is read or written",
})
variant("cassandra-real-quorum-all", {reads = "quorum", writes = "all"})
variant("cassandra-real-serial", {reads = "serial", writes = "quorum"}, {
  differs = "a read finishes the transactions that it finds, by rounds of Paxos; of plain " ..
    "writes it says no more than a read of a quorum",
})
