/* libcap with libpsx linked in, so that each of its calls is made by every thread, one call after the other.
   gcc psx.c -lpsx -lcap -lpthread -Wl,-wrap,pthread_create; psx THREADS
   libpsx has to stand first: libcap brings weak functions of the same names, which would be taken for it and do nothing. */
#include "job.h"
#include <sys/capability.h>
#include <sys/psx_syscall.h>

static void *work(void *nothing) {
    for (;;)
        pause();
    return nothing;
}

int main(int count, char **arguments) {
    if (count != 2)
        return 2;
    look();
    start_threads(atoi(arguments[1]) - 1, work);
    cap_value_t kept[] = {KEPT};
    struct times before = now();
    gid_t group = ID;
    long bad = psx_syscall3(SYS_keyctl, 1, 0, 0) < 0;
    for (int i = 0; i < drops; i++)
        bad |= cap_drop_bound(dropped[i]);
    /* After the others: it leaves no capability effective. */
    bad |= cap_setgroups(ID, 1, &group);
    bad |= cap_setuid(ID);
    cap_t sets = cap_init();
    bad |= cap_set_flag(sets, CAP_EFFECTIVE, 1, kept, CAP_SET);
    bad |= cap_set_flag(sets, CAP_PERMITTED, 1, kept, CAP_SET);
    bad |= cap_set_proc(sets);
    bad |= cap_prctlw(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0);
    struct times after = now();
    if (bad)
        return 4;
    say(before, after);
    return 0;
}
