-- SPDX-License-Identifier: MIT
-- zookeeper.lua - Apache ZooKeeper: Zab, reads from any server's own data, sync where asked for
--
-- tick is what heartbeats and elections count in: a follower gives up its leader after
-- syncLimit ticks of silence, and a leader its office when it hears of no majority for as long.

local jars = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar"

-- The highest number wins the first election, when nobody has any data.
local function id(node, n)
  return (node.number - (n.leader or 1) - 1) % #n.nodes + 1
end

system("zookeeper-real", {
  packages = {"openjdk-17-jre-headless", "libzookeeper-java", "libslf4j-java"},
  programs = {"java", "/usr/share/java/zookeeper.jar", "/usr/share/java/slf4j-simple.jar"},
  driver = "zookeeper",
  port = 2181,
  nodes = {3, 9},
  knobs = {
    reads = {"local", "sync"},
    tick = {"500", "2000", "1000", "200"}, -- ms
    syncLimit = {"4", "5", "2", "10"},     -- ticks
    initLimit = {"10", "5", "20"},         -- ticks that a follower has to get all data
    forceSync = {"yes", "no"},             -- acknowledge before or after the disk has it
  },
  like = function(knobs)
    return knobs.reads == "sync" and "zookeeper-sync" or "zookeeper"
  end,
  client = function(knobs)
    return "reads=" .. knobs.reads .. " session=" .. 8 * tonumber(knobs.tick)
  end,
  kept = "the server from Debian's package, a session per client and only with the nearest server",
  differs = "a server that is cut off answers plain reads for syncLimit ticks and nothing then; " ..
    "sync asks the leader, not a majority; a session's reads wait behind its stuck write",
  rate = 200,
  deadline = "1s",
  warmup = "5s", -- until Java has compiled what it needs
  cut = "10s",
  settle = "6s",
  ready = "30s",
  leader = true,
  node = function(n)
    local config = {
      "tickTime=" .. n.knobs.tick,
      "syncLimit=" .. n.knobs.syncLimit,
      "initLimit=" .. n.knobs.initLimit,
      "dataDir={dir}",
      "clientPort=2181",
      "clientPortAddress=" .. n.addr,
      "maxClientCnxns=0",
      "admin.enableServer=false",
      "4lw.commands.whitelist=srvr,stat,mntr,ruok",
    }
    for _, node in ipairs(n.nodes) do
      config[#config + 1] = "server." .. id(node, n) .. "=" .. node.addr .. ":2888:3888"
    end
    return {
      files = {
        ["zoo.cfg"] = table.concat(config, "\n") .. "\n",
        myid = id(n, n) .. "\n",
      },
      run = {{
        "java", "-Xms32m", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData", "-Djava.io.tmpdir={dir}", "-Dzookeeper.jmx.log4j.disable=true",
        "-Dzookeeper.forceSync=" .. n.knobs.forceSync,
        -- Else it says a line each time that it is asked how it is, and ten for each client that it
        -- turns away.
        "-Dorg.slf4j.simpleLogger.log.org.apache.zookeeper.server.NIOServerCnxn=error", "-cp", jars,
        "org.apache.zookeeper.server.quorum.QuorumPeerMain", "{dir}/zoo.cfg",
      }},
    }
  end,
})

variant("zookeeper-real-sync", {reads = "sync"})

-- As it is installed: it takes 10 s to see that a leader is gone.
variant("zookeeper-real-default-ticks", {tick = "2000", syncLimit = "5"}, {
  cut = "25s", settle = "12s", ready = "40s",
})
