//! Small helpers for text that other programs wrote.

use std::borrow::Cow;

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

/// `input` without the escape sequences of terminals: colours, cursor movements, window titles.
/// Text without any is not copied.
///
/// Other control characters stay, so that a reader refuses what is not plain text. An escape
/// sequence that has no end reaches to the end of its line.
#[must_use]
pub fn without_escape_sequences(input: &str) -> Cow<'_, str> {
    if !input.contains('\u{1b}') {
        return Cow::Borrowed(input);
    }
    let mut output = String::with_capacity(input.len());
    let mut rest = input;
    while let Some(start) = rest.find('\u{1b}') {
        output.push_str(&rest[..start]);
        rest = &rest[start + 1..];
        rest = match rest.as_bytes().first() {
            // CSI: parameters, then one final character from @ to ~ (ECMA-48, 5.4).
            Some(b'[') => after(&rest[1..], |c| ('@'..='~').contains(&c)),
            // OSC: ended by BEL, or by ESC and a backslash, whose ESC begins the next round.
            Some(b']') => after(&rest[1..], |c| c == '\u{7}' || c == '\u{1b}'),
            // What is left of ESC and a backslash; and every other two-character sequence.
            Some(byte) if byte.is_ascii() && *byte != b'\n' => &rest[1..],
            _ => rest,
        };
    }
    output.push_str(rest);
    Cow::Owned(output)
}

/// What follows the first character that `is_last`; a line feed ends the search and is kept.
fn after(text: &str, is_last: impl Fn(char) -> bool) -> &str {
    match text.char_indices().find(|(_, c)| *c == '\n' || is_last(*c)) {
        Some((index, '\n')) => &text[index..],
        Some((index, '\u{1b}')) => text[index + 1..]
            .strip_prefix('\\')
            .unwrap_or(&text[index..]),
        Some((index, last)) => &text[index + last.len_utf8()..],
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_removed_and_the_text_is_kept() {
        for (input, expected) in [
            ("", ""),
            ("plain\n", "plain\n"),
            ("\u{1b}[32mgreen\u{1b}[39;49;00m", "green"),
            ("\u{1b}]0;a title\u{7}text", "text"),
            ("\u{1b}]0;a title\u{1b}\\text", "text"),
            ("\u{1b}[?25htext", "text"),
            ("\u{1b}[1", ""),
            ("\u{1b}[1\nnext", "\nnext"),
            ("\u{1b}", ""),
            ("\u{1b}\nnext", "\nnext"),
            ("a\u{1b}(b", "ab"),
            ("\u{1b}ä", "ä"),
        ] {
            assert_eq!(without_escape_sequences(input), expected, "{input:?}");
        }
    }

    #[test]
    fn an_excerpt_is_short_and_printable() {
        assert_eq!(excerpt("a\u{1b}b"), "a\u{fffd}b");
        assert_eq!(
            excerpt(&"ä".repeat(1000)).chars().count(),
            EXCERPT_LENGTH + 1
        );
    }
}
