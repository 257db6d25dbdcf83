#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# cassandra.py - a driver for Cassandra: its native protocol, version 4, with one request at a time
"""
Source: native_protocol_v4.spec of Cassandra's documentation. Keys are rows of lab.kv (k text, the
primary key, v text). All requests go to the nearest node, which coordinates them. Settings: reads=
and writes= are one of the names of LEVELS; cas is a lightweight transaction.

What a client library would do by itself, this does not: no request is sent again, none to a second
node, and the time of a write is the coordinator's.
"""
import struct
import sys

sys.dont_write_bytecode = True  # beside the file of driver.py
from driver import (  # noqa: E402
    Connection, Cursor, Nonsense, Refused, Uncertain, Unsent, main, number)

VERSION = 4
ANSWER_MAX = 1 << 20
ERROR, STARTUP, READY, QUERY, RESULT = 0x00, 0x01, 0x02, 0x07, 0x08
WITH_VALUES, WITH_WARNINGS = 0x01, 0x08  # flags of a query, of an answer
VOID, ROWS = 1, 2
GLOBAL_TABLE, MORE_PAGES, NO_METADATA = 1, 2, 4
LEVELS = {"any": 0, "one": 1, "two": 2, "three": 3, "quorum": 4, "all": 5, "local_quorum": 6,
          "each_quorum": 7, "serial": 8, "local_serial": 9, "local_one": 10}

UNAVAILABLE = 0x1000
# These are said before anything is sent to a replica: of the protocol, a password, a node that is
# starting, syntax, rights, what is invalid, settings, what is there already, what is not prepared.
HAD_NO_EFFECT = {
    0x000A, 0x0100, UNAVAILABLE, 0x1002, 0x2000, 0x2100, 0x2200, 0x2300, 0x2400, 0x2500}


class Answer(Cursor):
    def short(self):
        return self.number("H")

    def int(self):
        return self.number("i")

    def string(self):
        return self.take(self.short())

    def bytes(self):
        count = self.int()
        return None if count < 0 else self.take(count)

    def type(self):
        kind = self.short()
        if kind == 0x0000:
            self.string()
        elif kind >= 0x20:  # of other types: no column of what is asked here
            raise Nonsense


def rows(cursor):
    """Each as its columns by their names."""
    flags, columns = cursor.int(), cursor.int()
    if columns < 0 or columns > 64 or flags & (MORE_PAGES | NO_METADATA):
        raise Nonsense
    if flags & GLOBAL_TABLE:
        cursor.string(), cursor.string()
    names = []
    for _ in range(columns):
        if not flags & GLOBAL_TABLE:
            cursor.string(), cursor.string()
        names.append(cursor.string())
        cursor.type()
    count = cursor.int()
    if count < 0 or count > 1024:
        raise Nonsense
    return [{name: cursor.bytes() for name in names} for _ in range(count)]


class Cassandra:
    def __init__(self, addresses, nearest, port, settings):
        self.nodes = len(addresses)
        self.reads = LEVELS[settings.get("reads", "one")]
        self.writes = LEVELS[settings.get("writes", "one")]
        self.connection = Connection((addresses[nearest], port))
        self.stream = 0
        self.whole = False

    def request(self, opcode, body, deadline):
        """Return: what was answered, as its opcode and a cursor."""
        self.stream = self.stream % 0x7fff + 1
        self.connection.send(
            struct.pack(">BBhBi", VERSION, 0, self.stream, opcode, len(body)) + body, deadline)
        version, flags, stream, opcode, size = struct.unpack(
            ">BBhBi", self.connection.receive(9, deadline))
        if (version != VERSION | 0x80 or flags & ~WITH_WARNINGS or stream != self.stream or
                size < 0 or size > ANSWER_MAX):
            raise Nonsense
        cursor = Answer(self.connection.receive(size, deadline))
        if flags & WITH_WARNINGS:
            for _ in range(cursor.short()):
                cursor.string()
        return opcode, cursor

    def start(self, deadline):
        if self.connection.is_open():
            return
        self.connection.open(deadline)
        body = struct.pack(">H", 1)
        for word in (b"CQL_VERSION", b"3.0.0"):
            body += struct.pack(">H", len(word)) + word
        try:
            ready = self.request(STARTUP, body, deadline)[0] == READY
        except (OSError, Nonsense):
            ready = False
        if not ready:
            raise Unsent("connect")

    def query(self, deadline, level, statement, *values, transaction=False):
        """Return: rows, or None."""
        self.start(deadline)
        body = struct.pack(">i", len(statement)) + statement.encode()
        body += struct.pack(">HBH", level, WITH_VALUES, len(values))
        for value in values:
            body += struct.pack(">i", len(value)) + value.encode()
        opcode, cursor = self.request(QUERY, body, deadline)
        if opcode == ERROR:
            code = cursor.int()
            # A transaction may have been decided when its last step finds too few replicas.
            if code in HAD_NO_EFFECT and not (transaction and code == UNAVAILABLE):
                raise Refused
            raise Uncertain
        if opcode != RESULT:
            raise Nonsense
        kind = cursor.int()
        if kind not in (VOID, ROWS):
            raise Nonsense
        return rows(cursor) if kind == ROWS else None

    def read(self, key, deadline):
        found = self.query(deadline, self.reads, "SELECT v FROM lab.kv WHERE k = ?", key)
        if found is None or len(found) > 1:
            raise Nonsense
        return number(found[0].get(b"v") or b"") if found else "ok nil"

    def write(self, key, value, deadline):
        done = self.query(deadline, self.writes, "UPDATE lab.kv SET v = ? WHERE k = ?", value, key)
        if done is not None:
            raise Nonsense
        return "ok"

    def cas(self, key, old, new, deadline):
        if int(old):
            said = self.query(deadline, self.writes,
                              "UPDATE lab.kv SET v = ? WHERE k = ? IF v = ?", new, key, old,
                              transaction=True)
        else:
            said = self.query(deadline, self.writes,
                              "INSERT INTO lab.kv (k, v) VALUES (?, ?) IF NOT EXISTS", key, new,
                              transaction=True)
        if not said or len(said) > 1 or said[0].get(b"[applied]") not in (b"\0", b"\1"):
            raise Nonsense
        return "ok" if said[0][b"[applied]"] == b"\1" else "unmet"

    def status(self, deadline):
        """No node leads. It is ready when it knows all others and the table, which all have."""
        peers = self.query(deadline, LEVELS["one"], "SELECT peer FROM system.peers")
        if peers is None:
            raise Nonsense
        try:
            if not self.whole and len(peers) == self.nodes - 1:
                self.query(deadline, LEVELS["all"], "SELECT v FROM lab.kv WHERE k = ?", "k0")
                self.whole = True
        except (Refused, Uncertain):
            pass
        return f"{'ready' if self.whole else 'unready'} follower - 0 replica"


if __name__ == "__main__":
    main(Cassandra)
