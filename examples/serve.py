"""A web server on the sockets that it is given: LISTEN_FDS of sd_listen_fds(3). Ready, it says so, sd_notify(3); told to
finish, it finishes what it has begun. For serve.conf."""
import http.server
import os
import signal
import socket
import threading


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = f"served by user {os.getuid()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def serve(number):
    given = socket.socket(fileno=number)
    server = http.server.ThreadingHTTPServer(given.getsockname()[:2], Page, bind_and_activate=False)
    server.socket.close()
    server.socket = given
    # Those that are being answered are waited for at the end.
    server.daemon_threads = False
    threading.Thread(target=server.serve_forever, args=[0.1]).start()
    return server


servers = [serve(3 + number) for number in range(int(os.environ["LISTEN_FDS"]))]


def finish(*_):
    # Not here: the server may be in the very middle of its loop.
    threading.Thread(target=lambda: [server.shutdown() for server in servers]).start()


signal.signal(signal.SIGTERM, finish)
if "NOTIFY_SOCKET" in os.environ:
    path = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(b"READY=1", "\0" + path[1:] if path.startswith("@") else path)
