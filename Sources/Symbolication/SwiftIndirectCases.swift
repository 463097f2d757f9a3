// Which enumerations have which indirect cases: it tells the payload of one from other users of the same kind of heap context.

/// The payloads of a file's indirect cases.
struct SwiftIndirectCases {
    private static let largestSection: UInt64 = 64 << 20
    private static let isIndirect: UInt32 = 1
    private static let enumeration: UInt32 = 2
    private static let payloadEnumeration: UInt32 = 3

    /// nil where several enumerations have the same.
    private var payloads: [SwiftType: SwiftType?] = [:]

    /// Reads the fields of a file's types. O(types).
    init(_ file: DescriptorFile) {
        let image = file.image
        for section in image.sections("swift5_fieldmd") where section.bytes <= Self.largestSection {
            let end = section.address &+ section.bytes
            var address = section.address
            // The mangled name, the superclass, kind and record size, the number of records.
            while address &+ 16 <= end, let header = image.words(at: address, count: 4) {
                let kind = header[2] & 0xFFFF
                let size = UInt64(header[2] >> 16)
                let count = UInt64(header[3])
                let records = address &+ 16
                guard size >= 12 || count == 0, count <= (end &- records) / max(size, 1) else { break }
                address = records &+ count &* size
                guard kind == Self.enumeration || kind == Self.payloadEnumeration else { continue }
                note(file, owner: records &- 16, first: records, size: size, count: count)
            }
        }
    }

    private mutating func note(_ file: DescriptorFile, owner: UInt64, first: UInt64, size: UInt64, count: UInt64) {
        for index in 0..<count {
            let record = first &+ index &* size
            guard let flags = file.image.word(at: record), flags & Self.isIndirect != 0,
                let text = file.image.relative(at: record &+ 4), let payload = file.type(at: text),
                let name = file.image.relative(at: owner), let type = file.type(at: name)
            else { continue }
            let key = payload.withoutLabels
            if let known = payloads[key], known != type {
                payloads[key] = .some(nil)
            } else {
                payloads[key] = type
            }
        }
    }

    /// The enumeration of which `payload` is an indirect case's; nil where there is none, and where there are several.
    func enumeration(ofPayload payload: SwiftType) -> SwiftType? { payloads[payload.withoutLabels] ?? nil }
}

extension SwiftType {
    /// The type as captures describe it: without the labels of a tuple.
    var withoutLabels: SwiftType {
        guard case .tuple(let elements) = self else { return self }
        return .tuple(elements.map { .init($0.type) })
    }
}
