// Raw blocks of sizes nothing else asks for, and arrays whose storage is counted by their elements.
//   1709 bytes: allocate, 9 times, all freed     1721: 4 allocated, 3 freed
for _ in 0..<9 {
    let block = UnsafeMutableRawPointer.allocate(byteCount: 1709, alignment: 8)
    block.storeBytes(of: 1, as: UInt8.self)
    block.deallocate()
}
var kept: [UnsafeMutableRawPointer] = []
for _ in 0..<4 {
    let block = UnsafeMutableRawPointer.allocate(byteCount: 1721, alignment: 8)
    block.storeBytes(of: 1, as: UInt8.self)
    kept.append(block)
}
for block in kept.dropFirst() { block.deallocate() }
print("done")
