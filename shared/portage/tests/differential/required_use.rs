//! REQUIRED_USE, checked as `check_required_use` checks it.

use gentoo_updater_portage::dependency::{EmptyAnyOf, Evaluation, RequiredUse};
use gentoo_updater_portage::name::UseFlag;
use serde_json::json;

use crate::dependencies::assert_inverse;
use crate::generate::{FLAGS, text_of, words};
use crate::oracle::ask;
use crate::random::Random;
use crate::rules::Verdicts;

const TEXTS: usize = 30_000;
const LEAVES: [&str; 8] = ["a", "b", "c", "d", "!a", "!b", "!c", "!d"];
const OPERATORS: [&str; 8] = ["", "||", "^^", "??", "a?", "!b?", "c?", "!d?"];
const MORE: [&str; 16] = [
    "(", ")", "( )", "|| ( )", "^^ ( )", "?? ( )", "||", "^^", "??", "a?", "!!a", "unknown", "-a",
    "!", "?", "(a",
];

#[test]
fn required_use_holds_where_it_holds_for_portage() {
    let mut random = Random::new(10);
    let cases: Vec<_> = (0..TEXTS)
        .map(|_| {
            let depth = random.below(5);
            let words = words(&mut random, &LEAVES, &OPERATORS, depth);
            let text = text_of(&mut random, words, &MORE);
            let eapi = random.pick(&["5", "6", "7", "8", "9"]);
            (text, random.subset(&FLAGS), eapi)
        })
        .collect();
    let questions: Vec<_> = cases
        .iter()
        .map(|(text, enabled, eapi)| json!(["required_use", text, enabled, FLAGS, eapi]))
        .collect();
    let mut verdicts = Verdicts::default();
    let (mut yes, mut no) = (0, 0);
    for ((text, enabled, eapi), answer) in cases.iter().zip(ask(&questions)) {
        let is_enabled = |flag: &UseFlag| enabled.contains(&flag.as_str());
        let evaluation = Evaluation {
            empty_any_of: EmptyAnyOf::of_eapi(eapi),
            ..Evaluation::with_flags(&is_enabled)
        };
        let parsed = text.parse::<RequiredUse>();
        // Portage refuses a text when it checks it, for its flags too.
        let here = parsed.as_ref().ok().and_then(|tree| {
            let known = |flag: &UseFlag| FLAGS.contains(&flag.as_str());
            tree.unsatisfied(&evaluation, known).ok()
        });
        verdicts.check(
            text,
            here.is_some(),
            !answer.is_null(),
            &[],
            &random.replay(),
        );
        if let Some(unsatisfied) = here {
            let holds = unsatisfied.is_empty();
            assert_eq!(
                holds,
                answer.as_bool().unwrap(),
                "{text:?} of EAPI {eapi} with {enabled:?}; {}",
                random.replay()
            );
            *(if holds { &mut yes } else { &mut no }) += 1;
        }
        if let Ok(tree) = parsed {
            assert_inverse(&tree);
        }
    }
    verdicts.finish("REQUIRED_USE");
    println!("REQUIRED_USE: {yes} hold and {no} do not, as for Portage");
    assert!(yes > 5000 && no > 5000, "one-sided");
}
