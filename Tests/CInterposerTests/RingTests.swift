// Records on their way from many threads to one drain.

import CInterposerTestSupport
import CTraceFormat
import Testing
import TraceReader

extension RecorderCore {
    @Suite("The rings") struct RingTests {
        /// Words of segments that a stream alone can fill before it waits: one segment a stream and the backlog.
        private static let wordsBeforeWaiting = (1 + 256) * (32768 - 64) / 8

        /// How far each thread's events agree with what `ht_test_produce` made, and in its order.
        private func expectExactlyOnce(_ trace: Trace, threads: Int, events: Int, frees: Bool) {
            var next: [UInt64: UInt32] = [:]
            var wrong = 0
            var times: [UInt32: UInt64] = [:]
            var backwards = 0
            for event in trace.events {
                if event.time < times[event.thread.rawValue, default: 0] { backwards += 1 }
                times[event.thread.rawValue] = event.time
                let thread = event.address >> 36
                let step = next[thread, default: 0]
                next[thread] = step + 1
                let producer = UInt32(thread) - 1
                if !frees {
                    if event.kind != .allocation || event.address != ht_test_address(producer, step)
                        || event.size != 16 + UInt64(step & 1023)
                    {
                        wrong += 1
                    }
                    continue
                }
                // Two allocations, then the free of the first.
                let (round, place) = step.quotientAndRemainder(dividingBy: 3)
                let number = place == 1 ? round * 2 + 1 : round * 2
                if event.address != ht_test_address(producer, number) || (event.kind == .free) != (place == 2) {
                    wrong += 1
                }
            }
            #expect(wrong == 0)
            #expect(backwards == 0)
            #expect(next.count == threads)
            #expect(next.values.allSatisfy { Int($0) == (frees ? events * 3 / 2 : events) })
        }

        @Test("carry every record of many threads to one drain exactly once, in each thread's order")
        func manyProducers() throws {
            let session = try RecordingSession(options: RecorderOption.noStacks)
            session.drain()
            let production = ht_test_produce(8, 40_000, true)
            ht_test_production_join(production)
            let (trace, state) = try session.trace()
            expectSound(trace, state)
            expectExactlyOnce(trace, threads: 8, events: 40_000, frees: true)
            #expect(trace.losses.events == 0)
            #expect(trace.threads.count == 8)
        }

        @Test("carry stacks and events of many threads through their own definitions")
        func manyProducersWithStacks() throws {
            let session = try RecordingSession()
            session.drain()
            let production = ht_test_produce(4, 10_000, true)
            ht_test_production_join(production)
            let (trace, state) = try session.trace()
            expectSound(trace, state)
            expectExactlyOnce(trace, threads: 4, events: 10_000, frees: true)
            #expect(trace.events.allSatisfy { $0.kind == .free || trace.stacks.row(of: $0.stack) != nil })
        }

        @Test("make a producer wait when they are full, until the collector drains")
        func fullRingWaits() throws {
            let events = Self.wordsBeforeWaiting / 2 + 20_000
            let session = try RecordingSession(options: RecorderOption.noStacks)
            let production = ht_test_produce(1, UInt32(events), false)
            session.awaitWaiter()
            #expect(!ht_test_production_ended(production))
            #expect(session.state.lost_allocations == 0)
            session.drain()
            ht_test_production_join(production)
            let (trace, state) = try session.trace()
            expectSound(trace, state)
            expectExactlyOnce(trace, threads: 1, events: events, frees: false)
        }

        @Test("wake every one of several waiting producers")
        func severalWaiters() throws {
            let session = try RecordingSession(options: RecorderOption.noStacks, segments: 264)
            let production = ht_test_produce(4, 300_000, false)
            session.awaitWaiter()
            session.drain()
            ht_test_production_join(production)
            let (trace, state) = try session.trace()
            expectSound(trace, state)
            expectExactlyOnce(trace, threads: 4, events: 300_000, frees: false)
        }

        @Test("drop allocations when told to, count each one, and keep room for frees")
        func dropMode() throws {
            let attempted = Self.wordsBeforeWaiting / 2 + 1000
            let session = try RecordingSession(options: RecorderOption.noStacks | RecorderOption.drop)
            let production = ht_test_produce(1, UInt32(attempted), false)
            ht_test_production_join(production)
            let lost = session.state
            #expect(lost.lost_allocations > 0)
            #expect(lost.lost_reason == HT_LOSS_RING_FULL.rawValue)

            let frees = (0..<50_000).map { number in
                ht_test_operation(
                    kind: UInt32(HT_TEST_FREE.rawValue), alignment: 0, address: ht_test_address(0, number), old: 0,
                    size: 0, at: Int64(number), label: nil)
            }
            _ = ht_test_run(frees, frees.count)
            #expect(session.state.lost_frees == 0)

            let (trace, state) = try session.trace()
            expectSound(trace, state)
            #expect(trace.allocations + lost.lost_allocations == UInt64(attempted))
            #expect(trace.frees == 50_000)
            #expect(trace.losses.allocations == lost.lost_allocations)
            #expect(trace.losses.frees == 0)
            #expect(trace.losses.reason == .ringFull)
            let kept = trace.events.filter { $0.kind == .allocation }.reduce(0) { $0 + $1.size }
            let made = (0..<attempted).reduce(UInt64(0)) { $0 + 16 + UInt64($1 & 1023) }
            #expect(kept + trace.losses.bytes == made)
        }

        /// The mark of death is the kernel's, on a robust mutex. The thread sanitizer sees this process's half of it alone: of a collector that is
        /// another process it knows nothing, so its silence says nothing about the order across the two.
        @Test("turn recording off, and say so, when the collector is dead", arguments: [false, true])
        func collectorDeath(process: Bool) throws {
            let session = try RecordingSession(options: RecorderOption.noStacks)
            #expect(session.killCollector(process: process))
            // More than fits: without the mark of death this would wait for ever.
            let production = ht_test_produce(2, UInt32(Self.wordsBeforeWaiting), false)
            ht_test_production_join(production)
            let ended = session.state
            #expect(ended.state == 2)
            #expect(ended.off_reason == HT_LOSS_COLLECTOR_GONE.rawValue)
            let (trace, state) = try session.trace()
            expectSound(trace, state)
            #expect(trace.end?.how == .turnedOff)
            #expect(trace.end?.status == Int(HT_LOSS_COLLECTOR_GONE.rawValue))
            #expect(trace.allocations > 0)
        }

        @Test("give a thread's home back once it has ended and all is read")
        func reaping() throws {
            let session = try RecordingSession(options: RecorderOption.noStacks)
            for _ in 0..<3 {
                let production = ht_test_produce(16, 100, false)
                ht_test_production_join(production)
                session.reap(threadsAlive: true)
                #expect(session.state.live_homes == 16)
                session.reap(threadsAlive: false)
                #expect(session.state.live_homes == 0)
                #expect(session.state.used_segments == 0)
            }
            let (trace, state) = try session.trace()
            expectSound(trace, state)
            #expect(trace.threads.count == 48)
            #expect(trace.allocations == 4800)
        }

        @Test("end a trace that recorded nothing")
        func nothingRecorded() throws {
            let session = try RecordingSession()
            let (trace, state) = try session.trace(how: UInt32(HT_END_SIGNALLED.rawValue), status: 9)
            expectSound(trace, state)
            #expect(trace.end?.how == .signalled)
            #expect(trace.end?.status == 9)
            #expect(trace.events.isEmpty)
        }
    }
}
