// Which packages of crates.io a program has in it, told by their names alone: without debug information a program's
// own functions and its dependencies' lie in one file, and only the name's first part tells them apart.

/// Crates that programs depend on.
enum RustCrate {
    /// The crate whose function this is: of the type for an implementation, of the trait for one on a built-in type.
    static func name(ofFunction name: String) -> Substring? {
        var path = name[...]
        if let inner = RustName.leadingBrackets(name)?.inner {
            path = inner[...]
            if let keyword = inner.firstRange(of: " as ") {
                let type = inner[..<keyword.lowerBound]
                path = type.contains("::") ? type : inner[keyword.upperBound...]
            }
            path = path.drop { "&*<([ ".contains($0) }
            for word in ["mut ", "const ", "dyn "] where path.hasPrefix(word) { path = path.dropFirst(word.count) }
        }
        guard let end = path.firstRange(of: "::") else { return nil }
        return path[..<end.lowerBound]
    }

    /// Whether a function is of a crate that is known as a dependency of many programs.
    static func isWellKnown(function name: String) -> Bool {
        self.name(ofFunction: name).map { wellKnown.contains(String($0)) } ?? false
    }

    private static let wellKnown: Set<String> = [
        "actix_http", "actix_web", "ahash", "aho_corasick", "anyhow", "arc_swap", "arrayvec", "async_channel",
        "async_executor",
        "async_std", "async_task", "async_trait", "axum", "base64", "bincode", "bitflags", "brotli", "bstr", "bumpalo",
        "byteorder", "bytes",
        "chrono", "clap", "clap_builder", "config", "cookie", "crossbeam", "crossbeam_channel", "crossbeam_deque",
        "crossbeam_epoch", "crossbeam_queue", "crossbeam_utils", "csv", "csv_core", "dashmap", "deadpool", "diesel",
        "either",
        "encoding_rs", "env_logger", "erased_serde", "fastrand", "flate2", "fnv", "form_urlencoded", "futures",
        "futures_channel", "futures_core", "futures_executor", "futures_util", "generic_array", "getrandom", "glob",
        "h2",
        "handlebars", "hex", "http", "http_body", "http_body_util", "httparse", "hyper", "hyper_util", "icu_normalizer",
        "icu_properties", "ident_case", "idna", "idna_adapter", "image", "indexmap", "indicatif", "itertools", "itoa",
        "lazy_static", "libc", "lock_api", "log", "lru", "matchers", "matchit", "memchr", "memmap2", "mime",
        "miniz_oxide", "mio",
        "moka", "nom", "num_bigint", "num_traits", "once_cell", "openssl", "opentelemetry", "parking_lot",
        "parking_lot_core",
        "percent_encoding", "pest", "petgraph", "phf", "pin_project", "pin_project_lite", "postcard", "proc_macro2",
        "prost",
        "quick_xml", "quote", "rand", "rand_chacha", "rand_core", "rayon", "rayon_core", "redis", "regex",
        "regex_automata", "regex_syntax", "reqwest", "ring", "rmp", "rmp_serde", "ron", "rusqlite", "rustls", "ryu",
        "serde",
        "serde_core", "serde_json", "serde_path_to_error", "serde_urlencoded", "serde_yaml", "sha2", "sharded_slab",
        "slab",
        "smallstr", "smallvec", "smartstring", "smol", "smol_str", "socket2", "sqlx", "sqlx_core", "syn", "tempfile",
        "tera",
        "thiserror", "time", "tinyvec", "tokio", "tokio_stream", "tokio_util", "toml", "toml_edit", "tonic", "tower",
        "tower_http", "tower_service", "tracing", "tracing_core", "tracing_subscriber", "typed_arena", "unicode_bidi",
        "unicode_normalization", "unicode_segmentation", "url", "utf8_iter", "uuid", "walkdir", "warp", "winnow",
        "xml", "yaml_rust", "zerovec", "zip", "zstd",
    ]
}
