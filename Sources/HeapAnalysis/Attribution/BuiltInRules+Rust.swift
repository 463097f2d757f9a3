// The frame rules for Rust's standard library; the syntax is described in RuleSet.swift.
//
// Names are canonical: `<alloc::vec::Vec<u8>>::push` and `alloc::vec::Vec<T,A>::push` are both `alloc::vec::Vec<…>::push`.

/// The tables every analysis starts with.
enum BuiltInRules {
    /// Rules for Rust.
    static let rust = """
        [rust]
        # Threads, start-up, panics and lazily made globals are the runtime's, whatever they use to get there.
        rust.thread.local | std::thread::local::LocalKey* | skip
        rust.thread | std::thread::* | Runtime | thread | runtime | over all
        rust.thread.sys | std::sys::@(thread|pal::unix::thread|pal::unix::stack_overflow|thread_local|sync)* | Runtime | thread | runtime | over all
        rust.start | std::rt::* | Runtime | start-up | runtime | over all
        rust.panic | @(|<)std::panicking::@(begin_panic|default_hook|rust_panic|panic_|set_hook|take_hook|update_hook|payload)* | Runtime | panic | runtime | over all
        rust.backtrace | @(std::sys::backtrace::@(BacktraceLock|lock|_print|print|output)|std::backtrace|gimli::|addr2line::|<std::backtrace|<gimli::|<addr2line::)* | Runtime | backtrace | runtime | over all
        rust.stdio | std::io::stdio::@(stdin|stdout|stderr|cleanup|set_output_capture|try_set_output_capture) | Runtime | standard streams | runtime | over all

        # Cow: borrowed until it has to be owned.
        rust.cow.own | alloc::borrow::Cow<{B}>::@(to_mut|into_owned)* | Cow | Cow<{B}> | copyOnWrite | borrowed; over String; over Vec<; over PathBuf; over OsString; over CString
        rust.cow.clone | <alloc::borrow::Cow<{B}> as core::clone::Clone>::clone* | Cow | Cow<{B}> | clone | borrowed; over String; over Vec<; over PathBuf; over OsString; over CString
        rust.cow.grow | <alloc::borrow::Cow<{B}> as core::ops::arith::@(AddAssign|Add)* | Cow | Cow<{B}> | copyOnWrite | borrowed; over String; over Vec<
        rust.cow.lossy | alloc::string::String::from_utf8_lossy | Cow | Cow<str> | copyOnWrite | over String; over Vec<u8>
        rust.cow.lossy.path | std::@(path::Path|ffi::os_str::OsStr|sys::os_str::bytes::Slice)::to_string_lossy | Cow | Cow<str> | copyOnWrite | over String; over Vec<u8>
        rust.cow.lossy.c | @(core|alloc)::ffi::c_str::CStr::to_string_lossy | Cow | Cow<str> | copyOnWrite | over String; over Vec<u8>
        rust.cow.percent | percent_encoding::PercentDecode::decode_utf8* | Cow | Cow<str> | copyOnWrite | over String; over Vec<u8>; over Cow<
        rust.cow.percent.bytes | <alloc::borrow::Cow<{B}> as core::convert::From<percent_encoding::* | Cow | Cow<{B}> | copyOnWrite | over String; over Vec<u8>; over Cow<
        rust.cow.percent.any | percent_encoding::PercentDecode::if_any | Cow | Cow<[u8]> | copyOnWrite | over Vec<u8>

        # String, and the other owners of text.
        rust.string.clone | <alloc::string::String as core::clone::Clone>::* | String | String | clone | over Vec<u8>; over Vec<_>
        rust.str.to_owned | <str as alloc::borrow::ToOwned>::* | String | String | clone | over Vec<u8>; over Vec<_>
        rust.string.grow | alloc::string::String::@(push|reserve|try_reserve|insert|extend|replace_range|resize)* | String | String | growth | over Vec<u8>; over Vec<_>
        rust.string.write | <alloc::string::String as core::fmt::Write>::* | String | String | growth | over Vec<u8>; over Vec<_>
        rust.string.extend | <alloc::string::String as core::@(iter::traits::collect::Extend|ops::arith::Add)* | String | String | growth | over Vec<u8>; over Vec<_>
        rust.string.shrink | alloc::string::String::@(into_boxed_str|shrink_to)* | String | String | conversion | over Vec<u8>; over Vec<_>; over Box<str>
        rust.string.new | alloc::string::String::* | String | String | construct | over Vec<u8>; over Vec<_>; over Box<str>
        rust.string.from | <alloc::string::String as *>::* | String | String | construct | over Vec<u8>; over Vec<_>; over Cow<str>; over Box<str>
        rust.string.format | alloc::fmt::format* | String | String | construct | over Vec<u8>; over Vec<_>
        rust.string.display | <* as alloc::string::@(ToString|SpecToString)>::* | String | String | construct | over Vec<u8>; over Vec<_>; over Cow<str>
        rust.str.map | str::@(repeat|replace|replacen|to_lowercase|to_uppercase|to_ascii_lowercase|to_ascii_uppercase|into_string|to_owned)* | String | String | construct | over Vec<u8>; over Vec<_>
        rust.str.case | alloc::str::convert_while_ascii | String | String | construct | over Vec<u8>; over Vec<_>
        rust.str.join | alloc::str::join_generic_copy* | String | String | construct | over Vec<u8>; over Vec<_>
        rust.str.join.slice | <[{S}] as alloc::slice::@(Join|Concat)<@(&str|str)>>::* | String | String | construct | over Vec<u8>; over Vec<_>
        rust.string.read | std::io::@(append_to_string|default_read_to_string)* | String | String | growth | over Vec<u8>; over Vec<_>
        rust.string.read.line | @(std::io::stdio::Stdin|std::io::BufRead|<* as std::io::BufRead>)::read_line | String | String | growth | over Vec<u8>; over Vec<_>
        rust.string.read.lines | <std::io::Lines<{B}> as *>::next | String | String | construct | over Vec<u8>; over Vec<_>
        rust.string.read.file | std::fs::read_to_string* | String | String | construct | over Vec<u8>; over Vec<_>
        rust.osstring | @(std::ffi::os_str::@(OsString|OsStr)|std::sys::os_str::bytes::@(Buf|Slice))::* | String | OsString | construct | over Vec<u8>; over Vec<_>; over String
        rust.osstring.from | <@(std::ffi::os_str::@(OsString|OsStr)|std::sys::os_str::bytes::@(Buf|Slice)) as *>::* | String | OsString | construct | over Vec<u8>; over Vec<_>; over String
        rust.path.grow | std::path::PathBuf::@(push|_push|reserve|set_)* | String | PathBuf | growth | over Vec<u8>; over Vec<_>; over OsString; over String
        rust.path.new | std::path::@(PathBuf|Path)::* | String | PathBuf | construct | over Vec<u8>; over Vec<_>; over OsString; over String
        rust.path.from | <std::path::@(PathBuf|Path) as *>::* | String | PathBuf | construct | over Vec<u8>; over Vec<_>; over OsString; over String
        rust.cstring | alloc::ffi::c_str::CString::* | String | CString | construct | over Vec<u8>; over Vec<_>; over Box<[u8]>
        rust.cstring.spec | <* as *CString*SpecNewImpl>::* | String | CString | construct | over Vec<u8>; over Vec<_>; over Box<[u8]>

        # Counted owners.
        rust.rc.make_mut | alloc::rc::Rc<{T}>::make_mut | Shared | Rc<{T}> | copyOnWrite | over Box<RcInner; over Box<RcBox; over Rc<
        rust.rc.uninit | alloc::rc::UniqueRcUninit<{T}>::* | Shared | Rc<{T}> | construct | over Box<RcInner; over Rc<
        rust.rc.new | alloc::rc::Rc<{T}>::* | Shared | Rc<{T}> | construct | over Box<RcInner; over Box<RcBox; over Rc<; over Box<_>
        rust.rc.from | <alloc::rc::Rc<{T}> as *>::* | Shared | Rc<{T}> | construct | over Box<RcInner; over Box<RcBox; over Rc<; over Box<_>
        rust.arc.make_mut | alloc::sync::Arc<{T}>::make_mut | Shared | Arc<{T}> | copyOnWrite | over Box<ArcInner; over Arc<
        rust.arc.uninit | alloc::sync::UniqueArcUninit<{T}>::* | Shared | Arc<{T}> | construct | over Box<ArcInner; over Arc<
        rust.arc.new | alloc::sync::Arc<{T}>::* | Shared | Arc<{T}> | construct | over Box<ArcInner; over Arc<; over Box<_>
        rust.arc.from | <alloc::sync::Arc<{T}> as *>::* | Shared | Arc<{T}> | construct | over Box<ArcInner; over Arc<; over Box<_>

        # Trees, before Box, which makes their nodes.
        rust.btree.box | alloc::boxed::Box<alloc::collections::btree::node::@(LeafNode|InternalNode)<{K},{V}>>::* | Dictionary | BTreeMap<{K}, {V}> | construct
        rust.btree.node | alloc::collections::btree::node::@(LeafNode|InternalNode)<{K},{V}>::* | Dictionary | BTreeMap<{K}, {V}> | construct | over Box<LeafNode; over Box<InternalNode; else tree in {caller}
        rust.btree.clone | <alloc::collections::btree::map::BTreeMap<{K},{V}> as core::clone::Clone>::clone* | Dictionary | BTreeMap<{K}, {V}> | clone | over Box<LeafNode; over Box<InternalNode
        rust.btree.map | alloc::collections::btree::map::@(BTreeMap|entry::VacantEntry|entry::Entry)<{K},{V}>::* | Dictionary | BTreeMap<{K}, {V}> | construct | over Box<LeafNode; over Box<InternalNode
        rust.btree.map.from | <alloc::collections::btree::map::BTreeMap<{K},{V}> as *>::* | Dictionary | BTreeMap<{K}, {V}> | construct | over Box<LeafNode; over Box<InternalNode; sourceless collection in {caller}
        rust.btree.set.clone | <alloc::collections::btree::set::BTreeSet<{T}> as core::clone::Clone>::clone* | Set | BTreeSet<{T}> | clone | over BTreeMap<{T}, SetValZST>; over BTreeMap<_
        rust.btree.set | alloc::collections::btree::set::@(BTreeSet|entry::VacantEntry|entry::Entry)<{T}>::* | Set | BTreeSet<{T}> | construct | over BTreeMap<{T}, SetValZST>; over BTreeMap<_
        rust.btree.set.from | <alloc::collections::btree::set::BTreeSet<{T}> as *>::* | Set | BTreeSet<{T}> | construct | over BTreeMap<{T}, SetValZST>; over BTreeMap<_; sourceless collection in {caller}

        # Hash tables.
        rust.hash.plumbing | hashbrown::raw::@(alloc::|RawIter|Bucket)* | skip
        rust.hash.inner | hashbrown::raw::RawTableInner::* | Unattributed | hash table in {caller} | growth | weak
        rust.hash.table.clone | <hashbrown::raw::RawTable<{T}> as core::clone::Clone>::* | Dictionary | HashMap<{T:tuple}> | clone | else hash table in {caller}
        rust.hash.table | hashbrown::raw::RawTable<{T}>::* | Dictionary | HashMap<{T:tuple}> | growth | else hash table in {caller}
        rust.hash.table.spec | <hashbrown::raw::RawTable<{T}> as *>::* | Dictionary | HashMap<{T:tuple}> | construct | else hash table in {caller}
        rust.hashset.clone | <@(std::collections::hash::set|hashbrown::set)::HashSet<{T}> as core::clone::Clone>::* | Set | HashSet<{T}> | clone | over HashMap<{T}, ()>; over HashMap<_
        rust.hashset.new | @(std::collections::hash::set|hashbrown::set)::HashSet<{T}>::with_capacity* | Set | HashSet<{T}> | construct | over HashMap<{T}, ()>; over HashMap<_
        rust.hashset.collect | <@(std::collections::hash::set|hashbrown::set)::HashSet<{T}> as core::@(iter::traits::collect::FromIterator|convert::From)* | Set | HashSet<{T}> | construct | over HashMap<{T}, ()>; over HashMap<_; over hash table; sourceless collection in {caller}
        rust.hashset.grow | @(std::collections::hash::set|hashbrown::set)::HashSet<{T}>::* | Set | HashSet<{T}> | growth | over HashMap<{T}, ()>; over HashMap<_
        rust.hashset.extend | <@(std::collections::hash::set|hashbrown::set)::HashSet<{T}> as *>::* | Set | HashSet<{T}> | growth | over HashMap<{T}, ()>; over HashMap<_; over hash table; sourceless collection in {caller}
        rust.hashmap.clone | <std::collections::hash::map::HashMap<{K},{V}> as core::clone::Clone>::* | Dictionary | HashMap<{K}, {V}> | clone
        rust.hashmap.new | std::collections::hash::map::HashMap<{K},{V}>::with_capacity* | Dictionary | HashMap<{K}, {V}> | construct
        rust.hashmap.collect | <std::collections::hash::map::HashMap<{K},{V}> as core::@(iter::traits::collect::FromIterator|convert::From)* | Dictionary | HashMap<{K}, {V}> | construct | over hash table; sourceless collection in {caller}
        rust.hashmap.grow | std::collections::hash::map::HashMap<{K},{V}>::* | Dictionary | HashMap<{K}, {V}> | growth
        rust.hashmap.extend | <std::collections::hash::map::HashMap<{K},{V}> as *>::* | Dictionary | HashMap<{K}, {V}> | growth | over hash table; sourceless collection in {caller}
        rust.hashmap.clone.hashbrown | <hashbrown::map::HashMap<{K},{V}> as core::clone::Clone>::* | Dictionary | HashMap<{K}, {V}> | clone
        rust.hashmap.new.hashbrown | hashbrown::map::HashMap<{K},{V}>::with_capacity* | Dictionary | HashMap<{K}, {V}> | construct
        rust.hashmap.collect.hashbrown | <hashbrown::map::HashMap<{K},{V}> as core::@(iter::traits::collect::FromIterator|convert::From)* | Dictionary | HashMap<{K}, {V}> | construct | over hash table; sourceless collection in {caller}
        rust.hashmap.grow.hashbrown | hashbrown::map::HashMap<{K},{V}>::* | Dictionary | HashMap<{K}, {V}> | growth
        rust.hashmap.extend.hashbrown | <hashbrown::map::HashMap<{K},{V}> as *>::* | Dictionary | HashMap<{K}, {V}> | growth | over hash table; sourceless collection in {caller}
        rust.hashmap.entry | @(std::collections::hash::map|hashbrown::map|hashbrown::rustc_entry)::@(Entry|VacantEntry|RustcEntry|RustcVacantEntry)<{K},{V}>::* | Dictionary | HashMap<{K}, {V}> | growth

        # Sequences over a vector's storage.
        rust.deque.clone | <alloc::collections::vec_deque::VecDeque<{T}> as core::clone::Clone>::* | Array | VecDeque<{T}> | clone | over Vec<{T}>; over Vec<_>
        rust.deque.new | alloc::collections::vec_deque::VecDeque<{T}>::@(with_capacity|from)* | Array | VecDeque<{T}> | construct | over Vec<{T}>; over Vec<_>
        rust.deque.grow | alloc::collections::vec_deque::VecDeque<{T}>::* | Array | VecDeque<{T}> | growth | over Vec<{T}>; over Vec<_>
        rust.deque.from | <alloc::collections::vec_deque::VecDeque<{T}> as *>::* | Array | VecDeque<{T}> | construct | over Vec<{T}>; over Vec<_>; over vector storage; sourceless collection in {caller}
        rust.heap.grow | alloc::collections::binary_heap::BinaryHeap<{T}>::@(push|reserve|append)* | Array | BinaryHeap<{T}> | growth | over Vec<{T}>; over Vec<_>
        rust.heap | @(|<)alloc::collections::binary_heap::BinaryHeap<{T}>* | Array | BinaryHeap<{T}> | construct | over Vec<{T}>; over Vec<_>
        rust.list | @(|<)alloc::collections::linked_list::LinkedList<{T}>* | Array | LinkedList<{T}> | construct | over Box<Node<; over Box<_>

        # Vec.
        rust.vec.clone | <alloc::vec::Vec<{T}> as core::clone::Clone>::* | Array | Vec<{T}> | clone | over Vec<_>
        rust.slice.to_owned | <[{T}] as alloc::borrow::ToOwned>::* | Array | Vec<{T}> | clone | over Vec<_>
        rust.vec.literal | alloc::vec::Vec<{T}>::@(from_array|into_vec)* | Array | Vec<{T}> | construct | over Box<[
        rust.vec.extend.desugared | alloc::vec::Vec<{T}>::@(extend_desugared|extend_trusted|extend_with|splice)* | Array | Vec<{T}> | growth | over Vec<_>; over vector storage; sourceless collection in {caller}
        rust.vec.grow | alloc::vec::Vec<{T}>::@(push|insert|reserve|try_reserve|resize|extend|append|splice)* | Array | Vec<{T}> | growth | over Vec<_>
        rust.vec.shrink | alloc::vec::Vec<{T}>::@(shrink|into_boxed_slice|into_flattened)* | Array | Vec<{T}> | conversion | over Vec<_>; over Box<[
        rust.vec.new | alloc::vec::Vec<{T}>::* | Array | Vec<{T}> | construct | over Vec<_>
        rust.vec.extend | <alloc::vec::Vec<{T}> as @(core::iter::traits::collect::Extend|alloc::vec::spec_extend|std::io::Write|std::io::impls)* | Array | Vec<{T}> | growth | over Vec<_>; over vector storage; sourceless collection in {caller}
        rust.vec.from | <alloc::vec::Vec<{T}> as *>::* | Array | Vec<{T}> | construct | over Vec<_>; over Box<[; over vector storage; sourceless collection in {caller}
        rust.vec.from_elem | alloc::vec::from_elem* | Array | Vec<{1}> | construct | over Vec<_>
        rust.vec.from_elem.spec | <{T} as *SpecFromElem>::from_elem* | Array | Vec<{T}> | construct | over Vec<_>
        rust.slice.bytes | @([u8]::@(to_vec|repeat|into_vec)|<u8 as *ConvertVec>::to_vec)* | Array | Vec<u8> | construct | over Vec<_>; sourceless byte storage in {caller}
        rust.slice.to_vec | [{T}]::@(to_vec|repeat|into_vec)* | Array | Vec<{T}> | construct | over Vec<_>; else vector storage in {caller}
        rust.slice.to_vec.spec | <{T} as *ConvertVec>::to_vec* | Array | Vec<{T}> | construct | over Vec<_>; else vector storage in {caller}
        rust.fs.read | std::fs::read | Array | Vec<u8> | construct
        # Legacy names do not tell `T`. `grow_one` is called by `Vec::push` and `Vec::insert`, and by `VecDeque::grow`, which
        # is never inlined and so has a frame of its own. `String::push` reserves, as all of String does (older ones
        # pushed an ASCII byte onto their Vec<u8>, which then reads as `Vec<_>`); what reserves may be any of the three.
        rust.rawvec.grow | alloc::raw_vec::RawVec<{T}>::@(grow_one|reserve_for_push)* | Array | Vec<{T}> | growth | weak
        rust.rawvec.bytes | alloc::raw_vec::RawVec<u8>::* | Unattributed | byte storage in {caller} | unknown | weak
        rust.rawvec.reserve | alloc::raw_vec::RawVec<{T}>::@(grow|reserve|try_reserve)* | Array | Vec<{T}> | growth | weak; else vector storage in {caller}
        rust.rawvec.new | alloc::raw_vec::RawVec<{T}>::* | Array | Vec<{T}> | construct | weak; else vector storage in {caller}
        rust.rawvec.inner | alloc::raw_vec::* | Unattributed | vector storage in {caller} | unknown | weak

        # Buffers of readers and writers.
        rust.io.buffer.storage | std::io::buffered::bufreader::buffer::Buffer::* | Data | I/O buffer | construct | over Vec<u8>; over Vec<_>; over Box<[
        rust.io.buffer | std::io::buffered::@(bufreader::BufReader|bufwriter::BufWriter|linewriter::LineWriter)<{R}>::@(new|with_capacity)* | Data | I/O buffer | construct | over Vec<u8>; over Vec<_>; over Box<[

        # Box.
        rust.box.clone | <alloc::boxed::Box<{T}> as core::clone::Clone>::* | Box | Box<{T}> | clone | over Box<_>; over Box<{T}; over Vec<
        rust.box.error | @(alloc|std)::boxed::convert::<impl core::convert::From* | Box | Box<dyn Error> | conversion | over Box<
        rust.box.from | <alloc::boxed::Box<{T}> as *>::* | Box | Box<{T}> | conversion | over Box<_>; over Box<; over Vec<
        rust.vec.macro | alloc::boxed::Box<[{T}; {N}]>::@(new_uninit|new_uninit_in) | Array | Vec<{T}> | construct | over Box<_>
        rust.box.slice | alloc::boxed::Box<[{T}]>::@(new_uninit_slice|new_zeroed_slice)* | Box | Box<[{T}]> | construct | over Vec<; over Box<_>
        rust.box.new | alloc::boxed::Box<{T}>::* | Box | Box<{T}> | construct | over Box<_>
        rust.box.uninit | alloc::boxed::@(box_new|box_new_uninit|box_uninit)* | Box | Box<_> | construct
        rust.box.exchange | alloc::alloc::exchange_malloc | Box | Box<_> | construct

        # The allocator's own functions; a program's own global allocator is plumbing wherever it is written.
        rust.global_alloc | <* as core::alloc::global::GlobalAlloc>::* | skip | anywhere
        rust.alloc | alloc::alloc::@(alloc|alloc_zeroed|realloc) | Data | alloc in {caller} | construct | weak
        rust.global | @(|<)alloc::alloc::Global* | Unattributed | alloc in {caller} | unknown | weak
        rust.system | @(|<)std::alloc::* | Unattributed | alloc in {caller} | unknown | weak
        rust.system.sys | @(|<)std::sys::alloc::* | Unattributed | alloc in {caller} | unknown | weak
        rust.shim | __rustc::__r* | Unattributed | alloc in {caller} | unknown | weak
        rust.shim.bare | __r@(ust_alloc|ust_realloc|dl_alloc|dl_realloc|g_alloc|g_realloc)* | Unattributed | alloc in {caller} | unknown | weak
        # The compiler gives the shims the source line of the program's #[global_allocator].
        rust.shim.own | @(__rustc::__r|__rust_alloc|__rust_realloc|__rg_)* | skip | anywhere
        """
}
