// A C++ program with containers, a class template, a lambda and an anonymous namespace.
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

struct Point {
    int x, y;
};

namespace geometry {
template <typename T>
struct Grid {
    std::vector<T> cells;
    __attribute__((noinline)) void add(T value) { cells.push_back(value); }
    int twice(int value) const { return value * static_cast<int>(cells.size()); }
};
}  // namespace geometry

static inline int print_all(int count)
{
    int written = 0;
    for (int i = 0; i < count; i++)
        written += std::printf("%d ", i);
    return written;
}

namespace {
__attribute__((noinline)) int hidden(std::map<std::string, Point> &points)
{
    points["a"] = Point{1, 2};
    return static_cast<int>(points.size());
}
}  // namespace

int main(int argc, char **)
{
    geometry::Grid<Point> grid;
    for (int i = 0; i < argc * 100; i++)
        grid.add({i, i});
    auto owned = std::make_unique<Point>(Point{argc, 2});
    std::map<std::string, Point> points;
    auto lambda = [&](int value) { return print_all(value) + grid.twice(value); };
    return lambda(argc) + hidden(points) + owned->x;
}
