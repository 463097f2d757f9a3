// Names from DIEs: the declaration behind an instance, its qualified scope, and the types of template parameters.
//
// Each function is described once and has a number from then on.
// Types are spelled as their language does where DWARF carries the spelling (Rust names its references and pointers);
// C and C++ pointers, references and qualifiers are composed. Every recursion is bounded by depth and output size.
#include "internal.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TYPE_DEPTH = 16 };

// MARK: - Attributes

const char *ht_die_string(Dwarf_Attribute *attribute) {
    const char *string = dwarf_formstring(attribute);
    if (string == NULL) return NULL;
    if (dwarf_whatform(attribute) != DW_FORM_string)
        return strnlen(string, HT_MAX_NAME_BYTES) == HT_MAX_NAME_BYTES ? NULL : string;
    // libdw checks the end of strings in .debug_str, but not of those that stand among the attributes.
    size_t size;
    Dwarf *dwarf = dwarf_cu_getdwarf(attribute->cu);
    const char *file = dwarf == NULL ? NULL : elf_rawfile(dwarf_getelf(dwarf), &size);
    if (file == NULL || string < file || string >= file + size) return string;
    return memchr(string, '\0', size - (size_t)(string - file)) == NULL ? NULL : string;
}

static const char *string_of(Dwarf_Die *die, unsigned name) {
    Dwarf_Attribute attribute;
    return dwarf_attr(die, name, &attribute) == NULL ? NULL : ht_die_string(&attribute);
}

static bool follow(Dwarf_Die *die, unsigned name, Dwarf_Die *target) {
    Dwarf_Attribute attribute;
    return dwarf_attr(die, name, &attribute) != NULL && dwarf_formref_die(&attribute, target) != NULL;
}

// The DIE that declares what `die` is an instance of: abstract_origin and specification followed to their end.
static Dwarf_Die declaration_of(Dwarf_Die *die) {
    Dwarf_Die current = *die, next;
    for (int i = 0; i < HT_MAX_ORIGIN_CHAIN; i++) {
        if (!follow(&current, DW_AT_abstract_origin, &next) && !follow(&current, DW_AT_specification, &next)) break;
        current = next;
    }
    return current;
}

// MARK: - Scopes

// The innermost recorded scope that holds the DIE at `offset`, as index + 1; 0: none.
static uint32_t scope_of(const ht_unit *unit, Dwarf_Off offset) {
    size_t low = 0, high = unit->scope_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (unit->scopes[middle].start < offset) low = middle + 1;
        else high = middle;
    }
    uint32_t scope = (uint32_t)low;
    while (scope != 0 && unit->scopes[scope - 1].end <= offset) scope = unit->scopes[scope - 1].parent;
    return scope;
}

// "a::b::" of a scope, composed once; "" where none of them has a name.
static const char *scope_path(ht_debug_module *module, ht_unit *unit, Dwarf *dwarf, uint32_t number) {
    uint32_t chain[HT_MAX_SCOPES];
    size_t count = 0;
    const char *path = "";
    for (; number != 0 && count < HT_MAX_SCOPES; number = unit->scopes[number - 1].parent) {
        if (unit->scopes[number - 1].path != NULL) {
            path = unit->scopes[number - 1].path;
            break;
        }
        chain[count++] = number;
    }
    while (count > 0) {
        ht_scope *scope = &unit->scopes[chain[--count] - 1];
        Dwarf_Die die;
        const char *name = NULL;
        if (dwarf_offdie(dwarf, scope->start, &die) != NULL) {
            name = string_of(&die, DW_AT_name);
            if (name == NULL && dwarf_tag(&die) == DW_TAG_namespace) name = "(anonymous namespace)";
        }
        if (name != NULL) {
            ht_text text = {0};
            ht_text_append(&text, path);
            ht_text_append(&text, name);
            ht_text_append(&text, "::");
            const char *kept = ht_module_keep(module, &text);
            if (kept != NULL) path = kept;
        }
        scope->path = path;
    }
    return path;
}

// Appends "a::b::" for the scopes around `die`.
static void append_scopes(ht_debug_module *module, Dwarf_Die *die, ht_text *text) {
    ht_unit *unit = ht_unit_of(module, die);
    if (unit == NULL) return;
    ht_unit_index(module, unit, false);
    uint32_t scope = scope_of(unit, dwarf_dieoffset(die));
    ht_text_append(text, scope_path(module, unit, dwarf_cu_getdwarf(die->cu), scope));
}

// MARK: - Types

static void append_type(ht_debug_module *module, Dwarf_Die *type, ht_text *text, unsigned depth) {
    const char *name = string_of(type, DW_AT_name);
    int tag = dwarf_tag(type);
    if (name != NULL) {
        if (tag != DW_TAG_base_type) append_scopes(module, type, text);
        ht_text_append(text, name);
        return;
    }
    const char *suffix = tag == DW_TAG_pointer_type            ? " *"
                         : tag == DW_TAG_reference_type        ? " &"
                         : tag == DW_TAG_rvalue_reference_type ? " &&"
                         : tag == DW_TAG_array_type            ? " []"
                         : tag == DW_TAG_const_type            ? " const"
                         : tag == DW_TAG_volatile_type         ? " volatile"
                                                               : NULL;
    Dwarf_Die target;
    if (suffix == NULL) {
        ht_text_append(text, tag == DW_TAG_subroutine_type ? "(function)" : "(anonymous)");
        return;
    }
    if (depth >= MAX_TYPE_DEPTH) ht_text_append(text, "(...)");
    else if (follow(type, DW_AT_type, &target)) append_type(module, &target, text, depth + 1);
    else ht_text_append(text, "void");
    ht_text_append(text, suffix);
}

// Appends the type of each template type parameter of `owner`, each followed by '\n'. Returns how many.
static uint32_t append_template_arguments(ht_debug_module *module, Dwarf_Die *owner, ht_text *text, unsigned depth) {
    Dwarf_Die child;
    uint32_t count = 0;
    if (depth > 2 || dwarf_child(owner, &child) != 0) return 0;
    // Parameters are among the first children; the bound keeps a huge class from being read to its end for each frame.
    int steps = 0;
    do {
        int tag = dwarf_tag(&child);
        Dwarf_Die type;
        if (tag == DW_TAG_GNU_template_parameter_pack) {
            count += append_template_arguments(module, &child, text, depth + 1);
        } else if (tag == DW_TAG_template_type_parameter) {
            if (follow(&child, DW_AT_type, &type)) append_type(module, &type, text, 0);
            else ht_text_append(text, "void");
            ht_text_append(text, "\n");
            count++;
        }
    } while (count < HT_MAX_TEMPLATE_ARGUMENTS && ++steps < 4096 && dwarf_siblingof(&child, &child) == 0);
    return count;
}

static void template_arguments(ht_debug_module *module, Dwarf_Die *die, Dwarf_Die *declaration,
                               ht_debug_function *function) {
    ht_text text = {0};
    uint32_t count = append_template_arguments(module, declaration, &text, 0);
    if (count == 0 && declaration->addr != die->addr) count = append_template_arguments(module, die, &text, 0);
    if (count == 0) {
        // A member of a class template: the parameters stand on the class.
        ht_unit *unit = ht_unit_of(module, declaration);
        uint32_t scope = unit == NULL ? 0 : scope_of(unit, dwarf_dieoffset(declaration));
        Dwarf_Die owner;
        if (scope != 0 &&
            dwarf_offdie(dwarf_cu_getdwarf(declaration->cu), unit->scopes[scope - 1].start, &owner) != NULL &&
            dwarf_tag(&owner) != DW_TAG_namespace)
            count = append_template_arguments(module, &owner, &text, 0);
    }
    size_t length = text.count;
    char *kept = count == 0 ? NULL : ht_module_keep(module, &text);
    ht_text_free(&text);
    if (kept == NULL) return;
    for (size_t i = 0; i < length; i++)
        if (kept[i] == '\n') kept[i] = '\0';
    function->template_arguments = kept;
    function->template_argument_count = count;
}

static ht_debug_function describe(ht_debug_module *module, Dwarf_Die *die) {
    ht_debug_function function = {0};
    Dwarf_Attribute attribute;
    Dwarf_Die declaration = declaration_of(die);
    Dwarf_Die root;
    if (dwarf_diecu(&declaration, &root, NULL, NULL) != NULL) {
        int language = dwarf_srclang(&root);
        function.language = language > 0 ? (uint32_t)language : 0;
    }
    if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) != NULL ||
        dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute) != NULL)
        function.linkage_name = ht_die_string(&attribute);
    if (dwarf_attr_integrate(die, DW_AT_name, &attribute) != NULL) function.name = ht_die_string(&attribute);
    ht_text scopes = {0};
    append_scopes(module, &declaration, &scopes);
    if (scopes.count > 2 && !scopes.failed) {
        scopes.count -= 2;
        scopes.bytes[scopes.count] = '\0';
    }
    function.scope = ht_module_keep(module, &scopes);
    template_arguments(module, die, &declaration, &function);
    return function;
}

uint64_t ht_constructed_size(ht_debug_module *module, Dwarf_Die *die) {
    Dwarf_Die declaration = declaration_of(die), owner;
    const char *name = string_of(&declaration, DW_AT_name);
    ht_unit *unit = ht_unit_of(module, &declaration);
    uint32_t scope = unit == NULL ? 0 : scope_of(unit, dwarf_dieoffset(&declaration));
    if (name == NULL || scope == 0 ||
        dwarf_offdie(dwarf_cu_getdwarf(declaration.cu), unit->scopes[scope - 1].start, &owner) == NULL)
        return 0;
    // A constructor is called as its class, without the arguments of a template.
    const char *class_name = string_of(&owner, DW_AT_name);
    size_t length = strlen(name);
    if (class_name == NULL || strncmp(name, class_name, length) != 0) return 0;
    if (class_name[length] != '\0' && class_name[length] != '<') return 0;
    Dwarf_Attribute attribute;
    Dwarf_Word size;
    return dwarf_formudata(dwarf_attr(&owner, DW_AT_byte_size, &attribute), &size) == 0 ? size : 0;
}

// MARK: - The table of functions

static size_t slot_of(const ht_debug_module *module, const void *die) {
    size_t slot = (size_t)((uint64_t)(uintptr_t)die * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (module->slot_count - 1);
    while (module->slots[slot].die != NULL && module->slots[slot].die != die)
        slot = (slot + 1) & (module->slot_count - 1);
    return slot;
}

static bool grow_table(ht_debug_module *module) {
    size_t capacity = module->slot_count == 0 ? 256 : module->slot_count * 2;
    ht_debug_function *functions = realloc(module->declarations, capacity / 2 * sizeof *functions);
    if (functions == NULL) return false;
    module->declarations = functions;
    module->declaration_capacity = capacity / 2;
    ht_slot *slots = calloc(capacity, sizeof *slots);
    if (slots == NULL) return false;
    ht_slot *old = module->slots;
    size_t old_count = module->slot_count;
    module->slots = slots;
    module->slot_count = capacity;
    for (size_t i = 0; i < old_count; i++)
        if (old[i].die != NULL) module->slots[slot_of(module, old[i].die)] = old[i];
    free(old);
    return true;
}

int32_t ht_function_number(ht_debug_module *module, Dwarf_Die *die) {
    // All calls inlined from one function have that function's abstract instance as their origin.
    Dwarf_Die origin = *die;
    if (dwarf_tag(die) == DW_TAG_inlined_subroutine) follow(die, DW_AT_abstract_origin, &origin);
    if (module->declaration_count * 2 >= module->slot_count && !grow_table(module)) return HT_DEBUG_NO_FUNCTION;
    size_t slot = slot_of(module, origin.addr);
    if (module->slots[slot].die == NULL) {
        if (module->declaration_count >= module->declaration_capacity || module->declaration_count >= INT32_MAX)
            return HT_DEBUG_NO_FUNCTION;
        module->declarations[module->declaration_count] = describe(module, &origin);
        module->slots[slot] = (ht_slot){.die = origin.addr, .function = (int32_t)module->declaration_count++};
    }
    return module->slots[slot].function;
}
