# SPDX-License-Identifier: MIT
"""driver.py - what drivers in Python have in common: one connection, lines in, lines out

redis.py does it all by itself, to learn from. A driver is a class that is made with the addresses
of all nodes, the index of the nearest, the port and the settings, and has read() and write(), cas()
and status() if it can; the last argument of each is the deadline. They return what the line says.
"""
import socket
import struct
import sys
import time


class Unsent(Exception):
    """Nothing of the request has left: it has no effect."""


class Refused(Exception):
    """The server said that it did not, and will not, do it."""


class Uncertain(Exception):
    """The server said that it failed, not that it had no effect."""


class Nonsense(Exception):
    """What came is no answer to what was asked."""


def number(text):
    """A value as the line has it, of bytes that a server sent."""
    if not text.isdigit() or len(text) > 20 or int(text) >= 1 << 64:
        raise Nonsense
    return "ok " + text.decode() if int(text) else "ok nil"


class Cursor:
    """Walks bytes that a server sent."""

    def __init__(self, text):
        self.text = text
        self.at = 0

    def take(self, count):
        if count < 0 or self.at + count > len(self.text):
            raise Nonsense
        self.at += count
        return self.text[self.at - count:self.at]

    def number(self, kind):
        """A number as struct has it, big-endian: "i" is one of four bytes."""
        return struct.unpack(">" + kind, self.take(struct.calcsize(">" + kind)))[0]

    def done(self):
        return self.at == len(self.text)


class Connection:
    """Bytes to and from one server. Whoever gave no answer, or none that makes sense, is left."""

    def __init__(self, address):
        self.address = address
        self.socket = None

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def is_open(self):
        """Nothing is outstanding: what can be read now is the connection's end, or garbage."""
        if self.socket:
            self.socket.setblocking(False)
            try:
                self.socket.recv(1)
                self.close()
            except BlockingIOError:
                pass
            except OSError:
                self.close()
        return self.socket is not None

    def open(self, deadline):
        try:
            self.socket = socket.create_connection(
                self.address, max(deadline - time.monotonic(), 0.001))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as e:
            raise Unsent("connect") from e

    def patience(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.socket.settimeout(left)

    def send(self, request, deadline):
        if deadline <= time.monotonic():
            raise Unsent("timeout")
        self.patience(deadline)
        self.socket.sendall(request)

    def receive(self, count, deadline):
        text = b""
        while len(text) < count:
            self.patience(deadline)
            more = self.socket.recv(count - len(text))
            if not more:
                raise ConnectionError
            text += more
        return text


def answer(driver, words):
    operation, *arguments, milliseconds = words
    deadline = time.monotonic() + int(milliseconds) / 1000
    # Neither a read nor a question ever has an effect.
    lost = "unknown" if operation in ("write", "cas") else "fail"
    try:
        return getattr(driver, operation)(*arguments, deadline)
    except Unsent as e:
        driver.connection.close()
        return f"fail {e}"
    except Refused:
        return "fail refused"
    except Uncertain:
        return "unknown uncertain" if lost == "unknown" else "fail refused"
    except Nonsense:
        why = "other"
    except TimeoutError:
        why = "timeout"
    except OSError:
        why = "closed"
    driver.connection.close()
    return f"{lost} {why}"


def main(kind):
    operations = [name for name in ("read", "write", "cas", "status") if hasattr(kind, name)]
    print("pacelab 1", *operations, flush=True)
    driver = None
    for line in sys.stdin:
        words = line.split()
        if words[0] == "open":
            _, nearest, port, addresses, *settings = words
            driver = kind(addresses.split(","), int(nearest), int(port),
                          dict(setting.split("=", 1) for setting in settings))
            print("ok", flush=True)
        else:
            print(answer(driver, words), flush=True)
