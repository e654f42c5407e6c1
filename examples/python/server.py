#!/usr/bin/python3
"""A server on port 80 that binds as root, serves without it, and can still open other low ports.

    sudo python3 server.py FILE [HOW-MANY-CONNECTIONS]

Through ctypes alone: libstepdown.so.0 has to be where the loader finds it, ldconfig(8).
"""

import ctypes
import os
import socket
import sys


class State(ctypes.Structure):
    """stepdown_state of stepdown.h."""

    _fields_ = (
        [(name, ctypes.c_uint32 * 4) for name in ("user", "group")]
        + [(name, ctypes.c_uint64) for name in ("permitted", "effective", "inheritable", "bounding", "ambient")]
        + [
            (name, ctypes.c_uint32)
            for name in ("securebits", "no_new_privs", "groups", "threads", "others", "reserved")
        ]
    )


OK = 0
EFFECTIVE = 1
HANDLE = ctypes.c_void_p

library = ctypes.CDLL("libstepdown.so.0")
# Without these a handle would be passed as an int of 32 bits.
library.stepdown_scope_load_file.argtypes = [ctypes.c_char_p, ctypes.POINTER(HANDLE)]
library.stepdown_scope_plan.argtypes = [HANDLE, ctypes.POINTER(HANDLE)]
library.stepdown_plan_apply.argtypes = [HANDLE, ctypes.POINTER(State), ctypes.c_size_t]
library.stepdown_plan_free.argtypes = [HANDLE]
library.stepdown_scope_free.argtypes = [HANDLE]
library.stepdown_error_text.restype = ctypes.c_char_p


def need(status):
    """Whatever has failed, and however far it came: say so, and exit."""
    if status != OK:
        sys.stderr.write(library.stepdown_error_text().decode())
        sys.stderr.flush()
        os._exit(1)


def main(file, left=-1):
    scope, plan, state = HANDLE(), HANDLE(), State()
    need(library.stepdown_scope_load_file(os.fsencode(file), ctypes.byref(scope)))
    # What needs root comes first.
    listener = socket.create_server(("127.0.0.1", 80))
    # Everything that can be refused is refused here.
    need(library.stepdown_scope_plan(scope, ctypes.byref(plan)))
    # From here on there is no way back.
    need(library.stepdown_plan_apply(plan, ctypes.byref(state), ctypes.sizeof(state)))
    library.stepdown_plan_free(plan)
    library.stepdown_scope_free(scope)

    print("serving as user", state.user[EFFECTIVE], flush=True)
    while left != 0:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"at your service\r\n")
        left -= left > 0
    listener.close()
    # The retained capability: a low port without being root.
    socket.create_server(("127.0.0.1", 81)).close()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: server.py FILE [HOW-MANY-CONNECTIONS]")
    main(sys.argv[1], *map(int, sys.argv[2:3]))
