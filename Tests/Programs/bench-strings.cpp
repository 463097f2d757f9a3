// C++ strings, vectors and maps: word counts over generated text. usage: bench-strings ROUNDS

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

int main(int argc, char **argv) {
    long rounds = argc > 1 ? std::atol(argv[1]) : 20;
    std::size_t total = 0;
    for (long round = 0; round < rounds; round++) {
        std::vector<std::string> words;
        unsigned seed = unsigned(round) + 1;
        for (int i = 0; i < 20000; i++) {
            seed = seed * 1664525u + 1013904223u;
            words.push_back("a rather long word number " + std::to_string(seed % 5000));
        }
        std::unordered_map<std::string, int> counts;
        for (const auto &word : words) counts[word]++;
        std::map<int, std::vector<std::string>> byCount;
        for (const auto &entry : counts) byCount[entry.second].push_back(entry.first);
        std::vector<std::unique_ptr<std::string>> longest;
        for (const auto &group : byCount) longest.push_back(std::make_unique<std::string>(group.second.front() + "!"));
        total += byCount.size() + longest.size();
    }
    std::printf("%zu\n", total);
}
