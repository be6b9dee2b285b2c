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
    let told = |failure: Failure| unfit(builder, &failure.cause.clone(), &failure);
    let all = keys.list(now()).await.map_err(told)?;
    if !all.iter().any(|key| key.state == State::InUse) {
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

fn unfit(builder: &BuilderName, cause: &str, failure: &Failure) -> Failure {
    let class = match failure.class {
        FailureClass::Transient => FailureClass::Transient,
        FailureClass::Permanent | FailureClass::Machine => FailureClass::Machine,
    };
    let message = format!(
        "builder {builder} cannot sign what it builds: {}; its keys are in {HOME}, and \
         `gentoo-updater store keys list` shows them",
        failure.message
    );
    Failure::new(class, cause, message)
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
    };
    let keys = Keys::of(host);
    let told = |failure: Failure| unfit(builder, &failure.cause.clone(), &failure);
    match keys
        .sign(&[request], Some(&packages))
        .await
        .map_err(told)?
        .pop()
    {
        Some(Signed::Well(file)) => Ok(Some(file.by)),
        Some(Signed::Not { error, .. }) => Err(unfit(
            builder,
            "SigningFailed",
            &Failure::new(FailureClass::Machine, "SigningFailed", error),
        )),
        None => Ok(None),
    }
}

/// In seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
