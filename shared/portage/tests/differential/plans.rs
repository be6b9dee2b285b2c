//! Lists of packages that Portage's own code printed, with every letter and mark that it knows.

use std::collections::BTreeSet;

use gentoo_updater_portage::plan::{Block, FlagSet, Previous, Row, parse};
use serde_json::{Value, json};

use crate::oracle::ask;
use crate::random::Random;

const LISTS: usize = 6_000;

const CPVS: [&str; 6] = [
    "dev-libs/a-1.0-r1",
    "dev-libs/a-b-2.0_rc1",
    "x11-libs/gtk+-3.24",
    "virtual/0-0",
    "media-fonts/font-100dpi-1.0.3",
    "_c.d/e-9999",
];
const SLOTS: [&str; 5] = ["0", "1", "2.2", "llvm-19", "0_x+"];
const REPOSITORIES: [&str; 3] = ["gentoo", "x-portage", "__unknown__"];
const VERSIONS: [&str; 4] = ["0.9", "0.9-r1", "9999", "1_p20240101"];
const FLAGS: [&str; 8] = [
    "ssl",
    "doc",
    "python3_12",
    "python3_9",
    "10bit",
    "a@b",
    "c++",
    "de-1996",
];
const SIZES: [u64; 6] = [0, 1, 1024, 1025, 40_000_000, 123_456_789_012];

/// A generated row or block: what the printer is told, and what has to be read.
struct Generated {
    input: Value,
    expected: Value,
}

fn slot_text(slot: &str, subslot: &str) -> String {
    format!("{slot}/{subslot}")
}

fn repository(name: &str) -> Option<&str> {
    (name != "__unknown__").then_some(name)
}

fn slots(random: &mut Random) -> (&'static str, &'static str) {
    let slot = random.pick(&SLOTS);
    let subslot = if random.chance(50) {
        slot
    } else {
        random.pick(&SLOTS)
    };
    (slot, subslot)
}

/// An installed version as the printer gets it, and as it has to be read.
fn old(random: &mut Random, slot: Option<&'static str>) -> (Value, Value) {
    let (any, subslot) = slots(random);
    let slot = slot.unwrap_or(any);
    let (version, repo) = (random.pick(&VERSIONS), random.pick(&REPOSITORIES));
    let input = json!({"version": version, "slot": slot, "sub_slot": subslot, "repo": repo});
    let expected = json!([version, slot_text(slot, subslot), repository(repo)]);
    (input, expected)
}

/// The six sets of flags that have to be read.
#[derive(Default)]
struct Sets([BTreeSet<String>; 6]);

impl Sets {
    /// One group of flags. What each mark means is said once more here, not by the
    /// printer's code, but by what it means for the package.
    fn add_group(&mut self, random: &mut Random, name: &str, is_new: bool) -> Value {
        let prefix = match name {
            "USE" => String::new(),
            _ => format!("{}_", name.to_lowercase()),
        };
        let iuse = random.subset(&FLAGS);
        let (enabled, forced) = (random.subset(&iuse), random.subset(&iuse));
        let old_iuse = if is_new {
            Vec::new()
        } else {
            random.subset(&FLAGS)
        };
        let old_enabled = random.subset(&old_iuse);
        for flag in FLAGS {
            let (is, was) = (iuse.contains(&flag), old_iuse.contains(&flag));
            let (is_on, was_on) = (enabled.contains(&flag), old_enabled.contains(&flag));
            let is_forced = forced.contains(&flag);
            let is_added = is && !was && !is_new;
            // Portage marks what is new and on, and leaves the mark out for what is new, off and
            // forced.
            let marks = [
                is_on,
                is && !is_on,
                !is_new && is_on != was_on,
                is_added && (is_on || !is_forced),
                is_forced,
                was && !is,
            ];
            for (set, mark) in self.0.iter_mut().zip(marks) {
                if mark {
                    set.insert(format!("{prefix}{flag}"));
                }
            }
        }
        json!({
            "name": name, "iuse": iuse, "forced": forced, "use": enabled, "old_iuse": old_iuse,
            "old_use": old_enabled,
        })
    }
}

fn generate(random: &mut Random) -> Generated {
    let kind = random.pick(&[
        "ebuild",
        "ebuild",
        "ebuild",
        "binary",
        "binary",
        "nomerge",
        "uninstall",
    ]);
    let merges = matches!(kind, "ebuild" | "binary");
    let is_binary = kind == "binary" || (kind == "nomerge" && random.chance(50));
    let relation = match kind {
        "uninstall" => "reinstall",
        _ => random.pick(&["new", "new_slot", "upgrade", "downgrade", "reinstall"]),
    };
    let (slot, subslot) = slots(random);
    let repo = random.pick(&REPOSITORIES);
    let count = match relation {
        "new" => 0,
        "reinstall" => random.below(2),
        _ => 1 + random.below(3),
    };
    let in_slot = (relation != "new_slot").then_some(slot);
    let (old_input, previous): (Vec<Value>, Vec<Value>) =
        (0..count).map(|_| old(random, in_slot)).unzip();
    let build_id = (is_binary && random.chance(80)).then(|| random.pick(&[1, 7, 123]));
    let fetch = (kind == "ebuild")
        .then(|| random.pick(&[None, None, Some("F"), Some("f")]))
        .flatten();
    let remote = is_binary && random.chance(50);
    let interactive = random.chance(20);
    let rebuild = merges && !relation.starts_with("new") && random.chance(40);
    let mask = random.pick(&[" ", " ", "~", "*", "#"]);
    let root = random
        .chance(15)
        .then(|| random.pick(&["/usr/x86_64-pc-linux-gnu/", "/mnt/my root/"]));
    let size = random.pick(&SIZES);
    let cpv = random.pick(&CPVS);
    let mut sets = Sets::default();
    let mut groups = Vec::new();
    for name in ["USE", "PYTHON_TARGETS", "L10N"] {
        if random.chance(50) {
            groups.push(sets.add_group(random, name, relation == "new"));
        }
    }
    let letters: String = [
        if interactive { "I" } else { " " },
        match relation {
            _ if rebuild => "r",
            "new" | "new_slot" => "N",
            _ => " ",
        },
        match relation {
            "reinstall" => "R",
            "new_slot" => "S",
            _ => " ",
        },
        fetch.unwrap_or(if remote { "g" } else { " " }),
        if matches!(relation, "upgrade" | "downgrade") {
            "U"
        } else {
            " "
        },
        if relation == "downgrade" { "D" } else { " " },
        mask,
    ]
    .concat();
    Generated {
        input: json!({
            "kind": kind, "type": if is_binary { "binary" } else { "ebuild" }, "cpv": cpv,
            "build_id": build_id, "slot": slot, "sub_slot": subslot, "repo": repo,
            "relation": relation, "old": old_input, "interactive": interactive,
            "rebuild": rebuild, "fetch": fetch, "remote": remote, "mask": mask, "root": root,
            "is_new": relation == "new", "groups": groups, "size": size,
            "depth": random.pick(&[0, 0, 0, 1, 12]), "system": random.chance(30),
            "world": random.chance(30),
        }),
        expected: json!([
            kind,
            if merges { letters.trim() } else { "" },
            cpv,
            build_id,
            slot_text(slot, subslot),
            repository(repo),
            previous,
            root,
            sets.0,
            merges.then(|| size.div_ceil(1024) * 1024),
        ]),
    }
}

fn read(row: &Row) -> Value {
    let previous = |old: &Previous| {
        let slot = old.slot.as_ref().unwrap();
        json!([
            old.version,
            slot_text(slot.slot.as_str(), slot.subslot.as_str()),
            old.repository
        ])
    };
    let flags = &row.use_flags;
    // The order of the names is that of a BTreeSet of texts on both sides.
    let names = |set: &FlagSet| set.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let sets = [
        &flags.enabled,
        &flags.disabled,
        &flags.changed,
        &flags.new,
        &flags.forced,
        &flags.removed,
    ];
    let slot = row.slot.as_ref().unwrap();
    json!([
        row.kind,
        row.status.to_string(),
        row.cpv,
        row.build_id,
        slot_text(slot.slot.as_str(), slot.subslot.as_str()),
        row.repository,
        row.previous.iter().map(previous).collect::<Vec<_>>(),
        row.root,
        sets.map(names),
        row.size_bytes,
    ])
}

fn generate_block(random: &mut Random) -> Generated {
    let sign = random.pick(&["!", "!!"]);
    let atom = random.pick(&[
        "a/b",
        "<a/b-2",
        "=a/b-1*",
        "a/b:0/1",
        "virtual/mta",
        ">=a/b-1:2[c,-d(+)]",
    ]);
    let by: BTreeSet<&str> = (0..=random.below(3)).map(|_| random.pick(&CPVS)).collect();
    let satisfied = random.chance(50);
    Generated {
        input: json!({"atom": format!("{sign}{atom}"), "by": by, "satisfied": satisfied}),
        expected: json!([atom, by, satisfied]),
    }
}

fn read_block(block: &Block) -> Value {
    let by: BTreeSet<String> = block.by.iter().map(ToString::to_string).collect();
    json!([block.blocked, by, block.satisfied])
}

#[test]
fn what_portage_prints_is_read_as_what_it_was() {
    let mut random = Random::new(11);
    let lists: Vec<(Vec<Generated>, Vec<Generated>)> = (0..LISTS)
        .map(|_| {
            let rows = (0..1 + random.below(5))
                .map(|_| generate(&mut random))
                .collect();
            let blocks = random.below(6).saturating_sub(3);
            let blocks = (0..blocks).map(|_| generate_block(&mut random)).collect();
            (rows, blocks)
        })
        .collect();
    let questions: Vec<Value> = lists
        .iter()
        .map(|(rows, blocks)| {
            let rows: Vec<&Value> = rows.iter().map(|row| &row.input).collect();
            let blocks: Vec<&Value> = blocks.iter().map(|block| &block.input).collect();
            json!(["list", rows, blocks, random.chance(30), random.chance(30)])
        })
        .collect();
    let mut read_rows = 0;
    for ((rows, blocks), answer) in lists.iter().zip(ask(&questions)) {
        let printed = answer.as_str().unwrap();
        let text = format!("Calculating dependencies... done!\n\n{printed}");
        let replay = random.replay();
        let plan =
            parse(&text, "", 0).unwrap_or_else(|error| panic!("{error}; {replay}\n{printed}"));
        assert_eq!(plan.rows.len(), rows.len(), "{replay}\n{printed}");
        for (found, row) in plan.rows.iter().zip(rows) {
            assert_eq!(read(found), row.expected, "{replay}\n{printed}");
        }
        // Those that are not resolved stand at the end.
        let sorted = |blocks: Vec<Value>| -> Vec<String> {
            let mut texts: Vec<String> = blocks.iter().map(Value::to_string).collect();
            texts.sort();
            texts
        };
        let found = plan.blocks.iter().map(read_block).collect();
        let expected = blocks.iter().map(|block| block.expected.clone()).collect();
        assert_eq!(sorted(found), sorted(expected), "{replay}\n{printed}");
        read_rows += rows.len();
    }
    println!(
        "plans: {LISTS} lists of {read_rows} rows that Portage printed, all read as they were"
    );
}
