// Every form of operator new and delete, each with a size of its own, which a trace can be held to: one event for the
// operator, none for the malloc beneath it. Aligned ones ask for
// multiples of their alignment, for libstdc++ rounds up. Prints "ok"; the first broken promise ends it with status 1.
//   11003 plain  11027 array  11047 nothrow  11057 array nothrow  12288 aligned  12800 array aligned
//   13312 aligned nothrow  13824 array aligned nothrow  11087 sized delete  11093 array sized delete  14336 aligned sized
//   14848 array aligned sized  11119 nothrow delete  15360 aligned nothrow delete
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

static void check(bool condition, const char *what) {
    if (condition) return;
    std::fprintf(stderr, "%s\n", what);
    std::exit(1);
}

static bool isAligned(const void *block, std::size_t alignment) {
    return (reinterpret_cast<std::uintptr_t>(block) & (alignment - 1)) == 0;
}

int main() {
    const auto wide = std::align_val_t(512);
    ::operator delete(::operator new(11003));
    ::operator delete[](::operator new[](11027));
    ::operator delete(::operator new(11047, std::nothrow));
    ::operator delete[](::operator new[](11057, std::nothrow));

    void *block = ::operator new(12288, wide);
    check(isAligned(block, 512), "operator new(align)");
    ::operator delete(block, wide);
    block = ::operator new[](12800, wide);
    check(isAligned(block, 512), "operator new[](align)");
    ::operator delete[](block, wide);
    block = ::operator new(13312, wide, std::nothrow);
    check(isAligned(block, 512), "operator new(align, nothrow)");
    ::operator delete(block, wide);
    block = ::operator new[](13824, wide, std::nothrow);
    check(isAligned(block, 512), "operator new[](align, nothrow)");
    ::operator delete[](block, wide);

    ::operator delete(::operator new(11087), std::size_t(11087));
    ::operator delete[](::operator new[](11093), std::size_t(11093));
    ::operator delete(::operator new(14336, wide), std::size_t(14336), wide);
    ::operator delete[](::operator new[](14848, wide), std::size_t(14848), wide);
    ::operator delete(::operator new(11119), std::nothrow);
    ::operator delete(::operator new(15360, wide), wide, std::nothrow);
    ::operator delete(nullptr);

    volatile std::size_t huge = SIZE_MAX / 2 + 1;
    check(::operator new(huge, std::nothrow) == nullptr, "nothrow gives null");
    bool thrown = false;
    try {
        ::operator delete(::operator new(huge));
    } catch (const std::bad_alloc &) {
        thrown = true;
    }
    check(thrown, "bad_alloc is thrown");
    std::puts("ok");
}
