// Strings of known lengths, made to measure: 90 of 7 bytes, 70 of 15, 50 of 22, 40 of 23, 30 of 24, 20 of 30, 10 of 200. Prints "done".

use std::hint::black_box;

#[inline(never)]
fn made(length: usize) -> String {
    black_box(TEXT)[..length].to_owned()
}

static TEXT: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\
xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

fn main() {
    let mut kept = Vec::with_capacity(310);
    for (count, length) in [(90, 7), (70, 15), (50, 22), (40, 23), (30, 24), (20, 30), (10, 200)] {
        for _ in 0..count {
            kept.push(made(length));
        }
    }
    black_box(&kept);
    println!("done");
}
