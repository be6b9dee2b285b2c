//! What was restarted for an update, kept on the machine: the way back restarts it once more.

use std::collections::BTreeMap;
use std::path::Path;

use gentoo_updater_fleet::message::{Failure, Finding, FindingKind};
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_runtime::ask;

use super::services::is_service_name;
use super::{LIMIT, Restarts, unclear};

/// Adds lines to a file: $1 file, the others are the lines.
const KEEP: &str = r#"
set -eu
file=$1
shift
mkdir -p -m 700 "${file%/*}"
printf '%s\n' "$@" >>"$file"
sync "$file"
"#;

/// Behind the name of a service that ran after its restart.
const CAME_UP: &str = " came-up";

/// The services that were restarted, and whether each ran after that.
pub(super) type Kept = BTreeMap<String, bool>;

/// Notes what is restarted, before it is; tells where that cannot be done.
///
/// # Errors
/// When the machine cannot be asked.
pub(super) async fn note(
    host: &dyn Host,
    restarts: &Restarts<'_>,
    names: &[String],
) -> Result<Option<Finding>, Failure> {
    let Some(lost) = add(host, restarts, names.to_vec()).await? else {
        return Ok(None);
    };
    let text = format!(
        "a rollback of this update will not restart {} by itself, since that cannot be noted: {lost}",
        names.join(", "),
    );
    Ok(Some(Finding::new(FindingKind::Other, &text)))
}

/// Notes which of them ran after that. Where it cannot be done they count as those that did not: the way
/// back starts them, and what it starts runs.
///
/// # Errors
/// When the machine cannot be asked.
pub(super) async fn note_up(
    host: &dyn Host,
    restarts: &Restarts<'_>,
    names: impl Iterator<Item = &str>,
) -> Result<(), Failure> {
    let lines = names.map(|name| format!("{name}{CAME_UP}")).collect();
    if let Some(lost) = add(host, restarts, lines).await? {
        tracing::warn!("which services came up again cannot be noted: {lost}");
    }
    Ok(())
}

/// Adds lines to the file, and says why that was not to be done.
async fn add(
    host: &dyn Host,
    restarts: &Restarts<'_>,
    lines: Vec<String>,
) -> Result<Option<String>, Failure> {
    let Some(file) = restarts.kept_in.as_ref().filter(|_| !lines.is_empty()) else {
        return Ok(None);
    };
    let parameters: Vec<String> = std::iter::once(text(file)).chain(lines).collect();
    let added = ask(
        host,
        &Command::shell("keep", KEEP, parameters).timeout(LIMIT),
    )
    .await?;
    Ok((added.status != ExitStatus::Code(0)).then(|| added.stderr_text().trim().to_owned()))
}

/// What was restarted before, on the way back.
///
/// # Errors
/// When the machine cannot be asked, or the file cannot be read.
pub(super) async fn of(host: &dyn Host, restarts: &Restarts<'_>) -> Result<Kept, Failure> {
    let Some(file) = restarts.kept_in.as_ref().filter(|_| restarts.once_more) else {
        return Ok(Kept::new());
    };
    let read = r#"[ ! -e "$1" ] || cat "$1""#;
    let kept = ask(host, &Command::shell("kept", read, [text(file)])).await?;
    match kept.status {
        ExitStatus::Code(0) => Ok(parse(&kept.stdout_text())),
        _ => Err(unclear(kept.stderr_text().trim())),
    }
}

fn parse(text: &str) -> Kept {
    let mut kept = Kept::new();
    for line in text.lines() {
        let (name, came_up) = match line.strip_suffix(CAME_UP) {
            Some(name) => (name, true),
            None => (line, false),
        };
        // The last restart counts. A line that was cut off names nothing, or no service.
        if is_service_name(name) {
            kept.insert(name.to_owned(), came_up);
        }
    }
    kept
}

fn text(file: &Path) -> String {
    file.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_restart_of_a_service_says_whether_it_came_up() {
        let text = "web\ndb\nweb came-up\ndb came-up\ndb\n../x\n-r came-up\n";
        let expected = [("db".to_owned(), false), ("web".to_owned(), true)];
        assert_eq!(parse(text), Kept::from(expected));
    }
}
