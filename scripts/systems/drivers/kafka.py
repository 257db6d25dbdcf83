#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# kafka.py - a driver for Kafka: each key is a partition, its value the last record there
"""
Source: "Kafka protocol guide" and "Message Format" of Kafka's documentation, in versions that 0.11
to 4.x have. A write is appended by the partition's leader; a read asks that for the high watermark
and fetches the record before it. Who leads is asked when it is not known or was wrong, of the
nearest broker first. Settings: acks=0|1|all of writes, partitions= of topic kv.

Outcomes of a write: refused before it is appended is fail. What is said after that is unknown: too
few replicas in time, or a leader that was replaced while it waited for them. With acks=0 nobody
answers, and what was sent is ok, as it is to producers.
"""
import struct
import sys
import time

sys.dont_write_bytecode = True  # beside the file of driver.py
from driver import (  # noqa: E402
    Connection, Cursor, Nonsense, Refused, Uncertain, Unsent, main, number)

PRODUCE, FETCH, OFFSETS, METADATA = (0, 3), (1, 4), (2, 1), (3, 1)  # and their versions
TOPIC = b"kv"
ANSWER_MAX = 1 << 20
ITEMS_MAX = 4096  # of one list
RECORD_HEAD = 61  # of a batch, to its first record
LATEST = -1
NOT_LEADER = 6
# CORRUPT_MESSAGE, UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE, MESSAGE_TOO_LARGE,
# NOT_ENOUGH_REPLICAS, TOPIC_AUTHORIZATION_FAILED: said before anything is appended.
HAD_NO_EFFECT = {2, 3, 5, 10, 19, 29}


def crc_of_byte(n):
    for _ in range(8):
        n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
    return n


CRC = [crc_of_byte(n) for n in range(256)]


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ CRC[(crc ^ byte) & 0xff]
    return crc ^ 0xffffffff


def varint(n):
    n = n << 1 ^ n >> 63
    out = b""
    while n & ~0x7f:
        out += bytes((n & 0x7f | 0x80,))
        n >>= 7
    return out + bytes((n,))


def string(text):
    return struct.pack(">h", len(text)) + text


def batch(value):
    """One record without a key."""
    record = b"\0" + varint(0) + varint(0) + varint(-1) + varint(len(value)) + value + varint(0)
    now = int(time.time() * 1000)
    body = struct.pack(">hiqqqhii", 0, 0, now, now, -1, -1, -1, 1) + varint(len(record)) + record
    return struct.pack(">qiibI", 0, len(body) + 9, -1, 2, crc32c(body)) + body


class Answer(Cursor):
    def count(self):
        count = self.number("i")
        if not 0 <= count <= ITEMS_MAX:
            raise Nonsense
        return count

    def string(self):
        size = self.number("h")
        return None if size < 0 else self.take(size)

    def varint(self):
        n = 0
        for shift in range(0, 70, 7):
            byte = self.number("B")
            n |= (byte & 0x7f) << shift
            if byte < 0x80:
                return n >> 1 ^ -(n & 1)
        raise Nonsense

    def one(self, partition):
        """What follows is of this partition of the topic alone. Return: its error."""
        if (self.count() != 1 or self.string() != TOPIC or self.count() != 1 or
                self.number("i") != partition):
            raise Nonsense
        return self.number("h")


def value_at(records, offset):
    """The value of the record at @offset, None if it is not among these."""
    while len(records.text) - records.at >= RECORD_HEAD:
        first, size = records.number("q"), records.number("i")
        inner = Answer(records.take(size))
        _, magic, _, attributes = (inner.number(kind) for kind in "ibIh")
        inner.take(34)  # to the number of records
        if magic != 2 or attributes & 7:
            raise Nonsense
        for _ in range(inner.count()):
            inner.varint()
            inner.take(1)
            inner.varint()
            at = first + inner.varint()
            key = inner.varint()
            inner.take(max(key, 0))
            text = inner.take(inner.varint())
            if at == offset:
                return text
            for _ in range(2 * inner.varint()):
                inner.take(max(inner.varint(), 0))
    return None


class Kafka:
    def __init__(self, addresses, nearest, port, settings):
        self.port = port
        # The nearest one first.
        self.brokers = [Connection((address, port))
                        for address in addresses[nearest:] + addresses[:nearest]]
        self.connection = self.brokers[0]
        self.acks = {"0": 0, "1": 1}.get(settings.get("acks"), -1)
        self.partitions = int(settings.get("partitions", "64"))
        self.leaders = {}
        self.correlation = 0

    def call(self, broker, what, body, deadline, silent=False):
        self.connection = broker
        if not broker.is_open():
            broker.open(deadline)
        self.correlation = self.correlation % 0x7fffffff + 1
        request = struct.pack(">hhi", *what, self.correlation) + string(b"pacelab") + body
        broker.send(struct.pack(">i", len(request)) + request, deadline)
        if silent:
            return None
        size = struct.unpack(">i", broker.receive(4, deadline))[0]
        if size < 0 or size > ANSWER_MAX:
            raise Nonsense
        answer = Answer(broker.receive(size, deadline))
        if answer.number("i") != self.correlation:
            raise Nonsense
        return answer

    def metadata(self, broker, deadline):
        """Return: addresses by the numbers of brokers; leader and replicas in step by partition."""
        answer = self.call(broker, METADATA, struct.pack(">i", 1) + string(TOPIC), deadline)
        brokers, partitions = {}, {}
        for _ in range(answer.count()):
            at, host, port = answer.number("i"), answer.string(), answer.number("i")
            answer.string()
            if not host or port != self.port:
                raise Nonsense
            brokers[at] = host.decode(errors="replace")
        answer.number("i")
        if answer.count() != 1:
            raise Nonsense
        answer.number("h"), answer.string(), answer.number("b")
        for _ in range(answer.count()):
            answer.number("h")
            at, leader = answer.number("i"), answer.number("i")
            for _ in range(answer.count()):
                answer.number("i")
            partitions[at] = leader, [answer.number("i") for _ in range(answer.count())]
        return brokers, partitions

    def leader(self, partition, deadline):
        """A connection to who leads it; whoever does not answer leaves time for the others."""
        if partition >= self.partitions:
            raise Unsent("other")
        if partition in self.leaders:
            return self.leaders[partition]
        for i, broker in enumerate(self.brokers):
            left = deadline - time.monotonic()
            try:
                brokers, partitions = self.metadata(
                    broker, deadline - left * (len(self.brokers) - i - 1) / (len(self.brokers)))
            except (OSError, Nonsense, Unsent):
                broker.close()
                continue
            for at, (leader, _) in partitions.items():
                for other in self.brokers:
                    if other.address[0] == brokers.get(leader):
                        self.leaders[at] = other
            if partition in self.leaders:
                return self.leaders[partition]
        raise Unsent("connect")

    def ask(self, key, what, body, deadline, silent=False):
        """Of the leader; who it is is asked again after anything but an answer."""
        partition = int(key[1:])
        broker = self.leader(partition, deadline)
        try:
            return self.call(broker, what, body(partition), deadline, silent)
        except (OSError, Nonsense, Unsent):
            self.leaders = {}
            raise

    def check(self, error, known=frozenset()):
        if error == 0:
            return
        self.leaders = {}
        raise Refused if error in known else Uncertain

    def read(self, key, deadline):
        def where(partition):
            return struct.pack(">ii", -1, 1) + string(TOPIC) + struct.pack(
                ">iiq", 1, partition, LATEST)

        def fetch(partition):
            return struct.pack(">iiiibi", -1, 0, 0, ANSWER_MAX // 2, 0, 1) + string(
                TOPIC) + struct.pack(">iiqi", 1, partition, end - 1, ANSWER_MAX // 2)

        answer = self.ask(key, OFFSETS, where, deadline)
        self.check(answer.one(int(key[1:])))
        answer.number("q")
        end = answer.number("q")
        if end < 0:
            raise Nonsense
        if end == 0:
            return "ok nil"
        answer = self.ask(key, FETCH, fetch, deadline)
        answer.number("i")
        self.check(answer.one(int(key[1:])))
        answer.number("q"), answer.number("q")
        aborted = answer.number("i")
        if aborted > 0:
            raise Nonsense
        text = value_at(Answer(answer.take(answer.number("i"))), end - 1)
        if text is None:  # the leader was replaced, and has it not
            raise Refused
        return number(text)

    def write(self, key, value, deadline):
        def append(partition):
            left = max(int((deadline - time.monotonic()) * 1000), 1)
            records = batch(value.encode())
            return struct.pack(">hhii", -1, self.acks, left, 1) + string(
                TOPIC) + struct.pack(">iii", 1, partition, len(records)) + records

        answer = self.ask(key, PRODUCE, append, deadline, self.acks == 0)
        if answer:
            # A leader that waits for others may be replaced: with acks=1 it does not wait.
            known = HAD_NO_EFFECT | ({NOT_LEADER} if self.acks == 1 else set())
            self.check(answer.one(int(key[1:])), known)
        return "ok"

    def status(self, deadline):
        """No broker leads all. It is ready when all have all partitions."""
        brokers, partitions = self.metadata(self.brokers[0], deadline)
        whole = (len(brokers) == len(self.brokers) and len(partitions) == self.partitions and
                 all(leader in in_step and len(in_step) >= min(len(brokers), 3)
                     for leader, in_step in partitions.values()))
        return f"{'ready' if whole else 'unready'} follower - 0 broker"


if __name__ == "__main__":
    main(Kafka)
