// Numbers as people read them: thousands separated, bytes in binary units, shares in percent. No locale: the same text everywhere.

/// Numbers as people read them.
public enum NumberText {
    /// `1234567` as `1,234,567`.
    static func count(_ value: Int) -> String {
        let digits = String(value.magnitude)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return value < 0 ? "-" + text : text
    }

    /// `1536` as `1.50 KiB`: three digits, binary units.
    public static func bytes(_ value: Int) -> String {
        if value.magnitude < 1024 { return "\(value) B" }
        var amount = Double(value)
        var unit = 0
        let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        while abs(amount) >= 1023.5, unit < units.count - 1 {
            amount /= 1024
            unit += 1
        }
        let decimals = abs(amount) < 9.995 ? 2 : abs(amount) < 99.95 ? 1 : 0
        return fixed(amount, decimals) + " " + units[unit]
    }

    /// `0.1234` as `12.3%`.
    static func percent(_ share: Double?) -> String {
        guard let share, share.isFinite else { return "–" }
        return fixed(share * 100, 1) + "%"
    }

    /// Nanoseconds in the unit that suits them.
    public static func duration(_ nanoseconds: Int) -> String {
        let value = Double(nanoseconds)
        if value < 1e3 { return "\(nanoseconds) ns" }
        if value < 1e6 { return fixed(value / 1e3, 1) + " µs" }
        if value < 1e9 { return fixed(value / 1e6, 1) + " ms" }
        return fixed(value / 1e9, 2) + " s"
    }

    /// A number with exactly `decimals` digits behind the point.
    static func fixed(_ value: Double, _ decimals: Int) -> String {
        var scale = 1
        for _ in 0..<decimals { scale *= 10 }
        guard let scaled = Int(exactly: (abs(value) * Double(scale)).rounded()) else { return String(value) }
        let fraction = String(scaled % scale)
        let sign = value < 0 && scaled != 0 ? "-" : ""
        if decimals == 0 { return sign + String(scaled) }
        return sign + String(scaled / scale) + "."
            + String(repeating: "0", count: decimals - fraction.count) + fraction
    }
}
