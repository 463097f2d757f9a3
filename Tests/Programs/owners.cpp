// C++ owners that are known: each function below makes blocks of the owners that its line of the table names.
//
// A build with debug information must show exactly these; one without may know less of a type, never another one.
// usage: owners ROUNDS. A function is never inlined, so that it is the site of what it allocates.
//
//! string_construct: String std::string
//! string_copy: String std::string
//! string_grow: String std::string
//! string_plus: String std::string
//! string_number: String std::string
//! string_stream: String std::string
//! vector_construct: Array std::vector<geo::Point>
//! vector_push: Array std::vector<geo::Point>
//! vector_emplace: Array std::vector<geo::Circle>
//! vector_reserve: Array std::vector<int>
//! vector_resize: Array std::vector<int>
//! vector_copy: Array std::vector<int>
//! vector_list: Array std::vector<int>
//! vector_bool: Array std::vector<bool>
//! deque_push: Array std::deque<geo::Point>
//! list_push: Array std::list<geo::Point>
//! forward_list_push: Array std::forward_list<geo::Point>
//! map_index: Dictionary std::map<int, geo::Point>
//! map_emplace: Dictionary std::map<long, double>
//! multimap_insert: Dictionary std::multimap<int, double>
//! set_insert: Set std::set<long>
//! multiset_insert: Set std::multiset<long>
//! unordered_map_index: Dictionary std::unordered_map<int, geo::Point>
//! unordered_map_reserve: Dictionary std::unordered_map<int, char>
//! unordered_set_insert: Set std::unordered_set<long>
//! unordered_multimap_insert: Dictionary std::unordered_multimap<int, double>
//! unique_make: Box std::unique_ptr<geo::Mesh> / Class geo::Mesh
//! unique_array: Box std::unique_ptr<geo::Point []>
//! unique_new: Class geo::Circle
//! shared_make: Shared std::shared_ptr<geo::Mesh>
//! shared_separate: Shared std::shared_ptr<geo::Mesh> / Class geo::Mesh
//! function_heap: Closure std::function<double (double)>
//! any_heap: Box std::any
//! optional_string: String std::string
//! variant_vector: Array std::vector<int>
//! new_aggregate: Class new in new_aggregate
//! new_constructor: Class geo::Mesh
//! new_virtual: Class geo::Circle
//! new_array: Array new[] in new_array
//! new_own_operator: Class geo::Pooled / C owners: new_own_operator
//! malloc_direct: C owners: malloc_direct
//! exception_throw: Runtime exception / String std::string
//! thread_start: Runtime std::thread / C libc: thread-local storage
//! future_async: Runtime std::future / Runtime std::thread / C libc: thread-local storage
//! promise_state: Runtime std::future
//! pmr_vector: Data std::pmr::memory_resource
//! pmr_string: String std::string
//! regex_match: Class std::regex / String std::string
//! map_of_vectors: Dictionary std::map<std::string, std::vector<int>> / Array std::vector<int> / String std::string
//! path_append: String std::filesystem::path / String std::string
//! own_allocator: Array std::vector<int> / Array std::vector<int, geo::Counted<int>>
//! string_vectors: Array std::vector<std::string> / String std::string
//! shapes_owned: Array std::vector<std::unique_ptr<geo::Shape>> / Class geo::Circle
//! coroutine_frame: Task coroutine count_up
//! count_up: Task coroutine count_up

#include <any>
#include <coroutine>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <forward_list>
#include <functional>
#include <future>
#include <list>
#include <map>
#include <memory>
#if __has_include(<memory_resource>)
#include <memory_resource>
#endif
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#define OWNER [[gnu::noinline]] static void

namespace geo {
struct Point {
    double x, y, z;
};
struct Shape {
    virtual ~Shape() = default;
    virtual double area() const = 0;
};
struct Circle final : Shape {
    double radius;
    explicit Circle(double r) : radius(r) {}
    double area() const override { return radius * radius * 3; }
};
struct Mesh {
    int faces[40];
    explicit Mesh(int n);
};
[[gnu::noinline]] Mesh::Mesh(int n) {
    for (int &f : faces) f = n++;
}
struct Pooled {
    char bytes[96];
    static void *operator new(std::size_t n) { return std::malloc(n); }
    static void operator delete(void *p) { std::free(p); }
};
template <typename T>
struct Counted {
    using value_type = T;
    Counted() = default;
    template <typename U>
    Counted(const Counted<U> &) {}
    T *allocate(std::size_t n) { return static_cast<T *>(::operator new(n * sizeof(T))); }
    void deallocate(T *p, std::size_t) { ::operator delete(p); }
    bool operator==(const Counted &) const { return true; }
};
}  // namespace geo

using geo::Circle;
using geo::Mesh;
using geo::Point;
using geo::Shape;

static void *volatile sink;
template <typename T>
static void keep(T &value) {
    sink = (void *)&value;
    asm volatile("" ::: "memory");
}
static volatile int seven_ = 7;
[[gnu::noinline]] static int seven() { return seven_; }
static const char *volatile text = "a text that is too long for the inline buffer of any string";

OWNER string_construct() {
    std::string s(text);
    keep(s);
}
OWNER string_copy() {
    static const std::string from(text);
    std::string s(from);
    keep(s);
}
OWNER string_grow() {
    std::string s;
    for (int i = 0; i < 100; i++) s += char('a' + i % 26);
    keep(s);
}
OWNER string_plus() {
    std::string a(text);
    std::string s = a + text;
    keep(s);
}
OWNER string_number() {
    std::string s = std::to_string(1e30 * seven());
    keep(s);
}
OWNER string_stream() {
    std::ostringstream out;
    out << text << seven() << text;
    std::string s = out.str();
    keep(s);
}
OWNER vector_construct() {
    std::vector<Point> v((size_t)seven());
    keep(v);
}
OWNER vector_push() {
    std::vector<Point> v;
    for (int i = 0; i < 50; i++) v.push_back(Point{});
    keep(v);
}
OWNER vector_emplace() {
    std::vector<Circle> v;
    for (int i = 0; i < 50; i++) v.emplace_back(double(i));
    keep(v);
}
OWNER vector_reserve() {
    std::vector<int> v;
    v.reserve(size_t(seven()) * 10);
    keep(v);
}
OWNER vector_resize() {
    std::vector<int> v;
    v.resize(size_t(seven()) * 10);
    keep(v);
}
OWNER vector_copy() {
    static const std::vector<int> from(100);
    std::vector<int> v(from);
    keep(v);
}
OWNER vector_list() {
    std::vector<int> v{1, 2, 3, 4, seven()};
    keep(v);
}
OWNER vector_bool() {
    std::vector<bool> v((size_t)seven() * 100);
    keep(v);
}
OWNER deque_push() {
    std::deque<Point> d;
    for (int i = 0; i < 100; i++) d.push_back(Point{});
    keep(d);
}
OWNER list_push() {
    std::list<Point> l;
    for (int i = 0; i < 10; i++) l.push_back(Point{});
    keep(l);
}
OWNER forward_list_push() {
    std::forward_list<Point> l;
    for (int i = 0; i < 10; i++) l.push_front(Point{});
    keep(l);
}
OWNER map_index() {
    std::map<int, Point> m;
    for (int i = 0; i < 20; i++) m[i * seven()].x = i;
    keep(m);
}
OWNER map_emplace() {
    std::map<long, double> m;
    for (int i = 0; i < 20; i++) m.emplace(i * seven(), i);
    keep(m);
}
OWNER multimap_insert() {
    std::multimap<int, double> m;
    for (int i = 0; i < 20; i++) m.insert({i % seven(), i});
    keep(m);
}
OWNER set_insert() {
    std::set<long> s;
    for (int i = 0; i < 20; i++) s.insert(i * seven());
    keep(s);
}
OWNER multiset_insert() {
    std::multiset<long> s;
    for (int i = 0; i < 20; i++) s.insert(i % seven());
    keep(s);
}
OWNER unordered_map_index() {
    std::unordered_map<int, Point> m;
    for (int i = 0; i < 20; i++) m[i * seven()].x = i;
    keep(m);
}
OWNER unordered_map_reserve() {
    std::unordered_map<int, char> m;
    m.reserve(100);
    keep(m);
}
OWNER unordered_set_insert() {
    std::unordered_set<long> s;
    for (int i = 0; i < 20; i++) s.insert(i * seven());
    keep(s);
}
OWNER unordered_multimap_insert() {
    std::unordered_multimap<int, double> m;
    for (int i = 0; i < 20; i++) m.insert({i % seven(), i});
    keep(m);
}
OWNER unique_make() {
    auto p = std::make_unique<Mesh>(seven());
    keep(p);
}
OWNER unique_array() {
    auto p = std::make_unique<Point[]>(size_t(seven()));
    keep(p);
}
OWNER unique_new() {
    std::unique_ptr<Shape> p(new Circle(seven()));
    keep(p);
}
OWNER shared_make() {
    auto p = std::make_shared<Mesh>(seven());
    keep(p);
}
OWNER shared_separate() {
    std::shared_ptr<Mesh> p(new Mesh(seven()));
    keep(p);
}
OWNER function_heap() {
    Point a{1, 2, 3}, b{4, 5, double(seven())};
    std::function<double(double)> f = [a, b](double x) { return a.x * x + b.z; };
    keep(f);
}
OWNER any_heap() {
    std::any a = Point{1, 2, double(seven())};
    keep(a);
}
OWNER optional_string() {
    std::optional<std::string> o;
    o.emplace(text);
    keep(o);
}
OWNER variant_vector() {
    std::variant<int, std::vector<int>> v;
    v.emplace<std::vector<int>>(size_t(seven()));
    keep(v);
}
OWNER new_aggregate() {
    Point *p = new Point{1, 2, double(seven())};
    keep(*p);
    delete p;
}
OWNER new_constructor() {
    Mesh *p = new Mesh(seven());
    keep(*p);
    delete p;
}
OWNER new_virtual() {
    Shape *p = new Circle(seven());
    keep(*p);
    delete p;
}
OWNER new_array() {
    Point *p = new Point[size_t(seven())];
    keep(*p);
    delete[] p;
}
OWNER new_own_operator() {
    geo::Pooled *p = new geo::Pooled;
    keep(*p);
    delete p;
}
OWNER malloc_direct() {
    void *p = std::malloc(size_t(seven()) * 10);
    keep(p);
    std::free(p);
}
OWNER exception_throw() {
    try {
        throw std::runtime_error("short");
    } catch (const std::exception &e) {
        keep(e);
    }
}
OWNER thread_start() {
    std::thread t([] {});
    t.join();
}
OWNER future_async() {
    auto f = std::async(std::launch::async, [] { return 1; });
    int r = f.get();
    keep(r);
}
OWNER promise_state() {
    std::promise<int> p;
    auto f = p.get_future();
    p.set_value(1);
    int r = f.get();
    keep(r);
}
#ifdef __cpp_lib_memory_resource
OWNER pmr_vector() {
    std::pmr::monotonic_buffer_resource r;
    std::pmr::vector<int> v(&r);
    v.resize(2000);
    keep(v);
}
OWNER pmr_string() {
    std::pmr::string s(text, std::pmr::new_delete_resource());
    keep(s);
}
#else
static void pmr_vector() {}
static void pmr_string() {}
#endif
OWNER regex_match() {
    std::regex r("[a-z]+ (text|word) .*");
    bool b = std::regex_search(std::string(text), r);
    keep(b);
}
OWNER map_of_vectors() {
    std::map<std::string, std::vector<int>> m;
    m[text].push_back(seven());
    keep(m);
}

OWNER path_append() {
    std::filesystem::path path = "/usr/local/share/a/long/path";
    path /= "another";
    keep(path);
}
OWNER own_allocator() {
    std::vector<int, geo::Counted<int>> v;
    for (int i = 0; i < seven(); i++) v.push_back(i);
    keep(v);
}
OWNER string_vectors() {
    std::vector<std::string> v;
    for (int i = 0; i < seven(); i++) v.push_back(text);
    keep(v);
}
OWNER shapes_owned() {
    std::vector<std::unique_ptr<Shape>> v;
    for (int i = 0; i < seven(); i++) v.emplace_back(new Circle(i));
    keep(v);
}

struct Generator {
    struct promise_type {
        int value = 0;
        Generator get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_always initial_suspend() { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        std::suspend_always yield_value(int v) {
            value = v;
            return {};
        }
        void return_void() {}
        void unhandled_exception() {}
    };
    std::coroutine_handle<promise_type> handle;
};
static Generator count_up(int n) {
    for (int i = 0; i < n; i++) co_yield i;
}
OWNER coroutine_frame() {
    Generator g = count_up(seven());
    g.handle.resume();
    keep(g);
    g.handle.destroy();
}

int main(int argc, char **argv) {
    long rounds = argc > 1 ? std::atol(argv[1]) : 10;
    for (long i = 0; i < rounds; i++) {
        string_construct();
        string_copy();
        string_grow();
        string_plus();
        string_number();
        string_stream();
        vector_construct();
        vector_push();
        vector_emplace();
        vector_reserve();
        vector_resize();
        vector_copy();
        vector_list();
        vector_bool();
        deque_push();
        list_push();
        forward_list_push();
        map_index();
        map_emplace();
        multimap_insert();
        set_insert();
        multiset_insert();
        unordered_map_index();
        unordered_map_reserve();
        unordered_set_insert();
        unordered_multimap_insert();
        unique_make();
        unique_array();
        unique_new();
        shared_make();
        shared_separate();
        function_heap();
        any_heap();
        optional_string();
        variant_vector();
        new_aggregate();
        new_constructor();
        new_virtual();
        new_array();
        new_own_operator();
        malloc_direct();
        exception_throw();
        thread_start();
        future_async();
        promise_state();
        pmr_vector();
        pmr_string();
        regex_match();
        map_of_vectors();
        coroutine_frame();
        path_append();
        own_allocator();
        string_vectors();
        shapes_owned();
    }
}
