// What the machine code around a call of operator new says of the block: where it goes, what is stored into it, which
// container's length check guards it.
//
// Compilers inline containers and constructors, and without debug information nothing else is left of them. The code
// after the call is followed in a straight line, with the registers and stack slots that hold the block; the code
// before it is read for the size. What is found is handed out as names; what they mean is decided elsewhere. x86-64
// only.
#include "internal.h"

#include <capstone/capstone.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_STEPS = 96,          // instructions followed after the call
    MAX_JUMPS = 6,           // unconditional jumps followed
    MAX_LOOK_BACK = 192,     // bytes read before the call
    MAX_SLOTS = 8,           // stack slots that can hold the block
    MAX_FUNCTION = 1 << 18,  // bytes of a function that are scanned
    MAX_CLONER = 1 << 12,    // and of one that copies a managed value
    INSTRUCTION_BYTES = 15,
    FAMILIES = 33,  // general registers 0-15, xmm registers 16-31, none 32
    NONE = 32,
};

/// The value of a register as far as it is known.
typedef struct {
    uint64_t constant;
    bool is_block;
    bool is_constant;
} value;

typedef struct {
    uint8_t base;
    int64_t offset;
} slot;

typedef struct {
    ht_debug_module *module;
    ht_debug_allocation *result;
    csh decoder;
    cs_insn *instruction;
    value registers[FAMILIES];
    slot slots[MAX_SLOTS];
    size_t slot_count;
    uint64_t low, high;  // of the function
    bool is_reloaded;    // code without optimization reads the block back from the stack for each use
} walk;

// MARK: - Registers

static unsigned family(unsigned id) {
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
    return NONE;
}

enum { RAX = 0, RDX = 2, RSP = 4, RDI = 7 };

static const uint8_t argument_registers[] = {7, 6, 2, 1, 8, 9};

// MARK: - Results

static void add_hint(ht_debug_allocation *result, uint8_t kind, uint8_t argument, const char *name) {
    if (name == NULL || result->hint_count >= HT_DEBUG_MAX_HINTS) return;
    for (size_t i = 0; i < result->hint_count; i++)
        if (result->hints[i].kind == kind && result->hints[i].argument == argument &&
            strcmp(result->hints[i].name, name) == 0) {
            if (result->hints[i].count < UINT16_MAX) result->hints[i].count++;
            return;
        }
    result->hints[result->hint_count++] = (ht_debug_hint){.name = name, .count = 1, .kind = kind, .argument = argument};
}

static bool starts_with(const char *name, const char *prefix) { return strncmp(name, prefix, strlen(prefix)) == 0; }

static bool allocates(const char *name) { return starts_with(name, "_Znwm") || starts_with(name, "_Znam"); }

// MARK: - Names of code

// The name of the function that starts at `address`, also where it is the stub of an imported one.
static const char *function_name(walk *walk, uint64_t address) {
    const char *name = ht_symbols_start(walk->module, address);
    if (name != NULL) return name;
    size_t room = 0;
    const uint8_t *bytes = ht_image_bytes(walk->module, address, &room);
    // [endbr64] [bnd] jmp *offset(%rip)
    size_t at = 0;
    if (bytes == NULL || room < INSTRUCTION_BYTES) return NULL;
    if (memcmp(bytes, "\xf3\x0f\x1e\xfa", 4) == 0) at = 4;
    if (bytes[at] == 0xf2) at++;
    if (bytes[at] != 0xff || bytes[at + 1] != 0x25) return NULL;
    int32_t offset;
    memcpy(&offset, bytes + at + 2, sizeof offset);
    const ht_relocation *relocation = ht_image_relocation(walk->module, address + at + 6 + (uint64_t)(int64_t)offset);
    return relocation == NULL ? NULL : relocation->name;
}

static uint64_t memory_address(const cs_insn *instruction, const cs_x86_op *operand) {
    return instruction->address + instruction->size + (uint64_t)operand->mem.disp;
}

static const char *called_function(walk *walk) {
    const cs_insn *instruction = walk->instruction;
    const cs_x86_op *operand = &instruction->detail->x86.operands[0];
    if (operand->type == X86_OP_IMM) return function_name(walk, (uint64_t)operand->imm);
    if (operand->type != X86_OP_MEM || operand->mem.base != X86_REG_RIP) return NULL;
    const ht_relocation *relocation = ht_image_relocation(walk->module, memory_address(instruction, operand));
    return relocation == NULL ? NULL : relocation->name;
}

static bool step(walk *walk, uint64_t *address) {
    size_t room = 0;
    const uint8_t *bytes = ht_image_bytes(walk->module, *address, &room);
    if (bytes == NULL) return false;
    if (room > INSTRUCTION_BYTES) room = INSTRUCTION_BYTES;
    return cs_disasm_iter(walk->decoder, &bytes, &room, address, walk->instruction);
}

// MARK: - Forwards

static bool holds_block(const walk *walk, const cs_x86_op *operand) {
    if (operand->type == X86_OP_REG) return walk->registers[family(operand->reg)].is_block;
    if (operand->type != X86_OP_MEM || operand->mem.index != X86_REG_INVALID) return false;
    unsigned base = family(operand->mem.base);
    for (size_t i = 0; i < walk->slot_count; i++)
        if (walk->slots[i].base == base && walk->slots[i].offset == operand->mem.disp) return true;
    return false;
}

static void set_slot(walk *walk, const cs_x86_op *operand, bool holds) {
    unsigned base = family(operand->mem.base);
    if (operand->mem.index != X86_REG_INVALID || base == NONE) return;
    for (size_t i = 0; i < walk->slot_count; i++)
        if (walk->slots[i].base == base && walk->slots[i].offset == operand->mem.disp) {
            if (!holds) walk->slots[i] = walk->slots[--walk->slot_count];
            return;
        }
    if (holds && (base == RSP || base == 5) && walk->slot_count < MAX_SLOTS)
        walk->slots[walk->slot_count++] = (slot){.base = (uint8_t)base, .offset = operand->mem.disp};
}

static value value_of(walk *walk, const cs_x86_op *operand) {
    value result = {.is_block = holds_block(walk, operand)};
    if (operand->type == X86_OP_REG) return walk->registers[family(operand->reg)];
    if (operand->type == X86_OP_IMM) {
        result.constant = (uint64_t)operand->imm;
        result.is_constant = true;
    } else if (operand->mem.base == X86_REG_RIP && operand->mem.index == X86_REG_INVALID) {
        result.is_constant = ht_image_word(walk->module, memory_address(walk->instruction, operand), &result.constant);
    }
    return result;
}

// What stands at the beginning of the block names its class, or the function that resumes it.
static void note_stored(walk *walk, const cs_x86_op *target, value stored) {
    if (!stored.is_constant || target->mem.disp != 0 || target->mem.index != X86_REG_INVALID) return;
    if (!walk->registers[family(target->mem.base)].is_block) return;
    const char *name = ht_image_class(walk->module, stored.constant);
    add_hint(walk->result, HT_HINT_STORED, 0, name != NULL ? name : ht_symbols_start(walk->module, stored.constant));
}

static void take_move(walk *walk) {
    const cs_x86_op *operands = walk->instruction->detail->x86.operands;
    value moved = value_of(walk, &operands[1]);
    if (operands[1].type == X86_OP_MEM && moved.is_block) walk->is_reloaded = true;
    if (operands[0].type == X86_OP_REG) {
        walk->registers[family(operands[0].reg)] = moved;
    } else {
        note_stored(walk, &operands[0], moved);
        set_slot(walk, &operands[0], moved.is_block);
        if (operands[0].mem.base != X86_REG_RIP && operands[0].mem.disp != 0 && !walk->is_reloaded &&
            walk->registers[family(operands[0].mem.base)].is_block)
            walk->result->is_filled_in_place = true;
    }
    if (moved.is_constant) add_hint(walk->result, HT_HINT_NEAR, 0, ht_symbols_start(walk->module, moved.constant));
}

static void take_address(walk *walk) {
    const cs_x86_op *operands = walk->instruction->detail->x86.operands;
    value result = {0};
    const x86_op_mem *memory = &operands[1].mem;
    if (memory->base == X86_REG_RIP && memory->index == X86_REG_INVALID) {
        result.constant = memory_address(walk->instruction, &operands[1]);
        result.is_constant = true;
        add_hint(walk->result, HT_HINT_NEAR, 0, ht_symbols_start(walk->module, result.constant));
    } else if (memory->disp == 0 && memory->index == X86_REG_INVALID) {
        result = walk->registers[family(memory->base)];
    }
    walk->registers[family(operands[0].reg)] = result;
}

static void take_other(walk *walk) {
    const cs_x86 *x86 = &walk->instruction->detail->x86;
    switch (walk->instruction->id) {
        case X86_INS_PUNPCKLQDQ:
        case X86_INS_MOVHPS:
        case X86_INS_MOVHPD:
        case X86_INS_PINSRQ:
        case X86_INS_CMP:
        case X86_INS_TEST: return;  // the low half of the destination stays what it was
        case X86_INS_ADD:
            // The address of a virtual table that another module has, and the two words before its functions.
            if (x86->operands[0].type == X86_OP_REG && x86->operands[1].type == X86_OP_IMM &&
                walk->registers[family(x86->operands[0].reg)].is_constant) {
                walk->registers[family(x86->operands[0].reg)].constant += (uint64_t)x86->operands[1].imm;
                return;
            }
            break;
        default: break;
    }
    for (unsigned i = 0; i < x86->op_count; i++)
        if (x86->operands[i].type == X86_OP_REG && (x86->operands[i].access & CS_AC_WRITE) != 0)
            walk->registers[family(x86->operands[i].reg)] = (value){0};
}

// True where the walk ends.
static bool take_call(walk *walk) {
    const char *name = called_function(walk);
    if (name != NULL) {
        if (allocates(name)) return true;
        for (uint8_t i = 0; i < sizeof argument_registers; i++)
            if (walk->registers[argument_registers[i]].is_block) {
                if (walk->result->is_filled_in_place) add_hint(walk->result, HT_HINT_FILLED, 0, "");
                add_hint(walk->result, HT_HINT_PASSED, i, name);
            }
        add_hint(walk->result, HT_HINT_NEAR, 0, name);
    }
    // Of the other registers that a call may change, compilers use only those that they know it leaves alone.
    bool returns_block =
        name != NULL && (strcmp(name, "memset") == 0 || strcmp(name, "memcpy") == 0 || strcmp(name, "memmove") == 0);
    walk->registers[RAX] = (value){.is_block = returns_block && walk->registers[RDI].is_block};
    walk->registers[RDX].is_block = false;
    return false;
}

static void go_forward(walk *walk, uint64_t address) {
    unsigned jumps = 0;
    walk->registers[RAX].is_block = true;
    for (unsigned steps = 0; steps < MAX_STEPS; steps++) {
        if (!step(walk, &address)) return;
        const cs_insn *instruction = walk->instruction;
        const cs_x86 *x86 = &instruction->detail->x86;
        walk->registers[NONE] = (value){0};
        if (cs_insn_group(walk->decoder, instruction, CS_GRP_RET) || instruction->id == X86_INS_UD2) return;
        if (instruction->id == X86_INS_CALL) {
            if (take_call(walk)) return;
        } else if (instruction->id == X86_INS_JMP) {
            if (x86->operands[0].type != X86_OP_IMM || ++jumps > MAX_JUMPS) return;
            address = (uint64_t)x86->operands[0].imm;
            if (address < walk->low || address >= walk->high) {
                take_call(walk);  // a call in the place of a return
                return;
            }
        } else if (cs_insn_group(walk->decoder, instruction, CS_GRP_JUMP)) {
            continue;
        } else if (instruction->id == X86_INS_LEA) {
            take_address(walk);
        } else if (instruction->id == X86_INS_MOV || instruction->id == X86_INS_MOVABS ||
                   instruction->id == X86_INS_MOVQ || instruction->id == X86_INS_MOVUPS ||
                   instruction->id == X86_INS_MOVAPS || instruction->id == X86_INS_MOVDQU ||
                   instruction->id == X86_INS_MOVDQA || instruction->id == X86_INS_MOVUPD) {
            take_move(walk);
        } else {
            take_other(walk);
        }
    }
}

// MARK: - Backwards

/// What the instructions before a call say of a register.
typedef struct {
    uint64_t constant;
    uint8_t kind;  // HT_SIZE_…
} origin;

static origin origin_of(const walk *walk, const origin *registers) {
    const cs_x86_op *operands = walk->instruction->detail->x86.operands;
    switch (walk->instruction->id) {
        case X86_INS_MOV:
            if (operands[1].type == X86_OP_IMM)
                return (origin){.constant = (uint64_t)operands[1].imm, .kind = HT_SIZE_CONSTANT};
            if (operands[1].type == X86_OP_REG && registers[family(operands[1].reg)].kind != HT_SIZE_UNKNOWN)
                return registers[family(operands[1].reg)];
            break;
        case X86_INS_LEA:
            if (operands[1].mem.disp == 1 && operands[1].mem.index == X86_REG_INVALID)
                return (origin){.kind = HT_SIZE_PLUS_ONE};
            break;
        case X86_INS_INC: return (origin){.kind = HT_SIZE_PLUS_ONE};
        case X86_INS_ADD:
            if (operands[1].type == X86_OP_IMM && operands[1].imm == 1) return (origin){.kind = HT_SIZE_PLUS_ONE};
            break;
        default: break;
    }
    return (origin){.kind = HT_SIZE_VARIABLE};
}

// Reads from `start` to the call that ends at `end`; false where instructions do not end there.
static bool read_to_call(walk *walk, uint64_t start, uint64_t end, origin *size) {
    origin registers[FAMILIES] = {0};
    size_t names = 0;
    const char *taken[8];
    uint64_t address = start;
    while (address < end && step(walk, &address)) {
        const cs_insn *instruction = walk->instruction;
        const cs_x86 *x86 = &instruction->detail->x86;
        if (address == end) break;
        if (instruction->id == X86_INS_JMP || cs_insn_group(walk->decoder, instruction, CS_GRP_RET)) {
            memset(registers, 0, sizeof registers);
            names = 0;
            continue;
        }
        if (instruction->id == X86_INS_CALL) {
            const char *name = called_function(walk);
            if (name != NULL && allocates(name)) names = 0;
            registers[RAX] = (origin){.kind = HT_SIZE_VARIABLE};
            continue;
        }
        if (instruction->id == X86_INS_LEA && x86->operands[1].mem.base == X86_REG_RIP && names < 8) {
            uint64_t target = memory_address(instruction, &x86->operands[1]);
            if (ht_symbols_start(walk->module, target) != NULL) taken[names++] = ht_symbols_start(walk->module, target);
        }
        origin result = origin_of(walk, registers);
        for (unsigned i = 0; i < x86->op_count; i++)
            if (x86->operands[i].type == X86_OP_REG && (x86->operands[i].access & CS_AC_WRITE) != 0)
                registers[family(x86->operands[i].reg)] = i == 0 ? result : (origin){.kind = HT_SIZE_VARIABLE};
    }
    if (address != end) return false;
    for (size_t i = 0; i < names; i++) add_hint(walk->result, HT_HINT_NEAR, 0, taken[i]);
    *size = registers[RDI];
    return true;
}

// The size that the call that ends at `end` asks for. Instructions have no marks; a wrong start falls in step, or
// fails.
static origin size_before(walk *walk, uint64_t low, uint64_t end) {
    uint64_t start = end - low > MAX_LOOK_BACK ? end - MAX_LOOK_BACK : low;
    origin size = {0};
    for (unsigned shift = 0; shift <= INSTRUCTION_BYTES && start + shift < end; shift++)
        if (read_to_call(walk, start + shift, end, &size)) break;
    return size;
}

// MARK: - The whole function

static int32_t displacement(const uint8_t *bytes) {
    int32_t result;
    memcpy(&result, bytes, sizeof result);
    return result;
}

// The message of a length check: lea or mov of its address right before the call of the function that throws it.
static const char *message_before(walk *walk, const uint8_t *bytes, size_t at, uint64_t address) {
    if (at >= 7 && bytes[at - 7] == 0x48 && bytes[at - 6] == 0x8d && bytes[at - 5] == 0x3d)
        return ht_image_text(walk->module, address + (uint64_t)(int64_t)displacement(bytes + at - 4));
    if (at >= 5 && bytes[at - 5] == 0xbf) return ht_image_text(walk->module, (uint32_t)displacement(bytes + at - 4));
    return NULL;
}

// Scans code for what it calls: the containers whose out-of-line parts or length checks are in the function.
static void scan(walk *walk, uint64_t low, uint64_t high, bool follows_cold_parts) {
    size_t room = 0;
    const uint8_t *bytes = ht_image_bytes(walk->module, low, &room);
    if (bytes == NULL) return;
    if (room > high - low) room = high - low;
    if (room > MAX_FUNCTION) room = MAX_FUNCTION;
    uint64_t seen_cold = 0;
    for (size_t at = 0; at + 5 <= room; at++) {
        uint64_t address = low + at;
        if (bytes[at] == 0xe8 || bytes[at] == 0xe9) {
            uint64_t target = address + 5 + (uint64_t)(int64_t)displacement(bytes + at + 1);
            if (target >= low && target < high) continue;
            const char *name = function_name(walk, target);
            if (name == NULL) continue;
            if (starts_with(name, "_ZSt20__throw_length_errorPKc") || starts_with(name, "_ZSt19__throw_logic_errorPKc"))
                add_hint(walk->result, HT_HINT_CHECK, 0, message_before(walk, bytes, at, address));
            else if (starts_with(name, "_ZNSt") || starts_with(name, "_ZNKSt") || starts_with(name, "_ZSt"))
                add_hint(walk->result, HT_HINT_CALLED, 0, name);
        } else if (follows_cold_parts && at + 6 <= room && bytes[at] == 0x0f && (bytes[at + 1] & 0xf0) == 0x80) {
            // Compilers move what is rarely run out of the function; only a conditional jump goes there.
            uint64_t target = address + 6 + (uint64_t)(int64_t)displacement(bytes + at + 2);
            uint64_t cold_low, cold_high;
            if ((target >= low && target < high) || !ht_symbols_bounds(walk->module, target, &cold_low, &cold_high) ||
                cold_low == seen_cold)
                continue;
            seen_cold = cold_low;
            scan(walk, cold_low, cold_high, false);
        }
    }
}

// Whether a function that copies what it manages (of a std::function, a std::any) allocates blocks of that size.
static bool clones(walk *walk, const char *name, uint64_t size) {
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
        const char *called = function_name(walk, end + (uint64_t)(int64_t)displacement(bytes + at + 1));
        if (called == NULL || !allocates(called)) continue;
        origin asked = size_before(walk, low, end);
        if (asked.kind == HT_SIZE_CONSTANT && asked.constant == size) return true;
    }
    return false;
}

// Keeps of the functions nearby that manage a copied value those that manage blocks of this size.
static void settle_managers(walk *walk) {
    ht_debug_allocation *result = walk->result;
    size_t count = result->hint_count;
    for (size_t i = 0; i < count; i++) {
        if (result->hints[i].kind != HT_HINT_NEAR || result->size_kind != HT_SIZE_CONSTANT) continue;
        const char *name = result->hints[i].name;
        if (!starts_with(name, "_ZNSt17_Function_handler") && !starts_with(name, "_ZNSt3any17_Manager_external"))
            continue;
        ht_debug_allocation scratch = {0};
        walk->result = &scratch;
        bool manages = clones(walk, name, result->size);
        walk->result = result;
        if (manages) add_hint(result, HT_HINT_MANAGED, 0, name);
    }
}

// The class whose inlined constructor follows the call, by debug information: of the size that was asked for.
static void find_inlined_constructor(walk *walk, uint64_t return_address) {
    enum { REACH = 96 };
    ht_debug_module *module = walk->module;
    if (walk->result->size_kind != HT_SIZE_CONSTANT) return;
    ht_units_load(module);
    size_t position = ht_ranges_find(&module->unit_ranges, return_address - 1, SIZE_MAX);
    if (position == SIZE_MAX) return;
    ht_unit *unit = &module->units[module->unit_ranges.items[position].index];
    ht_function *function = ht_unit_function(module, unit, return_address - 1);
    if (function == NULL) return;
    uint32_t depth = 0;
    for (size_t i = 0; i < function->call_count; i++) {
        const ht_inlined_call *call = &function->calls[i];
        if (call->low < return_address && return_address <= call->high && call->depth > depth) depth = call->depth;
    }
    ht_inlined_call *best = NULL;
    for (size_t i = 0; i < function->call_count; i++) {
        ht_inlined_call *call = &function->calls[i];
        if (call->low < return_address || call->low >= return_address + REACH || call->depth <= depth) continue;
        if (best != NULL && call->low >= best->low) continue;
        if (ht_constructed_size(module, &call->die) == walk->result->size) best = call;
    }
    if (best == NULL) return;
    const ht_debug_function *constructor = ht_debug_function_at(module, ht_function_number(module, &best->die));
    if (constructor != NULL) add_hint(walk->result, HT_HINT_CONSTRUCTED, 0, constructor->scope);
}

// Whether the call that ends there is of operator new[], which may leave no frame of its own.
static bool asks_for_array(walk *walk, uint64_t end) {
    enum { CALL_BYTES = 5 };
    size_t room = 0;
    const uint8_t *bytes = ht_image_bytes(walk->module, end - CALL_BYTES, &room);
    if (bytes == NULL || room < CALL_BYTES || bytes[0] != 0xe8) return false;
    const char *name = function_name(walk, end + (uint64_t)(int64_t)displacement(bytes + 1));
    return name != NULL && starts_with(name, "_Znam");
}

bool ht_debug_allocation_at(ht_debug_module *module, uint64_t return_address, ht_debug_allocation *result) {
    *result = (ht_debug_allocation){0};
    GElf_Ehdr header;
    if (gelf_getehdr(module->main.elf, &header) == NULL || header.e_machine != EM_X86_64) return false;
    walk walk = {.module = module, .result = result};
    if (!ht_symbols_bounds(module, return_address - 1, &walk.low, &walk.high)) return false;
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &walk.decoder) != CS_ERR_OK) return false;
    cs_option(walk.decoder, CS_OPT_DETAIL, CS_OPT_ON);
    walk.instruction = cs_malloc(walk.decoder);
    if (walk.instruction != NULL) {
        go_forward(&walk, return_address);
        origin size = size_before(&walk, walk.low, return_address);
        result->size_kind = size.kind;
        result->size = size.constant;
        result->is_array = asks_for_array(&walk, return_address);
        settle_managers(&walk);
        find_inlined_constructor(&walk, return_address);
        scan(&walk, walk.low, walk.high, true);
        cs_free(walk.instruction, 1);
    }
    cs_close(&walk.decoder);
    return result->hint_count > 0 || result->size_kind != HT_SIZE_UNKNOWN;
}
