/* Looks up the functions behind the hooks. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>

#include "tracer.h"

#define X(ret, name, params) ret(*real_##name) params;
HW_REAL(X)
#undef X

static void *resolve(const char *name)
{
    void *found = NULL;
#if defined(__x86_64__) && defined(__GLIBC__)
    if (strncmp(name, "pthread_cond_", 13) == 0)
        found = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
#endif
    return found != NULL ? found : dlsym(RTLD_NEXT, name);
}

void hw_real_resolve(void)
{
    /* Two threads may do this at once: both store the same values. */
#define X(ret, name, params) real_##name = (ret(*) params)resolve(#name);
    HW_REAL(X)
#undef X
}
