// Containers and operators whose blocks have sizes nothing else asks for: one event each, not one for the operator and
// one for the malloc beneath it.
//   1511 bytes: vector of char, 7 times     1523: new[], 5     1531: make_unique, 3     1543: string of 1542, 2
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

struct Block {
    char bytes[1531];
};

__attribute__((noinline)) void use(const void *block) { asm volatile("" : : "r"(block) : "memory"); }

int main() {
    for (int i = 0; i < 7; i++) {
        std::vector<char> vector(1511);
        use(vector.data());
    }
    for (int i = 0; i < 5; i++) {
        char *block = new char[1523];
        use(block);
        delete[] block;
    }
    for (int i = 0; i < 3; i++) {
        auto block = std::make_unique<Block>();
        use(block.get());
    }
    for (int i = 0; i < 2; i++) {
        std::string text(1542, 'a');
        use(text.data());
    }
    std::puts("done");
}
