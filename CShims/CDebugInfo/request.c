// What a call of operator new asks for: the size, read backwards from the call, and who copies blocks of that size.
#include "code.h"

enum {
    MAX_LOOK_BACK = 192,   // bytes read before the call
    MAX_CLONER = 1 << 12,  // bytes of a function that copies a managed value
};

static ht_origin origin_of(const ht_walk *walk, const ht_origin *registers) {
    const cs_x86_op *operands = walk->instruction->detail->x86.operands;
    switch (walk->instruction->id) {
        case X86_INS_MOV:
            if (operands[1].type == X86_OP_IMM)
                return (ht_origin){.constant = (uint64_t)operands[1].imm, .kind = HT_SIZE_CONSTANT};
            if (operands[1].type == X86_OP_REG && registers[ht_code_register(operands[1].reg)].kind != HT_SIZE_UNKNOWN)
                return registers[ht_code_register(operands[1].reg)];
            break;
        case X86_INS_LEA:
            if (operands[1].mem.disp == 1 && operands[1].mem.index == X86_REG_INVALID)
                return (ht_origin){.kind = HT_SIZE_PLUS_ONE};
            break;
        case X86_INS_INC: return (ht_origin){.kind = HT_SIZE_PLUS_ONE};
        case X86_INS_ADD:
            if (operands[1].type == X86_OP_IMM && operands[1].imm == 1) return (ht_origin){.kind = HT_SIZE_PLUS_ONE};
            break;
        default: break;
    }
    return (ht_origin){.kind = HT_SIZE_VARIABLE};
}

// Reads from `start` to the call that ends at `end`; false where instructions do not end there.
static bool read_to_call(ht_walk *walk, uint64_t start, uint64_t end, ht_origin *size) {
    ht_origin registers[HT_REGISTERS] = {0};
    size_t names = 0;
    const char *taken[8];
    uint64_t address = start;
    while (address < end && ht_code_step(walk, &address)) {
        const cs_insn *instruction = walk->instruction;
        const cs_x86 *x86 = &instruction->detail->x86;
        if (address == end) break;
        if (instruction->id == X86_INS_JMP || cs_insn_group(walk->decoder, instruction, CS_GRP_RET)) {
            memset(registers, 0, sizeof registers);
            names = 0;
            continue;
        }
        if (instruction->id == X86_INS_CALL) {
            const char *name = ht_code_called(walk);
            if (name != NULL && ht_code_allocates(name)) names = 0;
            registers[HT_RAX] = (ht_origin){.kind = HT_SIZE_VARIABLE};
            continue;
        }
        if (instruction->id == X86_INS_LEA && x86->operands[1].mem.base == X86_REG_RIP && names < 8) {
            uint64_t target = ht_code_memory(instruction, &x86->operands[1]);
            if (ht_symbols_start(walk->module, target) != NULL) taken[names++] = ht_symbols_start(walk->module, target);
        }
        ht_origin result = origin_of(walk, registers);
        for (unsigned i = 0; i < x86->op_count; i++)
            if (x86->operands[i].type == X86_OP_REG && (x86->operands[i].access & CS_AC_WRITE) != 0)
                registers[ht_code_register(x86->operands[i].reg)] =
                    i == 0 ? result : (ht_origin){.kind = HT_SIZE_VARIABLE};
    }
    if (address != end) return false;
    for (size_t i = 0; i < names; i++) ht_code_hint(walk->result, HT_HINT_NEAR, 0, taken[i]);
    *size = registers[HT_RDI];
    return true;
}

// The size that the call that ends at `end` asks for. Instructions have no marks; a wrong start falls in step, or
// fails.
ht_origin ht_request_size(ht_walk *walk, uint64_t low, uint64_t end) {
    uint64_t start = end - low > MAX_LOOK_BACK ? end - MAX_LOOK_BACK : low;
    ht_origin size = {0};
    for (unsigned shift = 0; shift <= HT_INSTRUCTION_BYTES && start + shift < end; shift++)
        if (read_to_call(walk, start + shift, end, &size)) break;
    return size;
}

// MARK: - Arrays

bool ht_request_is_array(const ht_walk *walk, uint64_t end) {
    enum { CALL_BYTES = 5 };
    size_t room = 0;
    const uint8_t *bytes = ht_image_bytes(walk->module, end - CALL_BYTES, &room);
    if (bytes == NULL || room < CALL_BYTES || bytes[0] != 0xe8) return false;
    const char *name = ht_code_function(walk, end + ht_code_distance(bytes + 1));
    return name != NULL && ht_code_starts_with(name, "_Znam");
}

// MARK: - Managers

// Whether a function that copies what it manages (of a std::function, a std::any) allocates blocks of that size.
static bool clones(ht_walk *walk, const char *name, uint64_t size) {
    uint64_t address, low, high;
    size_t room = 0;
    if (!ht_symbols_named(walk->module, name, &address) || !ht_symbols_bounds(walk->module, address, &low, &high))
        return false;
    const uint8_t *bytes = ht_image_bytes(walk->module, low, &room);
    if (bytes == NULL) return false;
    if (room > high - low) room = high - low;
    for (size_t at = 0; at + 5 <= room && at < MAX_CLONER; at++) {
        if (bytes[at] != 0xe8) continue;
        uint64_t end = low + at + 5;
        const char *called = ht_code_function(walk, end + ht_code_distance(bytes + at + 1));
        if (called == NULL || !ht_code_allocates(called)) continue;
        ht_origin asked = ht_request_size(walk, low, end);
        if (asked.kind == HT_SIZE_CONSTANT && asked.constant == size) return true;
    }
    return false;
}

// Keeps of the functions nearby that manage a copied value those that manage blocks of this size.
void ht_request_managers(ht_walk *walk) {
    ht_debug_allocation *result = walk->result;
    size_t count = result->hint_count;
    for (size_t i = 0; i < count; i++) {
        if (result->hints[i].kind != HT_HINT_NEAR || result->size_kind != HT_SIZE_CONSTANT) continue;
        const char *name = result->hints[i].name;
        if (!ht_code_starts_with(name, "_ZNSt17_Function_handler") &&
            !ht_code_starts_with(name, "_ZNSt3any17_Manager_external"))
            continue;
        ht_debug_allocation scratch = {0};
        walk->result = &scratch;
        bool manages = clones(walk, name, result->size);
        walk->result = result;
        if (manages) ht_code_hint(result, HT_HINT_MANAGED, 0, name);
    }
}
