//! Words about a configuration without the passwords that stand in it. Pure.

/// What stands where a password was.
const HIDDEN: &str = "***";

/// A text with `***` for the password of each address in it, as of `amqp://user:password@host`.
///
/// Where it cannot be told what of an address is password, rather more is hidden: a password may hold any sign when it
/// was written wrongly.
#[must_use]
pub fn without_passwords(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        let (address, behind) = after.split_at(end_of_address(before, after));
        clean.push_str(before);
        clean.push_str("://");
        match address.rsplit_once('@') {
            Some((user, host)) if user.contains(':') => {
                clean.push_str(user.split(':').next().unwrap_or_default());
                clean.push_str(&format!(":{HIDDEN}@{host}"));
            }
            _ => clean.push_str(address),
        }
        rest = behind;
    }
    clean.push_str(rest);
    clean
}

/// Where the address ends of which `after` is what follows `://`: at the quote that it is in, or where the word does.
fn end_of_address(before: &str, after: &str) -> usize {
    let is_of_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let opening = before.trim_end_matches(is_of_scheme).chars().next_back();
    let end = match opening.filter(|c| "\"'`".contains(*c)) {
        Some(quote) => end_of_quoted(after, quote),
        None => after.find(char::is_whitespace),
    };
    end.unwrap_or(after.len())
}

/// Where the quote is that closes what began before this text.
fn end_of_quoted(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    text.find(|c: char| {
        let closes = c == quote && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        closes
    })
}

/// The words of a reader of TOML about what it has read, without the text itself: a password that stands where a
/// number or a table should be would be shown.
pub(super) fn without_values(message: &str) -> String {
    const VALUE: &str = "string \"";
    let mut clean = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((before, after)) = rest.split_once(VALUE) {
        clean.push_str(before);
        clean.push_str("a string");
        let end = end_of_quoted(after, '"').map_or(after.len(), |end| end + 1);
        rest = &after[end..];
    }
    clean.push_str(rest);
    without_passwords(&clean)
}

/// An error of TOML as line, column, key and cause. Its own form shows the line as it stands in the file.
pub(super) fn of_toml(text: &str, mut error: toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    // Without the text it names the key instead.
    error.set_input(None);
    let words: Vec<String> = error.to_string().lines().map(without_values).collect();
    format!("line {line}, column {column}: {}", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_of_an_address_is_not_shown_and_all_else_is() {
        for (text, expected) in [
            ("amqp://u:se@cret@h:1/v", "amqp://u:***@h:1/v"),
            ("amqp://h:1/v", "amqp://h:1/v"),
            ("ssh://root@h is up", "ssh://root@h is up"),
            (
                "\"ssh://root:two words@h:1\" is not one (write ssh://user@host:port)",
                "\"ssh://root:***@h:1\" is not one (write ssh://user@host:port)",
            ),
            (
                r#"a "http://u:a\"b@h/" and b"#,
                r#"a "http://u:***@h/" and b"#,
            ),
            (
                "https://u:p@a/1 and https://v:q@b/2",
                "https://u:***@a/1 and https://v:***@b/2",
            ),
            ("https://:p@a", "https://:***@a"),
            ("://", "://"),
        ] {
            assert_eq!(without_passwords(text), expected);
        }
    }

    #[test]
    fn values_are_not_shown() {
        let words = r#"invalid type: string "hun\"ter2 x", expected u16"#;
        let expected = "invalid type: a string, expected u16";
        assert_eq!(without_values(words), expected);
        assert_eq!(without_values("string \"hunter2"), "a string");
    }
}
