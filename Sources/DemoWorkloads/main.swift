// heaptrail-demo: small programs whose allocations are known to the block, to be run under any recorder.
// Owns the command line: what to run, what to say when it cannot. Results go to standard output, talk to standard error.

import Glibc
import HeaptrailTags

private let usage = """
    usage: heaptrail-demo NAME ...          run workloads by name, or 'all', in one process
           heaptrail-demo list              name the workloads
           heaptrail-demo expected NAME     what a trace of the workload must show, as JSON
    options: --log FILE    where 'tracing-allocator' leaves its log
    """

/// Exit status of bad usage (sysexits.h).
private let badUsage: Int32 = 64

private func fail(_ message: String, status: Int32) -> Never {
    var line = "heaptrail-demo: \(message)\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    exit(status)
}

private func workloads(named name: String) -> [any Workload.Type] {
    guard let found = Catalogue.workloads(named: name) else {
        fail("no workload named '\(name)'; see heaptrail-demo list", status: badUsage)
    }
    return found
}

let options: Options
do throws(WorkloadError) {
    options = try withOwnerTagsSuspended { () throws(WorkloadError) in try Options(CommandLine.arguments.dropFirst()) }
} catch {
    fail(error.message, status: badUsage)
}

switch options.words.first {
case nil:
    fail("name a workload; see heaptrail-demo list", status: badUsage)
case "--help":
    print(usage)
case "list":
    for workload in Catalogue.workloads {
        let padding = String(repeating: " ", count: max(1, 20 - workload.name.count))
        print("\(workload.name)\(padding)\(workload.summary)")
    }
case "expected":
    guard options.words.count == 2 else { fail("'expected' takes one workload's name", status: badUsage) }
    print(Catalogue.expectedJSON(options.words[1], workloads(named: options.words[1])))
default:
    // Every name is checked before anything runs.
    for workload in options.words.flatMap({ workloads(named: $0) }) {
        do throws(WorkloadError) {
            try workload.run(options)
        } catch {
            fail("\(workload.name): \(error.message)", status: 1)
        }
    }
}
