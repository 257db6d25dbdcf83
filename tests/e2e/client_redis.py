# SPDX-License-Identifier: MIT
"""client_redis.py - a program that uses the store through Python's redis: HOST"""
import sys
import redis

r = redis.Redis(sys.argv[1], client_name="python")
assert r.ping() and r.client_getname() == "python"
assert r.set("py:k", b"\x00\r\n\xff", ex=100) and r.get("py:k") == b"\x00\r\n\xff"
assert 90 < r.ttl("py:k") <= 100 and 90000 < r.pttl("py:k") <= 100000
assert r.set("py:k", "w", nx=True) is None
assert r.set("py:k", "w", get=True) == b"\x00\r\n\xff"
assert r.set("py:k", "x", keepttl=True) and r.ttl("py:k") == -1
assert r.mset({"py:a": 1, "py:b": 2}) and r.mget("py:a", "py:none", "py:b") == [b"1", None, b"2"]
assert r.exists("py:a", "py:b", "py:none") == 2
with r.pipeline(transaction=False) as p:
    for _ in range(500):
        p.incr("py:count")
    assert p.execute() == list(range(1, 501))
assert r.append("py:a", "23") == 3 and r.strlen("py:a") == 3 and r.getdel("py:a") == b"123"
assert sorted(r.scan_iter("py:*")) == [b"py:b", b"py:count", b"py:k"]
assert r.type("py:b") == b"string" and r.delete("py:b", "py:count", "py:k") == 3
info = r.info()
assert info["redis_version"] and info["connected_clients"] >= 1 and "uptime_in_seconds" in info
assert r.config_get("append*")["appendonly"] == "yes"
assert r.command_count() == len(r.command())
assert any(c["name"] == "python" for c in r.client_list())
assert r.dbsize() >= 0
try:
    r.lpush("py:list", 1)
    sys.exit("LPUSH was accepted")
except redis.ResponseError as error:
    assert "unknown command" in str(error)
print("right")
