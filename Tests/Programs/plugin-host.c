// Loads each plugin its arguments name, calls it, unloads it; the second can come to lie where the first was.
#include <dlfcn.h>
#include <stdio.h>

int main(int count, char **arguments) {
    for (int i = 1; i < count; i++) {
        void *plugin = dlopen(arguments[i], RTLD_NOW | RTLD_LOCAL);
        if (!plugin) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        void (*run)(void) = (void (*)(void))dlsym(plugin, "plugin_run");
        run();
        dlclose(plugin);
    }
    puts("ok");
}
