// The words of a stream, block by block, read into memory of its own: a mapping of the plan would fault inside the
// loop.
#include "session.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void ht_cursor_open(ht_session *session, ht_cursor *cursor, uint64_t stream) {
    const struct ht_replay_stream *row = &session->streams[stream];
    cursor->bytes = (row->longest_words + HT_AHEAD) * sizeof(uint64_t);
    cursor->words = ht_session_map(session, cursor->bytes);
    cursor->at = cursor->end = cursor->words;
    cursor->next_block = row->first_block;
    cursor->blocks_left = row->blocks;
}

bool ht_cursor_load(ht_session *session, ht_cursor *cursor) {
    if (cursor->blocks_left == 0) return false;
    const struct ht_replay_block *block = &session->blocks[cursor->next_block];
    size_t bytes = block->words * sizeof(uint64_t), read = 0;
    if (bytes + HT_AHEAD * sizeof(uint64_t) > cursor->bytes) ht_session_fail(session, HT_REPLAY_BAD_PLAN, 0, 0, 0);
    while (read < bytes) {
        ssize_t count =
            pread(session->request->plan, (char *)cursor->words + read, bytes - read, (off_t)(block->offset + read));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) ht_session_fail(session, count < 0 ? HT_REPLAY_SYSTEM : HT_REPLAY_BAD_PLAN, errno, 0, 0);
        read += (size_t)count;
    }
    memset((char *)cursor->words + bytes, 0, HT_AHEAD * sizeof(uint64_t));
    cursor->at = cursor->words;
    cursor->end = cursor->words + block->words;
    cursor->next_block++;
    cursor->blocks_left--;
    return true;
}

void ht_cursor_close(ht_cursor *cursor) { munmap(cursor->words, cursor->bytes); }
