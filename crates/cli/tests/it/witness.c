/* Run under the state that a test asked for: writes what it is to the file that is its first argument. Linked
   statically, so that it runs in an empty root directory; asks by system calls alone, so that it needs no /proc. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int count, char **arguments) {
    puts("the program ran");
    fflush(stdout);
    /* Before the report is opened, so that its own descriptor is not in it. */
    char open_descriptors[1024] = {0};
    for (int fd = 0; fd < 1024; fd++) open_descriptors[fd] = fcntl(fd, F_GETFD) >= 0;
    FILE *report = count > 1 ? fopen(arguments[1], "w") : NULL;
    if (!report) return 1;

    uid_t r, e, s;
    getresuid(&r, &e, &s);
    fprintf(report, "uid %u %u %u\n", r, e, s);
    getresgid(&r, &e, &s);
    fprintf(report, "gid %u %u %u\ngroups", r, e, s);
    gid_t groups[256];
    int length = getgroups(256, groups);
    for (int i = 0; i < length; i++) fprintf(report, " %u", groups[i]);

    struct { unsigned version; int pid; } header = {0x20080522, 0};
    struct { unsigned effective, permitted, inheritable; } sets[2];
    syscall(SYS_capget, &header, sets);
    fprintf(report, "\ncapabilities");
    for (int i = 0; i < 2; i++)
        fprintf(report, " %08x %08x %08x", sets[i].effective, sets[i].permitted, sets[i].inheritable);
    fprintf(report, "\nbounding ");
    for (int cap = 0; cap < 64; cap++) fprintf(report, "%c", prctl(PR_CAPBSET_READ, cap) == 1 ? '1' : '0');
    fprintf(report, "\nambient ");
    for (int cap = 0; cap < 64; cap++)
        fprintf(report, "%c", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) == 1 ? '1' : '0');
    int signal = -1;
    prctl(PR_GET_PDEATHSIG, &signal);
    fprintf(report, "\nsecurebits %d\nno_new_privs %d\nparent_death_signal %d\n", prctl(PR_GET_SECUREBITS),
            prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), signal);
    struct stat root, here;
    if (stat("/", &root) || stat(".", &here)) return 1;
    fprintf(report, "root %lu\nhere %lu\nopen", (unsigned long)root.st_ino, (unsigned long)here.st_ino);
    for (int fd = 0; fd < 1024; fd++) if (open_descriptors[fd]) fprintf(report, " %d", fd);
    fprintf(report, "\nHOME %s USER %s\n", getenv("HOME"), getenv("USER"));
    return fclose(report) ? 1 : 0;
}
