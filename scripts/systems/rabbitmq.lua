-- SPDX-License-Identifier: MIT
-- rabbitmq.lua - RabbitMQ: quorum queues (Raft), or mirrored classic queues
--
-- A key is a queue, its value the last message: see agent/load/plugins/rabbitmq.c. partition is
-- cluster_partition_handling: who is in a minority pauses, or the smaller side throws away what it
-- has when it comes back (autoheal), or nobody does anything. tick is net_ticktime: how long a
-- silent node is believed to be there. Debian's own script wants a user of its own, so the one of
-- RabbitMQ is run.

local bin = "/usr/lib/rabbitmq/bin/"

local function config(n)
	local peers = "cluster_formation.classic_config.nodes."
	local lines = {
		"listeners.tcp.1 = " .. n.addr .. ":5672",
		"default_user = pacelab",
		"default_pass = pacelab",
		"loopback_users = none",
		"net_ticktime = " .. n.knobs.tick,
		"cluster_partition_handling = " .. n.knobs.partition,
		"cluster_formation.peer_discovery_backend = rabbit_peer_discovery_classic_config",
		"vm_memory_high_watermark.absolute = 256MB",
		"disk_free_limit.absolute = 50MB",
	}

	for i, node in ipairs(n.nodes) do
		lines[#lines + 1] = ("%s%d = rabbit@%s"):format(peers, i, node.addr)
	end
	return table.concat(lines, "\n") .. "\n"
end

local function after(n)
	local list = {
		{bin .. "rabbitmqctl", "-l", "-q", "await_online_nodes", tostring(#n.nodes), "-t",
			"60", retry = "170s"},
	}

	if n.knobs.queue == "mirrored" and n.number == 1 then
		list[2] = {bin .. "rabbitmqctl", "-l", "-q", "set_policy", "mirrored", ".*",
			'{"ha-mode":"all","ha-sync-mode":"automatic"}', retry = "20s"}
	end
	return list
end

system("rabbitmq-real", {
	packages = {"rabbitmq-server"},
	programs = {bin .. "rabbitmq-server", bin .. "rabbitmqctl"},
	driver = "rabbitmq",
	port = 5672,
	nodes = {3, 7},
	knobs = {
		queue = {"quorum", "mirrored"},
		partition = {"pause_minority", "autoheal", "ignore"},
		tick = {"5", "60"}, -- s
	},
	like = function(knobs)
		return knobs.queue == "quorum" and "raft" or "redis-replicas"
	end,
	client = function(knobs)
		return "queue=" .. knobs.queue
	end,
	kept = "the broker itself, publisher confirms; a read takes its turn as the queue's " ..
		"only consumer and puts back what it found",
	differs = "a queue has no read of its own: a reader that is cut off keeps the others " ..
		"waiting until it is given up; no compare-and-set",
	rate = 40, clients = 10, deadline = "5s", warmup = "5s", cut = "20s", settle = "15s",
	ready = "180s", -- nodes come in one after the other
	node = function(n)
		return {
			files = {
				["rabbitmq.conf"] = config(n),
				[".erlang.cookie"] = "pacelabpacelab{cluster}",
				plugins = "[].\n",
			},
			run = {{bin .. "rabbitmq-server"}},
			after = after(n),
			env = {
				HOME = "{dir}",
				LC_ALL = "C.UTF-8",
				RABBITMQ_NODENAME = "rabbit@" .. n.addr,
				RABBITMQ_USE_LONGNAME = "true",
				RABBITMQ_MNESIA_BASE = "{dir}/mnesia",
				RABBITMQ_LOG_BASE = "{dir}/log",
				RABBITMQ_LOGS = "-",
				RABBITMQ_CONFIG_FILE = "{dir}/rabbitmq",
				RABBITMQ_ENABLED_PLUGINS_FILE = "{dir}/plugins",
				RABBITMQ_CONF_ENV_FILE = "/dev/null",
				RABBITMQ_DIST_PORT = "25672",
				RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS = "+S 1:1 +sbwt none",
			},
		}
	end,
})
variant("rabbitmq-real-mirrored", {queue = "mirrored", partition = "autoheal"}, {
	notices = true,
})
