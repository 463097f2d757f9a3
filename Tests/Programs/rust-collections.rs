// Collections, channels and threads of Rust's standard library, each owner made in a function of its own.
//
// The line above a function says what its allocations are: `family type cause`, several separated by `;`. A type of the
// program's own is written without its crate. Whatever the build, a report may say less than that, never something else.

use std::collections::*;
use std::hint::black_box;

#[derive(Clone, Debug)]
pub struct Matrix {
    cells: [f64; 9],
}
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    id: u64,
    sub: u32,
}
#[derive(Clone, Debug)]
pub struct Point {
    x: f32,
    y: f32,
    name: String,
}

const N: usize = 10;

// = Array Vec<u64> growth
#[inline(never)]
fn vec_push(k: u64) -> usize {
    let mut v = Vec::new();
    for i in 0..k {
        v.push(i * 3);
    }
    black_box(v).len()
}

// = Array Vec<Key> growth
#[inline(never)]
fn vec_push_struct(k: u64) -> usize {
    let mut v = Vec::new();
    for i in 0..k {
        v.push(Key { id: i, sub: 1 });
    }
    black_box(v).len()
}

// = Array Vec<Key> construct
#[inline(never)]
fn vec_capacity() -> usize {
    let mut t = 0;
    for _ in 0..N {
        t += black_box(Vec::<Key>::with_capacity(19)).capacity();
    }
    t
}

// = Array Vec<usize> construct
#[inline(never)]
fn vec_macro() -> usize {
    let mut t = 0;
    for i in 0..N {
        t += black_box(vec![i, 2, 3, 4, 5]).len();
    }
    t
}

// = Array Vec<u16> construct
#[inline(never)]
fn vec_from_elem() -> usize {
    let mut t = 0;
    for i in 0..N {
        t += black_box(vec![i as u16; 41]).len();
    }
    t
}

// = Array Vec<u32> construct
#[inline(never)]
fn vec_collect() -> usize {
    let mut t = 0;
    for i in 0..N as u32 {
        t += black_box((0..43u32).map(|x| x ^ i).collect::<Vec<u32>>()).len();
    }
    t
}

// = Array Vec<u32> construct
#[inline(never)]
fn vec_collect_filter() -> usize {
    let mut t = 0;
    for i in 0..N as u32 {
        t += black_box((0..43u32).filter(|x| x % 3 != i).collect::<Vec<u32>>()).len();
    }
    t
}

// = Array Vec<Key> construct; Array Vec<Key> clone
#[inline(never)]
fn vec_clone() -> usize {
    let v = black_box(vec![Key { id: 1, sub: 2 }; 3]);
    let mut t = 0;
    for _ in 0..N {
        t += black_box(v.clone()).len();
    }
    t
}

// = Array Vec<u64> construct
#[inline(never)]
fn vec_to_vec() -> usize {
    let mut t = 0;
    for _ in 0..N {
        t += black_box(black_box([1u64, 2, 3, 4, 5, 6, 7]).to_vec()).len();
    }
    t
}

// = Array Vec<u64> growth
#[inline(never)]
fn vec_extend() -> usize {
    let mut v: Vec<u64> = Vec::new();
    for _ in 0..N {
        v.extend_from_slice(black_box(&[1, 2, 3, 4, 5]));
    }
    black_box(v).len()
}

// = Array Vec<u8> growth
#[inline(never)]
fn vec_reserve() -> usize {
    let mut t = 0;
    for _ in 0..N {
        let mut v: Vec<u8> = Vec::new();
        v.reserve(101);
        t += black_box(v).capacity();
    }
    t
}

// = Array Vec<String> construct; String String construct
#[inline(never)]
fn vec_strings() -> usize {
    let mut t = 0;
    for _ in 0..N {
        let v: Vec<String> = black_box("a b c d").split(' ').map(String::from).collect();
        t += black_box(v).len();
    }
    t
}

// = Array Vec<Point> construct; Array Vec<Point> clone; String String construct
#[inline(never)]
fn vec_points_clone() -> usize {
    let v = black_box(vec![Point { x: 1.0, y: 2.0, name: "p".into() }; 4]);
    let mut t = 0;
    for _ in 0..N {
        let c = black_box(v.clone());
        t += c[0].name.len() + c[0].x as usize + c[0].y as usize;
    }
    t
}

// = Array VecDeque<u64> growth
#[inline(never)]
fn deque() -> usize {
    let mut d = VecDeque::new();
    for i in 0..100u64 {
        d.push_back(i);
    }
    black_box(d).len()
}

// = Array BinaryHeap<Key> growth
#[inline(never)]
fn heap() -> usize {
    let mut d = BinaryHeap::new();
    for i in 0..100u64 {
        d.push(Key { id: i, sub: 0 });
    }
    black_box(d).len()
}

// = Array LinkedList<Key> construct
#[inline(never)]
fn list() -> usize {
    let mut d = LinkedList::new();
    for i in 0..N as u64 {
        d.push_back(Key { id: i, sub: 0 });
    }
    black_box(d).len()
}

// = Dictionary HashMap<u64, f32> growth
#[inline(never)]
fn map_insert() -> usize {
    let mut m = HashMap::new();
    for i in 0..100u64 {
        m.insert(i, i as f32);
    }
    black_box(m).len()
}

// = Dictionary HashMap<Key, Vec<u8>> growth; Array Vec<u8> growth
#[inline(never)]
fn map_entry() -> usize {
    let mut m: HashMap<Key, Vec<u8>> = HashMap::new();
    for i in 0..100u64 {
        m.entry(Key { id: i, sub: 0 }).or_default().push(1);
    }
    black_box(m).len()
}

// = Dictionary HashMap<u64, u64> construct
#[inline(never)]
fn map_capacity() -> usize {
    let mut t = 0;
    for _ in 0..N {
        t += black_box(HashMap::<u64, u64>::with_capacity(50)).capacity();
    }
    t
}

// = Dictionary HashMap<u32, u16> construct
#[inline(never)]
fn map_collect() -> usize {
    let m: HashMap<u32, u16> = (0..60u32).map(|i| (i, 1)).collect();
    black_box(m).len()
}

// = Dictionary HashMap<u32, u16> construct; Dictionary HashMap<u32, u16> clone
#[inline(never)]
fn map_clone() -> usize {
    let m: HashMap<u32, u16> = (0..60u32).map(|i| (i, 1)).collect();
    let mut t = 0;
    for _ in 0..N {
        t += black_box(black_box(&m).clone()).len();
    }
    t
}

// = Set HashSet<u64> growth
#[inline(never)]
fn set_insert() -> usize {
    let mut m = HashSet::new();
    for i in 0..100u64 {
        m.insert(i);
    }
    black_box(m).len()
}

// = Set HashSet<&str> construct
#[inline(never)]
fn set_collect() -> usize {
    let m: HashSet<&str> = black_box("a b c d e f g").split(' ').collect();
    black_box(m).len()
}

// = Dictionary BTreeMap<u64, u8> construct
#[inline(never)]
fn tree_insert() -> usize {
    let mut m = BTreeMap::new();
    for i in 0..100u64 {
        m.insert(i, i as u8);
    }
    black_box(m).len()
}

// = Dictionary BTreeMap<u64, Key> construct; Array Vec<(u64, Key)> construct
#[inline(never)]
fn tree_collect() -> usize {
    let m: BTreeMap<u64, Key> = (0..50).map(|i| (i, Key { id: i, sub: 1 })).collect();
    black_box(m).len()
}

// = Dictionary BTreeMap<u64, u64> construct; Dictionary BTreeMap<u64, u64> clone; Array Vec<(u64, u64)> construct
#[inline(never)]
fn tree_clone() -> usize {
    let m: BTreeMap<u64, u64> = (0..50).map(|i| (i, i)).collect();
    black_box(black_box(&m).clone()).len()
}

// = Set BTreeSet<u32> construct
#[inline(never)]
fn tree_set() -> usize {
    let mut m = BTreeSet::new();
    for i in 0..100u32 {
        m.insert(i);
    }
    black_box(m).len()
}

// = String PathBuf construct; String PathBuf growth
#[inline(never)]
fn path() -> usize {
    let mut t = 0;
    for _ in 0..N {
        let mut p = std::path::PathBuf::from("/usr");
        p.push("share");
        t += black_box(p).as_os_str().len();
    }
    t
}

// = Runtime mpsc::Channel<Matrix> runtime
#[inline(never)]
fn channel() -> usize {
    let (tx, rx) = std::sync::mpsc::channel::<Matrix>();
    for i in 0..70 {
        tx.send(Matrix { cells: [i as f64; 9] }).unwrap();
    }
    drop(tx);
    rx.iter().filter(|m| m.cells[0] >= 0.0).count()
}

// = Runtime thread runtime; Array Vec<u8> construct
#[inline(never)]
fn thread() -> usize {
    std::thread::spawn(|| {
        let v = black_box(vec![7u8; 1234]);
        v.len()
    })
    .join()
    .unwrap()
}

// = Runtime thread runtime; Array Vec<u64> growth
#[inline(never)]
fn scoped() -> usize {
    let m = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|s| {
        for i in 0..2u64 {
            let m = &m;
            s.spawn(move || m.lock().unwrap().push(i));
        }
    });
    m.into_inner().unwrap().len()
}

fn main() {
    let mut t = 0;
    t += vec_push(100);
    t += vec_push_struct(100);
    t += vec_capacity();
    t += vec_macro();
    t += vec_from_elem();
    t += vec_collect();
    t += vec_collect_filter();
    t += vec_clone();
    t += vec_to_vec();
    t += vec_extend();
    t += vec_reserve();
    t += vec_strings();
    t += vec_points_clone();
    t += deque();
    t += heap();
    t += list();
    t += map_insert();
    t += map_entry();
    t += map_capacity();
    t += map_collect();
    t += map_clone();
    t += set_insert();
    t += set_collect();
    t += tree_insert();
    t += tree_collect();
    t += tree_clone();
    t += tree_set();
    t += path();
    t += channel();
    t += thread();
    t += scoped();
    println!("{t}");
}
