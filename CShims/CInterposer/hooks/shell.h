// The shell behind system(), with our variables in its environment alone.
#pragma once

// As system(command), command not NULL; spawned through our own posix_spawn hook.
int ht_shell_run(const char *command);
