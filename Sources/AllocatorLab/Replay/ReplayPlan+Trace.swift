// A trace as a plan: one pass over its events, which tells who owns every block, too.

public import HeapAnalysis
public import Symbolication
public import TraceReader

extension ReplayPlan {
    /// Makes a plan of an image of a trace that is not sampled.
    ///
    /// - Parameters:
    ///   - image: the image's number; the last one when nil.
    ///   - progress: is told now and then which part of the work is how far, as a share from 0 to 1.
    /// - Returns: the plan and the analysis made beside it; nil when the trace has no such image.
    /// - Throws: `ReplayError` when the plan cannot be written.
    /// - Complexity: O(events) time and disk, O(live blocks + distinct stacks) memory.
    public static func make(
        of trace: Trace, image: Int? = nil, symbolicator: any FrameSymbolicator,
        progress: @escaping (AnalysisStage, Double) -> Void = { _, _ in }
    ) throws(ReplayError) -> (plan: ReplayPlan, profile: HeapProfile)? {
        guard let tables = trace.tables(image: image) else { return nil }
        let main = tables.threads.first { trace.processID != 0 && Int($0.threadID) == trace.processID }
        let planner = try ReplayPlanner(
            mainThread: main?.serial.rawValue, expectedEvents: tables.allocations &+ tables.frees)
        guard
            let blocks = BlockSequence(
                telling: trace, image: image, symbolicator: symbolicator, progress: progress, planner.take)
        else { return nil }
        var plan = try planner.finish()
        let summary = blocks.profile.trace
        guard Int(exactly: plan.peakBytes) == summary.peakBytes, Int(exactly: plan.liveBytes) == summary.liveBytes
        else {
            let live = "\(plan.peakBytes) bytes at the peak and \(plan.liveBytes) at the end"
            throw .mismatch("the plan comes to \(live), the trace to \(summary.peakBytes) and \(summary.liveBytes)")
        }
        plan.gaps = ReplayGaps(trace, summary)
        plan.owners = plan.owners.indices.map { owner in
            blocks.profile.stacks[blocks.owners[owner]].attribution.owner
        }
        let tick = trace.isClockCalibrated ? trace.nanosecondsPerTick : nil
        // A trace may say of its clock what it likes; centuries are enough.
        plan.times = tick.map { tick in plan.times.map { UInt64(min(0x1p62, (Double($0) * tick).rounded())) } } ?? []
        return (plan, blocks.profile)
    }
}
