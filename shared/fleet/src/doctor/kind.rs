//! The kinds of findings: what each is called, how much it weighs, and why it matters.
//!
//! The codes are what programs go by: a kind may be added and not be renamed. The table in
//! `docs/reference/doctor.md` is made of these.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::{Area, Severity};

/// Declares the kinds: code, area (`Machines` where it is that of the machine), severity, and why it
/// matters.
macro_rules! kinds {
    ($($name:ident $code:literal $place:ident $severity:ident $why:literal;)*) => {
        /// What kind of thing was found.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub enum Kind {
            $(#[doc = $why] #[serde(rename = $code)] $name,)*
        }

        impl Kind {
            /// All of them, in the order of the areas.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name for programs, which never changes.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// How much it weighs.
            pub fn severity(self) -> Severity {
                match self {
                    $(Self::$name => Severity::$severity,)*
                }
            }

            /// Why it matters.
            pub fn why(self) -> &'static str {
                match self {
                    $(Self::$name => $why,)*
                }
            }

            /// The area that it belongs to; none where that is the one of its machine.
            pub fn area(self) -> Option<Area> {
                match self {
                    $(Self::$name => kinds!(@area $place),)*
                }
            }
        }
    };
    (@area Machines) => { None };
    (@area $area:ident) => { Some(Area::$area) };
}

kinds! {
    PasswordReadable "password_readable" Configuration Warning
        "whoever can read the file has the password of the broker, and so can order builds and installations";
    BrokerNotEncrypted "broker_not_encrypted" Configuration Warning
        "whoever is on the way reads the password of the broker and all that workers say";
    StoreNotEncrypted "store_not_encrypted" Configuration Warning
        "whoever is on the way can keep binaries from guests, and sees which these are";
    CanaryUnchecked "canary_unchecked" Configuration Warning
        "a wave that nobody checks lets a bad update through to the next one";
    RollbackUnchecked "rollback_unchecked" Configuration Warning
        "a guest is put back when a check fails, and this one has none";
    PlatformUnused "platform_unused" Configuration Note
        "its builders wait for work that nobody orders";
    StateDirectoryUnusable "state_directory_unusable" Configuration Error
        "claims, results and, without a broker, the history are kept there";

    BrokerUnreachable "broker_unreachable" Broker Error
        "without the broker no worker gets work, and nothing that happens is kept";
    BrokerRefuses "broker_refuses" Broker Error
        "a user that the broker refuses can neither order nor see anything";
    BrokerUntrusted "broker_untrusted" Broker Error
        "a broker that cannot prove who it is gets no password";
    BrokerTooOld "broker_too_old" Broker Error
        "before RabbitMQ 3.10 streams and quorum queues lack what the history and the queues need";
    BrokerVersionUnknown "broker_version_unknown" Broker Note
        "RabbitMQ 3.10 and later are supported";
    BrokerBlocked "broker_blocked" Broker Error
        "a broker in alarm takes no messages, so all work stands still until it has room again";
    CertificateExpired "certificate_expired" Broker Error
        "no worker connects to a broker whose certificate is not valid";
    CertificateExpiresSoon "certificate_expires_soon" Broker Warning
        "when it expires all workers lose the broker at once";
    TopologyMissing "topology_missing" Broker Warning
        "messages for what is missing have nowhere to go until a planner or an operator declares it";
    TopologyDiffers "topology_differs" Broker Error
        "a worker that finds a queue declared otherwise ends";
    HistoryUnreadable "history_unreadable" Broker Error
        "the history is the database: who cannot read it knows nothing";
    PlannerSilent "planner_silent" Broker Error
        "nothing goes on without a planner";
    QueueUnserved "queue_unserved" Broker Warning
        "work in a queue that no living worker serves waits, and is given up after policy.unserved_seconds";
    WorkerUnfit "worker_unfit" Broker Warning
        "a worker whose machine is unfit takes no work";
    WorkersNotSeen "workers_not_seen" Broker Note
        "whether planner and workers live is known by what they say over the broker";
    DeadLetters "dead_letters" Broker Warning
        "each is a message that could not be used: work or news that got nowhere";
    SnapshotMissing "snapshot_missing" Broker Warning
        "whoever comes up reads all of the history, and what it drops in the meantime is lost to them";
    BrokerPartlySeen "broker_partly_seen" Broker Note
        "what only the broker's own tools can tell is not guessed";

    StoreMissing "store_missing" Stores Error
        "builders put binaries there, and guests install them from there";
    StoreUnwritable "store_unwritable" Stores Error
        "a builder that cannot write to the store takes no work";
    StoreDiffers "store_differs" Stores Error
        "a guest that sees another store than its builders write finds none of the binaries";
    StoreUnreachable "store_unreachable" Stores Error
        "a guest that fetches its binaries gets none where it cannot reach the server, or the server has another store";
    StoreNotSurveyed "store_not_surveyed" Stores Note
        "whether its index and its files are about each other is not known";
    StoreNotCompared "store_not_compared" Stores Note
        "while builders write, an index may be seen late on other machines";
    StoreUnreadable "store_unreadable" Stores Error
        "what cannot be read can be neither installed nor looked after";
    StoreIndexUnusable "store_index_unusable" Stores Error
        "Portage takes an index that it does not understand for an empty store, without a word";
    StoreIndexDiffers "store_index_differs" Stores Error
        "an installation ends in the middle where the index names a file that is not there";
    StoreHasOddities "store_has_oddities" Stores Warning
        "records and files that do not fit together cost builds that were done already";
    StoreLockLeft "store_lock_left" Stores Warning
        "whoever wants to write waits until a lock without a sign of life is taken for left, 150 s";
    StoreLocksUnsupported "store_locks_unsupported" Stores Note
        "builders exclude each other by a folder in any case, and Portage's own programs do not";
    SigningKeyMissing "signing_key_missing" Stores Error
        "where a platform signs, a builder without a key takes no work";
    SigningKeyExpired "signing_key_expired" Stores Error
        "guests that require signatures refuse what an expired key has signed";
    SigningKeyExpiresSoon "signing_key_expires_soon" Stores Warning
        "guests that require signatures refuse what an expired key has signed";
    SigningKeysUnread "signing_keys_unread" Stores Warning
        "whether the builder can sign is not known";
    SigningKeyUnknown "signing_key_unknown" Stores Error
        "a guest that requires signatures refuses binaries whose key it does not know";
    SignaturesNeverMade "signatures_never_made" Stores Error
        "a guest that requires signatures refuses unsigned binaries, and its platform signs none";

    RepositoryMissing "repository_missing" Trees Error
        "without its ebuild repository a machine plans nothing, and Portage calls that up to date";
    RepositoryDiffers "repository_differs" Trees Warning
        "a builder compiles exactly the ebuild that a guest planned or nothing: only what is equal in both is built";
    RepositoryUnknown "repository_unknown" Trees Warning
        "a package from a repository that no builder has is not built";
    RepositoryOld "repository_old" Trees Warning
        "security updates of the last weeks are missing";
    SyncUnfinished "sync_unfinished" Trees Warning
        "the last sync was broken off or not verified, so the tree may be neither the old nor the new one";

    BuilderUnfit "builder_unfit" Builders Error
        "a builder whose machine is unfit takes no work";
    CompilerUnusable "compiler_unusable" Builders Error
        "a builder without a working compiler takes no work";
    ToolchainUnset "toolchain_unset" Builders Warning
        "a profile of the toolchain that is gone breaks builds that ask for it";
    BuilderSpaceLow "builder_space_low" Builders Error
        "a builder with less than policy.min_free_megabytes takes no work";
    CleanRoomImpossible "clean_room_impossible" Builders Warning
        "it builds one package at a time on the machine itself, which is cleaned afterwards";
    MemoryLow "memory_low" Builders Warning
        "builds that run out of memory are killed, and built again with more of the machine";
    PackageTooHeavy "package_too_heavy" Builders Error
        "a package for which no builder is large enough fails";
    HelperMissing "helper_missing" Builders Warning
        "FEATURES name a program that is not installed, so builds go on without its help";
    HelperWithoutHosts "helper_without_hosts" Builders Warning
        "distcc without hosts compiles everything on the builder itself";
    HelpersNotContacted "helpers_not_contacted" Builders Note
        "machines that help to compile must have the same CHOST and compiler; they are not asked";
    BuildersDiffer "builders_differ" Builders Error
        "one store holds binaries of one kind: what one of these builds may not run where the other's does";

    MachineUnreachable "machine_unreachable" Machines Error
        "a machine that cannot be reached is not updated and builds nothing";
    MachineSilent "machine_silent" Machines Error
        "what hangs now would hang in a run";
    HostKeyUnknown "host_key_unknown" Machines Error
        "nothing is sent to a machine whose host key is not known";
    HostKeyRefused "host_key_refused" Machines Error
        "somebody may stand in between: nothing is sent to this machine";
    LoginRefused "login_refused" Machines Error
        "all that is done on a machine is done after a login by key";
    WayUnusable "way_unusable" Machines Error
        "the way to the machine cannot be followed";
    MachineNotUnderstood "machine_not_understood" Machines Error
        "what a machine is cannot be told without its answer";
    NotRoot "not_root" Machines Error
        "only root can install packages and make clean rooms";
    PythonMissing "python_missing" Machines Error
        "Portage needs python3, and so do the programs that look at the machine";
    PortageUnusable "portage_unusable" Machines Error
        "a machine whose Portage does not answer plans, builds and installs nothing";
    PortageTooOld "portage_too_old" Machines Error
        "before Portage 3.0.30 its programming interface and its binaries are others";
    ProgramMissing "program_missing" Machines Error
        "what is done on the machine needs it";
    ProfileInvalid "profile_invalid" Machines Error
        "without a profile Portage plans nothing that could be believed";
    MultiInstanceOff "multi_instance_off" Machines Error
        "without FEATURES=binpkg-multi-instance one binary of a version overwrites another, and none is found by its number";
    PlatformUnclear "platform_unclear" Machines Error
        "CHOST, ARCH and the flags of compilers say on which machines a binary runs";
    ClockOff "clock_off" Machines Warning
        "make compares times, and so does whoever reads logs of several machines";
    ClockFarOff "clock_far_off" Machines Error
        "certificates and signatures seem to be expired or not yet valid, and builds are made twice or not at all";
    InodesLow "inodes_low" Machines Warning
        "a file system without inodes is full, however much space it has";
    EmergeRunning "emerge_running" Machines Note
        "a run waits for locks that somebody else's emerge holds";
    MergeInterrupted "merge_interrupted" Machines Warning
        "files of a package were put there without Portage knowing it as installed";
    ConfigurationPending "configuration_pending" Machines Note
        "new configuration waits to be merged: dispatch-conf or etc-update";

    PkgdirDiffers "pkgdir_differs" Guests Error
        "what a guest installs it takes from the store of its platform, at the same path everywhere";
    GuestSpaceLow "guest_space_low" Guests Warning
        "a guest without room for what comes is refused before it is touched";
    GuestDiskFull "guest_disk_full" Guests Error
        "nothing can be installed on a full disk";
    BinhostSilent "binhost_silent" Guests Note
        "since 3.0.78 Portage takes nothing unsigned from a binhost that does not speak of it; runs do not go by binrepos.conf";
    PlatformDiffers "platform_differs" Guests Error
        "a guest gets no binaries that may not run on it";
}

/// The table of all kinds, as the documentation has it.
pub fn table() -> String {
    let mut text = String::from("| code | area | severity | why it matters |\n|---|---|---|---|\n");
    for kind in Kind::ALL {
        let area = kind.area().map_or("guests, builders", Area::as_str);
        let (code, severity, why) = (kind.code(), kind.severity().as_str(), kind.why());
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| `{code}` | {area} | {severity} | {why} |");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_names_for_programs_and_each_is_there_once() {
        let codes: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            let code = kind.code();
            assert!(
                code.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
                "{code}"
            );
            assert_eq!(serde_json::to_value(kind).unwrap(), code);
            assert!(!kind.why().ends_with('.'), "{code}");
        }
    }
}
