// What in a program's file itself speaks against recording it: parts that are missing, a sanitizer's allocator.

internal import Symbolication

extension Program {
    private static let sanitizers = [
        "__asan_init": "AddressSanitizer", "__hwasan_init": "HWAddressSanitizer", "__lsan_init": "LeakSanitizer",
        "__msan_init": "MemorySanitizer", "__tsan_init": "ThreadSanitizer",
    ]

    /// Throws for a file that the kernel would not run to its end, and for one whose sanitizer stops the program, or
    /// crashes it, where it does not come first among the libraries.
    static func checkFile(_ path: String, name: String) throws(ProgramError) {
        let file: ELFFile
        do {
            file = try ELFFile(path: path)
        } catch .truncated(let needed, let size) {
            throw .unsuitable(name, reason: "damaged: \(size) bytes long, its headers end at \(needed)")
        } catch {
            return  // The kernel's to judge.
        }
        if let damage = file.damage.first(where: { $0.hasPrefix("a segment") }) {
            throw .unsuitable(name, reason: "damaged: \(damage)")
        }
        let names = sanitizers.keys.sorted()
        let found = file.symbols(among: names, in: .dynamic, defined: false)
            .union(file.symbols(among: names, in: .dynamic, defined: true))
        if let sanitizer = found.min().flatMap({ sanitizers[$0] }) {
            throw .unsuitable(
                name,
                reason: "built with \(sanitizer), whose allocator bears no preload; record a build without -fsanitize")
        }
    }
}
