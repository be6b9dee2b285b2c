//! Versions and atoms, good ones and nearly good ones.

use crate::random::Random;

const NUMBERS: [&str; 16] = [
    "0",
    "1",
    "2",
    "9",
    "10",
    "11",
    "01",
    "010",
    "00",
    "001",
    "09",
    "90",
    "100",
    "20261122",
    "99999999999999999999",
    "100000000000000000000",
];
const SUFFIXES: [&str; 5] = ["_alpha", "_beta", "_pre", "_rc", "_p"];
const SUFFIX_NUMBERS: [&str; 7] = ["", "0", "00", "1", "01", "10", "36893488147419103232"];
const REVISIONS: [&str; 8] = [
    "-r0",
    "-r00",
    "-r1",
    "-r01",
    "-r2",
    "-r10",
    "-r4294967296",
    "-r99999999999999999999999",
];

/// A version that PMS permits.
pub(crate) fn version(random: &mut Random) -> String {
    let mut text = random.pick(&NUMBERS).to_owned();
    for _ in 0..random.below(4) {
        text.push('.');
        text.push_str(random.pick(&NUMBERS));
    }
    if random.chance(20) {
        text.push(random.pick(&['a', 'b', 'p', 'r', 'z']));
    }
    while random.chance(30) {
        text.push_str(random.pick(&SUFFIXES));
        text.push_str(random.pick(&SUFFIX_NUMBERS));
    }
    if random.chance(30) {
        text.push_str(random.pick(&REVISIONS));
    }
    text
}

/// A version that differs little from `version`, or not at all.
pub(crate) fn near_version(random: &mut Random, version: &str) -> String {
    let (base, revision) = match version.split_once("-r") {
        Some((base, revision)) => (base, format!("-r{revision}")),
        None => (version, String::new()),
    };
    match random.below(9) {
        0 => version.to_owned(),
        1 => base.to_owned(),
        2 => format!("{base}{}", random.pick(&REVISIONS)),
        3 => format!("0{version}"),
        4 => version.trim_start_matches('0').to_owned(),
        5 => format!(
            "{base}{}{}{revision}",
            random.pick(&SUFFIXES),
            random.pick(&SUFFIX_NUMBERS)
        ),
        6 => {
            // Another number, letter or suffix somewhere before the revision.
            let digit = base.bytes().position(|byte| byte.is_ascii_digit());
            let (before, after) = base.split_at(digit.map_or(0, |place| place + 1));
            format!("{before}.{}{after}{revision}", random.pick(&NUMBERS))
        }
        7 => {
            let end = base.find(['_', '-']).unwrap_or(base.len());
            let (numbers, suffixes) = base.split_at(end);
            let letter = random.pick(&['a', 'b', 'z']);
            format!("{numbers}{letter}{suffixes}{revision}")
        }
        _ => random.mutated(version, "0123456789.abprz_-"),
    }
}

pub(crate) const FLAGS: [&str; 4] = ["a", "b", "c", "d"];
const CATEGORIES: [&str; 4] = ["dev-libs", "x11", "_c.d", "a+b"];
const PACKAGES: [&str; 9] = [
    "libalpha",
    "gtk+",
    "b-1x2",
    "b-r1",
    "0",
    "_a",
    "font-100dpi",
    "p-1_foo",
    "c++",
];

/// Anything that can stand in a list of USE dependencies.
fn use_dependency(random: &mut Random) -> String {
    let flag = if random.chance(90) {
        random.pick(&FLAGS)
    } else {
        random.pick(&["3d", "c++", "l10n_de-1996", "a@b", "_x", ""])
    };
    let default = random.pick(&["", "", "", "(+)", "(-)"]);
    let (prefix, suffix) = random.pick(&[
        ("", ""),
        ("-", ""),
        ("", "?"),
        ("!", "?"),
        ("", "="),
        ("!", "="),
        ("", ""),
        ("-", ""),
        ("", "?"),
        ("!", "?"),
        ("", "="),
        ("!", "="),
        ("!", ""),
        ("-", "?"),
        ("-", "="),
    ]);
    format!("{prefix}{flag}{default}{suffix}")
}

/// An atom, of which most are right; some break a rule of PMS.
pub(crate) fn atom(random: &mut Random) -> String {
    let mut text = random.pick(&["", "", "", "", "!", "!!"]).to_owned();
    let operator = random.pick(&["", "=", "=", "~", "<", "<=", ">", ">="]);
    text.push_str(operator);
    text.push_str(random.pick(&CATEGORIES));
    text.push('/');
    text.push_str(random.pick(&PACKAGES));
    let versions = match (operator, random.below(100)) {
        ("", 0..97) | (_, 97) => 0,
        ("=", 80..94) | (_, 94..96) => 2,
        (_, 96) => 3,
        _ => 1,
    };
    for place in 0..versions {
        text.push('-');
        if place > 0 && random.chance(80) {
            text.push_str(random.pick(&["0", "1", "5", "12", "05", "4294967295", "4294967296"]));
        } else {
            text.push_str(&version(random));
        }
    }
    if random.chance(if operator == "=" { 30 } else { 2 }) {
        text.push('*');
    }
    if random.chance(40) {
        text.push_str(random.pick(&[
            ":0", ":0/2", ":=", ":*", ":0=", ":0/2=", ":3.12", ":_/a+b-c", ":0*", ":/2", ":0/",
            ":", ":==", ":0/1/2", ":-1",
        ]));
    }
    if random.chance(20) {
        text.push_str("::");
        text.push_str(random.pick(&[
            "gentoo",
            "x-portage",
            "_a",
            "a-1x",
            "a-1",
            "a.b",
            "r-2-r1",
            "",
        ]));
    }
    if random.chance(40) {
        let list: Vec<String> = (0..=random.below(3))
            .map(|_| use_dependency(random))
            .collect();
        text = format!("{text}[{}]", list.join(","));
    }
    text
}

/// What an atom, broken or not, is made of.
pub(crate) const ATOM_ALPHABET: &str = "abr019/-._+*=~<>!:[](),?@ \n\tä٣";

/// An atom, one that was changed a little, or garbage.
pub(crate) fn atom_or_not(random: &mut Random) -> String {
    match random.below(100) {
        0..55 => atom(random),
        55..95 => {
            let atom = atom(random);
            random.mutated(&atom, ATOM_ALPHABET)
        }
        _ => random.text(ATOM_ALPHABET, 20),
    }
}

/// The words of a dependency string, with groups up to `depth` deep.
pub(crate) fn words(
    random: &mut Random,
    leaves: &[&'static str],
    operators: &[&'static str],
    depth: usize,
) -> Vec<&'static str> {
    let mut words = Vec::new();
    for _ in 0..=random.below(3) {
        if depth == 0 || random.chance(45) {
            words.extend(random.pick(leaves).split(' '));
            continue;
        }
        let operator = random.pick(operators);
        words.extend((!operator.is_empty()).then_some(operator));
        words.push("(");
        // Rarely nothing: Portage refuses empty groups, and then the rest says nothing.
        if random.chance(99) {
            words.extend(self::words(random, leaves, operators, depth - 1));
        }
        words.push(")");
    }
    words
}

/// What separates words for Python, and what does not.
const SEPARATORS: [&str; 9] = [
    "\n", "\t", "  ", " \r\n", "\u{b}", "\u{1f}", "\u{a0}", "\u{200b}", "",
];

/// The words as a text; in some cases with a few of them dropped, doubled, glued together, or
/// another one of `more` put in.
pub(crate) fn text_of(
    random: &mut Random,
    mut words: Vec<&'static str>,
    more: &[&'static str],
) -> String {
    if random.chance(35) {
        for _ in 0..=random.below(2) {
            let place = random.below(words.len() + 1);
            match random.below(4) {
                0 if place < words.len() => drop(words.remove(place)),
                1 if place < words.len() => words.insert(place, words[place]),
                2 if place + 1 < words.len() => words.swap(place, place + 1),
                _ => words.insert(place, random.pick(more)),
            }
        }
    }
    let has_odd_separator = random.chance(15);
    let mut text = String::new();
    for word in words {
        text.push_str(word);
        text.push_str(if has_odd_separator && random.chance(20) {
            random.pick(&SEPARATORS)
        } else {
            " "
        });
    }
    text
}
