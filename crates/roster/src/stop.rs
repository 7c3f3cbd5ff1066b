//! A wish to stop, seen by work that takes long.
//!
//! What reads and writes much lies many calls deep, behind the tables of formats and callbacks of their users, and all of
//! it works on the thread that wants the outcome. So the wish belongs to that thread while the work is done, and is no
//! argument of everything in between. It is asked once for a block of input, a part of a sort or some thousand records.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

/// Records of a segment that are read or written between two looks.
pub(crate) const RECORDS: u64 = 4096;

thread_local! {
    static WISH: RefCell<Option<Rc<dyn Fn() -> bool>>> = const { RefCell::new(None) };
}

/// Does some work, which is broken off with an I/O error soon after `wish` gives `true`. What it has written by then is
/// as after a crash.
///
/// The wish is for what this crate does on this thread; elsewhere nothing looks at it. Within other work of this kind
/// only the inner wish counts.
pub fn stoppable<T>(wish: impl Fn() -> bool + 'static, work: impl FnOnce() -> T) -> T {
    /// The thread is used again, also after a panic.
    struct Before(Option<Rc<dyn Fn() -> bool>>);
    impl Drop for Before {
        fn drop(&mut self) {
            WISH.set(self.0.take());
        }
    }
    let _before = Before(WISH.replace(Some(Rc::new(wish))));
    work()
}

/// An error when the work of this thread is to stop. Nobody may take it for a fault of what is read.
pub(crate) fn check() -> io::Result<()> {
    let wish = WISH.with_borrow(Clone::clone);
    if wish.is_some_and(|wish| wish()) { Err(io::Error::other("stopped")) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
