// Call stacks of shapes that unwinders get wrong, each ending in a block of its own size. To be built with
// -O2 -fomit-frame-pointer. Prints "ok".
//   15013: leaf under middle under outer     15017: under 100,000 frames of recursion     15019: in a signal handler
//   15031: after longjmp out of 20 frames     15053: after a call on an alternate signal stack, in the handler
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <pthread.h>

#define PLAIN __attribute__((noinline))

static jmp_buf out;
static volatile int depth_reached;

PLAIN static int use(void *block) {
    *(volatile char *)block = 1;
    free(block);
    return *(volatile int *)&depth_reached;
}

PLAIN int leaf(void) { return use(malloc(15013)) + 1; }
PLAIN int middle(void) { return leaf() + 1; }
PLAIN int outer(void) { return middle() + 1; }

PLAIN int recursion(int depth) {
    if (depth == 0) return use(malloc(15017)) + 1;
    return recursion(depth - 1) + *(volatile int *)&depth_reached;
}

PLAIN void handler(int number) {
    use(malloc(number == SIGUSR1 ? 15019 : 15053));
}

PLAIN int jump(int depth) {
    if (depth == 0) longjmp(out, 1);
    return jump(depth - 1) + *(volatile int *)&depth_reached;
}

PLAIN int after_jump(void) { return use(malloc(15031)) + 1; }

static void *deep(void *unused) {
    recursion(100000);
    return unused;
}

int main(void) {
    outer();

    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 20);
    if (pthread_create(&thread, &attributes, deep, NULL) != 0) return 1;
    pthread_join(thread, NULL);

    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    static char stack[65536];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alternate, NULL);
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR2, &action, NULL);
    raise(SIGUSR2);

    if (setjmp(out) == 0) jump(20);
    after_jump();
    puts("ok");
}
