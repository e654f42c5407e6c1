/* The header by itself, as any standard has it, and the layouts that programs were built with. Compiled and never run. */
#include <stepdown.h>
#include <stepdown.h>

#define SAME(name, condition) typedef char name[(condition) ? 1 : -1]
#define AT(type, field, offset) SAME(at_##type##_##field, offsetof(type, field) == (offset))
#define PART(index) ((index) * sizeof(void *))

AT(stepdown_finding, code, PART(0));
AT(stepdown_finding, message, PART(1));
AT(stepdown_finding, why, PART(2));
AT(stepdown_finding, hint, PART(3));
AT(stepdown_finding, file, PART(4));
AT(stepdown_finding, text, PART(5));
AT(stepdown_finding, line, PART(6));
AT(stepdown_finding, column, PART(6) + 4);
AT(stepdown_finding, severity, PART(6) + 8);
AT(stepdown_finding, cause, PART(6) + 12);
SAME(finding_ends, sizeof(stepdown_finding) == PART(6) + 16);
AT(stepdown_state, user, 0);
AT(stepdown_state, group, 16);
AT(stepdown_state, permitted, 32);
AT(stepdown_state, effective, 40);
AT(stepdown_state, inheritable, 48);
AT(stepdown_state, bounding, 56);
AT(stepdown_state, ambient, 64);
AT(stepdown_state, securebits, 72);
AT(stepdown_state, no_new_privs, 76);
AT(stepdown_state, groups, 80);
AT(stepdown_state, threads, 84);
AT(stepdown_state, others, 88);
AT(stepdown_state, reserved, 92);
SAME(state_ends, sizeof(stepdown_state) == 96);
SAME(statuses, STEPDOWN_OK == 0 && STEPDOWN_REFUSED == 1 && STEPDOWN_HALF_WAY == 2 && STEPDOWN_INVALID == 3 &&
               STEPDOWN_INTERNAL == 4);
SAME(severities, STEPDOWN_NOTE == 0 && STEPDOWN_WARNING == 1 && STEPDOWN_ERROR == 2);
SAME(causes, STEPDOWN_CAUSE_SYNTAX == 0 && STEPDOWN_CAUSE_TEXT == 1 && STEPDOWN_CAUSE_HOST == 2 &&
             STEPDOWN_CAUSE_CALLER == 3);
SAME(refusals, STEPDOWN_ON_REFUSAL_ERROR == 0 && STEPDOWN_ON_REFUSAL_ABORT == 1);
SAME(ids, STEPDOWN_REAL == 0 && STEPDOWN_EFFECTIVE == 1 && STEPDOWN_SAVED == 2 && STEPDOWN_FILESYSTEM == 3);

/* The prototypes of C, which say something about arguments, and not only names. */
int (*const load)(const char *, const char *, size_t, stepdown_scope **) = stepdown_scope_load_text;
const char *(*const version)(void) = stepdown_version;
