// One frame of source at an address: the unit of what this module answers.

/// A function at an address: what it is called, where its source is, and whether it was inlined.
public struct SymbolicatedFrame: Sendable, Hashable {
    /// The demangled name in its language's spelling, without parameters' types; "0x… in libfoo.so" when not known.
    public var function: String
    /// The raw symbol or DW_AT_linkage_name; empty when there is none.
    public var linkageName: String
    /// The source file, joined with the compilation directory when DWARF gives a relative one.
    public var file: String?
    /// The line in `file`, from 1; nil when not known.
    public var line: Int?
    /// Whether the compiler inlined this call into the next frame out.
    public var isInlined: Bool
    /// The language of the function's compilation unit, else that of its mangling scheme.
    public var language: SourceLanguage
    /// The types that stand for the template (generic) type parameters, such as `own::Matrix`; empty when there are none.
    public var templateArguments: [String]
    /// Path of the module that holds the address.
    public var modulePath: String

    /// Makes a frame from its parts.
    public init(
        function: String, linkageName: String = "", file: String? = nil, line: Int? = nil, isInlined: Bool = false,
        language: SourceLanguage = .unknown, templateArguments: [String] = [], modulePath: String
    ) {
        self.function = function
        self.linkageName = linkageName
        self.file = file
        self.line = line
        self.isInlined = isInlined
        self.language = language
        self.templateArguments = templateArguments
        self.modulePath = modulePath
    }
}
