//! What a machine has for builds: memory and space.

use std::time::Duration;

use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_fleet::needs::Capacity;
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_runtime::ask;
use gentoo_updater_runtime::space::free_kilobytes;

const LOOK: &str = include_str!("capacity.sh");

/// How long it may take to look; a network file system that hangs does not answer at all.
const LIMIT: Duration = Duration::from_secs(60);

/// Asks a machine, which builds in these folders.
///
/// # Errors
/// A failure of the machine, when it cannot be asked or does not know.
pub(crate) async fn ask_machine(
    host: &dyn Host,
    builder: &BuilderName,
    folders: &[String],
) -> Result<Capacity, Failure> {
    let command = Command::shell("capacity", LOOK, folders).timeout(LIMIT);
    let output = ask(host, &command).await?;
    let text = output.stdout_text();
    match read(&text) {
        Some(capacity) if output.status == ExitStatus::Code(0) => Ok(capacity),
        _ => {
            let message = format!(
                "builder {builder} cannot tell how much memory and space it has: {:?}, {:?}",
                text,
                output.stderr_text().trim()
            );
            let class = FailureClass::Machine;
            Err(Failure::new(class, "CapacityUnknown", message))
        }
    }
}

/// The smallest of what was said of each. `None` when one was not said.
fn read(text: &str) -> Option<Capacity> {
    let (mut memory, mut disk): (Option<u64>, Option<u64>) = (None, None);
    let least = |known: Option<u64>, new: u64| Some(known.map_or(new, |known| known.min(new)));
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(kilobytes) = line.strip_prefix("memory ") {
            memory = least(memory, kilobytes.parse::<u64>().ok()? / 1024);
        } else if let Some(bytes) = line.strip_prefix("limit ") {
            // `max` where there is none.
            if let Ok(bytes) = bytes.parse::<u64>() {
                memory = least(memory, bytes / (1024 * 1024));
            }
        } else if line.starts_with("space ") {
            disk = least(disk, free_kilobytes(lines.next()?)? / 1024);
        }
    }
    Some(Capacity {
        memory_megabytes: memory?,
        disk_megabytes: disk?,
    })
}

/// What is told to others: space rounded down to eighths of a power of two, since it is another one each
/// time.
pub(crate) fn rounded(capacity: Capacity) -> Capacity {
    let round = |value: u64| match value.checked_ilog2() {
        Some(power) if power > 3 => value >> (power - 3) << (power - 3),
        _ => value,
    };
    Capacity {
        disk_megabytes: round(capacity.disk_megabytes),
        ..capacity
    }
}

#[cfg(test)]
mod tests {
    use gentoo_updater_hosts::{HostAddress, SshSettings, connect};

    use super::*;

    const fn capacity(memory_megabytes: u64, disk_megabytes: u64) -> Capacity {
        Capacity {
            memory_megabytes,
            disk_megabytes,
        }
    }

    #[test]
    fn a_machine_has_what_its_container_leaves_it_and_the_space_of_its_fullest_folder() {
        let spaces = "space /var/tmp\n/dev/sda1 9000 1 8192000 90% /\n\
                      space /srv\ntmpfs 9000 1 4096000 90% /srv\n";
        let said = |limits: &str| read(&format!("memory 16384000\n{limits}{spaces}"));
        assert_eq!(said(""), Some(capacity(16_000, 4_000)));
        assert_eq!(said("limit max\n"), Some(capacity(16_000, 4_000)));
        assert_eq!(
            said("limit 9223372036854771712\n"),
            Some(capacity(16_000, 4_000))
        );
        assert_eq!(said("limit 2147483648\n"), Some(capacity(2_048, 4_000)));
        assert_eq!(read(spaces), None, "no memory");
        assert_eq!(read("memory 16384000\n"), None, "no space");
        assert_eq!(read("memory 16384000\nspace /srv\n"), None, "cut off");
    }

    #[test]
    fn little_changes_are_not_told() {
        let rounded = |disk| rounded(capacity(15_998, disk));
        assert_eq!(rounded(114_699), capacity(15_998, 114_688));
        assert_eq!(rounded(122_879), capacity(15_998, 114_688));
        assert_eq!(rounded(15), capacity(15_998, 15));
    }

    #[tokio::test]
    async fn this_machine_tells_what_it_has() {
        let local: HostAddress = "local".parse().unwrap();
        let host = connect(&local, &SshSettings::default()).await.unwrap();
        let builder = "fast".parse().unwrap();
        let folders = ["/tmp", "/does/not/exist yet"].map(str::to_owned);
        let capacity = ask_machine(host.as_ref(), &builder, &folders)
            .await
            .unwrap();
        assert!(
            capacity.memory_megabytes > 0 && capacity.disk_megabytes > 0,
            "{capacity:?}"
        );
    }
}
