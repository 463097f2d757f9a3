// Where the call before a return address went: a function that ends in a jump to another leaves no frame of its own,
// but the call that was meant for it stays in its caller's code. x86-64 alone: direct calls, and those through a word
// that the loader fills, which programs in debug mode use for the functions of Rust's library.
#include "internal.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_BYTES = 5, INDIRECT_CALL_BYTES = 6, LOAD_BYTES = 7, MOST_BYTES = 4096 };

// The `size` bytes at an ELF virtual address of executable code; NULL where the file has none.
static const uint8_t *code_at(Elf *elf, uint64_t address, size_t size) {
    size_t file_size, count;
    const char *file = elf_rawfile(elf, &file_size);
    if (file == NULL || elf_getphdrnum(elf, &count) != 0) return NULL;
    for (size_t i = 0; i < count && i <= INT32_MAX; i++) {
        GElf_Phdr segment;
        if (gelf_getphdr(elf, (int)i, &segment) == NULL || segment.p_type != PT_LOAD) continue;
        if ((segment.p_flags & PF_X) == 0 || address < segment.p_vaddr) continue;
        uint64_t offset = address - segment.p_vaddr;
        if (offset >= segment.p_filesz || size > segment.p_filesz - offset) continue;
        if (segment.p_offset > file_size || offset > file_size - segment.p_offset ||
            size > file_size - segment.p_offset - offset)
            return NULL;
        return (const uint8_t *)file + segment.p_offset + offset;
    }
    return NULL;
}

static int compare_slots(const void *left, const void *right) {
    const ht_slot_value *a = left, *b = right;
    return a->slot < b->slot ? -1 : a->slot > b->slot;
}

// Collects the words that the loader fills with an address of the file itself.
static void load_slots(ht_debug_module *module) {
    module->slots_loaded = true;
    for (Elf_Scn *section = elf_nextscn(module->main.elf, NULL); section != NULL;
         section = elf_nextscn(module->main.elf, section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == NULL || header.sh_type != SHT_RELA || (header.sh_flags & SHF_ALLOC) == 0)
            continue;
        Elf_Data *data = elf_getdata(section, NULL);
        size_t entry = gelf_fsize(module->main.elf, ELF_T_RELA, 1, EV_CURRENT);
        size_t count = data == NULL || entry == 0 ? 0 : data->d_size / entry;
        if (count == 0) continue;
        ht_slot_value *values =
            realloc(module->slot_values, (module->slot_value_count + count) * sizeof *module->slot_values);
        if (values == NULL) return;
        module->slot_values = values;
        for (size_t i = 0; i < count && i <= INT32_MAX; i++) {
            GElf_Rela relocation;
            if (gelf_getrela(data, (int)i, &relocation) == NULL) break;
            if (GELF_R_TYPE(relocation.r_info) != R_X86_64_RELATIVE) continue;
            values[module->slot_value_count++] =
                (ht_slot_value){.slot = relocation.r_offset, .value = (uint64_t)relocation.r_addend};
        }
    }
    if (module->slot_value_count > 1)
        ht_sort_by_address(module->slot_values, module->slot_value_count, sizeof *module->slot_values, compare_slots);
}

static uint64_t value_of_slot(ht_debug_module *module, uint64_t slot) {
    if (!module->slots_loaded) load_slots(module);
    ht_slot_value wanted = {.slot = slot};
    if (module->slot_value_count == 0) return 0;
    const ht_slot_value *found =
        bsearch(&wanted, module->slot_values, module->slot_value_count, sizeof *module->slot_values, compare_slots);
    return found == NULL ? 0 : found->value;
}

static uint64_t relative(const uint8_t *end, uint64_t address) {
    int32_t distance;
    memcpy(&distance, end - sizeof distance, sizeof distance);
    return address + (uint64_t)(int64_t)distance;
}

// Whether the code of `function` jumps to the start of `target`.
static bool jumps_to(ht_debug_module *module, const ht_symbol *function, uint64_t target) {
    uint64_t length = function->end - function->address;
    size_t size = length < MOST_BYTES ? (size_t)length : MOST_BYTES;
    const uint8_t *code = code_at(module->main.elf, function->address, size);
    if (code == NULL) return false;
    for (size_t i = 0; i + CALL_BYTES <= size; i++) {
        uint64_t after = function->address + i + CALL_BYTES;
        if (code[i] == 0xe9 && relative(code + i + CALL_BYTES, after) == target) return true;
        if (i + INDIRECT_CALL_BYTES > size) continue;
        const uint8_t *end = code + i + INDIRECT_CALL_BYTES;
        bool is_conditional = code[i] == 0x0f && (code[i + 1] & 0xf0) == 0x80;
        bool is_indirect = code[i] == 0xff && code[i + 1] == 0x25;
        if (is_conditional && relative(end, after + 1) == target) return true;
        if (is_indirect && value_of_slot(module, relative(end, after + 1)) == target) return true;
    }
    return false;
}

// Where a call through a register goes: to a function whose address the caller loads into that register, and that jumps
// to the one that holds `inner`. Without that second half any load of the register before could be taken for the
// call's.
static uint64_t loaded_destination(ht_debug_module *module, const uint8_t *end, uint64_t address, size_t size,
                                   uint64_t inner) {
    const ht_symbol *callee = ht_symbols_covering(module, inner);
    if (callee == NULL || end[-2] != 0xff || (end[-1] & 0xf8) != 0xd0) return 0;
    uint8_t rex = end[-3] == 0x41 ? 0x4c : 0x48, operand = (uint8_t)(0x05 | (end[-1] & 7) << 3);
    for (size_t back = 2 + LOAD_BYTES; back <= size; back++) {
        const uint8_t *load = end - back;
        if (load[0] != rex || load[1] != 0x8b || load[2] != operand) continue;
        uint64_t value = value_of_slot(module, relative(load + LOAD_BYTES, address - back + LOAD_BYTES));
        const ht_symbol *function = value == 0 ? NULL : ht_symbols_covering(module, value);
        if (function == callee) return 0;
        if (function != NULL && function->address == value && jumps_to(module, function, callee->address)) return value;
    }
    return 0;
}

// Where the call goes whose code ends at `end`, which is at `address`; 0: not known. `size` bytes before it can be
// read.
static uint64_t destination(ht_debug_module *module, const uint8_t *end, uint64_t address, size_t size,
                            uint64_t inner) {
    if (size >= CALL_BYTES && end[-CALL_BYTES] == 0xe8) return relative(end, address);
    if (size >= INDIRECT_CALL_BYTES && end[-INDIRECT_CALL_BYTES] == 0xff && end[1 - INDIRECT_CALL_BYTES] == 0x15)
        return value_of_slot(module, relative(end, address));
    return size > 3 ? loaded_destination(module, end, address, size, inner) : 0;
}

bool ht_debug_call_target(ht_debug_module *module, uint64_t return_address, uint64_t inner, uint64_t *target) {
    GElf_Ehdr header;
    if (return_address < CALL_BYTES || module->main.elf == NULL || gelf_getehdr(module->main.elf, &header) == NULL ||
        header.e_machine != EM_X86_64)
        return false;
    const ht_symbol *caller = ht_symbols_covering(module, return_address - 1);
    if (caller == NULL || return_address - caller->address < CALL_BYTES) return false;
    uint64_t room = return_address - caller->address;
    size_t size = room < MOST_BYTES ? (size_t)room : MOST_BYTES;
    const uint8_t *code = code_at(module->main.elf, return_address - size, size);
    if (code == NULL) return false;
    uint64_t address = destination(module, code + size, return_address, size, inner);
    const ht_symbol *function = ht_symbols_covering(module, address);
    // Stubs of the linkage table have no symbols; what lies in the middle of a function is no call, or none that is
    // known.
    if (function == NULL || function->address != address || !function->sized) return false;
    if (inner >= function->address && inner < function->end) return false;
    *target = address;
    return true;
}
