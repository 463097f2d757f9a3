// Boxes, counted values and text of Rust's standard library, each owner made in a function of its own.
//
// The line above a function says what its allocations are: `family type cause`, several separated by `;`. A type of the
// program's own is written without its crate. Whatever the build, a report may say less than that, never something else.

use std::borrow::Cow;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub struct Matrix {
    cells: [f64; 9],
}
pub trait Shape {
    fn area(&self) -> f64;
}
pub struct Square(pub f64, pub [u64; 5]);
pub struct Circle(pub f64, pub [u64; 7]);
impl Shape for Square {
    fn area(&self) -> f64 {
        self.0 * self.0 + self.1[0] as f64
    }
}
impl Shape for Circle {
    fn area(&self) -> f64 {
        3.0 * self.0 * self.0 + self.1[0] as f64
    }
}
#[derive(Clone)]
pub enum Tree {
    Leaf(u64),
    Node(Box<Tree>, Box<Tree>),
}

const N: usize = 10;

// = Box Box<Matrix> construct
#[inline(never)]
fn box_new() -> f64 {
    let mut s = 0.0;
    for i in 0..N {
        let b = black_box(Box::new(Matrix { cells: [i as f64; 9] }));
        s += b.cells[1];
    }
    s
}

// = Box Box<Matrix> construct; Box Box<Matrix> clone
#[inline(never)]
fn box_clone() -> f64 {
    let b = black_box(Box::new(Matrix { cells: [1.0; 9] }));
    let mut s = 0.0;
    for _ in 0..N {
        s += black_box(b.clone()).cells[0];
    }
    s
}

// = Box Box<Square> construct; Box Box<Circle> construct
#[inline(never)]
fn box_dyn() -> f64 {
    let mut s = 0.0;
    for i in 0..N {
        let b: Box<dyn Shape> =
            if i % 2 == 0 { Box::new(Square(i as f64, [1; 5])) } else { Box::new(Circle(i as f64, [2; 7])) };
        s += black_box(b).area();
    }
    s
}

// = Box Box<{closure in box_dyn_fn}> construct
#[inline(never)]
fn box_dyn_fn(k: usize) -> usize {
    let mut s = 0;
    for i in 0..N {
        let a = [i; 6];
        let f: Box<dyn Fn(usize) -> usize> = Box::new(move |x| x + a[k % 6]);
        s += black_box(f)(k);
    }
    s
}

// = Array Vec<u32> construct
#[inline(never)]
fn box_slice() -> usize {
    let mut s = 0;
    for _ in 0..N {
        let b: Box<[u32]> = black_box(vec![1u32; 33].into_boxed_slice());
        s += b.len();
    }
    s
}

// = Box Box<str> conversion
#[inline(never)]
fn box_str() -> usize {
    let mut s = 0;
    for _ in 0..N {
        let b: Box<str> = black_box(Box::from("a boxed str of 27 characters"));
        s += b.len();
    }
    s
}

// = Box Box<Tree> construct
#[inline(never)]
fn box_tree(d: u32) -> Tree {
    if d == 0 {
        Tree::Leaf(1)
    } else {
        Tree::Node(Box::new(box_tree(d - 1)), Box::new(box_tree(d - 1)))
    }
}

// = Box Box<dyn Error> conversion
#[inline(never)]
fn box_error() -> usize {
    let mut s = 0;
    for i in 0..N {
        let r: Result<usize, Box<dyn std::error::Error>> = "x".parse::<usize>().map_err(|e| e.into());
        if black_box(r).is_err() {
            s += i
        }
    }
    s
}

// = Shared Rc<Matrix> construct
#[inline(never)]
fn rc_new() -> f64 {
    let mut s = 0.0;
    for i in 0..N {
        let b = black_box(Rc::new(Matrix { cells: [i as f64; 9] }));
        s += b.cells[1];
    }
    s
}

// = Shared Arc<Matrix> construct
#[inline(never)]
fn arc_new() -> f64 {
    let mut s = 0.0;
    for i in 0..N {
        let b = black_box(Arc::new(Matrix { cells: [i as f64; 9] }));
        s += b.cells[1];
    }
    s
}

// = Shared Rc<str> construct
#[inline(never)]
fn rc_str() -> usize {
    let mut s = 0;
    for _ in 0..N {
        let b: Rc<str> = black_box(Rc::from("a counted str"));
        s += b.len();
    }
    s
}

// = Shared Arc<str> construct
#[inline(never)]
fn arc_str() -> usize {
    let mut s = 0;
    for _ in 0..N {
        let b: Arc<str> = black_box(Arc::from(black_box("a counted str, atomically")));
        s += b.len();
    }
    s
}

// = Shared Arc<[u16]> construct
#[inline(never)]
fn arc_slice() -> usize {
    let mut s = 0;
    for _ in 0..N {
        let b: Arc<[u16]> = black_box((0..37u16).collect());
        s += b.len();
    }
    s
}

// = Shared Rc<Matrix> construct; Shared Rc<Matrix> copyOnWrite
#[inline(never)]
fn rc_make_mut() -> f64 {
    let a = Rc::new(Matrix { cells: [1.0; 9] });
    let mut s = 0.0;
    for _ in 0..N {
        let mut b = black_box(a.clone());
        Rc::make_mut(&mut b).cells[0] = 2.0;
        s += black_box(b).cells[0];
    }
    s
}

// = Shared Arc<Matrix> construct; Shared Arc<Matrix> copyOnWrite
#[inline(never)]
fn arc_make_mut() -> f64 {
    let a = Arc::new(Matrix { cells: [1.0; 9] });
    let mut s = 0.0;
    for _ in 0..N {
        let mut b = black_box(a.clone());
        Arc::make_mut(&mut b).cells[0] = 2.0;
        s += black_box(b).cells[0];
    }
    s
}

// = Shared Rc<rc_weak_cyclic::Node> construct
#[inline(never)]
fn rc_weak_cyclic() -> usize {
    struct Node {
        me: std::rc::Weak<Node>,
        v: [usize; 4],
    }
    let mut s = 0;
    for i in 0..N {
        let n = Rc::new_cyclic(|w| Node { me: w.clone(), v: [i; 4] });
        s += black_box(&n).v[0] + n.me.strong_count();
    }
    s
}

// = String String growth
#[inline(never)]
fn string_push(k: usize) -> usize {
    let mut s = String::new();
    for i in 0..k {
        s.push((b'a' + (i % 26) as u8) as char);
    }
    black_box(s).len()
}

// = String String growth
#[inline(never)]
fn string_push_str(k: usize) -> usize {
    let mut s = String::new();
    for _ in 0..k {
        s.push_str("four");
    }
    black_box(s).len()
}

// = String String construct
#[inline(never)]
fn string_capacity() -> usize {
    let mut t = 0;
    for _ in 0..N {
        t += black_box(String::with_capacity(77)).capacity();
    }
    t
}

// = String String construct
#[inline(never)]
fn string_from() -> usize {
    let mut t = 0;
    for _ in 0..N {
        t += black_box(String::from("made of a literal")).len();
    }
    t
}

// = String String construct
#[inline(never)]
fn string_to_string() -> usize {
    let mut t = 0;
    for i in 0..N {
        t += black_box(i.to_string()).len();
    }
    t
}

// = String String clone
#[inline(never)]
fn string_to_owned() -> usize {
    let mut t = 0;
    for _ in 0..N {
        t += black_box(black_box("owned literal").to_owned()).len();
    }
    t
}

// = String String construct
#[inline(never)]
fn string_format(k: usize) -> usize {
    let mut t = 0;
    for i in 0..N {
        t += black_box(format!("{k} and {i}: {}", "text")).len();
    }
    t
}

// = String String construct; String String clone
#[inline(never)]
fn string_clone() -> usize {
    let s = black_box(String::from("a text to clone"));
    let mut t = 0;
    for _ in 0..N {
        t += black_box(s.clone()).len();
    }
    t
}

// = String String construct
#[inline(never)]
fn string_collect() -> usize {
    let mut t = 0;
    for _ in 0..N {
        t += black_box("abcdefghi".chars().rev().collect::<String>()).len();
    }
    t
}

// = String String construct
#[inline(never)]
fn string_replace() -> usize {
    let mut t = 0;
    for _ in 0..N {
        t += black_box(black_box("a+b+c").replace('+', " plus ")).len();
    }
    t
}

// = String String construct
#[inline(never)]
fn string_lower() -> usize {
    let mut t = 0;
    for _ in 0..N {
        t += black_box(black_box("ABCÄ").to_lowercase()).len();
    }
    t
}

// = String String construct
#[inline(never)]
fn string_join() -> usize {
    let mut t = 0;
    for _ in 0..N {
        t += black_box(black_box(["ab", "cd", "ef"]).join(", ")).len();
    }
    t
}

// = String String construct; String String growth
#[inline(never)]
fn string_add() -> usize {
    let mut t = 0;
    for _ in 0..N {
        t += black_box(String::from("left") + black_box(" and right")).len();
    }
    t
}

// = Array Vec<u8> construct
#[inline(never)]
fn string_utf8() -> usize {
    let mut t = 0;
    for _ in 0..N {
        t += String::from_utf8(black_box(b"bytes to text".to_vec())).unwrap().len();
    }
    t
}

// = Cow Cow<str> copyOnWrite; String String growth
#[inline(never)]
fn cow_to_mut() -> usize {
    let mut t = 0;
    for _ in 0..N {
        let mut c = black_box(Cow::Borrowed("a borrowed text"));
        c.to_mut().push('!');
        t += black_box(c).len();
    }
    t
}

// = Cow Cow<str> copyOnWrite
#[inline(never)]
fn cow_into_owned() -> usize {
    let mut t = 0;
    for _ in 0..N {
        t += black_box(black_box(Cow::Borrowed("borrowed until now")).into_owned()).len();
    }
    t
}

// = Cow Cow<[u32]> copyOnWrite
#[inline(never)]
fn cow_slice() -> usize {
    let mut t = 0;
    for _ in 0..N {
        let mut c: Cow<[u32]> = black_box(Cow::Borrowed(&[1, 2, 3, 4, 5]));
        c.to_mut()[0] = 9;
        t += black_box(c).len();
    }
    t
}

// = Cow Cow<str> copyOnWrite
#[inline(never)]
fn cow_lossy() -> usize {
    let mut t = 0;
    for _ in 0..N {
        t += black_box(String::from_utf8_lossy(black_box(b"bad \xff text"))).len();
    }
    t
}

fn main() {
    let mut t = 0;
    t += box_new() as usize;
    t += box_clone() as usize;
    t += box_dyn() as usize;
    t += box_dyn_fn(30);
    t += box_slice();
    t += box_str();
    t += matches!(black_box(box_tree(4)), Tree::Node(..)) as usize;
    t += box_error();
    t += rc_new() as usize;
    t += arc_new() as usize;
    t += rc_str();
    t += arc_str();
    t += arc_slice();
    t += rc_make_mut() as usize;
    t += arc_make_mut() as usize;
    t += rc_weak_cyclic();
    t += string_push(150);
    t += string_push_str(30);
    t += string_capacity();
    t += string_from();
    t += string_to_string();
    t += string_to_owned();
    t += string_format(30);
    t += string_clone();
    t += string_collect();
    t += string_replace();
    t += string_lower();
    t += string_join();
    t += string_add();
    t += string_utf8();
    t += cow_to_mut();
    t += cow_into_owned();
    t += cow_slice();
    t += cow_lossy();
    println!("{t}");
}
