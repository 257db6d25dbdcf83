# SPDX-License-Identifier: MIT
"""say.py - ask db.py: ADDRESS PORT WORD..."""
import socket
import sys

try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), 2) as s:
        s.sendall((" ".join(sys.argv[3:]) + "\n").encode("ascii"))
        answer = s.makefile().readline().strip()
except OSError as e:
    sys.exit(f"{sys.argv[1]}: {e}")
print(answer)
sys.exit(answer in ("no", "what?", ""))
