//! A name borrowed from a JSON object, and an escaped one that must be owned: the twin of the workload `json`.
//! Built by plain rustc (`-g`, and `-O -g`); standard library alone.
//!
//! The plain document allocates nothing; the escaped one makes one owner.
//!
//! expect: family=String type=String cause=construct size=25 allocations=1 frees=1

use std::borrow::Cow;
use std::hint::black_box;

struct Person<'a> {
    name: Cow<'a, str>,
    age: u32,
}

/// The text up to the closing quote, unescaped if need be, and what follows it.
fn string(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut end = 0;
    let mut is_escaped = false;
    let bytes = text.as_bytes();
    while *bytes.get(end)? != b'"' {
        if bytes[end] == b'\\' {
            is_escaped = true;
            end += 1;
        }
        end += 1;
    }
    let (raw, rest) = (&text[..end], &text[end + 1..]);
    if !is_escaped {
        return Some((Cow::Borrowed(raw), rest));
    }
    let mut owned = String::with_capacity(raw.len());
    let mut characters = raw.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next()? {
                plain @ ('"' | '\\' | '/') => owned.push(plain),
                'n' => owned.push('\n'),
                't' => owned.push('\t'),
                _ => return None,
            },
            plain => owned.push(plain),
        }
    }
    Some((Cow::Owned(owned), rest))
}

/// `{"name": "…", "age": N}`, the name over the document's own bytes where it has no escape.
fn person(json: &str) -> Option<Person<'_>> {
    let (name, rest) = string(json.strip_prefix("{\"name\": \"")?)?;
    let age = rest.strip_prefix(", \"age\": ")?.strip_suffix('}')?.parse().ok()?;
    Some(Person { name, age })
}

fn main() {
    let plain = black_box(r#"{"name": "Ferris the crab of Rust", "age": 10}"#);
    let escaped = black_box(r#"{"name": "Taylor \"Swift\" the bird", "age": 12}"#);
    for document in [plain, escaped] {
        let person = black_box(person(document)).expect("the demo's own documents parse");
        let kind = if matches!(person.name, Cow::Borrowed(_)) { "borrowed" } else { "owned" };
        println!("json_name: {}, {}, {kind}", person.name, person.age);
    }
}
