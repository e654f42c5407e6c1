/*
 * Everything that a caller can do wrong, and that the library has to survive; and what it does for one that is right.
 * Changes nothing about its process. Exits with 0, or says what was not as it should be. The tests run it as it is, under
 * valgrind(1), and with gcc's sanitizers.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stepdown.h>

#define GOOD "Security { user = 0  group = 0  Supplemental_Groups = ()  Capabilities = \"all=\" }"
#define ROUNDS 60
#define THREADS 8

static void fail(int line, const char *what)
{
    fprintf(stderr, "abuse.c:%d: %s; report: %s\n", line, what, stepdown_error_text());
    exit(1);
}

#define NEED(condition) do { if (!(condition)) fail(__LINE__, #condition); } while (0)

/* That the report of this thread is about this: the one error's code, and who did it. */
static void reported(int line, const char *code, int cause)
{
    stepdown_finding finding;

    if (stepdown_finding_count() != 1 || stepdown_finding_get(0, &finding, sizeof finding) != STEPDOWN_OK ||
        strcmp(finding.code, code) != 0 || finding.severity != STEPDOWN_ERROR || finding.cause != cause ||
        strstr(stepdown_error_text(), finding.message) == NULL)
        fail(line, code);
}

#define INVALID(call, code) \
    do { NEED((call) == STEPDOWN_INVALID); reported(__LINE__, code, STEPDOWN_CAUSE_CALLER); } while (0)

static stepdown_scope *load(const char *text)
{
    stepdown_scope *scope = NULL;

    NEED(stepdown_scope_load_text("abuse", text, strlen(text), &scope) == STEPDOWN_OK && scope != NULL);
    return scope;
}

static void null_pointers(void)
{
    stepdown_scope *scope = (stepdown_scope *)"";
    stepdown_plan *plan = NULL;
    stepdown_state state;
    uint32_t groups[4];
    size_t count;
    char *text = (char *)&state;

    INVALID(stepdown_scope_load_file(NULL, &scope), "null-pointer");
    NEED(scope == NULL);
    scope = load(GOOD);
    INVALID(stepdown_scope_load_file("/nowhere", NULL), "null-pointer");
    INVALID(stepdown_scope_load_default(NULL), "null-pointer");
    INVALID(stepdown_scope_load_text(NULL, GOOD, 4, NULL), "null-pointer");
    INVALID(stepdown_scope_plan(scope, NULL), "null-pointer");
    INVALID(stepdown_scope_plan(NULL, &plan), "null-pointer");
    NEED(plan == NULL);
    INVALID(stepdown_scope_set_on_refusal(NULL, STEPDOWN_ON_REFUSAL_ABORT), "null-pointer");
    INVALID(stepdown_plan_text(NULL, &text), "null-pointer");
    NEED(text == NULL);
    INVALID(stepdown_plan_text(plan, NULL), "null-pointer");
    INVALID(stepdown_plan_apply(NULL, NULL, 0), "null-pointer");
    INVALID(stepdown_plan_apply(NULL, &state, sizeof state), "null-pointer");
    INVALID(stepdown_state_read(NULL, sizeof state), "null-pointer");
    INVALID(stepdown_state_groups(groups, 4, NULL), "null-pointer");
    INVALID(stepdown_state_groups(NULL, 4, &count), "null-pointer");
    INVALID(stepdown_state_text(NULL), "null-pointer");
    NEED(stepdown_finding_get(0, NULL, sizeof(stepdown_finding)) == STEPDOWN_INVALID);
    NEED(stepdown_scope_free(NULL) == STEPDOWN_OK && stepdown_plan_free(NULL) == STEPDOWN_OK);
    NEED(stepdown_text_free(NULL) == STEPDOWN_OK);
    NEED(stepdown_scope_free(scope) == STEPDOWN_OK);
    /* A text of no bytes needs no address. What it comes to depends on whether this host has an `ecuser`; not so the reading. */
    NEED(stepdown_scope_load_text(NULL, NULL, 0, &scope) == STEPDOWN_OK);
    NEED(stepdown_scope_free(scope) == STEPDOWN_OK);
    INVALID(stepdown_scope_load_text(NULL, NULL, 1, &scope), "null-pointer");
}

static void freed_handles(void)
{
    stepdown_scope *scope = load(GOOD), *other;
    stepdown_plan *plan = (stepdown_plan *)scope;
    char *text, local[4] = "abc";

    /* Of another kind, and made up. */
    INVALID(stepdown_plan_text(plan, &text), "no-such-handle");
    INVALID(stepdown_plan_apply(plan, NULL, 0), "no-such-handle");
    INVALID(stepdown_plan_free(plan), "no-such-handle");
    INVALID(stepdown_scope_free((stepdown_scope *)local), "no-such-handle");
    INVALID(stepdown_scope_free((stepdown_scope *)~(uintptr_t)0), "no-such-handle");
    INVALID(stepdown_scope_plan((stepdown_scope *)1, &plan), "no-such-handle");
    INVALID(stepdown_scope_set_on_refusal((stepdown_scope *)local, STEPDOWN_ON_REFUSAL_ABORT), "no-such-handle");

    NEED(stepdown_scope_set_on_refusal(scope, STEPDOWN_ON_REFUSAL_ABORT) == STEPDOWN_OK);
    NEED(stepdown_finding_count() == 0);
    INVALID(stepdown_scope_set_on_refusal(scope, 2), "no-such-value");
    INVALID(stepdown_scope_set_on_refusal(scope, -1), "no-such-value");
    INVALID(stepdown_scope_set_on_refusal(scope, INT_MIN), "no-such-value");
    NEED(stepdown_scope_set_on_refusal(scope, STEPDOWN_ON_REFUSAL_ERROR) == STEPDOWN_OK);
    NEED(stepdown_scope_free(scope) == STEPDOWN_OK);
    INVALID(stepdown_scope_set_on_refusal(scope, STEPDOWN_ON_REFUSAL_ERROR), "no-such-handle");
    INVALID(stepdown_scope_free(scope), "no-such-handle");
    INVALID(stepdown_scope_plan(scope, &plan), "no-such-handle");
    NEED(plan == NULL);
    /* A new one is never taken for an old one. */
    other = load(GOOD);
    NEED(other != scope);
    INVALID(stepdown_scope_free(scope), "no-such-handle");
    NEED(stepdown_scope_free(other) == STEPDOWN_OK);

    NEED(stepdown_state_text(&text) == STEPDOWN_OK);
    NEED(strstr(text, "user ") == text && strstr(text, "\nthreads ") != NULL);
    /* The caller's, also to write to. */
    text[0] = '\0';
    NEED(stepdown_text_free(text) == STEPDOWN_OK);
    INVALID(stepdown_text_free(text), "no-such-text");
    INVALID(stepdown_text_free(local), "no-such-text");
}

static void sizes(void)
{
    struct { stepdown_state state; unsigned char more[8], behind[8]; } longer;
    stepdown_state state;
    stepdown_finding finding;
    stepdown_scope *scope;
    size_t count = 0, at;
    uint32_t *groups;

    INVALID(stepdown_state_read(&state, 0), "wrong-size");
    INVALID(stepdown_state_read(&state, sizeof state - 1), "wrong-size");
    INVALID(stepdown_state_read(&state, (size_t)-1), "wrong-size");
    INVALID(stepdown_plan_apply(NULL, &state, sizeof state - 1), "wrong-size");
    INVALID(stepdown_scope_load_text("x", GOOD, (size_t)-1, &scope), "wrong-size");
    NEED(stepdown_finding_get(0, &finding, sizeof finding - 1) == STEPDOWN_INVALID);
    NEED(stepdown_finding_get(1, &finding, sizeof finding) == STEPDOWN_INVALID);
    NEED(stepdown_finding_get((size_t)-1, &finding, sizeof finding) == STEPDOWN_INVALID);
    reported(__LINE__, "wrong-size", STEPDOWN_CAUSE_CALLER);
    NEED(stepdown_state_read((stepdown_state *)((char *)&longer + 1), sizeof state) == STEPDOWN_INVALID);
    reported(__LINE__, "not-aligned", STEPDOWN_CAUSE_CALLER);

    /* A program built for a later version, which knows a longer structure. */
    memset(&longer, 0xff, sizeof longer);
    NEED(stepdown_state_read(&longer.state, sizeof longer.state + sizeof longer.more) == STEPDOWN_OK);
    for (at = 0; at < sizeof longer.more; at++)
        NEED(longer.more[at] == 0 && longer.behind[at] == 0xff);
    NEED(longer.state.user[STEPDOWN_REAL] == getuid() && longer.state.group[STEPDOWN_EFFECTIVE] == getegid());
    NEED(longer.state.threads == 1 && longer.state.others == 0 && longer.state.reserved == 0);
    NEED(longer.state.bounding != 0);

    NEED(stepdown_state_groups(NULL, 0, &count) == STEPDOWN_OK && (int)count == getgroups(0, NULL));
    NEED(count == longer.state.groups);
    /* Room for one, behind which nothing may be written. */
    groups = malloc(sizeof *groups);
    NEED(groups != NULL && stepdown_state_groups(groups, 1, &count) == STEPDOWN_OK);
    free(groups);
}

/* Bytes that end where no memory is. */
static void no_terminator(void)
{
    static const char text[] = GOOD, wrong[] = "Security {\n  user = \"", bytes[] = "user\xff";
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *end = pages + page;
    stepdown_scope *scope;
    stepdown_finding finding;

    NEED(pages != MAP_FAILED && mprotect(end, page, PROT_NONE) == 0);
    memcpy(end - (sizeof text - 1), text, sizeof text - 1);
    NEED(stepdown_scope_load_text("x", end - (sizeof text - 1), sizeof text - 1, &scope) == STEPDOWN_OK);
    NEED(stepdown_scope_free(scope) == STEPDOWN_OK);
    NEED(stepdown_scope_load_text("x", end, 0, &scope) == STEPDOWN_OK);
    NEED(stepdown_scope_free(scope) == STEPDOWN_OK);

    memcpy(end - (sizeof wrong - 1), wrong, sizeof wrong - 1);
    NEED(stepdown_scope_load_text("x", end - (sizeof wrong - 1), sizeof wrong - 1, &scope) == STEPDOWN_REFUSED);
    NEED(scope == NULL && stepdown_finding_get(0, &finding, sizeof finding) == STEPDOWN_OK);
    NEED(strcmp(finding.file, "x") == 0 && finding.line >= 1 && finding.column >= 1);

    memcpy(end - (sizeof bytes - 1), bytes, sizeof bytes - 1);
    NEED(stepdown_scope_load_text("y", end - (sizeof bytes - 1), sizeof bytes - 1, &scope) == STEPDOWN_REFUSED);
    NEED(stepdown_finding_get(0, &finding, sizeof finding) == STEPDOWN_OK);
    NEED(strcmp(finding.code, "invalid-utf-8") == 0 && finding.line == 1 && finding.column == 5);
    /* A NUL byte in the middle ends nothing. */
    NEED(stepdown_scope_load_text("z", "a = 1\0b = 2", 11, &scope) == STEPDOWN_REFUSED && scope == NULL);
    NEED(stepdown_finding_get(0, &finding, sizeof finding) == STEPDOWN_OK && finding.column == 6);
    INVALID(stepdown_scope_load_text("\xff", GOOD, sizeof GOOD - 1, &scope), "name-not-utf-8");
    munmap(pages, 2 * page);
}

/* The report, and how long it is good. */
static void reports(void)
{
    static const char text[] = "# a scope\nSecurity {\n  Capabilities = \"cap_net_bind_servce+ep\"\n}\n";
    stepdown_scope *scope, *other = load(GOOD);
    stepdown_finding finding;

    NEED(stepdown_finding_count() == 0 && stepdown_error_text()[0] == '\0' && stepdown_warning_text()[0] == '\0');
    NEED(stepdown_scope_load_text("my.conf", text, sizeof text - 1, &scope) == STEPDOWN_REFUSED);
    /* Cleaning up loses nothing, and the strings stay where they are. */
    NEED(stepdown_finding_get(0, &finding, sizeof finding) == STEPDOWN_OK);
    NEED(stepdown_scope_free(other) == STEPDOWN_OK && stepdown_scope_free(scope) == STEPDOWN_OK);
    NEED(stepdown_finding_get(7, &finding, sizeof finding) == STEPDOWN_INVALID);
    NEED(strcmp(finding.file, "my.conf") == 0 && finding.line == 3 && finding.column == 19);
    NEED(finding.severity == STEPDOWN_ERROR && finding.cause == STEPDOWN_CAUSE_TEXT);
    NEED(strstr(finding.message, "cap_net_bind_servce") != NULL);
    NEED(strstr(finding.hint, "cap_net_bind_service") != NULL && finding.code[0] != '\0');
    NEED(strncmp(finding.text, "my.conf:3:19: error: ", 21) == 0 && strcmp(finding.text, stepdown_error_text()) == 0);
    NEED(strstr(finding.text, "^") != NULL && strstr(finding.text, "  hint: ") != NULL);
    /* A warning is no error. */
    other = load("Security { user = nobody  Privileges = \"basic\" }");
    NEED(stepdown_finding_count() == 1 && stepdown_error_text()[0] == '\0');
    NEED(strstr(stepdown_warning_text(), "warning") != NULL);
    NEED(stepdown_scope_free(other) == STEPDOWN_OK);

    NEED(stepdown_scope_load_file("/nowhere/\x1b[2J.conf", &scope) == STEPDOWN_REFUSED);
    NEED(strchr(stepdown_error_text(), '\x1b') == NULL && strstr(stepdown_error_text(), "/nowhere/") != NULL);
}

static stepdown_scope *shared[ROUNDS];
static int freed;

/* Every thread works with the same handles, which each of them frees, so that all but one is too late. */
static void *together(void *argument)
{
    int round, own = 0;

    (void)argument;
    for (round = 0; round < ROUNDS; round++) {
        stepdown_plan *plan;
        stepdown_state state;
        char *text;
        int set = stepdown_scope_set_on_refusal(shared[round], round % 2);
        int status = stepdown_scope_plan(shared[round], &plan);

        NEED(set == STEPDOWN_OK || set == STEPDOWN_INVALID);
        /* Refused, where a process of several threads is, or where this one may not go where the scope asks. */
        NEED(status == STEPDOWN_OK || status == STEPDOWN_REFUSED || status == STEPDOWN_INVALID);
        NEED((stepdown_error_text()[0] == '\0') == (status == STEPDOWN_OK));
        if (status == STEPDOWN_OK)
            NEED(stepdown_plan_text(plan, &text) == STEPDOWN_OK && stepdown_text_free(text) == STEPDOWN_OK &&
                 stepdown_plan_free(plan) == STEPDOWN_OK);
        NEED(stepdown_state_read(&state, sizeof state) == STEPDOWN_OK && state.threads > 1 && state.others == 0);
        own += stepdown_scope_free(shared[round]) == STEPDOWN_OK;
    }
    __sync_fetch_and_add(&freed, own);
    return NULL;
}

static void concurrent_use(void)
{
    pthread_t threads[THREADS];
    int at;

    for (at = 0; at < ROUNDS; at++)
        shared[at] = load(GOOD);
    for (at = 0; at < THREADS; at++)
        NEED(pthread_create(&threads[at], NULL, together, NULL) == 0);
    for (at = 0; at < THREADS; at++)
        NEED(pthread_join(threads[at], NULL) == 0);
    NEED(freed == ROUNDS);
}

static volatile sig_atomic_t handled;

static void handler(int number)
{
    (void)number;
    handled = stepdown_version()[0] != '\0' && strcmp(stepdown_status_name(STEPDOWN_HALF_WAY), "half-way") == 0;
}

static void signals_and_forks(void)
{
    stepdown_scope *scope = load(GOOD);
    int status;
    pid_t child;

    signal(SIGUSR1, handler);
    NEED(raise(SIGUSR1) == 0 && handled);
    child = fork();
    NEED(child >= 0);
    if (child == 0) {
        /* A copy of the handle, and of everything else. */
        NEED(stepdown_scope_free(scope) == STEPDOWN_OK && stepdown_scope_free(load(GOOD)) == STEPDOWN_OK);
        exit(7);
    }
    NEED(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    NEED(stepdown_scope_free(scope) == STEPDOWN_OK);
}

int main(void)
{
    NEED(strcmp(stepdown_version(), STEPDOWN_VERSION) == 0);
    NEED(strcmp(stepdown_status_name(STEPDOWN_OK), "ok") == 0 && strcmp(stepdown_status_name(INT_MIN), "unknown") == 0);
    null_pointers();
    freed_handles();
    sizes();
    no_terminator();
    reports();
    signals_and_forks();
    concurrent_use();
    puts("survived");
    return 0;
}
