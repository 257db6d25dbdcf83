-- SPDX-License-Identifier: MIT
-- slapd.lua - OpenLDAP: every server takes writes, the newest by wall clock stays
--
-- Each provider follows all others and keeps, of each entry, what has the newest entryCSN: the
-- time on the clock of the server that took the write. A clock that is ahead wins against writes
-- that are later in truth: `ahead` sets that of the last node from its start. It cannot be changed
-- while slapd runs: libfaketime's function that would read the change, read_config_file(), has the
-- name of one of slapd's own.

local base = "dc=lab"

-- All entries are there from the start: two that are made apart under one name would be a conflict
-- of another kind.
local entries = 300

local function ldif()
  local out = {"dn: dc=lab\nobjectClass: dcObject\nobjectClass: organization\no: lab\ndc: lab\n"}
  for key = 0, entries - 1 do
    out[#out + 1] = string.format("dn: cn=k%d,dc=lab\nobjectClass: device\ncn: k%d\n", key, key)
  end
  out[#out + 1] = "dn: cn=ready,dc=lab\nobjectClass: device\ncn: ready\n"
  return table.concat(out, "\n")
end

local function config(n)
  local out = {
    "include /etc/ldap/schema/core.schema",
    "pidfile {dir}/pid",
    "argsfile {dir}/args",
    "modulepath /usr/lib/ldap",
    "moduleload back_mdb",
    "moduleload syncprov",
  }
  for _, node in ipairs(n.nodes) do
    out[#out + 1] = "serverID " .. node.number .. " ldap://" .. node.addr .. "/"
  end
  for _, line in ipairs {
    "database mdb",
    "maxsize 67108864",
    "suffix " .. base,
    "rootdn cn=admin," .. base,
    "rootpw lab",
    "directory {dir}",
    "index objectClass,entryCSN,entryUUID eq",
    n.knobs.sync == "no" and "dbnosync" or nil,
  } do
    out[#out + 1] = line
  end
  for _, node in ipairs(n.nodes) do
    if node.number ~= n.number then
      out[#out + 1] = string.format(
        'syncrepl rid=%03d provider=ldap://%s bindmethod=simple binddn=cn=admin,%s ' ..
        'credentials=lab searchbase=%s type=%s retry="1 +" timeout=1 network-timeout=1 ' ..
        'keepalive=1:2:1', node.number, node.addr, base, base,
        n.knobs.replication == "persist" and "refreshAndPersist"
          or "refreshOnly interval=00:00:00:01")
    end
  end
  for _, line in ipairs {
    "multiprovider on",
    "overlay syncprov",
    "syncprov-checkpoint 100 1",
    "syncprov-sessionlog 10000",
  } do
    out[#out + 1] = line
  end
  return table.concat(out, "\n") .. "\n"
end

system("slapd-real", {
  packages = {"slapd", "faketime"},
  programs = {"slapd", "slapadd", "faketime"},
  paths = {"/usr/sbin"},
  driver = "ldap",
  port = 389,
  nodes = {2, 9},
  knobs = {
    replication = {"persist", "poll"}, -- a connection that stays, or one each second
    sync = {"yes", "no"},              -- the disk has it before the answer
    ahead = {"0", "0.5", "2", "10"},   -- seconds, the last node's clock
  },
  like = "cassandra-one",
  client = "base=" .. base .. " user=cn=admin," .. base .. " password=lab",
  kept = "Debian's slapd, every server a provider that follows all others",
  differs = "all servers have all data, so nothing is asked of another one; no repair but " ..
    "replication itself; what was written in the past by the entry's own clock is not passed " ..
    "on; an older change that arrives while a newer one is written may stay there, for good",
  rate = 200,
  settle = "5s",
  ready = "20s",
  leader = false,
  node = function(n)
    local first = n.number == (n.leader or 1)
    local run = {"slapd", "-d", "none", "-h", "ldap://" .. n.addr .. "/", "-f", "{dir}/slapd.conf"}
    if n.knobs.ahead ~= "0" and n.number == #n.nodes then
      run = {
        "faketime", "-m", "--exclude-monotonic", "-f", "+" .. n.knobs.ahead .. "s",
        table.unpack(run),
      }
    end
    return {
      files = {["slapd.conf"] = config(n), ["base.ldif"] = first and ldif() or "\n"},
      prepare = first and {{
        "slapadd", "-S", tostring(n.number), "-w", "-f", "{dir}/slapd.conf",
        "-l", "{dir}/base.ldif",
      }} or {},
      run = {run},
    }
  end,
})

variant("slapd-real-poll", {replication = "poll"})
variant("slapd-real-ahead", {ahead = "10"}, {
  apart = true,
  differs = "a write to what the clock that is ahead has dated stays where it was made, and the " ..
    "others keep the older one: replicas differ for good",
})
