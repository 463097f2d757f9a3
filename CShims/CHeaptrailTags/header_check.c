/*
 * Compiles the public header once as C, under the package's warnings. The functions themselves are inline in the
 * header or live in the preload; nothing else belongs here.
 */
#include "heaptrail_tags.h"

_Static_assert(sizeof(uint32_t) == 4, "tag ids are 32 bits wide in the trace");
