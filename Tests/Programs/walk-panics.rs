// Allocations while panics unwind: of the message, in destructors, behind catch_unwind, on threads. For comparison with libunwind
// (walk-oracle.c). Prints "ok".
use std::hint::black_box;
use std::panic::{catch_unwind, AssertUnwindSafe};

struct Owner(usize);

impl Drop for Owner {
    #[inline(never)]
    fn drop(&mut self) {
        take(self.0 + 1);
    }
}

#[inline(never)]
fn take(size: usize) {
    black_box(vec![1u8; size]);
}

#[inline(never)]
fn fall(depth: usize) -> usize {
    let _owner = Owner(depth + 100);
    let mut table = std::collections::HashMap::new();
    for i in 0..depth {
        table.insert(i, format!("{i} of {depth}"));
    }
    if depth == 0 {
        panic!("at the bottom, {}", black_box(42));
    }
    match catch_unwind(AssertUnwindSafe(|| fall(depth - 1))) {
        Ok(n) => n + 1,
        Err(cause) => {
            take(300);
            if depth % 2 == 0 {
                std::panic::resume_unwind(cause)
            }
            table.len()
        }
    }
}

fn main() {
    std::panic::set_hook(Box::new(|information| take(information.to_string().len())));
    let rounds = |count: usize| {
        for depth in 0..count {
            let _ = catch_unwind(|| fall(depth));
            take(400);
        }
    };
    rounds(12);
    let threads: Vec<_> = (0..3).map(|_| std::thread::spawn(move || rounds(8))).collect();
    for thread in threads {
        thread.join().unwrap();
    }
    println!("ok");
}
