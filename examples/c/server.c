/*
 * A server on port 80 that binds as root, serves without it, and can still open other low ports.
 *
 *     cc -o server server.c $(pkg-config --cflags --libs stepdown)
 *     sudo ./server FILE [HOW-MANY-CONNECTIONS]
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stepdown.h>

static int listen_on(unsigned short port)
{
    struct sockaddr_in address;
    int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 128) != 0) {
        perror("port");
        exit(1);
    }
    return listener;
}

/* Whatever has failed, and however far it came: say so, and exit. */
static void need(int status)
{
    if (status != STEPDOWN_OK) {
        fputs(stepdown_error_text(), stderr);
        _exit(1);
    }
}

int main(int count, char **arguments)
{
    stepdown_scope *scope;
    stepdown_plan *plan;
    stepdown_state state;
    long left = count > 2 ? atol(arguments[2]) : -1;
    int listener;

    if (count < 2) {
        fprintf(stderr, "usage: server FILE [HOW-MANY-CONNECTIONS]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    need(stepdown_scope_load_file(arguments[1], &scope));
    listener = listen_on(80); /* what needs root comes first */
    need(stepdown_scope_plan(scope, &plan)); /* everything that can be refused is refused here */
    fputs(stepdown_warning_text(), stderr);
    need(stepdown_plan_apply(plan, &state, sizeof state)); /* from here on there is no way back */
    stepdown_plan_free(plan);
    stepdown_scope_free(scope);

    printf("serving as user %u\n", (unsigned)state.user[STEPDOWN_EFFECTIVE]);
    fflush(stdout);
    while (left != 0) {
        int connection = accept(listener, NULL, NULL);
        static const char line[] = "at your service\r\n";

        if (connection < 0)
            continue;
        if (write(connection, line, sizeof line - 1) < 0)
            perror("write");
        close(connection);
        if (left > 0)
            left--;
    }
    close(listener);
    close(listen_on(81)); /* the retained capability: a low port without being root */
    return 0;
}
