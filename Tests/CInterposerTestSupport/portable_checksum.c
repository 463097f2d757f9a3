// The checksum's portable half, which a processor with the instruction never runs: the very source, under another name.
#define ht_crc32c ht_test_crc32c_chosen
#include "../../CShims/CTraceFormat/checksum.c"

#include <CInterposerTestSupport.h>

uint32_t ht_test_crc32c_portable(uint32_t seed, const void *bytes, size_t count) {
    return ~portable(~seed, bytes, count);
}
