// What a difference is asked to show. Both forms, text and JSON, are made from the same request.
public import HeapAnalysis
public import Symbolication

/// What a difference is asked to show.
public struct DiffRequest: Sendable {
    /// The keys rows are grouped by; nil for owners, then causes, then sites.
    public var keys: [GroupingKey]?
    /// Rows to show at most; nil for all in JSON, and 20 owners and 10 of the others in text.
    public var top: Int?
    /// Which allocations to compare.
    public var filter = RowFilter()
    /// Whether the text shows rows without a change, too.
    public var showsUnchanged = false
    /// The recordings' names, as files or whatever they came from.
    public var names: (old: String, new: String) = ("old", "new")
    /// Whether both names are of one file.
    public var isOneFile = false
    /// The modules whose files are not those that ran any more, by recording and path.
    public var replacedModules: [DiffOperand: [String: ReplacedModule]] = [:]

    /// A request for everything by owner, cause and site.
    public init() {}

    /// The fields of the rows.
    public var fields: RowFields { RowFields(keys ?? [.owner]) }

    /// What the analysis of both recordings must keep apart.
    /// - Parameter hasOtherAllocator: whether the two ran on different allocators: then sizes are kept apart, for the slack by owner.
    public func analysis(hasOtherAllocator: Bool) -> AnalysisOptions {
        var options = AnalysisOptions(fields: fields)
        if hasOtherAllocator { options.keepsSizes = true }
        return options
    }

    /// The fields that slack is told by: those of the rows, sizes apart from it.
    var slackFields: RowFields {
        let fields = fields.subtracting([.size, .thread])
        return fields.isEmpty ? GroupingKey.owner.fields : fields
    }
}
