// Containers of a program's own, for rules of a user's own (Sources/HeapAnalysis/Rules/README.md).
// The grid is made of 100 words and grown twice; 9 sessions take 100 to 108 bytes from the pool.

mod grid {
    pub struct Grid<T> {
        cells: Vec<T>,
        width: usize,
    }

    impl<T: Clone + Default> Grid<T> {
        #[inline(never)]
        pub fn new(width: usize, height: usize) -> Self {
            Grid { cells: vec![T::default(); width * height], width }
        }

        #[inline(never)]
        pub fn add_row(&mut self) {
            for _ in 0..self.width {
                self.cells.push(T::default());
            }
        }
    }
}

mod pool {
    #[inline(never)]
    pub fn take(bytes: usize) -> Box<[u8]> {
        vec![0u8; bytes].into_boxed_slice()
    }
}

struct Session {
    _token: Box<[u8]>,
}

fn main() {
    let mut grid: grid::Grid<u64> = grid::Grid::new(10, 10);
    for _ in 0..20 {
        grid.add_row();
    }
    let sessions: Vec<Session> = (0..9).map(|i| Session { _token: pool::take(100 + i) }).collect();
    std::hint::black_box((grid.add_row(), &sessions));
}
