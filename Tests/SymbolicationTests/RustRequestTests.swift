// What the layout that Rust code passes to its allocator tells, and what it does not.

import Testing

@testable import Symbolication

@Suite("What Rust code asks its allocator for")
struct RustRequestTests {
    @Test(
        "one byte's alignment is text or bytes, a vector's code asks for an array, and a size alone tells nothing",
        arguments: [
            (RustRequest(size: nil, alignment: 1, isOfElements: false), "bytes"),
            (RustRequest(size: 12, alignment: 1, isOfElements: false), "bytes"),
            (RustRequest(size: nil, alignment: 8, isOfElements: false, isVector: true), "array"),
            (RustRequest(size: 64, alignment: 8, isOfElements: false, isVector: true), "array"),
            (RustRequest(size: 64, alignment: 8, isOfElements: false), "object"),
            (RustRequest(size: 64, alignment: 8, isOfElements: false, isValue: true), "box"),
            (RustRequest(size: 4, alignment: 1, isOfElements: false, isValue: true), "box"),
            (RustRequest(size: 64, alignment: 16, isOfElements: false, isValue: true), "object"),
            (RustRequest(size: nil, alignment: 8, isOfElements: false), "object"),
            (RustRequest(size: nil, alignment: 8, isOfElements: false, counted: "arc"), "arc"),
            (RustRequest(size: nil, alignment: 16, isOfElements: false), "table"),
            (RustRequest(size: 1, alignment: 1, isOfElements: true), "bytes"),
            (RustRequest(size: 24, alignment: 8, isOfElements: true), "elements<24>"),
        ])
    func kinds(request: RustRequest, kind: String) {
        #expect(request.kind == kind)
    }
}
