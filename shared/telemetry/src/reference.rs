//! The reference of all metrics, as a page of Markdown.

use std::fmt::Write as _;

use crate::{Metric, Values};

/// The metrics of one layer.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// What they are about.
    pub title: &'static str,
    /// Who serves them, in a sentence.
    pub served_by: &'static str,
    /// The metrics.
    pub metrics: &'static [&'static Metric],
}

/// A table for each of these sections.
pub fn reference(sections: &[Section]) -> String {
    let mut text = String::new();
    for section in sections {
        // To write into a string cannot fail.
        let _ = write!(
            text,
            "\n## {}\n\n{}\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n",
            section.title, section.served_by
        );
        for metric in section.metrics {
            let labels = metric.labels.iter().map(|label| {
                let values = match label.values {
                    Values::Of(values) => values.join(", "),
                    Values::Named(described) => described.to_owned(),
                };
                format!("`{}`: {values}", label.name)
            });
            let labels: Vec<String> = labels.collect();
            let (name, kind, help) = (metric.name, metric.kind.name(), metric.help);
            let _ = writeln!(
                text,
                "| `{name}` | {kind} | {} | {help} |",
                labels.join("; ")
            );
        }
    }
    text
}
