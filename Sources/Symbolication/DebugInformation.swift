// The one file that touches C: an ELF file with its debug information behind a Swift class, and libiberty's demanglers.
//
// It copies what C answers into Swift values; nothing of C leaves this file. A handle belongs to one Symbolicator and is
// used from one thread at a time.
internal import CDebugInfo

#if canImport(Glibc)
internal import Glibc
#endif

/// The symbols and debug information of one ELF file.
final class DebugInformation {
    /// Why a file gives no symbols.
    enum OpenError: Error {
        case notFound
        case unreadable
        case notELF
        case buildIDDiffers
        /// It has no build id and was written after the recording.
        case isNewer
    }

    /// A function as DWARF declares it, before demangling.
    struct Function {
        var name: String?
        var scope: String?
        var linkageName: String?
        var languageCode: UInt32
        var templateArguments: [String]
    }

    /// One frame: which function, and where in its source.
    struct Place {
        /// For `function(_:)`; nil when only the symbol table knows the address. The same function has the same number.
        var function: Int32?
        /// The symbol that covers the address, of the outermost frame only.
        var symbol: String?
        var file: String?
        var line: Int?
        var isInlined: Bool
    }

    private let handle: OpaquePointer
    private let buffer: UnsafeMutableBufferPointer<ht_debug_frame>
    /// Strings by their address: C gives the same one for the same file or symbol, as long as the file is open.
    private var files: [UnsafePointer<CChar>: String?] = [:]
    private var symbols: [UnsafePointer<CChar>: String] = [:]

    /// Opens the file at `path`, which must carry `buildID` unless that is empty, with its separate debug file.
    /// - Parameter symbolsOnly: functions are named by the symbol table alone, as those of the language C.
    init(
        path: String, buildID: [UInt8], debugDirectories: [String], symbolsOnly: Bool = false
    ) throws(OpenError) {
        let directories = debugDirectories.map { strdup($0) }
        defer { directories.forEach { free($0) } }
        var opened: OpaquePointer?
        let status = directories.map { UnsafePointer($0) }.withUnsafeBufferPointer { list in
            ht_debug_open(path, buildID, buildID.count, list.baseAddress, list.count, symbolsOnly, &opened)
        }
        switch Int(status) {
        case HT_DEBUG_NOT_FOUND: throw .notFound
        case HT_DEBUG_NOT_ELF: throw .notELF
        case HT_DEBUG_BUILD_ID_DIFFERS: throw .buildIDDiffers
        default: break
        }
        guard let opened else { throw .unreadable }
        handle = opened
        buffer = .allocate(capacity: Int(HT_DEBUG_MAX_FRAMES))
    }

    deinit {
        ht_debug_close(handle)
        buffer.deallocate()
    }

    /// Whether all of it lies in the file and its debug file, none in split files (.dwo) beside the objects. Known once an address was asked for.
    var isWholeInItsFiles: Bool { ht_debug_has_split_units(handle) == 0 }

    /// The frames at an ELF virtual address, innermost first; empty when nothing is known there.
    func places(at address: UInt64) -> [Place] {
        let count = ht_debug_frames(handle, address, buffer.baseAddress, buffer.count)
        return buffer[..<count].map { frame in
            Place(
                function: frame.function == HT_DEBUG_NO_FUNCTION ? nil : frame.function,
                symbol: symbol(frame.symbol), file: file(frame.file, directory: frame.directory),
                line: frame.line == 0 ? nil : Int(frame.line), isInlined: frame.is_inlined != 0)
        }
    }

    /// Where the function starts that the call before `returnAddress` was meant for, if that is not the one that holds
    /// `inner` (nil: a function of another file).
    func callTarget(returnAddress: UInt64, inner: UInt64?) -> UInt64? {
        var target: UInt64 = 0
        return ht_debug_call_target(handle, returnAddress, inner ?? 0, &target) ? target : nil
    }

    /// The function of a number that `places(at:)` gave.
    func function(_ number: Int32) -> Function {
        guard let function = ht_debug_function_at(handle, number)?.pointee else {
            return Function(name: nil, scope: nil, linkageName: nil, languageCode: 0, templateArguments: [])
        }
        return Function(
            name: string(function.name), scope: string(function.scope), linkageName: string(function.linkage_name),
            languageCode: function.language,
            templateArguments: strings(function.template_arguments, count: Int(function.template_argument_count)))
    }

    /// What the code around the call that returns to an ELF virtual address says of the block that it allocates.
    func allocation(returningTo address: UInt64) -> AllocationEvidence? {
        var found = ht_debug_allocation()
        guard ht_debug_allocation_at(handle, address, &found) else { return nil }
        var evidence = AllocationEvidence()
        evidence.isCut = found.is_cut != 0
        evidence.isArray = found.is_array != 0
        evidence.isFilledInPlace = found.is_filled_in_place != 0
        switch Int(found.size_kind) {
        case HT_SIZE_CONSTANT: evidence.size = .constant(found.size)
        case HT_SIZE_VARIABLE: evidence.size = .variable
        case HT_SIZE_PLUS_ONE: evidence.size = .plusOne
        default: break
        }
        withUnsafeBytes(of: &found.hints) { bytes in
            for hint in bytes.bindMemory(to: ht_debug_hint.self).prefix(found.hint_count) {
                guard let kind = Self.kinds[Int(hint.kind)], let name = hint.name else { continue }
                evidence.hints.append(
                    AllocationEvidence.Hint(
                        kind: kind, name: String(cString: name), argument: Int(hint.argument), count: Int(hint.count)))
            }
        }
        return evidence
    }

    /// What the call that returns to an ELF virtual address asks of Rust's allocator.
    func rustRequest(returningTo address: UInt64) -> RustRequest? {
        var found = ht_debug_rust_request()
        guard ht_debug_rust_request_at(handle, address, &found) else { return nil }
        if found.counted != 0 {
            return RustRequest(size: nil, alignment: 8, isOfElements: false, counted: found.counted == 2 ? "arc" : "rc")
        }
        return RustRequest(
            size: found.has_size != 0 ? found.size : nil, alignment: found.align, isOfElements: found.is_element != 0,
            isVector: found.is_vector != 0, isValue: found.is_value != 0)
    }

    private static let kinds: [Int: AllocationEvidence.Kind] = [
        Int(HT_HINT_PASSED): .passed, Int(HT_HINT_STORED): .stored, Int(HT_HINT_NEAR): .near,
        Int(HT_HINT_CHECK): .check, Int(HT_HINT_CALLED): .called, Int(HT_HINT_MANAGED): .managed,
        Int(HT_HINT_CONSTRUCTED): .constructed,
    ]

    private func symbol(_ pointer: UnsafePointer<CChar>?) -> String? {
        guard let pointer else { return nil }
        if let known = symbols[pointer] { return known }
        let result = String(cString: pointer)
        symbols[pointer] = result
        return result
    }

    private func file(_ pointer: UnsafePointer<CChar>?, directory: UnsafePointer<CChar>?) -> String? {
        guard let pointer else { return nil }
        // A file belongs to one unit and so has one directory.
        if let known = files[pointer] { return known }
        let result = joined(directory: string(directory), file: string(pointer))
        files[pointer] = .some(result)
        return result
    }

    private func string(_ pointer: UnsafePointer<CChar>?) -> String? {
        guard let pointer, pointer.pointee != 0 else { return nil }
        return String(cString: pointer)
    }

    private func strings(_ pointer: UnsafePointer<CChar>?, count: Int) -> [String] {
        guard var next = pointer else { return [] }
        return (0..<count).map { _ in
            defer { next += strlen(next) + 1 }
            return String(cString: next)
        }
    }

    private func joined(directory: String?, file: String?) -> String? {
        // "???" is libdw's name for a file that is not known; code that a compiler made up has no file.
        guard var file, file != "???", !file.hasSuffix("<compiler-generated>") else { return nil }
        while file.hasPrefix("//") { file.removeFirst() }
        guard let directory, !file.hasPrefix("/") else { return file }
        return directory.hasSuffix("/") ? directory + file : directory + "/" + file
    }
}

/// libiberty's demanglers.
enum ItaniumDemangler {
    /// Demangles a C++ name, without its parameters; nil when it is none.
    static func cxx(_ name: String) -> String? { take(ht_debug_demangle_cxx(name)) }

    /// Demangles a Rust name of either scheme, without its hash; nil when it is none.
    static func rust(_ name: String) -> String? { take(ht_debug_demangle_rust(name)) }

    private static func take(_ result: UnsafeMutablePointer<CChar>?) -> String? {
        guard let result else { return nil }
        defer { free(result) }
        return String(cString: result)
    }
}
