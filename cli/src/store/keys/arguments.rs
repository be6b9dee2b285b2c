//! The command line of `store keys`.

use clap::{Args, Subcommand};
use gentoo_updater_fleet::fingerprint::Fingerprint;
use gentoo_updater_fleet::name::{BuilderName, GuestName, PlatformName};

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Give each builder a key to sign with, where it has none
    ///
    /// The key is made on the builder itself, and its secret part never leaves it. It signs what is
    /// built from now on where platforms.NAME.sign is true.
    #[command(
        after_help = "Examples:\n  gentoo-updater store keys init\n  gentoo-updater store keys init --platform arm64 --expires 1y"
    )]
    Init(InitOptions),

    /// Show the keys of the builders, and until when they are good
    #[command(
        after_help = "Examples:\n  gentoo-updater store keys list\n  gentoo-updater store keys list --platform arm64 --json"
    )]
    List(ListOptions),

    /// Print the public keys, and what to do with them on a guest
    #[command(
        after_help = "Examples:\n  gentoo-updater store keys show\n  gentoo-updater store keys show --platform arm64 --json | jq -r .armored"
    )]
    Show(ListOptions),

    /// Teach guests whose binaries they may install
    ///
    /// Each guest gets the public keys of all builders of its platform, in the home of gpg by which its
    /// Portage verifies (BINPKG_GPG_VERIFY_GPG_HOME). Whether it requires signatures remains its
    /// administrator's decision: FEATURES="binpkg-request-signature" in its make.conf.
    #[command(
        after_help = "Examples:\n  gentoo-updater store keys teach web mail\n  gentoo-updater store keys teach --all --yes\n\nExit codes: 0 all were taught; 1 some were not; 2 could not be done; 64 wrong usage"
    )]
    Teach(TeachOptions),

    /// Give each builder a new key to sign with
    ///
    /// The former key stays, and what it signed counts until `store keys retire` takes the key away:
    /// before that `store keys sign` signs anew what the store holds. Guests that require signatures must
    /// know the new key before the next run: --teach has all guests of the platform learn it before it is
    /// put to use.
    #[command(
        after_help = "Examples:\n  gentoo-updater store keys rotate --teach\n  gentoo-updater store keys rotate --builder fast --expires 1y"
    )]
    Rotate(RotateOptions),

    /// Sign what the stores hold with the keys that are in use
    ///
    /// Each builder signs what its own former keys signed, where that signature is good. What nobody
    /// signed it signs with --unsigned alone: whoever could write to the store would have a binary of his
    /// own signed so. No run may go on.
    #[command(
        after_help = "Examples:\n  gentoo-updater store keys sign\n  gentoo-updater store keys sign --unsigned --platform arm64\n\nExit codes: 0 done, or nothing to do; 1 some could not be signed; 2 could not be done; 64 wrong usage"
    )]
    Sign(SignOptions),

    /// Take a key away that does not sign any more, or must not
    ///
    /// What it signed does not count any more: where that is wanted it is built again. A key that is in
    /// use is taken away with --revoke alone, which is for one that others may have: guests learn of it
    /// by `store keys teach`.
    #[command(
        after_help = "Examples:\n  gentoo-updater store keys retire 39BB337317CC843D42E1BF6263136F93CB577C76\n  gentoo-updater store keys retire --revoke 39BB337317CC843D42E1BF6263136F93CB577C76"
    )]
    Retire(RetireOptions),
}

#[derive(Debug, Args)]
pub(crate) struct InitOptions {
    /// The builders of this platform alone
    #[arg(long, value_name = "NAME")]
    pub(crate) platform: Option<PlatformName>,

    /// This builder alone
    #[arg(long, value_name = "NAME")]
    pub(crate) builder: Vec<BuilderName>,

    /// For how long a key is good: 18m, 2y, or 0 for ever
    #[arg(long, value_name = "TIME", default_value = "2y", value_parser = expiry)]
    pub(crate) expires: String,
}

#[derive(Debug, Args)]
pub(crate) struct ListOptions {
    /// The keys of this platform alone
    #[arg(long, value_name = "NAME")]
    pub(crate) platform: Option<PlatformName>,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TeachOptions {
    /// The guests
    #[arg(value_name = "GUEST", required_unless_present = "all")]
    pub(crate) guests: Vec<GuestName>,

    /// All guests
    #[arg(long, conflicts_with = "guests")]
    pub(crate) all: bool,

    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RotateOptions {
    #[command(flatten)]
    pub(crate) new: InitOptions,

    /// Have all guests of the platform learn the new keys first
    #[arg(long)]
    pub(crate) teach: bool,

    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SignOptions {
    /// The store of this platform alone
    #[arg(long, value_name = "NAME")]
    pub(crate) platform: Option<PlatformName>,

    /// Sign what nobody has signed, too
    #[arg(long)]
    pub(crate) unsigned: bool,

    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RetireOptions {
    /// The key
    #[arg(value_name = "FINGERPRINT")]
    pub(crate) key: Fingerprint,

    /// Revoke it: nothing that it signed is to be trusted
    #[arg(long)]
    pub(crate) revoke: bool,

    /// Do it although binaries are signed by it that would count no more
    #[arg(long)]
    pub(crate) force: bool,

    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,
}

/// As gpg takes it.
fn expiry(text: &str) -> Result<String, String> {
    let number = text.strip_suffix(['d', 'w', 'm', 'y']);
    let is_number =
        |text: &str| (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    match text == "0" || number.is_some_and(is_number) {
        true => Ok(text.to_owned()),
        false => Err("a number with d, w, m or y behind it (18m, 2y), or 0 for ever".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::expiry;

    #[test]
    fn a_time_that_gpg_would_take_otherwise_is_none() {
        for good in ["0", "1d", "18m", "2y", "52w"] {
            assert_eq!(expiry(good).as_deref(), Ok(good));
        }
        for bad in ["", "2", "y", "-1y", "2y 3", "20270101T000000", "99999y"] {
            assert!(expiry(bad).is_err(), "{bad}");
        }
    }
}
