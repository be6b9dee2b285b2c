//! The runs after which a machine was not cleaned.

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::RunId;
use gentoo_updater_hosts::{Command, ExitStatus, Host};

use crate::machines::ask;
use crate::vdb::RUNS;

/// Says that the machine was cleaned after a run, in the folder of the run.
pub(crate) const CLEANED: &str = "cleaned";

/// Prints the runs of which a list from before their builds is there, but for those after which the
/// machine was cleaned; the run `$2` in any case. `lost` comes first where `$2` has built and its list is
/// not there.
const LOOK: &str = r#"
cd "$1" 2> /dev/null || exit 0
if [ -d "$2/builds" ] && ! [ -s "$2/before-builder" ]; then echo lost; fi
for list in */before-builder; do
    run=${list%/*}
    [ -s "$list" ] || continue
    if [ "$run" = "$2" ] || ! [ -e "$run/$3" ]; then echo "$run"; fi
done
"#;

const NOTE: &str = r#"
set -e
cd "$1"
name=$2
shift 2
for run; do : > "$run/$name"; done
"#;

/// The runs that built on the machine itself and are to be cleaned up after when this one is: itself, and
/// those before it whose cleaning failed for good. The oldest first.
///
/// # Errors
/// When the machine cannot be asked, or this run has built there and nobody knows any more what was
/// installed before.
pub(super) async fn runs(host: &dyn Host, run: RunId) -> Result<Vec<RunId>, Failure> {
    let parameters = [RUNS.to_owned(), run.to_string(), CLEANED.to_owned()];
    let output = ask(host, &Command::shell("uncleaned", LOOK, parameters)).await?;
    let text = output.stdout_text();
    if text.lines().next() == Some("lost") {
        let message = format!(
            "builds were made on the machine itself, and the list of what was installed before \
             them, {RUNS}/{run}/before-builder, is gone: nothing is removed; \
             {RUNS}/{run}/builds/*/emerge.log say what they installed, for emerge --depclean"
        );
        let class = FailureClass::Permanent;
        return Err(Failure::new(class, "BeforeBuildsLost", message));
    }
    Ok(up_to(run, &text))
}

/// The runs of these lines that began no later than this one. One run is worked on at a time, and ids of
/// runs sort by their time: what is older is over. What is being removed has another name than a run.
fn up_to(run: RunId, lines: &str) -> Vec<RunId> {
    let found = lines.lines().filter_map(|line| line.parse().ok());
    let mut runs: Vec<RunId> = found.filter(|found| *found <= run).collect();
    runs.sort();
    runs
}

/// Notes that the machine was cleaned after these runs.
///
/// # Errors
/// When the machine cannot be asked or written to.
pub async fn note_cleaned(host: &dyn Host, runs: &[RunId]) -> Result<(), Failure> {
    let words = [RUNS.to_owned(), CLEANED.to_owned()].into_iter();
    let words = words.chain(runs.iter().map(ToString::to_string));
    let output = ask(host, &Command::shell("note-cleaned", NOTE, words)).await?;
    if output.status == ExitStatus::Code(0) {
        return Ok(());
    }
    let said = output.stderr_text();
    let message = format!("the machine cannot be written to: {}", said.trim());
    let class = FailureClass::Machine;
    Err(Failure::new(class, "MachineUnwritable", message))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_run_takes_over_what_older_ones_left_and_nothing_of_newer_ones() {
        let [old, run, newer] = [1, 2, 3].map(|number| {
            let text = format!("01900000-0000-7000-8000-00000000000{number}");
            text.parse::<RunId>().unwrap()
        });
        let text = format!("{newer}\n{run}\n{old}.left\n{old}\nof-somebody\n");
        assert_eq!(up_to(run, &text), [old, run]);
    }

    #[test]
    fn a_run_counts_until_it_was_cleaned_and_one_without_its_list_is_lost() {
        let folder = tempfile::TempDir::new().unwrap();
        let leave = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for run in ["a", "b", "c"] {
            leave(&format!("{run}/before-builder"), "a/old-1 - -\n");
        }
        leave("d/ordered", "a/b-1\n");
        let run = |script: &str, words: &[&str]| {
            let mut shell = std::process::Command::new("sh");
            shell.args(["-c", script, "sh"]).arg(folder.path());
            let output = shell.args(words).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        run(NOTE, &[CLEANED, "a", "c"]);
        assert_eq!(run(LOOK, &["c", CLEANED]), "b\nc\n");
        assert_eq!(run(LOOK, &["d", CLEANED]), "b\n");
        leave("e/builds/one.1/before", "");
        assert_eq!(run(LOOK, &["e", CLEANED]), "lost\nb\n");
    }
}
