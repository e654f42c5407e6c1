/*
 * stepdown.h - start as root, serve without it: a Security scope applied to this process, and proven.
 *
 *     stepdown_scope *scope = NULL;
 *     stepdown_plan *plan = NULL;
 *     int listener = ...;                                  what needs root comes first
 *     if (stepdown_scope_load_file("/etc/my/server.conf", &scope) != STEPDOWN_OK ||
 *         stepdown_scope_plan(scope, &plan) != STEPDOWN_OK ||
 *         stepdown_plan_apply(plan, NULL, 0) != STEPDOWN_OK) {
 *         fputs(stepdown_error_text(), stderr);
 *         exit(1);                                         whatever has failed: exit
 *     }
 *
 * Link with `pkg-config --cflags --libs stepdown`. The guide is docs/c-library.md.
 *
 * RESULTS. A function that returns int returns one of the statuses below. There is no other way to fail: a null pointer,
 * a handle that was freed, a length that can't be one are STEPDOWN_INVALID, and a bug inside the library is
 * STEPDOWN_INTERNAL. Memory that can't be had ends the process, as does a library that can't go on after
 * it has begun to change a process of several threads (see stepdown_plan_apply).
 *
 * HANDLES are no addresses: they are numbers that are never given out twice, looked up in a table. One that was freed,
 * twice or while another thread still works with it, or is of another kind, is recognised. The caller owns a handle
 * that a function has stored for it, and frees it once with the function of its name; the order does not
 * matter, a plan outlives its scope. Handles that are not freed end with the process.
 *
 * THE REPORT is what the last call had to say: errors, warnings and notes, each with its place. Every thread has its own.
 * Each function that returns a status replaces the report of the calling thread, but for these: the functions that free
 * replace it only where they fail, so that cleaning up before reporting loses nothing, and stepdown_finding_get never
 * does. Strings of the report belong to the library and are good until the report is replaced or the thread ends. A
 * language that moves its tasks between threads asks for the report before it lets go of the thread.
 *
 * STRINGS are UTF-8 and end in a NUL byte unless a length is given. Those that the library makes have no control characters
 * but line feeds: whatever they quote of a file is safe to print.
 *
 * THREADS. Every function may be called by any thread at any time, also with the same handle; what a handle stands for
 * does not go away under a call that uses it. Credentials belong to threads: planning and applying are about every thread
 * of the process, as said there.
 *
 * SIGNAL HANDLERS may call stepdown_version and stepdown_status_name. No other function is async-signal-safe.
 *
 * FORK. The child of a process that had one thread may call everything; it has copies of the handles, and frees them or not.
 * A plan is good in the process that made it alone: in the child it is refused, unchanged. The child of a process that had
 * several threads may call what a signal handler may, until it executes a program: fork(2).
 *
 * BESIDES, the library prints nothing, but for the last words of a process that it ends, and installs no handler that
 * stays. stepdown_scope_plan may start getent(1) to ask for names, and waits for it. SIGCHLD is blocked in the calling
 * thread meanwhile, and has its default action where it is ignored; both are as they were afterwards. Should another
 * thread wait for any child and fetch that one, the plan is refused.
 */
#ifndef STEPDOWN_H
#define STEPDOWN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version this header is of. That of the library is stepdown_version(). */
#define STEPDOWN_VERSION "0.1.0"

/*
 * Statuses. What stands in the comment is what is known about the process.
 */
/* Done. The report may have warnings and notes. */
#define STEPDOWN_OK 0
/* The configuration is wrong, or this host does not allow it. The process is as it was. */
#define STEPDOWN_REFUSED 1
/* The process is neither what it was nor what was asked for. Nothing is right to do but to exit. */
#define STEPDOWN_HALF_WAY 2
/* An argument can't be one. The process is as it was; the caller has a bug. */
#define STEPDOWN_INVALID 3
/* The library has a bug. The process is as it was; where it might not be, STEPDOWN_HALF_WAY is returned instead. */
#define STEPDOWN_INTERNAL 4

/* How bad a finding is. */
#define STEPDOWN_NOTE 0
#define STEPDOWN_WARNING 1
#define STEPDOWN_ERROR 2

/* Whose doing a finding is: the form of the text, what the text says, or this host; or the program that called. */
#define STEPDOWN_CAUSE_SYNTAX 0
#define STEPDOWN_CAUSE_TEXT 1
#define STEPDOWN_CAUSE_HOST 2
#define STEPDOWN_CAUSE_CALLER 3

/*
 * What stepdown_plan_apply does where it can't begin, see stepdown_scope_set_on_refusal.
 */
/* It returns STEPDOWN_REFUSED, and the process goes on as what it was. */
#define STEPDOWN_ON_REFUSAL_ERROR 0
/* It ends the process. */
#define STEPDOWN_ON_REFUSAL_ABORT 1

/* A Security scope whose text is in order. Nothing about this host is known yet. */
typedef struct stepdown_scope stepdown_scope;

/* A transition of this process that is ready to be made. Nothing has changed yet. */
typedef struct stepdown_plan stepdown_plan;

/*
 * One thing found. Pointers are null where there is nothing to say; code, message and text never are. They are strings
 * of the report, see there.
 */
typedef struct stepdown_finding {
    const char *code;    /* a stable name, such as unknown-capability */
    const char *message; /* what is wrong, in one line */
    const char *why;     /* the rule behind it */
    const char *hint;    /* what to write or do instead */
    const char *file;    /* where: the name of the file; null where there is no place */
    const char *text;    /* all of it as the program stepdown prints it: several lines, with the line of the file */
    uint32_t line;       /* from 1; 0 where there is no place */
    uint32_t column;     /* from 1, in characters; 0 where there is no place */
    int32_t severity;    /* STEPDOWN_NOTE, STEPDOWN_WARNING or STEPDOWN_ERROR */
    int32_t cause;       /* STEPDOWN_CAUSE_... */
} stepdown_finding;

/* Indexes of stepdown_state.user and .group, credentials(7). */
#define STEPDOWN_REAL 0
#define STEPDOWN_EFFECTIVE 1
#define STEPDOWN_SAVED 2
#define STEPDOWN_FILESYSTEM 3

/*
 * What the calling thread holds, and whether every thread of the process holds the same. In a set, capability n of
 * linux/capability.h is the bit 1 << n.
 */
typedef struct stepdown_state {
    uint32_t user[4];
    uint32_t group[4];
    uint64_t permitted;
    uint64_t effective;
    uint64_t inheritable;
    uint64_t bounding;
    uint64_t ambient;
    uint32_t securebits;   /* prctl(2), PR_GET_SECUREBITS */
    uint32_t no_new_privs; /* 1 where no later execve(2) can give anything, else 0 */
    uint32_t groups;       /* how many supplementary groups there are, see stepdown_state_groups */
    uint32_t threads;      /* how many threads the process has */
    uint32_t others;       /* how many of them hold something else than the calling one */
    uint32_t reserved;     /* 0 */
} stepdown_state;

/*
 * The version of the library, such as "0.1.0". Never null; good for ever.
 * Thread-safe, async-signal-safe, and may be called in any child.
 */
const char *stepdown_version(void);

/*
 * A status in a word: "ok", "refused", "half-way", "invalid", "internal", or "unknown" for any other number. Never null;
 * good for ever.
 * Thread-safe, async-signal-safe, and may be called in any child.
 */
const char *stepdown_status_name(int status);

/*
 * Reads the Security scope of a configuration file, with everything that it includes. Read as root, the file has to be
 * one that nobody else can change.
 * Stores a handle in *scope that the caller owns, or null where it returns anything but STEPDOWN_OK.
 * Thread-safe.
 */
int stepdown_scope_load_file(const char *path, stepdown_scope **scope);

/*
 * The same for stepdown.conf along the search path, which docs/language.md describes: the directories that the variable
 * STEPDOWN_CONF_PATH names, by default those below /etc/stepdown. Never to be called while another thread changes the environment, setenv(3).
 * Ownership as stepdown_scope_load_file. Thread-safe but for the environment.
 */
int stepdown_scope_load_default(stepdown_scope **scope);

/*
 * The same for a text of `length` bytes, which needs no NUL byte at its end. It can't include files. `name` is what places
 * call it; null stands for "(text)". `text` may be null where `length` is 0.
 * Both strings stay the caller's and are not looked at after the call. Ownership as stepdown_scope_load_file. Thread-safe.
 */
int stepdown_scope_load_text(const char *name, const char *text, size_t length, stepdown_scope **scope);

/*
 * Says what stepdown_plan_apply does where it can't begin, for all plans that are made of this scope from here on; plans that
 * were made before stay as they are. `on_refusal` is one of STEPDOWN_ON_REFUSAL_..., any other number is STEPDOWN_INVALID
 * and changes nothing. Where nothing is said, it is STEPDOWN_ON_REFUSAL_ERROR.
 *
 * STEPDOWN_ON_REFUSAL_ABORT is for a program that must not go on with what it has, whatever becomes of a status: where
 * STEPDOWN_REFUSED would be returned, or STEPDOWN_HALF_WAY for a step or a proof that failed, the process is ended by SIGABRT
 * with a line on standard error that names the reason. No handler of the program runs, and nothing is cleaned up. A bug is
 * still returned: the caller's as STEPDOWN_INVALID, the library's own as STEPDOWN_HALF_WAY.
 * The scope stays the caller's. Thread-safe: of two threads that say different things, one is the last.
 */
int stepdown_scope_set_on_refusal(stepdown_scope *scope, int on_refusal);

/*
 * Frees a scope. Null is STEPDOWN_OK and does nothing; a handle that was freed is STEPDOWN_INVALID.
 * Leaves the report alone where it succeeds. Thread-safe.
 */
int stepdown_scope_free(stepdown_scope *scope);

/*
 * Plans the transition of every thread of this process: looks up names, looks at the process and at the host, and refuses
 * all that has to be refused, a number or a state of threads that can't be taken along included. Changes nothing. Warnings
 * of the scope and of the plan are in the report; none of them stands in the way.
 * Stores a handle in *plan that the caller owns, or null where it returns anything but STEPDOWN_OK. The plan holds
 * descriptors open until it is applied or freed, close-on-exec all of them. One is of a directory, which would lead out of
 * a new root directory: where the scope has a Chroot, there may be no other plan. The scope stays as it is.
 * Thread-safe. A state that changes between plan and apply, a thread or a directory opened meanwhile, may be refused
 * by stepdown_plan_apply when it is too late to go back: plan directly before.
 */
int stepdown_scope_plan(const stepdown_scope *scope, stepdown_plan **plan);

/*
 * The steps of a plan in words, a line each; an empty text where the process is where the scope asks already.
 * Stores a text in *text that the caller owns and frees with stepdown_text_free, or null where it returns anything but
 * STEPDOWN_OK. Thread-safe, and may be called after the plan was applied.
 */
int stepdown_plan_text(const stepdown_plan *plan, char **text);

/*
 * Takes every thread of this process through the plan and proves, from the kernel's own account, that each of them is where
 * the scope asks; there is no way back. A plan can be applied once, whatever comes of it; it still has to be freed.
 *
 * STEPDOWN_REFUSED and STEPDOWN_INVALID: nothing has changed. STEPDOWN_HALF_WAY: exit, at once and without cleaning up.
 * Where STEPDOWN_ON_REFUSAL_ABORT was said before the plan was made, the process ends instead.
 * A process of several threads that can't be brought all the way may be ended by the library itself, with a message on
 * standard error, rather than go on with one thread behind.
 *
 * `proven` is null, or where the state is stored that was proven; `size` is sizeof(stepdown_state). Where anything but
 * STEPDOWN_OK is returned it is left alone.
 * Thread-safe: where several threads apply the same plan, one of them does and the others get STEPDOWN_INVALID. Other threads
 * may be interrupted for the time of it, see signal(7) on EINTR. A thread that is started meanwhile is taken along, or
 * this fails or the process is stopped; none is left behind. The environment stays as it is, HOME included.
 */
int stepdown_plan_apply(stepdown_plan *plan, stepdown_state *proven, size_t size);

/*
 * Frees a plan, applied or not, and closes what it holds open. Null is STEPDOWN_OK and does nothing; a handle that was
 * freed is STEPDOWN_INVALID. Leaves the report alone where it succeeds. Thread-safe.
 */
int stepdown_plan_free(stepdown_plan *plan);

/*
 * Reads what the calling thread holds and looks at every other, from /proc, which has to be there: a new root directory
 * often has none, and then it is STEPDOWN_REFUSED. Needs no privilege and proves nothing.
 * `state` is the caller's; `size` is sizeof(stepdown_state). Thread-safe.
 */
int stepdown_state_read(stepdown_state *state, size_t size);

/*
 * Stores the supplementary groups of the calling thread, sorted, at most `capacity` of them, in `groups`, and in *count
 * how many there are; more than `capacity` is STEPDOWN_OK too. `groups` may be null where `capacity` is 0. Both are the
 * caller's; where anything but STEPDOWN_OK is returned they are left alone. Thread-safe.
 */
int stepdown_state_groups(uint32_t *groups, size_t capacity, size_t *count);

/*
 * The same state in words, a row each: user, group, groups, the capability sets by name, securebits, no_new_privs, threads.
 * Ownership as stepdown_plan_text. Thread-safe.
 */
int stepdown_state_text(char **text);

/*
 * Frees a text that the library has stored for the caller. Null is STEPDOWN_OK and does nothing; a text that was freed, or
 * is not of the library, is STEPDOWN_INVALID. Leaves the report alone where it succeeds. Thread-safe.
 */
int stepdown_text_free(char *text);

/*
 * All errors of the report, each with its place, the line of the file, the reason and a hint, as the program stepdown
 * prints them; an empty string where there is none. Never null. A string of the report, see there. Leaves the report alone.
 * Thread-safe.
 */
const char *stepdown_error_text(void);

/* The same for the warnings and notes of the report. */
const char *stepdown_warning_text(void);

/* How many findings the report has, errors, warnings and notes together. Leaves the report alone. Thread-safe. */
size_t stepdown_finding_count(void);

/*
 * Stores the finding of that number, from 0, in *finding; `size` is sizeof(stepdown_finding). *finding is the caller's, the
 * strings are the report's. A number that is not there is STEPDOWN_INVALID. Leaves the report alone. Thread-safe.
 */
int stepdown_finding_get(size_t number, stepdown_finding *finding, size_t size);

#ifdef __cplusplus
}
#endif

#endif
