// The shells behind system() and popen(), with our variables in their environment alone.
#pragma once

#include <stddef.h>

// As system(command), command not NULL; spawned through our own posix_spawn hook.
int ht_shell_run(const char *command);

// The command by which a shell without our variables becomes one with them that runs `command`. `*bytes` is the size
// of the pages that it lies in. NULL when it would be longer than an argument may be, or there is no memory.
char *ht_shell_wrap(const char *command, size_t *bytes);
