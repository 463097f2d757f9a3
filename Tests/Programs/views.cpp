// Work whose strings, sizes, lifetimes and threads are known to the block, for the views of a report. Prints "done".
//   strings:   80 of 16 characters, 60 of 22, 40 of 23, 20 of 30, 10 of 100, made to measure; libstdc++ asks for one byte more
//   sizes:     300 blocks of 57 bytes and 100 of 4009, live together
//   lifetimes: 200 blocks of 1201 bytes freed at once, 50 of 1213 after more than 20 ms, 7 of 1217 never
//   threads:   one thread allocates 500 blocks of 1301 bytes, main frees them; main frees 30 of 1303 that it allocated itself

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

// Keeps the compiler from leaving allocations out.
template <typename T> static void keep(T &value) { asm volatile("" : : "r"(&value) : "memory"); }

__attribute__((noinline)) static void strings(std::vector<std::string> &kept) {
    const struct {
        int count, length;
    } made[] = {{80, 16}, {60, 22}, {40, 23}, {20, 30}, {10, 100}};
    for (auto [count, length] : made)
        for (int i = 0; i < count; i++) kept.emplace_back(static_cast<std::size_t>(length), 'x');
}

__attribute__((noinline)) static void sizes() {
    std::vector<void *> kept;
    kept.reserve(400);
    for (int i = 0; i < 300; i++) kept.push_back(std::malloc(57));
    for (int i = 0; i < 100; i++) kept.push_back(std::malloc(4009));
    void *below = std::malloc(50); // its class, 56 bytes, is what the blocks of 57 miss by one
    keep(below);
    std::free(below);
    for (void *block : kept) std::free(block);
}

__attribute__((noinline)) static void lifetimes() {
    for (int i = 0; i < 200; i++) {
        void *block = std::malloc(1201);
        keep(block);
        std::free(block);
    }
    void *slow[50];
    for (void *&block : slow) block = std::malloc(1213);
    keep(slow);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    for (void *block : slow) std::free(block);
    for (int i = 0; i < 7; i++) {
        void *leaked = std::malloc(1217);
        keep(leaked);
    }
}

static void *handed[500];

__attribute__((noinline)) static void threads() {
    std::thread maker([] {
        for (void *&block : handed) block = std::malloc(1301);
    });
    maker.join();
    for (void *block : handed) std::free(block);
    void *own[30];
    for (void *&block : own) block = std::malloc(1303);
    keep(own);
    for (void *block : own) std::free(block);
}

int main() {
    std::vector<std::string> kept;
    kept.reserve(210);
    strings(kept);
    sizes();
    lifetimes();
    threads();
    std::puts("done");
    return 0;
}
