//! Links of README and book.

use std::collections::BTreeSet;
use std::path::Path;

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use crate::{book, project, text_of};

/// The anchors of a page's headings, as GitHub and mdBook make them.
fn anchors(markdown: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in Parser::new(markdown) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                anchors.extend(heading.take().map(|heading| anchor(&heading)));
            }
            _ => {}
        }
    }
    anchors
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        letter if letter.is_alphanumeric() => Some(letter.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

/// The targets of a page's links and pictures, and what it includes.
fn targets(markdown: &str) -> Vec<String> {
    let linked = Parser::new(markdown).filter_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            Some(dest_url.to_string())
        }
        _ => None,
    });
    let included = markdown.match_indices("{{#include ").map(|(at, word)| {
        let rest = &markdown[at + word.len()..];
        rest.split(['}', ':']).next().unwrap_or_default().to_owned()
    });
    linked.chain(included).collect()
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let mut pages = book();
    assert!(pages.len() > 5, "a book has pages");
    pages.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(str::to_owned));
    let mut wrong = Vec::new();
    for page in pages {
        let path = project().join(&page);
        let text = text_of(&path);
        for target in targets(&text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, fragment) = target.split_once('#').unwrap_or((&target, ""));
            let led = match file {
                "" => path.clone(),
                file => path.parent().unwrap_or(Path::new("")).join(file),
            };
            if !led.exists() {
                wrong.push(format!("{page}: {target}: there is no such file"));
            } else if !fragment.is_empty() && !anchors(&text_of(&led)).contains(fragment) {
                wrong.push(format!("{page}: {target}: there is no such heading"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_page_of_the_book_is_in_its_table_of_contents() {
    let summary = text_of(&project().join("docs/SUMMARY.md"));
    let listed: BTreeSet<String> = targets(&summary)
        .into_iter()
        .map(|target| format!("docs/{}", target.trim_start_matches("./")))
        .collect();
    let there: BTreeSet<String> = book()
        .into_iter()
        .filter(|page| page != "docs/SUMMARY.md")
        .collect();
    assert_eq!(listed, there, "the table of contents (left), and the pages");
}
