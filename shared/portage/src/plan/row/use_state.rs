//! `USE="a -b c* (-d) -e% (-f%*)" FAKELANG_TARGETS="x -y"`.

use serde::{Deserialize, Serialize};

use super::{FlagSet, KnownFlags};
use crate::name::UseFlag;
use crate::text::excerpt;

/// The USE flags of a row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct UseState {
    /// Flags that the package will be built with.
    pub enabled: FlagSet,
    /// Flags of the package that are off.
    pub disabled: FlagSet,
    /// `*`: differs from the installed package.
    pub changed: FlagSet,
    /// `%`: the installed package does not have the flag. (Portage leaves the mark out where a
    /// flag is both disabled and masked.)
    pub new: FlagSet,
    /// `( )`: forced or masked by the profile.
    pub forced: FlagSet,
    /// `(-flag%)`: the installed package has the flag and this version does not. Neither enabled
    /// nor disabled; also in `changed` where it was enabled.
    pub removed: FlagSet,
}

/// The flags as they come: almost in order, but not quite.
#[derive(Default)]
struct Flags {
    enabled: Vec<UseFlag>,
    disabled: Vec<UseFlag>,
    removed: Vec<UseFlag>,
    changed: Vec<UseFlag>,
    new: Vec<UseFlag>,
    forced: Vec<UseFlag>,
}

/// Takes the groups of flags from the beginning of `text`, and returns the rest.
///
/// The source is `_create_use_string` of Portage's `resolver/output_helpers.py`.
pub(super) fn take_use_state<'a>(
    mut text: &'a str,
    known: &mut KnownFlags,
) -> Result<(UseState, &'a str), String> {
    let mut flags = Flags::default();
    known.begin_row();
    loop {
        text = text.trim_start_matches(' ');
        let name_length = text.bytes().take_while(|byte| is_of_name(*byte)).count();
        let (name, rest) = text.split_at(name_length);
        let Some(rest) = rest.strip_prefix("=\"") else {
            break;
        };
        if name.is_empty() {
            return Err("a group of USE flags has no name".to_owned());
        }
        let Some((group, rest)) = rest.split_once('"') else {
            return Err(format!("the flags of {} have no end", excerpt(name)));
        };
        known.begin_group(name);
        if flags.enabled.capacity() == 0 {
            // About as many as there are, of all groups: lists that grow by themselves are slower.
            flags.enabled = Vec::with_capacity(text.len() / 16);
            flags.disabled = Vec::with_capacity(text.len() / 16);
        }
        for flag in group.split_ascii_whitespace() {
            flags.read(flag, known)?;
        }
        text = rest;
    }
    Ok((flags.finish(), text))
}

/// USE_EXPAND holds names of variables, which Portage prints in capitals; nothing checks them
/// beyond what their flags may be called.
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"_@+-".contains(&byte)
}

impl Flags {
    fn read(&mut self, text: &str, known: &mut KnownFlags) -> Result<(), String> {
        let wrong = || format!("the USE flag {:?} is not understood", excerpt(text));
        let (rest, forced) = match text.strip_prefix('(') {
            Some(rest) => (rest.strip_suffix(')').ok_or_else(wrong)?, true),
            None => (text, false),
        };
        // Flags bound to FEATURES stood in braces until Portage 2.3.44, forced or not.
        let rest = match rest.strip_prefix('{') {
            Some(rest) if !forced => rest.strip_suffix('}').ok_or_else(wrong)?,
            _ => rest,
        };
        let (rest, changed) = match rest.strip_suffix('*') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (rest, marked) = match rest.strip_suffix('%') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let (name, enabled) = match rest.strip_prefix('-') {
            Some(name) => (name, false),
            None => (rest, true),
        };
        // A masked flag which is new and off gets no mark, so this has one meaning only.
        let removed = forced && marked && !enabled;
        // What is new and on differs from what was not there; what is new and off does not.
        if marked && enabled != changed && !removed {
            return Err(wrong());
        }
        let flag = known
            .get(name)
            .map_err(|error| format!("{}: {error}", wrong()))?;
        if changed {
            self.changed.push(flag.clone());
        }
        if removed {
            self.removed.push(flag);
            return Ok(());
        }
        if forced {
            self.forced.push(flag.clone());
        }
        if marked {
            self.new.push(flag.clone());
        }
        if enabled {
            self.enabled.push(flag);
        } else {
            self.disabled.push(flag);
        }
        Ok(())
    }

    fn finish(self) -> UseState {
        UseState {
            enabled: FlagSet::of_different(self.enabled),
            disabled: FlagSet::of_different(self.disabled),
            changed: FlagSet::of_different(self.changed),
            new: FlagSet::of_different(self.new),
            forced: FlagSet::of_different(self.forced),
            removed: FlagSet::of_different(self.removed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(set: &FlagSet) -> String {
        set.iter()
            .map(UseFlag::as_str)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn every_mark_is_read() {
        let text = "USE=\"a b* c%* (d) {test} -e -f* -g% (-h) (-i%) (-j%*) (k%*)\" \
                    PYTHON_TARGETS=\"python3_12 -python3_13\" L10N=\"de-1996\"  12 KiB";
        let (state, rest) = take_use_state(text, &mut KnownFlags::default()).unwrap();
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
            "a a", "a -a", "(a", "a)", "a!", "--a", "a**", "a*%", "{a", "_a", "a;b", "()", "a%",
            "-a%*", "(a%)", "{(a)}", "({a})",
        ] {
            assert!(
                take_use_state(&format!("USE=\"{flags}\""), &mut KnownFlags::default()).is_err(),
                "{flags}"
            );
        }
        assert!(take_use_state("USE=\"a", &mut KnownFlags::default()).is_err());
        assert!(take_use_state("=\"a\"", &mut KnownFlags::default()).is_err());
    }
}
