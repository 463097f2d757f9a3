// The frame rules for C++: libstdc++ and libc++, which canonical names spell alike; the syntax is in RuleSet.swift.

extension BuiltInRules {
    /// Rules for C++.
    static let cxx = """
        [c++]
        c++.new | operator new* | Class | new in {caller} | construct | weak; sourced
        c++.new.alias | @(tc_new|mi_new)* | Class | new in {caller} | construct | weak; sourced
        c++.new.class | *::operator new* | skip
        c++.new.llvm | llvm::allocate_buffer | skip
        c++.allocator | @(std::__new_allocator|std::allocator|__gnu_cxx::new_allocator|std::allocator_traits|__gnu_cxx::__alloc_traits)<* | skip
        c++.allocate | std::@(__allocate|__libcpp_allocate|__libcpp_operator_new|__allocate_guarded|__do_call|__invoke)* | skip

        # Threads, futures, locales.
        c++.thread | std::thread::* | Runtime | std::thread | runtime | over all
        c++.future | std::@(__future_base::|async<|async|__async|__basic_future|promise<|packaged_task<)* | Runtime | std::future | runtime | over all
        c++.locale | std::@(locale|ios_base)::* | Runtime | std::locale | runtime | over all
        c++.exception | std::@(make_exception_ptr|exception_ptr)* | Runtime | exception | runtime | over all

        # Text.
        c++.string.copy | std::string::basic_string | String | std::string | clone | copy
        c++.string.assign | std::string::@(_M_assign|operator=) | String | std::string | clone
        c++.string.grow | std::string::@(_M_append|append|push_back|reserve|resize|_M_mutate|_M_replace|insert|replace|operator+=|__grow_by|assign|__resize|__append)* | String | std::string | growth
        c++.string.new | std::string::* | String | std::string | construct
        c++.wstring.grow | std::wstring::@(_M_append|append|push_back|reserve|resize|_M_mutate|_M_replace|insert|replace|operator+=|__grow_by|assign)* | String | std::wstring | growth
        c++.wstring.new | std::wstring::* | String | std::wstring | construct
        c++.u16string.new | std::u16string::* | String | std::u16string | construct
        c++.u32string.new | std::u32string::* | String | std::u32string | construct
        c++.u8string.new | std::u8string::* | String | std::u8string | construct
        c++.stringbuf | std::@(basic_stringbuf<*|basic_ostringstream<*|basic_stringstream<*|stringbuf::*|ostringstream::*) | String | std::string | growth
        c++.string.plus | std::operator+<char> | String | std::string | construct
        c++.string.to_string | std::to_string | String | std::string | construct
        c++.path | std::filesystem::path::* | String | std::filesystem::path | construct | over std::string
        c++.filebuf | std::@(basic_filebuf<*|filebuf::*) | Data | std::filebuf | construct

        # Sequences.
        c++.vector.copy | std::vector<{T}>::vector | Array | std::vector<{T}> | clone | copy
        c++.vector.assign | std::vector<{T}>::operator=* | Array | std::vector<{T}> | clone
        c++.vector.grow | std::vector<{T}>::@(push_back|emplace|insert|resize|reserve|assign|append_range|shrink_to_fit|_M_realloc_|_M_default_append|_M_fill_|_M_range_|_M_insert_|_M_emplace_|_M_append|_M_assign_aux|__append|__push_back_slow_path|__emplace_back_slow_path|__insert)* | Array | std::vector<{T}> | growth
        c++.vector.new | std::vector<{T}>::* | Array | std::vector<{T}> | construct
        c++.vector.base | std::_Vector_base<{T}>::* | Array | std::vector<{T}> | construct | weak
        c++.vector.bool | std::_Bvector_base* | Array | std::vector<bool> | construct | weak
        c++.vector.split | std::__split_buffer<{T}>::* | Array | std::vector<{T}> | growth
        c++.deque.copy | std::deque<{T}>::deque | Array | std::deque<{T}> | clone | copy
        c++.deque.grow | std::deque<{T}>::@(push_|emplace|insert|resize|assign|_M_push_|_M_reallocate|_M_reserve|_M_new_|_M_fill_|_M_range_|_M_insert|__add_)* | Array | std::deque<{T}> | growth
        c++.deque.new | std::deque<{T}>::* | Array | std::deque<{T}> | construct
        c++.deque.base | std::_Deque_base<{T}>::* | Array | std::deque<{T}> | construct | weak
        c++.list.copy | std::@(list|forward_list)<{T}>::@(list|forward_list) | Array | std::list<{T}> | clone | copy
        c++.list | std::@(list|_List_base|__list_imp)<{T}>::* | Array | std::list<{T}> | construct
        c++.forward_list | std::@(forward_list|_Fwd_list_base|__forward_list_base)<{T}>::* | Array | std::forward_list<{T}> | construct
        c++.temporary_buffer | std::@(_Temporary_buffer<*|get_temporary_buffer<*) | Data | std::get_temporary_buffer | construct

        # Ordered maps and sets.
        c++.map.tree.copy | std::_Rb_tree<{K}, std::pair<{Q}, {V}>*>::@(_M_copy|_M_clone_node)* | Dictionary | std::map<{K}, {V}> | clone | weak
        c++.multimap.tree | std::_Rb_tree<{K}, std::pair<{Q}, {V}>*>::@(_M_insert_equal|_M_emplace_equal|_M_emplace_hint_equal)* | Dictionary | std::multimap<{K}, {V}> | construct | over std::map<; weak
        c++.map.tree | std::_Rb_tree<{K}, std::pair<{Q}, {V}>*>::* | Dictionary | std::map<{K}, {V}> | construct | weak
        c++.set.tree.copy | std::_Rb_tree<{K}, {Q}, std::_Identity*>::@(_M_copy|_M_clone_node)* | Set | std::set<{K}> | clone | weak
        c++.multiset.tree | std::_Rb_tree<{K}, {Q}, std::_Identity*>::@(_M_insert_equal|_M_emplace_equal)* | Set | std::multiset<{K}> | construct | over std::set<; weak
        c++.set.tree | std::_Rb_tree<{K}, {Q}, std::_Identity*>::* | Set | std::set<{K}> | construct | weak
        c++.map.libc++ | std::__tree<std::__value_type<{K}, {V}>*>::* | Dictionary | std::map<{K}, {V}> | construct
        c++.set.libc++ | std::__tree<{K}>::* | Set | std::set<{K}> | construct
        c++.map.copy | std::map<{K}, {V}>::map | Dictionary | std::map<{K}, {V}> | clone | copy
        c++.map | std::map<{K}, {V}>::* | Dictionary | std::map<{K}, {V}> | construct
        c++.multimap | std::multimap<{K}, {V}>::* | Dictionary | std::multimap<{K}, {V}> | construct | over std::map<{K}, {V}>
        c++.set.copy | std::set<{K}>::set | Set | std::set<{K}> | clone | copy
        c++.set | std::set<{K}>::* | Set | std::set<{K}> | construct
        c++.multiset | std::multiset<{K}>::* | Set | std::multiset<{K}> | construct | over std::set<{K}>

        # Hash tables.
        c++.unordered_map.copy | std::_Hashtable<{K}, std::pair<{Q}, {V}>*>::_M_assign* | Dictionary | std::unordered_map<{K}, {V}> | clone | weak
        c++.unordered_map.rehash | std::_Hashtable<{K}, std::pair<{Q}, {V}>*>::@(_M_rehash|rehash|reserve|_M_allocate_buckets)* | Dictionary | std::unordered_map<{K}, {V}> | growth | weak
        c++.unordered_map.table | std::_Hashtable<{K}, std::pair<{Q}, {V}>*>::* | Dictionary | std::unordered_map<{K}, {V}> | construct | weak
        c++.unordered_set.copy | std::_Hashtable<{K}, {Q}, *>::_M_assign* | Set | std::unordered_set<{K}> | clone | weak
        c++.unordered_set.rehash | std::_Hashtable<{K}, {Q}, *>::@(_M_rehash|rehash|reserve|_M_allocate_buckets)* | Set | std::unordered_set<{K}> | growth | weak
        c++.unordered_set.table | std::_Hashtable<{K}, {Q}, *>::* | Set | std::unordered_set<{K}> | construct | weak
        c++.unordered_map.buckets | std::__detail::_Hashtable_alloc<std::allocator<std::__detail::_Hash_node<std::pair<{K}, {V}>, {F}>>>::_M_allocate_buckets* | Dictionary | std::unordered_map<{K}, {V}> | growth | weak
        c++.unordered_map.node | std::__detail::_Hashtable_alloc<std::allocator<std::__detail::_Hash_node<std::pair<{K}, {V}>, {F}>>>::* | Dictionary | std::unordered_map<{K}, {V}> | construct | weak
        c++.unordered_set.buckets | std::__detail::_Hashtable_alloc<std::allocator<std::__detail::_Hash_node<{K}, {F}>>>::_M_allocate_buckets* | Set | std::unordered_set<{K}> | growth | weak
        c++.unordered_set.node | std::__detail::_Hashtable_alloc<std::allocator<std::__detail::_Hash_node<{K}, {F}>>>::* | Set | std::unordered_set<{K}> | construct | weak
        c++.unordered_map.base | std::__detail::@(_Map_base|_Insert_base|_Insert|_Rehash_base)<{K}, std::pair<{Q}, {V}>*>::* | Dictionary | std::unordered_map<{K}, {V}> | construct | weak
        c++.unordered_set.base | std::__detail::@(_Insert_base|_Insert|_Rehash_base)<{K}, {Q}, *>::* | Set | std::unordered_set<{K}> | construct | weak
        c++.unordered_map.libc++ | std::__hash_table<std::__hash_value_type<{K}, {V}>*>::* | Dictionary | std::unordered_map<{K}, {V}> | construct
        c++.unordered_set.libc++ | std::__hash_table<{K}>::* | Set | std::unordered_set<{K}> | construct
        c++.unordered_map.copy.ctor | std::unordered_map<{K}, {V}>::unordered_map | Dictionary | std::unordered_map<{K}, {V}> | clone | copy
        c++.unordered_map.reserve | std::unordered_map<{K}, {V}>::@(reserve|rehash)* | Dictionary | std::unordered_map<{K}, {V}> | growth
        c++.unordered_map | std::unordered_map<{K}, {V}>::* | Dictionary | std::unordered_map<{K}, {V}> | construct
        c++.unordered_multimap | std::unordered_multimap<{K}, {V}>::* | Dictionary | std::unordered_multimap<{K}, {V}> | construct | over std::unordered_map<{K}, {V}>
        c++.unordered_set.copy.ctor | std::unordered_set<{K}>::unordered_set | Set | std::unordered_set<{K}> | clone | copy
        c++.unordered_set | std::unordered_set<{K}>::* | Set | std::unordered_set<{K}> | construct
        c++.unordered_multiset | std::unordered_multiset<{K}>::* | Set | std::unordered_multiset<{K}> | construct | over std::unordered_set<{K}>

        # Smart pointers and erased values.
        c++.make_unique | std::@(make_unique|make_unique_for_overwrite|__detail::__unique_ptr)<{T}>* | Box | std::unique_ptr<{T}> | construct
        c++.shared.count | std::@(__shared_count|_Sp_counted_|__shared_weak_count|__shared_ptr_)* | Shared | std::shared_ptr | construct
        c++.make_shared | std::@(make_shared|allocate_shared|shared_ptr|__shared_ptr)<{T}>* | Shared | std::shared_ptr<{T}> | construct
        c++.function | std::@(function|move_only_function)<{S}>* | Closure | std::function<{S}> | capture
        c++.function.base | std::@(_Function_base|_Function_handler|__function::)* | Closure | std::function | capture
        c++.any | std::@(any::|any|__any_imp::)* | Box | std::any | boxing

        # The Swift runtime is written in C++.
        swift.task.frames | swift::StackAllocator* | Task | async frames | construct | language swift
        swift.task.c++ | swift::@(AsyncTask|TaskGroup|TaskStatus|ContinuationAsync|DefaultActor|ActiveTask|runJob)* | Task | task | construct | language swift
        swift.metadata.c++ | @(swift|__swift)::* | Runtime | metadata | runtime | over std::; language swift
        swift.metadata.local | (anonymous namespace)::@(DecodedMetadataBuilder|GenericMetadataCache|TupleCache|ConformanceState|EnumImpl|_swift_|DynamicReplacement|MetadataCache|SingletonTypeMetadata|WitnessTable)* | Runtime | metadata | runtime | over std::; language swift
        """
}
