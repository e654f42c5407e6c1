/* The floor: every thread makes the calls for itself, all at once, after a barrier. From the opening of the barrier to the last
   thread's last call. floor THREADS */
#include "job.h"

static atomic_uint open_, done, all;

static void job(void) {
    gid_t group = ID;
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2] = {{1u << KEPT, 1u << KEPT, 0}, {0, 0, 0}};
    long bad = syscall(SYS_keyctl, 1, 0) < 0;
    bad |= syscall(SYS_setgroups, 1, &group);
    bad |= syscall(SYS_setresgid, ID, ID, ID);
    for (int i = 0; i < drops; i++)
        bad |= prctl(PR_CAPBSET_DROP, dropped[i], 0, 0, 0);
    bad |= prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    bad |= syscall(SYS_setresuid, ID, ID, ID);
    bad |= prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
    bad |= syscall(SYS_capset, &header, sets);
    bad |= prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (bad)
        exit(4);
}

static void *work(void *nothing) {
    while (!atomic_load(&open_))
        wait_on(&open_, 0);
    job();
    if (atomic_fetch_add(&done, 1) + 1 == atomic_load(&all))
        wake(&done, 1);
    for (;;)
        pause();
    return nothing;
}

int main(int count, char **arguments) {
    if (count != 2)
        return 2;
    unsigned others = atoi(arguments[1]) - 1, now_done;
    look();
    atomic_store(&all, others);
    start_threads(others, work);
    struct times before = now();
    atomic_store(&open_, 1);
    wake(&open_, ~0u >> 1);
    job();
    while ((now_done = atomic_load(&done)) < others)
        wait_on(&done, now_done);
    say(before, now());
    return 0;
}
