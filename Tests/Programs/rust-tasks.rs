// Futures that an executor keeps boxed, and what they own across a wait.
//
// The line above a function says what its allocations are: `family type cause`, several separated by `;`. A type of the
// program's own is written without its crate. Whatever the build, a report may say less than that, never something else.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

struct Yield(bool);
impl Future for Yield {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

struct Idle([u64; 3]);
impl Wake for Idle {
    fn wake(self: Arc<Self>) {}
}

type Task = Pin<Box<dyn Future<Output = u64>>>;

#[derive(Default)]
struct Executor {
    ready: RefCell<VecDeque<Task>>,
}

async fn fetch(number: u64) -> u64 {
    let kept = black_box([number; 5]);
    Yield(false).await;
    black_box(kept)[2]
}

// = Task Box<async fn fetch> construct
#[inline(never)]
fn spawn_function(number: u64) -> Task {
    Box::pin(fetch(number))
}

// = Task Box<async block in spawn_block> construct
#[inline(never)]
fn spawn_block(number: u64) -> Task {
    Box::pin(async move {
        let kept = black_box([number; 9]);
        Yield(false).await;
        black_box(kept)[3]
    })
}

// = Array VecDeque<Pin<Box<dyn Future<Output=u64>>>> growth
#[inline(never)]
fn enqueue(executor: &Executor, task: Task) {
    executor.ready.borrow_mut().push_back(task);
}

// = Shared Arc<Idle> construct
#[inline(never)]
fn waker() -> Waker {
    Waker::from(Arc::new(black_box(Idle([7; 3]))))
}

#[inline(never)]
fn run(executor: &Executor) -> u64 {
    let waker = waker();
    let mut context = Context::from_waker(&waker);
    let mut total = 0;
    loop {
        let Some(mut task) = executor.ready.borrow_mut().pop_front() else { return total };
        match task.as_mut().poll(&mut context) {
            Poll::Ready(value) => total += value,
            Poll::Pending => executor.ready.borrow_mut().push_back(task),
        }
    }
}

fn main() {
    let executor = Executor::default();
    for number in 0..10 {
        enqueue(&executor, if number % 2 == 0 { spawn_function(number) } else { spawn_block(number) });
    }
    println!("{}", run(&executor) + Idle([1; 3]).0[1]);
}
