//! What a report says, as data: headings, lists, tables, findings. It is made once, and written as plain
//! text, as Markdown and as HTML.

mod html;
mod markdown;
mod text;

use std::borrow::Cow;

use crate::message::{Failure, Finding};
use crate::remedy::next_step;

/// A document: blocks in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// Its blocks.
    pub blocks: Vec<Block>,
}

/// A part of a document that stands alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A heading. The title of the document has level 1.
    Heading {
        /// How deep it is, from 1 on.
        level: u8,
        /// Its words.
        text: String,
    },
    /// Words that stand for themselves.
    Paragraph(String),
    /// A list.
    List(Vec<Entry>),
    /// A table.
    Table(Table),
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Words, with what belongs to them.
    Item {
        /// What kind of words they are.
        mark: Mark,
        /// The words.
        text: String,
        /// What belongs to them.
        entries: Vec<Entry>,
    },
    /// Lines as a machine printed them.
    Quote(Vec<String>),
}

/// What kind of words an item has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// They tell something.
    Plain,
    /// They tell what an administrator should know.
    Finding,
    /// They tell of a failure.
    Failure,
    /// They tell what to do about a failure.
    NextStep,
}

/// Rows of cells, each with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its heading, where there are headings.
    pub title: &'static str,
    /// What stands before each of its cells in plain text, which has no headings.
    pub before: &'static str,
    /// How wide its cells are in plain text at least; absent where they are as wide as they are, and left
    /// out where they are empty.
    pub width: Option<usize>,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// A cell for each column.
    pub cells: Vec<String>,
    /// What belongs to it.
    pub entries: Vec<Entry>,
}

impl Outline {
    /// Adds a heading.
    pub fn heading(&mut self, level: u8, text: impl Into<String>) {
        let text = text.into();
        self.blocks.push(Block::Heading { level, text });
    }

    /// Adds words that stand for themselves.
    pub fn paragraph(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Paragraph(text.into()));
    }

    /// Adds a list under a heading; nothing where it is empty.
    pub fn section(&mut self, level: u8, title: &str, entries: Vec<Entry>) {
        if !entries.is_empty() {
            self.heading(level, title);
            self.blocks.push(Block::List(entries));
        }
    }

    /// The same document with these words behind its title.
    #[must_use]
    pub fn with_notices(mut self, notices: &[String]) -> Self {
        if !notices.is_empty() {
            let finding = |notice: &String| Entry::finding(notice.clone());
            let list = Block::List(notices.iter().map(finding).collect());
            let is_title = |block: &Block| matches!(block, Block::Heading { level: 1, .. });
            let place = self.blocks.iter().position(is_title).map_or(0, |at| at + 1);
            self.blocks.insert(place, list);
        }
        self
    }
}

impl Entry {
    /// Words that tell something.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::item(Mark::Plain, text, Vec::new())
    }

    /// What an administrator should know.
    pub fn finding(text: impl Into<String>) -> Self {
        Self::item(Mark::Finding, text, Vec::new())
    }

    /// Words with what belongs to them.
    pub fn item(mark: Mark, text: impl Into<String>, entries: Vec<Self>) -> Self {
        let text = text.into();
        Self::Item {
            mark,
            text,
            entries,
        }
    }

    /// A failure: its cause, what happened, the end of its log, and what to do.
    pub fn failure(failure: &Failure) -> Vec<Self> {
        let words = format!("{}: {}", failure.cause, failure.message);
        let mut entries = vec![Self::item(Mark::Failure, words, Vec::new())];
        if !failure.log_tail.is_empty() {
            entries.push(Self::Quote(failure.log_tail.clone()));
        }
        if let Some(path) = &failure.log_path {
            entries.push(Self::plain(format!("the whole log: {path}")));
        }
        let next = format!("next step: {}", next_step(failure));
        entries.push(Self::item(Mark::NextStep, next, Vec::new()));
        entries
    }

    /// A finding, with its details where they are wanted.
    pub(super) fn of_finding(finding: &Finding, is_whole: bool) -> Self {
        let details = match is_whole && !finding.details.is_empty() {
            true => vec![Self::Quote(finding.details.clone())],
            false => Vec::new(),
        };
        Self::item(Mark::Finding, &finding.text, details)
    }
}

/// Words in which what stands between two backquotes is code; even parts are words, odd ones code. A
/// backquote without another one is a part of the words.
fn code_parts(text: &str) -> Vec<&str> {
    let parts: Vec<&str> = text.split('`').collect();
    match parts.len() % 2 {
        1 => parts,
        _ => vec![text],
    }
}

/// The same text in one line, without control characters: what comes from a machine must make no lines of
/// its own.
fn one_line(text: &str) -> String {
    let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
    harmless(&plain).into_owned()
}

/// `text` without control characters, which would command a terminal; lines and tabs stay.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    let is_harmless = |c: char| c == '\n' || c == '\t' || !c.is_control();
    if text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    let replaced = text
        .chars()
        .map(|c| if is_harmless(c) { c } else { '\u{fffd}' });
    Cow::Owned(replaced.collect())
}
