//! `USE="a -b c* (-d) -e% (-f%*)" FAKELANG_TARGETS="x -y"`.

use super::UseState;
use crate::name::UseFlag;

/// Takes the groups of flags from the beginning of `text`, and returns the rest.
///
/// The source is `_create_use_string` of Portage's `resolver/output_helpers.py`.
pub(super) fn take_use_state(mut text: &str) -> Result<(UseState, &str), String> {
    let mut state = UseState::default();
    loop {
        text = text.trim_start_matches(' ');
        let name_length = text
            .bytes()
            .take_while(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_')
            .count();
        let (name, rest) = text.split_at(name_length);
        let Some(rest) = rest.strip_prefix("=\"") else {
            return Ok((state, text));
        };
        if name.is_empty() {
            return Err("a group of USE flags has no name".to_owned());
        }
        let Some((flags, rest)) = rest.split_once('"') else {
            return Err(format!("the flags of {name} have no end"));
        };
        let prefix = if name == "USE" {
            String::new()
        } else {
            format!("{}_", name.to_ascii_lowercase())
        };
        for flag in flags.split_ascii_whitespace() {
            read_flag(&mut state, &prefix, flag)?;
        }
        text = rest;
    }
}

fn read_flag(state: &mut UseState, prefix: &str, text: &str) -> Result<(), String> {
    let wrong = || format!("the USE flag {text:?} is not understood");
    let (flag, forced) = match text.strip_prefix('(') {
        Some(rest) => (rest.strip_suffix(')').ok_or_else(wrong)?, true),
        None => (text, false),
    };
    // Flags bound to FEATURES stood in braces until Portage 2.3.44.
    let flag = match flag.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}').ok_or_else(wrong)?,
        None => flag,
    };
    let (flag, changed) = match flag.strip_suffix('*') {
        Some(rest) => (rest, true),
        None => (flag, false),
    };
    let (flag, marked) = match flag.strip_suffix('%') {
        Some(rest) => (rest, true),
        None => (flag, false),
    };
    let (flag, enabled) = match flag.strip_prefix('-') {
        Some(rest) => (rest, false),
        None => (flag, true),
    };
    let flag: UseFlag = format!("{prefix}{flag}")
        .parse()
        .map_err(|error| format!("{}: {error}", wrong()))?;
    // A masked flag which is new and off gets no %, so this has one meaning only.
    let removed = forced && marked && !enabled;
    if state.enabled.contains(&flag)
        || state.disabled.contains(&flag)
        || state.removed.contains(&flag)
    {
        return Err(format!("the USE flag {flag} is there twice"));
    }
    if changed {
        state.changed.insert(flag.clone());
    }
    if removed {
        state.removed.insert(flag);
        return Ok(());
    }
    if forced {
        state.forced.insert(flag.clone());
    }
    if marked {
        state.new.insert(flag.clone());
    }
    if enabled {
        state.enabled.insert(flag)
    } else {
        state.disabled.insert(flag)
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(set: &std::collections::BTreeSet<UseFlag>) -> String {
        set.iter()
            .map(UseFlag::as_str)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn every_mark_is_read() {
        let text = "USE=\"a b* c%* (d) {test} -e -f* -g% (-h) (-i%) (-j%*) (k%*)\" \
                    PYTHON_TARGETS=\"python3_12 -python3_13\" L10N=\"de-1996\"  12 KiB";
        let (state, rest) = take_use_state(text).unwrap();
        assert_eq!(rest, "12 KiB");
        let targets = "python_targets_python3_12";
        assert_eq!(
            names(&state.enabled),
            format!("a b c d k l10n_de-1996 {targets} test")
        );
        assert_eq!(names(&state.disabled), "e f g h python_targets_python3_13");
        assert_eq!(names(&state.changed), "b c f j k");
        assert_eq!(names(&state.new), "c g k");
        assert_eq!(names(&state.forced), "d h k");
        assert_eq!(names(&state.removed), "i j");
    }

    #[test]
    fn a_flag_that_is_not_understood_is_an_error() {
        for flags in [
            "a a", "a -a", "(a", "a)", "a!", "--a", "a**", "a*%", "{a", "_a", "a;b", "()",
        ] {
            assert!(
                take_use_state(&format!("USE=\"{flags}\"")).is_err(),
                "{flags}"
            );
        }
        assert!(take_use_state("USE=\"a").is_err());
        assert!(take_use_state("=\"a\"").is_err());
    }
}
