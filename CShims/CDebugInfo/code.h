// What the three readers of machine code share: the walk, its registers, and the names of what code refers to.
//
// allocation.c follows the block forwards, request.c reads the size backwards, code.c knows the machine. x86-64 only.
#pragma once

#include "internal.h"

#include <capstone/capstone.h>
#include <string.h>

enum {
    HT_MAX_STACK_SLOTS = 8,  // stack slots that can hold the block
    HT_INSTRUCTION_BYTES = 15,
    HT_REGISTERS = 33,  // general registers 0-15, xmm registers 16-31, none 32
    HT_NO_REGISTER = 32,
};

enum { HT_RAX = 0, HT_RDX = 2, HT_RSP = 4, HT_RBP = 5, HT_RDI = 7 };

/// The value of a register as far as it is known.
typedef struct {
    uint64_t constant;
    bool is_block;
    bool is_constant;
} ht_value;

typedef struct {
    uint8_t base;
    int64_t offset;
} ht_stack_slot;

typedef struct {
    ht_debug_module *module;
    ht_debug_allocation *result;
    csh decoder;
    cs_insn *instruction;
    ht_value registers[HT_REGISTERS];
    ht_stack_slot slots[HT_MAX_STACK_SLOTS];
    size_t slot_count;
    uint64_t low, high;  // of the function
    bool is_reloaded;    // code without optimization reads the block back from the stack for each use
} ht_walk;

/// The register that holds an operand's part, as a number below HT_REGISTERS.
unsigned ht_code_register(unsigned id);
/// Adds a name once, and counts how often it came.
void ht_code_hint(ht_debug_allocation *result, uint8_t kind, uint8_t argument, const char *name);
/// The name of the function that starts at `address`, also where it is the PLT entry of an imported one.
const char *ht_code_function(const ht_walk *walk, uint64_t address);
/// The name of the function that the current instruction calls, or NULL.
const char *ht_code_called(const ht_walk *walk);
/// Decodes the instruction at `*address` and moves on. False where there is none.
bool ht_code_step(ht_walk *walk, uint64_t *address);

static inline uint64_t ht_code_memory(const cs_insn *instruction, const cs_x86_op *operand) {
    return instruction->address + instruction->size + (uint64_t)operand->mem.disp;
}

/// The distance that a call or jump at these bytes has in its code.
static inline uint64_t ht_code_distance(const uint8_t *bytes) {
    int32_t result;
    memcpy(&result, bytes, sizeof result);
    return (uint64_t)(int64_t)result;
}

static inline bool ht_code_starts_with(const char *name, const char *prefix) {
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static inline bool ht_code_allocates(const char *name) {
    return ht_code_starts_with(name, "_Znwm") || ht_code_starts_with(name, "_Znam");
}

// request.c
/// What the instructions before a call say of the size it asks for.
typedef struct {
    uint64_t constant;
    uint8_t kind;  // HT_SIZE_…
} ht_origin;
/// The size that the call that ends at `end`, in the function that starts at `low`, asks for.
ht_origin ht_request_size(ht_walk *walk, uint64_t low, uint64_t end);
/// Whether the call that ends there is of operator new[], which may leave no frame of its own.
bool ht_request_is_array(const ht_walk *walk, uint64_t end);
/// Keeps of the functions nearby that manage a copied value those that manage blocks of this size.
void ht_request_managers(ht_walk *walk);
