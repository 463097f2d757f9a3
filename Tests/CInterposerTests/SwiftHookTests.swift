// The self-test of the Swift runtime's allocation hook, on runtimes made by hand: one as it should be, and one for each way
// of not being so.

import CInterposerTestSupport
import Testing

extension RecorderCore {
    @Suite("The Swift runtime's allocation hook") struct SwiftHookTests {
        private func install(_ kind: ht_test_runtime) throws -> ht_test_installation {
            let session = try RecordingSession(options: RecorderOption.noStacks)
            defer { _ = try? session.trace() }
            return ht_test_swift_install(kind.rawValue, 0x1234_5678)
        }

        @Test func `is installed in a runtime as it should be, and tells the type`() throws {
            let result = try install(HT_TEST_RUNTIME_SOUND)
            #expect(result.installed && result.again)
            #expect(result.mode == 2)
            #expect(!result.has_own_allocate && result.has_own_counts)
            #expect(result.real_counts == 8)
            #expect(result.reaches_allocate)
            #expect(result.announced == 0x1234_5678)
        }

        @Test(
            arguments: [
                HT_TEST_RUNTIME_COUNTS, HT_TEST_RUNTIME_COUNTS_N, HT_TEST_RUNTIME_WRITES, HT_TEST_RUNTIME_DEAF,
                HT_TEST_RUNTIME_TAKEN, HT_TEST_RUNTIME_PARTIAL,
            ].map(\.rawValue))
        func `is left out of any other, which keeps what it had`(kind: UInt32) throws {
            let result = try install(ht_test_runtime(kind))
            #expect(!result.installed && !result.again)
            #expect(result.mode == (kind == HT_TEST_RUNTIME_TAKEN.rawValue ? 1 : 0))
            #expect(result.has_own_allocate && result.has_own_counts)
            #expect(result.reaches_allocate)
            #expect(result.announced == 0)
        }
    }
}
