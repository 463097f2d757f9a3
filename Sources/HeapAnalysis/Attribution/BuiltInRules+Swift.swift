// The frame rules for Swift's standard library and Foundation, and for the C names of its runtime.
//
// Arguments of types come from the specialization (`{1}`), for Swift's names do not carry them.

extension BuiltInRules {
    /// Rules for Swift.
    static let swift = """
        [swift]
        # Accessors that yield keep their frame in a block of their own.
        swift.coroutine | *.@(read|modify) | Task | coroutine frame | runtime | innermost

        # Array. Its buffer is shared by ContiguousArray, which library functions build their results in.
        swift.array.cow | Array.@(_makeMutableAndUnique|subscript.modify|subscript.setter|withUnsafeMutableBufferPointer|swapAt)* | Array | Array<{1}> | copyOnWrite | object
        swift.array.cow.buffer | _ContiguousArrayBuffer._consumeAndCreateNew() | Array | Array<{1}> | copyOnWrite | object
        swift.array.create | Array._createNewBuffer* | Array | Array<{1}> | unknown | object
        swift.array.grow | Array.@(append|insert|reserveCapacity|_reserveCapacity|replaceSubrange|+=|_makeUniqueAndReserve|_growForAppend|_appendElement)* | Array | Array<{1}> | growth | object
        swift.array.init | Array.@(init(repeating:count:)|_allocateUninitialized|_allocateBufferUninitialized)* | Array | Array<{1}> | construct | object; over ContiguousArray
        swift.array.new | Array.* | Array | Array<{1}> | construct | over ContiguousArray; refine
        swift.contiguous.cow | ContiguousArray.@(_makeMutableAndUnique|subscript.modify|subscript.setter)* | Array | ContiguousArray<{1}> | copyOnWrite | over Array<{1}>; object
        swift.contiguous.grow | ContiguousArray.@(append|insert|reserveCapacity|_reserveCapacity|replaceSubrange|_createNewBuffer|_makeUnique|+=)* | Array | ContiguousArray<{1}> | growth | over Array<{1}>; object
        swift.contiguous.new | ContiguousArray.* | Array | ContiguousArray<{1}> | construct | over Array<{1}>; refine
        swift.slice.cow | ArraySlice.@(_makeMutableAndUnique|subscript.modify|subscript.setter|_copyToNewBuffer)* | Array | ArraySlice<{1}> | copyOnWrite | over Array; object
        swift.slice.grow | ArraySlice.@(append|insert|reserveCapacity|replaceSubrange|+=)* | Array | ArraySlice<{1}> | growth | over Array; object
        swift.slice.copy | ArraySlice._copyToContiguousArray* | Array | Array<{1}> | conversion | object
        swift.array.buffer.new | _ContiguousArrayBuffer._consumeAndCreateNew* | Array | Array<{1}> | unknown | object
        swift.array.buffer | @(_ContiguousArrayBuffer|_ArrayBuffer|_SliceBuffer|_ArrayBufferProtocol|_ContiguousArrayStorage).* | Array | Array<{1}> | construct | object
        swift.array.literal | @(_allocateUninitializedArray|_allocateUninitialized)* | Array | Array<{1}> | construct | object
        swift.array.copy | @(_copySequenceToContiguousArray|_copyCollectionToContiguousArray|_arrayForceCast|_arrayConditionalCast)* | Array | Array | construct | over ContiguousArray; object
        swift.array.protocol | @(_ArrayProtocol|MutableCollection|UnsafeMutableBufferPointer).@(filter|sort|_stableSortImpl|_merge)* | Array | Array | construct | over ContiguousArray; refine
        swift.array.sorted | Sequence.sorted* | Array | Array | construct | over ContiguousArray; refine
        swift.array.mapped | @(Collection|Sequence).@(map|compactMap|flatMap|filter|reversed|split)* | Array | Array | construct | over ContiguousArray; refine

        # Text.
        swift.string.grow | @(_StringGuts.@(grow|append|prepareForAppendInPlace|reserveCapacity|replaceSubrange|remove)|String.@(append|reserveCapacity|insert|replaceSubrange|write|+=|removeSubrange|remove))* | String | String | growth | object
        swift.string.interpolation | DefaultStringInterpolation.* | String | String | construct | refine
        swift.string.join | BidirectionalCollection.joined* | String | String | construct | refine
        swift.string.bridge | String.@(_bridgeToObjectiveC|_bridgeFromObjectiveC|_conditionallyBridgeFromObjectiveC|_forceBridge|_unconditionallyBridge|init(_cocoaString:)|utf8CString)* | String | String | conversion | object
        swift.string.storage | @(__StringStorage|__SharedStringStorage|_StringGuts|_allocateStringStorage|_StringObject|Substring|StringProtocol)* | String | String | construct | object
        swift.string.new | String.* | String | String | construct | refine
        swift.character | @(Character|Unicode.Scalar).* | String | String | construct | object

        # Dictionary and Set. What changes them says nothing of why; the storage's functions do.
        swift.dictionary.copy | @(_NativeDictionary.copy|_DictionaryStorage.copy)* | Dictionary | Dictionary<{1}, {2}> | copyOnWrite | object
        swift.dictionary.grow | @(_NativeDictionary.@(resize|_copyOrMoveAndResize)|_DictionaryStorage.@(resize|reallocate)|Dictionary.reserveCapacity)* | Dictionary | Dictionary<{1}, {2}> | growth | object
        swift.dictionary.storage | @(_DictionaryStorage.allocate|_NativeDictionary.init|__RawDictionaryStorage|_DictionaryBuilder)* | Dictionary | Dictionary<{1}, {2}> | construct | object
        swift.dictionary.new | Dictionary.@(init|compactMapValues|filter|merging)* | Dictionary | Dictionary<{1}, {2}> | construct | refine
        swift.dictionary.map | @(Dictionary.mapValues|Dictionary._Variant.mapValues|_NativeDictionary.mapValues)* | Dictionary | Dictionary | construct | refine
        swift.dictionary.change | @(_NativeDictionary|Dictionary).@(subscript|setValue|updateValue|ensureUnique|mutatingFind|insertNew|removeValue|remove|merge|_Variant|uncheckedRemove)* | Dictionary | Dictionary<{1}, {2}> | unknown | refine
        swift.set.copy | @(_NativeSet.copy|_SetStorage.copy)* | Set | Set<{1}> | copyOnWrite | object
        swift.set.grow | @(_NativeSet.@(resize)|_SetStorage.@(resize|reallocate)|Set.reserveCapacity)* | Set | Set<{1}> | growth | object
        swift.set.storage | @(_SetStorage.allocate|_NativeSet.init|__RawSetStorage|_SetBuilder)* | Set | Set<{1}> | construct | object
        swift.set.new | Set.@(init|union|intersection|subtracting|symmetricDifference|filter)* | Set | Set<{1}> | construct | refine
        swift.set.change | @(_NativeSet|Set).@(insert|insertNew|update|ensureUnique|remove|_Variant|formUnion|uncheckedRemove|_unsafeInsertNew)* | Set | Set<{1}> | unknown | refine

        # Foundation's bytes.
        swift.data.cow | @(|Foundation.|FoundationEssentials.)@(Data.InlineSlice|Data.LargeSlice|Data._Representation|Data).@(ensureUniqueReference|subscript.setter|subscript.modify|withUnsafeMutableBytes)* | Data | Data | copyOnWrite
        swift.data.grow | @(|Foundation.|FoundationEssentials.)@(__DataStorage.@(ensureUniqueBufferReference|append|setLength|resetBytes|replaceBytes|growBuffer)|Data.@(append|replaceSubrange|reserveCapacity|count|resetBytes|insert)|Data.@(InlineSlice|LargeSlice|_Representation|InlineData).@(append|replaceSubrange|reserveCapacity|resetBytes))* | Data | Data | growth
        swift.data.new | @(|Foundation.|FoundationEssentials.)@(__DataStorage|Data).* | Data | Data | construct
        swift.pointer | @(|Swift.)@(UnsafeMutablePointer|UnsafeMutableBufferPointer|UnsafeMutableRawPointer|UnsafeMutableRawBufferPointer).allocate* | Data | raw memory in {caller} | construct
        swift.managed.buffer | @(ManagedBuffer|ManagedBufferPointer).* | Class | ManagedBuffer | construct | object
        swift.keypath | @(AnyKeyPath|_instantiateKeyPathBuffer|_swift_getKeyPath|InstantiateKeyPathBuffer)* | Runtime | key path | runtime

        # Concurrency.
        swift.task.new | Task.@(init|detached|immediate|sleep|yield)* | Task | task | construct
        swift.task.group | @(TaskGroup|ThrowingTaskGroup|DiscardingTaskGroup|ThrowingDiscardingTaskGroup).@(addTask|addImmediateTask)* | Task | task | construct
        swift.task.group.new | @(withTaskGroup|withThrowingTaskGroup|withDiscardingTaskGroup)* | Task | task group | construct
        swift.continuation | @(CheckedContinuation|CheckedContinuationCanary|withCheckedContinuation|withUnsafeContinuation|withCheckedThrowingContinuation)* | Task | continuation | construct
        swift.stream | @(AsyncStream|AsyncThrowingStream|_Deque)* | Task | AsyncStream | construct

        # Metadata that the compiler asks the runtime for.
        swift.metadata.accessor | @(type metadata|lazy protocol witness|lazy cache|instantiation function|associated type witness|base witness table|generic type metadata|protocol witness table|associated conformance|metadata)* | Runtime | metadata | runtime
        """

    /// Rules for C names: libc, the C++ support library, and the entry points of the Swift and Rust runtimes.
    static let c = """
        [c]
        c++.new.c | operator new* | Class | new in {caller} | construct | weak; sourced; language c++
        c++.new.alias.c | @(tc_new|mi_new)* | Class | new in {caller} | construct | weak; sourced; language c++
        c++.exception.allocate | @(__cxa_allocate_exception|__cxa_allocate_dependent_exception|__cxa_get_globals) | Runtime | exception | runtime | language c++
        c++.thread.exit | __cxa_thread_atexit* | Runtime | thread | runtime | language c++
        c++.demangle | __cxa_demangle* | Runtime | demangler | runtime | language c++
        rust.shim.c | __r@(ust_alloc|ust_realloc|dl_alloc|dl_realloc|g_alloc|g_realloc)* | Unattributed | alloc in {caller} | unknown | weak; language rust

        swift.slow | swift_slowAlloc* | Data | raw memory in {caller} | construct | weak; language swift
        swift.object | @(swift_allocObject|_swift_allocObject_|swift_bufferAllocate|swift_allocateObject)* | Unattributed | {object} | unknown | weak; language swift
        swift.box | swift_allocBox* | Box | captured or indirect value | boxing | language swift
        swift.box.existential | __swift_allocate_boxed_opaque_existential* | Box | existential value | boxing | language swift
        swift.error | swift_allocError* | Box | any Error | boxing | language swift
        swift.task | @(swift_task_|swift_taskGroup_|swift_asyncLet_|swift_continuation_|swift_defaultActor_|swift_job_|_swift_task_)* | Task | task | construct | language swift
        swift.dispatch | @(_dispatch_|dispatch_|_os_object_)* | Runtime | dispatch | runtime | language c
        swift.metadata | @(swift_get|_swift_get|__swift_instantiate|swift_conformsToProtocol|swift_dynamicCast|_swift_|swift_register|swift_addNewDSOImage|swift_once|swift_init|swift_stdlib_|tryCast|instantiateWitnessTable|_gatherGenericParameters|_findContextDescriptor|_registerProtocol|_registerType|getCache|swift_lookUp|swift_allocateGeneric|swift_allocateMetadata|swift_reflectionMirror|swift_retain|swift_release|swift_slowAlloc_)* | Runtime | metadata | runtime | language swift
        python.plumbing | @(gc_alloc|_PyObject_New|_PyObject_GC_|_PyObject_Malloc|PyType_GenericAlloc|PyType_GenericNew|_PyType_Alloc|PyObject_New)* | skip
        cf.plumbing | @(_CFRuntimeCreateInstance|CFAllocatorAllocate|__CFSafelyReallocate|__CFAllocator)* | skip
        """
}
