// A call of a function that leaves by a jump, as Rust's library does in debug mode: the frame of `outer` is lost, the call is not. Both have
// Rust's names and, as assembly, no debug information.
__asm__(
    ".text\n"
    ".globl _RNvC4lost5inner\n.type _RNvC4lost5inner, @function\n"
    "_RNvC4lost5inner:\n nop\n ret\n.size _RNvC4lost5inner, .-_RNvC4lost5inner\n"
    ".globl _RNvC4lost5outer\n.type _RNvC4lost5outer, @function\n"
    "_RNvC4lost5outer:\n jmp _RNvC4lost5inner\n.size _RNvC4lost5outer, .-_RNvC4lost5outer\n");

extern int outer(void) __asm__("_RNvC4lost5outer");

__attribute__((noinline)) int caller(void) { return outer() + 1; }

int main(void) { return caller() == 7; }
