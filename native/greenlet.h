/* What the files about greenlets share. All of these are called with the GIL, and outside the tracer. */
#ifndef HEADWAY_GREENLET_H
#define HEADWAY_GREENLET_H

#include "python_api.h"
#include "tracer.h"

#define TURN (&hw_self.turns[HW_UNIT_KIND_GREENLET])

/* greenlet.c */
bool hw_greenlet_find(object type, void **api);
bool hw_greenlets_found(void);               /* greenlet was imported, and is one that is known */
bool hw_greenlets_here(void);                /* in the interpreter whose greenlets are told, and outside the tracer */
bool hw_is_greenlet(object o);
bool hw_greenlet_began(object greenlet);
bool hw_greenlet_lives(object greenlet);     /* it has begun and has not ended, and is none that a thread begins with */
object hw_greenlet_now(void);                /* who runs: borrowed, since it does. NULL: greenlet is being taken down */
struct hw_live *hw_greenlet_unit(object greenlet, uint64_t now, bool begun); /* found, or made; or NULL */
struct hw_live *hw_greenlet_settle(object me, uint64_t now);                 /* of the one that runs; or NULL */
void hw_greenlet_name(object greenlet, struct hw_live *live);
void hw_greenlet_ready(object greenlet, bool from_here); /* it was put in line, by this thread's hub or by another */
void hw_greenlet_gives_way(void);                        /* the one that runs was */
void hw_greenlet_failed(object o);

/* switch.c */
object hw_greenlet_of_switch(object callback); /* of `g.switch`, bound, that greenlet; else NULL */

/* gevent.c */
bool hw_is_hub(object greenlet);
uint64_t hw_gevent_notified(const void *object); /* when those that wait for it were last put in line; 0: not known */

#endif
