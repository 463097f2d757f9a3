// Containers that grow and values that are cloned, each in a function of its own and so often that its count names it. A growth step is a
// change of `capacity()`. Lines: `growth FUNCTION steps=N` and `copy FUNCTION copies=N`.
use std::borrow::Cow;
use std::collections::HashMap;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

#[inline(never)]
fn grow_vec(count: u64) {
    let mut numbers: Vec<u64> = Vec::new();
    let (mut steps, mut capacity) = (-1, 0);
    for number in 0..count {
        numbers.push(black_box(number));
        if numbers.capacity() != capacity {
            capacity = numbers.capacity();
            steps += 1;
        }
    }
    println!("growth grow_vec steps={steps} final={}", 8 * black_box(&numbers).capacity());
}

/// The same amount, reserved: no step.
#[inline(never)]
fn reserve_vec(count: u64) {
    let mut numbers: Vec<u64> = Vec::with_capacity(count as usize);
    for number in 0..count {
        numbers.push(black_box(number));
    }
    black_box(&numbers);
    println!("growth reserve_vec steps=0");
}

#[inline(never)]
fn grow_text(count: usize) {
    let mut text = String::new();
    let (mut steps, mut capacity) = (-1, 0);
    for _ in 0..count {
        text.push_str(black_box("some words "));
        if text.capacity() != capacity {
            capacity = text.capacity();
            steps += 1;
        }
    }
    println!("growth grow_text steps={steps} final={}", black_box(&text).capacity());
}

#[inline(never)]
fn grow_two(count: u32) {
    let (mut left, mut right): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
    let (mut steps, mut capacities) = (-2, (0, 0));
    for number in 0..count {
        left.push(black_box(number));
        right.push(black_box(number));
        steps += (left.capacity() != capacities.0) as i32 + (right.capacity() != capacities.1) as i32;
        capacities = (left.capacity(), right.capacity());
    }
    black_box((&left, &right));
    println!("growth grow_two steps={steps}");
}

#[inline(never)]
fn grow_rows(count: usize) {
    let mut rows: Vec<Vec<u16>> = Vec::new();
    let (mut steps, mut outer) = (0, 0);
    for _ in 0..count {
        let mut row = Vec::new();
        let mut inner = 0;
        for number in 0..40 {
            row.push(black_box(number));
            if row.capacity() != inner {
                steps += (inner > 0) as i32;
                inner = row.capacity();
            }
        }
        rows.push(row);
        if rows.capacity() != outer {
            steps += (outer > 0) as i32;
            outer = rows.capacity();
        }
    }
    black_box(&rows);
    println!("growth grow_rows steps={steps}");
}

#[inline(never)]
fn grow_map(count: u64) {
    let mut map: HashMap<u64, u64> = HashMap::new();
    let (mut steps, mut capacity) = (-1, 0);
    for number in 0..count {
        map.insert(black_box(number), number);
        if map.capacity() != capacity {
            capacity = map.capacity();
            steps += 1;
        }
    }
    black_box(&map);
    println!("growth grow_map steps={steps}");
}

#[inline(never)]
fn clone_text(text: &String, times: usize) {
    for _ in 0..times {
        black_box(black_box(text).clone());
    }
    println!("copy clone_text copies={times} at_once={times}");
}

#[inline(never)]
fn clone_and_grow(text: &String, times: usize) {
    for _ in 0..times {
        let mut copy = black_box(text).clone();
        copy.push_str(black_box(" and more"));
        black_box(&copy);
    }
    println!("copy clone_and_grow copies={times} resized={times}");
}

#[inline(never)]
fn clone_and_keep(text: &str, times: usize) {
    let mut kept = Vec::with_capacity(times);
    for _ in 0..times {
        kept.push(black_box(text).to_owned());
    }
    std::mem::forget(black_box(kept));
    println!("copy clone_and_keep copies={times} live={times}");
}

#[inline(never)]
fn make_rc_mut(shared: &Rc<[u64; 9]>, times: usize) {
    for _ in 0..times {
        let mut mine = Rc::clone(black_box(shared));
        Rc::make_mut(&mut mine)[3] = 1;
        black_box(&mine);
    }
    println!("copy make_rc_mut copies={times}");
}

#[inline(never)]
fn make_arc_mut(shared: &Arc<[u64; 11]>, times: usize) {
    for _ in 0..times {
        let mut mine = Arc::clone(black_box(shared));
        Arc::make_mut(&mut mine)[3] = 1;
        black_box(&mine);
    }
    println!("copy make_arc_mut copies={times}");
}

/// Every third changes, the others stay borrowed.
#[inline(never)]
fn cow_to_mut(text: &str, times: usize) {
    for number in 0..times * 3 {
        let mut cow = Cow::Borrowed(black_box(text));
        if number % 3 == 0 {
            cow.to_mut().make_ascii_uppercase();
        }
        black_box(&cow);
    }
    println!("copy cow_to_mut copies={times}");
}

fn main() {
    grow_vec(black_box(3000));
    reserve_vec(black_box(3000));
    grow_text(black_box(2000));
    grow_two(black_box(1000));
    grow_rows(black_box(30));
    grow_map(black_box(2000));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..4 {
                    grow_in_thread(black_box(1500));
                }
            });
        }
    });
    let text = black_box("a text of forty-three letters, give or take".to_string());
    clone_text(&text, 11);
    clone_and_grow(&text, 12);
    clone_and_keep(&text, 13);
    make_rc_mut(&Rc::new([1; 9]), 14);
    make_arc_mut(&Arc::new([1; 11]), 15);
    cow_to_mut(&text, 16);
    println!("growth grow_in_thread steps=96");
}

/// Four elements at first, then eight doublings.
#[inline(never)]
fn grow_in_thread(count: u32) {
    let mut numbers: Vec<u32> = Vec::new();
    for number in 0..count.min(1024) {
        numbers.push(black_box(number));
    }
    black_box(&numbers);
}
