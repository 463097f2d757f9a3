// Loads plugins (loading-plugin.c) in unusual ways and uses each: a block of 22013 made and freed in it, one of 22003
// from its constructor to its destructor where it has them. 50 blocks of 22027 before. Usage: loading WAY PLUGIN...;
// prints "ok".
//   plain, deepbind: dlopen, without and with RTLD_DEEPBIND; blocks cross over, too: one of 22013 freed here, one of
//   22037
//     made here and freed there      own: RTLD_DEEPBIND, nothing crosses over      namespace: dlmopen into a new one
//   many: every plugin named, all loaded before any is unloaded; a thread of 100 blocks of 22031 after each twentieth
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *take(size_t size) {
    char *volatile block = malloc(size);
    *block = 1;
    return block;
}

static void *load(const char *path, int mode, Lmid_t space) {
    void *plugin = space == LM_ID_BASE ? dlopen(path, RTLD_NOW | mode) : dlmopen(space, path, RTLD_NOW | mode);
    if (plugin != NULL) return plugin;
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
}

static void use(void *plugin, int crosses) {
    void *(*make)(void) = (void *(*)(void))dlsym(plugin, "plugin_make");
    void (*release)(void *) = (void (*)(void *))dlsym(plugin, "plugin_release");
    void *block = make();
    if (block == NULL) exit(2);
    release(block);
    if (!crosses) return;
    free(make());
    release(take(22037));
}

static void *on_thread(void *unused) {
    for (int i = 0; i < 100; i++) free(take(22031));
    return unused;
}

static void load_many(int count, char **paths) {
    void **plugins = calloc((size_t)count, sizeof *plugins);
    for (int i = 0; i < count; i++) {
        plugins[i] = load(paths[i], 0, LM_ID_BASE);
        use(plugins[i], 0);
        if (i % 20 != 0) continue;
        pthread_t thread;
        if (pthread_create(&thread, NULL, on_thread, NULL) != 0) exit(3);
        pthread_join(thread, NULL);
    }
    for (int i = 0; i < count; i++) dlclose(plugins[i]);
    free(plugins);
}

int main(int count, char **arguments) {
    if (count < 3) return 64;
    const char *way = arguments[1];
    for (int i = 0; i < 50; i++) free(take(22027));
    if (strcmp(way, "many") == 0) {
        load_many(count - 2, arguments + 2);
    } else {
        int deep = strcmp(way, "deepbind") == 0 || strcmp(way, "own") == 0;
        int apart = strcmp(way, "namespace") == 0;
        void *plugin = load(arguments[2], deep ? RTLD_DEEPBIND : 0, apart ? LM_ID_NEWLM : LM_ID_BASE);
        use(plugin, !apart && strcmp(way, "own") != 0);
        dlclose(plugin);
    }
    puts("ok");
}
