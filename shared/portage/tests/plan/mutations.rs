//! Recordings that lost or changed something on their way: an error, or the whole list with the
//! other rows as they were. Never less.
//!
//! Rows that do nothing are left out of this: Portage does not count them (`[nomerge …]`, and in a
//! tree the blocks that the plan resolves), so nobody can tell when one is lost.

use std::collections::BTreeMap;

use gentoo_updater_portage::plan::{Plan, PlanError, RowKind, parse};

use crate::{Recording, all_names, describe, recording};

/// The rows and blocks that count, with how often each is there.
fn counted(plan: &Plan) -> BTreeMap<String, usize> {
    let is_tree = plan.rows.iter().any(|row| row.kind == RowKind::NoMerge);
    let rows = plan.rows.iter().filter(|row| row.kind != RowKind::NoMerge);
    let blocks = plan
        .blocks
        .iter()
        .filter(|block| !(is_tree && block.satisfied));
    let mut counted = BTreeMap::new();
    for line in rows.map(describe::row).chain(blocks.map(describe::block)) {
        *counted.entry(line).or_insert(0) += 1;
    }
    counted
}

/// How many rows of `before` are not in `after`, and how many there are in each.
fn lost(
    before: &BTreeMap<String, usize>,
    after: &BTreeMap<String, usize>,
) -> (usize, usize, usize) {
    let missing = before
        .iter()
        .map(|(row, count)| count.saturating_sub(*after.get(row).unwrap_or(&0)));
    (missing.sum(), before.values().sum(), after.values().sum())
}

/// A recording that is a plan, each text once.
struct Original {
    recording: Recording,
    plan: Plan,
    counted: BTreeMap<String, usize>,
}

fn originals() -> Vec<Original> {
    let mut seen = std::collections::BTreeSet::new();
    let read = |name: String| {
        let recording = recording(&name);
        let plan = recording.parse().ok()?;
        // Many differ in nothing but the time that it took.
        let lines = recording.stdout.lines();
        let lines = lines.filter(|line| !line.starts_with("Dependency resolution took"));
        let text = (lines.collect::<String>(), recording.stderr.clone());
        seen.insert(text).then(|| Original {
            counted: counted(&plan),
            recording,
            plan,
        })
    };
    let originals: Vec<Original> = all_names().into_iter().filter_map(read).collect();
    assert!(originals.len() > 30, "{}", originals.len());
    originals
}

impl Original {
    fn parse(&self, stdout: &str) -> Result<Plan, PlanError> {
        parse(stdout, &self.recording.stderr, self.recording.status)
    }

    /// Demands an error, or all rows: at most `touched` of them changed.
    fn check(
        &self,
        stdout: &str,
        touched: usize,
        what: &dyn Fn() -> String,
    ) -> Result<Plan, PlanError> {
        let result = self.parse(stdout);
        if let Ok(plan) = &result {
            if self.is_same_but_for(plan, touched) {
                return result;
            }
            let (missing, before, after) = lost(&self.counted, &counted(plan));
            let name = &self.recording.name;
            assert!(
                missing <= touched && after >= before,
                "{name}: {}\n{stdout}",
                what()
            );
        }
        result
    }

    /// Whether the rows are the same in the same order, as they are after almost every mutation.
    fn is_same_but_for(&self, plan: &Plan, touched: usize) -> bool {
        let pairs = plan.rows.iter().zip(&self.plan.rows);
        let differing = pairs.filter(|(after, before)| after != before).count();
        plan.rows.len() == self.plan.rows.len()
            && plan.blocks == self.plan.blocks
            && differing <= touched
    }

    /// Demands an error, or the same plan: a total that was garbled may have lost nothing but words
    /// that older versions do not print.
    fn check_same(&self, result: Result<Plan, PlanError>, garbled: &str) {
        if let Ok(plan) = result {
            let mut totals = plan.totals;
            // The sum is rounded up like its parts, so the last digit can be another.
            let most = 1024 * self.plan.rows.len() as u64;
            if totals.size_bytes.abs_diff(self.plan.totals.size_bytes) < most {
                totals.size_bytes = self.plan.totals.size_bytes;
            }
            // In a tree nobody can tell how many blocks there are.
            if self.recording.name.contains("tree") {
                totals.blocks = self.plan.totals.blocks;
            }
            assert_eq!(totals, self.plan.totals, "{garbled}");
            assert_eq!(plan.rows, self.plan.rows, "{garbled}");
            assert_eq!(plan.blocks, self.plan.blocks, "{garbled}");
        }
    }

    fn lines(&self) -> Vec<&str> {
        self.recording.stdout.split_inclusive('\n').collect()
    }
}

fn is_total(line: &str) -> bool {
    ["Total:", "Conflict:", "Fetch Restriction:"]
        .iter()
        .any(|start| line.starts_with(start))
}

/// A generator of numbers that needs no more than to differ: xorshift.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

#[test]
fn a_line_that_is_dropped_doubled_swapped_or_cut_off_costs_no_row() {
    let mut mutations = 0;
    for original in originals() {
        let lines = original.lines();
        for (index, line) in lines.iter().enumerate() {
            let mut dropped = lines.clone();
            dropped.remove(index);
            let mut doubled = lines.clone();
            doubled.insert(index, line);
            let truncated = lines[..index].to_vec();
            let without_beginning = lines[index + 1..].to_vec();
            let mut variants = vec![dropped, doubled, truncated, without_beginning];
            for distance in [1, 2, 7] {
                if index + distance < lines.len() {
                    let mut swapped = lines.clone();
                    swapped.swap(index, index + distance);
                    variants.push(swapped);
                }
            }
            for variant in variants {
                mutations += 1;
                let result = original.check(&variant.concat(), 0, &|| format!("line {index}"));
                if let (Ok(plan), false) = (result, is_total(line)) {
                    assert_eq!(plan.totals, original.plan.totals);
                }
            }
            // A row that counts may be neither dropped nor doubled.
            let is_counted = ["[ebuild ", "[binary ", "[uninstall "]
                .iter()
                .any(|s| line.contains(s) || line.replace("\u{1b}", "").starts_with("[["));
            if is_counted && line.starts_with('[') && !line.contains("nomerge") {
                for copies in [0, 2] {
                    let text = [
                        &lines[..index],
                        &vec![*line; copies][..],
                        &lines[index + 1..],
                    ]
                    .concat();
                    let is_uncounted = line.contains("blocks");
                    assert!(
                        is_uncounted || original.parse(&text.concat()).is_err(),
                        "{line}"
                    );
                }
            }
        }
    }
    println!("{mutations} mutations of lines");
    assert!(mutations > 5_000, "{mutations}");
}

/// Every character of each different line of a list, in the first recording that has it.
fn lines_to_garble(originals: &[Original]) -> Vec<(&Original, usize)> {
    let mut seen = std::collections::BTreeSet::new();
    let mut chosen = Vec::new();
    for original in originals {
        for (index, line) in original.lines().into_iter().enumerate() {
            let is_of_list = line.starts_with('[') || is_total(line);
            if is_of_list && !line.contains('\u{1b}') && seen.insert(line.to_owned()) {
                chosen.push((original, index));
            }
        }
    }
    assert!(chosen.len() > 80, "{}", chosen.len());
    chosen
}

#[test]
fn a_character_of_the_list_that_is_changed_changes_its_own_row_only() {
    const GARBAGE: [&str; 24] = [
        "", "\0", "x", "U", "R", "0", "9", " ", "[", "]", "(", ")", "\"", "/", ":", "-", ",", "*",
        "%", "\n", "\r", "\u{fffd}", "\u{a0}", "=",
    ];
    let originals = originals();
    let mut mutations = 0;
    let mut numbers = Numbers(0x6a09_e667_f3bc_c908);
    for (original, index) in lines_to_garble(&originals) {
        let lines = original.lines();
        let (before, line, after) = (
            lines[..index].concat(),
            lines[index],
            lines[index + 1..].concat(),
        );
        for (place, character) in line.trim_end().char_indices() {
            let end = place + character.len_utf8();
            // Three by chance at each place: the lines of different recordings are much alike.
            let chosen: Vec<&str> = (0..3)
                .map(|_| GARBAGE[numbers.below(GARBAGE.len())])
                .collect();
            for garbage in chosen {
                let replaced = format!("{}{garbage}{}", &line[..place], &line[end..]);
                let inserted = format!("{}{garbage}{}", &line[..place], &line[place..]);
                for garbled in [replaced, inserted] {
                    if garbled == *line {
                        continue;
                    }
                    mutations += 1;
                    let text = format!("{before}{garbled}{after}");
                    let result = original.check(&text, 1, &|| format!("{line} became {garbled}"));
                    if is_total(line) {
                        original.check_same(result, &garbled);
                    }
                }
            }
            mutations += 1;
            let cut = format!("{before}{}\n{after}", &line[..place]);
            let result = original.check(&cut, 1, &|| format!("{line} was cut after {place}"));
            if is_total(line) {
                original.check_same(result, &line[..place]);
            }
        }
    }
    println!("{mutations} mutations of characters");
    assert!(mutations > 80_000, "{mutations}");
}

#[test]
fn an_output_that_is_cut_is_an_error_or_has_the_whole_list() {
    for original in originals() {
        let text = &original.recording.stdout;
        let end_of_list = text.rfind("Size of downloads").unwrap();
        for (length, _) in text.char_indices() {
            // Every place near the end of the list, and one in seven of the others.
            if length % 7 != 0 && length.abs_diff(end_of_list) > 60 {
                continue;
            }
            let result = original.check(&text[..length], 0, &|| format!("cut after {length}"));
            assert!(
                length > end_of_list || result.is_err(),
                "cut after {length}"
            );
        }
    }
}

#[test]
fn several_faults_at_once_are_found_or_do_no_harm() {
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    let originals = originals();
    for _ in 0..4_000 {
        let original = &originals[numbers.below(originals.len())];
        let mut characters: Vec<char> = original.recording.stdout.chars().collect();
        let faults = 1 + numbers.below(3);
        for _ in 0..faults {
            let place = numbers.below(characters.len());
            match numbers.below(3) {
                0 => {
                    characters[place] = ['\0', 'x', ' ', '[', ']', '"', '1', '\n'][numbers.below(8)]
                }
                1 => characters.insert(
                    place,
                    ['\0', 'x', ' ', '[', ']', '"', '1', '\n'][numbers.below(8)],
                ),
                _ => drop(characters.remove(place)),
            }
        }
        let text: String = characters.into_iter().collect();
        let _ = original.check(&text, faults, &|| format!("{faults} faults"));
    }
}

#[test]
fn colour_codes_anywhere_change_nothing() {
    let codes = [
        "\u{1b}[31;01m",
        "\u{1b}[39;49;00m",
        "\u{1b}[K",
        "\u{1b}]0;title\u{7}",
        "\u{1b}[?25l",
    ];
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for original in originals() {
        let text = &original.recording.stdout;
        if text.contains('\u{1b}') {
            continue;
        }
        for _ in 0..20 {
            let mut coloured = String::new();
            for character in text.chars() {
                if numbers.below(12) == 0 {
                    coloured.push_str(codes[numbers.below(codes.len())]);
                }
                coloured.push(character);
            }
            assert_eq!(original.parse(&coloured).as_ref(), Ok(&original.plan));
        }
        for (place, _) in text.char_indices() {
            if place % 5 == 0 {
                let coloured = format!(
                    "{}{}{}",
                    &text[..place],
                    codes[place % codes.len()],
                    &text[place..]
                );
                assert_eq!(original.parse(&coloured).as_ref(), Ok(&original.plan));
            }
        }
    }
}
