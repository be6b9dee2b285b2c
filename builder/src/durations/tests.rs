use std::fmt::Write as _;

use gentoo_updater_fleet::message::{DurationsLearned, Envelope, Event};
use gentoo_updater_hosts::{HostAddress, SshSettings, connect};
use jiff::Timestamp;
use tempfile::TempDir;

use super::*;

/// That of a builder on which emerge compiled, packed, put binaries in, failed and was killed.
const LOG: &str = include_str!("../../../shared/portage/tests/fixtures/emerge_log/builder.log");

fn package(name: &str) -> CategoryPackage {
    name.parse().unwrap()
}

/// One merge of a package that was compiled for so many seconds, from this time on.
fn merge(time: u64, cpv: &str, seconds: u64) -> String {
    let ebuild = format!("({cpv}::/var/db/repos/gentoo/{cpv}.ebuild)");
    let merging = time + seconds;
    format!(
        "{time}:  >>> emerge (1 of 1) {cpv} to /\n\
         {time}:  === (1 of 1) Cleaning {ebuild}\n\
         {time}:  === (1 of 1) Compiling/Merging {ebuild}\n\
         {merging}:  === (1 of 1) Merging {ebuild}\n\
         {merging}:  ::: completed emerge (1 of 1) {cpv} to /\n"
    )
}

#[test]
fn the_log_of_a_real_builder_tells_how_long_each_package_was_compiled() {
    let told = told_by(LOG.as_bytes(), false);
    assert!(told.foreign.is_none(), "{:?}", told.foreign);
    // By hand, from "Compiling/Merging" to "Merging", the middle one of the newest five.
    let seconds = [
        ("app-misc/bigdata", 35),
        ("app-misc/downgraded", 28),
        ("app-misc/greeter", 6),
        ("app-misc/hello", 8),
        ("app-misc/newdep", 31),
        ("app-misc/rebuildme", 31),
        ("app-misc/slowpoke", 24),
        ("dev-libs/libalpha", 31),
        ("dev-libs/libbeta", 8),
        ("dev-libs/libgamma", 11),
        ("dev-libs/slotted", 32),
        ("dev-libs/tinyhdr", 28),
        ("dev-util/labgen", 28),
        ("sys-apps/labbase", 25),
        ("www-servers/tinyd", 9),
    ];
    let expected = seconds.map(|(name, seconds)| (package(name), seconds * 1000));
    assert_eq!(told.durations, expected.into());
}

#[test]
fn a_binary_that_was_merged_and_a_build_that_failed_or_was_packed_only_tell_nothing() {
    let log = "\
1000: Started emerge on: Nov 23, 2026 07:38:49
1000:  >>> emerge (1 of 3) a/binary-1 to /
1000:  --- (1 of 3) Fetching Binary (a/binary-1::/var/cache/binpkgs/a/binary/binary-1-1.gpkg.tar)
1100:  === (1 of 3) Merging Binary (a/binary-1::/var/cache/binpkgs/a/binary/binary-1-1.gpkg.tar)
1200:  ::: completed emerge (1 of 3) a/binary-1 to /
1200:  >>> emerge (2 of 3) a/packed-1 to /
1200:  === (2 of 3) Compiling/Packaging (a/packed-1::/r/a/packed/packed-1.ebuild)
1300:  >>> emerge (3 of 3) a/failed-1 to /
1300:  === (3 of 3) Compiling/Merging (a/failed-1::/r/a/failed/failed-1.ebuild)
1400:  *** Finished. Cleaning up...
1400:  *** exiting unsuccessfully with status '1'.
1400:  *** terminating.
";
    let told = told_by(log.as_bytes(), false);
    assert!(told.foreign.is_none(), "{:?}", told.foreign);
    assert_eq!(told.durations, Durations::new());
}

#[test]
fn a_log_may_be_cut_at_both_ends_and_hold_foreign_lines() {
    let mut log = String::from("05:  ::: completed emerge (1 of 1) a/cut-1 to /\n");
    log += &merge(1000, "a/whole-1", 60);
    log += "a line of somebody else\n";
    log += &merge(2000, "a/other-1", 30);
    log += "2100:  >>> emerge (1 of 1) a/ne";
    let told = told_by(log.as_bytes(), true);
    let known = [(package("a/other"), 30_000), (package("a/whole"), 60_000)];
    assert_eq!(told.durations, known.into());
    let (lines, first) = told.foreign.unwrap();
    assert_eq!(lines, 1);
    assert!(first.to_string().contains("somebody else"), "{first}");
}

#[test]
fn clocks_that_were_put_make_no_durations_and_no_build_lasts_no_time() {
    let log = [
        merge(100, "a/leap-1", 1_700_000_000),
        merge(1000, "a/quick-1", 0),
        merge(500, "a/fine-1", 20),
    ];
    let told = told_by(log.concat().as_bytes(), false);
    let known = [(package("a/fine"), 20_000), (package("a/quick"), 500)];
    assert_eq!(told.durations, known.into());
}

#[test]
fn of_more_packages_than_a_message_may_hold_those_that_took_longest_are_told() {
    let mut log = String::new();
    // As long as names of packages get in the tree.
    let name =
        |number: usize| format!("gnustep-libs/a-name-of-forty-five-characters-{number:05}-xyz");
    for number in 0..MOST + 500 {
        let time = 1_700_000_000 + number * 10_000;
        let merge = merge(time as u64, &format!("{}-1", name(number)), number as u64);
        log.write_str(&merge).unwrap();
    }
    let told = told_by(log.as_bytes(), false).durations;
    assert_eq!(told.len(), MOST);
    assert_eq!(told.values().min(), Some(&500_000), "the 500 shortest went");
    let event = Event::DurationsLearned(DurationsLearned {
        builder: "fast".parse().unwrap(),
        durations: told,
    });
    let sender = "builder@fast".parse().unwrap();
    let message = Envelope::new(sender, Timestamp::UNIX_EPOCH, event);
    let size = message.encode().unwrap().len();
    assert!(size < 512 * 1024, "{size} bytes");
}

/// What a worker learns on this machine from the log in a folder.
async fn learnt(folder: &Path) -> (Durations, Result<usize, String>) {
    let local: HostAddress = "local".parse().unwrap();
    let host = connect(&local, &SshSettings::default()).await.unwrap();
    let builder = "fast".parse().unwrap();
    let read = end_of_log(host.as_ref(), folder).await;
    let read = read.map(|end| end.len()).map_err(|failure| failure.message);
    (learn(host.as_ref(), &builder, folder).await, read)
}

#[tokio::test]
async fn of_a_large_log_the_end_is_read_and_no_more() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("emerge.log");
    let mut log = merge(1000, "a/old-1", 60);
    let filler = "1100:  *** terminating.\n";
    log += &filler.repeat(TAIL / filler.len() + 1);
    log += &merge(2000, "a/new-1", 30);
    std::fs::write(&path, &log).unwrap();
    let (durations, read) = learnt(folder.path()).await;
    assert_eq!(read, Ok(TAIL));
    assert_eq!(durations, [(package("a/new"), 30_000)].into());
}

#[tokio::test]
async fn a_log_that_is_not_there_or_no_file_is_told_and_teaches_nothing() {
    let folder = TempDir::new().unwrap();
    let (durations, read) = learnt(folder.path()).await;
    assert_eq!(durations, Durations::new());
    assert!(
        read.clone().unwrap_err().contains("is not there"),
        "{read:?}"
    );
    // A folder, and what would never end.
    let path = folder.path().join("emerge.log");
    std::fs::create_dir(&path).unwrap();
    let (durations, read) = learnt(folder.path()).await;
    assert_eq!(durations, Durations::new());
    assert!(read.clone().unwrap_err().contains("is no file"), "{read:?}");
    std::fs::remove_dir(&path).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    let (durations, read) = learnt(folder.path()).await;
    assert_eq!(durations, Durations::new());
    assert!(read.clone().unwrap_err().contains("is no file"), "{read:?}");
}
