// Containers and an allocator of a program's own, for rules of a user's own (Sources/HeapAnalysis/Rules/README.md).
// The ring makes 5 arrays of 4 to 64 points (24 bytes each), the pool one array of 77; 8 names make 4 arrays of strings
// and 16 strings.

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace app {

struct Point {
    double x, y, z;
};

template <class T>
struct PoolAllocator {
    using value_type = T;
    T *allocate(std::size_t count) {
        void *block = std::malloc(count * sizeof(T));
        if (!block) std::abort();
        return static_cast<T *>(block);
    }
    void deallocate(T *block, std::size_t) { std::free(block); }
    bool operator==(const PoolAllocator &) const { return true; }
    bool operator!=(const PoolAllocator &) const { return false; }
};

template <class T>
class Ring {
    std::unique_ptr<T[]> cells;
    std::size_t count = 0, room = 0;

    void grow() {
        room = room ? room * 2 : 4;
        std::unique_ptr<T[]> larger(new T[room]);
        for (std::size_t i = 0; i < count; i++) larger[i] = cells[i];
        cells = std::move(larger);
    }

   public:
    void push(const T &value) {
        if (count == room) grow();
        cells[count++] = value;
    }
};

class Names {
    std::vector<std::string> all;

   public:
    void add(const std::string &name) { all.push_back(name); }
};

}  // namespace app

int main() {
    app::Ring<app::Point> ring;
    for (int i = 0; i < 64; i++) ring.push({1, 2, 3});
    std::vector<app::Point, app::PoolAllocator<app::Point>> pooled;
    pooled.reserve(77);
    app::Names names;
    for (int i = 0; i < 8; i++) names.add("a name that is longer than the room inside of a string");
}
