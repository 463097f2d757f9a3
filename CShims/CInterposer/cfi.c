// From .eh_frame to a rule (LSB Core 5.0, "Exception Frames"; DWARF 5 §6.4). Finds the FDE through the sorted index in
// .eh_frame_hdr, runs the call-frame program up to the address and keeps what the walker needs on x86-64: how the CFA
// is made from rsp or rbp, and where rbp was saved. Runs inside hooks: no allocation, bounded loops; reads nothing
// outside the module, however damaged its tables are.
#include "rule.h"

#include <string.h>

enum {
    ENCODING_OMIT = 0xff,
    ENCODING_TABLE = 0x3b,  // relative to the header's start, signed 4 bytes
    REMEMBERED_MAX = 16,
    REG_RBP = 6,
    REG_RSP = 7,
    REG_RA = 16,
    SAVED_NONE = 0,
};

// In place of an offset from the CFA: rbp's word is where rbp points.
static const int64_t RBP_AT_RBP = INT64_MIN;

typedef struct cursor {
    const uint8_t *at, *end;
} cursor;

typedef enum cfa_kind { CFA_REGISTER, CFA_RBP_DEREF, CFA_UNKNOWN } cfa_kind;

typedef struct row {
    cfa_kind kind;
    uint64_t cfa_register;
    int64_t cfa_offset;
    int64_t rbp_offset;  // from the CFA; 0 not saved
    int64_t ra_offset;   // from the CFA; 0 undefined: nobody called this frame
    bool rbp_unknown;    // saved somewhere this walker cannot follow
    bool ra_unknown;     // the same of the return address
} row;

typedef struct cie {
    uint64_t code_align;
    int64_t data_align;
    uint8_t fde_encoding;
    bool signal_frame;
    bool has_augmentation_data;
    cursor program;
} cie;

static uint64_t take(cursor *c, size_t bytes) {
    uint64_t value = 0;
    if ((size_t)(c->end - c->at) < bytes) {
        c->at = c->end;
        return 0;
    }
    memcpy(&value, c->at, bytes);
    c->at += bytes;
    return value;
}

static uint64_t take_uleb(cursor *c) {
    uint64_t value = 0;
    for (unsigned shift = 0; c->at < c->end && shift < 64; shift += 7) {
        uint8_t byte = *c->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) break;
    }
    return value;
}

static int64_t take_sleb(cursor *c) {
    uint64_t value = 0;
    unsigned shift = 0;
    uint8_t byte = 0;
    do {
        if (c->at >= c->end || shift >= 64) return 0;
        byte = *c->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    if (shift < 64 && (byte & 0x40)) value |= ~0ull << shift;
    return (int64_t)value;
}

// A pointer in a DW_EH_PE_ encoding; only its plain and pc-relative forms occur for code addresses.
static uint64_t take_encoded(cursor *c, uint8_t encoding) {
    uint64_t base = (encoding & 0x70) == 0x10 ? (uint64_t)(uintptr_t)c->at : 0;
    switch (encoding & 0x0f) {
        case 0x00:
        case 0x04:
        case 0x0c: return base + take(c, 8);
        case 0x01: return base + take_uleb(c);
        case 0x02: return base + take(c, 2);
        case 0x03: return base + take(c, 4);
        case 0x09: return base + (uint64_t)take_sleb(c);
        case 0x0a: return base + (uint64_t)(int16_t)take(c, 2);
        case 0x0b: return base + (uint64_t)(int32_t)take(c, 4);
        default: c->at = c->end; return 0;
    }
}

// A factored offset. Unsigned, for a damaged table may overflow it.
static int64_t scaled(uint64_t factor, const cie *info) { return (int64_t)(factor * (uint64_t)info->data_align); }

// What follows the length word of the entry (CIE or FDE) at `start`. Empty when it does not lie in the module.
static cursor open_entry(const uint8_t *start, cursor module) {
    const cursor none = {module.at, module.at};
    if (start < module.at || start > module.end || module.end - start < 8) return none;
    cursor c = {start, module.end};
    uint32_t length = (uint32_t)take(&c, 4);
    if (length < 4 || length > (size_t)(c.end - c.at)) return none;
    c.end = c.at + length;
    return c;
}

static bool parse_cie(const uint8_t *start, cursor module, cie *out) {
    cursor c = open_entry(start, module);
    if (c.at == c.end || take(&c, 4) != 0) return false;  // a CIE's id is 0
    uint8_t version = (uint8_t)take(&c, 1);
    if (version != 1 && version != 3) return false;
    const char *augmentation = (const char *)c.at;
    size_t text = strnlen(augmentation, (size_t)(c.end - c.at));
    if (text == (size_t)(c.end - c.at)) return false;
    c.at += text + 1;
    out->code_align = take_uleb(&c);
    out->data_align = take_sleb(&c);
    uint64_t return_register = version == 1 ? take(&c, 1) : take_uleb(&c);
    if (return_register != REG_RA) return false;
    out->fde_encoding = 0;
    out->signal_frame = false;
    out->has_augmentation_data = augmentation[0] == 'z';
    if (out->has_augmentation_data) {
        uint64_t data = take_uleb(&c);
        if (data > (uint64_t)(c.end - c.at)) return false;
        cursor d = {c.at, c.at + data};
        for (const char *letter = augmentation + 1; *letter != 0; letter++) {
            if (*letter == 'R') out->fde_encoding = (uint8_t)take(&d, 1);
            else if (*letter == 'L') take(&d, 1);
            else if (*letter == 'P') take_encoded(&d, (uint8_t)take(&d, 1) & 0x7f);
            else if (*letter == 'S') out->signal_frame = true;
            else if (*letter != 'B') break;
        }
        c.at += data;
    } else if (augmentation[0] != 0) {
        return false;
    }
    out->program = c;
    return true;
}

// The two expressions that compilers and linkers write for a CFA: *(rbp + n) for realigned stacks, and the linker's for
// its PLT entries.
static void set_cfa_expression(row *state, const uint8_t *at, uint64_t length, uintptr_t pc) {
    cursor c = {at, at + length};
    uint8_t operation = (uint8_t)take(&c, 1);
    int64_t offset = take_sleb(&c);
    if (operation == 0x76 && c.end - c.at == 1 && *c.at == 0x06) {  // DW_OP_breg6 n; DW_OP_deref
        state->kind = CFA_RBP_DEREF;
        state->cfa_offset = offset;
        return;
    }
    // DW_OP_breg7 8; breg16 0; lit15; and; lit<n>; ge; lit3; shl; plus: rsp + 8, and 8 more past the n-th byte of the
    // 16-byte entry
    static const uint8_t plt_head[] = {0x80, 0x00, 0x3f, 0x1a};
    static const uint8_t plt_tail[] = {0x2a, 0x33, 0x24, 0x22};
    if (operation == 0x77 && c.end - c.at == 9 && memcmp(c.at, plt_head, 4) == 0 &&
        memcmp(c.at + 5, plt_tail, 4) == 0) {
        unsigned from = (unsigned)c.at[4] - 0x30u;
        state->kind = CFA_REGISTER;
        state->cfa_register = REG_RSP;
        state->cfa_offset = offset + ((pc & 15) >= from ? 8 : 0);
        return;
    }
    state->kind = CFA_UNKNOWN;
}

static void set_saved(row *state, uint64_t reg, int64_t offset) {
    if (reg == REG_RBP) {
        state->rbp_offset = offset;
        state->rbp_unknown = false;
    } else if (reg == REG_RA) {
        state->ra_offset = offset;
        state->ra_unknown = false;
    }
}

static void set_restored(row *state, uint64_t reg, const row *initial) {
    if (reg == REG_RBP) {
        state->rbp_offset = initial->rbp_offset;
        state->rbp_unknown = initial->rbp_unknown;
    } else if (reg == REG_RA) {
        state->ra_offset = initial->ra_offset;
        state->ra_unknown = initial->ra_unknown;
    }
}

static void set_lost(row *state, uint64_t reg) {
    if (reg == REG_RBP) state->rbp_unknown = true;
    if (reg == REG_RA) state->ra_unknown = true;
}

// Runs a call-frame program until its location passes `pc`. False on an instruction this parser does not know.
static bool run(cursor c, const cie *info, uint64_t location, uint64_t pc, row *state, const row *initial) {
    row remembered[REMEMBERED_MAX];
    int depth = 0;
    while (c.at < c.end) {
        uint8_t byte = *c.at++;
        uint8_t low = byte & 0x3f;
        uint64_t advance = 0, reg;
        switch (byte & 0xc0) {
            case 0x40: advance = low * info->code_align; break;
            case 0x80: set_saved(state, low, scaled(take_uleb(&c), info)); break;
            case 0xc0: set_restored(state, low, initial); break;
            default:
                switch (byte) {
                    case 0x00: break;                                                   // nop
                    case 0x01: location = take_encoded(&c, info->fde_encoding); break;  // set_loc
                    case 0x02: advance = take(&c, 1) * info->code_align; break;
                    case 0x03: advance = take(&c, 2) * info->code_align; break;
                    case 0x04: advance = take(&c, 4) * info->code_align; break;
                    case 0x05:
                        reg = take_uleb(&c);
                        set_saved(state, reg, scaled(take_uleb(&c), info));
                        break;
                    case 0x06: set_restored(state, take_uleb(&c), initial); break;
                    case 0x07:  // undefined
                        reg = take_uleb(&c);
                        if (reg == REG_RA) state->ra_offset = 0, state->ra_unknown = false;
                        else set_lost(state, reg);
                        break;
                    case 0x08:  // same_value
                        reg = take_uleb(&c);
                        if (reg == REG_RBP) state->rbp_offset = 0, state->rbp_unknown = false;
                        break;
                    case 0x09:
                        reg = take_uleb(&c);
                        take_uleb(&c);
                        set_lost(state, reg);
                        break;  // register
                    case 0x0a:
                        if (depth == REMEMBERED_MAX) return false;
                        remembered[depth++] = *state;
                        break;
                    case 0x0b:
                        if (depth == 0) return false;
                        *state = remembered[--depth];
                        break;
                    case 0x0c:
                        state->kind = CFA_REGISTER;
                        state->cfa_register = take_uleb(&c);
                        state->cfa_offset = (int64_t)take_uleb(&c);
                        break;
                    case 0x0d:
                        state->kind = CFA_REGISTER;
                        state->cfa_register = take_uleb(&c);
                        break;
                    case 0x0e: state->cfa_offset = (int64_t)take_uleb(&c); break;
                    case 0x0f: {
                        uint64_t length = take_uleb(&c);
                        if (length > (uint64_t)(c.end - c.at)) return false;
                        set_cfa_expression(state, c.at, length, pc);
                        c.at += length;
                        break;
                    }
                    case 0x10:    // expression
                    case 0x16: {  // val_expression
                        reg = take_uleb(&c);
                        uint64_t length = take_uleb(&c);
                        if (length > (uint64_t)(c.end - c.at)) return false;
                        // gcc's realigned frames save registers at rbp + n, which is where rbp itself points: rbp's own
                        // word is at the frame pointer.
                        cursor e = {c.at, c.at + length};
                        bool at_rbp =
                            byte == 0x10 && reg == REG_RBP && length == 2 && take(&e, 1) == 0x76 && take_sleb(&e) == 0;
                        if (at_rbp) state->rbp_offset = RBP_AT_RBP, state->rbp_unknown = false;
                        else set_lost(state, reg);
                        c.at += length;
                        break;
                    }
                    case 0x11:
                        reg = take_uleb(&c);
                        set_saved(state, reg, scaled((uint64_t)take_sleb(&c), info));
                        break;
                    case 0x12:
                        state->kind = CFA_REGISTER;
                        state->cfa_register = take_uleb(&c);
                        state->cfa_offset = scaled((uint64_t)take_sleb(&c), info);
                        break;
                    case 0x13: state->cfa_offset = scaled((uint64_t)take_sleb(&c), info); break;
                    case 0x14:
                        reg = take_uleb(&c);
                        take_uleb(&c);
                        set_lost(state, reg);
                        break;  // val_offset
                    case 0x15:
                        reg = take_uleb(&c);
                        take_sleb(&c);
                        set_lost(state, reg);
                        break;
                    case 0x2e: take_uleb(&c); break;  // GNU_args_size
                    default: return false;
                }
        }
        location += advance;
        if (location > pc) return true;
    }
    return true;
}

// What the walker can do with a row.
static ht_rule encode(const row *state, const cie *info) {
    // The tables know the way and this walker does not (a CFA in another register, in the loader's lazy binding, say):
    // following rbp instead would leave a caller out and not say so.
    ht_rule lost = ht_rule_make(HT_RULE_END, 1, 0);
    if (info->signal_frame) return ht_rule_make(HT_RULE_SIGNAL, 0, 0);
    if (state->ra_unknown) return lost;
    if (state->ra_offset == 0) return ht_rule_make(HT_RULE_END, 0, 0);
    if (state->ra_offset != -8) return lost;
    if ((state->cfa_offset & 7) != 0 || state->cfa_offset >= 8 << (HT_RULE_OFFSET_BITS - 1) ||
        state->cfa_offset < -(8 << (HT_RULE_OFFSET_BITS - 1)))
        return lost;
    int32_t offset = (int32_t)(state->cfa_offset / 8);
    if (state->kind == CFA_RBP_DEREF)
        return state->rbp_offset == RBP_AT_RBP ? ht_rule_make(HT_RULE_RBP_DEREF, offset, 0) : lost;
    if (state->kind != CFA_REGISTER) return lost;
    // A frame pointer nobody can find again must not be followed by the frames further out.
    if (state->rbp_unknown) return lost;
    uint32_t saved = SAVED_NONE;
    if (state->rbp_offset != 0) {
        if (state->rbp_offset > 0 || state->rbp_offset <= -(8 << HT_RULE_SAVED_BITS) || (state->rbp_offset & 7) != 0)
            return lost;
        saved = (uint32_t)(-state->rbp_offset / 8);
    }
    if (state->cfa_register == REG_RSP) return ht_rule_make(HT_RULE_RSP, offset, saved);
    if (state->cfa_register == REG_RBP) return ht_rule_make(HT_RULE_RBP, offset, saved);
    return lost;
}

// The FDE that may cover pc: the last one that starts at or before it. NULL without a usable index.
static const uint8_t *find_fde(const uint8_t *header, cursor module, uintptr_t pc) {
    if (header < module.at || header > module.end || module.end - header < 32) return NULL;
    if (header[0] != 1 || header[3] != ENCODING_TABLE || header[2] == ENCODING_OMIT) return NULL;
    cursor c = {header + 4, header + 32};
    take_encoded(&c, header[1]);
    uint64_t count = take_encoded(&c, header[2]);
    const uint8_t *table = c.at;
    if (count > (size_t)(module.end - table) / 8) return NULL;
    int64_t target = (int64_t)(pc - (uintptr_t)header);
    uint64_t low = 0, high = count;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        int32_t begin;
        memcpy(&begin, table + middle * 8, 4);
        if (begin <= target) low = middle + 1;
        else high = middle;
    }
    if (low == 0) return NULL;
    int32_t offset;
    memcpy(&offset, table + (low - 1) * 8 + 4, 4);
    return header + offset;
}

ht_rule ht_cfi_rule(const uint8_t *eh_frame_hdr, const uint8_t *start, const uint8_t *end, uintptr_t pc) {
    ht_rule fallback = ht_rule_make(HT_RULE_FRAME, 2, 2);
    cursor module = {start, end};
    const uint8_t *fde = find_fde(eh_frame_hdr, module, pc);
    if (fde == NULL) return fallback;
    cursor c = open_entry(fde, module);
    const uint8_t *id_at = c.at;
    uint32_t back = (uint32_t)take(&c, 4);
    cie info;
    if (back == 0 || back > (size_t)(id_at - start) || !parse_cie(id_at - back, module, &info)) return fallback;
    uint64_t begin = take_encoded(&c, info.fde_encoding);
    uint64_t range = take_encoded(&c, info.fde_encoding & 0x0f);
    if (pc < begin || pc >= begin + range) return fallback;
    if (info.has_augmentation_data) {
        uint64_t skip = take_uleb(&c);
        if (skip > (uint64_t)(c.end - c.at)) return fallback;
        c.at += skip;
    }
    row initial = {.kind = CFA_UNKNOWN};
    if (!run(info.program, &info, 0, UINT64_MAX, &initial, &initial)) return fallback;
    row state = initial;
    if (!run(c, &info, begin, pc, &state, &initial))
        return info.signal_frame ? ht_rule_make(HT_RULE_SIGNAL, 0, 0) : fallback;
    return encode(&state, &info);
}
