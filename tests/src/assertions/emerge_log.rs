//! What emerge wrote down about itself.

use crate::fixtures::Lab;

/// One call of emerge that was no question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transaction {
    /// Its arguments.
    pub arguments: String,
    /// What it compiled, in order.
    pub compiled: Vec<String>,
    /// What it finished, binaries that it only packed included.
    pub completed: Vec<String>,
}

/// The calls of emerge on a machine since it was set up. See `emergelog` in Portage's
/// `_emerge/emergelog.py`; with `--pretend` nothing is written.
pub fn transactions(lab: &Lab, machine: &str) -> Vec<Transaction> {
    let text = lab.sh(machine, "cat /var/log/emerge.log 2>/dev/null || :");
    let mut transactions: Vec<Transaction> = Vec::new();
    for line in text.lines() {
        let Some((_, words)) = line.split_once(": ") else {
            continue;
        };
        let words = words.trim();
        if words.starts_with("Started emerge on") {
            transactions.push(Transaction::default());
        }
        let Some(current) = transactions.last_mut() else {
            continue;
        };
        if let Some(arguments) = words.strip_prefix("*** emerge") {
            current.arguments = arguments.trim().to_owned();
        } else if let Some((_, rest)) = words.split_once("Compiling/") {
            let package = rest.split_once('(').map(|(_, package)| package);
            let cpv = package.and_then(|package| package.split("::").next());
            current.compiled.extend(cpv.map(str::to_owned));
        } else if let Some(rest) = words.strip_prefix("::: completed emerge (") {
            let package = rest.split_once(") ").map(|(_, package)| package);
            let cpv = package.and_then(|package| package.split(' ').next());
            current.completed.extend(cpv.map(str::to_owned));
        }
    }
    transactions
}
