/*
 * Whether this thread's tags are suspended: the one piece of state on the program's side. Used by the Swift module,
 * since Swift has no thread-local variables; read only while the preload is there.
 */
#include "CHeaptrailTags.h"

/* Written and read by its own thread alone. */
static _Thread_local uint32_t suspensions;

void ht_tags_suspend(void) { suspensions++; }

void ht_tags_resume(void) { suspensions--; }

int ht_tags_are_suspended(void) { return suspensions != 0; }
