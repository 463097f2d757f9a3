// Where the live blocks lie at one moment, for the memory run: written behind the rest of the result, which is mapped.
#include "session.h"

#include <errno.h>
#include <unistd.h>

static void write_places(ht_session *session, const struct ht_replay_place *places, size_t count) {
    const char *bytes = (const char *)places;
    size_t left = count * sizeof *places;
    while (left > 0) {
        ssize_t written = pwrite(session->request->result, bytes, left, (off_t)session->result_bytes);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) ht_session_fail(session, HT_REPLAY_SYSTEM, errno, 0, 0);
        bytes += written;
        left -= (size_t)written;
        session->result_bytes += (size_t)written;
    }
}

uint64_t ht_places_tell(ht_session *session) {
    enum { AT_ONCE = 256 };
    struct ht_replay_place places[AT_ONCE];
    uint64_t count = 0, told = 0;
    // The null allocator's blocks lie nowhere.
    if (session->request->null_allocator || session->blocks_live > HT_REPLAY_PLACES) return 0;
    for (uint64_t slot = 0; slot < session->plan.slots; slot++) {
        const ht_block *block = &session->details[slot];
        if (!block->is_counted || !session->slots[slot]) continue;
        places[count++] = (struct ht_replay_place){(uintptr_t)session->slots[slot], block->usable, block->owner};
        if (count < AT_ONCE) continue;
        write_places(session, places, count);
        told += count;
        count = 0;
    }
    write_places(session, places, count);
    return told + count;
}
