-- SPDX-License-Identifier: MIT
-- etcd.lua - etcd: Raft, reads that ask a majority or the nearest member alone
--
-- As it is installed it has no pre-vote: a member that was cut off comes back with a higher term
-- and deposes a leader that was well. prevote=yes spares that.

local function urls(port, n)
  return "http://" .. n.addr .. ":" .. port
end

-- Leadership is handed over by the member that has it, to a member by its id.
local function lead(n)
  local all = {}
  for _, node in ipairs(n.nodes) do
    all[#all + 1] = urls(2379, node)
  end
  local self = urls(2379, n)
  local ctl = "etcdctl --dial-timeout=500ms --command-timeout=2s --endpoints="
  return {"sh", "-c", string.format([[
id=$(%s%s endpoint status | awk -F', ' '{ print $2 }')
leader=$(%s%s endpoint status | awk -F', ' '$5 == "true" { print $1; exit }')
[ -n "$id" ] && [ -n "$leader" ] || exit 1
[ "$leader" = "%s" ] || exec %s$leader move-leader $id]],
    ctl, self, ctl, table.concat(all, ","), self, ctl)}
end

system("etcd-real", {
  packages = {"etcd-server", "etcd-client"},
  programs = {"etcd", "etcdctl"},
  driver = "etcd",
  port = 2379,
  nodes = {3, 7},
  knobs = {
    reads = {"linearizable", "serializable"},
    prevote = {"no", "yes"},
    heartbeat = {"100", "50", "500"},   -- ms
    election = {"1000", "500", "5000"}, -- ms, at least five heartbeats
    fsync = {"always", "never"},        -- never: --unsafe-no-fsync
  },
  like = function(knobs)
    return knobs.reads == "serializable" and "etcd-serializable" or "etcd"
  end,
  client = function(knobs)
    return "reads=" .. knobs.reads
  end,
  kept = "the server from Debian's package, by its JSON gateway; any member forwards writes",
  differs = "no pre-vote unless it is asked for: who was cut off deposes a leader that is well " ..
    "when it comes back; requests wait for a leader, up to 7 s, where ours are refused",
  rate = 200,
  deadline = "1s",
  cut = "10s",
  settle = "8s", -- elections after the heal took up to 4.1 s
  ready = "20s",
  leader = true,
  node = function(n)
    local knobs = n.knobs
    if tonumber(knobs.election) < 5 * tonumber(knobs.heartbeat) then
      error("etcd wants election of at least five heartbeats: --set election=5000")
    end
    local cluster = {}
    for _, node in ipairs(n.nodes) do
      cluster[#cluster + 1] = node.name .. "=" .. urls(2380, node)
    end
    local run = {
      "etcd", "--name", n.name, "--data-dir", "{dir}/etcd",
      "--listen-peer-urls", urls(2380, n), "--initial-advertise-peer-urls", urls(2380, n),
      "--listen-client-urls", urls(2379, n), "--advertise-client-urls", urls(2379, n),
      "--initial-cluster", table.concat(cluster, ","), "--initial-cluster-state", "new",
      "--initial-cluster-token", "{cluster}",
      "--heartbeat-interval", knobs.heartbeat, "--election-timeout", knobs.election,
      "--logger", "zap", "--log-outputs", "stderr",
    }
    if knobs.prevote == "yes" then
      run[#run + 1] = "--pre-vote"
    end
    if knobs.fsync == "never" then
      run[#run + 1] = "--unsafe-no-fsync"
    end
    local first = lead(n)
    first.retry = "15s"
    return {
      run = {run},
      after = n.number == n.leader and {first} or {},
      promote = {lead(n)},
    }
  end,
})

variant("etcd-real-serializable", {reads = "serializable"})
variant("etcd-real-prevote", {prevote = "yes"})
