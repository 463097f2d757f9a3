// Figures as people read them.

extension Comparison {
    /// Seconds with four significant digits or so: `12.345 s`, `123.4 ms`, `1.23 ms`.
    static func duration(_ seconds: Double) -> String {
        if seconds >= 1 { return fixed(seconds, 3) + " s" }
        return fixed(seconds * 1000, seconds >= 0.01 ? 1 : 2) + " ms"
    }

    /// Seconds as they are given to an option: `10 s`, `0.5 s`.
    static func seconds(_ seconds: Double) -> String {
        "\(fixed(seconds, seconds == seconds.rounded() ? 0 : 1)) s"
    }

    /// A median and its spread in the same unit and with the same decimals: `123.4 ms ± 1.2 ms`.
    static func spread(_ spread: Spread) -> String {
        let seconds = spread.median >= 1
        let digits = seconds ? 3 : spread.median >= 0.01 ? 1 : 2
        let deviation = fixed(seconds ? spread.deviation : spread.deviation * 1000, digits)
        return "\(duration(spread.median)) ± \(deviation) \(seconds ? "s" : "ms")"
    }

    /// Bytes in the largest unit of which there is at least one: `512 B`, `57.4 MiB`.
    static func size(_ bytes: Double) -> String {
        if bytes < 1024 { return "\(fixed(bytes, 0)) B" }
        let unit = unit(of: bytes)
        return "\(fixed(bytes / unit.bytes, 1)) \(unit.name)"
    }

    /// A median and its spread in the same unit: `57.4 MiB ± 0.3 MiB`.
    static func sizeSpread(_ spread: Spread) -> String {
        let unit = unit(of: spread.median)
        return "\(size(spread.median)) ± \(fixed(spread.deviation / unit.bytes, 1)) \(unit.name)"
    }

    private static func unit(of bytes: Double) -> (name: String, bytes: Double) {
        var unit = (name: "KiB", bytes: 1024.0)
        for name in ["MiB", "GiB", "TiB"] where bytes >= unit.bytes * 1024 { unit = (name, unit.bytes * 1024) }
        return unit
    }

    /// A count with commas between its thousands, rounded.
    static func grouped(_ count: Double) -> String {
        var groups: [String] = []
        var rest = String(UInt64(count.rounded()))
        while rest.count > 3 {
            groups.insert(String(rest.suffix(3)), at: 0)
            rest.removeLast(3)
        }
        return ([rest] + groups).joined(separator: ",")
    }

    /// A number with exactly `digits` decimals.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
        let scaled = UInt64((value * scale).rounded())
        guard digits > 0 else { return String(scaled) }
        let text = String(repeating: "0", count: max(0, digits + 1 - String(scaled).count)) + String(scaled)
        return "\(text.dropLast(digits)).\(text.suffix(digits))"
    }
}
