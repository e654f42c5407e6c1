/*
 * A bug of the library in each of its functions: built with `--cfg stepdown_panic`, the function that the variable
 * STEPDOWN_PANIC names panics. None of it may come here but as a status. Exits with 0, or says what was not so.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stepdown.h>

#define TEXT "Security { user = 0  group = 0 }"

static stepdown_scope *scope;
static stepdown_plan *plan;
static stepdown_state state;
static stepdown_finding finding;
static char *text;
static size_t count;

/* Calls `call`, a function that returns a status, in which the library panics. */
#define PANIC(name, expected, reported, call) \
    do { \
        int status; \
        setenv("STEPDOWN_PANIC", name, 1); \
        status = (call); \
        unsetenv("STEPDOWN_PANIC"); \
        if (status != (expected) || \
            ((reported) && (strstr(stepdown_error_text(), "a bug of the library in " name) == NULL || \
                            strstr(stepdown_error_text(), "crafted for the tests") == NULL || \
                            stepdown_finding_get(0, &finding, sizeof finding) != STEPDOWN_OK || \
                            strcmp(finding.code, "panic") != 0))) { \
            fprintf(stderr, "%s: %d, %s\n", name, status, stepdown_error_text()); \
            exit(1); \
        } \
        puts(name); \
    } while (0)

#define INTERNAL STEPDOWN_INTERNAL

int main(void)
{
    PANIC("stepdown_scope_load_file", INTERNAL, 1, stepdown_scope_load_file("x", &scope));
    PANIC("stepdown_scope_load_default", INTERNAL, 1, stepdown_scope_load_default(&scope));
    PANIC("stepdown_scope_load_text", INTERNAL, 1, stepdown_scope_load_text("x", TEXT, strlen(TEXT), &scope));
    PANIC("stepdown_scope_set_on_refusal", INTERNAL, 1,
          stepdown_scope_set_on_refusal(scope, STEPDOWN_ON_REFUSAL_ERROR));
    PANIC("stepdown_scope_free", INTERNAL, 1, stepdown_scope_free(scope));
    PANIC("stepdown_scope_plan", INTERNAL, 1, stepdown_scope_plan(scope, &plan));
    PANIC("stepdown_plan_text", INTERNAL, 1, stepdown_plan_text(plan, &text));
    /* Nobody knows how far it came. */
    PANIC("stepdown_plan_apply", STEPDOWN_HALF_WAY, 1, stepdown_plan_apply(plan, &state, sizeof state));
    PANIC("stepdown_plan_free", INTERNAL, 1, stepdown_plan_free(plan));
    PANIC("stepdown_state_read", INTERNAL, 1, stepdown_state_read(&state, sizeof state));
    PANIC("stepdown_state_groups", INTERNAL, 1, stepdown_state_groups(NULL, 0, &count));
    PANIC("stepdown_state_text", INTERNAL, 1, stepdown_state_text(&text));
    PANIC("stepdown_text_free", INTERNAL, 1, stepdown_text_free(text));
    PANIC("stepdown_finding_get", INTERNAL, 0, stepdown_finding_get(0, &finding, sizeof finding));
    PANIC("stepdown_finding_count", 0, 0, (int)stepdown_finding_count());
    PANIC("stepdown_error_text", 1, 0, stepdown_error_text()[0] == '\0');
    PANIC("stepdown_warning_text", 1, 0, stepdown_warning_text()[0] == '\0');
    /* And it goes on. */
    if (stepdown_scope_load_text("x", TEXT, strlen(TEXT), &scope) != STEPDOWN_OK ||
        stepdown_scope_free(scope) != STEPDOWN_OK)
        return 1;
    puts("survived");
    return 0;
}
