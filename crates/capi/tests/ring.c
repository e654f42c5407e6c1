/*
 * Steps down while the kernel starts a thread of its own for another thread of this process, io_uring(7): ring FILE NANOSECONDS
 * After that time a linked read begins, which takes a worker; it is made for the thread that is held then, with the
 * rights that this thread has at that moment. Exits with 0 if it was refused, or no thread has the rights of root after it
 * was said to be done; 77 where there are no rings.
 */
#define _GNU_SOURCE
#include "stepdown.h"

#include <dirent.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct io_uring_params ring;
static char *queue;
static struct io_uring_sqe *entries;
static int input;
static struct __kernel_timespec after;
static pthread_barrier_t submitted;

static void add(unsigned char operation, unsigned char flags, int file, const void *address)
{
    unsigned *tail = (unsigned *)(queue + ring.sq_off.tail), at = *tail & *(unsigned *)(queue + ring.sq_off.ring_mask);
    struct io_uring_sqe *entry = &entries[at];

    memset(entry, 0, sizeof *entry);
    entry->opcode = operation;
    entry->flags = flags;
    entry->fd = file;
    entry->addr = (unsigned long)address;
    entry->len = 1;
    ((unsigned *)(queue + ring.sq_off.array))[at] = at;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
}

static void *other(void *nothing)
{
    static char byte;
    int file = syscall(SYS_io_uring_setup, 8, &ring);

    if (file < 0)
        exit(77);
    queue = mmap(0, ring.sq_off.array + ring.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, file, IORING_OFF_SQ_RING);
    entries = mmap(0, ring.sq_entries * sizeof *entries, PROT_READ | PROT_WRITE, MAP_SHARED, file, IORING_OFF_SQES);
    if (queue == MAP_FAILED || entries == MAP_FAILED)
        exit(1);
    add(IORING_OP_TIMEOUT, IOSQE_IO_HARDLINK, -1, &after);
    add(IORING_OP_READ, IOSQE_ASYNC, input, &byte);
    syscall(SYS_io_uring_enter, file, 2, 0, 0, 0, 0);
    pthread_barrier_wait(&submitted);
    for (;;)
        pause();
    return nothing;
}

int main(int count, char **arguments)
{
    stepdown_scope *scope;
    stepdown_plan *plan;
    pthread_t thread;
    struct dirent *entry;
    DIR *tasks;
    int ends[2], left = 0;

    if (count != 3 || pipe(ends) != 0 || pthread_barrier_init(&submitted, NULL, 2) != 0)
        return 1;
    input = ends[0];
    after.tv_nsec = atol(arguments[2]);
    if (stepdown_scope_load_file(arguments[1], &scope) != 0 || stepdown_scope_plan(scope, &plan) != 0)
        return 1;
    if (pthread_create(&thread, NULL, other, NULL) != 0)
        return 1;
    pthread_barrier_wait(&submitted);
    if (stepdown_plan_apply(plan, NULL, 0) != STEPDOWN_OK)
        return 0;
    usleep(20000);
    tasks = opendir("/proc/self/task");
    while (tasks && (entry = readdir(tasks))) {
        char path[300], line[300];
        FILE *file;

        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        file = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        while (file && fgets(line, sizeof line, file))
            if (strncmp(line, "Uid:", 4) == 0 && strstr(line, "\t0\t"))
                left++;
        if (file)
            fclose(file);
    }
    if (tasks && left)
        printf("%d threads are root\n", left);
    return !tasks || left ? 1 : 0;
}
