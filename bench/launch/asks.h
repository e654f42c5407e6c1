/* What Stepdown asks the kernel around a transition, each question once and nothing made of the answer: what a launch costs at
 * least that reads a configuration, looks before it begins, proves, and tries the ways back. CONFIGURATION is the file's path. */
#include <sys/syscall.h>

enum { AT_CWD = -100, NOFOLLOW = 0x100, RDONLY = 02000000 /* and O_CLOEXEC */, PATH_ONLY = 012000000, DIRECTORY = 02200000 };

static char answer[4096];
static long self, status;

static long ask(long number, word a, word b, word c, word d)
{
    return call(number, a, b, c, d, 0);
}

static void read_whole(const char *path)
{
    long file = ask(SYS_openat, AT_CWD, (word)path, RDONLY, 0);
    while (ask(SYS_read, file, (word)answer, sizeof answer, 0) > 0)
        ;
    ask(SYS_close, file, 0, 0, 0);
}

/* Who could have written to it: each directory on the way. */
static void way(const char *path)
{
    char room[256];
    for (int at = 0; path[at]; at++) {
        room[at] = path[at];
        room[at + 1] = 0;
        if (at == 0 || path[at + 1] == '/' || path[at + 1] == 0)
            ask(SYS_newfstatat, AT_CWD, (word)room, (word)answer, NOFOLLOW);
    }
}

static void state(void)
{
    ask(SYS_pread64, status, (word)answer, sizeof answer, 0);
    ask(SYS_prctl, 27 /* PR_GET_SECUREBITS */, 0, 0, 0);
    call(SYS_statx, AT_CWD, (word) "/", 0, 0x1100, (word)answer);
    call(SYS_statx, AT_CWD, (word) ".", 0, 0x1100, (word)answer);
    ask(SYS_prctl, 2 /* PR_GET_PDEATHSIG */, (word)answer, 0, 0);
}

static void before(const char *program)
{
    static const char *const records[] = { "/run/systemd/userdb", "/etc/userdb", "/run/userdb", "/run/host/userdb",
                                           "/usr/local/lib/userdb", "/usr/lib/userdb" };
    long file;

    for (word fd = 0; fd < 3; fd++)
        ask(SYS_fstat, fd, (word)answer, 0, 0);
    way(CONFIGURATION);
    read_whole(CONFIGURATION);
    for (word capability = 0x40; capability > 0x3a; capability--)
        ask(SYS_prctl, 23 /* PR_CAPBSET_READ */, capability, 0, 0);
    self = ask(SYS_openat, AT_CWD, (word) "/proc/self", DIRECTORY, 0);
    status = ask(SYS_openat, self, (word) "status", RDONLY, 0);
    state();
    ask(SYS_readlinkat, self, (word) "ns/user", (word)answer, sizeof answer);
    read_whole("/etc/nsswitch.conf");
    for (int at = 0; at < 6; at++)
        ask(SYS_openat, AT_CWD, (word)records[at], DIRECTORY, 0);
    file = ask(SYS_openat, AT_CWD, (word)program, PATH_ONLY, 0);
    ask(SYS_fstat, file, (word)answer, 0, 0);
    ask(SYS_fstatfs, file, (word)answer, 0, 0);
    ask(SYS_close, file, 0, 0, 0);
    file = ask(SYS_openat, AT_CWD, (word)program, RDONLY, 0);
    ask(SYS_fgetxattr, file, (word) "security.capability", (word)answer, 24);
    ask(SYS_read, file, (word)answer, 256, 0);
    ask(SYS_close, file, 0, 0, 0);
    ask(SYS_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */, 0);
    ask(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, 0, 0, 0);
    ask(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3ul, 0, 0);
}

static void after(void)
{
    static const unsigned header[2] = { 0x20080522, 0 }, all[6] = { -1u, -1u, -1u, 0x1ff, 0x1ff, 0x1ff }, root[2];

    state();
    ask(SYS_newfstatat, self, (word) "fd", (word)answer, 0);
    ask(SYS_setresuid, 0, 0, 0, 0);
    ask(SYS_setresgid, 0, 0, 0, 0);
    ask(SYS_setgroups, 2, (word)root, 0, 0);
    ask(SYS_capset, (word)header, (word)all, 0, 0);
    ask(SYS_capset, (word)header, (word)all, 0, 0);
    ask(SYS_prctl, 47 /* PR_CAP_AMBIENT */, 2 /* PR_CAP_AMBIENT_RAISE */, 0, 0);
    ask(SYS_prctl, 24 /* PR_CAPBSET_DROP */, 10, 0, 0);
    ask(SYS_chroot, (word) ".", 0, 0, 0);
    ask(SYS_capget, (word)header, (word)answer, 0, 0);
    ask(SYS_getresuid, (word)answer, (word)answer, (word)answer, 0);
    ask(SYS_getresgid, (word)answer, (word)answer, (word)answer, 0);
}
