//! Text in lines of a width.

/// A text in lines of this width: words stay whole where they can, and so do commands.
pub(super) fn wrapped(text: &str, width: usize, first: &str, others: &str) -> Vec<String> {
    let room = width.saturating_sub(others.chars().count());
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut is_empty = true;
    for word in words_and_commands(text, room) {
        let length = line.chars().count() + word.chars().count() + usize::from(!is_empty);
        if length > width && !is_empty {
            lines.push(std::mem::replace(&mut line, others.to_owned()));
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(&word);
        is_empty = false;
    }
    lines.push(line);
    lines
}

/// The words of a text; what stands between backquotes is one, unless it is longer than a line.
fn words_and_commands(text: &str, room: usize) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut is_code = false;
    for word in text.split_whitespace() {
        match words.last_mut().filter(|_| is_code) {
            Some(code) if code.chars().count() + word.chars().count() < room => {
                code.push(' ');
                code.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
        is_code ^= word.matches('`').count() % 2 == 1;
    }
    words
}

/// A line that is no longer than this.
pub(super) fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let kept: String = line.chars().take(width.saturating_sub(1)).collect();
    format!("{kept}…")
}
