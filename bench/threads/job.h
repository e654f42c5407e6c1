/* The job that is measured, as bare system calls of one thread, and what the programs have in common. */
#define _GNU_SOURCE
#include <grp.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define KEPT 10 /* cap_net_bind_service */

/* Time that passed, and time that all threads together had of the processors. */
struct times {
    long long wall, cpu;
};

static inline struct times now(void) {
    struct timespec t, c;
    clock_gettime(CLOCK_MONOTONIC, &t);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &c);
    return (struct times){t.tv_sec * 1000000000LL + t.tv_nsec, c.tv_sec * 1000000000LL + c.tv_nsec};
}

static inline void wait_on(atomic_uint *word, unsigned value) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, 0, 0, 0);
}

static inline void wake(atomic_uint *word, unsigned count) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, 0, 0, 0);
}

static inline void start_threads(int count, void *(*work)(void *)) {
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    for (int i = 0; i < count; i++) {
        pthread_t thread;
        if (pthread_create(&thread, &small, work, 0))
            exit(3);
        pthread_detach(thread);
    }
    usleep(20000);
}

/* What the bounding set is to lose, looked up before. */
static int dropped[64], drops;

static inline void look(void) {
    for (int i = 0; i <= LAST_CAPABILITY; i++)
        if (i != KEPT && prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
            dropped[drops++] = i;
}

static inline void say(struct times before, struct times after) {
    char byte;
    printf("%lld %lld\n", after.wall - before.wall, after.cpu - before.cpu);
    fflush(stdout);
    while (read(0, &byte, 1) > 0)
        ;
}
