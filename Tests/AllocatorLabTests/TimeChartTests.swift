// Series of bounded length and the charts made of them.

import Glibc
import Testing

@testable import AllocatorLab

@Suite struct TimeChartTests {
    private func series(_ values: [UInt64], every step: UInt64 = 1_000_000, capacity: Int = 512) -> TimeSeries {
        var series = TimeSeries(capacity: capacity)
        for (index, value) in values.enumerated() { series.append(nanoseconds: UInt64(index) * step, value: value) }
        return series
    }

    @Test func `a series keeps its memory bounded and never loses its peak`() {
        var values = [UInt64](repeating: 10, count: 100_000)
        values[77_777] = 999
        let long = series(values, capacity: 64)
        #expect(long.samples.count <= 64)
        #expect(long.samples.count >= 16)
        #expect(long.readings == 100_000)
        #expect(long.peak == 999)
        #expect(long.samples.first { $0.value == 999 }?.nanoseconds == 77_777_000_000)
        #expect(long.samples.map(\.nanoseconds) == long.samples.map(\.nanoseconds).sorted())
    }

    @Test func `a reading that is asked for anew counts a process that has just begun`() throws {
        var sampler = ResidentSampler(process: getpid(), startedNanoseconds: ResidentSampler.now())
        let null = try NullDevice()
        for _ in 0..<20 {
            sampler.read(anew: true)
            let child = try ChildProcess(
                ShellCommand("exec sleep 600").request(
                    environment: [], input: null.descriptor, output: null.descriptor, errors: null.descriptor))
            sampler.read(anew: true)
            #expect(sampler.members.contains(child.pid))
        }
    }

    @Test(arguments: 1000..<1064) func `a peak is kept wherever it stands`(place: Int) {
        var values = [UInt64](repeating: 10, count: 5000)
        values[place] = 999
        #expect(series(values, capacity: 16).samples.contains { $0.value == 999 })
    }

    @Test func `the mean counts each value for as long as it stood`() {
        var series = TimeSeries()
        #expect(series.mean == nil && series.end == nil)
        series.append(nanoseconds: 0, value: 100)
        #expect(series.mean == 100)
        series.append(nanoseconds: 90, value: 200)
        series.append(nanoseconds: 100, value: 7)
        #expect(series.mean == 110)
        #expect(series.end == .init(nanoseconds: 100, value: 7))
        let many = self.series((0..<10_000).map { $0 % 2 == 0 ? 0 : 100 }, capacity: 8)
        #expect(abs((many.mean ?? 0) - 50) < 0.1)
    }

    @Test func `time that runs backwards is taken as standing still`() {
        var series = TimeSeries()
        series.append(nanoseconds: 50, value: 1)
        series.append(nanoseconds: 20, value: 3)
        #expect(series.samples.map(\.nanoseconds) == [50, 50])
    }

    @Test func `all curves share one scale of height and one of time, and end where their readings do`() {
        let mebibyte: UInt64 = 1 << 20
        let rising = TimeChart.Curve(name: "glibc", series: series((0...16).map { $0 * mebibyte }))
        let short = TimeChart.Curve(name: "je", series: series([UInt64](repeating: 8 * mebibyte, count: 9)))
        let chart = TimeChart(title: "resident set over time", curves: [rising, short], height: 2)
        #expect(
            chart.text(width: 0) == """
                resident set over time: 0 … 16.0 ms wide, 0 … 16.0 MiB high
                                  ▁▂▃▄▅▆█
                  glibc   ▁▂▃▄▅▆▇████████  16.0 MiB at its peak, 16.0 MiB at its end

                  je     █████████         8.0 MiB at its peak, 8.0 MiB at its end

                """)
    }

    @Test func `a column without a reading holds the one before`() {
        var series = TimeSeries()
        series.append(nanoseconds: 0, value: 5)
        series.append(nanoseconds: 99, value: 9)
        #expect(TimeChart.columns(series, count: 4, span: 100) == [5, 5, 5, 9])
        #expect(TimeChart.columns(series, count: 4, span: 200) == [5, 9, nil, nil])
    }

    @Test func `a name that is too long stands on a line of its own`() {
        let name = "glibc:GLIBC_TUNABLES=glibc.malloc.arena_max=1"
        let chart = TimeChart(title: "t", curves: [.init(name: name, series: series([1 << 20, 1 << 20]))], height: 1)
        #expect(chart.text(width: 100).split(separator: "\n")[1] == "  \(name)")
    }

    @Test func `there is no chart of nothing`() {
        #expect(TimeChart(title: "t", curves: []).text(width: 80) == "")
        #expect(TimeChart(title: "t", curves: [.init(name: "a", series: series([0, 0]))]).text(width: 80) == "")
        #expect(TimeChart(title: "t", curves: [.init(name: "a", series: TimeSeries())]).text(width: 80) == "")
    }
}
