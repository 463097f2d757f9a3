// The free lists of the shared region.

import CInterposerTestSupport
import Testing

extension RecorderCore {
    @Suite("The shared region's free lists") struct RegionTests {
        @Test("hand out every segment once, and again after they came back")
        func exhaustion() {
            let lists = ht_test_exhaust(200)
            #expect(lists.segments_taken == 200)
            #expect(lists.taken_again == 200)
            // Fewer segments than the backlog: no stream may open.
            #expect(lists.homes_taken == 0)
            #expect(lists.doubly_owned == 0)
        }

        @Test("are those of one version: a region of another is not taken")
        func versions() {
            let version = ht_test_region_version()
            #expect(ht_test_maps_region(version))
            #expect(!ht_test_maps_region(version - 1))
            #expect(!ht_test_maps_region(version + 1))
        }

        @Test("hold no more segments than fit the region")
        func wholeRegion() {
            let lists = ht_test_exhaust(0)
            #expect(lists.segments_taken == lists.taken_again)
            #expect(lists.segments_taken > 3000)
            #expect(lists.homes_taken == 4096)
            #expect(lists.doubly_owned == 0)
        }

        @Test("never give one segment to two threads, nor lose one", arguments: [2, 4, 8])
        func contention(threads: Int) {
            // Few segments beside many takers: heads are popped, pushed back and popped again all the time.
            let segments: UInt32 = UInt32(threads) + 3
            let lists = ht_test_contend(UInt32(threads), 20_000, 5, segments)
            #expect(lists.doubly_owned == 0)
            #expect(lists.lost == 0)
            #expect(lists.segments_taken == segments)
        }

        @Test("brake at one segment a stream and the backlog", arguments: [(0, 8), (3, 8), (100, 64)])
        func backlog(homes: Int, backlog: Int) {
            #expect(ht_test_backlog(UInt32(homes), UInt32(backlog)) == UInt32(homes + backlog))
        }
    }
}
