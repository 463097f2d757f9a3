// A Rust program whose boxes, strings and maps are made through inlined library code.
use std::borrow::Cow;
use std::collections::HashMap;

mod own {
    #[derive(Clone)]
    pub struct Matrix {
        pub data: [u8; 505],
    }
}

use own::Matrix;

#[inline(never)]
fn make_matrix(value: u8) -> Box<Matrix> {
    Box::new(Matrix { data: [value; 505] })
}

#[inline(never)]
fn make_strings(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("item {i}")).collect()
}

#[inline(never)]
fn make_owned(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    if text.len() > 3 {
        text.to_mut().push('x');
    }
    text
}

fn main() {
    let matrix = make_matrix(std::env::args().count() as u8);
    let strings = make_strings(100);
    let text = make_owned("hello");
    let mut map: HashMap<String, Box<Matrix>> = HashMap::new();
    for string in &strings {
        map.insert(string.clone(), matrix.clone());
    }
    println!("{} {} {} {}", matrix.data[3], strings.len(), text, map.len());
}
