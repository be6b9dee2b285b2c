//! `parse depend`: what a dependency string needs.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use gentoo_updater_portage::atom::Atom;
use gentoo_updater_portage::dependency::{self, Dependency, Evaluation, GroupKind, Node, Reduced};
use gentoo_updater_portage::name::UseFlag;
use gentoo_updater_portage::text::excerpt;
use serde::Serialize;

use super::arguments::DependOptions;
use super::{NotUnderstood, input};
use crate::WrongUsage;
use crate::output;

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct DependDocument<'a> {
    /// The string as this program writes it.
    dependency: &'a Dependency,
    /// The string as a tree.
    nodes: Vec<NodeDocument<'a>>,
    /// The flags of `--use` that are enabled; `null` without that option.
    #[serde(rename = "use")]
    flags: Option<&'a BTreeSet<UseFlag>>,
    /// The string without its conditions, as they are with these flags; `null` without `--use`.
    reduced: Option<String>,
    /// The packages that the string reaches with these flags, in all branches of `||` and its kin;
    /// `null` without `--use`.
    packages: Option<Vec<&'a Atom>>,
    /// The blockers that it reaches with these flags; `null` without `--use`.
    blockers: Option<Vec<&'a Atom>>,
}

/// One part of the tree.
#[derive(Debug, Serialize)]
struct NodeDocument<'a> {
    /// `atom`, `all`, `any_of`, `exactly_one_of`, `at_most_one_of`, `if_enabled` or `if_disabled`.
    kind: &'static str,
    /// The atom, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    atom: Option<&'a Atom>,
    /// The flag of a condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    flag: Option<&'a UseFlag>,
    /// What is in the brackets.
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<Vec<Self>>,
}

/// Reads a dependency string by PMS 8.2.
pub(super) fn depend(options: &DependOptions) -> anyhow::Result<()> {
    let enabled = options.flags.as_deref().map(enabled_flags).transpose()?;
    let (name, text) = source(&options.text)?;
    let dependency: Dependency = text.parse().map_err(|error| {
        let error: gentoo_updater_portage::dependency::DependencyError = error;
        let (number, line) = line_of_word(&text, error.word);
        NotUnderstood(format!("{name}: line {number}: {error}: {line:?}"))
    })?;
    let is_enabled = |flag: &UseFlag| enabled.as_ref().is_some_and(|flags| flags.contains(flag));
    let evaluation = Evaluation::with_flags(&is_enabled);
    let reduced = enabled.as_ref().map(|_| dependency.reduce(&evaluation));
    if options.json {
        return output::print_json(&DependDocument {
            dependency: &dependency,
            nodes: dependency.nodes().iter().map(node_document).collect(),
            flags: enabled.as_ref(),
            reduced: reduced.as_deref().map(Reduced::text_of),
            packages: enabled.as_ref().map(|_| dependency.atoms(is_enabled)),
            blockers: enabled.as_ref().map(|_| dependency.blockers(is_enabled)),
        });
    }
    output::print(|output| match reduced {
        Some(parts) => write_reduced(output, &parts, 0),
        None => write_tree(output, dependency.nodes(), 0),
    })
}

/// The flags that `--use` enables. A flag with a hyphen is disabled, as those are that are not named.
fn enabled_flags(words: &[String]) -> Result<BTreeSet<UseFlag>, WrongUsage> {
    let mut enabled = BTreeSet::new();
    for word in words.iter().flat_map(|word| word.split_ascii_whitespace()) {
        let (flag, is_enabled) = match word.strip_prefix('-') {
            Some(flag) => (flag, false),
            None => (word, true),
        };
        let flag: UseFlag = flag
            .parse()
            .map_err(|error| WrongUsage(format!("--use: {error}")))?;
        // The last word on a flag counts, as in make.conf.
        if is_enabled {
            enabled.insert(flag);
        } else {
            enabled.remove(&flag);
        }
    }
    Ok(enabled)
}

/// The text, and how to call it. An argument that is a file is read; any other is the string itself,
/// unless it begins as no dependency string does, but a path.
fn source(argument: &str) -> anyhow::Result<(String, String)> {
    let path = Path::new(argument);
    let looks_like_path = ["/", "./", "../"]
        .iter()
        .any(|start| argument.starts_with(start));
    if input::is_standard_input(path) || looks_like_path || path.is_file() {
        return Ok((input::name(path), input::text(path)?));
    }
    Ok(("the argument".to_owned(), argument.to_owned()))
}

/// The number of the line that holds a word, both from 1, and the line. Beyond the last word it is
/// the last line.
fn line_of_word(text: &str, word: usize) -> (usize, String) {
    let mut words = 0;
    let mut last = (1, "");
    for (index, line) in text.lines().enumerate() {
        words += dependency::words(line).count();
        last = (index + 1, line);
        if words >= word {
            break;
        }
    }
    (last.0, excerpt(last.1))
}

/// The name of a group, the words that begin it, and the flag of a condition.
fn group(kind: &GroupKind) -> (&'static str, String, Option<&UseFlag>) {
    match kind {
        GroupKind::All => ("all", String::new(), None),
        GroupKind::AnyOf => ("any_of", "|| ".to_owned(), None),
        GroupKind::ExactlyOneOf => ("exactly_one_of", "^^ ".to_owned(), None),
        GroupKind::AtMostOneOf => ("at_most_one_of", "?? ".to_owned(), None),
        GroupKind::IfEnabled(flag) => ("if_enabled", format!("{flag}? "), Some(flag)),
        GroupKind::IfDisabled(flag) => ("if_disabled", format!("!{flag}? "), Some(flag)),
    }
}

/// Recursion is bounded by the reader's limit of depth.
fn node_document(node: &Node<Atom>) -> NodeDocument<'_> {
    match node {
        Node::Leaf(atom) => NodeDocument {
            kind: "atom",
            atom: Some(atom),
            flag: None,
            nodes: None,
        },
        Node::Group(kind, nodes) => {
            let (kind, _, flag) = group(kind);
            NodeDocument {
                kind,
                atom: None,
                flag,
                nodes: Some(nodes.iter().map(node_document).collect()),
            }
        }
    }
}

/// One line an atom and a bracket, indented by depth.
fn write_tree(output: &mut dyn io::Write, nodes: &[Node<Atom>], depth: usize) -> io::Result<()> {
    let indent = "    ".repeat(depth);
    for node in nodes {
        match node {
            Node::Leaf(atom) => writeln!(output, "{indent}{atom}")?,
            Node::Group(kind, nodes) => {
                let (_, start, _) = group(kind);
                writeln!(output, "{indent}{start}(")?;
                write_tree(output, nodes, depth + 1)?;
                writeln!(output, "{indent})")?;
            }
        }
    }
    Ok(())
}

/// As [`write_tree`], for what is left of a string whose conditions are decided.
fn write_reduced(
    output: &mut dyn io::Write,
    parts: &[Reduced<Atom>],
    depth: usize,
) -> io::Result<()> {
    let indent = "    ".repeat(depth);
    for part in parts {
        let (kind, parts) = match part {
            Reduced::Leaf(_) | Reduced::Never => {
                writeln!(output, "{indent}{part}")?;
                continue;
            }
            Reduced::All(parts) => (GroupKind::All, parts),
            Reduced::AnyOf(parts) => (GroupKind::AnyOf, parts),
            Reduced::ExactlyOneOf(parts) => (GroupKind::ExactlyOneOf, parts),
            Reduced::AtMostOneOf(parts) => (GroupKind::AtMostOneOf, parts),
        };
        let (_, start, _) = group(&kind);
        writeln!(output, "{indent}{start}(")?;
        write_reduced(output, parts, depth + 1)?;
        writeln!(output, "{indent})")?;
    }
    Ok(())
}
