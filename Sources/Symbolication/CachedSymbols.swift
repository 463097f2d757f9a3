// The form of a cache file: a header, then tables of 32-bit numbers that name each other by position, then the texts. It is read in place: a look-up
// is a binary search, and a text is made when it is first asked for. Nothing in it is believed: a file whose checksum, sizes or numbers do not fit
// is no file. Native byte order, for a cache does not travel.
//
//   8 magic "HTSYMC02"   8 checksum of the rest   6 × 4 counts of inputs, places, frames, arguments, texts, bytes of texts
//   inputs 4 text 4 –  8 bytes 8 seconds 8 nanoseconds · places 8 offset 4 first frame 4 frames, by offset
//   frames 4 function 4 linkage name 4 file + 1 4 line 4 flags (1 inlined, language << 8) 4 first argument 4 arguments
//   arguments 4 text · texts 4 end of each · bytes

/// What a cache file says of a module.
final class CachedSymbols {
    static let magic: [UInt8] = Array("HTSYMC02".utf8)
    static let languages: [SourceLanguage] = [.unknown, .swift, .rust, .cxx, .c]
    private static let headerBytes = 40
    private static let inputBytes = 32
    private static let placeBytes = 16
    private static let frameBytes = 28

    private let bytes: [UInt8]
    private(set) var inputs = SymbolCacheInputs(files: [])
    private let placeCount: Int
    private let frameCount: Int
    private let argumentCount: Int
    private let textCount: Int
    private let places: Int
    private let frames: Int
    private let arguments: Int
    private let ends: Int
    private let textStart: Int
    private var texts: [String?]

    /// Reads the bytes of a file; nil when they are none of one.
    init?(parsing bytes: [UInt8]) {
        guard bytes.count >= Self.headerBytes, bytes.starts(with: Self.magic),
            Self.load(bytes, 8, UInt64.self) == Self.checksum(bytes[16...])
        else { return nil }
        let counts = (0..<6).map { Int(Self.load(bytes, 16 + 4 * $0, UInt32.self)) }
        self.bytes = bytes
        (placeCount, frameCount, argumentCount, textCount) = (counts[1], counts[2], counts[3], counts[4])
        places = Self.headerBytes + counts[0] * Self.inputBytes
        frames = places + placeCount * Self.placeBytes
        arguments = frames + frameCount * Self.frameBytes
        ends = arguments + argumentCount * 4
        textStart = ends + textCount * 4
        guard textStart + counts[5] == bytes.count else { return nil }
        var end = 0
        for number in 0..<textCount {
            let next = Int(Self.load(bytes, ends + number * 4, UInt32.self))
            guard next >= end, next <= counts[5] else { return nil }
            end = next
        }
        texts = Array(repeating: nil, count: textCount)
        for number in 0..<counts[0] {
            let at = Self.headerBytes + number * Self.inputBytes
            guard let path = text(Int(Self.load(bytes, at, UInt32.self))) else { return nil }
            inputs.files.append(
                SymbolCacheInputs.File(
                    path: path, bytes: Self.load(bytes, at + 8, Int64.self),
                    seconds: Self.load(bytes, at + 16, Int64.self),
                    nanoseconds: Self.load(bytes, at + 24, Int64.self)))
        }
    }

    private static func load<Number: FixedWidthInteger>(_ bytes: [UInt8], _ at: Int, _: Number.Type) -> Number {
        bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: at, as: Number.self) }
    }

    /// FNV-1a by words of eight bytes.
    static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.withUnsafeBytes { buffer in
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325
            var at = 0
            while at + 8 <= buffer.count {
                hash = (hash ^ buffer.loadUnaligned(fromByteOffset: at, as: UInt64.self)) &* 0x100_0000_01b3
                hash ^= hash >> 29
                at += 8
            }
            for byte in buffer[at...] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            return hash
        }
    }

    private func text(_ number: Int) -> String? {
        guard number < textCount else { return nil }
        if let known = texts[number] { return known }
        let start = number == 0 ? 0 : Int(Self.load(bytes, ends + (number - 1) * 4, UInt32.self))
        let end = Int(Self.load(bytes, ends + number * 4, UInt32.self))
        let text = String(decoding: bytes[textStart + start..<textStart + end], as: UTF8.self)
        texts[number] = text
        return text
    }

    /// Every offset that is known, ascending.
    var offsets: [UInt64] {
        (0..<placeCount).map { Self.load(bytes, places + $0 * Self.placeBytes, UInt64.self) }
    }

    /// The frames at an offset, none where the files know nothing of it; nil where they were not asked. O(log n).
    func frames(at offset: UInt64, modulePath: String) -> [SymbolicatedFrame]? {
        var low = 0
        var high = placeCount
        while low < high {
            let middle = (low + high) / 2
            if Self.load(bytes, places + middle * Self.placeBytes, UInt64.self) < offset {
                low = middle + 1
            } else {
                high = middle
            }
        }
        let at = places + low * Self.placeBytes
        guard low < placeCount, Self.load(bytes, at, UInt64.self) == offset else { return nil }
        let first = Int(Self.load(bytes, at + 8, UInt32.self))
        let count = Int(Self.load(bytes, at + 12, UInt32.self))
        guard first + count <= frameCount else { return nil }
        var result: [SymbolicatedFrame] = []
        result.reserveCapacity(count)
        for number in first..<first + count {
            guard let frame = frame(number, modulePath: modulePath) else { return nil }
            result.append(frame)
        }
        return result
    }

    private func frame(_ number: Int, modulePath: String) -> SymbolicatedFrame? {
        func field(_ index: Int) -> Int {
            Int(Self.load(bytes, frames + number * Self.frameBytes + index * 4, UInt32.self))
        }
        let flags = field(4)
        let firstArgument = field(5)
        let lastArgument = firstArgument + field(6)
        guard let function = text(field(0)), let linkageName = text(field(1)), lastArgument <= argumentCount,
            flags >> 8 < Self.languages.count, field(2) == 0 || text(field(2) - 1) != nil
        else { return nil }
        var names: [String] = []
        for argument in firstArgument..<lastArgument {
            guard let name = text(Int(Self.load(bytes, arguments + argument * 4, UInt32.self))) else { return nil }
            names.append(name)
        }
        return SymbolicatedFrame(
            function: function, linkageName: linkageName, file: field(2) == 0 ? nil : text(field(2) - 1),
            line: field(3) == 0 ? nil : field(3), isInlined: flags & 1 != 0, language: Self.languages[flags >> 8],
            templateArguments: names, modulePath: modulePath)
    }
}

extension CachedSymbols {
    /// The bytes of a file that says this. O(n log n).
    static func encode(_ known: [UInt64: [SymbolicatedFrame]], inputs: SymbolCacheInputs) -> [UInt8] {
        var numbers: [String: UInt32] = [:]
        var texts: [UInt8] = []
        var ends: [UInt32] = []
        func number(_ text: String) -> UInt32 {
            if let known = numbers[text] { return known }
            texts += text.utf8
            ends.append(UInt32(texts.count))
            numbers[text] = UInt32(ends.count - 1)
            return UInt32(ends.count - 1)
        }
        var places: [UInt8] = []
        var frames: [UInt8] = []
        var arguments: [UInt8] = []
        var frameCount = 0
        for (offset, found) in known.sorted(by: { $0.key < $1.key }) {
            append(offset, to: &places)
            append(UInt32(frameCount), to: &places)
            append(UInt32(found.count), to: &places)
            frameCount += found.count
            for frame in found {
                let language = UInt32(languages.firstIndex(of: frame.language) ?? 0)
                append(number(frame.function), to: &frames)
                append(number(frame.linkageName), to: &frames)
                append(frame.file.map { number($0) + 1 } ?? 0, to: &frames)
                append(UInt32(clamping: frame.line ?? 0), to: &frames)
                append(language << 8 | (frame.isInlined ? 1 : 0), to: &frames)
                append(UInt32(arguments.count / 4), to: &frames)
                append(UInt32(frame.templateArguments.count), to: &frames)
                for argument in frame.templateArguments { append(number(argument), to: &arguments) }
            }
        }
        var files: [UInt8] = []
        for file in inputs.files {
            append(number(file.path), to: &files)
            append(0 as UInt32, to: &files)
            for value in [file.bytes, file.seconds, file.nanoseconds] { append(value, to: &files) }
        }
        var rest: [UInt8] = []
        let counts = [inputs.files.count, known.count, frameCount, arguments.count / 4, ends.count, texts.count]
        for count in counts { append(UInt32(count), to: &rest) }
        rest += files + places + frames + arguments
        for end in ends { append(end, to: &rest) }
        rest += texts
        var bytes = magic
        append(checksum(rest[...]), to: &bytes)
        return bytes + rest
    }

    private static func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: number) { bytes += $0 }
    }
}
