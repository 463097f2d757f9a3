//! One value on the heap with one owner: the twin of the workload `box`.
//! Built by plain rustc (`-g`, and `-O -g`); standard library alone.
//!
//! expect: family=Box type=Box<box_matrix::Matrix> cause=construct size=505 allocations=1 frees=1

use std::hint::black_box;

/// Five rows of 101 numbers: 505 bytes, which makes its block easy to find in a trace.
struct Matrix {
    cells: [[u8; 101]; 5],
}

impl Matrix {
    /// The matrix whose cell (row, column) is `row + column`.
    fn new() -> Matrix {
        let mut cells = [[0; 101]; 5];
        for (row, line) in cells.iter_mut().enumerate() {
            for (column, cell) in line.iter_mut().enumerate() {
                *cell = (row + column) as u8;
            }
        }
        Matrix { cells }
    }

    fn sum(&self) -> u64 {
        self.cells.iter().flatten().map(|&cell| u64::from(cell)).sum()
    }
}

fn main() {
    let boxed = black_box(Box::new(Matrix::new()));
    println!("box_matrix: a matrix of {} bytes, sum {}", std::mem::size_of::<Matrix>(), boxed.sum());
}
