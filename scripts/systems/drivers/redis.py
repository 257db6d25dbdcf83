#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# redis.py - a driver as a program, to learn from: Redis, or a store of pacelab's, by its protocol
"""
pacelab starts one of these for each connection of a client and talks to it over stdin and stdout.
What it must get right is what came of a request:

    ok, unmet   it was done, or the old value was not there
    fail        it had no effect and never will: nothing was sent, or the store said so
    unknown     it was sent, and nobody said what became of it

It never sends a request twice, and after an answer that did not come it leaves the connection, so
that a late one is never taken for the next one's.
"""
import socket
import sys
import time


class Unsent(Exception):
    """Nothing of the request has left: it has no effect."""


class Connection:
    def __init__(self, address):
        self.address = address
        self.socket = None
        self.rest = b""  # of what was received

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None
        self.rest = b""

    def patience(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.socket.settimeout(left)

    def receive(self, deadline):
        self.patience(deadline)
        more = self.socket.recv(4096)
        if not more:
            raise ConnectionError
        self.rest += more

    def line(self, deadline):
        while b"\r\n" not in self.rest:
            self.receive(deadline)
        line, self.rest = self.rest.split(b"\r\n", 1)
        return line

    def bytes(self, count, deadline):
        while len(self.rest) < count + 2:
            self.receive(deadline)
        text, self.rest = self.rest[:count], self.rest[count + 2:]
        return text

    def ask(self, deadline, *words):
        """One request, one answer, as its first byte and its text; None: there is no value."""
        try:
            if not self.socket:
                self.socket = socket.create_connection(
                    self.address, max(deadline - time.monotonic(), 0.001))
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as e:
            raise Unsent("timeout" if isinstance(e, TimeoutError) else "connect") from e
        try:
            request = b"*%d\r\n" % len(words)
            for word in words:
                request += b"$%d\r\n%s\r\n" % (len(word), word.encode())
            self.patience(deadline)
            self.socket.sendall(request)
            line = self.line(deadline)
            kind, text = line[:1], line[1:]
            if kind == b"$":
                text = self.bytes(int(text), deadline) if text != b"-1" else None
            if self.rest:  # more than an answer: nobody knows to what
                raise ConnectionError
            return kind, text.decode() if text is not None else None
        except OSError:
            self.close()
            raise


def failed(text):
    """What an error of the store says of a write: these were refused before anything was done."""
    refused = ("UNAVAILABLE", "READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS")
    return "fail refused" if text.startswith(refused) else "unknown uncertain"


def read(connection, deadline, key):
    kind, text = connection.ask(deadline, "GET", key)
    if kind == b"$":
        return "ok " + ("nil" if text is None else text)
    return "fail refused"


def write(connection, deadline, key, value):
    kind, text = connection.ask(deadline, "SET", key, value)
    return "ok" if kind == b"+" else failed(text)


def status(connection, deadline):
    """Of the nearest server alone; who leads, and since when, this one does not find out."""
    _, text = connection.ask(deadline, "INFO")
    facts = dict(line.split(":", 1) for line in (text or "").splitlines() if ":" in line)
    role = facts.get("role", "server")
    leads = "leader" if role in ("leader", "master") else "follower"
    ready = "ready" if facts.get("ready", "1") == "1" else "unready"
    return f"{ready} {leads} - 0 {role}"


OPERATIONS = {"read": read, "write": write, "status": status}


def answer(connection, words):
    operation, *arguments, milliseconds = words
    deadline = time.monotonic() + int(milliseconds) / 1000
    # Neither a read nor a question ever has an effect.
    lost = "unknown" if operation == "write" else "fail"
    try:
        return OPERATIONS[operation](connection, deadline, *arguments)
    except Unsent as e:
        return f"fail {e}"
    except TimeoutError:
        return f"{lost} timeout"
    except OSError:
        return f"{lost} closed"


def main():
    print("pacelab 1", *OPERATIONS, flush=True)
    connection = None
    for line in sys.stdin:
        words = line.split()
        if words[0] == "open":
            _, nearest, port, addresses, *settings = words
            connection = Connection((addresses.split(",")[int(nearest)], int(port)))
            print("ok", flush=True)
        else:
            print(answer(connection, words), flush=True)


if __name__ == "__main__":
    main()
