-- SPDX-License-Identifier: MIT
-- consul.lua - Consul: Raft; reads of the leader, of the leader after a majority, or of anybody
--
-- Written by the documentation of Consul 1.15 to 1.20, not run here: Debian has no package.
-- raft_multiplier stretches all of Raft's timers; 5 is the server's own default, 1 what its
-- documentation wants in production.

local http = 8500

local function id(node)
  return string.format("00000000-0000-0000-0000-%012d", node.number)
end

local function config(n)
  local others = {}
  for i, node in ipairs(n.nodes) do
    others[i] = '"' .. node.addr .. '"'
  end
  return string.format([[
{
  "server": true,
  "bootstrap_expect": %d,
  "node_name": "%s",
  "node_id": "%s",
  "bind_addr": "%s",
  "client_addr": "%s",
  "retry_join": [%s],
  "retry_interval": "1s",
  "ports": {"http": %d, "dns": -1, "grpc": -1, "grpc_tls": -1},
  "performance": {"raft_multiplier": %s},
  "connect": {"enabled": false},
  "leave_on_terminate": false,
  "skip_leave_on_interrupt": true,
  "disable_update_check": true,
  "log_level": "INFO"
}
]], #n.nodes, n.name, id(n), n.addr, n.addr, table.concat(others, ", "), http,
    n.knobs.raft_multiplier)
end

-- Leadership is handed over by the one that has it: any server passes the request on.
local function lead(n, retry)
  return {"consul", "operator", "raft", "transfer-leader",
    "-http-addr=http://" .. n.addr .. ":" .. http, "-id=" .. id(n), retry = retry}
end

-- The same, where it may lead already: then there is nobody to hand over to.
local function lead_first(n)
  return {"sh", "-c", string.format([[
addr=-http-addr=http://%s:%d
consul operator raft list-peers $addr | grep -qE ' %s .* leader ' ||
  exec consul operator raft transfer-leader $addr -id=%s]], n.addr, http, id(n), id(n)),
    retry = "30s"}
end

system("consul-real", {
  programs = {"consul"},
  driver = "consul",
  port = http,
  nodes = {3, 7},
  knobs = {
    reads = {"default", "consistent", "stale"},
    raft_multiplier = {"5", "1"},
  },
  like = function(knobs)
    local like = {default = "mongodb-majority", consistent = "raft", stale = "etcd-serializable"}
    return like[knobs.reads]
  end,
  client = function(knobs)
    return "reads=" .. knobs.reads
  end,
  kept = "servers alone, by the HTTP API of the nearest one, which forwards to the leader",
  differs = "a leader answers reads as long as it has not noticed that it was cut off; a server " ..
    "that knows no leader holds a request back for up to 7 s and tries again by itself",
  not_run = "no package in Debian; developer.hashicorp.com/consul/install has one",
  rate = 200,
  deadline = "1s",
  cut = "25s",
  settle = "15s",
  ready = "40s",
  leader = true,
  node = function(n)
    return {
      files = {["consul.json"] = config(n)},
      run = {{"consul", "agent", "-config-file={dir}/consul.json", "-data-dir={dir}/consul"}},
      after = n.number == n.leader and {lead_first(n)} or {},
      promote = {lead(n)},
    }
  end,
})

variant("consul-real-consistent", {reads = "consistent"}, {
  differs = "the leader asks a majority whether it still leads before it answers a read",
})
variant("consul-real-stale", {reads = "stale"}, {
  differs = "any server answers a read with what it has, however long it has heard of no leader",
})
