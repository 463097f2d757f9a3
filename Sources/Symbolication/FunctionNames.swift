// How functions are called: what debug information declares and what the symbol table has, demangled, put together.

/// What a frame says of its function.
struct NamedFunction {
    var name: String
    var linkageName: String
    var language: SourceLanguage
    var templateArguments: [String]
}

/// Names of functions, each demangled once.
final class FunctionNames {
    /// What a symbol says of its function.
    private struct DemangledName {
        var name: String
        var language: SourceLanguage
        var arguments: [String]
    }

    private var known: [String: DemangledName] = [:]

    /// What a symbol alone says of a function.
    func function(ofSymbol symbol: String) -> NamedFunction {
        let demangled = demangle(symbol)
        return NamedFunction(
            name: demangled.name, linkageName: symbol, language: demangled.language,
            templateArguments: demangled.arguments)
    }

    /// What debug information and the symbol at its place say of a function together; nil where neither has a name.
    func function(_ function: DebugInformation.Function, symbol: String?) -> NamedFunction? {
        // gcc gives C functions a linkage name where the source renames them (`__GI__IO_fwrite`): the symbol is better.
        var linkageName = function.linkageName ?? symbol ?? ""
        if let symbol, !Demangler.isMangled(linkageName) { linkageName = symbol }
        let demangled = linkageName.isEmpty ? nil : demangle(linkageName)
        var language = SourceLanguage(dwarfCode: function.languageCode)
        if language == .unknown { language = demangled?.language ?? .unknown }
        var name = demangled?.name
        // A mangled name says the most. A plain one (`main`) says less than DWARF's own, unless DWARF names an internal
        // alias (`_IO_fwrite` for `fwrite`).
        if let short = function.name, !Demangler.isMangled(linkageName) || name == linkageName,
            !(short.hasPrefix("_") && name?.first?.isLetter == true)
        {
            name = qualified(short, scope: function.scope, language: language)
        }
        guard let name, !name.isEmpty else { return nil }
        var arguments = function.templateArguments.isEmpty ? demangled?.arguments ?? [] : function.templateArguments
        if language == .rust, let short = function.name {
            arguments = RustGenericArguments.spelled(in: short, orElse: arguments)
        }
        return NamedFunction(name: name, linkageName: linkageName, language: language, templateArguments: arguments)
    }

    private func qualified(_ name: String, scope: String?, language: SourceLanguage) -> String {
        guard let scope else { return name }
        switch language {
        case .swift: return scope.replacing("::", with: ".") + "." + name
        case .cxx: return Demangler.closingBracketsJoined(scope + "::" + name)
        default: return scope + "::" + name
        }
    }

    private func demangle(_ raw: String) -> DemangledName {
        if let known = known[raw] { return known }
        let (name, language) = Demangler.demangle(raw)
        let arguments = language == .swift ? Demangler.swiftSpecializationArguments(raw) : []
        let result = DemangledName(name: name, language: language, arguments: arguments)
        known[raw] = result
        return result
    }
}
