//! A set that is an array while small and a hash table when it grows: the twin of the workload `adaptive-set`.
//! Built by plain rustc (`-g`, and `-O -g`); standard library alone.
//!
//! Numbers are 8 bytes: an array of 8; then a table of 16 buckets, grown once to 32 and once to 64. A table of n buckets
//! takes 8n bytes of numbers and n + 16 of control bytes.
//!
//! expect: family=Array type=Vec<u64> cause=construct size=64 allocations=1 frees=1
//! expect: family=Set type=HashSet<u64> cause=construct size=160 allocations=1 frees=1
//! expect: family=Set type=HashSet<u64> cause=growth size=304 allocations=1 frees=1
//! expect: family=Set type=HashSet<u64> cause=growth size=592 allocations=1 frees=1

use std::collections::HashSet;
use std::hint::black_box;

const LIMIT: usize = 8;

enum AdaptiveSet {
    Array(Vec<u64>),
    Table(HashSet<u64>),
}

impl AdaptiveSet {
    fn new() -> AdaptiveSet {
        AdaptiveSet::Array(Vec::with_capacity(LIMIT))
    }

    /// Adds a number; true where it was not there.
    fn insert(&mut self, number: u64) -> bool {
        match self {
            AdaptiveSet::Array(array) if array.contains(&number) => false,
            AdaptiveSet::Array(array) if array.len() < LIMIT => {
                array.push(number);
                true
            }
            AdaptiveSet::Array(array) => {
                let mut table = HashSet::with_capacity(LIMIT + 1);
                table.extend(array.drain(..));
                table.insert(number);
                *self = AdaptiveSet::Table(table);
                true
            }
            AdaptiveSet::Table(table) => table.insert(number),
        }
    }

    fn len(&self) -> usize {
        match self {
            AdaptiveSet::Array(array) => array.len(),
            AdaptiveSet::Table(table) => table.len(),
        }
    }

    fn is_table(&self) -> bool {
        matches!(self, AdaptiveSet::Table(_))
    }
}

fn main() {
    let mut set = AdaptiveSet::new();
    let mut was_table = false;
    for number in 1..=30 {
        set.insert(black_box(number * number));
        if set.is_table() != was_table {
            was_table = set.is_table();
            println!("adaptive_set: a hash table from {} elements on", set.len());
        }
    }
    println!("adaptive_set: {} elements, 900 again: {}", set.len(), set.insert(900));
}
