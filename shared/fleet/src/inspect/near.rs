//! Names that somebody may have meant.

/// How many names are proposed at most.
const MOST: usize = 3;

/// The names that are like `text`, the likest first: they differ from it by a few letters, or one
/// holds the other (`b1`, `builder@b1`; `builders`, `builder`).
pub fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = text.to_lowercase();
    let distance = |name: &str| {
        let name = name.to_lowercase();
        if wanted.is_empty() {
            return None;
        }
        if name.contains(&wanted) || wanted.contains(&name) {
            return Some(0);
        }
        let edits = strsim::damerau_levenshtein(&wanted, &name);
        (edits <= wanted.chars().count() / 3 + 1).then_some(edits)
    };
    let mut near: Vec<(usize, &str)> = names
        .into_iter()
        .filter_map(|name| Some((distance(name)?, name)))
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(MOST).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_a_plural_and_a_part_of_a_name_lead_to_it() {
        let names = ["scanner", "builder", "installer", "janitor", "builder@b1"];
        assert_eq!(nearest("biulder", names), ["builder"]);
        assert_eq!(nearest("janitors", names), ["janitor"]);
        assert_eq!(nearest("B1", names), ["builder@b1"]);
        assert!(nearest("web", names).is_empty());
        assert!(nearest("", names).is_empty());
    }
}
