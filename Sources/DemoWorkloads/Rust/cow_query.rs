//! A URL's query as Cow pairs over the URL's own bytes: the twin of the workload `url`.
//! Built by plain rustc (`-g`, and `-O -g`); standard library alone.
//!
//! Two of three values and all keys stay borrowed. The decoded value is owned by construction, the changed key by to_mut.
//!
//! expect: family=Cow type=Cow<str> cause=copyOnWrite size=13 allocations=1 frees=1
//! expect: family=Cow type=Cow<str> cause=copyOnWrite size=5 allocations=1 frees=1
//! expect: family=Array type=Vec<(Cow<str>, Cow<str>)> cause=construct size=192 allocations=1 frees=1

use std::borrow::Cow;
use std::hint::black_box;

/// The text itself where nothing is escaped; else a decoded owner.
fn percent_decoded(text: &str) -> Cow<'_, str> {
    let mut decoded = Cow::Borrowed(text);
    let mut rest = text;
    while let Some(index) = rest.find('%') {
        let Some(byte) = rest.get(index + 1..index + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
            break;
        };
        let start = text.len() - rest.len() + index;
        // The first escape copies the text; every escape then shortens the copy by two bytes.
        let shift = text.len() - decoded.len();
        decoded.to_mut().replace_range(start - shift..start - shift + 3, char::from(byte).encode_utf8(&mut [0; 4]));
        rest = &rest[index + 3..];
    }
    decoded
}

/// The pairs of a query, in order.
fn pairs(url: &str) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    let mut pairs = Vec::with_capacity(4);
    if let Some((_, query)) = url.split_once('?') {
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((percent_decoded(key), percent_decoded(value)));
        }
    }
    pairs
}

fn describe(text: &Cow<str>) -> &'static str {
    match text {
        Cow::Borrowed(_) => "borrowed",
        Cow::Owned(_) => "owned",
    }
}

fn main() {
    let url = black_box("https://example.com/rust?page=1024&sort=desc&extra=hello%20world");
    let mut pairs = black_box(pairs(url));
    pairs[2].0.to_mut().make_ascii_uppercase();
    for (key, value) in &pairs {
        println!("cow_query: {key} ({}) = {value} ({})", describe(key), describe(value));
    }
}
