//! What is checked of every entry at once.

use std::fmt;

use crate::cpv::Cpv;
use crate::name::SlotAndSubslot;
use crate::packages_index::fields::Fields;
use crate::packages_index::variable::{VARIABLES, Variable};
use crate::packages_index::{EntryRef, Header, IndexError};
use crate::text::excerpt;

impl<'a> EntryRef<'a> {
    /// The entry, and the number of its lines.
    pub(super) fn read(
        header: &'a Header,
        fields: Fields<'a>,
    ) -> Result<(Self, usize), IndexError> {
        let first_line = fields.line();
        let mut raw = Unchecked {
            line: first_line,
            values: [""; VARIABLES],
            others: Vec::new(),
        };
        let mut seen = 0_u32;
        let mut lines = 0;
        for field in fields {
            let (name, value) = field?;
            lines += 1;
            let Some(variable) = Variable::of(name) else {
                raw.others.push((name, value));
                continue;
            };
            let bit = 1 << variable as u32;
            if seen & bit != 0 {
                return Err(raw.wrong(format_args!("{name} is there twice")));
            }
            seen |= bit;
            raw.values[variable as usize] = value;
        }
        raw.others.sort_unstable();
        if let Some(pair) = raw.others.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(raw.wrong(format_args!("{} is there twice", pair[0].0)));
        }
        Ok((raw.check(header)?, lines))
    }
}

pub(super) fn wrong(cpv: &str, line: usize, reason: fmt::Arguments<'_>) -> IndexError {
    IndexError::Entry {
        entry: excerpt(cpv),
        line,
        reason: reason.to_string(),
    }
}

/// An entry whose values are not checked yet.
struct Unchecked<'a> {
    line: usize,
    values: [&'a str; VARIABLES],
    others: Vec<(&'a str, &'a str)>,
}

impl<'a> Unchecked<'a> {
    fn wrong(&self, reason: fmt::Arguments<'_>) -> IndexError {
        let cpv = match self.values[Variable::Cpv as usize] {
            "" => "an unnamed package",
            cpv => cpv,
        };
        wrong(cpv, self.line, reason)
    }

    fn value(&self, variable: Variable) -> Option<&'a str> {
        Some(self.values[variable as usize]).filter(|value| !value.is_empty())
    }

    /// A value that a type of names reads.
    fn parsed<T: std::str::FromStr<Err: fmt::Display>>(
        &self,
        variable: Variable,
    ) -> Result<Option<T>, IndexError> {
        let parsed = self.value(variable).map(str::parse).transpose();
        parsed.map_err(|error| {
            let name = variable.name();
            self.wrong(format_args!("{name}: {error}"))
        })
    }

    /// A number: digits and nothing else.
    fn number<T: std::str::FromStr>(&self, variable: Variable) -> Result<Option<T>, IndexError> {
        let Some(value) = self.value(variable) else {
            return Ok(None);
        };
        let digits = value.bytes().all(|byte| byte.is_ascii_digit());
        match value.parse().ok().filter(|_| digits) {
            Some(number) => Ok(Some(number)),
            None => {
                let name = variable.name();
                Err(self.wrong(format_args!("{:?} is not a {name}", excerpt(value))))
            }
        }
    }

    fn check(self, header: &'a Header) -> Result<EntryRef<'a>, IndexError> {
        let cpv = self.parsed::<Cpv>(Variable::Cpv)?;
        let cpv = cpv.ok_or_else(|| self.wrong(format_args!("it has no CPV")))?;
        let size = self.number(Variable::Size)?;
        let size = size.ok_or_else(|| self.wrong(format_args!("it has no SIZE")))?;
        let build_id = self.number(Variable::BuildId)?;
        let build_time = self.number(Variable::BuildTime)?;
        let modified = self.number(Variable::Mtime)?;
        let slot = self.parsed(Variable::Slot)?;
        let repository = self.parsed(Variable::Repository)?;
        for (variable, length) in [(Variable::Md5, 32), (Variable::Sha1, 40)] {
            if let Some(digest) = self.value(variable)
                && (digest.len() != length || !digest.bytes().all(is_lower_hex_digit))
            {
                let name = variable.name();
                let digest = excerpt(digest);
                return Err(self.wrong(format_args!("{name}: {digest:?} is not a checksum")));
            }
        }
        if let Some(path) = self.value(Variable::Path)
            && !stays_below(path)
        {
            let path = excerpt(path);
            return Err(self.wrong(format_args!("the path {path:?} leads out of the store")));
        }
        if let Some(eapi) = self.value(Variable::Eapi)
            && !is_eapi(eapi)
        {
            return Err(self.wrong(format_args!("{:?} is not an EAPI", excerpt(eapi))));
        }
        Ok(EntryRef {
            header,
            line: self.line,
            values: self.values,
            others: self.others,
            cpv,
            build_id,
            build_time,
            modified,
            size,
            slot: slot.unwrap_or_else(SlotAndSubslot::zero),
            repository,
        })
    }
}

fn is_lower_hex_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

/// Whether a path is relative and does not climb.
fn stays_below(path: &str) -> bool {
    path.split('/')
        .all(|part| !part.is_empty() && part != "." && part != "..")
        && !path.contains('\0')
}

/// PMS 2.1.1: `[A-Za-z0-9+_.-]`, not beginning with a hyphen, a dot or a plus sign.
fn is_eapi(text: &str) -> bool {
    !text.starts_with(['-', '.', '+'])
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+_.-".contains(&byte))
}
