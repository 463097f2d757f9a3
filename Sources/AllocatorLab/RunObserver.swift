// What is read of a running program from outside while its end is waited for.

/// Readings made in the pauses of a wait.
struct RunObserver {
    /// The resident set over time; nil where it is not wanted.
    var sampler: ResidentSampler?
    /// The programs that run, and whose malloc their calls reach; nil where the run is measured.
    var lookout: ProcessLookout?

    /// Milliseconds until the next reading is due; nil where nothing is to be read.
    var millisecondsToNext: Int32? {
        [sampler?.millisecondsToNext, lookout?.millisecondsToNext].compactMap { $0 }.min()
    }

    /// Reads what is due.
    mutating func readIfDue() {
        sampler?.readIfDue()
        lookout?.lookIfDue()
    }
}
