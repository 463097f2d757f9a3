// Copies of containers whose elements own storage, too: without debug information the elements' copies are inlined into
// the container's, and only what the code asks for tells them apart.
//
// The line above a function says what its allocations are, as in rust-owners.rs.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

const N: usize = 20;

// = Array Vec<String> construct; String String clone
#[inline(never)]
fn words_clone(words: &[String]) -> usize {
    let owned: Vec<String> = words.to_vec();
    black_box(owned).len()
}

// = Array Vec<Vec<u16>> clone; Array Vec<u16> clone
#[inline(never)]
fn rows_clone(rows: &Vec<Vec<u16>>) -> usize {
    black_box(rows.clone()).len()
}

// = Array Vec<Vec<u16>> construct; Array Vec<u16> construct; Array Vec<u16> clone
#[inline(never)]
fn rows_repeated() -> usize {
    black_box(vec![vec![7u16; 12]; N]).len()
}

// = Array Vec<(String, Vec<f64>)> clone; String String clone; Array Vec<f64> clone
#[inline(never)]
fn people_clone(people: &Vec<(String, Vec<f64>)>) -> usize {
    black_box(people.clone()).len()
}

// = Dictionary HashMap<String, Vec<u8>> clone; String String clone; Array Vec<u8> clone
#[inline(never)]
fn table_clone(table: &HashMap<String, Vec<u8>>) -> usize {
    black_box(table.clone()).len()
}

// = Shared Arc<Vec<u32>> copyOnWrite; Array Vec<u32> clone
#[inline(never)]
fn shared_edit(shared: &mut Arc<Vec<u32>>) -> u32 {
    let kept = shared.clone();
    Arc::make_mut(shared)[0] += 1;
    black_box(kept)[0]
}

#[inline(never)]
fn run() -> usize {
    let words: Vec<String> = (0..N).map(|number| format!("word number {number}")).collect();
    let rows = vec![vec![1u16; 24]; N];
    let people = vec![(String::from("somebody"), vec![0.5; 6]); N];
    let table: HashMap<String, Vec<u8>> = (0..N).map(|number| (number.to_string(), vec![1u8; 16])).collect();
    let mut shared = Arc::new(vec![3u32; 50]);
    let mut total = people[0].0.len() + people[0].1.len();
    for _ in 0..5 {
        total += words_clone(black_box(&words)) + rows_clone(black_box(&rows)) + rows_repeated();
        total += people_clone(black_box(&people)) + table_clone(black_box(&table));
        total += shared_edit(&mut shared) as usize;
    }
    total
}

fn main() {
    println!("{}", run());
}
