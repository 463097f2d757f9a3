// Giving a planned entry its final bytes. Compiled into the preload as well as into the tool: plain C, no libc.
#include <heaptrail_patch.h>

enum { TRAP = 0xcc, LEA_BYTES = 7, LEAP_BYTES = 6 };

static int put_distance(uint8_t *at, uint64_t from, uint64_t target) {
    int64_t distance = (int64_t)(target - from);
    if (distance != (int32_t)distance) return 1;
    uint32_t word = (uint32_t)distance;
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(word >> (8 * i));
    return 0;
}

int ht_patch_place(const ht_patch_entry *entry, uint64_t bias, uint64_t data_address, uint64_t code_address,
                   uint8_t code[HT_PATCH_CODE_BYTES], uint8_t jump[HT_PATCH_REPLACED_MAX]) {
    int far = 0;
    for (int i = 0; i < HT_PATCH_CODE_BYTES; i++) code[i] = TRAP;
    code[0] = 0x4c;  // lea data(%rip), %r9
    code[1] = 0x8d;
    code[2] = 0x0d;
    far |= put_distance(code + 3, code_address + LEA_BYTES, data_address);
    code[LEA_BYTES] = 0xff;  // jmp *hook(%rip)
    code[LEA_BYTES + 1] = 0x25;
    far |= put_distance(code + LEA_BYTES + 2, code_address + LEA_BYTES + LEAP_BYTES, data_address);
    uint8_t *moved = code + HT_PATCH_THUNK_BYTES;
    for (int i = 0; i < entry->moved_bytes; i++) moved[i] = entry->moved[i];
    for (int i = 0; i < entry->fixups; i++) {
        const ht_patch_fixup *fixup = &entry->fixup[i];
        far |= put_distance(moved + fixup->at, code_address + HT_PATCH_THUNK_BYTES + fixup->end, fixup->target + bias);
    }
    jump[0] = 0xe9;
    far |= put_distance(jump + 1, entry->address + bias + HT_PATCH_JUMP_BYTES, code_address);
    for (int i = HT_PATCH_JUMP_BYTES; i < entry->replaced; i++) jump[i] = TRAP;
    return far;
}
