#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""driver.py - a driver for db.py: reads at the nearest node, writes at the one that leads"""
import socket
import sys

connections = {}


def ask(address, milliseconds, *words):
    """One request. A connection that fails is closed."""
    try:
        if address not in connections:
            connections[address] = socket.create_connection((address, port), 0.2)
        s = connections[address]
        s.settimeout(max(int(milliseconds), 1) / 1000)
        s.sendall((" ".join(words) + "\n").encode("ascii"))
        answer = b""
        while not answer.endswith(b"\n"):
            more = s.recv(4096)
            if not more:
                raise OSError("it has ended")
            answer += more
        return answer.decode("ascii").strip()
    except OSError:
        s = connections.pop(address, None)
        if s:
            s.close()
        return None


def find_leader():
    """Who says so; the nearest if nobody does."""
    for address in nodes:
        if ask(address, 200, "status") == "leader":
            return address
    return nodes[nearest]


def status(milliseconds):
    """Of the nearest node alone."""
    said = ask(nodes[nearest], milliseconds, "status")
    if not said:
        return "fail no answer"
    if said == "leader":
        return f"ready leader {nearest} 0 toy-leader"
    leader = said.split()[1]
    return f"ready follower {nodes.index(leader) if leader in nodes else '-'} 0 toy-follower"


def write(key, value, milliseconds):
    """At the leader."""
    said = ask(find_leader(), milliseconds, "set", key, value)
    return {"ok": "ok", "no": "fail not the leader"}.get(said, "unknown no answer")


print("pacelab 1 read write status", flush=True)
for line in sys.stdin:
    word = line.split()
    if word[0] == "open":
        nearest, port, nodes = int(word[1]), int(word[2]), word[3].split(",")
        print("ok", flush=True)
    elif word[0] == "read":
        value = ask(nodes[nearest], word[2], "get", word[1])
        print("fail no answer" if value is None else f"ok {value}", flush=True)
    elif word[0] == "write":
        print(write(word[1], word[2], word[3]), flush=True)
    elif word[0] == "status":
        print(status(word[1]), flush=True)
