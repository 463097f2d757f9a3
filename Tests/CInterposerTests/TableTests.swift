// The table that turns hashes of stacks into ids.

import CInterposerTestSupport
import Testing

extension RecorderCore {
    @Suite("The table of stacks") final class TableTests {
        let table = ht_test_table_make(4)

        deinit { ht_test_table_free(table) }

        @Test("knows nothing before the first insert, and what was inserted after it")
        func insertAndFind() {
            #expect(ht_test_table_find(table, ht_test_hash(1)) == 0)
            #expect(ht_test_table_insert(table, ht_test_hash(1), 7))
            #expect(ht_test_table_find(table, ht_test_hash(1)) == 7)
            #expect(ht_test_table_find(table, ht_test_hash(2)) == 0)
        }

        @Test("keeps every id while it grows to a million")
        func growth() {
            let keys: UInt32 = 1_000_000
            var stored: UInt32 = 0
            for key in 1...keys where ht_test_table_insert(table, ht_test_hash(UInt64(key)), key) { stored += 1 }
            #expect(stored == keys)
            var wrong = 0
            for key in 1...keys where ht_test_table_find(table, ht_test_hash(UInt64(key))) != key { wrong += 1 }
            #expect(wrong == 0)
            #expect(ht_test_table_levels(table) > 10)
        }

        @Test("moves an entry to the newest level when it is used")
        func migration() {
            let first = ht_test_hash(1)
            var key: UInt32 = 1
            while ht_test_table_levels(table) < 3 {
                #expect(ht_test_table_insert(table, ht_test_hash(UInt64(key)), key))
                key += 1
            }
            #expect(!ht_test_table_newest_holds(table, first))
            #expect(ht_test_table_find(table, first) == 1)
            #expect(ht_test_table_newest_holds(table, first))
        }

        @Test("never answers with another stack's id while eight threads fill it")
        func concurrentInserts() {
            let keys: UInt32 = 65_536
            let counts = ht_test_table_contend(table, 8, keys)
            #expect(counts.wrong == 0)
            #expect(counts.found + counts.missing == UInt64(keys))
            // A lost race drops an insert; all threads having dropped the same key is rare.
            #expect(counts.missing < UInt64(keys) / 100)
        }

        @Test("is empty and usable after a reset")
        func reset() {
            for key in UInt32(1)...1000 {
                _ = ht_test_table_insert(table, ht_test_hash(UInt64(key)), key)
            }
            ht_test_table_reset(table)
            #expect(ht_test_table_levels(table) == 0)
            #expect(ht_test_table_find(table, ht_test_hash(5)) == 0)
            #expect(ht_test_table_insert(table, ht_test_hash(5), 9))
            #expect(ht_test_table_find(table, ht_test_hash(5)) == 9)
        }
    }
}
