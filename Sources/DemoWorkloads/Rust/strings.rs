//! String: construction, growth, clone: the twin of the workload `string`.
//! Built by plain rustc (`-g`, and `-O -g`); standard library alone.
//!
//! An empty String takes no memory. Growth is one realloc a step: a FREE of the old block, an ALLOC of the new.
//!
//! expect: family=String type=String cause=construct size=1001 allocations=1 frees=1
//! expect: family=String type=String cause=growth size=4003 allocations=1 frees=1
//! expect: family=String type=String cause=growth size=16007 allocations=1 frees=1
//! expect: family=String type=String cause=clone size=15011 allocations=1 frees=1

use std::hint::black_box;

/// Appends `count` letters one call at a time, into room that is there already.
fn fill(text: &mut String, count: usize) {
    for index in 0..count {
        text.push(char::from(b'a' + (index % 26) as u8));
    }
}

fn main() {
    let empty = black_box(String::new());
    let mut text = black_box(String::with_capacity(1001));
    fill(&mut text, 1001);
    text.reserve_exact(3002);
    fill(&mut text, 3002);
    text.reserve_exact(12004);
    fill(&mut text, 11008);
    let clone = black_box(text.clone());
    println!("strings: {} and {} bytes, equal: {}", empty.len(), text.len(), black_box(&text) == &clone);
}
