// Names of Rust functions that debug information describes by name and file alone (`debug = "line-tables-only"`).
//
// Such a frame is `push<u64, alloc::alloc::Global>` in `library/alloc/src/vec/mod.rs`: the arguments of the
// implementation and of the method are there, its path is not. The file tells the module and, for the files that
// implement one type, the type; the name is then written as full debug information would write it.

import Symbolication

/// Paths of Rust functions from their source files.
enum RustLineName {
    /// The function of a frame with its path, as rules read it; nil where the frame has a path, or a file that tells none.
    static func qualified(_ frame: SymbolicatedFrame) -> String? {
        guard let (name, module) = parts(of: frame), let module else { return nil }
        guard let type = implementation(in: module, name: name, arguments: typeArguments(frame.function)) else {
            return "\(module)::\(name)"
        }
        if type.contains(" as ") { return "<\(type)>::\(name)" }
        return (methodTraits[name].map { "<\(type) as \($0)>" } ?? type) + "::\(name)"
    }

    /// The function as people read it, without arguments; nil where the frame has a path.
    static func display(_ frame: SymbolicatedFrame) -> String? {
        guard let (name, module) = parts(of: frame) else { return nil }
        return module.map { "\($0)::\(name)" } ?? name
    }

    private static func parts(of frame: SymbolicatedFrame) -> (name: String, module: String?)? {
        guard frame.language == .rust, frame.linkageName.isEmpty, let file = frame.file else { return nil }
        let name = bareName(frame.function)
        return name.contains("::") ? nil : (name, modulePath(ofFile: file))
    }

    /// The name without the arguments that follow it.
    private static func bareName(_ function: String) -> String {
        guard function.hasSuffix(">"), let open = function.firstIndex(of: "<"), open != function.startIndex else {
            return function
        }
        return String(function[..<open])
    }

    /// The module a source file is: `alloc::vec` of `…/library/alloc/src/vec/mod.rs`, `serde_json::read` of
    /// `…/serde_json-1.0.87/src/read.rs`; nil outside the standard library and the folders of packages with versions.
    private static func modulePath(ofFile file: String) -> String? {
        guard file.hasSuffix(".rs"), let source = file.ranges(of: "/src/").last else { return nil }
        let folder = file[..<source.lowerBound]
        guard var crate = folder.split(separator: "/").last.map(String.init) else { return nil }
        if !folder.hasSuffix("/library/" + crate) {
            guard let dash = crate.ranges(of: "-").last(where: { crate[$0.upperBound...].first?.isNumber == true })
            else { return nil }
            crate = String(crate[..<dash.lowerBound])
        }
        var parts = [crate.replacing("-", with: "_")]
        parts += file[source.upperBound...].dropLast(3).split(separator: "/").map(String.init)
        if let last = parts.last, ["mod", "lib", "main"].contains(last) { parts.removeLast() }
        return parts.joined(separator: "::")
    }

    /// The type arguments after the name, without allocators and hashers.
    private static func typeArguments(_ function: String) -> [String] {
        RustName.trailingArguments(function).filter { argument in
            !["alloc::alloc::Global", "std::hash::random::RandomState", "std::collections::hash::map::RandomState"]
                .contains { argument.hasSuffix($0) }
        }
    }

    /// The type whose function this is, for the modules that implement one.
    private static func implementation(in module: String, name: String, arguments: [String]) -> String? {
        guard !name.hasPrefix("{") else { return nil }
        let first = arguments.first ?? "_"
        func pair() -> String { "\(first),\(arguments.count > 1 ? arguments[1] : "_")" }
        switch module {
        case "alloc::alloc":
            return ["alloc", "alloc_zeroed", "realloc", "exchange_malloc"].contains(name)
                ? nil : "alloc::alloc::Global"
        case "alloc::raw_vec":
            return arguments.isEmpty ? "alloc::raw_vec::RawVecInner" : "alloc::raw_vec::RawVec<\(first)>"
        case "alloc::string":
            return ["to_string", "spec_to_string"].contains(name)
                ? "\(first) as alloc::string::ToString" : "alloc::string::String"
        case "alloc::str":
            return name == "join" || name == "concat" ? "[\(first)] as alloc::slice::Join<&str>" : "str"
        case "alloc::slice": return "[\(first)]"
        case "alloc::boxed":
            if name.hasPrefix("box_") { return nil }
            if name.contains("_slice") { return "alloc::boxed::Box<[\(first)]>" }
            // A boxed slice's copy has the arguments of a boxed value's.
            return "alloc::boxed::Box<\(name == "clone" ? "_" : first)>"
        case "alloc::boxed::convert": return "alloc::boxed::Box<_>"
        case "alloc::rc", "alloc::sync":
            let type = module == "alloc::rc" ? "alloc::rc::Rc" : "alloc::sync::Arc"
            // From<&str> and From<String> have no arguments, From<&[T]> and From<Vec<T>> have.
            if name == "from" { return "\(type)<\(arguments.isEmpty ? "str" : "_")>" }
            let isSlice = name.contains("slice") || name.contains("from_iter")
            return isSlice ? "\(type)<[\(first)]>" : "\(type)<\(first)>"
        case "alloc::collections::btree::node":
            return name == "new" ? "alloc::collections::btree::node::LeafNode<\(pair())>" : nil
        case "alloc::collections::btree::map", "std::collections::hash::map", "hashbrown::map",
            "alloc::collections::btree::map::entry", "hashbrown::rustc_entry":
            return maps[module].map { "\($0)<\(pair())>" }
        case "hashbrown::raw":
            return arguments.isEmpty ? "hashbrown::raw::RawTableInner" : "hashbrown::raw::RawTable<\(first)>"
        default: break
        }
        if name == "to_string_lossy", let type = lossy[module] { return type }
        if let type = collections[module] { return "\(type)<\(first)>" }
        return plain[module]
    }

    private static let maps = [
        "alloc::collections::btree::map": "alloc::collections::btree::map::BTreeMap",
        "alloc::collections::btree::map::entry": "alloc::collections::btree::map::entry::Entry",
        "std::collections::hash::map": "std::collections::hash::map::HashMap",
        "hashbrown::map": "hashbrown::map::HashMap", "hashbrown::rustc_entry": "hashbrown::rustc_entry::RustcEntry",
    ]
    private static let collections = [
        "alloc::vec": "alloc::vec::Vec", "alloc::vec::spec_from_iter": "alloc::vec::Vec",
        "alloc::vec::spec_from_iter_nested": "alloc::vec::Vec", "alloc::vec::spec_extend": "alloc::vec::Vec",
        "alloc::vec::spec_from_elem": "alloc::vec::Vec", "alloc::borrow": "alloc::borrow::Cow",
        "alloc::collections::vec_deque": "alloc::collections::vec_deque::VecDeque",
        "alloc::collections::binary_heap": "alloc::collections::binary_heap::BinaryHeap",
        "alloc::collections::linked_list": "alloc::collections::linked_list::LinkedList",
        "alloc::collections::btree::set": "alloc::collections::btree::set::BTreeSet",
        "std::collections::hash::set": "std::collections::hash::set::HashSet",
        "hashbrown::set": "hashbrown::set::HashSet",
        "std::io::buffered::bufreader": "std::io::buffered::bufreader::BufReader",
        "std::io::buffered::bufwriter": "std::io::buffered::bufwriter::BufWriter",
        "std::io::buffered::linewriter": "std::io::buffered::linewriter::LineWriter",
    ]
    private static let plain = [
        "std::path": "std::path::PathBuf", "std::ffi::os_str": "std::ffi::os_str::OsString",
        "std::sys::os_str::bytes": "std::sys::os_str::bytes::Buf", "alloc::ffi::c_str": "alloc::ffi::c_str::CString",
        "std::thread::local": "std::thread::local::LocalKey",
        "std::io::buffered::bufreader::buffer": "std::io::buffered::bufreader::buffer::Buffer",
    ]
    private static let lossy = [
        "std::path": "std::path::Path", "std::ffi::os_str": "std::ffi::os_str::OsStr",
        "std::sys::os_str::bytes": "std::sys::os_str::bytes::Slice", "alloc::ffi::c_str": "alloc::ffi::c_str::CStr",
    ]
    /// The traits of the methods that rules tell from a type's own.
    private static let methodTraits = [
        "clone": "core::clone::Clone", "from": "core::convert::From", "to_owned": "alloc::borrow::ToOwned",
        "from_iter": "core::iter::traits::collect::FromIterator", "extend": "core::iter::traits::collect::Extend",
        "spec_extend": "alloc::vec::spec_extend::SpecExtend", "write_str": "core::fmt::Write",
        "write_char": "core::fmt::Write", "write_fmt": "core::fmt::Write", "add": "core::ops::arith::Add",
        "add_assign": "core::ops::arith::AddAssign", "default": "core::default::Default",
    ]
}
