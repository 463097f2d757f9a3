// The C library is named by its symbols alone, whatever debug files are installed.
import Foundation
import Testing

@testable import Symbolication

@Suite struct CLibraryTests {
    @Test(arguments: [
        "/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib64/ld-linux-x86-64.so.2", "/lib/libm-2.28.so",
        "/usr/lib/libpthread.so.0",
    ])
    func `parts of the C library are known by their names`(path: String) {
        #expect(CLibrary.contains(path: path))
    }

    @Test(arguments: [
        "/usr/lib/libcrypto.so.3", "/usr/lib/x86_64-linux-gnu/libc++.so.1", "/home/a/libc.so.6", "/usr/lib/libc",
        "/lib/.so", "",
        "/usr/lib/libc-extra.so",
    ])
    func `others are not`(path: String) {
        #expect(!CLibrary.contains(path: path))
    }

    @Test(
        .enabled(
            if: FileManager.default.fileExists(atPath: "/lib/x86_64-linux-gnu/libc.so.6"), "no libc where Debian has it"
        ))
    func `its functions have names, a language and no lines`() throws {
        let path = "/lib/x86_64-linux-gnu/libc.so.6"
        var found: UInt64?
        try ELFFile(path: path).forEachSymbol(in: .dynamic) { symbol in
            if String(decoding: symbol.name, as: UTF8.self) == "qsort" { found = symbol.address }
            return found == nil
        }
        let frames = Symbolicator().frames(in: ModuleDescription(path: path, buildID: []), at: try #require(found))
        #expect(frames.map(\.function) == ["qsort"])
        #expect(frames.map(\.language) == [.c])
        #expect(frames.first?.file == nil)
    }
}
