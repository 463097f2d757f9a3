// Blocks of sizes nothing else asks for, by the standard library's types.
//   1613 bytes: Vec<u8>, 11 times     1619 to 1627: one growth by reserve_exact     1637: String, 4     1657: Box, 6

use std::hint::black_box;

struct Block([u8; 1657]);

fn main() {
    for _ in 0..11 {
        black_box(Vec::<u8>::with_capacity(1613));
    }
    let mut grown = black_box(Vec::<u8>::with_capacity(1619));
    grown.resize(1619, 1);
    grown.reserve_exact(8);
    black_box(&grown);
    for _ in 0..4 {
        black_box(String::with_capacity(1637));
    }
    for _ in 0..6 {
        let block = black_box(Box::new(Block([3; 1657])));
        black_box(block.0[5]);
    }
    println!("done");
}
