// What the machine code around a call of operator new says of the block: where it goes, what is stored into it, which
// container's length check guards it.
//
// Compilers inline containers and constructors, and without debug information nothing else is left of them. The code
// after the call is followed in a straight line, with the registers and stack slots that hold the block; the code
// before it is read for the size. What is found is handed out as names; what they mean is decided elsewhere. x86-64
// only.
#include "code.h"

enum {
    MAX_STEPS = 96,          // instructions followed after the call
    MAX_JUMPS = 6,           // unconditional jumps followed
    MAX_FUNCTION = 1 << 18,  // bytes of a function that are scanned
};

static const uint8_t argument_registers[] = {7, 6, 2, 1, 8, 9};

// MARK: - Forwards

static bool holds_block(const ht_walk *walk, const cs_x86_op *operand) {
    if (operand->type == X86_OP_REG) return walk->registers[ht_code_register(operand->reg)].is_block;
    if (operand->type != X86_OP_MEM || operand->mem.index != X86_REG_INVALID) return false;
    unsigned base = ht_code_register(operand->mem.base);
    for (size_t i = 0; i < walk->slot_count; i++)
        if (walk->slots[i].base == base && walk->slots[i].offset == operand->mem.disp) return true;
    return false;
}

static void set_slot(ht_walk *walk, const cs_x86_op *operand, bool holds) {
    unsigned base = ht_code_register(operand->mem.base);
    if (operand->mem.index != X86_REG_INVALID || base == HT_NO_REGISTER) return;
    for (size_t i = 0; i < walk->slot_count; i++)
        if (walk->slots[i].base == base && walk->slots[i].offset == operand->mem.disp) {
            if (!holds) walk->slots[i] = walk->slots[--walk->slot_count];
            return;
        }
    if (holds && (base == HT_RSP || base == HT_RBP) && walk->slot_count < HT_MAX_STACK_SLOTS)
        walk->slots[walk->slot_count++] = (ht_stack_slot){.base = (uint8_t)base, .offset = operand->mem.disp};
}

static ht_value value_of(ht_walk *walk, const cs_x86_op *operand) {
    ht_value result = {.is_block = holds_block(walk, operand)};
    if (operand->type == X86_OP_REG) return walk->registers[ht_code_register(operand->reg)];
    if (operand->type == X86_OP_IMM) {
        result.constant = (uint64_t)operand->imm;
        result.is_constant = true;
    } else if (operand->mem.base == X86_REG_RIP && operand->mem.index == X86_REG_INVALID) {
        result.is_constant = ht_image_word(walk->module, ht_code_memory(walk->instruction, operand), &result.constant);
    }
    return result;
}

// What stands at the beginning of the block names its class, or the function that resumes it.
static void note_stored(ht_walk *walk, const cs_x86_op *target, ht_value stored) {
    if (!stored.is_constant || target->mem.disp != 0 || target->mem.index != X86_REG_INVALID) return;
    if (!walk->registers[ht_code_register(target->mem.base)].is_block) return;
    const char *name = ht_image_class(walk->module, stored.constant);
    ht_code_hint(walk->result, HT_HINT_STORED, 0,
                 name != NULL ? name : ht_symbols_start(walk->module, stored.constant));
}

static void take_move(ht_walk *walk) {
    const cs_x86_op *operands = walk->instruction->detail->x86.operands;
    ht_value moved = value_of(walk, &operands[1]);
    if (operands[1].type == X86_OP_MEM && moved.is_block) walk->is_reloaded = true;
    if (operands[0].type == X86_OP_REG) {
        walk->registers[ht_code_register(operands[0].reg)] = moved;
    } else {
        note_stored(walk, &operands[0], moved);
        set_slot(walk, &operands[0], moved.is_block);
        if (operands[0].mem.base != X86_REG_RIP && operands[0].mem.disp != 0 && !walk->is_reloaded &&
            walk->registers[ht_code_register(operands[0].mem.base)].is_block)
            walk->result->is_filled_in_place = true;
    }
    if (moved.is_constant) ht_code_hint(walk->result, HT_HINT_NEAR, 0, ht_symbols_start(walk->module, moved.constant));
}

static void take_address(ht_walk *walk) {
    const cs_x86_op *operands = walk->instruction->detail->x86.operands;
    ht_value result = {0};
    const x86_op_mem *memory = &operands[1].mem;
    if (memory->base == X86_REG_RIP && memory->index == X86_REG_INVALID) {
        result.constant = ht_code_memory(walk->instruction, &operands[1]);
        result.is_constant = true;
        ht_code_hint(walk->result, HT_HINT_NEAR, 0, ht_symbols_start(walk->module, result.constant));
    } else if (memory->disp == 0 && memory->index == X86_REG_INVALID) {
        result = walk->registers[ht_code_register(memory->base)];
    }
    walk->registers[ht_code_register(operands[0].reg)] = result;
}

static void take_other(ht_walk *walk) {
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
                walk->registers[ht_code_register(x86->operands[0].reg)].is_constant) {
                walk->registers[ht_code_register(x86->operands[0].reg)].constant += (uint64_t)x86->operands[1].imm;
                return;
            }
            break;
        default: break;
    }
    for (unsigned i = 0; i < x86->op_count; i++)
        if (x86->operands[i].type == X86_OP_REG && (x86->operands[i].access & CS_AC_WRITE) != 0)
            walk->registers[ht_code_register(x86->operands[i].reg)] = (ht_value){0};
}

// True where the walk ends.
static bool take_call(ht_walk *walk) {
    const char *name = ht_code_called(walk);
    if (name != NULL) {
        if (ht_code_allocates(name)) return true;
        for (uint8_t i = 0; i < sizeof argument_registers; i++)
            if (walk->registers[argument_registers[i]].is_block) {
                if (walk->result->is_filled_in_place) ht_code_hint(walk->result, HT_HINT_FILLED, 0, "");
                ht_code_hint(walk->result, HT_HINT_PASSED, i, name);
            }
        ht_code_hint(walk->result, HT_HINT_NEAR, 0, name);
    }
    // Of the other registers that a call may change, compilers use only those that they know it leaves alone.
    bool returns_block =
        name != NULL && (strcmp(name, "memset") == 0 || strcmp(name, "memcpy") == 0 || strcmp(name, "memmove") == 0);
    walk->registers[HT_RAX] = (ht_value){.is_block = returns_block && walk->registers[HT_RDI].is_block};
    walk->registers[HT_RDX].is_block = false;
    return false;
}

static void go_forward(ht_walk *walk, uint64_t address) {
    unsigned jumps = 0;
    walk->registers[HT_RAX].is_block = true;
    for (unsigned steps = 0; steps < MAX_STEPS; steps++) {
        if (!ht_code_step(walk, &address)) return;
        const cs_insn *instruction = walk->instruction;
        const cs_x86 *x86 = &instruction->detail->x86;
        walk->registers[HT_NO_REGISTER] = (ht_value){0};
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

// MARK: - The whole function

// The message of a length check: lea or mov of its address right before the call of the function that throws it.
static const char *message_before(ht_walk *walk, const uint8_t *bytes, size_t at, uint64_t address) {
    if (at >= 7 && bytes[at - 7] == 0x48 && bytes[at - 6] == 0x8d && bytes[at - 5] == 0x3d)
        return ht_image_text(walk->module, address + ht_code_distance(bytes + at - 4));
    if (at >= 5 && bytes[at - 5] == 0xbf)
        return ht_image_text(walk->module, (uint32_t)ht_code_distance(bytes + at - 4));
    return NULL;
}

// Scans code for what it calls: the containers whose out-of-line parts or length checks are in the function.
static void scan(ht_walk *walk, uint64_t low, uint64_t high, bool follows_cold_parts) {
    size_t room = 0;
    const uint8_t *bytes = ht_image_bytes(walk->module, low, &room);
    if (bytes == NULL) return;
    if (room > high - low) room = high - low;
    if (room > MAX_FUNCTION) {
        room = MAX_FUNCTION;
        walk->result->is_cut = true;
    }
    uint64_t seen_cold = 0;
    for (size_t at = 0; at + 5 <= room; at++) {
        uint64_t address = low + at;
        if (bytes[at] == 0xe8 || bytes[at] == 0xe9) {
            uint64_t target = address + 5 + ht_code_distance(bytes + at + 1);
            if (target >= low && target < high) continue;
            const char *name = ht_code_function(walk, target);
            if (name == NULL) continue;
            if (ht_code_starts_with(name, "_ZSt20__throw_length_errorPKc") ||
                ht_code_starts_with(name, "_ZSt19__throw_logic_errorPKc"))
                ht_code_hint(walk->result, HT_HINT_CHECK, 0, message_before(walk, bytes, at, address));
            else if (ht_code_starts_with(name, "_ZNSt") || ht_code_starts_with(name, "_ZNKSt") ||
                     ht_code_starts_with(name, "_ZSt"))
                ht_code_hint(walk->result, HT_HINT_CALLED, 0, name);
        } else if (follows_cold_parts && at + 6 <= room && bytes[at] == 0x0f && (bytes[at + 1] & 0xf0) == 0x80) {
            // Compilers move what is rarely run out of the function; only a conditional jump goes there.
            uint64_t target = address + 6 + ht_code_distance(bytes + at + 2);
            uint64_t cold_low, cold_high;
            if ((target >= low && target < high) || !ht_symbols_bounds(walk->module, target, &cold_low, &cold_high) ||
                cold_low == seen_cold)
                continue;
            seen_cold = cold_low;
            scan(walk, cold_low, cold_high, false);
        }
    }
}

// The class whose inlined constructor follows the call, by debug information: of the size that was asked for.
static void find_inlined_constructor(ht_walk *walk, uint64_t return_address) {
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
    if (constructor != NULL) ht_code_hint(walk->result, HT_HINT_CONSTRUCTED, 0, constructor->scope);
}

bool ht_debug_allocation_at(ht_debug_module *module, uint64_t return_address, ht_debug_allocation *result) {
    *result = (ht_debug_allocation){0};
    GElf_Ehdr header;
    if (gelf_getehdr(module->main.elf, &header) == NULL || header.e_machine != EM_X86_64) return false;
    ht_walk walk = {.module = module, .result = result};
    if (!ht_symbols_bounds(module, return_address - 1, &walk.low, &walk.high)) return false;
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &walk.decoder) != CS_ERR_OK) return false;
    cs_option(walk.decoder, CS_OPT_DETAIL, CS_OPT_ON);
    walk.instruction = cs_malloc(walk.decoder);
    if (walk.instruction != NULL) {
        go_forward(&walk, return_address);
        ht_origin size = ht_request_size(&walk, walk.low, return_address);
        result->size_kind = size.kind;
        result->size = size.constant;
        result->is_array = ht_request_is_array(&walk, return_address);
        ht_request_managers(&walk);
        find_inlined_constructor(&walk, return_address);
        scan(&walk, walk.low, walk.high, true);
        cs_free(walk.instruction, 1);
    }
    cs_close(&walk.decoder);
    return result->hint_count > 0 || result->size_kind != HT_SIZE_UNKNOWN;
}
