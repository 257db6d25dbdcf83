# SPDX-License-Identifier: MIT
"""db.py - a very small database for tests of what starts, watches and hits databases

ADDRESS PORT [lead]. A line in, a line out: get K, set K V, status, clock, lead, follow ADDRESS.
What was set, and whom it follows, is on disk. It has a process beside it that ignores SIGTERM, as
databases have.
"""
import json
import os
import signal
import socketserver
import sys
import time


class State:
    """What is on disk."""

    def __init__(self, leader):
        self.values = {}
        self.leader = leader
        if os.path.exists("toy.json"):
            with open("toy.json", encoding="ascii") as f:
                self.values, self.leader = json.load(f)

    def save(self):
        """All of it, at once."""
        with open("toy.json.new", "w", encoding="ascii") as f:
            json.dump([self.values, self.leader], f)
        os.rename("toy.json.new", "toy.json")


class Handler(socketserver.StreamRequestHandler):
    """One connection."""

    def handle(self):
        for line in self.rfile:
            answer = self.server.answer(line.decode("ascii").split())
            self.wfile.write(answer.encode("ascii") + b"\n")


class Server(socketserver.ThreadingTCPServer):
    """One database."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address, state):
        self.state = state
        super().__init__(address, Handler)

    def answer(self, word):
        """To one request."""
        state = self.state
        own = self.server_address[0]
        if word[0] == "get":
            return state.values.get(word[1], "0")
        if word[0] == "set":
            if state.leader != own:
                return "no"
            state.values[word[1]] = word[2]
            state.save()
            return "ok"
        if word[0] == "status":
            return "leader" if state.leader == own else f"follower {state.leader}"
        if word[0] == "clock":
            return str(time.time())
        if word[0] in ("lead", "follow"):
            state.leader = own if word[0] == "lead" else word[1]
            state.save()
            print("toy follows", state.leader, flush=True)
            return "ok"
        return "what?"


def main():
    """Serve until killed."""
    address, port, leader = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            signal.pause()
    with open("server.log", "a", encoding="ascii") as f:
        f.write("toy was here\n")
    print("toy serves", address, flush=True)
    Server((address, port), State(leader)).serve_forever()


main()
