// Rust collections of the standard library: strings split, counted, boxed and sorted. usage: bench-rust ROUNDS

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

fn normalised(word: &str) -> Cow<'_, str> {
    if word.contains('+') {
        Cow::Owned(word.replace('+', " "))
    } else {
        Cow::Borrowed(word)
    }
}

fn main() {
    let rounds: u32 = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(20);
    let mut total = 0usize;
    for round in 0..rounds {
        let mut seed = round + 1;
        let mut text = String::new();
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text.push_str(&format!("key+{}=value{};", seed % 5000, seed % 77));
        }
        let mut counts: HashMap<String, Vec<Box<str>>> = HashMap::new();
        for pair in text.split(';').filter(|p| !p.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap();
            counts.entry(normalised(key).into_owned()).or_default().push(value.into());
        }
        let sorted: BTreeMap<usize, String> = counts.iter().map(|(k, v)| (v.len(), k.clone())).collect();
        total += sorted.len() + counts.len();
    }
    println!("{total}");
}
