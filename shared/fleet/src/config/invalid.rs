//! Why a configuration whose values are well-formed cannot be used.

use crate::name::{
    BuilderName, CheckName, GuestName, NotificationName, PlatformName, ScheduleName, WaveName,
};

/// Why values do not fit together. Each names its key and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// No guest is named.
    #[error(
        "there is no guest; add a table such as [guests.web] with address = \"ssh://root@web\""
    )]
    NoGuests,
    /// No builder is named.
    #[error(
        "there is no builder; add a table such as [builders.fast] with address = \"ssh://root@fast\""
    )]
    NoBuilders,
    /// An address is missing.
    #[error("{table}.address is missing; write \"local\" or \"ssh://user@host:port\"")]
    AddressMissing {
        /// The table.
        table: String,
    },
    /// A platform is named that is not there.
    #[error("{table}.platform names {platform}, and there is no [platforms.{platform}]")]
    PlatformUnknown {
        /// The table.
        table: String,
        /// The platform.
        platform: PlatformName,
    },
    /// There are several platforms and none is named.
    #[error("{table}.platform is missing, and there are several: {platforms}")]
    PlatformMissing {
        /// The table.
        table: String,
        /// The choice.
        platforms: String,
    },
    /// A platform has guests and nobody who builds for it.
    #[error("no builder is of platform {platform}, and guest {guest} is; add a builder for it")]
    PlatformWithoutBuilder {
        /// The platform.
        platform: PlatformName,
        /// One of its guests.
        guest: GuestName,
    },
    /// A path must be absolute.
    #[error("{key} is {path}; it must be an absolute path")]
    PathNotAbsolute {
        /// The key.
        key: String,
        /// The path.
        path: String,
    },
    /// All folders in which files are looked for are left alone.
    #[error(
        "policy.cruft_except, and what is never looked at, leave nothing of policy.cruft_folders; \
         policy.cruft = \"off\" is the way to look for nothing"
    )]
    NothingToLookAt,
    /// A path must be absolute and lie below the root.
    #[error("{key} names {path}; it must be an absolute path below /, without . and ..")]
    NoFolderBelowRoot {
        /// The key.
        key: &'static str,
        /// The path.
        path: String,
    },
    /// A wave names a guest that is not there.
    #[error("{table} names {guest}, and there is no [guests.{guest}]")]
    WaveOfUnknown {
        /// The wave.
        table: String,
        /// The guest.
        guest: GuestName,
    },
    /// A guest is named by two waves, or twice by one.
    #[error("waves of [rollout] name {guest} twice; it gets its updates once, with one of them")]
    InTwoWaves {
        /// The guest.
        guest: GuestName,
    },
    /// Two waves have one name, or one has that of the guests that no wave names.
    #[error(
        "the name {wave} of a wave of [rollout] is taken; \"others\" are the guests that no wave \
         names, and all others must differ"
    )]
    WaveNameTaken {
        /// The name.
        wave: WaveName,
    },
    /// A window's time zone is not known.
    #[error(
        "the maintenance window {window:?} names the time zone {zone}, which is not known; write one \
         of the IANA time zone database, as Europe/Berlin"
    )]
    TimeZoneUnknown {
        /// The window.
        window: String,
        /// The time zone.
        zone: String,
    },
    /// A schedule cannot be followed.
    #[error("schedules.{schedule}: {cause}")]
    Schedule {
        /// The schedule.
        schedule: ScheduleName,
        /// What is wrong with it, and the remedy.
        cause: String,
    },
    /// Nobody can be told by a notification.
    #[error("notifications.{notification}: {cause}")]
    Notification {
        /// The notification.
        notification: NotificationName,
        /// What is wrong with it, and the remedy.
        cause: String,
    },
    /// A check is not understood.
    #[error("checks.{check}: {cause}")]
    Check {
        /// The check.
        check: CheckName,
        /// What is wrong with it.
        cause: String,
    },
    /// A wave has no guests.
    #[error("the wave {wave} of [rollout] has no guests")]
    WaveEmpty {
        /// The wave.
        wave: WaveName,
    },
    /// A check is named that is not there.
    #[error("{key} names {check}, and there is no [checks.{check}]")]
    CheckUnknown {
        /// Where.
        key: String,
        /// The check.
        check: CheckName,
    },
    /// A number is too small or too large.
    #[error("{key} is {value}; it must be {rule}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// The value.
        value: u64,
        /// What is allowed.
        rule: &'static str,
    },
    /// A builder that builds on the machine itself is to build several packages at once there.
    #[error(
        "builders.{builder} has slots = {slots} and clean_room = \"never\"; without clean rooms one \
         package is built at a time, so leave one of the two out"
    )]
    SlotsWithoutRooms {
        /// The builder.
        builder: BuilderName,
        /// Its slots.
        slots: u16,
    },
    /// What the builds of a builder are to get cannot be that.
    #[error("{key} is {value:?}; it must be {rule}")]
    Environment {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What is allowed.
        rule: String,
    },
    /// What a table of packages speaks of is no atom.
    #[error(
        "an atom of {table} is {value:?}: {cause}; write it as in package.use and without wildcards, \
         for example \"www-client/chromium\" or \">=dev-qt/qtwebengine-6\""
    )]
    Atom {
        /// The table.
        table: String,
        /// The value.
        value: String,
        /// Why it is none.
        cause: String,
    },
    /// A table does not say what goes first.
    #[error(
        "[[rollout.barriers]] number {number} {cause}; write packages = [\"dev-libs/openssl\"] with \
         change = \"version\", \"slot\" or \"subslot\", or flags = [\"python_targets_*\"]"
    )]
    Barrier {
        /// Which of the tables, from 1.
        number: usize,
        /// What is wrong with it.
        cause: String,
    },
    /// A table of packages has nothing but an atom.
    #[error("[[packages]] of {atom} says nothing; add memory_megabytes, for example")]
    PackagesSayNothing {
        /// The atom.
        atom: String,
    },
    /// A build is sent to a machine that has so much, and ended before it can use it.
    #[error(
        "[[packages]] of {atom} says that a build needs {needs} MB of memory, and it may use {limit} MB \
         (build_memory_megabytes); raise the second"
    )]
    NeedsMoreThanAllowed {
        /// The atom.
        atom: String,
        /// What it needs.
        needs: u64,
        /// What it may use.
        limit: u64,
    },
    /// A number that cannot be zero.
    #[error("{key} is 0; it must be at least 1, or be left out")]
    Zero {
        /// The key, with its table.
        key: String,
    },
    /// Two builders of a platform are one machine.
    #[error(
        "builders.{first} and builders.{second} have one address, {address}; a machine is one builder: \
         give that one more slots"
    )]
    SameBuilder {
        /// One.
        first: BuilderName,
        /// The other.
        second: BuilderName,
        /// Their address.
        address: String,
    },
    /// Two guests are one machine.
    #[error(
        "guests.{first} and guests.{second} have one address, {address}; a machine is one guest"
    )]
    SameMachine {
        /// One.
        first: GuestName,
        /// The other.
        second: GuestName,
        /// Their address.
        address: String,
    },
    /// What the names of the broker's users begin with needs quoting.
    #[error("broker.user_prefix is {value:?}; it must be made of a-z A-Z 0-9 - and _")]
    UserPrefix {
        /// The value.
        value: String,
    },
    /// The address of a store that is served cannot be one.
    #[error(
        "{key} is {value:?}; write it as https://store.example.net:8443/amd64, with nothing but \
         letters, digits and - . _ ~ : / in it, and no password"
    )]
    StoreUrl {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// An authority is named for a connection that is not encrypted, or for none.
    #[error("platforms.{platform}.url_ca is of use only with a url that begins with https://")]
    StoreAuthorityUnused {
        /// The platform.
        platform: PlatformName,
    },
    /// A guest is to fetch binaries, and nothing says from where.
    #[error(
        "guests.{guest}.store is \"http\", and platforms.{platform} has no url: add the address under \
         which `gentoo-updater store serve` serves it"
    )]
    StoreNotServed {
        /// The guest.
        guest: GuestName,
        /// Its platform.
        platform: PlatformName,
    },
    /// The URL of the broker has another scheme.
    #[error("broker.url must begin with amqp:// or amqps://")]
    BrokerUrl,
}
