//! A 32-byte string with 30 bytes inline: the twin of the workload `small-string`.
//! Built by plain rustc (`-g`, and `-O -g`); standard library alone.
//!
//! Inline content is the negative control: no allocation. One byte more is one block.
//!
//! expect: family=String type=String cause=construct size=31 allocations=1 frees=1

use std::hint::black_box;

const INLINE: usize = 30;

/// Up to 30 bytes inside, else the heap; 32 bytes in all.
enum MyString {
    Inline { length: u8, bytes: [u8; INLINE] },
    Heap(String),
}

impl MyString {
    fn new(text: &str) -> MyString {
        if text.len() > INLINE {
            return MyString::Heap(String::from(text));
        }
        let mut bytes = [0; INLINE];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        MyString::Inline { length: text.len() as u8, bytes }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            MyString::Inline { length, bytes } => &bytes[..usize::from(*length)],
            MyString::Heap(text) => text.as_bytes(),
        }
    }

    fn is_inline(&self) -> bool {
        matches!(self, MyString::Inline { .. })
    }
}

fn main() {
    let alphabet = black_box("abcdefghijklmnopqrstuvwxyz0123456789");
    println!("my_string: {} bytes in all", std::mem::size_of::<MyString>());
    for length in [0, 15, INLINE, INLINE + 1] {
        let text = black_box(MyString::new(&alphabet[..length]));
        println!("my_string: {} bytes, inline: {}", text.as_bytes().len(), text.is_inline());
    }
}
