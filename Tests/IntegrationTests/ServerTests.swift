// Servers that are driven while they are recorded and asked to end: they answer as they do natively, end with the same
// status, and every block that was freed is one that was seen to be made.

import TestSupport
import Testing

@Suite(.enabled(if: BuildProducts.areBuilt, Machine.notBuilt))
struct ServerTests {
    /// Runs the script, which starts its server with `$record` in front, in a folder of its own; the run's output, and the
    /// folder with the trace `run.trace`, if there is one.
    private func serve(_ script: String, recordedWith options: String?, files: [String: String] = [:]) throws -> (
        result: ProcessResult, folder: TemporaryDirectory
    ) {
        let folder = try TemporaryDirectory()
        for (name, text) in files { try folder.write(text, to: name) }
        let record =
            try options.map { "record='\(try BuildProducts.heaptrail()) record -o run.trace \($0) --'\n" }
            ?? "record=\n"
        let result = try run("bash", ["-c", record + script], workingDirectory: folder.path, timeout: 60)
        #expect(!result.timedOut, "\(result.stderr)")
        return (result, folder)
    }

    private func expectWhole(
        _ report: Report, allocations: Int, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(report.trace.allocations >= allocations, sourceLocation: sourceLocation)
        #expect(report.trace.lost == 0, sourceLocation: sourceLocation)
        #expect(report.trace.complete, sourceLocation: sourceLocation)
        #expect(report.trace.unmatchedFrees == 0, sourceLocation: sourceLocation)
        #expect(report.trace.missingFrees == 0, sourceLocation: sourceLocation)
    }

    @Test func `a redis server answers as it does natively and ends in peace`() throws {
        guard Tool.isInstalled("redis-server"), Tool.isInstalled("redis-cli") else {
            try skip("redis is not installed")
        }
        // The values go by one connection, and are saved by a forked child.
        let script = """
            $record redis-server --port 0 --unixsocket "$PWD/socket" --dir "$PWD" --save '' --io-threads 2 >server.log & p=$!
            until redis-cli -s socket ping >/dev/null 2>&1; do kill -0 $p || exit 1; sleep 0.05; done
            for i in $(seq 2000); do echo "set key:$i value:$i:$i:$i"; echo "append list $i"; done | redis-cli -s socket | sort | uniq -c | tail -1
            redis-cli -s socket bgsave >/dev/null
            until redis-cli -s socket info persistence | grep -q rdb_bgsave_in_progress:0; do sleep 0.05; done
            redis-cli -s socket get key:77; redis-cli -s socket strlen list; redis-cli -s socket dbsize
            redis-cli -s socket flushall; redis-cli -s socket shutdown nosave; wait $p; echo "status $?"
            """
        let native = try serve(script, recordedWith: nil).result
        guard native.stdout.hasSuffix("value:77:77:77\n6893\n2001\nOK\nstatus 0\n") else {
            try skip("redis does not run here: \(native.stdout)\(native.stderr)")
        }
        let (recorded, folder) = try serve(script, recordedWith: "")
        #expect(recorded.stdout == native.stdout, "\(recorded.stderr)")
        expectWhole(try Recording.report(on: folder.file("run.trace"), by: "size"), allocations: 4000)
    }

    @Test func `an nginx with workers answers as it does natively, and each process has its trace`() throws {
        guard Tool.isInstalled("nginx"), Tool.isInstalled("curl") else {
            try skip("nginx or curl is not installed")
        }
        let configuration = """
            daemon off; worker_processes 2; pid nginx.pid; error_log error.log;
            events {}
            http { access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
              server { listen unix:socket; location / { return 200 "served $uri\\n"; } } }
            """
        let script = """
            $record nginx -p "$PWD" -e error.log -c nginx.conf & p=$!
            until curl -sf --unix-socket socket http://local/ready >/dev/null; do kill -0 $p || exit 1; sleep 0.05; done
            for i in $(seq 50); do curl -s --unix-socket socket http://local/page/$i; done
            kill -QUIT "$(cat nginx.pid)"; wait $p; echo "status $?"
            """
        let files = ["nginx.conf": configuration]
        let native = try serve(script, recordedWith: nil, files: files).result
        guard native.stdout.hasSuffix("served /page/50\nstatus 0\n") else {
            try skip("nginx does not run here: \(native.stdout)\(native.stderr)")
        }
        let (recorded, folder) = try serve(script, recordedWith: "--follow", files: files)
        #expect(recorded.stdout == native.stdout, "\(recorded.stderr)")
        let traces = try folder.names().filter { $0.hasPrefix("run.trace") }
        #expect(traces.count == 3)
        for trace in traces {
            expectWhole(try Recording.report(on: folder.file(trace), by: "size"), allocations: 1)
        }
    }
}
