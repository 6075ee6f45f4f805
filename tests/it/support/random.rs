//! Reproducible random numbers.

/// A pseudorandom number generator (Knuth's MMIX).
pub struct Random(pub u64);

impl Random {
    /// Returns a number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    /// Returns `count` of these refs in random order.
    pub fn pick<'a>(&mut self, refs: &'a [String], count: usize) -> Vec<&'a str> {
        let mut refs: Vec<_> = refs.iter().map(String::as_str).collect();
        for index in (1..refs.len()).rev() {
            refs.swap(index, self.below(index + 1));
        }
        refs.truncate(count);
        refs
    }
}
