/* A web server of one process and one thread that gives everybody the same two bytes: what is measured is the way to it.
 * It listens on the socket that it was given (LISTEN_FDS, sd_listen_fds(3)), or on the port of its first argument. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char STAY[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
static const char CLOSE[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

static int own(const char *port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) {
        perror("bind");
        exit(1);
    }
    return fd;
}

int main(int count, char **arguments) {
    int listener = getenv("LISTEN_FDS") ? 3 : count > 1 ? own(arguments[1]) : (exit(2), 0);
    int events = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, ready[256];
    epoll_ctl(events, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int number = epoll_wait(events, ready, 256, -1);
        for (int i = 0; i < number; i++) {
            int fd = ready[i].data.fd;
            if (fd == listener) {
                int client;
                /* One at a time: a listener that was handed over need not be non-blocking. */
                if ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    event.data.fd = client;
                    epoll_ctl(events, EPOLL_CTL_ADD, client, &event);
                }
                continue;
            }
            char request[4096];
            ssize_t length = read(fd, request, sizeof request - 1);
            if (length < 0 && errno == EAGAIN)
                continue;
            if (length <= 0) {
                close(fd);
                continue;
            }
            request[length] = 0;
            int last = strstr(request, "Connection: close") != NULL;
            ssize_t sent = last ? write(fd, CLOSE, sizeof CLOSE - 1) : write(fd, STAY, sizeof STAY - 1);
            if (last || sent < 0)
                close(fd);
        }
    }
}
