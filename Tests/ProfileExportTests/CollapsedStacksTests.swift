// Collapsed stacks, line by line.
import HeapAnalysis
import ProfileExport
import Testing

@Suite struct CollapsedStacksTests {
    @Test func stacksAreWrittenOutermostFirstMergedAndSorted() throws {
        let text = CollapsedStacks(profile: try SampleProfile.make()).text()
        #expect(
            text == """
                [no stack] 2000
                [truncated];main;operator:() broken;std::vector<own::Point>::push_back 64
                main;make 505
                main;operator:() broken;std::vector<own::Point>::push_back 192

                """)
    }

    @Test(arguments: [
        (
            ExportWeight.allocations,
            ["[no stack] 1", "main;make 1", "main;operator:() broken;std::vector<own::Point>::push_back 2"]
        ),
        (.live, ["[no stack] 2000", "main;operator:() broken;std::vector<own::Point>::push_back 128"]),
        (.peak, ["[no stack] 2000", "main;operator:() broken;std::vector<own::Point>::push_back 128"]),
        (.temporary, ["main;make 1", "main;operator:() broken;std::vector<own::Point>::push_back 1"]),
    ])
    func everyWeightLeavesOutWhatWeighsNothing(weight: ExportWeight, expected: [String]) throws {
        let text = CollapsedStacks(profile: try SampleProfile.make(), weight: weight).text()
        #expect(text.split(separator: "\n").filter { !$0.hasPrefix("[truncated]") } == expected.map { Substring($0) })
    }

    @Test func theOwnerStandsInnermostOnRequest() throws {
        let text = CollapsedStacks(profile: try SampleProfile.make(), showsOwners: true).text()
        #expect(text.contains("main;make;[Box<Matrix>] 505\n"))
    }
}
