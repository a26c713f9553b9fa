//! Chance by a seed: the same seed, the same run.

use std::cell::RefCell;

/// SplitMix64.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The chance of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n.max(1) as u64).unwrap_or(0)
    }

    /// True in so many of a thousand cases.
    pub fn permille(&mut self, n: usize) -> bool {
        self.below(1_000) < n
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

thread_local! {
    /// Each run has a thread of its own for its time.
    static CHANCE: RefCell<Chance> = const { RefCell::new(Chance::new(0)) };
}

/// Begins a run on this thread.
pub fn seed(seed: u64) {
    CHANCE.with_borrow_mut(|chance| *chance = Chance::new(seed));
}

/// This thread's chance.
pub fn chance<T>(with: impl FnOnce(&mut Chance) -> T) -> T {
    CHANCE.with_borrow_mut(with)
}

/// For the pauses of the store.
pub fn pauses() -> u32 {
    chance(|c| u32::try_from(c.below(1 << 31)).unwrap_or(0))
}
