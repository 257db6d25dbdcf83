-- SPDX-License-Identifier: MIT
-- redis-cluster.lua - Redis Cluster: each node has a master of some keys and a replica of others
--
-- Who is cut off from most masters stops after cluster-node-timeout; until then it acknowledges
-- what the replica that is promoted on the other side does not have. Of five masters the fifth has
-- none of k0 to k9 (CRC-16 puts like names side by side): a lab needs more keys to see it cut off.

local first, second = 6379, 6380 -- their buses are at 16379 and 16380

local function conf(n, port)
  return table.concat({
    "bind " .. n.addr,
    "port " .. port,
    "protected-mode no",
    'save ""',
    "appendonly " .. (n.knobs.appendfsync == "none" and "no" or "yes"),
    "appendfsync " .. (n.knobs.appendfsync == "none" and "no" or n.knobs.appendfsync),
    "appenddirname aof-" .. port,
    "dbfilename dump-" .. port .. ".rdb",
    "cluster-enabled yes",
    "cluster-config-file nodes-" .. port .. ".conf",
    "cluster-node-timeout " .. string.match(n.knobs["node-timeout"], "^%d+") * 1000,
    "cluster-require-full-coverage no", -- keys of other masters are not given up for one
    "repl-diskless-sync-delay 0",
    "repl-ping-replica-period 1",
  }, "\n") .. "\n"
end

local function create(n)
  local commands, make = {}, {"redis-cli", "--cluster", "create"}

  for _, port in ipairs({first, second}) do
    for _, node in ipairs(n.nodes) do
      make[#make + 1] = node.addr .. ":" .. port
      commands[#commands + 1] = {"redis-cli", "-e", "-h", node.addr, "-p", tostring(port), "PING",
        retry = "15s"}
    end
  end
  for _, word in ipairs({"--cluster-replicas", "1", "--cluster-yes"}) do
    make[#make + 1] = word
  end
  commands[#commands + 1] = make
  return commands
end

system("redis-cluster-real", {
  packages = {"redis-server"},
  programs = {"redis-server", "redis-cli"},
  driver = "redis",
  port = first,
  nodes = {3, 5},
  knobs = {
    wait = {"0", "1"},
    appendfsync = {"everysec", "always", "no", "none"},
    ["node-timeout"] = {"1s", "5s", "15s"},
  },
  like = function(knobs)
    return knobs.wait == "0" and "redis-sentinel" or "redis-wait"
  end,
  client = function(knobs)
    return "topology=cluster servers=2 wait=" .. knobs.wait
  end,
  kept = "as many masters as nodes, a replica of each on another node, their vote, MOVED",
  differs = "each node orders the writes of its own share of the keys, so a cut takes some keys " ..
    "from everybody for a while and others from nobody; ours has one primary for all of them",
  rate = 1000,
  deadline = "500ms",
  cut = "15s",
  settle = "8s",
  ready = "40s",
  leader = false,
  node = function(n)
    return {
      once = {
        ["redis-" .. first .. ".conf"] = conf(n, first),
        ["redis-" .. second .. ".conf"] = conf(n, second),
      },
      run = {
        {"redis-server", "redis-" .. first .. ".conf"},
        {"redis-server", "redis-" .. second .. ".conf"},
      },
      after = n.number == 1 and create(n) or {},
    }
  end,
})

variant("redis-cluster-real-wait1", {wait = "1"}, {
  differs = "a master promoted on the large side has its only replica beyond the cut: it " ..
    "acknowledges nothing until that is over, though its writes take effect",
})
