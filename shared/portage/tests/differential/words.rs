//! LICENSE, RESTRICT and SRC_URI: the same grammar with other leaves.

use gentoo_updater_portage::dependency::{Leaf, LicenseName, RestrictToken, SourceUri, Tree};
use serde_json::Value;

use crate::dependencies::{Reduction, assert_inverse};
use crate::generate::{text_of, words};
use crate::oracle::ask;
use crate::random::Random;
use crate::rules::{self, Rule, Verdicts};

const TEXTS: usize = 12_000;

const MORE: [&str; 16] = [
    "(", ")", "||", "^^", "??", "a?", "!a?", "!!a?", "?", "->", "-> x", "a", "GPL-2+", "(a", "||(",
    "-x",
];

/// Portage takes any word for the name of a licence or of a restriction.
const NAME: Rule = Rule {
    name: "a licence is named with letters, digits, + _ . and - (PMS 3.1.7)",
    is_broken_by: |text| {
        rules::words(text)
            .filter(|word| !matches!(*word, "(" | ")" | "||") && !word.ends_with('?'))
            .any(|word| {
                let permitted = |c: char| c.is_ascii_alphanumeric() || "+_.-".contains(c);
                !word.chars().all(permitted) || word.starts_with(['-', '.', '+'])
            })
    },
};
const ANY_OF: Rule = Rule {
    name: "|| is for dependencies, LICENSE and REQUIRED_USE (PMS 8.2)",
    is_broken_by: |text| rules::words(text).any(|word| word == "||"),
};
const EXACTLY_ONE: Rule = Rule {
    name: "^^ is for REQUIRED_USE (PMS 8.2)",
    is_broken_by: |text| rules::words(text).any(|word| word == "^^"),
};
const ARROW: Rule = Rule {
    name: "-> stands after a URI that has no name yet (PMS 8.2)",
    is_broken_by: |text| {
        let words: Vec<&str> = rules::words(text).collect();
        let is_uri = |word: Option<&&str>| {
            word.is_some_and(|word| !matches!(*word, "(" | ")" | "->") && !word.ends_with('?'))
        };
        words.iter().enumerate().any(|(place, word)| {
            let before = |distance| place.checked_sub(distance).and_then(|at| words.get(at));
            *word == "->" && (!is_uri(before(1)) || before(2) == Some(&"->"))
        })
    },
};

fn compare<L: Leaf + std::fmt::Debug>(
    kind: &str,
    seed: u64,
    leaves: &[&'static str],
    operators: &[&'static str],
    rules: &[&Rule],
) {
    let mut random = Random::new(seed);
    let cases: Vec<(String, Reduction)> = (0..TEXTS)
        .map(|_| {
            let depth = random.below(4);
            let words = words(&mut random, leaves, operators, depth);
            let text = text_of(&mut random, words, &MORE);
            let mut reduction = Reduction::random(&mut random);
            // This crate reads the grammar of the newest EAPI; `fetch+` is not in those before 8.
            if kind == "SRC_URI" {
                reduction.eapi = reduction.eapi.max(Some("8"));
            }
            (text, reduction)
        })
        .collect();
    let questions: Vec<Value> = cases
        .iter()
        .map(|(text, reduction)| reduction.question(text, kind))
        .collect();
    let mut verdicts = Verdicts::default();
    for ((text, reduction), answer) in cases.iter().zip(ask(&questions)) {
        let here = text.parse::<Tree<L>>();
        verdicts.check(
            text,
            here.is_ok(),
            !answer.is_null(),
            rules,
            &random.replay(),
        );
        if let Ok(tree) = here {
            assert_eq!(
                reduction.of(&tree),
                answer,
                "{kind} {text:?}; {}",
                random.replay()
            );
            assert_inverse(&tree);
        }
    }
    verdicts.finish(kind);
}

#[test]
fn licences_restrictions_and_uris_reduce_to_what_use_reduce_gives() {
    let (groups, any_of) = (&["", "a?", "!b?"], &["", "||", "a?", "!b?"]);
    let licences = ["GPL-2+", "MIT", "all-rights-reserved", "_x.y"];
    compare::<LicenseName>("LICENSE", 7, &licences, any_of, &[&NAME]);
    let restrictions = ["fetch", "mirror", "test", "x+y"];
    compare::<RestrictToken>("RESTRICT", 8, &restrictions, groups, &[&NAME, &ANY_OF]);
    let uris = [
        "https://a.b/c-1.tgz",
        "mirror://gnu/d.tar",
        "fetch+https://a/(b) -> b-1.zip",
        "e.tgz",
        "f -> g",
    ];
    compare::<SourceUri>("SRC_URI", 9, &uris, groups, &[&EXACTLY_ONE, &ARROW]);
}
