// How much memory the machine has to give.

/// Memory of the machine as a whole.
enum AvailableMemory {
    /// Bytes that programs can take without others being swapped out, as the kernel estimates (`MemAvailable` of `/proc/meminfo`); nil where it
    /// does not say.
    static var bytes: UInt64? { FileProbe.text(of: "/proc/meminfo").flatMap(bytes(in:)) }

    /// The figure in a text of the form of `/proc/meminfo`.
    static func bytes(in text: String) -> UInt64? {
        for line in text.split(separator: "\n") where line.hasPrefix("MemAvailable:") {
            guard let number = line.split(separator: " ").dropFirst().first, let kibibytes = UInt64(number) else {
                return nil
            }
            return kibibytes.multipliedReportingOverflow(by: 1024).partialValue
        }
        return nil
    }
}
