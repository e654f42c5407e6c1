/*
 * Steps down through the library, as root, and compares what it says with what the kernel says: apply FILE
 * [half-way|threads|refusal|abort|abort-half-way]
 * Exits with 0, or says what was not as it should be. FILE is the path of a stepdown.conf with a scope for user and group
 * 994 with cap_net_bind_service.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stepdown.h>

#define USER 994
#define BIND ((uint64_t)1 << CAP_NET_BIND_SERVICE)

static void fail(int line, const char *what)
{
    fprintf(stderr, "apply.c:%d: %s; report: %s\n", line, what, stepdown_error_text());
    _exit(1);
}

#define NEED(condition) do { if (!(condition)) fail(__LINE__, #condition); } while (0)

static int error_is(const char *code)
{
    stepdown_finding finding;
    size_t at;

    for (at = 0; stepdown_finding_get(at, &finding, sizeof finding) == STEPDOWN_OK; at++)
        if (finding.severity == STEPDOWN_ERROR && strcmp(finding.code, code) == 0)
            return finding.cause == STEPDOWN_CAUSE_HOST && finding.why != NULL;
    return 0;
}

static void is_root(void)
{
    stepdown_state state;

    NEED(stepdown_state_read(&state, sizeof state) == STEPDOWN_OK);
    NEED(state.user[STEPDOWN_REAL] == 0 && state.user[STEPDOWN_SAVED] == 0 && geteuid() == 0);
    NEED((state.permitted & BIND) != 0 && state.permitted != BIND && state.no_new_privs == 0);
}

static void is_there(const stepdown_state *state)
{
    uid_t real, effective, saved;
    uint32_t groups[2] = {0, 0};
    size_t count;
    char *text;
    int at;

    for (at = STEPDOWN_REAL; at <= STEPDOWN_FILESYSTEM; at++)
        NEED(state->user[at] == USER && state->group[at] == USER);
    NEED(state->permitted == BIND && state->effective == BIND && state->bounding == BIND);
    NEED(state->no_new_privs == 1 && state->threads == 1 && state->others == 0 && state->groups == 1);
    /* And by calls that the library has nothing to do with. */
    NEED(getresuid(&real, &effective, &saved) == 0 && real == USER && effective == USER && saved == USER);
    NEED(getresgid(&real, &effective, &saved) == 0 && real == USER && effective == USER && saved == USER);
    NEED(setuid(0) == -1 && errno == EPERM && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    NEED(stepdown_state_groups(groups, 2, &count) == STEPDOWN_OK && count == 1 && groups[0] == USER);
    NEED(stepdown_state_text(&text) == STEPDOWN_OK);
    NEED(strstr(text, "user              994\n") == text);
    NEED(strstr(text, "permitted         cap_net_bind_service\n") != NULL);
    NEED(stepdown_text_free(text) == STEPDOWN_OK);
}

static int on_refusal = STEPDOWN_ON_REFUSAL_ERROR;

/* From the file, or from where the search path leads. */
static stepdown_plan *planned(const char *file)
{
    stepdown_scope *scope = NULL;
    stepdown_plan *plan;

    if (file != NULL) {
        NEED(stepdown_scope_load_file(file, &scope) == STEPDOWN_OK);
    } else {
        setenv("STEPDOWN_CONF_PATH", "/nowhere", 1);
        NEED(stepdown_scope_load_default(&scope) == STEPDOWN_REFUSED && scope == NULL && error_is("no-configuration"));
        setenv("STEPDOWN_CONF_PATH", ".", 1);
        NEED(stepdown_scope_load_default(&scope) == STEPDOWN_OK);
    }
    NEED(stepdown_scope_set_on_refusal(scope, on_refusal) == STEPDOWN_OK);
    NEED(stepdown_scope_plan(scope, &plan) == STEPDOWN_OK && stepdown_error_text()[0] == '\0');
    /* A plan outlives its scope. */
    NEED(stepdown_scope_free(scope) == STEPDOWN_OK);
    return plan;
}

static void refused(const char *text, const char *code)
{
    stepdown_scope *scope;
    stepdown_plan *plan;

    NEED(stepdown_scope_load_text("text", text, strlen(text), &scope) == STEPDOWN_OK);
    NEED(stepdown_scope_plan(scope, &plan) == STEPDOWN_REFUSED && plan == NULL && error_is(code));
    NEED(stepdown_scope_free(scope) == STEPDOWN_OK);
    is_root();
}

static volatile sig_atomic_t ended;

/* As servers have it: whatever child has ended is fetched. */
static void child_ended(int number, siginfo_t *info, void *context)
{
    int saved = errno;

    (void)context;
    if (info->si_signo == number)
        ended++;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    errno = saved;
}

/* A name that no file has is asked of getent(1): the process's own handling of children is neither in the way nor changed. */
static void handlers_stay(void)
{
    struct sigaction own, after;
    sigset_t before, behind;
    int ignores;

    memset(&own, 0, sizeof own);
    own.sa_sigaction = child_ended;
    own.sa_flags = SA_SIGINFO | SA_RESTART;
    NEED(sigaction(SIGCHLD, &own, NULL) == 0 && sigprocmask(SIG_SETMASK, NULL, &before) == 0);
    for (ignores = 0; ignores < 2; ignores++) {
        refused("Security { user = nobody-of-that-name }", "no-such-account");
        NEED(sigaction(SIGCHLD, NULL, &after) == 0 && sigprocmask(SIG_SETMASK, NULL, &behind) == 0);
        NEED(sigismember(&before, SIGCHLD) == sigismember(&behind, SIGCHLD));
        if (ignores) {
            NEED(after.sa_handler == SIG_IGN);
        } else {
            NEED(after.sa_sigaction == child_ended && (after.sa_flags & SA_SIGINFO) && (after.sa_flags & SA_RESTART));
            NEED(ended > 0);
        }
        signal(SIGCHLD, SIG_IGN);
    }
    signal(SIGCHLD, SIG_DFL);
}

#define THREADS 5

static pthread_barrier_t started, stepped_down;
static int left_behind;

static void *thread(void *nothing)
{
    stepdown_state state;

    (void)nothing;
    pthread_barrier_wait(&started);
    pthread_barrier_wait(&stepped_down);
    if (stepdown_state_read(&state, sizeof state) != STEPDOWN_OK || state.user[STEPDOWN_SAVED] != USER ||
        state.permitted != BIND || state.bounding != BIND || state.no_new_privs != 1)
        __sync_fetch_and_add(&left_behind, 1);
    pthread_barrier_wait(&stepped_down);
    return NULL;
}

/* Every thread is taken along, or the plan is refused; it never is one alone. */
static const char *every_thread(const char *file)
{
    stepdown_scope *scope;
    stepdown_plan *plan;
    stepdown_state proven, state;
    pthread_t threads[THREADS];
    int at;

    NEED(pthread_barrier_init(&started, NULL, THREADS + 1) == 0);
    NEED(pthread_barrier_init(&stepped_down, NULL, THREADS + 1) == 0);
    for (at = 0; at < THREADS; at++)
        NEED(pthread_create(&threads[at], NULL, thread, NULL) == 0);
    pthread_barrier_wait(&started);
    NEED(stepdown_scope_load_file(file, &scope) == STEPDOWN_OK);
    NEED(stepdown_scope_plan(scope, &plan) == STEPDOWN_OK);
    NEED(stepdown_plan_apply(plan, &proven, sizeof proven) == STEPDOWN_OK);
    NEED(proven.threads == THREADS + 1 && proven.others == 0);
    NEED(stepdown_state_read(&state, sizeof state) == STEPDOWN_OK && memcmp(&state, &proven, sizeof state) == 0);
    pthread_barrier_wait(&stepped_down);
    pthread_barrier_wait(&stepped_down);
    NEED(left_behind == 0);
    for (at = 0; at < THREADS; at++)
        NEED(pthread_join(threads[at], NULL) == 0);
    NEED(stepdown_plan_free(plan) == STEPDOWN_OK && stepdown_scope_free(scope) == STEPDOWN_OK);
    return "every thread is there";
}

static void *deaf(void *nothing)
{
    uint64_t all = ~(uint64_t)0;

    /* Not through the C library, which leaves out the signal that it keeps for itself. */
    if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all) != 0)
        _exit(1);
    pthread_barrier_wait(&started);
    for (;;)
        pause();
    return nothing;
}

static void go_on(int number)
{
    (void)number;
    puts("the process has gone on");
    fflush(stdout);
}

/* A thread that can't be reached is a refusal. It ends the process for plans made after that was asked for, and no others. */
static void refusal(const char *file)
{
    stepdown_scope *scope;
    stepdown_plan *before, *after;
    pthread_t thread;

    NEED(pthread_barrier_init(&started, NULL, 2) == 0 && pthread_create(&thread, NULL, deaf, NULL) == 0);
    pthread_barrier_wait(&started);
    NEED(stepdown_scope_load_file(file, &scope) == STEPDOWN_OK);
    NEED(stepdown_scope_plan(scope, &before) == STEPDOWN_OK);
    NEED(stepdown_scope_set_on_refusal(scope, STEPDOWN_ON_REFUSAL_ABORT) == STEPDOWN_OK);
    NEED(stepdown_scope_plan(scope, &after) == STEPDOWN_OK);
    NEED(stepdown_scope_set_on_refusal(scope, STEPDOWN_ON_REFUSAL_ERROR) == STEPDOWN_OK);
    NEED(stepdown_plan_apply(before, NULL, 0) == STEPDOWN_REFUSED && error_is("thread-unreachable"));
    is_root();
    /* What the caller does wrong ends nothing. */
    NEED(stepdown_plan_apply(before, NULL, 0) == STEPDOWN_INVALID);
    puts("refused");
    fflush(stdout);
    signal(SIGABRT, go_on);
    stepdown_plan_apply(after, NULL, 0);
    go_on(0);
}

/* After the plan something takes away what its steps need. */
static void half_way(stepdown_plan *plan)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2];
    stepdown_state state = {{7, 7, 7, 7}, {7, 7, 7, 7}, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};

    memset(none, 0, sizeof none);
    NEED(syscall(SYS_capset, &header, none) == 0);
    NEED(stepdown_plan_apply(plan, &state, sizeof state) == STEPDOWN_HALF_WAY && error_is("step-failed"));
    NEED(state.user[STEPDOWN_REAL] == 7 && state.others == 7);
    NEED(stepdown_plan_apply(plan, NULL, 0) == STEPDOWN_INVALID);
    NEED(stepdown_plan_free(plan) == STEPDOWN_OK);
}

int main(int count, char **arguments)
{
    stepdown_plan *plan;
    stepdown_state proven, state;
    char *text;
    int status;
    pid_t child;

    NEED(count >= 2);
    is_root();
    if (count > 2 && strcmp(arguments[2], "threads") == 0) {
        puts(every_thread(arguments[1]));
        return 0;
    }
    if (count > 2 && strcmp(arguments[2], "refusal") == 0) {
        refusal(arguments[1]);
        return 1;
    }
    if (count > 2 && strncmp(arguments[2], "abort", 5) == 0)
        on_refusal = STEPDOWN_ON_REFUSAL_ABORT;
    plan = planned(arguments[1]);
    if (count > 2 && strcmp(arguments[2], "abort") == 0) {
        signal(SIGABRT, go_on);
        child = fork();
        NEED(child >= 0);
        if (child == 0) {
            stepdown_plan_apply(plan, NULL, 0);
            go_on(0);
        }
        NEED(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        puts("aborted");
        return 0;
    }
    if (count > 2) {
        half_way(plan);
        puts("half-way");
        return 0;
    }
    NEED(stepdown_plan_text(plan, &text) == STEPDOWN_OK);
    NEED(strstr(text, "become user 994") != NULL && strstr(text, "no_new_privs") != NULL);
    NEED(stepdown_text_free(text) == STEPDOWN_OK);
    refused("Security { user = 994  group = 994  Chroot = \"/no/such/directory\" }", "chroot-directory");
    handlers_stay();

    /* A plan is its own process's; a child that makes its own is a process like any other. */
    child = fork();
    NEED(child >= 0);
    if (child == 0) {
        NEED(stepdown_plan_apply(plan, &proven, sizeof proven) == STEPDOWN_REFUSED && error_is("another-process"));
        is_root();
        NEED(stepdown_plan_free(plan) == STEPDOWN_OK);
        plan = planned(NULL);
        NEED(stepdown_plan_apply(plan, &proven, sizeof proven) == STEPDOWN_OK);
        is_there(&proven);
        NEED(stepdown_plan_free(plan) == STEPDOWN_OK);
        return 7;
    }
    NEED(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);

    NEED(stepdown_plan_apply(plan, &proven, sizeof proven) == STEPDOWN_OK && stepdown_finding_count() == 0);
    is_there(&proven);
    NEED(stepdown_state_read(&state, sizeof state) == STEPDOWN_OK && memcmp(&state, &proven, sizeof state) == 0);
    NEED(stepdown_plan_apply(plan, NULL, 0) == STEPDOWN_INVALID);
    NEED(stepdown_plan_text(plan, &text) == STEPDOWN_OK && stepdown_text_free(text) == STEPDOWN_OK);
    NEED(stepdown_plan_free(plan) == STEPDOWN_OK && stepdown_plan_free(plan) == STEPDOWN_INVALID);
    puts("applied");
    return 0;
}
