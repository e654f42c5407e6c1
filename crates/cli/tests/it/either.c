/* Stands for the program under test where the tests of `stepdown run` are to be those of `stepdown-run` too: that command is executed
 * by stepdown-run, every other by stepdown. RUN and ALL are their paths, from the compiler's command line. */
#include "../../../../bench/launch/bare.h"

static int is_run(const char *word)
{
    return word[0] == 'r' && word[1] == 'u' && word[2] == 'n' && word[3] == 0;
}

void program(word *stack)
{
    char **arguments = (char **)(stack + 1);
    char **environment = arguments + stack[0] + 1;

    if (stack[0] > 1 && is_run(arguments[1]))
        call(NR_execve, (word)RUN, (word)(arguments + 1), (word)environment, 0, 0);
    else
        call(NR_execve, (word)ALL, (word)arguments, (word)environment, 0, 0);
    leave(99);
}
