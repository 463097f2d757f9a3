// Rules compiled from unwind tables, beside readelf's reading of the same tables, and from tables that were damaged.

import CInterposerTestSupport
import TestSupport
import Testing

extension RecorderCore {
    @Suite("A rule") struct RuleTests {
        @Test(
            "keeps its kind, its offset and where rbp was saved",
            arguments: [0, 1, -1, 2, 131_071, -131_072, 77_777, -77_777], [0, 1, 2, 255, 511])
        func roundTrip(offset: Int, saved: Int) {
            for kind in 0...7 as ClosedRange<UInt32> {
                let rule = ht_test_rule_make(kind, Int32(offset), UInt32(saved))
                #expect(rule.kind == kind)
                #expect(rule.offset == Int64(offset) * 8)
                #expect(rule.saved == UInt64(saved) * 8)
            }
        }

        @Test(
            "agrees with readelf at both ends of every row of a real binary",
            .enabled(if: Tool.isInstalled("readelf"), "readelf is not installed"),
            arguments: [
                "", "libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2",
                "libswiftCore.so",
            ])
        func agreesWithReadelf(name: String) throws {
            var module = ht_test_module()
            let found = ht_test_find_module(name, &module)
            // A test process that is linked otherwise may lack one of the others, but never itself and the C library.
            guard found else {
                #expect(name != "" && name != "libc.so.6")
                return
            }
            let path = withUnsafeBytes(of: module.path) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            let text = try run("readelf", ["--debug-dump=frames-interp", "-W", path], timeout: 300).stdoutBytes
            let comparison = text.withUnsafeBytes { bytes in
                ht_test_compare(&module, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
            }
            let difference = withUnsafeBytes(of: comparison.first_difference) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            #expect(comparison.differing == 0, "\(difference)")
            #expect(comparison.frames > 10)
            #expect(comparison.equal > comparison.rows)
            #expect(comparison.beyond * 20 < comparison.equal)
        }

        @Test(
            "comes out of damaged unwind tables, too, without reading past them",
            arguments: ["libgcc_s.so.1", "libm.so.6", "libc.so.6"], [1, 8, 200])
        func damagedTables(name: String, changes: Int) throws {
            var module = ht_test_module()
            try #require(ht_test_find_module(name, &module))
            let rounds: UInt64 = 200
            #expect(ht_test_damage(&module, UInt32(rounds), UInt32(changes), 99) == rounds * 200)
        }
    }
}
