// Opening ELF files and finding the separate debug file that belongs to one, by build id or by .gnu_debuglink.
//
// Only regular files are opened (a FIFO would block). A candidate is taken only when its build id, or failing that
// its checksum, proves that it belongs to the file.
#include "internal.h"

#include <errno.h>
#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PATH_BYTES = 4096, MAX_BUILD_ID_BYTES = 64 };

int ht_file_open(const char *path, ht_file *file) {
    *file = (ht_file){.descriptor = -1, .elf = NULL};
    if (elf_version(EV_CURRENT) == EV_NONE) return HT_DEBUG_NOT_ELF;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return errno == ENOENT || errno == ENOTDIR ? HT_DEBUG_NOT_FOUND : HT_DEBUG_UNREADABLE;
    struct stat status;
    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
        close(descriptor);
        return HT_DEBUG_UNREADABLE;
    }
    // A private mapping: pages are read when touched, so a large file without debug information costs its symbols only.
    Elf *elf = elf_begin(descriptor, ELF_C_READ_MMAP_PRIVATE, NULL);
    if (elf == NULL || elf_kind(elf) != ELF_K_ELF) {
        if (elf != NULL) elf_end(elf);
        close(descriptor);
        return HT_DEBUG_NOT_ELF;
    }
    *file = (ht_file){.descriptor = descriptor, .elf = elf};
    return HT_DEBUG_OK;
}

void ht_file_close(ht_file *file) {
    if (file->elf == NULL) return;
    elf_end(file->elf);
    close(file->descriptor);
    *file = (ht_file){.descriptor = -1, .elf = NULL};
}

bool ht_file_has_section(const ht_file *file, const char *name) {
    size_t names;
    if (elf_getshdrstrndx(file->elf, &names) != 0) return false;
    for (Elf_Scn *section = elf_nextscn(file->elf, NULL); section != NULL; section = elf_nextscn(file->elf, section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) == NULL || header.sh_type == SHT_NOBITS) continue;
        const char *candidate = elf_strptr(file->elf, names, header.sh_name);
        if (candidate != NULL && strcmp(candidate, name) == 0) return true;
    }
    return false;
}

bool ht_file_build_id_equals(const ht_file *file, const uint8_t *id, size_t size) {
    const void *found = NULL;
    ssize_t found_size = dwelf_elf_gnu_build_id(file->elf, &found);
    return found_size > 0 && (size_t)found_size == size && memcmp(found, id, size) == 0;
}

// MARK: - Separate debug files

bool ht_file_find_by_build_id(const uint8_t *id, size_t size, const char *const *directories, size_t count,
                              ht_file *debug) {
    if (size < 2 || size > MAX_BUILD_ID_BYTES) return false;
    char hex[2 * MAX_BUILD_ID_BYTES + 1];
    for (size_t i = 0; i < size; i++) snprintf(hex + 2 * i, 3, "%02x", id[i]);
    for (size_t i = 0; i < count; i++) {
        char path[MAX_PATH_BYTES];
        int length = snprintf(path, sizeof path, "%s/.build-id/%.2s/%s.debug", directories[i], hex, hex + 2);
        if (length < 0 || (size_t)length >= sizeof path || ht_file_open(path, debug) != HT_DEBUG_OK) continue;
        if (ht_file_build_id_equals(debug, id, size)) return true;
        ht_file_close(debug);
    }
    return false;
}

// The checksum of .gnu_debuglink: CRC-32 (IEEE 802.3) of the whole debug file.
static bool checksum_equals(const ht_file *file, uint32_t expected) {
    size_t size;
    const char *bytes = elf_rawfile(file->elf, &size);
    if (bytes == NULL) return false;
    uint32_t table[256];
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++) value = (value & 1) != 0 ? 0xedb88320u ^ (value >> 1) : value >> 1;
        table[i] = value;
    }
    uint32_t checksum = 0xffffffffu;
    for (size_t i = 0; i < size; i++) checksum = table[(checksum ^ (uint8_t)bytes[i]) & 0xff] ^ (checksum >> 8);
    return (checksum ^ 0xffffffffu) == expected;
}

static bool try_link(const ht_file *main, const char *path, uint32_t checksum, ht_file *debug) {
    struct stat main_status, status;
    if (ht_file_open(path, debug) != HT_DEBUG_OK) return false;
    // A link that names the file itself would only be read twice.
    bool itself = fstat(main->descriptor, &main_status) == 0 && fstat(debug->descriptor, &status) == 0 &&
                  main_status.st_dev == status.st_dev && main_status.st_ino == status.st_ino;
    if (!itself) {
        const void *id = NULL;
        ssize_t size = dwelf_elf_gnu_build_id(main->elf, &id);
        if (size > 0 ? ht_file_build_id_equals(debug, id, (size_t)size) : checksum_equals(debug, checksum)) return true;
    }
    ht_file_close(debug);
    return false;
}

bool ht_file_find_debug(const ht_file *main, const char *path, const char *const *directories, size_t count,
                        ht_file *debug) {
    const void *id = NULL;
    ssize_t size = dwelf_elf_gnu_build_id(main->elf, &id);
    if (size > 0 && ht_file_find_by_build_id(id, (size_t)size, directories, count, debug)) return true;

    GElf_Word checksum;
    const char *name = dwelf_elf_gnu_debuglink(main->elf, &checksum);
    if (name == NULL || name[0] == '\0' || strchr(name, '/') != NULL) return false;
    const char *slash = strrchr(path, '/');
    size_t folder = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    if (folder >= MAX_PATH_BYTES) return false;
    char candidate[MAX_PATH_BYTES];
    static const char *const beside[] = {"", ".debug/"};
    for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++) {
        int length = snprintf(candidate, sizeof candidate, "%.*s%s%s", (int)folder, path, beside[i], name);
        if (length > 0 && (size_t)length < sizeof candidate && try_link(main, candidate, checksum, debug)) return true;
    }
    for (size_t i = 0; i < count && path[0] == '/'; i++) {
        int length = snprintf(candidate, sizeof candidate, "%s%.*s%s", directories[i], (int)folder, path, name);
        if (length > 0 && (size_t)length < sizeof candidate && try_link(main, candidate, checksum, debug)) return true;
    }
    return false;
}
