//! Emerge by itself: what a bench compares with.

use gentoo_updater_hosts::Command;
use gentoo_updater_tests::fixtures::Lab;

/// Runs a command into a log as the detached job does, and prints its exit code, begin and end.
const TIMED: &str = r#"
begin=$EPOCHREALTIME
"$@" </dev/null >/tmp/emerge.log 2>&1
echo "$? $begin $EPOCHREALTIME"
"#;

/// Seconds that a call of emerge takes on a machine, told there.
///
/// # Panics
/// When it fails.
pub(crate) fn seconds(lab: &Lab, machine: &str, command: &Command) -> f64 {
    let mut argv = vec!["bash", "-c", TIMED, "timed"];
    argv.extend(command.argv.iter().map(String::as_str));
    let said = lab.exec(machine, &argv);
    let words: Vec<&str> = said.stdout.split_whitespace().collect();
    let ["0", begin, end] = words[..] else {
        panic!("emerge failed on {machine}: {said:?}");
    };
    let moment = |text: &str| text.parse::<f64>().expect("seconds since 1970");
    moment(end) - moment(begin)
}
