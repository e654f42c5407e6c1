/* The program that is launched: it ends at once, so that what is measured is the launch. */
#include "bare.h"

void program(word *stack)
{
    (void)stack;
    leave(0);
}
