// Rules of loaded modules beside what readelf says of the same modules' files, and rules of damaged tables.
#include <CInterposerTestSupport.h>

#include "rule.h"

#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static ht_test_rule plain(ht_rule rule) {
    return (ht_test_rule){.kind = ht_rule_kind_of(rule), .offset = ht_rule_offset(rule), .saved = ht_rule_saved(rule)};
}

ht_test_rule ht_test_rule_make(uint32_t kind, int32_t offset_words, uint32_t saved_words) {
    return plain(ht_rule_make(kind, offset_words, saved_words));
}

// MARK: modules

typedef struct search {
    const char *name;
    ht_test_module *module;
} search;

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static int visit(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    search *wanted = context;
    bool found = wanted->name[0] == 0 ? info->dlpi_name[0] == 0 : ends_with(info->dlpi_name, wanted->name);
    if (!found) return 0;
    ht_test_module *module = wanted->module;
    *module = (ht_test_module){.bias = info->dlpi_addr, .start = UINT64_MAX};
    strncpy(module->path, info->dlpi_name, sizeof module->path - 1);
    if (wanted->name[0] == 0 && readlink("/proc/self/exe", module->path, sizeof module->path - 1) < 0) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD) {
            if (start < module->start) module->start = start;
            if (start + segment->p_memsz > module->end) module->end = start + segment->p_memsz;
        } else if (segment->p_type == PT_GNU_EH_FRAME) {
            module->eh_frame_hdr = start;
        }
    }
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type != PT_LOAD || module->eh_frame_hdr < start ||
            module->eh_frame_hdr >= start + segment->p_filesz)
            continue;
        module->segment_start = start;
        module->segment_end = start + segment->p_filesz;
    }
    return module->eh_frame_hdr != 0;
}

bool ht_test_find_module(const char *name, ht_test_module *module) {
    search wanted = {name, module};
    return dl_iterate_phdr(visit, &wanted) != 0;
}

ht_test_rule ht_test_module_rule(const ht_test_module *module, uint64_t address) {
    return plain(ht_cfi_rule((const uint8_t *)(uintptr_t)module->eh_frame_hdr,
                             (const uint8_t *)(uintptr_t)module->start, (const uint8_t *)(uintptr_t)module->end,
                             (uintptr_t)address));
}

ht_test_rule ht_test_image_rule(const uint8_t *image, size_t count, uint64_t pc) {
    uint8_t *pages = mmap(NULL, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) abort();
    memcpy(pages, image, count);
    ht_test_rule rule = plain(ht_cfi_rule(pages, pages, pages + count, (uintptr_t)pages + pc));
    munmap(pages, count);
    return rule;
}

// MARK: readelf's rows

enum { COLUMNS_MAX = 64, CELL_MAX = 24, CIES_MAX = 4096 };

typedef struct table_row {
    uint64_t location;
    char cfa[CELL_MAX], rbp[CELL_MAX], ra[CELL_MAX];
} table_row;

typedef struct cie_row {
    uint64_t offset;
    bool signal_frame;
    table_row initial;
} cie_row;

typedef struct reader {
    const ht_test_module *module;
    ht_test_comparison result;
    cie_row cies[CIES_MAX];
    size_t cie_count;
    const cie_row *cie;
    int rbp_column, ra_column;  // from 0 after the CFA; -1 when the table lacks it
    bool in_fde, has_row;
    uint64_t end;
    table_row row;
} reader;

static bool is_register(const char *cell, const char *name, long *offset) {
    size_t length = strlen(name);
    if (strncmp(cell, name, length) != 0 || (cell[length] != '+' && cell[length] != '-')) return false;
    *offset = strtol(cell + length, NULL, 10);
    return true;
}

// What the walker ought to make of a row; .kind 0 where it cannot express it.
static ht_test_rule expected(const table_row *row, bool signal_frame) {
    ht_test_rule rule = {0};
    long offset = 0, saved = 0, ra = 0;
    if (signal_frame) return (ht_test_rule){.kind = HT_RULE_SIGNAL};
    if (row->ra[0] == 'u') return (ht_test_rule){.kind = HT_RULE_END};
    if (!is_register(row->ra, "c", &ra) || ra != -8) return rule;
    if (is_register(row->rbp, "c", &saved)) saved = -saved;
    else if (row->rbp[0] != 0 && strcmp(row->rbp, "u") != 0 && strcmp(row->rbp, "s") != 0) return rule;
    if (saved < 0 || saved % 8 != 0 || saved / 8 >= 1 << HT_RULE_SAVED_BITS) return rule;
    uint32_t kind = is_register(row->cfa, "rsp", &offset)   ? HT_RULE_RSP
                    : is_register(row->cfa, "rbp", &offset) ? HT_RULE_RBP
                                                            : 0;
    if (kind == 0 || offset % 8 != 0 || labs(offset) / 8 >= 1 << (HT_RULE_OFFSET_BITS - 1)) return rule;
    return (ht_test_rule){.kind = kind, .offset = offset, .saved = (uint64_t)saved};
}

static void check(reader *r, uint64_t address, const table_row *row) {
    ht_test_rule wanted = expected(row, r->cie != NULL && r->cie->signal_frame);
    ht_test_rule got = ht_test_module_rule(r->module, address + r->module->bias);
    bool same;
    if (wanted.kind == 0) {
        bool realigned_or_plt =
            strcmp(row->cfa, "exp") == 0 && (got.kind == HT_RULE_RBP_DEREF || got.kind == HT_RULE_RSP);
        same = (got.kind == HT_RULE_END && got.offset != 0) || realigned_or_plt;
        r->result.beyond += same;
    } else {
        same = got.kind == wanted.kind && ((got.kind == HT_RULE_END && got.offset == 0) || got.kind == HT_RULE_SIGNAL ||
                                           (got.offset == wanted.offset && got.saved == wanted.saved));
        r->result.equal += same;
    }
    if (same) return;
    if (r->result.differing++ == 0) {
        snprintf(r->result.first_difference, sizeof r->result.first_difference,
                 "at 0x%llx: readelf CFA %s rbp %s ra %s, rule kind %u offset %lld saved %llu",
                 (unsigned long long)address, row->cfa, row->rbp, row->ra, got.kind, (long long)got.offset,
                 (unsigned long long)got.saved);
    }
}

// The row at hand holds up to `next`.
static void close_row(reader *r, uint64_t next) {
    if (!r->in_fde || !r->has_row || next <= r->row.location) return;
    r->result.rows++;
    check(r, r->row.location, &r->row);
    if (next - 1 != r->row.location) check(r, next - 1, &r->row);
}

static void close_entry(reader *r) {
    close_row(r, r->end);
    r->in_fde = r->has_row = false;
}

static void take_cell(char *out, const char *cell, size_t length) {
    if (length >= CELL_MAX) length = CELL_MAX - 1;
    memcpy(out, cell, length);
    out[length] = 0;
}

static void take_line(reader *r, const char *line, size_t count) {
    const char *cells[COLUMNS_MAX];
    size_t lengths[COLUMNS_MAX];
    int cell_count = 0;
    for (size_t i = 0; i < count && cell_count < COLUMNS_MAX;) {
        while (i < count && line[i] == ' ') i++;
        size_t start = i;
        while (i < count && line[i] != ' ') i++;
        if (i > start && line[start] != '(') {  // "r9 (r9)" is one cell
            cells[cell_count] = line + start;
            lengths[cell_count++] = i - start;
        }
    }
    if (cell_count == 0) return close_entry(r);
    if (cell_count >= 5 && lengths[3] == 3 && memcmp(cells[3], "CIE", 3) == 0 && r->cie_count < CIES_MAX) {
        close_entry(r);
        cie_row *cie = &r->cies[r->cie_count++];
        *cie = (cie_row){.offset = strtoull(cells[0], NULL, 16),
                         .signal_frame = memchr(cells[4], 'S', lengths[4]) != NULL};
        r->cie = cie;
    } else if (cell_count >= 6 && lengths[3] == 3 && memcmp(cells[3], "FDE", 3) == 0) {
        close_entry(r);
        uint64_t cie = strtoull(cells[4] + 4, NULL, 16);
        r->cie = NULL;
        for (size_t i = 0; i < r->cie_count; i++) {
            if (r->cies[i].offset == cie) r->cie = &r->cies[i];
        }
        char *end;
        uint64_t start = strtoull(cells[5] + 3, &end, 16);
        r->end = strtoull(end + 2, NULL, 16);
        r->in_fde = r->cie != NULL && r->end > start;
        r->has_row = r->in_fde;  // where the entry has no rows of its own, its CIE's first row holds
        if (r->in_fde) r->row = r->cie->initial;
        r->row.location = start;
        r->result.frames++;
    } else if (cell_count >= 2 && lengths[0] == 3 && memcmp(cells[0], "LOC", 3) == 0) {
        r->rbp_column = r->ra_column = -1;
        for (int i = 2; i < cell_count; i++) {
            if (lengths[i] == 3 && memcmp(cells[i], "rbp", 3) == 0) r->rbp_column = i;
            if (lengths[i] == 2 && memcmp(cells[i], "ra", 2) == 0) r->ra_column = i;
        }
        r->has_row = false;
    } else if (cell_count >= 2 && lengths[0] == 16) {
        table_row row = {.location = strtoull(cells[0], NULL, 16)};
        close_row(r, row.location);
        take_cell(row.cfa, cells[1], lengths[1]);
        if (r->rbp_column >= 0 && r->rbp_column < cell_count)
            take_cell(row.rbp, cells[r->rbp_column], lengths[r->rbp_column]);
        if (r->ra_column >= 0 && r->ra_column < cell_count)
            take_cell(row.ra, cells[r->ra_column], lengths[r->ra_column]);
        r->row = row;
        r->has_row = true;
        if (!r->in_fde && r->cie_count > 0) r->cies[r->cie_count - 1].initial = row;
    }
}

ht_test_comparison ht_test_compare(const ht_test_module *module, const char *text, size_t count) {
    reader *r = calloc(1, sizeof *r);
    if (r == NULL) abort();
    r->module = module;
    for (size_t at = 0; at < count;) {
        const char *end = memchr(text + at, '\n', count - at);
        size_t length = end == NULL ? count - at : (size_t)(end - text) - at;
        take_line(r, text + at, length);
        at += length + 1;
    }
    close_entry(r);
    ht_test_comparison result = r->result;
    free(r);
    return result;
}

// MARK: damage

static uint64_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return *state >> 24;
}

// The segment that holds the tables, copied up against a page that cannot be read, with another such page before it.
typedef struct copy {
    uint8_t *pages;
    size_t page_bytes;
    uint8_t *start;
    size_t count;
    size_t tables;  // offset from which on it is damaged
} copy;

static copy copy_segment(const ht_test_module *module) {
    const size_t page = 4096;
    copy made = {.count = (size_t)(module->segment_end - module->segment_start)};
    size_t rounded = (made.count + page - 1) / page * page;
    made.page_bytes = rounded + 2 * page;
    made.pages = mmap(NULL, made.page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made.pages == MAP_FAILED || mprotect(made.pages + page, rounded, PROT_READ | PROT_WRITE) != 0) abort();
    made.start = made.pages + page + rounded - made.count;
    memcpy(made.start, (const void *)(uintptr_t)module->segment_start, made.count);
    made.tables = (size_t)(module->eh_frame_hdr - module->segment_start);
    return made;
}

uint64_t ht_test_damage(const ht_test_module *module, uint32_t rounds, uint32_t changes, uint64_t seed) {
    enum { ASKED = 200 };
    static const uint32_t extremes[] = {0, 1, 4, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    copy tables = copy_segment(module);
    const uint8_t *original = (const uint8_t *)(uintptr_t)module->segment_start;
    const uint8_t *header = tables.start + tables.tables;
    uint64_t asked = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        for (uint32_t i = 0; i < changes; i++) {
            size_t span = tables.count - tables.tables - 4;
            // Half of the damage falls into the index and the first entries, which many look-ups meet.
            if (next_random(&seed) % 2 == 0 && span > 512) span = 512;
            uint8_t *at = tables.start + tables.tables + next_random(&seed) % span;
            uint64_t choice = next_random(&seed);
            if (choice % 3 == 0) memcpy(at, &extremes[choice / 3 % 7], 4);
            else *at = (uint8_t)(choice >> 8);
        }
        for (uint32_t i = 0; i < ASKED; i++) {
            // Addresses of functions, as the undamaged index has them; the copy stands at another place, and so do
            // they.
            uint32_t count;
            memcpy(&count, original + tables.tables + 8, 4);
            int32_t begin;
            memcpy(&begin, original + tables.tables + 12 + next_random(&seed) % count * 8, 4);
            uintptr_t pc = (uintptr_t)header + (uintptr_t)(intptr_t)begin + next_random(&seed) % 64;
            ht_rule rule = ht_cfi_rule(header, tables.start, tables.start + tables.count, pc);
            asked += ht_rule_kind_of(rule) != HT_RULE_NONE;
        }
        memcpy(tables.start + tables.tables, original + tables.tables, tables.count - tables.tables);
    }
    munmap(tables.pages, tables.page_bytes);
    return asked;
}
