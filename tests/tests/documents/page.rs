//! A page of the book as what a reader does with it, one step a block of code.
//!
//! The first word behind the fence is the language, as everywhere. Behind it, separated by commas,
//! stands what a test has to know:
//!
//! | block | meaning |
//! |---|---|
//! | `sh` | run on the controller, as root |
//! | `sh,on=web` | run on that machine |
//! | `sh,exit=1` | ends with this code, and not with 0 |
//! | `sh,answer=yes` | asks for this on a terminal |
//! | `sh,stays` | goes on beside the others, as a worker does |
//! | `sh,until` | typed again and again until it prints what the next block shows |
//! | `sh,by=FILE` | run by this file of the project, in which all its lines stand |
//! | `toml,file=/etc/x` | the whole content of that file on the controller; `ini` and others likewise |
//! | `toml,add=/etc/x` | is added to that file |
//! | `toml,example` | a part of a configuration, which is one beside a minimal fleet |
//! | `output` | what the block before prints: `…` is any text in a line, a line of it alone any lines |
//!
//! Blocks of other languages are to be looked at, and hold no commands.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

/// What a reader does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Types commands.
    Run(Run),
    /// Writes a file on the controller.
    Write {
        path: String,
        content: String,
        add: bool,
    },
    /// Compares what the last commands printed.
    Compare(String),
    /// Takes a part of a configuration over.
    Example(String),
    /// Types what another test of the project runs.
    Elsewhere { file: String, commands: String },
}

/// Commands, and how they are run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Run {
    pub(crate) commands: String,
    pub(crate) on: Option<String>,
    pub(crate) exit: i32,
    pub(crate) answer: Option<String>,
    pub(crate) stays: bool,
    pub(crate) until: bool,
}

/// The steps of a page, in their order.
///
/// # Panics
/// When a block says something that is none of the words above: nobody would run it.
pub(crate) fn steps(markdown: &str) -> Vec<Step> {
    let blocks = blocks(markdown).into_iter();
    blocks
        .filter_map(|(info, content)| step(&info, content))
        .collect()
}

/// Blocks of code with what stands behind their fences: nothing where a block is only indented.
fn blocks(markdown: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut inside: Option<(String, String)> = None;
    for event in Parser::new(markdown) {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                let info = match kind {
                    CodeBlockKind::Fenced(info) => info.to_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                inside = Some((info, String::new()));
            }
            Event::Text(text) => {
                if let Some((_, content)) = &mut inside {
                    content.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => {
                blocks.push(inside.take().expect("a block that ends has begun"));
            }
            _ => {}
        }
    }
    blocks
}

/// Languages of blocks that nobody types.
const LOOKED_AT: [&str; 6] = ["text", "output", "ini", "json", "mermaid", "toml"];

/// What a page shows as code that no test could run or judge.
pub(crate) fn escapes(markdown: &str) -> Vec<String> {
    let mut escaping = Vec::new();
    for (info, content) in blocks(markdown) {
        let language = info.split(',').next().unwrap_or_default();
        let mut lines = content.lines().map(str::trim_start);
        if language == "sh" {
            continue;
        } else if !LOOKED_AT.contains(&language) {
            escaping.push(format!("a block of the language {language:?}:\n{content}"));
        } else if lines.any(|line| line.starts_with("$ ") || line.starts_with("gentoo-updater ")) {
            escaping.push(format!("a command in a block of {language}:\n{content}"));
        // What is included is a file of its own.
        } else if info == "toml" && !content.starts_with("{{#include") {
            escaping.push(format!("a configuration that is not judged:\n{content}"));
        }
    }
    escaping
}

fn step(info: &str, content: String) -> Option<Step> {
    let mut words = info.split(',').map(str::trim);
    let language = words.next().unwrap_or_default();
    let words: Vec<(&str, &str)> = words
        .map(|word| word.split_once('=').unwrap_or((word, "")))
        .collect();
    match language {
        "output" => Some(Step::Compare(content)),
        "sh" => Some(commands(&words, content)),
        "toml" if words == [("example", "")] => Some(Step::Example(content)),
        _ => words.first().map(|(word, path)| {
            assert!(
                matches!(*word, "file" | "add") && path.starts_with('/'),
                "```{info}: a file is file=/PATH or add=/PATH"
            );
            Step::Write {
                path: (*path).to_owned(),
                content,
                add: *word == "add",
            }
        }),
    }
}

fn commands(words: &[(&str, &str)], commands: String) -> Step {
    let mut run = Run {
        commands,
        ..Run::default()
    };
    for (word, value) in words {
        match *word {
            "by" => {
                return Step::Elsewhere {
                    file: (*value).to_owned(),
                    commands: run.commands,
                };
            }
            "on" => run.on = Some((*value).to_owned()),
            "exit" => run.exit = value.parse().expect("exit= wants a number"),
            "answer" => run.answer = Some((*value).to_owned()),
            "stays" => run.stays = true,
            "until" => run.until = true,
            other => panic!("```sh,{other}: no such word"),
        }
    }
    Step::Run(run)
}

/// Whether `printed` is what the page shows. Nothing is compared that `…` stands for.
pub(crate) fn is_as_shown(shown: &str, printed: &str) -> bool {
    let shown: Vec<&str> = shown.trim_end().lines().collect();
    let printed: Vec<&str> = printed.trim_end().lines().map(str::trim_end).collect();
    lines_match(&shown, &printed)
}

fn lines_match(shown: &[&str], printed: &[&str]) -> bool {
    match shown {
        [] => printed.is_empty(),
        [any, rest @ ..] if any.trim() == "…" => {
            (0..=printed.len()).any(|skipped| lines_match(rest, &printed[skipped..]))
        }
        [line, rest @ ..] => printed.split_first().is_some_and(|(first, others)| {
            line_matches(line.trim_end(), first) && lines_match(rest, others)
        }),
    }
}

fn line_matches(shown: &str, printed: &str) -> bool {
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = printed.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn a_block_says_how_it_is_run() {
    let page = "text\n\n```sh\none\n```\n\n```sh,on=web,exit=1\ntwo\n```\n\n```toml,file=/etc/x\na = 1\n```\n\n\
                ```output\nx\n```\n\n```sh,by=tests/demo.sh\nmake demo\n```\n\n```text\nlook\n```\n";
    let of = |commands: &str| Run {
        commands: commands.to_owned(),
        ..Run::default()
    };
    assert_eq!(
        steps(page),
        [
            Step::Run(of("one\n")),
            Step::Run(Run {
                on: Some("web".to_owned()),
                exit: 1,
                ..of("two\n")
            }),
            Step::Write {
                path: "/etc/x".to_owned(),
                content: "a = 1\n".to_owned(),
                add: false
            },
            Step::Compare("x\n".to_owned()),
            Step::Elsewhere {
                file: "tests/demo.sh".to_owned(),
                commands: "make demo\n".to_owned()
            },
        ]
    );
}

#[test]
fn whatever_could_be_typed_is_in_a_block_that_is_run() {
    for (page, escaping) in [
        ("    gentoo-updater run\n", 1),
        ("```\ngentoo-updater run\n```\n", 1),
        ("```bash\nls\n```\n", 1),
        ("```text\nIt prints\n  $ gentoo-updater run\n```\n", 1),
        ("```text\ngentoo-updater run\n```\n", 1),
        ("```toml\na = 1\n```\n", 1),
        (
            "```toml,example\na = 1\n```\n```sh\nls\n```\n```text\nx\n```\n",
            0,
        ),
    ] {
        assert_eq!(escapes(page).len(), escaping, "{page}");
    }
}

#[test]
fn what_is_shown_may_leave_out_what_differs_each_time_and_nothing_else() {
    let shown = "Run …: complete after … s\n…\n  web: updated, 12 packages\n";
    assert!(is_as_shown(
        shown,
        "Run 8ae: complete after 5.1 s\n\nGuests\n  web: updated, 12 packages\n"
    ));
    assert!(!is_as_shown(
        shown,
        "Run 8ae: complete after 5.1 s\n  web: updated, 11 packages\n"
    ));
    assert!(!is_as_shown(
        shown,
        "Run 8ae: failed after 5.1 s\n  web: updated, 12 packages\n"
    ));
    assert!(is_as_shown("a…c", "abc") && is_as_shown("a…c", "ac") && !is_as_shown("a…c", "abcd"));
    assert!(
        !is_as_shown("one", "one\ntwo"),
        "a line more is a difference"
    );
}
