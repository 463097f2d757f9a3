// What the recorder takes out of a program's environment, and what it puts back at exec.

import CInterposerTestSupport
import Testing

extension RecorderCore {
    @Suite("The environment") struct EnvironmentTests {
        /// The entries of texts that each end in NUL.
        private func entries(_ bytes: [CChar], _ count: Int) -> [String] {
            bytes.prefix(count).split(separator: 0, omittingEmptySubsequences: false).dropLast()
                .map { String(decoding: $0.map { UInt8(bitPattern: $0) }, as: UTF8.self) }
        }

        private func text(_ entries: [String]) -> [CChar] { entries.flatMap { $0.utf8CString } }

        private func clean(_ environment: [String], allocator: String = "") -> [String] {
            let bytes = text(environment)
            var out = [CChar](repeating: 0, count: bytes.count)
            let count = ht_test_environment_clean(bytes, bytes.count, allocator, &out)
            return entries(out, count)
        }

        private func fill(
            _ environment: [String], library: String = "/opt/lib/libheaptrail.so", allocator: String = "",
            child: Bool = false
        ) -> (filled: ht_test_filled, entries: [String]) {
            let bytes = text(environment)
            var out = [CChar](repeating: 0, count: bytes.count + 3 * 4096 + 1024)
            let filled = ht_test_environment_fill(
                bytes, bytes.count, library, allocator, child, &out, out.count)
            return (filled, entries(out, filled.count))
        }

        @Test(
            "loses our preload and keeps the user's own",
            arguments: [
                ("/a/libheaptrail.so", nil), ("libheaptrail.so", nil), ("", nil), (" : ", nil),
                ("/a/libheaptrail.so:/u/libuser.so", "/u/libuser.so"),
                ("/u/libuser.so:/a/libheaptrail.so", "/u/libuser.so"),
                ("/u/libone.so:/a/libheaptrail.so:/u/libtwo.so", "/u/libone.so:/u/libtwo.so"),
                ("/u/libone.so /a/libheaptrail.so /u/libtwo.so", "/u/libone.so:/u/libtwo.so"),
                (" /a/libheaptrail.so  ::/u/libuser.so: ", "/u/libuser.so"),
                ("/a/libheaptrail.so:/b/libheaptrail.so", nil),
                ("/a/libheaptrail.so:/j/libjemalloc.so.2", nil),
                ("/a/libheaptrail.so:/j/libjemalloc.so.2:/u/libuser.so", "/u/libuser.so"),
                ("/u/notlibheaptrail.so", "/u/notlibheaptrail.so"), ("/u/libheaptrail.so.1", "/u/libheaptrail.so.1"),
                ("/j/libjemalloc.so.2.1", "/j/libjemalloc.so.2.1"), ("/u/libuser.so", "/u/libuser.so"),
            ] as [(String, String?)])
        func cleansPreloads(before: String, after: String?) {
            let cleaned = clean(["A=1", "LD_PRELOAD=\(before)", "B=2"], allocator: "/j/libjemalloc.so.2")
            #expect(cleaned == ["A=1"] + (after.map { ["LD_PRELOAD=\($0)"] } ?? []) + ["B=2"])
        }

        @Test("keeps an allocator that the user preloads when none came with us")
        func keepsForeignAllocator() {
            let kept = clean(["LD_PRELOAD=/a/libheaptrail.so:/j/libjemalloc.so.2"])
            #expect(kept == ["LD_PRELOAD=/j/libjemalloc.so.2"])
        }

        @Test("loses every variable of ours and nothing that only looks like one")
        func cleansVariables() {
            let cleaned = clean([
                "HEAPTRAIL_REGION=/proc/1/fd/3", "HEAPTRAIL=1", "XHEAPTRAIL_ROLE=1", "HEAPTRAIL_OUTPUT=x",
                "LD_PRELOADX=y",
                "HEAPTRAIL_", "odd", "", "=z",
            ])
            #expect(cleaned == ["HEAPTRAIL=1", "XHEAPTRAIL_ROLE=1", "LD_PRELOADX=y", "odd", "", "=z"])
        }

        @Test("gets our variables back at exec, with the user's preloads behind ours")
        func fills() {
            let image = fill(
                ["A=1", "LD_PRELOAD=/u/libuser.so", "HEAPTRAIL_ROLE=stale", "B=2"], allocator: "/j/libjemalloc.so.2")
            #expect(
                image.entries == [
                    "A=1", "B=2", "LD_PRELOAD=/opt/lib/libheaptrail.so:/j/libjemalloc.so.2:/u/libuser.so",
                    "HEAPTRAIL_REGION=/proc/4294967295/fd/4294967295", "HEAPTRAIL_ROLE=image",
                ])
            let child = fill([], child: true)
            #expect(
                child.entries == [
                    "LD_PRELOAD=/opt/lib/libheaptrail.so", "HEAPTRAIL_REGION=/proc/4294967295/fd/4294967294",
                    "HEAPTRAIL_ROLE=child",
                ])
        }

        @Test("is filled within the sizes that were measured, whatever it holds")
        func measuredSizes() {
            var generator = SplitMix(state: 42)
            let pieces = [
                "A=", "LD_PRELOAD=", "LD_PRELOAD=/u/lib.so", "HEAPTRAIL_X=1", "LD_PRELOAD", "", ":", " ", "=", "é",
            ]
            for _ in 0..<500 {
                let environment = (0..<Int.random(in: 0...6, using: &generator)).map { _ in
                    (0..<Int.random(in: 0...4, using: &generator)).map { _ in pieces.randomElement(using: &generator)! }
                        .joined()
                }
                let library = String(repeating: "l", count: Int.random(in: 0...200, using: &generator))
                let allocator = String(repeating: "a", count: Int.random(in: 0...200, using: &generator))
                let result = fill(
                    environment, library: library, allocator: allocator, child: Bool.random(using: &generator))
                #expect(!result.filled.overrun)
                #expect(result.filled.pointers_used <= result.filled.pointers_measured)
                #expect(result.filled.bytes_used <= result.filled.bytes_measured)
                #expect(result.entries.filter { $0.hasPrefix("LD_PRELOAD=\(library)") }.count == 1)
            }
        }

        @Test("survives a cleaning after a filling unchanged but for what is ours")
        func roundTrip() {
            let environment = ["A=1", "LD_PRELOAD=/u/libuser.so", "B=2"]
            let filled = fill(environment, allocator: "/j/libjemalloc.so.2").entries
            #expect(clean(filled, allocator: "/j/libjemalloc.so.2").sorted() == environment.sorted())
        }
    }
}

/// A reproducible source of random numbers.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
