// Connections that are made once and reused.

import Glibc
import HeaptrailTags
import SmartPointers

/// What a pool is for: expensive to make, cheap to reuse. Its requests are counted by whoever holds it.
private final class Connection {
    var requests = 0

    @inline(never)
    static func open() -> Connection { opaque(Connection()) }
}

/// Four connections serve 84 requests; a fifth holder gets none in time.
enum PoolWorkload: Workload {
    static let name = "pool"
    static let summary = "a bounded pool with timeout: four connections made once and reused"

    static let capacity = 4

    // The pool itself is its object, its lock, its condition, and its list of idle items.
    static let expected = [
        ExpectedRow("Class", "Pool<Connection>", .construct, allocations: 4),
        ExpectedRow("Class", "Connection", .construct, allocations: capacity),
    ]

    static func run(_ options: Options) throws(WorkloadError) {
        do throws(PoolError) {
            try withOwnerTagsSuspended { () throws(PoolError) in _ = try makePool().acquire(timeout: .zero) }
            let pool = makePool()
            try occupyAll(pool)
            for _ in 0..<80 {
                let connection = try pool.acquire(timeout: .seconds(1))
                connection.item.requests += 1
            }
            try countRequests(pool)
        } catch {
            throw WorkloadError(message: "an idle pool gave no connection: \(error)")
        }
    }

    private static func makePool() -> Pool<Connection> {
        Pool(capacity: capacity) { attributed("Class", "Connection", .construct) { Connection.open() } }
    }

    /// Holds every connection at once, and asks for one more.
    private static func occupyAll(_ pool: Pool<Connection>) throws(PoolError) {
        let first = try pool.acquire(timeout: .zero)
        let second = try pool.acquire(timeout: .zero)
        let third = try pool.acquire(timeout: .zero)
        let fourth = try pool.acquire(timeout: .zero)
        for connection in [first.item, second.item, third.item, fourth.item] { connection.requests += 1 }
        do throws(PoolError) {
            _ = try pool.acquire(timeout: .milliseconds(10))
            say("pool: a fifth connection, which is one too many")
        } catch {
            say("pool: with all \(capacity) held, a fifth request \(error)")
        }
    }

    private static func countRequests(_ pool: Pool<Connection>) throws(PoolError) {
        let first = try pool.acquire(timeout: .zero)
        let second = try pool.acquire(timeout: .zero)
        let third = try pool.acquire(timeout: .zero)
        let fourth = try pool.acquire(timeout: .zero)
        let requests =
            first.item.requests + second.item.requests + third.item.requests + fourth.item.requests
        say("pool: \(requests) requests over \(pool.itemsMade) connections")
    }
}
