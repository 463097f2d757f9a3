// What a Rust program's code asks of the allocator: the size and alignment that a call passes, as far as they are
// constants.
//
// Rust's allocating functions take a layout, and its vectors' shared code takes that of their elements; compilers load
// both right before the call. They stay when every container and constructor was inlined and no debug information is
// left. Where there is no block, a vector's code reports the layout that it asked for, which stays, too, where the
// allocator itself was inlined. x86-64 only.
#include "code.h"

enum {
    ARGUMENT_BYTES = 96,  // before the call: arguments that are loaded further away count as unknown
    SHORT_JUMP = 128,     // how far a two-byte jump reaches
    MAX_TARGETS = 64,
    MAX_PUSHED = 4,
    MAX_SCANNED = 1 << 20,  // bytes of a function
};

enum { RCX = 1, RSI = 6, R8 = 8, R9 = 9, R11 = 11 };

typedef struct {
    uint64_t constant;
    bool is_constant;
    uint8_t counted;  // part of the layout of a counted value: HT_RUST_…
} argument;

typedef struct {
    ht_walk walk;
    uint64_t targets[MAX_TARGETS];  // of jumps into the bytes before the call
    size_t target_count;
    bool has_too_many_targets;
    argument registers[HT_REGISTERS];
    argument pushed[MAX_PUSHED];
    size_t pushed_count;
} reading;

// MARK: - Whom the call was for

static bool is_slot_load(const uint8_t *bytes, unsigned reg) {
    return bytes[0] == (reg < 8 ? 0x48 : 0x4c) && bytes[1] == 0x8b && bytes[2] == (0x05 | (reg & 7) << 3);
}

// The function in a word that the loader fills, by name.
static const char *function_in(ht_debug_module *module, const ht_walk *walk, uint64_t slot) {
    const ht_relocation *relocation = ht_image_relocation(module, slot);
    uint64_t address;
    if (relocation != NULL && relocation->name != NULL) return relocation->name;
    return ht_image_word(module, slot, &address) ? ht_code_function(walk, address) : NULL;
}

// The name of what the call that ends at `end` goes to: at a distance, through a word, or through a register that the
// function loads from one word only.
static const char *called(ht_debug_module *module, const ht_walk *walk, uint64_t end) {
    enum { WINDOW = 6, LOAD = 7 };
    size_t room = 0;
    const uint8_t *bytes = end - walk->low < WINDOW ? NULL : ht_image_bytes(module, end - WINDOW, &room);
    if (bytes == NULL || room < WINDOW) return NULL;
    if (bytes[0] == 0xff && bytes[1] == 0x15) return function_in(module, walk, end + ht_code_distance(bytes + 2));
    if (bytes[1] == 0xe8) return ht_code_function(walk, end + ht_code_distance(bytes + 2));
    if (bytes[4] != 0xff || (bytes[5] & 0xf8) != 0xd0) return NULL;
    unsigned reg = (bytes[5] & 7) + (bytes[3] == 0x41 ? 8 : 0);
    const char *name = NULL;
    const uint8_t *code = ht_image_bytes(module, walk->low, &room);
    if (code == NULL || room < end - walk->low || end - walk->low > MAX_SCANNED) return NULL;
    for (size_t at = 0; at + LOAD <= end - walk->low; at++) {
        if (!is_slot_load(code + at, reg)) continue;
        const char *found = function_in(module, walk, walk->low + at + LOAD + ht_code_distance(code + at + 3));
        if (found == NULL || (name != NULL && strcmp(found, name) != 0)) return NULL;
        name = found;
    }
    return name;
}

typedef struct {
    uint8_t size, align;  // registers
    bool is_element;
} ht_layout_registers;

// Which registers hold the layout; HT_NO_REGISTER where the function takes none.
static ht_layout_registers layout_of(const char *name) {
    if (strstr(name, "RawVecInner") != NULL) {
        if (strstr(name, "finish_grow") != NULL) return (ht_layout_registers){R9, R8, true};
        if (strstr(name, "16with_capacity_in") != NULL) return (ht_layout_registers){HT_RDX, RSI, true};
        if (strstr(name, "15try_allocate_in") != NULL || strstr(name, "reserve") != NULL ||
            strstr(name, "14grow_amortized") != NULL || strstr(name, "10grow_exact") != NULL)
            return (ht_layout_registers){R8, RCX, true};
    } else if (strstr(name, "error") == NULL) {
        if (strstr(name, "__rust_alloc") != NULL || strstr(name, "__rdl_alloc") != NULL ||
            strstr(name, "__rg_alloc") != NULL)
            return (ht_layout_registers){HT_RDI, RSI, false};
        if (strstr(name, "__rust_realloc") != NULL || strstr(name, "__rdl_realloc") != NULL ||
            strstr(name, "__rg_realloc") != NULL)
            return (ht_layout_registers){RCX, HT_RDX, false};
    }
    return (ht_layout_registers){HT_NO_REGISTER, HT_NO_REGISTER, false};
}

// MARK: - The arguments

static void note_target(reading *state, uint64_t target, uint64_t end) {
    if (target >= end || end - target > ARGUMENT_BYTES) return;
    if (state->target_count == MAX_TARGETS) state->has_too_many_targets = true;
    else state->targets[state->target_count++] = target;
}

// Notes the long jumps of the part of the function from `low` to `high`; compilers move what is rarely run elsewhere,
// and only conditional jumps go there.
static void scan_jumps(reading *state, uint64_t low, uint64_t high, uint64_t end, bool follows_cold_parts) {
    ht_walk *walk = &state->walk;
    size_t room = 0;
    const uint8_t *bytes = ht_image_bytes(walk->module, low, &room);
    if (room > high - low) room = high - low;
    if (bytes == NULL || room > MAX_SCANNED) {
        state->has_too_many_targets = true;
        return;
    }
    uint64_t seen_cold = 0;
    for (size_t at = 0; at + 6 <= room; at++) {
        if (bytes[at] == 0xe9) note_target(state, low + at + 5 + ht_code_distance(bytes + at + 1), end);
        if (bytes[at] != 0x0f || (bytes[at + 1] & 0xf0) != 0x80) continue;
        uint64_t target = low + at + 6 + ht_code_distance(bytes + at + 2), cold_low, cold_high;
        note_target(state, target, end);
        if (!follows_cold_parts || (target >= low && target < high) ||
            !ht_symbols_bounds(walk->module, target, &cold_low, &cold_high) || cold_low == seen_cold)
            continue;
        seen_cold = cold_low;
        scan_jumps(state, cold_low, cold_high, end, false);
    }
}

// Where other ways through the function join: what was loaded before is not what the call passes then.
static void find_targets(reading *state, uint64_t start, uint64_t end) {
    ht_walk *walk = &state->walk;
    scan_jumps(state, walk->low, walk->high, end, true);
    uint64_t address = start, last = end + SHORT_JUMP < walk->high ? end + SHORT_JUMP : walk->high;
    while (address < last && ht_code_step(walk, &address)) {
        const cs_x86_op *operand = &walk->instruction->detail->x86.operands[0];
        if (cs_insn_group(walk->decoder, walk->instruction, CS_GRP_JUMP) && operand->type == X86_OP_IMM)
            note_target(state, (uint64_t)operand->imm, end);
    }
}

static void forget(reading *state) {
    memset(state->registers, 0, sizeof state->registers);
    state->pushed_count = 0;
}

static argument result_of(reading *state) {
    const cs_x86_op *operands = state->walk.instruction->detail->x86.operands;
    argument none = {0};
    if (operands[0].type != X86_OP_REG || operands[0].size < 4) return none;
    switch (state->walk.instruction->id) {
        case X86_INS_MOV:
        case X86_INS_MOVABS:
            if (operands[1].type == X86_OP_IMM)
                return (argument){.constant = (uint64_t)operands[1].imm, .is_constant = true};
            if (operands[1].type == X86_OP_REG) return state->registers[ht_code_register(operands[1].reg)];
            return none;
        case X86_INS_XOR:
            if (operands[1].type == X86_OP_REG && operands[1].reg == operands[0].reg)
                return (argument){.is_constant = true};
            return none;
        case X86_INS_POP: return state->pushed_count == 0 ? none : state->pushed[--state->pushed_count];
        default: return none;
    }
}

// Whether the call that ends there computes the layout of a counted value, which has counts before it.
static uint8_t counted_layout(const reading *state, uint64_t end) {
    const char *name = called(state->walk.module, &state->walk, end);
    if (name == NULL || strstr(name, "layout_for_value_layout") == NULL) return 0;
    if (strstr(name, "5alloc4sync") != NULL) return HT_RUST_ARC;
    return strstr(name, "5alloc2rc") != NULL ? HT_RUST_RC : 0;
}

static void take(reading *state) {
    static const uint8_t lost_in_calls[] = {HT_RAX, RCX, HT_RDX, RSI, HT_RDI, R8, R9, 10, R11};
    const cs_insn *instruction = state->walk.instruction;
    const cs_detail *detail = instruction->detail;
    if (instruction->id == X86_INS_JMP || cs_insn_group(state->walk.decoder, instruction, CS_GRP_RET)) {
        forget(state);
        return;
    }
    if (instruction->id == X86_INS_CALL) {
        for (size_t i = 0; i < sizeof lost_in_calls; i++) state->registers[lost_in_calls[i]] = (argument){0};
        state->pushed_count = 0;
        uint8_t counted = counted_layout(state, instruction->address + instruction->size);
        state->registers[HT_RAX].counted = counted;
        state->registers[HT_RDX].counted = counted;
        return;
    }
    if (instruction->id == X86_INS_PUSH) {
        const cs_x86_op *operand = &detail->x86.operands[0];
        if (state->pushed_count == MAX_PUSHED) state->pushed_count = 0;
        state->pushed[state->pushed_count++] = operand->type == X86_OP_IMM
                                                   ? (argument){.constant = (uint64_t)operand->imm, .is_constant = true}
                                                   : (argument){0};
        return;
    }
    argument result = result_of(state);
    for (unsigned i = 0; i < detail->regs_write_count; i++)
        state->registers[ht_code_register(detail->regs_write[i])] = (argument){0};
    for (unsigned i = 0; i < detail->x86.op_count; i++) {
        const cs_x86_op *operand = &detail->x86.operands[i];
        if (operand->type == X86_OP_REG && (operand->access & CS_AC_WRITE) != 0)
            state->registers[ht_code_register(operand->reg)] = i == 0 ? result : (argument){0};
    }
}

// Reads from `start` to the call; false where instructions do not end there.
static bool read_arguments(reading *state, uint64_t start, uint64_t end) {
    uint64_t address = start, before = start;
    forget(state);
    while (address < end && ht_code_step(&state->walk, &address)) {
        for (size_t i = 0; i < state->target_count; i++)
            if (state->targets[i] == before) forget(state);
        if (address == end) return true;
        take(state);
        before = address;
    }
    return false;
}

static bool read_call(reading *state, uint64_t end) {
    uint64_t low = state->walk.low, reach = ARGUMENT_BYTES + SHORT_JUMP;
    uint64_t start = end - low > reach ? end - reach : low;
    for (unsigned shift = 0; shift <= HT_INSTRUCTION_BYTES && start + shift < end; shift++) {
        state->target_count = 0;
        state->has_too_many_targets = false;
        // The first reading finds where instructions begin, so that the second knows where ways join.
        if (!read_arguments(state, start + shift, end)) continue;
        find_targets(state, start + shift, end);
        return !state->has_too_many_targets && read_arguments(state, start + shift, end);
    }
    return false;
}

static bool is_alignment(uint64_t value) {
    enum { MOST = 4096 };
    return value != 0 && value <= MOST && (value & (value - 1)) == 0;
}

// MARK: - What follows a failure

// Where the code goes that finds no block in rax, from the end of the call; 0 where it does not ask at once.
static uint64_t failure_of(ht_walk *walk, uint64_t address) {
    enum { STEPS = 6 };
    bool is_tested = false;
    for (unsigned i = 0; i < STEPS && ht_code_step(walk, &address); i++) {
        const cs_insn *instruction = walk->instruction;
        const cs_x86_op *operands = instruction->detail->x86.operands;
        if (instruction->id == X86_INS_CALL || instruction->id == X86_INS_JMP) return 0;
        if (is_tested && instruction->id == X86_INS_JE) return (uint64_t)operands[0].imm;
        if (is_tested && instruction->id == X86_INS_JNE) return address;
        if (instruction->id == X86_INS_TEST)
            is_tested = operands[0].type == X86_OP_REG && operands[1].type == X86_OP_REG &&
                        operands[0].reg == X86_REG_RAX && operands[1].reg == X86_REG_RAX;
    }
    return 0;
}

// Whether vectors of this program report failures by a function of their own, as since Rust 1.78: the general one is
// then called for single values alone.
static bool has_vector_reports(ht_debug_module *module) {
    static const char name[] = "7raw_vec12handle_error";
    if (module->vector_reports == HT_REPORTS_UNKNOWN) {
        const ht_strings *strings = &module->symbol_strings;
        bool found = strings->size > 0 && memmem(strings->bytes, strings->size, name, sizeof name - 1) != NULL;
        module->vector_reports = found ? HT_REPORTS_APART : HT_REPORTS_TOGETHER;
    }
    return module->vector_reports == HT_REPORTS_APART;
}

// What the code reports when there is no block: a vector's alignment, or the layout of a single value.
static void read_report(reading *state, uint64_t return_address, ht_debug_rust_request *request) {
    enum { STEPS = 24 };
    uint64_t address = failure_of(&state->walk, return_address);
    for (unsigned i = 0; i < STEPS && address != 0 && ht_code_step(&state->walk, &address); i++) {
        const cs_insn *instruction = state->walk.instruction;
        const cs_x86_op *operand = &instruction->detail->x86.operands[0];
        if (instruction->id == X86_INS_CALL) {
            const char *name = called(state->walk.module, &state->walk, address);
            argument align = state->registers[HT_RDI], size = state->registers[RSI];
            if (name == NULL || !align.is_constant || !is_alignment(align.constant)) return;
            if (request->align != 0 && request->align != align.constant) return;
            bool is_vector = strstr(name, "7raw_vec12handle_error") != NULL;
            bool is_value = strstr(name, "18handle_alloc_error") != NULL && size.is_constant &&
                            has_vector_reports(state->walk.module);
            if (!is_vector && !is_value) return;
            request->align = align.constant;
            request->is_vector = is_vector;
            request->is_value = is_value;
            return;
        }
        if (instruction->id == X86_INS_JMP && operand->type == X86_OP_IMM) address = (uint64_t)operand->imm;
        else take(state);
    }
}

bool ht_debug_rust_request_at(ht_debug_module *module, uint64_t return_address, ht_debug_rust_request *request) {
    *request = (ht_debug_rust_request){0};
    GElf_Ehdr header;
    if (gelf_getehdr(module->main.elf, &header) == NULL || header.e_machine != EM_X86_64) return false;
    reading state = {.walk = {.module = module}};
    if (!ht_symbols_bounds(module, return_address - 1, &state.walk.low, &state.walk.high)) return false;
    const char *name = called(module, &state.walk, return_address);
    ht_layout_registers layout = layout_of(name == NULL ? "" : name);
    // Optimization of the whole program leaves calls of malloc, which no alignment is passed to.
    bool is_plain = name != NULL && (strcmp(name, "malloc") == 0 || strcmp(name, "calloc") == 0);
    if (layout.align == HT_NO_REGISTER && !is_plain) return false;
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &state.walk.decoder) != CS_ERR_OK) return false;
    cs_option(state.walk.decoder, CS_OPT_DETAIL, CS_OPT_ON);
    state.walk.instruction = cs_malloc(state.walk.decoder);
    if (state.walk.instruction != NULL) {
        if (!read_call(&state, return_address)) {
            forget(&state);
        } else if (!is_plain) {
            argument size = state.registers[layout.size], align = state.registers[layout.align];
            request->size = size.constant;
            request->has_size = size.is_constant;
            if (align.is_constant && is_alignment(align.constant)) request->align = align.constant;
            if (!layout.is_element) request->counted = size.counted;
        }
        if (!layout.is_element) {
            take(&state);  // the call itself
            read_report(&state, return_address, request);
        }
        cs_free(state.walk.instruction, 1);
    }
    cs_close(&state.walk.decoder);
    request->is_element = layout.is_element;
    if (layout.is_element && (!request->has_size || request->align == 0 || request->size % request->align != 0))
        return false;
    return request->align != 0 || request->counted != 0;
}
