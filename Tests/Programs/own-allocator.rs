// A Rust program whose global allocator is jemalloc, linked statically (libjemalloc_pic.a), as the usual crates have it:
// sized and flagged calls where an alignment is asked for, the plain ones elsewhere. Block sizes are unlike any other.
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::{c_int, c_void};
use std::hint::black_box;

extern "C" {
    fn mallocx(size: usize, flags: c_int) -> *mut c_void;
    fn rallocx(block: *mut c_void, size: usize, flags: c_int) -> *mut c_void;
    fn sdallocx(block: *mut c_void, size: usize, flags: c_int);
    fn calloc(count: usize, size: usize) -> *mut c_void;
}

struct Jemalloc;

fn flags(layout: &Layout) -> c_int {
    if layout.align() <= 16 && layout.align() <= layout.size() { 0 } else { layout.align().trailing_zeros() as c_int }
}

unsafe impl GlobalAlloc for Jemalloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { mallocx(layout.size(), flags(&layout)) as *mut u8 }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match flags(&layout) {
            0 => unsafe { calloc(1, layout.size()) as *mut u8 },
            flags => unsafe { mallocx(layout.size(), flags | 0x40) as *mut u8 },
        }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { sdallocx(block as *mut c_void, layout.size(), flags(&layout)) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        unsafe { rallocx(block as *mut c_void, size, flags(&layout)) as *mut u8 }
    }
}

#[global_allocator]
static GLOBAL: Jemalloc = Jemalloc;

struct Matrix([u8; 21613]);
#[repr(align(64))]
struct Line([u8; 21632]);

fn work() {
    let matrices: Vec<Box<Matrix>> = (0..11).map(|_| Box::new(Matrix([1; 21613]))).collect();
    let line = Box::new(Line([2; 21632]));
    let zeroed = vec![0u8; 21647];
    let mut grown: Vec<u8> = Vec::with_capacity(21649);
    grown.resize(21649, 1);
    grown.reserve_exact(21661 - 21649);
    black_box((matrices[0].0[0], line.0[0], zeroed[0], grown[0]));
}

fn main() {
    work();
    std::thread::spawn(work).join().unwrap();
    println!("done");
}
