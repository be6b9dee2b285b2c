//! Atoms: which are accepted, and what their parts are.

use gentoo_updater_portage::atom::{Atom, Blocker, Operator, SlotDependency};
use serde_json::{Value, json};

use crate::generate::atom_or_not;
use crate::oracle::ask;
use crate::random::Random;
use crate::rules::{self, Verdicts};

const ATOMS: usize = 60_000;

#[test]
fn atoms_are_accepted_and_taken_apart_as_portage_does() {
    let mut random = Random::new(3);
    let texts: Vec<String> = (0..ATOMS).map(|_| atom_or_not(&mut random)).collect();
    let questions: Vec<_> = texts.iter().map(|text| json!(["atom", text])).collect();
    let rules: Vec<_> = rules::ATOM.iter().collect();
    let mut verdicts = Verdicts::default();
    for (text, answer) in texts.iter().zip(ask(&questions)) {
        let here = text.parse::<Atom>();
        verdicts.check(
            text,
            here.is_ok(),
            !answer.is_null(),
            &rules,
            &random.replay(),
        );
        if let Ok(atom) = here {
            assert_eq!(parts(&atom), answer, "{text}; {}", random.replay());
            assert_eq!(atom.to_string(), *text);
        }
    }
    verdicts.finish("atoms");
}

/// The parts under Portage's names.
fn parts(atom: &Atom) -> Value {
    let (slot, sub_slot, slot_operator) = match atom.slot() {
        None => (None, None, None),
        Some(SlotDependency::Any) => (None, None, Some("*")),
        Some(SlotDependency::Bound) => (None, None, Some("=")),
        Some(SlotDependency::Exact {
            slot,
            subslot,
            bound,
        }) => (Some(slot), subslot.as_ref(), bound.then_some("=")),
    };
    let uses: Vec<String> = atom
        .use_dependencies()
        .iter()
        .map(ToString::to_string)
        .collect();
    json!({
        "blocker": atom.blocker().map(|blocker| match blocker {
            Blocker::Weak => "!",
            Blocker::Strong => "!!",
        }),
        "operator": atom.version().map(|version| match version.operator {
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Equal => "=",
            Operator::EqualGlob => "=*",
            Operator::EqualIgnoringRevision => "~",
            Operator::GreaterOrEqual => ">=",
            Operator::Greater => ">",
        }),
        "cp": atom.category_package(),
        "version": atom.version().map(|version| &version.version),
        "build_id": atom.version().and_then(|version| version.build_id),
        "slot": slot,
        "sub_slot": sub_slot,
        "slot_operator": slot_operator,
        "repo": atom.repository(),
        "use": uses,
    })
}
