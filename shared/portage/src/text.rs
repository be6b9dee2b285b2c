//! Small helpers for text that other programs wrote.

/// The number of characters of an offending input that an error repeats.
pub const EXCERPT_LENGTH: usize = 200;

/// The beginning of `input`, short enough for an error message, control characters replaced.
#[must_use]
pub fn excerpt(input: &str) -> String {
    let mut excerpt: String = input
        .chars()
        .take(EXCERPT_LENGTH)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if input.chars().nth(EXCERPT_LENGTH).is_some() {
        excerpt.push('…');
    }
    excerpt
}
