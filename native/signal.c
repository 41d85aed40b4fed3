/* Which programs handle signals by themselves: a handler may wake a thread that nobody else can; and which ones need not
 * wait for their children. */
#define _GNU_SOURCE
#include "tracer.h"

/* Those that the program brings on itself, by a fault: faulthandler's. */
static bool is_fault(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL || number == SIGABRT;
}

static void ignores(const struct sigaction *action)
{
    if ((action->sa_handler == SIG_IGN || action->sa_flags & SA_NOCLDWAIT) && hw.header != NULL)
        __atomic_fetch_or(&hw.header->flags, HW_FLAG_CHILDREN_IGNORED, __ATOMIC_RELAXED);
}

/* Who started this program may ignore them, and so does it then. */
void hw_signals_start(void)
{
    struct sigaction now;
    if (REAL(sigaction)(SIGCHLD, NULL, &now) == 0)
        ignores(&now);
}

/* The interpreter's own handler of SIGINT is set before it is ready: Ctrl-C is nobody's plan. */
EXPORT int sigaction(int number, const struct sigaction *action, struct sigaction *before)
{
    int r = REAL(sigaction)(number, action, before);
    if (r == 0 && action != NULL && action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN &&
        !is_fault(number) && hw.header != NULL && hw_python_initialized())
        __atomic_fetch_or(&hw.header->flags, HW_FLAG_HANDLERS | (number == SIGINT ? 0 : HW_FLAG_ON_SIGNAL),
                          __ATOMIC_RELAXED);
    if (r == 0 && number == SIGCHLD && action != NULL)
        ignores(action);
    return r;
}
