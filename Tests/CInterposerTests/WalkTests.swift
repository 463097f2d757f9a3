// The walker beside libgcc's unwinder, which reads the same tables by code of its own.

import CInterposerTestSupport
import CTraceFormat
import Testing
import TraceReader

/// What one walk found, and the reference's frames.
struct Walk {
    let frames: [UInt64]
    let reference: [UInt64]
    let flags: UInt32

    init(_ plain: UnsafePointer<ht_test_walk>) {
        let bytes = UnsafeRawPointer(plain)
        func list(_ offset: Int, _ count: UInt32) -> [UInt64] {
            let words = (bytes + offset).assumingMemoryBound(to: UInt64.self)
            return Array(UnsafeBufferPointer(start: words, count: Int(count)))
        }
        frames = list(MemoryLayout<ht_test_walk>.offset(of: \.frames)!, plain.pointee.count)
        reference = list(MemoryLayout<ht_test_walk>.offset(of: \.reference)!, plain.pointee.reference_count)
        flags = plain.pointee.flags
    }
}

extension RecorderCore {
    @Suite("The walker") struct WalkTests {
        private func walk(
            _ kind: ht_test_walk_kind, depth: UInt32 = 5, limit: UInt32 = 900, bounded: Bool = true
        ) throws -> Walk {
            let session = try RecordingSession()
            let plain = UnsafeMutablePointer<ht_test_walk>.allocate(capacity: 1)
            plain.initialize(to: ht_test_walk())
            defer { plain.deallocate() }
            ht_test_walk_stack(kind.rawValue, depth, limit, bounded, plain)
            let (trace, state) = try session.trace()
            expectSound(trace, state)
            return Walk(plain)
        }

        @Test(
            "finds the unwinder's frames up to the thread's entry",
            arguments: [
                HT_TEST_WALK_PLAIN, HT_TEST_WALK_WITHOUT_FRAME_POINTERS, HT_TEST_WALK_REALIGNED, HT_TEST_WALK_LIBRARY,
                HT_TEST_WALK_SIGNAL, HT_TEST_WALK_SIGNAL_STACK,
            ])
        func bounded(kind: ht_test_walk_kind) throws {
            let walk = try walk(kind, depth: 20)
            #expect(walk.flags == 0)
            #expect(walk.frames == Array(walk.reference.prefix(walk.frames.count)))
            // Beyond the entry function, where the known stack ends, lie the frames of the C library that started the thread.
            #expect(walk.frames.count > 20)
            #expect((1...3).contains(walk.reference.count - walk.frames.count))
        }

        @Test(
            "finds all of the unwinder's frames on a stack whose bounds it does not know",
            arguments: [
                HT_TEST_WALK_PLAIN, HT_TEST_WALK_WITHOUT_FRAME_POINTERS, HT_TEST_WALK_REALIGNED, HT_TEST_WALK_LIBRARY,
                HT_TEST_WALK_SIGNAL, HT_TEST_WALK_SIGNAL_STACK,
            ])
        func unbounded(kind: ht_test_walk_kind) throws {
            let walk = try walk(kind, bounded: false)
            #expect(walk.flags == 0)
            #expect(walk.frames == walk.reference)
            #expect(walk.frames.count > 8)
        }

        @Test("stops at the limit and says so", arguments: [1, 16, 256, 952])
        func truncation(limit: Int) throws {
            let walk = try walk(HT_TEST_WALK_PLAIN, depth: 2000, limit: UInt32(limit))
            #expect(walk.flags == HT_STACK_TRUNCATED)
            #expect(walk.frames.count == limit)
            #expect(walk.frames == Array(walk.reference.prefix(limit)))
        }

        @Test("does not call a stack truncated that just fits")
        func exactFit() throws {
            let whole = try walk(HT_TEST_WALK_PLAIN)
            let fitting = try walk(HT_TEST_WALK_PLAIN, limit: UInt32(whole.frames.count))
            #expect(fitting.frames == whole.frames)
            #expect(fitting.flags == 0)
        }

        @Test("agrees with the unwinder on many threads at once")
        func threads() throws {
            let session = try RecordingSession()
            session.drain()
            #expect(ht_test_walk_threads(8, 50, 10) == 0)
            let (trace, state) = try session.trace()
            expectSound(trace, state)
        }
    }

    @Suite("Stack ids") struct StackIDTests {
        /// Records one allocation for each path and pairs what was walked with what the trace says.
        private func record(
            _ paths: [(path: UInt64, depth: UInt32, tag: StaticString?)], depth: Int = 0
        ) throws -> (trace: Trace, walks: [Walk]) {
            let session = try RecordingSession(depth: depth)
            session.drain()
            let walks = UnsafeMutablePointer<ht_test_walk>.allocate(capacity: paths.count)
            walks.initialize(repeating: ht_test_walk(), count: paths.count)
            defer { walks.deallocate() }
            let plain = paths.enumerated().map { number, path in
                ht_test_path(
                    path: path.path, depth: path.depth, address: UInt64(number + 1) * 16,
                    tag: path.tag.map { UnsafeRawPointer($0.utf8Start).assumingMemoryBound(to: CChar.self) })
            }
            ht_test_record_paths(plain, plain.count, walks)
            let (trace, state) = try session.trace()
            expectSound(trace, state)
            return (trace, (0..<paths.count).map { Walk(walks + $0) })
        }

        @Test("decode to the very frames that were walked, however definitions share their prefixes")
        func prefixSharing() throws {
            var state: UInt64 = 7
            let paths = (0..<400).map { _ -> (path: UInt64, depth: UInt32, tag: StaticString?) in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return (state >> 33, UInt32(state >> 59), nil)
            }
            let (trace, walks) = try record(paths)
            let events = trace.events
            #expect(events.count == paths.count)
            var wrong = 0
            for (event, walk) in zip(events, walks) {
                let frames = trace.stacks.frames(of: event.stack)
                if frames.isEmpty || frames != Array(walk.reference.prefix(frames.count)) { wrong += 1 }
                if walk.reference.count - frames.count > 3 { wrong += 1 }
            }
            #expect(wrong == 0)
            #expect(trace.stacks.undefinedStacks == 0)
            // The same frames never have two ids, nor two stacks one.
            let distinct = Set(walks.map(\.reference))
            #expect(Set(events.map(\.stack)).count == distinct.count)
            #expect(trace.stacks.count == distinct.count)
        }

        @Test("are equal for equal stacks, and differ where only the tag does")
        func tags() throws {
            let (trace, _) = try record([
                (5, 4, nil), (5, 4, nil), (5, 4, "Matrix"), (6, 4, nil), (5, 4, "Row"), (5, 4, "Matrix"), (5, 4, nil),
            ])
            let ids = trace.events.map(\.stack)
            #expect(ids[0] == ids[1])
            #expect(ids[0] == ids[6])
            #expect(ids[2] == ids[5])
            #expect(Set([ids[0], ids[2], ids[3], ids[4]]).count == 4)
            #expect(trace.stacks.frames(of: ids[0]) == trace.stacks.frames(of: ids[2]))
            let tags = ids.map { trace.stacks[$0].flatMap { trace.tags[$0.tag]?.type } }
            #expect(tags == [nil, nil, "Matrix", nil, "Row", "Matrix", nil])
        }

        @Test("of stacks cut at the depth limit keep the innermost frames and say so")
        func truncated() throws {
            let (trace, walks) = try record([(1, 30, nil), (0, 30, nil), (3, 2, nil)], depth: 16)
            for (event, walk) in zip(trace.events.prefix(2), walks) {
                #expect(trace.stacks.frames(of: event.stack) == Array(walk.reference.prefix(16)))
                #expect(trace.stacks[event.stack]?.isTruncated == true)
            }
            #expect(trace.stacks[trace.events[2].stack]?.isTruncated == false)
        }
    }
}
