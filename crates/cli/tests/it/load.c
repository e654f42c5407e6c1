/* Both ends of connections that must not be lost.

   load serve            a service with its sockets by sd_listen_fds(3): a client sends the number of milliseconds that it wants to
                         be kept, gets `begin PID`, and after that time `end PID`. SIGTERM: takes no more, finishes what it has.
   load serve slow       the same, and it takes a fifth of a second to start.
   load listen PORT      listens, and does nothing more.
   load ask HOW COUNT AT_A_TIME MILLIS
                         a client: COUNT connections (0: until SIGTERM) to port HOW of the addresses 127.0.0.1 to 127.0.0.8, or to
                         the Unix socket HOW, so many at a time. At the end it prints what became of them. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 4096 };
static int epoll, signals;

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

static void watch(int socket, int what) {
    struct epoll_event event = {.events = what, .data.fd = socket};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event)) exit(91);
}

static void prepare(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (signals < 0 || epoll < 0) exit(92);
    watch(signals, EPOLLIN);
}

static void tell_manager(const char *words) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!path || strlen(path) >= sizeof address.sun_path) return;
    strcpy(address.sun_path, path);
    if (*path == '@') address.sun_path[0] = 0;
    int socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sendto(socket_, words, strlen(words), 0, (struct sockaddr *)&address,
           offsetof(struct sockaddr_un, sun_path) + strlen(path));
    close(socket_);
}

/* When a connection is to be finished: 0 for none there, -1 for one that has not said it yet. */
static long long finish_at[MOST];

static int serve(int count, char **arguments) {
    int listening = atoi(getenv("LISTEN_FDS") ? getenv("LISTEN_FDS") : "0"), open = 0, ending = 0;
    prepare();
    if (count > 2 && !strcmp(arguments[2], "slow")) usleep(200000);
    for (int i = 3; i < 3 + listening; i++) {
        fcntl(i, F_SETFL, O_NONBLOCK);
        watch(i, EPOLLIN);
    }
    tell_manager("READY=1");
    char line[64];
    while (!ending || open) {
        struct epoll_event events[256];
        long long next = 0, time = now();
        for (int i = 0; i < MOST; i++)
            if (finish_at[i] > 0 && (!next || finish_at[i] < next)) next = finish_at[i];
        int wait = !next ? -1 : next > time ? (int)(next - time) : 0;
        int happened = epoll_wait(epoll, events, 256, wait);
        for (int i = 0; i < happened; i++) {
            int it = events[i].data.fd;
            if (it == signals) {
                if (ending++) continue;
                for (int l = 3; l < 3 + listening; l++) epoll_ctl(epoll, EPOLL_CTL_DEL, l, NULL);
                epoll_ctl(epoll, EPOLL_CTL_DEL, signals, NULL);
            } else if (it < 3 + listening) {
                if (ending) continue;
                int connection = accept4(it, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (connection < 0) continue;
                if (connection >= MOST) return 93;
                finish_at[connection] = -1;
                open++;
                watch(connection, EPOLLIN);
            } else {
                ssize_t length = read(it, line, sizeof line - 1);
                if (length > 0 && finish_at[it] < 0) {
                    line[length] = 0;
                    finish_at[it] = now() + atoi(line);
                    if (!finish_at[it]) finish_at[it] = 1;
                    int said = snprintf(line, sizeof line, "begin %d\n", getpid());
                    if (write(it, line, said) != said) perror("write");
                    epoll_ctl(epoll, EPOLL_CTL_DEL, it, NULL);
                } else if (length == 0 || (length < 0 && errno != EAGAIN)) {
                    finish_at[it] = 0;
                    open--;
                    close(it);
                }
            }
        }
        time = now();
        for (int i = 0; i < MOST; i++)
            if (finish_at[i] > 0 && finish_at[i] <= time) {
                int said = snprintf(line, sizeof line, "end %d\n", getpid());
                if (write(i, line, said) != said) perror("write");
                finish_at[i] = 0;
                open--;
                close(i);
            }
    }
    return 0;
}

static struct { char text[64]; int length; } got[MOST];
static int pids[MOST], pid_count;
static long done, refused, cut, failed, begun;

static void count_pid(int pid) {
    for (int i = 0; i < pid_count; i++)
        if (pids[i] == pid) return;
    if (pid_count < MOST) pids[pid_count++] = pid;
}

static void lost(int error) {
    if (error == ECONNREFUSED || error == ENOENT) refused++;
    else if (error == ECONNRESET || error == EPIPE || !error) cut++;
    else {
        failed++;
        fprintf(stderr, "ask: %s\n", strerror(error));
    }
}

static int begin(const char *how) {
    struct sockaddr_un file = {.sun_family = AF_UNIX};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(how))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + begun % 8);
    int is_file = *how == '/';
    if (is_file) snprintf(file.sun_path, sizeof file.sun_path, "%s", how);
    int it = socket(is_file ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (it < 0 || it >= MOST) exit(94);
    const struct sockaddr *where = is_file ? (void *)&file : (void *)&address;
    begun++;
    if (connect(it, where, is_file ? sizeof file : sizeof address) && errno != EINPROGRESS) {
        lost(errno);
        close(it);
        return 0;
    }
    got[it].length = -1;
    watch(it, EPOLLOUT);
    return 1;
}

static int ask(char **arguments) {
    const char *how = arguments[2], *millis = arguments[5];
    long count = atol(arguments[3]), at_a_time = atol(arguments[4]), open = 0;
    int ending = 0;
    prepare();
    puts("asking");
    fflush(stdout);
    for (;;) {
        int more = 1;
        while (more && open < at_a_time && !ending && (!count || begun < count)) open += more = begin(how);
        if (!open && (ending || (count && begun >= count))) break;
        struct epoll_event events[256];
        /* One that was refused is followed by others after a moment. */
        int happened = epoll_wait(epoll, events, 256, more ? -1 : 5);
        for (int i = 0; i < happened; i++) {
            int it = events[i].data.fd;
            if (it == signals) {
                ending = 1;
                epoll_ctl(epoll, EPOLL_CTL_DEL, signals, NULL);
                continue;
            }
            int error = 0;
            if (got[it].length < 0) {
                socklen_t size = sizeof error;
                getsockopt(it, SOL_SOCKET, SO_ERROR, &error, &size);
                if (!error && write(it, millis, strlen(millis)) < 0) error = errno;
                if (!error) {
                    got[it].length = 0;
                    struct epoll_event event = {.events = EPOLLIN, .data.fd = it};
                    epoll_ctl(epoll, EPOLL_CTL_MOD, it, &event);
                    continue;
                }
                lost(error);
            } else {
                int room = sizeof got[it].text - 1 - got[it].length;
                ssize_t length = read(it, got[it].text + got[it].length, room);
                if (length < 0 && errno == EAGAIN) continue;
                if (length > 0) {
                    got[it].length += length;
                    continue;
                }
                int from = 0, to = 0;
                got[it].text[got[it].length] = 0;
                if (length < 0) lost(errno);
                else if (sscanf(got[it].text, "begin %d\nend %d\n", &from, &to) == 2 && from == to) {
                    done++;
                    count_pid(from);
                } else lost(0);
            }
            close(it);
            open--;
        }
    }
    printf("done=%ld refused=%ld cut=%ld failed=%ld processes=%d\n", done, refused, cut, failed, pid_count);
    return 0;
}

static int listen_only(const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    int it = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(it, (struct sockaddr *)&address, sizeof address) || listen(it, 16)) return 95;
    for (;;) pause();
}

int main(int count, char **arguments) {
    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    if (count >= 2 && !strcmp(arguments[1], "serve")) return serve(count, arguments);
    if (count == 3 && !strcmp(arguments[1], "listen")) return listen_only(arguments[2]);
    if (count == 6 && !strcmp(arguments[1], "ask")) return ask(arguments);
    return 99;
}
