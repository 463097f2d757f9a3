// The seam between analyses and symbols: tests answer with a fake, programs with `Symbolicator`.

/// Answers which functions an address of a module belongs to.
public protocol FrameSymbolicator: AnyObject {
    /// Returns the frames at an ELF virtual address of `module`, innermost inlined call first; never empty.
    ///
    /// - Parameters:
    ///   - module: The module as it was loaded.
    ///   - offset: The address in the file's own numbering (load bias subtracted). For a caller, pass its return
    ///     address minus one, so that the call and not what follows it is found.
    func frames(in module: ModuleDescription, at offset: UInt64) -> [SymbolicatedFrame]

    /// Returns the function that the call before `returnOffset` was meant for, where it left by a jump and so has no
    /// frame; nil where there is none, or the code does not tell.
    ///
    /// - Parameters:
    ///   - returnOffset: The return address, in the file's own numbering.
    ///   - inner: An address of the frame that was called, where it lies in the same module.
    func tailCaller(in module: ModuleDescription, returningTo returnOffset: UInt64, inner: UInt64?)
        -> SymbolicatedFrame?

    /// Returns the type that the block is for which a call of C++'s operator new at `offset` returns, from the code around
    /// the call: `geo::Circle`, `elements of std::vector`, `node of std::_Rb_tree<…>`; nil where that does not tell.
    func allocatedType(in module: ModuleDescription, at offset: UInt64) -> String?

    /// Returns what a call of Rust's allocator at `offset`, or of its vectors' shared code, asks for, from the layout that
    /// it passes: `bytes`, `array`, `table`, `object`, `elements<24>`; nil where the code does not tell.
    func rustRequest(in module: ModuleDescription, at offset: UInt64) -> String?

    /// Returns where the file of a module lies now.
    func file(of module: ModuleDescription) -> String
}

extension FrameSymbolicator {
    /// None: only a symbolicator that reads code can tell.
    public func tailCaller(in module: ModuleDescription, returningTo returnOffset: UInt64, inner: UInt64?)
        -> SymbolicatedFrame?
    {
        nil
    }

    /// Nothing: only a symbolicator that reads code can tell.
    public func allocatedType(in module: ModuleDescription, at offset: UInt64) -> String? { nil }

    /// Nothing: only a symbolicator that reads code can tell.
    public func rustRequest(in module: ModuleDescription, at offset: UInt64) -> String? { nil }

    /// At its own path.
    public func file(of module: ModuleDescription) -> String { module.path }
}
