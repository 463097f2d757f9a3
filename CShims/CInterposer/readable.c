// Asking the kernel what can be read. Runs inside hooks.
#include "readable.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <system.h>

enum { CALL_BYTES_MAX = 7, UNLIKELY_VALUE = 0x5bd1e995, RETURNS = 1024, RETURN_SHIFT = 54 };

static bool can_read(uintptr_t address) {
    if (address >> 47 != 0) return false;
    // The private form: the other one refuses read-only pages of the process's own, where relocated constants lie.
    struct timespec none = {0};
    long result =
        ht_syscall(SYS_futex, (long)(address & ~(uintptr_t)3), FUTEX_WAIT_PRIVATE, UNLIKELY_VALUE, (long)&none, 0, 0);
    // Anything else (the page is not there, the call is forbidden) counts as no.
    return result == -EAGAIN || result == -ETIMEDOUT || result == -EINTR || result == 0;
}

bool ht_span_extend(ht_span *span, uintptr_t address) {
    if ((address & 7) != 0 || !can_read(address)) return false;
    uintptr_t page = address & ~(uintptr_t)(HT_PAGE - 1);
    if (page == span->end) span->end = page + HT_PAGE;
    else *span = (ht_span){page, page + HT_PAGE};
    return true;
}

// The call instructions of x86-64 by their length: E8 with a 32-bit distance; FF /2 through a register or memory, with
// each addressing form's length. A prefix before them changes nothing here.
static bool is_call_before(const uint8_t *end, size_t known) {
    if (known >= 5 && end[-5] == 0xe8) return true;
    static const struct {
        uint8_t length, mask, form;
    } forms[] = {{2, 0xf8, 0xd0}, {2, 0xf8, 0x10}, {3, 0xf8, 0x50}, {3, 0xff, 0x14},
                 {4, 0xff, 0x54}, {6, 0xf8, 0x90}, {6, 0xff, 0x15}, {7, 0xff, 0x94}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        size_t length = forms[i].length;
        if (known >= length && end[-(ptrdiff_t)length] == 0xff &&
            (end[1 - (ptrdiff_t)length] & forms[i].mask) == forms[i].form)
            return true;
    }
    return false;
}

// Return addresses found sound lately. A program may have put other code there since: it still is one that calls.
static _Atomic uintptr_t returns[RETURNS];

ht_code ht_code_at(uintptr_t pc) {
    static const uint8_t restorer[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};  // mov $15, %rax; syscall
    if (pc <= HT_PAGE || pc >> 47 != 0) return HT_CODE_NONE;
    _Atomic uintptr_t *known = &returns[(pc * 0x9e3779b97f4a7c15ull) >> RETURN_SHIFT];
    if (atomic_load_explicit(known, memory_order_relaxed) == pc) return HT_CODE_RETURN;
    if (!can_read(pc - 1)) return HT_CODE_NONE;
    // At a page's start the instruction lies in the page before, of which the first line asked.
    size_t in_page = (pc - 1) % HT_PAGE + 1;
    size_t before = in_page < CALL_BYTES_MAX && !can_read(pc - CALL_BYTES_MAX) ? in_page : CALL_BYTES_MAX;
    if (is_call_before((const uint8_t *)pc, before)) {
        atomic_store_explicit(known, pc, memory_order_relaxed);
        return HT_CODE_RETURN;
    }
    bool whole = can_read(pc + sizeof restorer - 1) && can_read(pc);
    return whole && memcmp((const void *)pc, restorer, sizeof restorer) == 0 ? HT_CODE_RESTORER : HT_CODE_NONE;
}
