// Containers that grow and values that are copied, each in a function of its own and so often that its count names it. A growth step is a
// change of capacity(). Lines: `growth FUNCTION steps=N` and `copy FUNCTION copies=N`.
#include <cstdio>
#include <string>
#include <unordered_map>
#include <vector>

template <typename T> static T &opaque(T &value) {
    asm volatile("" : : "r"(&value) : "memory");
    return value;
}

__attribute__((noinline)) static void grow_vector(unsigned count) {
    std::vector<double> numbers;
    int steps = -1;
    std::size_t capacity = 0;
    for (unsigned number = 0; number < count; number++) {
        numbers.push_back(opaque(number));
        if (numbers.capacity() != capacity) {
            capacity = numbers.capacity();
            steps++;
        }
    }
    std::printf("growth grow_vector steps=%d final=%zu\n", steps, 8 * opaque(numbers).capacity());
}

__attribute__((noinline)) static void reserve_vector(unsigned count) {
    std::vector<double> numbers;
    numbers.reserve(count);
    for (unsigned number = 0; number < count; number++) numbers.push_back(opaque(number));
    opaque(numbers);
    std::puts("growth reserve_vector steps=0");
}

// The string's own room comes first and is no block; its storage is freed where it grows.
__attribute__((noinline)) static void grow_text(unsigned count) {
    std::string text;
    int steps = -1;
    std::size_t capacity = text.capacity();
    for (unsigned number = 0; number < count; number++) {
        text += "some words ";
        if (text.capacity() != capacity) {
            capacity = text.capacity();
            steps++;
        }
    }
    std::printf("growth grow_text steps=%d final=%zu\n", steps, opaque(text).capacity() + 1);
}

// The copy of each element is made between the new storage and the end of the old.
__attribute__((noinline)) static void grow_names(unsigned count) {
    std::vector<std::string> names;
    const std::string name = "a name that needs a block of its own";
    int steps = -1;
    std::size_t capacity = 0;
    for (unsigned number = 0; number < count; number++) {
        names.push_back(name);
        if (names.capacity() != capacity) {
            capacity = names.capacity();
            steps++;
        }
    }
    opaque(names);
    std::printf("growth grow_names steps=%d\n", steps);
}

__attribute__((noinline)) static void grow_two(unsigned count) {
    std::vector<int> left;
    std::vector<int> right;
    int steps = -2;
    std::size_t capacities[2] = {0, 0};
    for (unsigned number = 0; number < count; number++) {
        left.push_back(static_cast<int>(number));
        right.push_back(static_cast<int>(number));
        steps += (left.capacity() != capacities[0]) + (right.capacity() != capacities[1]);
        capacities[0] = left.capacity();
        capacities[1] = right.capacity();
    }
    opaque(left);
    opaque(right);
    std::printf("growth grow_two steps=%d\n", steps);
}

__attribute__((noinline)) static void grow_rows(unsigned count) {
    std::vector<std::vector<short>> rows;
    int steps = 0;
    std::size_t outer = 0;
    for (unsigned row = 0; row < count; row++) {
        rows.emplace_back();
        if (rows.capacity() != outer) {
            steps += outer > 0;
            outer = rows.capacity();
        }
        std::size_t inner = 0;
        for (short number = 0; number < 40; number++) {
            rows.back().push_back(number);
            if (rows.back().capacity() != inner) {
                steps += inner > 0;
                inner = rows.back().capacity();
            }
        }
    }
    opaque(rows);
    std::printf("growth grow_rows steps=%d\n", steps);
}

__attribute__((noinline)) static void grow_table(int count) {
    std::unordered_map<int, int> table;
    int steps = -1;
    std::size_t buckets = table.bucket_count();
    for (int number = 0; number < count; number++) {
        table[number] = number;
        if (table.bucket_count() != buckets) {
            buckets = table.bucket_count();
            steps++;
        }
    }
    opaque(table);
    std::printf("growth grow_table steps=%d\n", steps);
}

__attribute__((noinline)) static void copy_vector(const std::vector<float> &original, int times) {
    for (int number = 0; number < times; number++) {
        std::vector<float> copy(original);
        opaque(copy);
    }
    std::printf("copy copy_vector copies=%d at_once=%d\n", times, times);
}

__attribute__((noinline)) static void copy_and_grow(const std::vector<float> &original, int times) {
    for (int number = 0; number < times; number++) {
        std::vector<float> copy(original);
        copy.push_back(1);
        opaque(copy);
    }
    std::printf("copy copy_and_grow copies=%d resized=%d\n", times, times);
}

// A new text in the place of an older, smaller one is no growth.
__attribute__((noinline)) static void replace_text(unsigned times) {
    std::string text;
    for (unsigned number = 0; number < times; number++) {
        text = std::string(20 + 16 * number, 'x');
        opaque(text);
    }
    std::puts("growth replace_text steps=0");
}

int main() {
    grow_vector(3000);
    reserve_vector(3000);
    grow_text(2000);
    grow_names(300);
    grow_two(1000);
    grow_rows(30);
    grow_table(2000);
    copy_vector(std::vector<float>(21, 1.0f), 11);
    copy_and_grow(std::vector<float>(23, 1.0f), 12);
    replace_text(20);
    return 0;
}
