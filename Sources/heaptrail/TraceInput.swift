// The trace a command reads: opening it, analysing one of its images, and saying on standard error what is wrong with it.
internal import AllocatorLab
internal import HeapAnalysis
internal import ProfileExport
internal import Symbolication
internal import TraceReader

struct TraceInput {
    let path: String
    let trace: Trace

    /// Whether the recorder's own remarks (children that were not recorded) are left out.
    let isQuiet: Bool

    /// What stands before remarks that do not name the trace: its name, where a command reads several.
    private let prefix: String

    /// What opening took.
    private let openingTime: Duration

    /// Opens the trace at `path`; `-` is standard input.
    /// - Parameter isOneOfSeveral: whether remarks must say which trace they are about.
    init(path: String, isQuiet: Bool = false, isOneOfSeveral: Bool = false) throws(Failure) {
        self.path = path
        self.isQuiet = isQuiet
        prefix = isOneOfSeveral ? path + ": " : ""
        RecorderLock.wait(for: path)
        let began = ContinuousClock.now
        do {
            trace = try Self.open(path)
        } catch {
            throw Self.failure(path: path, error)
        }
        openingTime = ContinuousClock.now - began
    }

    private static func open(_ path: String) throws(TraceError) -> Trace {
        let progress = ProgressLine()
        defer { progress.clear() }
        let show = { progress.show("reading", $0) }
        return path == "-" ? try Trace.open(descriptor: 0, progress: show) : try Trace.open(path: path, progress: show)
    }

    private static func failure(path: String, _ error: TraceError) -> Failure {
        let advice = "record one: heaptrail record -o FILE -- PROGRAM"
        if case .unreadable = error { return Failure(status: .noInput, "\(error); \(advice)") }
        return Failure(status: .data, "\(path): \(error); \(advice)")
    }

    /// What symbolicates the trace's addresses.
    func makeSymbolicator() -> Symbolicator {
        let symbolicator = Symbolicator(cache: UserCache.symbols, builds: UserCache.builds)
        symbolicator.recordedUntil = trace.endNanoseconds
        return symbolicator
    }

    /// Analyses an image, the last one when nil, by these rules.
    func analyse(
        image: Int?, options: AnalysisOptions, rules: RuleSet = .builtIn
    ) throws(Failure) -> HeapProfile {
        let symbolicator = makeSymbolicator()
        let profile = try analyse(image: image, options: options, rules: rules, symbolicator: symbolicator)
        for line in ModuleRemarks(symbolicator.replacedModules).lines(since: "the recording") {
            Terminal.tell(prefix + line)
        }
        return profile
    }

    /// Analyses an image with symbols from a symbolicator, whose remarks on modules are the caller's to tell.
    func analyse(
        image: Int?, options: AnalysisOptions, rules: RuleSet, symbolicator: Symbolicator
    ) throws(Failure) -> HeapProfile {
        let timings = Terminal.environment("HEAPTRAIL_TIMINGS") != nil
        symbolicator.measuresTime = timings
        let began = ContinuousClock.now
        let progress = ProgressLine()
        let analysed = HeapProfile(
            analysing: trace, image: image, options: options, rules: rules, symbolicator: symbolicator
        ) { stage, share in
            progress.show(stage == .events ? "analysing" : "finding owners", share)
        }
        progress.clear()
        symbolicator.saveCache()
        if timings { tellTimings(ContinuousClock.now - began, symbolicator.statistics) }
        guard let profile = analysed else { throw noImage(image, command: "report") }
        warn(profile, askedForImage: image != nil)
        return profile
    }

    /// The calls of an image, the last one when nil, ready to be performed again.
    func plan(image: Int?) throws(Failure) -> ReplayPlan {
        if trace.isSampled {
            throw Failure(
                status: .unavailable,
                "\(path) is sampled: the calls between its samples are not in it, so there is nothing to replay; record without --sample"
            )
        }
        let symbolicator = makeSymbolicator()
        let progress = ProgressLine()
        let made: (plan: ReplayPlan, profile: HeapProfile)?
        do throws(ReplayError) {
            made = try ReplayPlan.make(of: trace, image: image, symbolicator: symbolicator) { stage, share in
                progress.show(stage == .events ? "planning" : "finding owners", share)
            }
        } catch {
            progress.clear()
            throw Failure(status: .cannotCreate, "cannot replay \(path): \(error)")
        }
        progress.clear()
        symbolicator.saveCache()
        guard let made else { throw noImage(image, command: "replay") }
        warn(made.profile, askedForImage: image != nil)
        guard made.plan.events > 0 else {
            throw Failure(status: .data, "\(path) holds no calls to replay")
        }
        return made.plan
    }

    private func noImage(_ image: Int?, command: String) -> Failure {
        let numbers = trace.images.map { String($0.number) }.joined(separator: ", ")
        return Failure(
            status: .usage, "\(path) has no image \(image ?? 0), only \(numbers); type: heaptrail \(command) \(path)")
    }

    /// One line of JSON for scripts/bench-reading: what the analysis took, and of that the symbols.
    private func tellTimings(_ whole: Duration, _ symbols: Symbolicator.Statistics) {
        let times = JSONValue.object([
            ("opening_ns", .integer(Int(clamping: openingTime.nanoseconds))),
            ("analysis_ns", .integer(Int(clamping: whole.nanoseconds))), ("addresses", .integer(symbols.addresses)),
            ("symbols_ns", .integer(Int(clamping: symbols.duration.nanoseconds))),
        ])
        Terminal.tell(times.document())
    }

    /// Ends a command whose output is written: a trace that is corrupt somewhere is bad data in spite of what could be read.
    func finish() throws(Failure) {
        if let corruption = trace.corruption {
            let again = path == "-" ? "-o FILE" : "--force -o \(path)"
            throw Failure(
                status: .data,
                "\(path): \(corruption); the figures are of what came before. Record it again: heaptrail record \(again) -- PROGRAM"
            )
        }
    }

    private func warn(_ profile: HeapProfile, askedForImage: Bool) {
        let facts = profile.trace.facts
        for warning in facts.warnings where !isQuiet { Terminal.tell(prefix + "warning: " + warning) }
        if facts.imageCount > 1, !askedForImage {
            let others = zip(trace.images, facts.imageNames).filter { $0.0.number != facts.image }
            var shows = others.prefix(3).map { "--image \($0.0.number) shows \($0.1)" }
            if others.count > 3 { shows.append("and so on") }
            Terminal.tell(
                "\(prefix)this is image \(facts.image) of \(facts.imageCount): \(facts.program); "
                    + shows.joined(separator: ", "))
        }
        if profile.trace.events == 0, trace.cutOffset == nil, trace.corruption == nil {
            Terminal.tell("\(path) holds no events: the program allocated nothing, or the recorder was not in it")
        }
        if let offset = trace.cutOffset {
            Terminal.tell("\(path) was cut at byte \(offset): the figures are of what came before")
        }
        if trace.losses.events > 0 {
            let losses = trace.losses
            Terminal.tell(
                "\(prefix)\(losses.allocations) allocations and \(losses.frees) frees were lost while recording (\(reason(losses.reason))); record with --when-full wait"
            )
        }
        if profile.trace.unmatchedFrees > 0, !facts.isAttached {
            let frees = profile.trace.unmatchedFrees
            let subject = frees == 1 ? "1 free was of a block" : "\(frees) frees were of blocks"
            Terminal.tell("\(prefix)\(subject) that no allocation in the trace made")
        }
        if profile.trace.missingFrees > 0 {
            let blocks = profile.trace.missingFrees
            Terminal.tell(
                blocks == 1
                    ? "\(prefix)1 block was allocated over although its free is not in the trace; it counts as freed"
                    : "\(prefix)\(blocks) blocks were allocated over although their frees are not in the trace; they count as freed"
            )
        }
        if trace.foreignLines > 0 {
            let lines = trace.foreignLines == 1 ? "1 line holds" : "\(trace.foreignLines) lines hold"
            Terminal.tell(prefix + lines + " no event; skipped")
        }
    }

    private func reason(_ reason: TraceLosses.Reason) -> String {
        switch reason {
        case .none: "reason not recorded"
        case .ringFull: "a ring was full"
        case .noRing: "a thread had no ring"
        case .nested: "signal handlers nested too deep"
        case .collectorGone: "the collector died or was silent"
        case .writeFailed: "the trace could not be written"
        }
    }
}

extension Duration {
    fileprivate var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
