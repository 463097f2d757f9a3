// Allocations while exceptions fly: of the exception, in destructors that unwinding runs, in handlers, in rethrows, in nested throws; and
// in coroutines of the language where it has them (C++20). For comparison with libunwind (walk-oracle.c). Prints "ok".
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>
#if __cplusplus >= 202002L
#include <coroutine>
#endif

#define PLAIN __attribute__((noinline))

static volatile int sum;

PLAIN static void take(std::size_t size) {
    std::vector<char> block(size);
    block[size - 1] = 1;
    sum = sum + block[size - 1];
}

struct Owner {
    std::size_t size;
    explicit Owner(std::size_t bytes) : size(bytes) { take(bytes); }
    PLAIN ~Owner() {
        take(size + 1);
        try {
            if (size > 1) throw std::to_string(size) + " thrown while another exception flies, and caught";
        } catch (const std::string &) {
            take(size + 2);
        }
    }
};

PLAIN static int fall(int depth) {
    Owner owner(static_cast<std::size_t>(depth) + 100);
    if (depth == 0) throw std::runtime_error("a text that is long enough to need a block of its own");
    try {
        return fall(depth - 1) + 1;
    } catch (const std::runtime_error &error) {
        take(300);
        if (depth % 3 == 0) throw;
        if (depth % 3 == 1) throw std::runtime_error(std::string("again: ") + error.what());
        throw std::logic_error("another");
    } catch (const std::logic_error &) {
        take(301);
        throw std::runtime_error("back");
    }
}

#if __cplusplus >= 202002L
struct Generator {
    struct promise_type {
        int value = 0;
        Generator get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_always initial_suspend() { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        std::suspend_always yield_value(int given) {
            value = given;
            return {};
        }
        void return_void() {}
        void unhandled_exception() { take(400); }
    };
    std::coroutine_handle<promise_type> handle;
};

PLAIN static Generator numbers(int count) {
    for (int i = 0; i < count; i++) {
        Owner owner(static_cast<std::size_t>(i) + 500);
        co_yield i;
        take(static_cast<std::size_t>(i) + 600);
        if (i == count - 1) throw std::runtime_error("out of a coroutine");
    }
}

static void coroutines() {
    Generator first = numbers(8), second = numbers(5);
    while (!first.handle.done() || !second.handle.done()) {
        if (!first.handle.done()) first.handle.resume();
        if (!second.handle.done()) second.handle.resume();
        take(700);
    }
    first.handle.destroy();
    second.handle.destroy();
}
#else
static void coroutines() {}
#endif

int main() {
    for (int i = 0; i < 12; i++) {
        try {
            fall(i);
        } catch (const std::exception &) {
            take(800);
        }
        take(801);
    }
    coroutines();
    std::puts("ok");
}
