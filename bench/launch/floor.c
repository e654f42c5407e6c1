/* The least that the job can cost: its system calls alone, with every id known beforehand. Nothing is read, looked up,
 * or proven. `floor PROGRAM [ARGUMENT...]`; ID and LAST_CAPABILITY come from the compiler's command line. */
#include "bare.h"

enum { KEPT = 10 /* CAP_NET_BIND_SERVICE */ };

/* prctl(2) */
enum { CAPBSET_DROP = 24, SET_KEEPCAPS = 8, SET_NO_NEW_PRIVS = 38, CAP_AMBIENT = 47, CAP_AMBIENT_RAISE = 2 };

/* capset(2), version 3: two words of each set, the low one first. */
struct header { unsigned version; int pid; };
struct data { unsigned effective, permitted, inheritable; };

static void must(long result, int status)
{
    if (result != 0)
        leave(status);
}

void program(word *stack)
{
    static const unsigned groups[] = { ID };
    static const struct header header = { 0x20080522, 0 };
    static const struct data data[2] = { { 1u << KEPT, 1u << KEPT, 1u << KEPT }, { 0, 0, 0 } };
    char **arguments = (char **)(stack + 1);
    char **environment = arguments + stack[0] + 1;

    if (stack[0] < 2)
        leave(2);
    must(call(NR_setgroups, 1, (word)groups, 0, 0, 0), 101);
    must(call(NR_setresgid, ID, ID, ID, 0, 0), 102);
    for (word capability = 0; capability <= LAST_CAPABILITY; capability++)
        if (capability != KEPT)
            must(call(NR_prctl, CAPBSET_DROP, capability, 0, 0, 0), 103);
    must(call(NR_prctl, SET_KEEPCAPS, 1, 0, 0, 0), 104);
    must(call(NR_setresuid, ID, ID, ID, 0, 0), 105);
    must(call(NR_capset, (word)&header, (word)data, 0, 0, 0), 106);
    must(call(NR_prctl, CAP_AMBIENT, CAP_AMBIENT_RAISE, KEPT, 0, 0), 107);
    must(call(NR_prctl, SET_NO_NEW_PRIVS, 1, 0, 0, 0), 108);
    call(NR_execve, (word)arguments[1], (word)(arguments + 1), (word)environment, 0, 0);
    leave(109);
}
