"""Types at a program on a terminal and prints all that appears there.

    terminal.py PROGRAM [ARG...] <STEPS

STEPS is a JSON list of pairs [wait, type]: what has to appear, behind what has appeared before, and what is typed then; with
"until gone: PATH" nothing is typed before that file is gone. The last line printed is the exit status. Everything that hangs ends after a minute, with status 124.
"""
import json
import os
import pty
import select
import sys
import time

steps = json.load(sys.stdin)
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen, at, end = b"", 0, time.monotonic() + 60
ended = False


def more():
    """Waits for more to appear; False at the end."""
    global seen
    ready, _, _ = select.select([terminal], [], [], max(0, end - time.monotonic()))
    if not ready:
        os.kill(pid, 9)
        os.write(1, seen + b"\nit hangs\n124\n")
        sys.exit(0)
    try:
        piece = os.read(terminal, 65536)
    except OSError:
        piece = b""
    seen += piece
    return bool(piece)


for wait, typed in steps:
    while (found := seen.find(wait.encode(), at)) < 0:
        if not more():
            os.write(1, seen + f"\nin vain: {wait}\n".encode())
            sys.exit(0)
    at = found + len(wait.encode())
    if typed.startswith("until gone: "):
        while os.path.exists(typed.removeprefix("until gone: ")) and time.monotonic() < end:
            time.sleep(0.02)
        continue
    os.write(terminal, typed.encode())
while more():
    pass
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
os.write(1, seen + f"\n{status}\n".encode())
