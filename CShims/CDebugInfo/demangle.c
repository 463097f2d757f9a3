// C++ and Rust names through libiberty, with the output bounded.
//
// Back references let a short mangled name stand for an exponentially long one. libiberty's callback forms hold
// nothing on the heap while they print, so the printer is left by longjmp once the bound is reached.
#include "internal.h"

#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

// libiberty's own limit refuses C++ names over 1 KiB, which templates reach. Without it the stack needed grows with the
// name: this length stays well within an ordinary thread's 8 MiB (tried with every repeated construct of the grammar).
enum { MAX_SYMBOL_BYTES = 8192 };

typedef struct {
    ht_text text;
    jmp_buf overflow;
    bool is_complete;
} printer;

static void print(const char *bytes, size_t count, void *context) {
    printer *out = context;
    // The pieces are NUL-terminated only by their count.
    char piece[256];
    while (count > 0) {
        size_t step = count < sizeof piece - 1 ? count : sizeof piece - 1;
        memcpy(piece, bytes, step);
        piece[step] = '\0';
        ht_text_append(&out->text, piece);
        bytes += step;
        count -= step;
    }
    if (out->text.failed) longjmp(out->overflow, 1);
}

typedef int demangle_function(const char *, int, demangle_callbackref, void *);

static char *demangle(const char *name, demangle_function *function, int options) {
    if (strlen(name) > MAX_SYMBOL_BYTES) return NULL;
    printer *out = calloc(1, sizeof *out);
    if (out == NULL) return NULL;
    // What changes between setjmp and longjmp lives in `out`, not in locals.
    if (setjmp(out->overflow) == 0 && function(name, options, print, out) != 0 && !out->text.failed)
        out->is_complete = true;
    char *result = out->is_complete && out->text.count > 0 ? out->text.bytes : NULL;
    if (result != NULL) out->text.bytes = NULL;
    ht_text_free(&out->text);
    free(out);
    return result;
}

char *ht_debug_demangle_cxx(const char *name) {
    return demangle(name, cplus_demangle_v3_callback, DMGL_ANSI | DMGL_NO_RECURSE_LIMIT);
}

char *ht_debug_demangle_rust(const char *name) { return demangle(name, rust_demangle_callback, DMGL_NO_OPTS); }
