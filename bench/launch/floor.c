/* The least that the job can cost: its system calls alone. Nothing is looked at, refused, or proven.
 *
 * With ID from the compiler's command line every id is known beforehand. With USER instead, a name, the ids and the group
 * list are read from /etc/passwd and /etc/group. With CONFIGURATION, everything is asked that Stepdown asks (asks.h). `floor PROGRAM [ARGUMENT...]`; LAST_CAPABILITY comes from there too. */
#include "bare.h"
#ifdef CONFIGURATION
#include "asks.h"
#else
static void before(const char *program) { (void)program; }
static void after(void) { }
#endif

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

#ifdef ID

static unsigned uid = ID, gid = ID, groups[] = { ID }, count = 1;

static void names(void)
{
}

#else

static unsigned uid, gid, groups[64], count;

/* One file, whole; it has to be smaller than the room. */
static char *contents(const char *path)
{
    static char room[1 << 16];
    long file = call(NR_openat, -100, (word)path, 0, 0, 0), length = 0, more;

    if (file < 0)
        leave(110);
    while ((more = call(NR_read, file, (word)(room + length), sizeof room - 1 - length, 0, 0)) > 0)
        length += more;
    call(NR_close, file, 0, 0, 0, 0);
    room[length] = 0;
    return room;
}

/* What stands behind `word`, if the text begins with it and one of `ends` follows. */
static const char *behind(const char *text, const char *word, char one, char other)
{
    while (*word && *text == *word)
        text++, word++;
    return *word == 0 && (*text == one || *text == other) ? text + 1 : 0;
}

static const char *field(const char *text)
{
    while (*text != ':')
        text++;
    return text + 1;
}

static unsigned number(const char *text)
{
    unsigned value = 0;
    while (*text >= '0' && *text <= '9')
        value = value * 10 + (unsigned)(*text++ - '0');
    return value;
}

static const char *next_line(const char *text)
{
    while (*text && *text++ != '\n')
        ;
    return text;
}

static void names(void)
{
    const char *line = contents("/etc/passwd"), *rest = 0;

    for (; *line && !(rest = behind(line, USER, ':', ':')); line = next_line(line))
        ;
    if (!rest)
        leave(111);
    rest = field(rest);
    uid = number(rest);
    gid = number(field(rest));
    groups[count++] = gid;
    for (line = contents("/etc/group"); *line; line = next_line(line)) {
        const char *id = field(field(line)), *member = field(id);
        for (; *member && *member != '\n'; member++)
            if ((member[-1] == ':' || member[-1] == ',') &&
                (behind(member, USER, ',', '\n')) && count < 64) {
                groups[count++] = number(id);
                break;
            }
    }
}

#endif

void program(word *stack)
{
    static const struct header header = { 0x20080522, 0 };
    static const struct data data[2] = { { 1u << KEPT, 1u << KEPT, 1u << KEPT }, { 0, 0, 0 } };
    char **arguments = (char **)(stack + 1);
    char **environment = arguments + stack[0] + 1;

    if (stack[0] < 2)
        leave(2);
    before(arguments[1]);
    names();
    must(call(NR_setgroups, count, (word)groups, 0, 0, 0), 101);
    must(call(NR_setresgid, gid, gid, gid, 0, 0), 102);
    for (word capability = 0; capability <= LAST_CAPABILITY; capability++)
        if (capability != KEPT)
            must(call(NR_prctl, CAPBSET_DROP, capability, 0, 0, 0), 103);
    must(call(NR_prctl, SET_KEEPCAPS, 1, 0, 0, 0), 104);
    must(call(NR_setresuid, uid, uid, uid, 0, 0), 105);
    must(call(NR_capset, (word)&header, (word)data, 0, 0, 0), 106);
    must(call(NR_prctl, CAP_AMBIENT, CAP_AMBIENT_RAISE, KEPT, 0, 0), 107);
    must(call(NR_prctl, SET_NO_NEW_PRIVS, 1, 0, 0, 0), 108);
    after();
    call(NR_execve, (word)arguments[1], (word)(arguments + 1), (word)environment, 0, 0);
    leave(109);
}
