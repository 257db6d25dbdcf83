-- SPDX-License-Identifier: MIT
-- dns.lua - one DNS zone: BIND has it and takes updates, NSD and Knot have copies, unbound caches
--
-- Every node has an authoritative server. With reads=cache each has a cache beside it that asks it;
-- clients then ask the nearest cache. Times are seconds, for a zone of the world they are hours.

local port, cache_port = 53, 5300

local function zone(n)
  local lines = {
    "$TTL 5",
    string.format("@ IN SOA %s.lab. root.lab. 1 2 1 %s 1", n.nodes[n.leader].name, n.knobs.expire),
  }

  for _, node in ipairs(n.nodes) do
    lines[#lines + 1] = "@ IN NS " .. node.name .. ".lab."
    lines[#lines + 1] = node.name .. " IN A " .. node.addr
  end
  return table.concat(lines, "\n") .. "\n"
end

local function bind(n)
  local others = ""

  for _, node in ipairs(n.nodes) do
    if node.number ~= n.number then
      others = others .. node.addr .. "; "
    end
  end
  return string.format([[
options {
  directory "{dir}"; pid-file "{dir}/named.pid"; session-keyfile "{dir}/session.key";
  listen-on port %d { %s; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; allow-query { any; }; allow-transfer { any; };
  notify %s; also-notify { %s}; notify-delay 0;
};
controls { };
zone "lab" { type primary; file "lab.zone"; allow-update { any; }; };
]], port, n.addr, n.knobs.notify == "yes" and "explicit" or "no", others)
end

local function nsd(n)
  local primary = n.nodes[n.leader].addr

  return string.format([[
server:
  ip-address: %s
  port: %d
  do-ip6: no
  username: ""
  zonesdir: "{dir}"
  pidfile: "{dir}/nsd.pid"
  zonelistfile: "{dir}/zone.list"
  xfrdfile: "{dir}/xfrd.state"
  xfrdir: "{dir}"
  database: ""
  server-count: 1
  xfrd-reload-timeout: 0
  rrl-ratelimit: 0
  verbosity: 1
remote-control:
  control-enable: no
zone:
  name: "lab"
  zonefile: "lab.zone"
  allow-notify: %s NOKEY
  request-xfr: %s NOKEY
  min-refresh-time: 1
  min-retry-time: 1
]], n.addr, port, primary, primary)
end

local function knot(n)
  local primary = n.nodes[n.leader].addr

  return string.format([[
server:
  rundir: "{dir}"
  listen: %s@%d
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "{dir}"
log:
  - target: stderr
    any: info
remote:
  - id: primary
    address: %s@%d
acl:
  - id: notify
    address: %s
    action: notify
zone:
  - domain: lab
    storage: "{dir}"
    master: primary
    acl: notify
]], n.addr, port, primary, port, primary)
end

local function unbound(n)
  return string.format([[
server:
  interface: %s
  port: %d
  access-control: 0.0.0.0/0 allow
  do-ip6: no
  username: ""
  chroot: ""
  directory: "{dir}"
  pidfile: "{dir}/unbound.pid"
  use-syslog: no
  module-config: "iterator"
  num-threads: 1
  do-not-query-localhost: no
  target-fetch-policy: "0 0 0 0 0"
  infra-host-ttl: 1
  serve-expired: %s
remote-control:
  control-enable: no
stub-zone:
  name: "lab"
  stub-addr: %s@%d
  stub-prime: no
]], n.addr, cache_port, n.knobs["serve-expired"], n.addr, port)
end

-- The primary, then by turns one of either kind.
local function server(n)
  if n.number == n.leader then
    return {files = {["named.conf"] = bind(n)}, once = {["lab.zone"] = zone(n)},
      run = {{"named", "-g", "-4", "-n", "1", "-c", "{dir}/named.conf"}}}
  end
  -- Who finds no primary at its start looks for it ever more seldom.
  local wait = {{"dig", "+short", "+tcp", "+time=1", "+tries=1", "-p", tostring(port),
    "@" .. n.nodes[n.leader].addr, "lab", "SOA", retry = "15s"}}

  if (n.number - n.leader) % #n.nodes % 2 == 1 then
    return {files = {["nsd.conf"] = nsd(n)}, prepare = wait,
      run = {{"nsd", "-d", "-c", "{dir}/nsd.conf"}}}
  end
  return {files = {["knot.conf"] = knot(n)}, prepare = wait,
    run = {{"knotd", "-c", "{dir}/knot.conf"}}}
end

-- Every node has a copy, and a cache nothing but what it asked for: to our dns, whose nodes are
-- either, caches are of nodes without a copy.
local function like(knobs)
  local cache = knobs.reads == "cache"
  local stale = knobs["serve-expired"] == "yes"

  if knobs.reads == "primary" then
    return "zone"
  end
  return string.format("dns secondaries=%d notify=%s refresh=2s retry=1s ttl=%ss serve_stale=%s " ..
    "expire=%s", cache and 1 or 8, knobs.notify, knobs.ttl, stale and "24h" or "0s",
    cache and stale and "0s" or knobs.expire .. "s")
end

system("dns-real", {
  packages = {"bind9", "bind9-dnsutils", "nsd", "knot", "unbound"},
  programs = {"named", "dig", "nsd", "knotd", "unbound"},
  driver = "dns",
  port = port,
  nodes = {3, 5},
  knobs = {
    reads = {"server", "cache", "primary"},
    ttl = {"5", "1", "30"},
    expire = {"3600", "5"},
    notify = {"yes", "no"},
    ["serve-expired"] = {"no", "yes"},
  },
  like = like,
  client = function(knobs)
    return string.format("zone=lab ttl=%s reads=%s cache_port=%d", knobs.ttl, knobs.reads,
      cache_port)
  end,
  kept = "BIND takes dynamic updates and notifies; NSD and Knot transfer the zone and answer",
  differs = "an update goes to the primary alone and is not forwarded; there are no caches, " ..
    "copies are up to a second old while all is well and until 3 s after a cut",
  rate = 200,
  deadline = "500ms",
  cut = "15s",
  settle = "8s",
  ready = "20s",
  leader = true,
  node = function(n)
    local has = server(n)

    if n.knobs.reads == "cache" then
      has.files["unbound.conf"] = unbound(n)
      has.run[#has.run + 1] = {"unbound", "-d", "-c", "{dir}/unbound.conf"}
    end
    return has
  end,
})

-- A cache answers with what it has until the record's TTL is over, whatever was written meanwhile.
variant("dns-real-cache", {reads = "cache"}, {
  differs = "a cache asks its own node's server, when the TTL of what it has is over; nobody " ..
    "tells it of a change",
  settle = "14s",
})
