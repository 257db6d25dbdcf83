-- SPDX-License-Identifier: MIT
-- nats.lua - NATS JetStream as a key-value store: one stream, led by one of its replicas
--
-- The last message of a subject is a key's value. No tool for streams is packaged, so a script
-- speaks NATS's own lines: it makes the stream, and has its leaders step down until the right one
-- leads. The server's PINGs come each second, whether there is an answer or not. Of more nodes than
-- replicas, who should lead has one and then one node of each site: they are tagged for it.

local lead = [[
set -u
box=_INBOX.$RANDOM$RANDOM$RANDOM
exec 3<>"/dev/tcp/$1/4222" || exit 1
ask() {
  printf 'PUB %s %s %d\r\n%s\r\n' "$1" "$box" "${#2}" "$2" >&3
  while [ "$SECONDS" -lt 4 ] && read -r -t 3 -u 3 line; do
    case $line in
    MSG*) read -r -t 3 -u 3 answer && return ;;
    PING*) printf 'PONG\r\n' >&3 ;;
    esac
  done
  echo "no answer to $1"
  exit 1
}
printf 'CONNECT {"verbose":false,"name":"pacelab"}\r\nSUB %s 1\r\n' "$box" >&3
ask '$JS.API.STREAM.CREATE.KV_lab' "$(cat stream.json)"
case $answer in *'"error"'*) echo "$answer" && exit 1 ;; esac
ask '$JS.API.STREAM.INFO.KV_lab' ''
case $answer in *"\"leader\":\"$2\""*) exit 0 ;; esac
case $answer in *'"cluster"'*) ;; *) exit 0 ;; esac
ask '$JS.API.STREAM.LEADER.STEPDOWN.KV_lab' ''
echo "it was not $2 who led"
exit 1
]]

-- Whether @n is to have a replica, one of @replicas.
local function holds(n, replicas)
  local order, sites, rest = {n.nodes[n.leader or 1]}, {}, {}

  sites[order[1].site] = true
  for _, node in ipairs(n.nodes) do
    if node.number ~= order[1].number then
      local to = sites[node.site] and rest or order

      to[#to + 1] = node
      sites[node.site] = true
    end
  end
  table.move(rest, 1, #rest, #order + 1, order)
  for i = 1, replicas do
    if order[i].number == n.number then
      return true
    end
  end
  return false
end

system("nats-real", {
  packages = {"nats-server"},
  programs = {"nats-server", "bash"},
  paths = {"/usr/sbin"},
  driver = "nats",
  port = 4222,
  nodes = {1, 7},
  knobs = {
    reads = {"leader", "direct"}, -- at the stream's leader, at whoever has a copy
    replicas = {"3", "5"},        -- of the stream, at most one a node
    ping = {"1s", "2m"},          -- between servers; the second is the default
  },
  like = function(knobs)
    return knobs.reads == "direct" and "etcd-serializable" or "mongodb-majority"
  end,
  client = function(knobs)
    return "reads=" .. knobs.reads
  end,
  kept = "the server from Debian's package: a stream of one message a subject, Raft, on disk",
  differs = "a leader that is cut off answers reads until it notices; timers of elections " ..
    "cannot be set, and a replica that comes back disturbs the others, for it asks nobody " ..
    "first; a compare-and-set is checked before what is under way is decided, so that both may " ..
    "take effect (nats-server, issue 4320)",
  rate = 200,
  deadline = "1s",
  cut = "30s",
  settle = "20s",
  ready = "60s",
  leader = true,
  node = function(n)
    local routes = {}
    for _, node in ipairs(n.nodes) do
      routes[#routes + 1] = "nats-route://" .. node.addr .. ":6222"
    end
    local replicas = math.min(math.tointeger(n.knobs.replicas), #n.nodes)
    local cluster = "cluster { name: lab, listen: \"" .. n.addr .. ":6222\", routes: [ " ..
      table.concat(routes, ", ") .. " ] }\n"
    local function to_lead(retry)
      return {{"bash", "{dir}/lead.sh", n.addr, "n" .. n.number, retry = retry}}
    end
    return {
      files = {
        ["nats.conf"] = "server_name: n" .. n.number .. "\n" ..
          "listen: \"" .. n.addr .. ":4222\"\n" ..
          "jetstream { store_dir: \"{dir}/store\", max_mem: 64M, max_file: 256M }\n" ..
          (#n.nodes > 1 and cluster or "") ..
          (#n.nodes > 1 and holds(n, replicas) and "server_tags: [\"copy\"]\n" or "") ..
          "ping_interval: \"" .. n.knobs.ping .. "\"\n" ..
          "ping_max: 2\n" ..
          "write_deadline: \"2s\"\n",
        ["stream.json"] = "{\"name\":\"KV_lab\",\"subjects\":[\"$KV.lab.>\"]," ..
          "\"retention\":\"limits\",\"storage\":\"file\",\"discard\":\"new\"," ..
          "\"max_consumers\":-1,\"max_msgs\":-1,\"max_bytes\":-1,\"max_age\":0," ..
          "\"max_msg_size\":-1,\"max_msgs_per_subject\":1,\"allow_direct\":true," ..
          (#n.nodes > 1 and "\"placement\":{\"tags\":[\"copy\"]}," or "") ..
          "\"num_replicas\":" .. replicas .. "}",
        ["lead.sh"] = lead,
      },
      run = {{"nats-server", "-c", "{dir}/nats.conf"}},
      after = n.number == (n.leader or 1) and to_lead("50s") or {},
      promote = to_lead("12s"),
    }
  end,
})

variant("nats-real-direct", {reads = "direct"}, {
  notices = true,
  differs = "a read is sent to any replica, however far and old; some are sent across a cut and " ..
    "lost until it is noticed, after 10 to 20 s; one that comes back answers before it has " ..
    "caught up",
})
