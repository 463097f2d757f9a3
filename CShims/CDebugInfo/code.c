// The machine: registers, instructions, and the names of the functions that code refers to.
#include "code.h"

// MARK: - Registers

unsigned ht_code_register(unsigned id) {
    static const uint16_t names[][5] = {
        {X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL, X86_REG_AH},
        {X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL, X86_REG_CH},
        {X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL, X86_REG_DH},
        {X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL, X86_REG_BH},
        {X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL, X86_REG_RSP},
        {X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL, X86_REG_RBP},
        {X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL, X86_REG_RSI},
        {X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL, X86_REG_RDI},
    };
    if (id >= X86_REG_R8 && id <= X86_REG_R15) return 8 + (id - X86_REG_R8);
    if (id >= X86_REG_R8D && id <= X86_REG_R15D) return 8 + (id - X86_REG_R8D);
    if (id >= X86_REG_R8W && id <= X86_REG_R15W) return 8 + (id - X86_REG_R8W);
    if (id >= X86_REG_R8B && id <= X86_REG_R15B) return 8 + (id - X86_REG_R8B);
    if (id >= X86_REG_XMM0 && id <= X86_REG_XMM15) return 16 + (id - X86_REG_XMM0);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        for (unsigned j = 0; j < 5; j++)
            if (names[i][j] == id) return i;
    return HT_NO_REGISTER;
}

// MARK: - Results

void ht_code_hint(ht_debug_allocation *result, uint8_t kind, uint8_t argument, const char *name) {
    if (name == NULL) return;
    for (size_t i = 0; i < result->hint_count; i++)
        if (result->hints[i].kind == kind && result->hints[i].argument == argument &&
            strcmp(result->hints[i].name, name) == 0) {
            if (result->hints[i].count < UINT16_MAX) result->hints[i].count++;
            return;
        }
    if (result->hint_count == HT_DEBUG_MAX_HINTS) {
        result->is_cut = true;
        return;
    }
    result->hints[result->hint_count++] = (ht_debug_hint){.name = name, .count = 1, .kind = kind, .argument = argument};
}

// MARK: - Names of code

// The name of the function that starts at `address`, also where it is the PLT entry of an imported one.
const char *ht_code_function(const ht_walk *walk, uint64_t address) {
    const char *name = ht_symbols_start(walk->module, address);
    if (name != NULL) return name;
    size_t room = 0;
    const uint8_t *bytes = ht_image_bytes(walk->module, address, &room);
    // [endbr64] [bnd] jmp *offset(%rip)
    size_t at = 0;
    if (bytes == NULL || room < HT_INSTRUCTION_BYTES) return NULL;
    if (memcmp(bytes, "\xf3\x0f\x1e\xfa", 4) == 0) at = 4;
    if (bytes[at] == 0xf2) at++;
    if (bytes[at] != 0xff || bytes[at + 1] != 0x25) return NULL;
    int32_t offset;
    memcpy(&offset, bytes + at + 2, sizeof offset);
    const ht_relocation *relocation = ht_image_relocation(walk->module, address + at + 6 + (uint64_t)(int64_t)offset);
    return relocation == NULL ? NULL : relocation->name;
}

const char *ht_code_called(const ht_walk *walk) {
    const cs_insn *instruction = walk->instruction;
    const cs_x86_op *operand = &instruction->detail->x86.operands[0];
    if (operand->type == X86_OP_IMM) return ht_code_function(walk, (uint64_t)operand->imm);
    if (operand->type != X86_OP_MEM || operand->mem.base != X86_REG_RIP) return NULL;
    const ht_relocation *relocation = ht_image_relocation(walk->module, ht_code_memory(instruction, operand));
    return relocation == NULL ? NULL : relocation->name;
}

bool ht_code_step(ht_walk *walk, uint64_t *address) {
    size_t room = 0;
    const uint8_t *bytes = ht_image_bytes(walk->module, *address, &room);
    if (bytes == NULL) return false;
    if (room > HT_INSTRUCTION_BYTES) room = HT_INSTRUCTION_BYTES;
    return cs_disasm_iter(walk->decoder, &bytes, &room, address, walk->instruction);
}
