/* The module's umbrella: all of it is the one public header, which a C or C++ program includes by itself. */
#ifndef CHEAPTRAIL_TAGS_H
#define CHEAPTRAIL_TAGS_H

#include "heaptrail_tags.h"

#endif
