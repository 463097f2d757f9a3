// A C++ program whose operators come from a statically linked allocator (jemalloc's and tcmalloc's skip malloc), or,
// with the C++ runtime linked statically, call it. One that fails, too: its exception is a block of its own.
#include <cstdio>
#include <cstdlib>
#include <new>

static volatile std::size_t huge = static_cast<std::size_t>(1) << 60;
struct alignas(64) Line {
    char bytes[22144];
};
static void *volatile sink;

template <class T>
static T *keep(T *block) {
    sink = block;
    return block;
}

int main() {
    int failed = 0;
    for (int i = 0; i < 100; i++) {
        delete[] keep(new char[22003]);
        delete keep(new Line);
        ::operator delete(keep(::operator new(22027)));
        ::operator delete(keep(::operator new(22031, std::nothrow)), std::nothrow);
        std::free(keep(std::malloc(22037)));
        try {
            sink = new char[huge];
        } catch (const std::bad_alloc &) {
            failed++;
        }
        if (keep(::operator new(huge, std::nothrow)) == nullptr) failed++;
    }
    std::printf("failed %d\n", failed);
    return 0;
}
