// The plan for one function: which instructions the jump replaces, and what they become elsewhere. Decoding is
// libcapstone's; nothing is guessed from byte patterns, for a wrong boundary would run half an instruction.
#include <CPatch.h>

#include <capstone/capstone.h>
#include <string.h>

static const uint8_t end_branch[4] = {0xf3, 0x0f, 0x1e, 0xfa};

const char *ht_patch_refusal_text(enum ht_patch_refusal refusal) {
    switch (refusal) {
        case HT_PATCH_OK: return "can be redirected";
        case HT_PATCH_UNDECODABLE: return "its first bytes are no instructions";
        case HT_PATCH_TOO_SHORT: return "it is shorter than a jump";
        case HT_PATCH_BRANCH_INTO: return "it branches back to its first instructions";
        case HT_PATCH_UNMOVABLE: return "one of its first instructions cannot be moved";
        case HT_PATCH_INDIRECT: return "it is chosen at load time (IFUNC)";
        case HT_PATCH_NO_MEMORY: return "no memory";
    }
    return "unknown reason";
}

static bool is_group(const cs_insn *instruction, uint8_t group) {
    for (uint8_t i = 0; i < instruction->detail->groups_count; i++) {
        if (instruction->detail->groups[i] == group) return true;
    }
    return false;
}

// The place a direct branch or call goes to. False for any other instruction.
static bool direct_target(const cs_insn *instruction, uint64_t *target) {
    const cs_x86 *x86 = &instruction->detail->x86;
    bool branches = is_group(instruction, CS_GRP_JUMP) || is_group(instruction, CS_GRP_CALL) ||
                    is_group(instruction, CS_GRP_BRANCH_RELATIVE) || instruction->id == X86_INS_XBEGIN;
    if (!branches || x86->op_count != 1 || x86->operands[0].type != X86_OP_IMM) return false;
    *target = (uint64_t)x86->operands[0].imm;
    return true;
}

static bool ends_flow(const cs_insn *instruction) {
    switch (instruction->id) {
        case X86_INS_JMP:
        case X86_INS_RET:
        case X86_INS_UD2:
        case X86_INS_HLT: return true;
        default: return false;
    }
}

// What compilers put between functions: no-operations of any length, traps, zeros.
static bool is_padding(const cs_insn *instruction) {
    return instruction->id == X86_INS_NOP || instruction->id == X86_INS_INT3 ||
           (instruction->size == 2 && instruction->bytes[0] == 0x66 && instruction->bytes[1] == 0x90);
}

static void add_distance(ht_patch_entry *entry, size_t at, size_t end, uint64_t target) {
    entry->fixup[entry->fixups++] = (ht_patch_fixup){.target = target, .at = (uint16_t)at, .end = (uint16_t)end};
}

// Appends opcode bytes and a distance of 32 bits.
static void put_branch(ht_patch_entry *entry, const uint8_t *opcode, size_t count, uint64_t target) {
    memcpy(entry->moved + entry->moved_bytes, opcode, count);
    size_t at = entry->moved_bytes + count;
    memset(entry->moved + at, 0, 4);
    add_distance(entry, at, at + 4, target);
    entry->moved_bytes = (uint8_t)(at + 4);
}

// A direct branch, with a distance of 32 bits in place of its own. A call is only moved as the last instruction: its
// return address is pushed as it was, so that unwinding through it finds the function's own tables.
static enum ht_patch_refusal move_branch(ht_patch_entry *entry, const cs_insn *instruction, uint64_t target,
                                         bool last) {
    const uint8_t *opcode = instruction->detail->x86.opcode;
    if (instruction->id == X86_INS_CALL) {
        if (!last) return HT_PATCH_UNMOVABLE;
        // lea -8(%rsp), %rsp ; push %rax ; lea next(%rip), %rax ; mov %rax, 8(%rsp) ; pop %rax: as call does, it leaves
        // registers and flags alone.
        static const uint8_t make_room[] = {0x48, 0x8d, 0x64, 0x24, 0xf8, 0x50};
        static const uint8_t load_next[] = {0x48, 0x8d, 0x05};
        static const uint8_t store[] = {0x48, 0x89, 0x44, 0x24, 0x08, 0x58};
        memcpy(entry->moved + entry->moved_bytes, make_room, sizeof make_room);
        entry->moved_bytes += sizeof make_room;
        put_branch(entry, load_next, sizeof load_next, instruction->address + instruction->size);
        memcpy(entry->moved + entry->moved_bytes, store, sizeof store);
        entry->moved_bytes += sizeof store;
        put_branch(entry, (const uint8_t[]){0xe9}, 1, target);
        return HT_PATCH_OK;
    }
    if (instruction->id == X86_INS_JMP) {
        put_branch(entry, (const uint8_t[]){0xe9}, 1, target);
        return HT_PATCH_OK;
    }
    uint8_t condition;
    if (opcode[0] >= 0x70 && opcode[0] <= 0x7f) condition = opcode[0] & 15;
    else if (opcode[0] == 0x0f && opcode[1] >= 0x80 && opcode[1] <= 0x8f) condition = opcode[1] & 15;
    else return HT_PATCH_UNMOVABLE;  // loop, jrcxz, xbegin
    put_branch(entry, (const uint8_t[]){0x0f, (uint8_t)(0x80 | condition)}, 2, target);
    return HT_PATCH_OK;
}

static enum ht_patch_refusal move_instruction(ht_patch_entry *entry, const cs_insn *instruction, bool last) {
    enum { LONGEST_MOVED = 32 };
    if (entry->moved_bytes + LONGEST_MOVED > HT_PATCH_MOVED_MAX || entry->fixups + 3 > HT_PATCH_FIXUP_MAX)
        return HT_PATCH_UNMOVABLE;
    uint64_t target;
    if (direct_target(instruction, &target)) return move_branch(entry, instruction, target, last);
    const cs_x86 *x86 = &instruction->detail->x86;
    if (is_group(instruction, CS_GRP_CALL)) return HT_PATCH_UNMOVABLE;  // indirect: it would return to the moved code
    bool relative = false;
    for (uint8_t i = 0; i < x86->op_count; i++)
        relative |= x86->operands[i].type == X86_OP_MEM && x86->operands[i].mem.base == X86_REG_RIP;
    memcpy(entry->moved + entry->moved_bytes, instruction->bytes, instruction->size);
    if (relative) {
        if (x86->encoding.disp_size != 4) return HT_PATCH_UNMOVABLE;
        add_distance(entry, (size_t)entry->moved_bytes + x86->encoding.disp_offset,
                     (size_t)entry->moved_bytes + instruction->size,
                     instruction->address + instruction->size + (uint64_t)x86->disp);
    }
    entry->moved_bytes = (uint8_t)(entry->moved_bytes + instruction->size);
    return HT_PATCH_OK;
}

// Whether a direct branch in `bytes` lands in [from, to). Bytes that decode as nothing (tables in the code) are passed
// over one by one.
static bool branches_into(csh decoder, cs_insn *instruction, const uint8_t *bytes, size_t count, uint64_t address,
                          uint64_t from, uint64_t to) {
    while (count > 0) {
        uint64_t target;
        if (!cs_disasm_iter(decoder, &bytes, &count, &address, instruction)) {
            bytes++;
            count--;
            address++;
        } else if (instruction->id != X86_INS_CALL && direct_target(instruction, &target) && target >= from &&
                   target < to) {
            return true;
        }
    }
    return false;
}

// The bytes from `offset` to `to`, all of them behind the function's end, are padding.
static bool padded(csh decoder, cs_insn *instruction, const ht_patch_function *function, size_t offset, size_t to) {
    while (offset < to) {
        const uint8_t *bytes = function->bytes + offset;
        size_t count = function->available - offset;
        uint64_t address = function->address + offset;
        if (offset < function->size || count == 0) return false;
        if (*bytes == 0) {
            offset++;
            continue;
        }
        if (!cs_disasm_iter(decoder, &bytes, &count, &address, instruction) || !is_padding(instruction)) return false;
        offset += instruction->size;
    }
    return true;
}

static enum ht_patch_refusal plan(csh decoder, cs_insn *instruction, const ht_patch_function *function,
                                  ht_patch_entry *entry) {
    size_t size = function->size != 0 && function->size < function->available ? function->size : function->available;
    size_t start = size >= sizeof end_branch && memcmp(function->bytes, end_branch, sizeof end_branch) == 0
                       ? sizeof end_branch
                       : 0;
    memset(entry->moved_at, HT_PATCH_NOT_MOVED, sizeof entry->moved_at);
    entry->address = function->address + start;
    size_t covered = 0;
    bool ended = false;
    while (covered < HT_PATCH_JUMP_BYTES) {
        if (start + covered >= size) return HT_PATCH_TOO_SHORT;
        const uint8_t *bytes = function->bytes + start + covered;
        size_t count = size - start - covered;
        uint64_t address = entry->address + covered;
        if (!cs_disasm_iter(decoder, &bytes, &count, &address, instruction)) return HT_PATCH_UNDECODABLE;
        if (covered + instruction->size > HT_PATCH_REPLACED_MAX) return HT_PATCH_UNMOVABLE;
        entry->moved_at[covered] = entry->moved_bytes;
        bool last = covered + instruction->size >= HT_PATCH_JUMP_BYTES;
        enum ht_patch_refusal refusal = move_instruction(entry, instruction, last);
        if (refusal != HT_PATCH_OK) return refusal;
        covered += instruction->size;
        ended = ends_flow(instruction) || (instruction->id == X86_INS_CALL && last);
        if (ended && covered < HT_PATCH_JUMP_BYTES) {
            ht_patch_function own = *function;
            own.size = start + covered < size ? size : start + covered;
            if (!padded(decoder, instruction, &own, start + covered, start + HT_PATCH_JUMP_BYTES))
                return HT_PATCH_TOO_SHORT;
            covered = HT_PATCH_JUMP_BYTES;
        }
    }
    entry->replaced = (uint8_t)covered;
    memcpy(entry->expected, function->bytes + start, covered);
    if (!ended) put_branch(entry, (const uint8_t[]){0xe9}, 1, entry->address + covered);
    uint64_t from = entry->address, to = entry->address + covered;
    // A branch to the very first byte counts, too: a loop comes back there with other registers than a caller's.
    if (branches_into(decoder, instruction, function->bytes, size, function->address, function->address, to) ||
        (function->cold != NULL &&
         branches_into(decoder, instruction, function->cold, function->cold_size, function->cold_address, from, to)))
        return HT_PATCH_BRANCH_INTO;
    return HT_PATCH_OK;
}

enum ht_patch_refusal ht_patch_plan_entry(const ht_patch_function *function, ht_patch_entry *entry) {
    csh decoder;
    memset(entry, 0, sizeof *entry);
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &decoder) != CS_ERR_OK) return HT_PATCH_NO_MEMORY;
    cs_option(decoder, CS_OPT_DETAIL, CS_OPT_ON);
    cs_insn *instruction = cs_malloc(decoder);
    enum ht_patch_refusal refusal =
        instruction == NULL ? HT_PATCH_NO_MEMORY : plan(decoder, instruction, function, entry);
    if (instruction != NULL) cs_free(instruction, 1);
    cs_close(&decoder);
    return refusal;
}
