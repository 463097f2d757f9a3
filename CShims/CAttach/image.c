// Modules by /proc/PID/maps, symbols by libelf. Files are opened below the process's own root, as it sees them.
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void ht_path_within(char *path, size_t room, pid_t pid, const char *file) {
    static const char link[] = "root";  // of proc(5)
    snprintf(path, room, "/proc/%d/%s%s", (int)pid, link, file);
}

static int open_image(const ht_images *images, const ht_image *image) {
    char path[HT_IMAGE_PATH_MAX + 64];
    ht_path_within(path, sizeof path, images->pid, image->path);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static Elf *begin(int fd) {
    elf_version(EV_CURRENT);
    return fd < 0 ? NULL : elf_begin(fd, ELF_C_READ_MMAP, NULL);
}

// The distance between the addresses of the file's program headers and those of the process: by the first segment.
static bool find_bias(const ht_images *images, ht_image *image) {
    int fd = open_image(images, image);
    Elf *elf = begin(fd);
    size_t count = 0;
    bool found = false;
    if (elf != NULL && elf_getphdrnum(elf, &count) == 0) {
        for (size_t i = 0; i < count && !found; i++) {
            GElf_Phdr segment;
            if (gelf_getphdr(elf, (int)i, &segment) == NULL || segment.p_type != PT_LOAD) continue;
            image->bias = image->start - (segment.p_vaddr & ~(uint64_t)4095);
            found = true;
        }
    }
    if (elf != NULL) elf_end(elf);
    if (fd >= 0) close(fd);
    return found;
}

static bool add(ht_images *images, size_t *room, uint64_t start, uint64_t end, const char *path) {
    if (images->count == *room) {
        size_t wider = *room == 0 ? 64 : *room * 2;
        ht_image *grown = realloc(images->all, wider * sizeof *grown);
        if (grown == NULL) return false;
        images->all = grown;
        *room = wider;
    }
    char *copy = strdup(path);
    if (copy == NULL) return false;
    images->all[images->count++] = (ht_image){.start = start, .end = end, .path = copy};
    return true;
}

bool ht_images_read(ht_images *images, pid_t pid) {
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/maps", (int)pid);
    *images = (ht_images){.pid = pid};
    FILE *maps = fopen(name, "re");
    if (maps == NULL) return false;
    char *line = NULL;
    size_t line_room = 0, room = 0;
    bool whole = true;
    ssize_t length;
    while (whole && (length = getline(&line, &line_room, maps)) > 0) {
        unsigned long long start, end, offset;
        char permissions[5];
        int path_at = 0;
        if (line[length - 1] == '\n') line[length - 1] = 0;
        if (sscanf(line, "%llx-%llx %4s %llx %*s %*s %n", &start, &end, permissions, &offset, &path_at) < 4) continue;
        const char *path = line + path_at;
        if (path_at == 0 || path[0] != '/') continue;
        ht_image *last = images->count == 0 ? NULL : &images->all[images->count - 1];
        // An image begins with its file's first page; what follows of the same file is its own.
        if (last != NULL && strcmp(last->path, path) == 0 && offset != 0) last->end = end;
        else if (offset == 0) whole = add(images, &room, start, end, path);
    }
    free(line);
    fclose(maps);
    size_t kept = 0;
    for (size_t i = 0; i < images->count; i++) {
        if (find_bias(images, &images->all[i])) images->all[kept++] = images->all[i];
        else free(images->all[i].path);
    }
    images->count = kept;
    if (!whole) errno = ENOMEM;
    return whole;
}

void ht_images_free(ht_images *images) {
    for (size_t i = 0; i < images->count; i++) free(images->all[i].path);
    free(images->all);
    *images = (ht_images){0};
}

const ht_image *ht_images_at(const ht_images *images, uint64_t address) {
    for (size_t i = 0; i < images->count; i++) {
        if (address >= images->all[i].start && address < images->all[i].end) return &images->all[i];
    }
    return NULL;
}

const ht_image *ht_images_executable(const ht_images *images) {
    char link[64], path[HT_IMAGE_PATH_MAX];
    snprintf(link, sizeof link, "/proc/%d/exe", (int)images->pid);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    const char *slash = strrchr(path, '/');
    if (slash == NULL || strncmp(slash, "/ld-", 4) == 0) return NULL;
    for (size_t i = 0; i < images->count; i++) {
        if (strcmp(images->all[i].path, path) == 0) return &images->all[i];
    }
    return NULL;
}

const ht_image *ht_images_named(const ht_images *images, const char *stem) {
    size_t length = strlen(stem);
    for (size_t i = 0; i < images->count; i++) {
        const char *slash = strrchr(images->all[i].path, '/');
        const char *name = slash + 1;
        if (strncmp(name, stem, length) == 0 && (strncmp(name + length, ".so", 3) == 0 || name[length] == '-') &&
            strstr(name, ".so") != NULL)
            return &images->all[i];
    }
    return NULL;
}

static void match(const ht_image *image, Elf *elf, Elf_Scn *section, const GElf_Shdr *header, const char *const *names,
                  size_t count, ht_function *found) {
    Elf_Data *data = elf_getdata(section, NULL);
    if (data == NULL || header->sh_entsize == 0) return;
    size_t symbols = header->sh_size / header->sh_entsize;
    for (size_t i = 0; i < symbols; i++) {
        GElf_Sym symbol;
        if (gelf_getsym(data, (int)i, &symbol) == NULL || symbol.st_shndx == SHN_UNDEF) continue;
        unsigned kind = GELF_ST_TYPE(symbol.st_info);
        if (kind != STT_FUNC && kind != STT_NOTYPE) continue;
        const char *name = elf_strptr(elf, header->sh_link, symbol.st_name);
        if (name == NULL) continue;
        for (size_t n = 0; n < count; n++) {
            if (found[n].address == 0 && strcmp(name, names[n]) == 0)
                found[n] = (ht_function){image->bias + symbol.st_value, symbol.st_size};
        }
    }
}

bool ht_image_functions(const ht_images *images, const ht_image *image, const char *const *names, size_t count,
                        ht_function *found) {
    memset(found, 0, count * sizeof *found);
    int fd = open_image(images, image);
    Elf *elf = begin(fd);
    for (Elf_Scn *section = elf == NULL ? NULL : elf_nextscn(elf, NULL); section != NULL;
         section = elf_nextscn(elf, section)) {
        GElf_Shdr header;
        if (gelf_getshdr(section, &header) != NULL && header.sh_type == SHT_DYNSYM)
            match(image, elf, section, &header, names, count, found);
    }
    bool readable = elf != NULL;
    if (elf != NULL) elf_end(elf);
    if (fd >= 0) close(fd);
    return readable;
}

size_t ht_image_code(const ht_images *images, const ht_image *image, uint64_t address, uint8_t *out, size_t room) {
    int fd = open_image(images, image);
    Elf *elf = begin(fd);
    size_t count = 0, bytes = 0, copied = 0;
    if (elf != NULL && elf_getphdrnum(elf, &count) == 0) {
        const char *file = elf_rawfile(elf, &bytes);
        for (size_t i = 0; file != NULL && i < count && copied == 0; i++) {
            GElf_Phdr segment;
            if (gelf_getphdr(elf, (int)i, &segment) == NULL || segment.p_type != PT_LOAD) continue;
            uint64_t into = address - image->bias - segment.p_vaddr, at = segment.p_offset + into;
            if ((segment.p_flags & PF_X) == 0 || into >= segment.p_filesz || at >= bytes) continue;
            copied = segment.p_filesz - into < room ? segment.p_filesz - into : room;
            if (copied > bytes - at) copied = bytes - at;
            memcpy(out, file + at, copied);
        }
    }
    if (elf != NULL) elf_end(elf);
    if (fd >= 0) close(fd);
    return copied;
}

uint64_t ht_image_syscall(const ht_images *images, const ht_image *image) {
    int fd = open_image(images, image);
    Elf *elf = begin(fd);
    size_t count = 0, bytes = 0;
    uint64_t found = 0;
    if (elf != NULL && elf_getphdrnum(elf, &count) == 0) {
        const uint8_t *file = (const uint8_t *)elf_rawfile(elf, &bytes);
        for (size_t i = 0; file != NULL && i < count && found == 0; i++) {
            GElf_Phdr segment;
            if (gelf_getphdr(elf, (int)i, &segment) == NULL || segment.p_type != PT_LOAD) continue;
            if ((segment.p_flags & PF_X) == 0 || segment.p_offset >= bytes) continue;
            size_t length = segment.p_filesz < bytes - segment.p_offset ? segment.p_filesz : bytes - segment.p_offset;
            const uint8_t *at = memmem(file + segment.p_offset, length, "\x0f\x05", 2);
            if (at != NULL) found = image->bias + segment.p_vaddr + ((uint64_t)(at - file) - segment.p_offset);
        }
    }
    if (elf != NULL) elf_end(elf);
    if (fd >= 0) close(fd);
    return found;
}
