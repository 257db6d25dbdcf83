-- SPDX-License-Identifier: MIT
-- kafka.lua - Kafka: a partition for each key, its last record is the value; acks of a write
--
-- Written by the documentation of Kafka 3.3 to 4.0, not run here: Debian has no package. Brokers
-- are their own controllers (KRaft), without ZooKeeper. Each partition has a leader of its own;
-- keys from 64 on are refused, for there is no partition for them.

local client, control, partitions = 9092, 9093, 64

local function address(node, port)
  return node.addr .. ":" .. port
end

local function properties(n)
  local voters = {}
  for i, node in ipairs(n.nodes) do
    voters[i] = node.number .. "@" .. address(node, control)
  end
  return table.concat({
    "process.roles=broker,controller",
    "node.id=" .. n.number,
    "controller.quorum.voters=" .. table.concat(voters, ","),
    "controller.listener.names=CONTROLLER",
    "listeners=PLAINTEXT://" .. address(n, client) .. ",CONTROLLER://" .. address(n, control),
    "advertised.listeners=PLAINTEXT://" .. address(n, client),
    "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name=PLAINTEXT",
    "log.dirs={dir}/log",
    "auto.create.topics.enable=false",
    "offsets.topic.replication.factor=3",
    "min.insync.replicas=" .. n.knobs["min-insync"],
    "unclean.leader.election.enable=" .. n.knobs.unclean,
    "broker.session.timeout.ms=" .. n.knobs.session,
    "broker.heartbeat.interval.ms=1000",
    "replica.lag.time.max.ms=" .. n.knobs.lag,
    "log.segment.bytes=1048576",
  }, "\n") .. "\n"
end

system("kafka-real", {
  programs = {"kafka-server-start.sh", "kafka-storage.sh", "kafka-topics.sh", "java"},
  paths = {"/opt/kafka/bin"},
  driver = "program:drivers/kafka.py",
  port = client,
  nodes = {3, 7},
  knobs = {
    acks = {"all", "1", "0"},
    ["min-insync"] = {"2", "1", "3"},
    unclean = {"false", "true"},
    session = {"9000", "3000"}, -- ms until a silent broker is taken for dead
    lag = {"10000", "30000"},   -- ms until a silent replica is out of step; the second is theirs
  },
  like = function(knobs)
    return knobs.acks == "all" and knobs["min-insync"] ~= "1" and knobs.unclean == "false" and
      "mongodb-majority" or "mongodb-one"
  end,
  client = function(knobs)
    return string.format("acks=%s partitions=%d", knobs.acks, partitions)
  end,
  kept = "brokers as they are; a write is appended, a read asks the leader for the end of the " ..
    "log and fetches the record before it: two round trips",
  differs = "a log used as a register; acks=all waits for all replicas in step, however few " ..
    "those are, down to min.insync.replicas; records are acknowledged from memory",
  not_run = "no package in Debian; kafka.apache.org/downloads has one, below /opt/kafka",
  rate = 100,
  deadline = "2s",
  warmup = "10s", -- until Java has compiled what it needs
  cut = "30s",
  settle = "20s",
  ready = "120s",
  node = function(n)
    return {
      files = {["server.properties"] = properties(n)},
      -- 16 bytes in Base64: all nodes have the same.
      prepare = {{"kafka-storage.sh", "format", "--ignore-formatted", "--cluster-id",
        "cGFjZWxhYi1wYWNlbGFiLQ", "--config", "{dir}/server.properties"}},
      run = {{"kafka-server-start.sh", "{dir}/server.properties"}},
      after = n.number == (n.leader or 1) and {{"kafka-topics.sh", "--bootstrap-server",
        address(n, client), "--create", "--if-not-exists", "--topic", "kv", "--partitions",
        tostring(partitions), "--replication-factor", "3", retry = "100s"}} or {},
      env = {
        HOME = "{dir}",
        LOG_DIR = "{dir}",
        KAFKA_HEAP_OPTS = "-Xms192m -Xmx256m",
      },
    }
  end,
})

variant("kafka-real-one", {acks = "1"}, {
  differs = "a write is acknowledged by its leader alone, and is lost with it",
})
variant("kafka-real-zero", {acks = "0"}, {
  differs = "a producer hears nothing of a write: what was sent is taken for done, though a " ..
    "leader that was replaced throws it away",
})
variant("kafka-real-insync1", {["min-insync"] = "1"}, {
  differs = "a leader that all others have left acknowledges alone; nobody else may take over, " ..
    "unless unclean elections are allowed",
})
