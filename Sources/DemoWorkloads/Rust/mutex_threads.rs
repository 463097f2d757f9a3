//! 32 threads count into one map behind a mutex: the twin of the workload `mutex`.
//! Built by plain rustc (`-g`, and `-O -g`); standard library alone.
//!
//! Sixteen threads bring an owned key, sixteen a borrowed one; one key is in the map at the end.
//!
//! expect: family=Cow type=Cow<str> cause=copyOnWrite size=46 allocations=16 frees=16

use std::borrow::Cow;
use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::thread;

const THREADS: usize = 32;
const KEY: &str = "https://example.com/rust?counted-by=32-threads";

/// The one key that all threads count: owned by threads of odd number, borrowed by the others.
fn key(number: usize) -> Cow<'static, str> {
    let mut key = black_box(Cow::Borrowed(KEY));
    if number % 2 == 1 {
        key.to_mut();
    }
    key
}

fn main() {
    let counts: Arc<Mutex<HashMap<Cow<'static, str>, usize>>> = Arc::default();
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let counts = Arc::clone(&counts);
            thread::spawn(move || {
                let key = key(number);
                *counts.lock().unwrap().entry(key).or_insert(0) += 1;
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    for (key, count) in counts.lock().unwrap().iter() {
        println!("mutex_threads: {key} counted {count} times");
    }
}
