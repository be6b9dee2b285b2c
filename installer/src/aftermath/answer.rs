//! The answer of `look.sh`, line by line. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// What a machine said of itself after an update.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) pending: Vec<PendingFile>,
    /// Whether there are more such files than were looked at.
    pub(super) more_pending: bool,
    /// The name of the first process.
    pub(super) first: String,
    /// What starts and stops services: `systemd`, `openrc`, or nothing that is known.
    pub(super) manager: Option<String>,
    pub(super) processes: Vec<Process>,
    /// Whether there are more such processes than were looked at.
    pub(super) more_processes: bool,
    /// The processes that asked: the script itself and those above it.
    pub(super) asking: BTreeSet<u32>,
    /// The services of OpenRC, by the pids of their daemons.
    pub(super) daemons: BTreeMap<u32, String>,
    /// The registry of preserved libraries.
    pub(super) registry: String,
    /// Lines of `NEEDED.ELF.2` that name a preserved library, each with its package.
    pub(super) needed: Vec<(String, String)>,
    pub(super) news: Vec<NewsItem>,
    /// The release of the kernel that runs, as `uname -r` tells it.
    pub(super) kernel: String,
    /// The releases that have a folder of modules.
    pub(super) modules: Vec<String>,
    /// The installed packages of `sys-kernel`.
    pub(super) kernel_packages: Vec<String>,
}

/// A `._cfg0000_` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PendingFile {
    pub(super) path: String,
    pub(super) content: Content,
}

/// What is known of the content of a `._cfg0000_` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// The difference from the file that is in place, as `diff -u` prints it, perhaps cut.
    Shown(Vec<String>),
    /// Not everybody may read it.
    Secret,
    /// The file that is in place is gone.
    Gone,
    /// The machine has no diff.
    Unknown,
}

/// A process that runs on deleted files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) name: String,
    /// The number of its terminal; 0 for none.
    pub(super) terminal: i64,
    /// Deleted files that it executes.
    pub(super) files: Vec<String>,
    /// The lines of `/proc/PID/cgroup`.
    pub(super) cgroups: Vec<String>,
    /// Those above it up to the first process, nearest first, with their names.
    pub(super) parents: Vec<(u32, String)>,
}

/// An unread news item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewsItem {
    pub(super) name: String,
    /// Its title; empty where the repository has no such text.
    pub(super) title: String,
}

/// Why an answer is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AnswerError {
    #[error("the answer was cut: its last line is missing")]
    Cut,
    #[error("a line of the answer is not understood: {0:?}")]
    Line(String),
}

/// Reads the whole answer.
///
/// # Errors
/// When the last line is missing, or a line is of no known kind: a list that is silently shorter
/// would say that nothing is to be done.
pub(super) fn parse(text: &str) -> Result<Answer, AnswerError> {
    let mut answer = Answer::default();
    let mut is_whole = false;
    for line in text.lines() {
        let (kind, rest) = line.split_once('\t').ok_or_else(|| wrong(line))?;
        if kind == "end" {
            is_whole = true;
        } else {
            read_line(&mut answer, kind, rest).ok_or_else(|| wrong(line))?;
        }
    }
    is_whole.then_some(answer).ok_or(AnswerError::Cut)
}

fn wrong(line: &str) -> AnswerError {
    AnswerError::Line(line.chars().take(120).collect())
}

/// Nothing when the line does not fit behind those before it.
fn read_line(answer: &mut Answer, kind: &str, rest: &str) -> Option<()> {
    match kind {
        "config" => {
            let (state, path) = rest.split_once('\t')?;
            let content = match state {
                "shown" => Content::Shown(Vec::new()),
                "secret" => Content::Secret,
                "gone" => Content::Gone,
                "unknown" => Content::Unknown,
                _ => return None,
            };
            let path = path.to_owned();
            answer.pending.push(PendingFile { path, content });
        }
        "diff" => match &mut answer.pending.last_mut()?.content {
            Content::Shown(lines) => lines.push(rest.to_owned()),
            _ => return None,
        },
        "first" => answer.first = rest.to_owned(),
        "manager" => answer.manager = Some(rest.to_owned()),
        "process" => {
            let mut fields = rest.splitn(4, '\t');
            let pid = fields.next()?.parse().ok()?;
            let _session: u32 = fields.next()?.parse().ok()?;
            let terminal = fields.next()?.parse().ok()?;
            let name = fields.next()?.to_owned();
            answer.processes.push(Process {
                pid,
                name,
                terminal,
                ..Process::default()
            });
        }
        "file" => answer.processes.last_mut()?.files.push(rest.to_owned()),
        "cgroup" => answer.processes.last_mut()?.cgroups.push(rest.to_owned()),
        "parent" => {
            let (pid, name) = rest.split_once('\t')?;
            let parent = (pid.parse().ok()?, name.to_owned());
            answer.processes.last_mut()?.parents.push(parent);
        }
        "more" => match rest {
            "config" => answer.more_pending = true,
            "process" => answer.more_processes = true,
            _ => return None,
        },
        "asking" => {
            answer.asking.insert(rest.parse().ok()?);
        }
        "daemon" => {
            let (service, pid) = rest.split_once('\t')?;
            // What a daemon wrote there is its own affair.
            if let Ok(pid) = pid.trim().parse() {
                answer.daemons.insert(pid, service.to_owned());
            }
        }
        "registry" => {
            answer.registry.push_str(rest);
            answer.registry.push('\n');
        }
        "needed" => {
            let (package, line) = rest.split_once('\t')?;
            answer.needed.push((package.to_owned(), line.to_owned()));
        }
        "news" => {
            let (name, title) = rest.split_once('\t')?;
            answer.news.push(NewsItem {
                name: name.to_owned(),
                title: title.trim().to_owned(),
            });
        }
        "kernel" => answer.kernel = rest.to_owned(),
        "modules" => answer.modules.push(rest.to_owned()),
        "package" => answer.kernel_packages.push(rest.to_owned()),
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `look.sh` printed it on a guest of the lab.
    const ANSWER: &str = include_str!("../../tests/fixtures/afterwards.txt");

    #[test]
    fn an_answer_is_read_whole() {
        let answer = parse(ANSWER).unwrap();
        let [secret, shown] = answer.pending.as_slice() else {
            panic!("{:#?}", answer.pending);
        };
        assert_eq!(shown.path, "/etc/tinyd/._cfg0000_tinyd.conf");
        let Content::Shown(lines) = &shown.content else {
            panic!("{shown:?}");
        };
        assert!(
            lines.contains(&"+listen = 127.0.0.1:9090".to_owned()),
            "{lines:?}"
        );
        assert_eq!(secret.content, Content::Secret);
        let process = &answer.processes[0];
        assert!(process.files[0].ends_with("libalpha.so.1"), "{process:?}");
        assert_eq!(answer.news[0].title, "Lab news item");
        assert!(!answer.kernel.is_empty() && !answer.asking.is_empty());
    }

    #[test]
    fn what_was_not_looked_at_is_said() {
        let with = |line: &str| parse(&ANSWER.replacen("first\t", &format!("{line}\nfirst\t"), 1));
        assert!(with("more\tconfig").unwrap().more_pending);
        assert!(with("more\tprocess").unwrap().more_processes);
        with("more\tothers").unwrap_err();
    }

    #[test]
    fn an_answer_that_is_cut_anywhere_or_not_understood_is_an_error_and_not_a_shorter_list() {
        let end = ANSWER.trim_end().rfind('\n').unwrap();
        for (cut, _) in ANSWER[..end].match_indices('\n') {
            assert!(parse(&ANSWER[..cut]).is_err(), "cut at {cut}");
        }
        let odd = ANSWER.replace("kernel\t", "colonel\t");
        assert!(matches!(parse(&odd), Err(AnswerError::Line(_))));
        let alone = parse("diff\t+a\nend\t\n");
        assert!(matches!(alone, Err(AnswerError::Line(_))), "{alone:?}");
    }
}
