//! Signatures of what is built.
//!
//! A binary is signed on the machine when its build is over, and outside of the clean room, in which
//! the keys are not to be seen. What others put into the store is never signed here: whoever could
//! write there would have this builder vouch for it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use gentoo_updater_fleet::fingerprint::Fingerprint;
use gentoo_updater_fleet::message::{Binary, Failure, FailureClass};
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_runtime::ask;
use gentoo_updater_runtime::signing::{
    Announcement, HOME, Key, Keys, NO_KEY, Signed, State, ToSign, announce, announced,
};

/// How many days before the end of a key it is warned of it.
const SOON: u64 = 30;

/// How a binary of a store must be signed to be of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signatures {
    /// Anyhow, or not at all.
    NotAskedFor,
    /// By one of these keys.
    By(BTreeSet<Fingerprint>),
}

impl Signatures {
    /// Of this store, where it is to be signed.
    pub(crate) async fn wanted(host: &dyn Host, store: &Path, sign: bool) -> Result<Self, Failure> {
        Ok(match sign {
            true => Self::By(announced(host, store, now()).await?),
            false => Self::NotAskedFor,
        })
    }

    /// Whether it is signed as it must be, as its record says.
    pub(crate) fn suffices(&self, binary: &Binary) -> bool {
        match self {
            Self::NotAskedFor => true,
            Self::By(keys) => binary
                .signed_by
                .as_ref()
                .is_some_and(|by| keys.contains(by)),
        }
    }
}

/// Checks that the machine has a key that signs, and tells the store of it.
///
/// # Errors
/// A failure of the machine, with the remedy.
pub(crate) async fn ready(
    host: &dyn Host,
    builder: &BuilderName,
    store: &Path,
) -> Result<(), Failure> {
    let keys = Keys::of(host);
    let told = |failure: Failure| unfit(builder, failure);
    let all = keys.list(now()).await.map_err(told)?;
    let in_use = all.iter().find(|key| key.state == State::InUse);
    if let Some(days) = in_use.and_then(|key| key.days_left(now()))
        && days < SOON
    {
        tracing::warn!(
            builder.name = %builder,
            "the key that signs is good for {days} more days, and so is what it signed: \
             `gentoo-updater store keys rotate`"
        );
    }
    if in_use.is_none() {
        let message = format!(
            "builder {builder} is to sign what it builds and has no key for that{}; \
             `gentoo-updater store keys init` makes one",
            expired(&all)
        );
        return Err(Failure::new(FailureClass::Machine, NO_KEY, message));
    }
    keys.try_to_sign().await.map_err(told)?;
    keys.sign(&[], None).await.map_err(told)?;
    let counting = all.iter().filter(|key| key.state.counts());
    let counting: Vec<Announcement> = counting
        .map(|key| Announcement {
            fingerprint: key.fingerprint.clone(),
            builder: builder.clone(),
            expires: key.expires,
        })
        .collect();
    announce(host, store, &counting).await
}

fn expired(keys: &[Key]) -> String {
    let expired = keys.iter().filter(|key| key.state == State::Expired);
    let names: Vec<&str> = expired.map(|key| key.fingerprint.as_str()).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!(" (the time of {} is over)", names.join(", ")),
    }
}

fn unfit(builder: &BuilderName, mut failure: Failure) -> Failure {
    if failure.class == FailureClass::Permanent {
        failure.class = FailureClass::Machine;
    }
    failure.message = format!(
        "builder {builder} cannot sign what it builds: {}; its keys are in {HOME}, and \
         `gentoo-updater store keys list` shows them",
        failure.message
    );
    failure
}

/// Signs what lies in the private folder, and brings its index up to date. Gives the key; nothing,
/// where the folder holds no such binary.
///
/// # Errors
/// A failure of the machine where it cannot be signed: its result is as good as before.
pub(crate) async fn sign_result(
    host: &dyn Host,
    builder: &BuilderName,
    work: &Path,
    cpv: &Cpv,
) -> Result<Option<Fingerprint>, Failure> {
    let packages = work.join("packages");
    let output = ask(
        host,
        &Command::new("cat").arg(work.join("build-id").display().to_string()),
    )
    .await?;
    let (category_package, pf) = (&cpv.category_package, cpv.pf());
    let number = output.stdout_text();
    let file = packages.join(format!(
        "{category_package}/{pf}-{}.gpkg.tar",
        number.trim()
    ));
    let there = Command::new("test").args(["-s", &file.display().to_string()]);
    if output.status != ExitStatus::Code(0)
        || ask(host, &there).await?.status != ExitStatus::Code(0)
    {
        return Ok(None);
    }
    let request = ToSign {
        from: file.clone(),
        to: file,
        sha256: None,
        as_of: None,
    };
    let keys = Keys::of(host);
    let told = |failure: Failure| unfit(builder, failure);
    match keys
        .sign(&[request], Some(&packages))
        .await
        .map_err(told)?
        .pop()
    {
        Some(Signed::Well(file)) => Ok(Some(file.by)),
        Some(Signed::Not { error, .. }) => {
            let failure = Failure::new(FailureClass::Machine, "SigningFailed", error);
            Err(unfit(builder, failure))
        }
        None => Ok(None),
    }
}

/// Why a result is of no use that is none which can be signed.
pub(crate) fn unsigned(binary: &Binary) -> Failure {
    let message = format!(
        "{} cannot be signed: only binaries of the form gpkg can, and something on the builder sets \
         BINPKG_FORMAT for this package",
        binary.path
    );
    Failure::new(FailureClass::Permanent, "ResultUnsigned", message)
}

/// In seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::room::INSIDE;
    use crate::testing::stored;

    #[test]
    fn only_what_is_signed_by_one_of_the_keys_suffices_where_signatures_are_asked_for() {
        let folder = TempDir::new().unwrap();
        let mut binary = stored(folder.path(), "a/a-1", "content");
        let key = |digit: &str| digit.repeat(40).parse::<Fingerprint>().unwrap();
        let by = Signatures::By([key("1"), key("2")].into());
        assert!(Signatures::NotAskedFor.suffices(&binary));
        assert!(!by.suffices(&binary));
        binary.signed_by = Some(key("3"));
        assert!(!by.suffices(&binary));
        binary.signed_by = Some(key("2"));
        assert!(by.suffices(&binary) && Signatures::NotAskedFor.suffices(&binary));
        assert!(!Signatures::By(BTreeSet::new()).suffices(&binary));
    }

    #[test]
    fn the_folder_of_the_keys_is_the_one_that_rooms_hide() {
        assert!(INSIDE.contains(&format!("for place in {HOME} /run/user;")));
    }
}
