#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# hbase.py - a driver for HBase: its Thrift gateway on the nearest node, the second interface of it
"""
Sources: hbase.thrift of the folder thrift2 in HBase's own; "Thrift Binary protocol encoding" of
Thrift's, in frames. Keys are rows of table kv, their values in column f:v. With reads=strong the
server that has the region is asked, with reads=timeline a copy's answer will do where it is slow.

The gateway is HBase's client: hbase.client.retries.number says how often that tries again. What it
says of a write that failed is not whether it had an effect: every error of one is unknown.
"""
import struct
import sys

sys.dont_write_bytecode = True  # beside the file of driver.py
from driver import Connection, Cursor, Nonsense, Uncertain, main, number  # noqa: E402

ANSWER_MAX = 1 << 20
DEPTH_MAX = 8
MESSAGE, CALL, REPLY, EXCEPTION = 0x80010000, 1, 2, 3
STOP, BOOL, I32, STRING, STRUCT, MAP, SET, LIST = 0, 2, 8, 11, 12, 13, 14, 15
FIXED = {BOOL: "?", 3: "b", 4: "d", 6: "h", I32: "i", 10: "q"}
STRONG, TIMELINE = 1, 2
FAMILY, QUALIFIER = b"f", b"v"


def binary(text):
    return struct.pack(">i", len(text)) + text


def field(number_of_it, kind, value):
    return struct.pack(">bh", kind, number_of_it) + value


def structure(*fields):
    return b"".join(fields) + struct.pack(">b", STOP)


def listed(*structures):
    return struct.pack(">bi", STRUCT, len(structures)) + b"".join(structures)


class Answer(Cursor):
    def fields(self, depth=0):
        """A structure, as values by the numbers of its fields."""
        found = {}
        while (kind := self.number("b")) != STOP:
            at = self.number("h")
            found[at] = self.value(kind, depth + 1)
        return found

    def value(self, kind, depth):
        if depth > DEPTH_MAX:
            raise Nonsense
        if kind in FIXED:
            return self.number(FIXED[kind])
        if kind == STRING:
            return self.take(self.number("i"))
        if kind == STRUCT:
            return self.fields(depth)
        if kind in (LIST, SET):
            inner, count = self.number("b"), self.number("i")
            return [self.value(inner, depth + 1) for _ in range(count)]
        if kind == MAP:
            keys, values, count = self.number("b"), self.number("b"), self.number("i")
            return [(self.value(keys, depth + 1), self.value(values, depth + 1))
                    for _ in range(count)]
        raise Nonsense


class HBase:
    def __init__(self, addresses, nearest, port, settings):
        self.addresses = addresses
        self.nearest = nearest
        self.reads = TIMELINE if settings.get("reads") == "timeline" else STRONG
        self.connection = Connection((addresses[nearest], port))
        self.sequence = 0

    def call(self, deadline, name, *arguments):
        """Return: the fields of what it gives back; 0 is the result, others are errors."""
        if not self.connection.is_open():
            self.connection.open(deadline)
        self.sequence = self.sequence % 0x7fffffff + 1
        self.connection.send(binary(
            struct.pack(">I", MESSAGE | CALL) + binary(name) + struct.pack(">i", self.sequence) +
            structure(*arguments)), deadline)
        size = struct.unpack(">i", self.connection.receive(4, deadline))[0]
        if size < 0 or size > ANSWER_MAX:
            raise Nonsense
        answer = Answer(self.connection.receive(size, deadline))
        kind = answer.number("I")
        called = answer.take(answer.number("i"))
        if (kind not in (MESSAGE | REPLY, MESSAGE | EXCEPTION) or called != name or
                answer.number("i") != self.sequence):
            raise Nonsense
        fields = answer.fields()
        if not answer.done():
            raise Nonsense
        if kind == MESSAGE | EXCEPTION or fields.keys() - {0}:
            raise Uncertain
        return fields

    def get(self, key, consistency, deadline):
        column = structure(field(1, STRING, binary(FAMILY)), field(2, STRING, binary(QUALIFIER)))
        wanted = structure(field(1, STRING, binary(key)), field(2, LIST, listed(column)),
                           field(9, I32, struct.pack(">i", consistency)))
        result = self.call(deadline, b"get", field(1, STRING, binary(b"kv")),
                           field(2, STRUCT, wanted)).get(0)
        cells = result.get(2) if isinstance(result, dict) else None
        if not isinstance(cells, list) or len(cells) > 1:
            raise Nonsense
        if not cells:
            return "ok nil"
        cell = cells[0]
        if (not isinstance(cell, dict) or result.get(1) != key or cell.get(1) != FAMILY or
                cell.get(2) != QUALIFIER or not isinstance(cell.get(3), bytes)):
            raise Nonsense
        return number(cell[3])

    def read(self, key, deadline):
        return self.get(key.encode(), self.reads, deadline)

    @staticmethod
    def put(key, value):
        cell = structure(field(1, STRING, binary(FAMILY)), field(2, STRING, binary(QUALIFIER)),
                         field(3, STRING, binary(value.encode())))
        return structure(field(1, STRING, binary(key.encode())), field(2, LIST, listed(cell)))

    def write(self, key, value, deadline):
        said = self.call(deadline, b"put", field(1, STRING, binary(b"kv")),
                         field(2, STRUCT, self.put(key, value)))
        if said:
            raise Nonsense
        return "ok"

    def cas(self, key, old, new, deadline):
        """Without a value to expect: that there is none."""
        expected = [field(5, STRING, binary(old.encode()))] if int(old) else []
        said = self.call(deadline, b"checkAndPut", field(1, STRING, binary(b"kv")),
                         field(2, STRING, binary(key.encode())), field(3, STRING, binary(FAMILY)),
                         field(4, STRING, binary(QUALIFIER)), *expected,
                         field(6, STRUCT, self.put(key, new))).get(0)
        if not isinstance(said, bool):
            raise Nonsense
        return "ok" if said else "unmet"

    def status(self, deadline):
        """Who leads has the region; it is ready when that answers."""
        try:
            location = self.call(deadline, b"getRegionLocation", field(1, STRING, binary(b"kv")),
                                 field(2, STRING, binary(b"k0")), field(3, BOOL, b"\1")).get(0)
            self.get(b"k0", STRONG, deadline)
        except Uncertain:
            return "unready follower - 0 gateway"
        server = location.get(1) if isinstance(location, dict) else None
        name = server.get(1) if isinstance(server, dict) else None
        if not isinstance(name, bytes):
            raise Nonsense
        host = name.decode(errors="replace")
        if host not in self.addresses:
            return "unready follower - 0 gateway"
        leader = self.addresses.index(host)
        leads = "leader" if leader == self.nearest else "follower"
        return f"ready {leads} {leader} 0 {'region' if leads == 'leader' else 'gateway'}"


if __name__ == "__main__":
    main(HBase)
