// Tables at fixed widths, and numbers as they are written.
import Testing

@testable import ProfileExport

@Suite struct TextTableTests {
    private func table() -> TextTable {
        var table = TextTable([
            .init(title: "owner", isText: true), .init(title: "cause", isText: true, dropOrder: 1),
            .init(title: "allocs"), .init(title: "bytes", dropOrder: 2),
        ])
        table.rows = [
            ["Box<Matrix>", "construct", "1", "505 B"],
            ["Dictionary<String, Array<Observation>>", "growth +1", "12,345", "1.50 MiB"],
        ]
        return table
    }

    @Test func numbersAreAlignedRightAndTextLeft() {
        #expect(
            table().lines(TextStyle(width: 80)) == [
                "owner                                   cause      allocs     bytes",
                "Box<Matrix>                             construct       1     505 B",
                "Dictionary<String, Array<Observation>>  growth +1  12,345  1.50 MiB",
            ])
    }

    @Test func longNamesAreShortenedInTheMiddle() {
        #expect(
            table().lines(TextStyle(width: 58))
                == [
                    "owner                          cause      allocs     bytes",
                    "Box<Matrix>                    construct       1     505 B",
                    "Dictionary<Str…<Observation>>  growth +1  12,345  1.50 MiB",
                ])
    }

    @Test func aShortenedCallSiteKeepsItsFileAndLine() {
        let site = "static Module.Type.veryLongFunctionName(with:and:) (File.swift:85)"
        #expect(TextTable.shortened(site, to: 40) == "static Module.Type.very… (File.swift:85)")
        #expect(TextTable.shortened("f(std::map<int, int>)", to: 12) == "f(std:…int>)")
    }

    @Test func columnsThatMatterLeastAreLeftOutWhenItGetsTight() {
        let lines = table().lines(TextStyle(width: 44))
        #expect(lines[0] == "owner                      cause      allocs")
        #expect(lines.allSatisfy { $0.count <= 44 })
    }

    @Test func noLineIsWiderThanAsked() {
        for width in 40...120 {
            for line in table().lines(TextStyle(width: width)) { #expect(line.count <= width) }
        }
    }

    @Test func colourIsOnTheTitleLineOnly() {
        let lines = table().lines(TextStyle(width: 80, isColoured: true))
        #expect(lines[0].hasPrefix("\u{1B}[1mowner") && lines[0].hasSuffix("\u{1B}[0m"))
        #expect(!lines[1].contains("\u{1B}"))
    }

    @Test(arguments: [
        (0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (-12_345, "-12,345"),
        (Int.min, "-9,223,372,036,854,775,808"),
    ])
    func countsHaveThousandsSeparators(value: Int, text: String) { #expect(NumberText.count(value) == text) }

    @Test(arguments: [
        (0, "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (1536, "1.50 KiB"), (10_240, "10.0 KiB"),
        (1_048_575, "1.00 MiB"), (104_857_600, "100 MiB"), (-2048, "-2.00 KiB"), (Int.max, "8.00 EiB"),
    ])
    func bytesHaveBinaryUnitsAndThreeDigits(value: Int, text: String) { #expect(NumberText.bytes(value) == text) }

    @Test func sharesAndDurationsAreShort() {
        #expect(NumberText.percent(0.1234) == "12.3%")
        #expect(NumberText.percent(1) == "100.0%")
        #expect(NumberText.percent(nil) == "–")
        #expect(NumberText.duration(999) == "999 ns")
        #expect(NumberText.duration(1_500) == "1.5 µs")
        #expect(NumberText.duration(2_345_678) == "2.3 ms")
        #expect(NumberText.duration(12_345_678_901) == "12.35 s")
    }

    @Test func whatWouldSteerATerminalIsNotPrinted() {
        #expect(FrameText.printable("a\u{1B}[31mb\nc\u{202E}d") == "a?[31mb?c?d")
        #expect(FrameText.printable("Größe<ß>") == "Größe<ß>")
    }
}
