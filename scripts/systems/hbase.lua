-- SPDX-License-Identifier: MIT
-- hbase.lua - HBase on HDFS: one server has the region, copies of it answer reads that may be old
--
-- Written by the books of HBase 2.5 and Hadoop 3.3, not run here: Debian has neither. Each node has
-- a DataNode, ZooKeeper, a master (one is active), a region server and a Thrift gateway: that is
-- some 2 GB. The first leader has HDFS's only NameNode, so what is cut off from that one stops.

local namenode, datanode, zookeeper, gateway = 8020, 9866, 2181, 9090

local function leader(n)
  return n.nodes[n.leader or 1]
end

local function xml(properties)
  local lines = {}
  for name, value in pairs(properties) do
    lines[#lines + 1] = string.format("  <property><name>%s</name><value>%s</value></property>",
      name, tostring(value))
  end
  table.sort(lines)
  return '<?xml version="1.0"?>\n<configuration>\n' .. table.concat(lines, "\n") ..
    "\n</configuration>\n"
end

local function root(n)
  return "hdfs://" .. leader(n).addr .. ":" .. namenode
end

local function hdfs_site(n)
  return xml({
    ["dfs.replication"] = 3,
    ["dfs.permissions.enabled"] = "false",
    ["dfs.namenode.name.dir"] = "{dir}/name",
    ["dfs.datanode.data.dir"] = "{dir}/data",
    ["dfs.namenode.http-address"] = leader(n).addr .. ":9870",
    ["dfs.namenode.datanode.registration.ip-hostname-check"] = "false",
    ["dfs.datanode.hostname"] = n.addr,
    ["dfs.datanode.address"] = n.addr .. ":" .. datanode,
    ["dfs.datanode.ipc.address"] = n.addr .. ":9867",
    ["dfs.datanode.http.address"] = n.addr .. ":9864",
    ["dfs.client.socket-timeout"] = 5000,
    -- With three nodes there is none to put in the place of one that is gone.
    ["dfs.client.block.write.replace-datanode-on-failure.policy"] = "NEVER",
  })
end

local function hbase_site(n)
  local quorum = {}
  for i, node in ipairs(n.nodes) do
    quorum[i] = node.addr
  end
  return xml({
    ["hbase.rootdir"] = root(n) .. "/hbase",
    ["hbase.cluster.distributed"] = "true",
    ["hbase.unsafe.stream.capability.enforce"] = "false",
    ["hbase.tmp.dir"] = "{dir}/tmp",
    ["hbase.zookeeper.quorum"] = table.concat(quorum, ","),
    ["hbase.zookeeper.property.clientPort"] = zookeeper,
    ["hbase.zookeeper.property.dataDir"] = "{dir}/zookeeper",
    ["hbase.zookeeper.property.tickTime"] = 1000,
    ["hbase.zookeeper.property.maxSessionTimeout"] = 90000,
    ["zookeeper.session.timeout"] = n.knobs.session,
    ["hbase.master.hostname"] = n.addr,
    ["hbase.master.info.port"] = -1,
    ["hbase.regionserver.hostname"] = n.addr,
    ["hbase.regionserver.info.port"] = -1,
    ["hbase.thrift.info.port"] = -1,
    -- The gateway is a client: it is to ask once.
    ["hbase.client.retries.number"] = 0,
    ["hbase.rpc.timeout"] = 5000,
    ["hbase.client.operation.timeout"] = 5000,
    ["hbase.region.replica.replication.enabled"] = "true",
    ["hbase.regionserver.storefile.refresh.period"] = 1000,
    ["hbase.client.primaryCallTimeout.get"] = 10000, -- us, then copies are asked, too
  })
end

-- Nobody waits for anybody by himself: what is asked for must listen first.
local function after(addr, port, ...)
  return {"bash", "-c", string.format(
    'until (exec 3<>/dev/tcp/%s/%d) 2>/dev/null; do sleep 0.5; done; exec "$@"', addr, port),
    "after", ...}
end

local create = [[
echo "exists 'kv'" | hbase shell -n | grep -q 'does exist' ||
  echo "create 'kv', {NAME => 'f', VERSIONS => 1}, {REGION_REPLICATION => 3}" | hbase shell -n]]

system("hbase-real", {
  programs = {"hbase", "hdfs", "java", "bash"},
  paths = {"/opt/hbase/bin", "/opt/hadoop/bin"},
  driver = "program:drivers/hbase.py",
  port = gateway,
  nodes = {3, 5},
  knobs = {
    reads = {"strong", "timeline"},
    session = {"10000", "90000"}, -- ms without a sign of life, then a server's regions move
  },
  like = function(knobs)
    return knobs.reads == "timeline" and "redis-replicas" or "hbase"
  end,
  client = function(knobs)
    return "reads=" .. knobs.reads
  end,
  kept = "HBase's servers on HDFS's, by the Thrift gateway of the nearest node, which asks the " ..
    "region's server",
  differs = "HDFS has one NameNode, on the first leader: who cannot reach it writes nothing; a " ..
    "write is acknowledged from the memory of three DataNodes; a region moves when a session ends",
  not_run = "neither HBase nor Hadoop is in Debian; hbase.apache.org/downloads.html and " ..
    "hadoop.apache.org/releases.html have them, below /opt/hbase and /opt/hadoop",
  rate = 50,
  deadline = "2s",
  warmup = "10s", -- until Java has compiled what it needs
  cut = "40s", -- the session, and the time to split a log and open the region elsewhere
  settle = "30s",
  ready = "240s",
  leader = true,
  node = function(n)
    local first = n.number == leader(n).number
    local folders = {"mkdir", "-p", "{dir}/name", "{dir}/data", "{dir}/tmp", "{dir}/zookeeper"}
    local format = {"hdfs", "namenode", "-format", "-force", "-nonInteractive"}
    local run = {
      after(leader(n).addr, namenode, "hdfs", "datanode"),
      {"hbase", "zookeeper", "start"},
      after(leader(n).addr, namenode, "hbase", "master", "start"),
      after(leader(n).addr, namenode, "hbase", "regionserver", "start"),
      after(n.addr, zookeeper, "hbase", "thrift2", "start", "-f", "-b", n.addr, "-p",
        tostring(gateway)),
    }
    if first then
      table.insert(run, 1, {"hdfs", "namenode"})
    end
    return {
      files = {
        ["hadoop/core-site.xml"] = xml({["fs.defaultFS"] = root(n)}),
        ["hadoop/hdfs-site.xml"] = hdfs_site(n),
        ["hbase/core-site.xml"] = xml({["fs.defaultFS"] = root(n)}),
        ["hbase/hdfs-site.xml"] = hdfs_site(n),
        ["hbase/hbase-site.xml"] = hbase_site(n),
      },
      prepare = first and {folders, format} or {folders},
      run = run,
      after = first and {{"bash", "-c", "set -o pipefail\n" .. create, retry = "200s"}} or {},
      env = {
        HOME = "{dir}",
        JAVA_HOME = "/usr/lib/jvm/default-java",
        HADOOP_CONF_DIR = "{dir}/hadoop",
        HADOOP_LOG_DIR = "{dir}",
        HADOOP_HEAPSIZE_MAX = "192m",
        HADOOP_ROOT_LOGGER = "INFO,console",
        HBASE_CONF_DIR = "{dir}/hbase",
        HBASE_LOG_DIR = "{dir}",
        HBASE_HEAPSIZE = "256m",
        HBASE_ROOT_LOGGER = "INFO,console",
        HBASE_MANAGES_ZK = "false", -- it is started here
        HBASE_DISABLE_HADOOP_CLASSPATH_LOOKUP = "true",
      },
    }
  end,
})

variant("hbase-real-timeline", {reads = "timeline"}, {
  differs = "where the region's server is slow a copy answers, by what it was told of the log " ..
    "or found in files: old, and not always in one order",
})
