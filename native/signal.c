/* Which programs handle signals by themselves: a handler may wake a thread that nobody else can. */
#define _GNU_SOURCE
#include "tracer.h"

/* Those that the program brings on itself, by a fault: faulthandler's. */
static bool is_fault(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL || number == SIGABRT;
}

/* The interpreter's own handler of SIGINT is set before it is ready: Ctrl-C is nobody's plan. */
EXPORT int sigaction(int number, const struct sigaction *action, struct sigaction *before)
{
    int r = REAL(sigaction)(number, action, before);
    if (r == 0 && action != NULL && action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN &&
        !is_fault(number) && hw.header != NULL && hw_python_initialized())
        __atomic_fetch_or(&hw.header->flags, HW_FLAG_HANDLERS, __ATOMIC_RELAXED);
    return r;
}
