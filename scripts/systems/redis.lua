-- SPDX-License-Identifier: MIT
-- redis.lua - Redis: a primary, replicas and Sentinel, a server and a Sentinel on each node
--
-- Clients ask the nearest Sentinel for the primary. Without down-after and failover-timeout as
-- short as here a failover takes minutes: Redis ships with 30 s and 180 s.

local server, sentinel = 6379, 26379

-- "1s" in milliseconds
local function ms(text)
  return string.match(text, "^%d+") * 1000
end

local function majority(n)
  return #n.nodes // 2 + 1
end

local function redis_conf(n, leader)
  local conf = {
    "bind " .. n.addr,
    "port " .. server,
    "protected-mode no",
    'save ""',
    "appendonly " .. (n.knobs.appendfsync == "none" and "no" or "yes"),
    "appendfsync " .. (n.knobs.appendfsync == "none" and "no" or n.knobs.appendfsync),
    "repl-diskless-sync-delay 0", -- replicas would wait 5 s for others to join in
    "repl-ping-replica-period 1",
    "repl-timeout 3",
    "min-replicas-to-write " .. n.knobs["min-replicas"],
    "min-replicas-max-lag 2",
    "client-output-buffer-limit replica 0 0 0",
  }
  if n.number ~= n.leader then
    conf[#conf + 1] = "replicaof " .. leader .. " " .. server
  end
  return table.concat(conf, "\n") .. "\n"
end

-- It writes down here what it watches and whom it knows.
local function sentinel_conf(n)
  return table.concat({"bind " .. n.addr, "port " .. sentinel, "protected-mode no"}, "\n") .. "\n"
end

-- A Sentinel asks a primary for its replicas at once, and then every 10 s: it is told of the
-- primary when that has all of them.
local function attached(n, leader)
  return {"sh", "-c", string.format("redis-cli -e -h %s -p %d PING && " ..
    "[ $(redis-cli -h %s -p %d INFO replication | grep -c state=online) -eq %d ]",
    n.addr, sentinel, leader, server, #n.nodes - 1), retry = "20s"}
end

-- By hand, as an operator does it who takes the primary for dead: SENTINEL FAILOVER would choose
-- the replica itself. This node's Sentinel begins anew with the primary that it is told.
local function watch(n, leader)
  local function tell(...)
    return {"redis-cli", "-e", "-h", n.addr, "-p", tostring(sentinel), "SENTINEL", ...}
  end
  return tell("REMOVE", "m"),
    tell("MONITOR", "m", leader, tostring(server), tostring(majority(n))),
    tell("SET", "m", "down-after-milliseconds", tostring(ms(n.knobs["down-after"])),
      "failover-timeout", tostring(ms(n.knobs["failover-timeout"])),
      "parallel-syncs", tostring(#n.nodes))
end

local function replicaof(n, ...)
  return {"redis-cli", "-e", "-h", n.addr, "-p", tostring(server), "REPLICAOF", ...}
end

system("redis-real", {
  packages = {"redis-server"},
  programs = {"redis-server", "redis-cli"},
  driver = "redis",
  port = server,
  nodes = {3, 5},
  knobs = {
    reads = {"leader", "local"},
    wait = {"0", "1", "2"},
    ["min-replicas"] = {"0", "1", "2"},
    appendfsync = {"everysec", "always", "no", "none"}, -- none: no file at all
    ["down-after"] = {"1s", "5s", "30s"},
    ["failover-timeout"] = {"2s", "5s", "180s"},
  },
  like = function(knobs)
    if knobs.reads == "local" then
      return "redis-replicas"
    end
    return knobs.wait == "0" and "redis-sentinel" or "redis-wait"
  end,
  client = function(knobs)
    return string.format("topology=sentinel master=m sentinel_port=%d reads=%s wait=%s",
      sentinel, knobs.reads, knobs.wait)
  end,
  kept = "servers, Sentinels and their vote as Debian has them; clients find the primary by the " ..
    "nearest Sentinel, check its role and hold on to it, as client libraries do",
  differs = "Sentinels on the larger side promote a replica by vote, and the old primary goes " ..
    "on acknowledging until some 10 s after the cut: ours is told at once when it heals",
  rate = 1000,
  deadline = "500ms",
  cut = "20s",
  settle = "20s",
  ready = "30s",
  leader = true,
  node = function(n)
    local leader = n.nodes[n.leader].addr
    local remove, monitor, set = watch(n, n.addr)
    local forget, follow, tune = watch(n, "{leader}")
    local _, begin, first = watch(n, leader)

    return {
      -- Both programs write down here who leads now.
      once = {["redis.conf"] = redis_conf(n, leader), ["sentinel.conf"] = sentinel_conf(n)},
      run = {
        {"redis-server", "redis.conf"},
        {"redis-server", "sentinel.conf", "--sentinel"},
      },
      after = {attached(n, leader), begin, first},
      promote = {replicaof(n, "NO", "ONE"), remove, monitor, set},
      follow = {replicaof(n, "{leader}", tostring(server)), forget, follow, tune},
    }
  end,
})

-- A write is acknowledged when so many replicas have it in memory; it stays if they do not.
variant("redis-real-wait1", {wait = "1"}, {
  differs = "WAIT says after the write how many replicas have it, and does not undo: what too " ..
    "few have can be read at once and may stay; ours shows it no later either, and waits for disks",
})
variant("redis-real-wait2", {wait = "2"}, {
  differs = "with three nodes one replica that is gone is enough and no write is acknowledged, " ..
    "though all of them take effect",
})

-- The primary stops by itself when it has heard of no replica for 2 s.
variant("redis-real-minreplicas", {["min-replicas"] = "1"}, {
  differs = "a primary that is cut off refuses writes after 2 to 3 s; what it acknowledged " ..
    "until then is lost all the same",
})

variant("redis-real-local", {reads = "local"}, {
  differs = "replicas answer with what they have, for as long as the cut lasts and until they " ..
    "have caught up; Sentinels choose the next primary by vote",
})
