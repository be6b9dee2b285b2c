//! One word of a shell, in the two ways in which Portage quotes.

/// What stands at the beginning of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Word<'a> {
    /// A word and the line feed after it.
    Whole {
        /// The word without its quotes.
        value: String,
        /// What follows the line feed.
        rest: &'a str,
    },
    /// A word that has no end.
    Cut,
    /// Something that a shell would read otherwise than as text, or that Portage never prints.
    NotQuotedByPortage,
}

/// What no version of Portage leaves outside of quotes. Older ones leave `;` and its like there.
const SPECIAL: &str = " \t\r\x0b\x0c><*\\$`";

/// Reads a word up to a line feed outside of quotes.
pub(super) fn read(text: &str) -> Word<'_> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let Some(place) = rest.find(['\n', '\'', '"']) else {
            return Word::Cut;
        };
        let (bare, after) = rest.split_at(place);
        if bare.contains(|c| SPECIAL.contains(c)) {
            return Word::NotQuotedByPortage;
        }
        value.push_str(bare);
        rest = match after.as_bytes()[0] {
            b'\n' => {
                return Word::Whole {
                    value,
                    rest: &after[1..],
                };
            }
            b'\'' => match after[1..].split_once('\'') {
                Some((quoted, after)) => {
                    value.push_str(quoted);
                    after
                }
                None => return Word::Cut,
            },
            _ => match double_quoted(&after[1..], &mut value) {
                Ok(after) => after,
                Err(word) => return word,
            },
        };
    }
}

/// Appends what stands up to the closing quote, and gives what follows it.
fn double_quoted<'a>(text: &'a str, value: &mut String) -> Result<&'a str, Word<'a>> {
    let mut rest = text;
    loop {
        let place = rest.find(['"', '\\', '$', '`']).ok_or(Word::Cut)?;
        value.push_str(&rest[..place]);
        let after = &rest[place + 1..];
        match rest.as_bytes()[place] {
            b'"' => return Ok(after),
            b'\\' => {
                let escaped = after.chars().next().ok_or(Word::Cut)?;
                if !matches!(escaped, '"' | '\\' | '$' | '`') {
                    return Err(Word::NotQuotedByPortage);
                }
                value.push(escaped);
                rest = &after[1..];
            }
            _ => return Err(Word::NotQuotedByPortage),
        }
    }
}
