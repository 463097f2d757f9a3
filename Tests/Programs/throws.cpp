// 2,000 exceptions thrown through three frames, each frame owning a block that unwinding frees; then one block of
// 16001 bytes whose stack must be whole. Prints "ok".
//   16007: 2,000 vectors in each of the frames one, two and three: 6,000 blocks, all freed
#include <cstdio>
#include <stdexcept>
#include <vector>

static volatile int sum;

__attribute__((noinline)) void three(int number) {
    std::vector<char> owned(16007);
    sum = sum + owned[static_cast<std::size_t>(number)];
    throw std::runtime_error("on purpose");
}

__attribute__((noinline)) void two(int number) {
    std::vector<char> owned(16007);
    three(number);
    sum = sum + owned[1];
}

__attribute__((noinline)) void one(int number) {
    std::vector<char> owned(16007);
    two(number);
    sum = sum + owned[1];
}

__attribute__((noinline)) void afterwards() {
    std::vector<char> owned(16001);
    sum = sum + owned[1];
}

int main() {
    int caught = 0;
    for (int i = 0; i < 2000; i++) {
        try {
            one(i);
        } catch (const std::runtime_error &) {
            caught++;
        }
    }
    afterwards();
    std::puts(caught == 2000 ? "ok" : "wrong");
}
