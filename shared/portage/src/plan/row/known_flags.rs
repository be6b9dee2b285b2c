//! The USE flags of a list.

use std::collections::HashMap;

use super::reason;
use crate::name::UseFlag;

/// The flags that were read before. A plan holds the same few hundred in thousands of rows, so each
/// is checked once only; and one that is twice in a row is found without comparing sets.
#[derive(Debug, Default)]
pub(in super::super) struct KnownFlags {
    known: HashMap<String, SeenFlag>,
    /// What the names of the flags of the present group begin with, and then the flag that is
    /// looked up.
    flag: String,
    /// The length of that beginning.
    prefix_length: usize,
    /// The number of the row.
    row: u64,
}

/// A flag, and the last row that had it.
#[derive(Debug)]
struct SeenFlag {
    flag: UseFlag,
    row: u64,
}

impl KnownFlags {
    /// Begins a row, in which no flag was seen yet.
    pub(super) fn begin_row(&mut self) {
        self.row += 1;
    }

    /// Begins a group of flags: `USE`, or a name of USE_EXPAND.
    pub(super) fn begin_group(&mut self, name: &str) {
        self.flag.clear();
        if name != "USE" {
            self.flag.push_str(name);
            self.flag.make_ascii_lowercase();
            self.flag.push('_');
        }
        self.prefix_length = self.flag.len();
    }

    /// The flag which has this name in the present group. Each is once in a row.
    pub(super) fn get(&mut self, name: &str) -> Result<UseFlag, String> {
        self.flag.truncate(self.prefix_length);
        self.flag.push_str(name);
        if let Some(seen) = self.known.get_mut(&self.flag) {
            if seen.row == self.row {
                return Err("it is there twice".to_owned());
            }
            seen.row = self.row;
            return Ok(seen.flag.clone());
        }
        let flag: UseFlag = self.flag.parse().map_err(reason)?;
        let seen = SeenFlag {
            flag: flag.clone(),
            row: self.row,
        };
        self.known.insert(self.flag.clone(), seen);
        Ok(flag)
    }
}
