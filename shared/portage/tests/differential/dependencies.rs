//! Dependency strings of atoms, reduced as `use_reduce` reduces them.

use gentoo_updater_portage::dependency::{
    Conditions, Dependency, EmptyAnyOf, Evaluation, Leaf, Reduced, Tree,
};
use gentoo_updater_portage::name::UseFlag;
use serde_json::{Value, json};

use crate::generate::{FLAGS, text_of, words};
use crate::oracle::ask;
use crate::random::Random;
use crate::rules::Verdicts;

const TEXTS: usize = 30_000;

/// Atoms for the leaves. None with a repository, which no dependency string of a repository may
/// name (PMS 8.3), and which Portage loses when it evaluates a condition next to it.
const ATOMS: [&str; 10] = [
    "a/a",
    "a/b",
    ">=a/c-1.0-r1:0/2=",
    "=a/d-1*:=",
    "!a/e",
    "!!<a/f-2",
    "a/g[a,-b]",
    "a/h[a?]",
    "a/i:0[a(+)=,!b(-)=,!c?]",
    "a/j:*",
];
const OPERATORS: [&str; 8] = ["", "", "||", "||", "||", "a?", "!b?", "c?"];
const MORE: [&str; 16] = [
    "(", ")", "||", "^^", "??", "a?", "!a?", "!!a?", "?", "-b?", "->", "a", "a/a-1", "(a/a", "||(",
    "a/a)",
];

/// How a string is reduced, in Portage's words and in those of this crate.
pub(crate) struct Reduction {
    /// The enabled flags.
    pub(crate) flags: Vec<&'static str>,
    /// `flags`, `all` or `none`.
    pub(crate) mode: &'static str,
    /// The EAPI; none for an unknown one.
    pub(crate) eapi: Option<&'static str>,
}

impl Reduction {
    pub(crate) fn random(random: &mut Random) -> Self {
        let mode = random.pick(&["flags", "flags", "flags", "all", "none"]);
        Self {
            // Portage evaluates the conditions within atoms by the flags in any mode but `all`.
            flags: if mode == "flags" {
                random.subset(&FLAGS)
            } else {
                Vec::new()
            },
            mode,
            eapi: random.pick(&[None, Some("6"), Some("8"), Some("9")]),
        }
    }

    pub(crate) fn question(&self, text: &str, kind: &str) -> Value {
        json!(["reduce", text, self.flags, self.mode, self.eapi, kind])
    }

    /// The reduced tree in the form of Portage's lists.
    pub(crate) fn of<L: Leaf>(&self, tree: &Tree<L>) -> Value {
        let enabled = |flag: &UseFlag| self.flags.contains(&flag.as_str());
        let reduced = tree.reduce(&Evaluation {
            conditions: match self.mode {
                "all" => Conditions::AllActive,
                "none" => Conditions::NoneActive,
                _ => Conditions::Flags(&enabled),
            },
            empty_any_of: EmptyAnyOf::of_eapi(self.eapi.unwrap_or("8")),
        });
        lists(&reduced)
    }
}

fn lists<L: Leaf>(parts: &[Reduced<L>]) -> Value {
    let mut list = Vec::new();
    for part in parts {
        match part {
            // A URI and its file name are three words for Portage.
            Reduced::Leaf(leaf) => list.extend(leaf.to_string().split(' ').map(Value::from)),
            Reduced::Never => list.push(Value::from("__const__/empty-any-of")),
            Reduced::All(parts) => list.push(lists(parts)),
            Reduced::AnyOf(parts) => list.extend([Value::from("||"), lists(parts)]),
            Reduced::ExactlyOneOf(_) | Reduced::AtMostOneOf(_) => panic!("only in REQUIRED_USE"),
        }
    }
    Value::from(list)
}

/// What printing and parsing again gives is the same tree.
pub(crate) fn assert_inverse<L: Leaf + std::fmt::Debug>(tree: &Tree<L>) {
    let printed = tree.to_string();
    assert_eq!(printed.parse::<Tree<L>>().as_ref(), Ok(tree), "{printed}");
}

#[test]
fn dependency_strings_reduce_to_what_use_reduce_gives() {
    let mut random = Random::new(6);
    let cases: Vec<(String, Reduction)> = (0..TEXTS)
        .map(|_| {
            let depth = random.below(6);
            let words = words(&mut random, &ATOMS, &OPERATORS, depth);
            let text = text_of(&mut random, words, &MORE);
            (text, Reduction::random(&mut random))
        })
        .collect();
    let questions: Vec<_> = cases
        .iter()
        .map(|(text, reduction)| reduction.question(text, "DEPEND"))
        .collect();
    let mut verdicts = Verdicts::default();
    let mut nested = 0;
    for ((text, reduction), answer) in cases.iter().zip(ask(&questions)) {
        let here = text.parse::<Dependency>();
        verdicts.check(text, here.is_ok(), !answer.is_null(), &[], &random.replay());
        if let Ok(tree) = here {
            let reduced = reduction.of(&tree);
            let question = reduction.question(text, "DEPEND");
            assert_eq!(reduced, answer, "{question}; {}", random.replay());
            assert_inverse(&tree);
            nested += usize::from(answer.to_string().contains("[["));
        }
    }
    verdicts.finish("dependency strings");
    println!("dependency strings: the structure equal for all accepted");
    assert!(nested > 500, "only {nested} kept brackets");
}

#[test]
fn words_end_where_they_end_for_python() {
    let texts: Vec<String> = (0..=u32::from(char::MAX))
        .filter_map(char::from_u32)
        .collect::<Vec<char>>()
        .chunks(64)
        .map(|characters| {
            let parts = characters.iter().map(|c| format!("( a/a{c}a/a )"));
            parts.collect::<Vec<_>>().join("\n")
        })
        .collect();
    let questions: Vec<_> = texts.iter().map(|text| json!(["spaces", text])).collect();
    let mut separators = 0;
    for (text, answer) in texts.iter().zip(ask(&questions)) {
        let mut words = answer.as_array().unwrap().iter();
        for part in text.split_inclusive(" )") {
            // What Python splits into four words has two atoms; three words are no dependency.
            let python = words.by_ref().take_while(|word| *word != ")").count();
            let atoms = part
                .parse::<Dependency>()
                .map(|tree| tree.atoms(|_| true).len());
            if python == 3 {
                assert_eq!(atoms, Ok(2), "{part:?}");
                separators += 1;
            } else {
                assert_ne!(atoms, Ok(2), "{part:?}");
            }
        }
    }
    println!("white space: {separators} characters separate words, the same as for Python");
    assert!(separators > 20);
}
