//! The list: its rows, and whether they add up to the total.

use std::collections::BTreeSet;

use super::row::{self, KnownFlags, Unit};
use super::{Block, FetchRestriction, PlanError, Row, RowKind, Totals};
use crate::cpv::Cpv;
use crate::name::SlotAndSubslot;
use crate::text::excerpt;

/// Why a row without a size is not accepted.
const WITHOUT_SIZE: &str = "the size is missing at its end, as without --verbose";

/// The rows read so far, and the form which all of them have.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) rows: Vec<Row>,
    pub(super) blocks: Vec<Block>,
    flags: KnownFlags,
    /// How many letters fit between the brackets.
    columns: Option<usize>,
    unit: Option<Unit>,
    /// Whether rows stand below others, and parents are shown that are not installed.
    is_tree: bool,
    /// The first ebuild without a size, as rows are without `--verbose`.
    ebuild_without_size: Option<PlanError>,
    /// The first binary package without a size.
    binary_without_size: Option<PlanError>,
}

impl List {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.blocks.is_empty()
    }

    /// An empty list, whose rows come from a text of this length.
    pub(super) fn of_text(length: usize) -> Self {
        Self {
            // A row has between 60 and some hundred characters.
            rows: Vec::with_capacity(length / 256),
            ..Self::default()
        }
    }

    /// Reads the next row. All rows of a list have the same form.
    pub(super) fn push(&mut self, number: usize, line: &str) -> Result<(), String> {
        let brackets = row::divide(line)?;
        if *self.columns.get_or_insert(brackets.columns) != brackets.columns {
            return Err("it has another number of letters than the rows before it".to_owned());
        }
        self.is_tree |= brackets.is_indented;
        let Some(kind) = brackets.kind else {
            self.blocks.push(row::parse_block(&brackets)?);
            return Ok(());
        };
        let (row, unit) = row::parse_row(kind, &brackets, &mut self.flags)?;
        let first_without_size = match (unit, kind) {
            (Some(unit), _) => {
                self.check_unit(unit)?;
                None
            }
            (None, RowKind::Ebuild) => Some(&mut self.ebuild_without_size),
            (None, RowKind::Binary) => Some(&mut self.binary_without_size),
            (None, RowKind::NoMerge | RowKind::Uninstall) => None,
        };
        if let Some(first @ None) = first_without_size {
            *first = Some(PlanError::Line {
                number,
                line: excerpt(line),
                reason: WITHOUT_SIZE.to_owned(),
            });
        }
        self.is_tree |= kind == RowKind::NoMerge;
        self.rows.push(row);
        Ok(())
    }

    /// The error that a row without a size is. Old versions print none for binary packages.
    pub(super) fn without_size(&mut self, is_old: bool) -> Option<PlanError> {
        let binary = self.binary_without_size.take().filter(|_| !is_old);
        self.ebuild_without_size.take().or(binary)
    }

    /// Whether the list is one of those that have no sizes, and no total at their end.
    pub(super) fn has_no_sizes(&self) -> bool {
        self.unit.is_none() && self.ebuild_without_size.is_some()
    }

    /// The unit of sizes changed once, and never within an output.
    pub(super) fn check_unit(&mut self, unit: Unit) -> Result<(), String> {
        if *self.unit.get_or_insert(unit) != unit {
            return Err("its size has another unit than the rows before it".to_owned());
        }
        Ok(())
    }

    /// Compares the rows with the total, number by number, and completes them.
    pub(super) fn finish(mut self, totals: &Totals) -> Result<(Vec<Row>, Vec<Block>), PlanError> {
        let is_old = self.unit == Some(Unit::Kilobyte);
        if let Some(error) = self.without_size(is_old) {
            return Err(error);
        }
        for (what, found, total) in self.counts(totals, is_old) {
            if found != total {
                return Err(PlanError::Total {
                    what,
                    rows: found,
                    total,
                });
            }
        }
        self.check_sizes(totals)?;
        // A row without a slot is of slot 0/0, where Portage prints slots: long before KiB came.
        if !is_old {
            let zero = SlotAndSubslot::zero();
            for row in &mut self.rows {
                row.slot.get_or_insert_with(|| zero.clone());
                for previous in &mut row.previous {
                    previous.slot.get_or_insert_with(|| zero.clone());
                }
            }
        }
        Ok((self.rows, self.blocks))
    }

    /// What can be counted: in the rows, and in the total.
    fn counts(&self, totals: &Totals, is_old: bool) -> Vec<(&'static str, u64, u64)> {
        let mut found = Totals::default();
        for row in &self.rows {
            let status = &row.status;
            match row.kind {
                RowKind::Binary => found.binaries += 1,
                RowKind::Uninstall => found.uninstalls += 1,
                RowKind::Ebuild | RowKind::NoMerge => {}
            }
            if !row.kind.is_merge() {
                continue;
            }
            found.packages += 1;
            found.upgrades += u64::from(status.upgrade && !status.downgrade);
            found.downgrades += u64::from(status.downgrade);
            found.new += u64::from(status.new && !status.new_slot);
            found.new_slots += u64::from(status.new_slot);
            found.reinstalls += u64::from(status.reinstall);
            found.interactive += u64::from(status.interactive);
            found.fetch_restricted += u64::from(status.fetch_restriction.is_some());
            found.fetch_restricted_unsatisfied +=
                u64::from(status.fetch_restriction == Some(FetchRestriction::Unsatisfied));
        }
        found.blocks = self.blocks.len() as u64;
        let unsatisfied = self.blocks.iter().filter(|block| !block.satisfied);
        found.blocks_unsatisfied = unsatisfied.count() as u64;
        let mut counts = vec![
            ("packages", found.packages, totals.packages),
            ("upgrades", found.upgrades, totals.upgrades),
            ("downgrades", found.downgrades, totals.downgrades),
            ("new packages", found.new, totals.new),
            ("new slots", found.new_slots, totals.new_slots),
            ("reinstalls", found.reinstalls, totals.reinstalls),
            ("uninstalls", found.uninstalls, totals.uninstalls),
            (
                "interactive packages",
                found.interactive,
                totals.interactive,
            ),
            (
                "packages with a fetch restriction",
                found.fetch_restricted,
                totals.fetch_restricted,
            ),
            (
                "packages with an unsatisfied fetch restriction",
                found.fetch_restricted_unsatisfied,
                totals.fetch_restricted_unsatisfied,
            ),
            (
                "unsatisfied blocks",
                found.blocks_unsatisfied,
                totals.blocks_unsatisfied,
            ),
        ];
        // Portage before 2.1.10 does not count binary packages.
        if !(is_old && totals.binaries == 0) {
            counts.push(("binaries", found.binaries, totals.binaries));
        }
        // A tree leaves satisfied blocks out, or repeats them as parents of others.
        if self.is_tree {
            found.blocks = totals.blocks.max(self.different_blocks());
        }
        counts.push(("blocks", found.blocks, totals.blocks));
        counts
    }

    /// How many blocks there are without the repeated ones. Those that block come in any order.
    fn different_blocks(&self) -> u64 {
        let key = |block: &Block| {
            let by: BTreeSet<Cpv> = block.by.iter().cloned().collect();
            (block.blocked.clone(), by)
        };
        self.blocks.iter().map(key).collect::<BTreeSet<_>>().len() as u64
    }

    /// Each size is rounded up to KiB, and so is their sum.
    fn check_sizes(&self, totals: &Totals) -> Result<(), PlanError> {
        let sizes = self.rows.iter().filter_map(|row| row.size_bytes);
        let kib = sizes.map(|bytes| bytes / 1024).filter(|kib| *kib > 0);
        let (count, sum) = kib.fold((0_u64, 0_u64), |(count, sum), kib| {
            (count + 1, sum.saturating_add(kib))
        });
        let total = totals.size_bytes / 1024;
        let least = sum.saturating_sub(count.saturating_sub(1));
        if (least..=sum).contains(&total) {
            return Ok(());
        }
        Err(PlanError::Total {
            what: "KiB of downloads",
            rows: sum,
            total,
        })
    }
}
