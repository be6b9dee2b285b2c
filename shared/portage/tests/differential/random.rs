//! Random choices that a seed repeats.

/// A small generator of random numbers: SplitMix64.
pub(crate) struct Random {
    state: u64,
    seed: u64,
}

impl Random {
    /// With the seed of the environment, or else `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        let seed = match std::env::var("DIFFERENTIAL_SEED") {
            Ok(text) => text.parse().expect("DIFFERENTIAL_SEED is a number"),
            Err(_) => seed,
        };
        Self { state: seed, seed }
    }

    /// What a failure has to tell, so that it can be repeated.
    pub(crate) fn replay(&self) -> String {
        format!("repeat with DIFFERENTIAL_SEED={}", self.seed)
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    /// True in `percent` of all cases.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of `choices`.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Each of `choices` with an even chance.
    pub(crate) fn subset<'a>(&mut self, choices: &[&'a str]) -> Vec<&'a str> {
        choices
            .iter()
            .copied()
            .filter(|_| self.chance(50))
            .collect()
    }

    /// Up to `length` characters of `alphabet`.
    pub(crate) fn text(&mut self, alphabet: &str, length: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        (0..=self.below(length))
            .map(|_| self.pick(&alphabet))
            .collect()
    }

    /// `text` with one or two small changes: a character dropped, doubled, swapped, or one of
    /// `alphabet` put in or in the place of another.
    pub(crate) fn mutated(&mut self, text: &str, alphabet: &str) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        let mut characters: Vec<char> = text.chars().collect();
        for _ in 0..=self.below(2) {
            let place = self.below(characters.len() + 1);
            let inside = place < characters.len();
            match self.below(5) {
                0 if inside => drop(characters.remove(place)),
                1 if inside => characters.insert(place, characters[place]),
                2 if inside => characters[place] = self.pick(&alphabet),
                3 if place + 1 < characters.len() => characters.swap(place, place + 1),
                _ => characters.insert(place, self.pick(&alphabet)),
            }
        }
        characters.into_iter().collect()
    }
}
