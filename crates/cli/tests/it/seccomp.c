/* seccomp CALL NUMBER COMMAND…: runs the command under a filter that answers the call with that error number, 0 for a
   success in which nothing was done. seccomp(2). */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct { const char *name; int number; } calls[] = {
    {"setresuid", SYS_setresuid}, {"setresgid", SYS_setresgid},     {"setgroups", SYS_setgroups},
    {"capset", SYS_capset},       {"prctl", SYS_prctl},             {"chroot", SYS_chroot},
    {"fchdir", SYS_fchdir},       {"close_range", SYS_close_range}, {"acct", SYS_acct},
};

int main(int count, char **arguments) {
    int number = -1;
    for (size_t i = 0; count > 3 && i < sizeof calls / sizeof *calls; i++)
        if (!strcmp(calls[i].name, arguments[1])) number = calls[i].number;
    if (number < 0) return 99;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | atoi(arguments[2])),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    /* As root, so that no_new_privs need not be set, which the command would inherit. */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)) {
        perror("seccomp");
        return 98;
    }
    execvp(arguments[3], arguments + 3);
    perror(arguments[3]);
    return 97;
}
