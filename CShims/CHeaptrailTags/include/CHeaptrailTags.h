/*
 * The module's umbrella: the one public header, which a C or C++ program includes by itself, and the thread's
 * suspension count, which only the Swift module uses.
 */
#ifndef CHEAPTRAIL_TAGS_H
#define CHEAPTRAIL_TAGS_H

#include "heaptrail_tags.h"

/* Suspensions nest; tags and counters have no effect on this thread while there is one. Kept by the caller. */
void ht_tags_suspend(void);
void ht_tags_resume(void);
int ht_tags_are_suspended(void);

#endif
