//! Binaries for a guest that has not mounted its store: fetched over HTTP into a folder of its own,
//! which is PKGDIR for this one installation.
//!
//! Exactly the ordered files are fetched, and measured like those of a mounted store; so all that
//! follows, from the proof to the verification, is the same. With `--getbinpkg` Portage would choose
//! from an index that it keeps, and fetch files that nobody has measured yet when it begins.

mod answer;
mod binrepos;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gentoo_updater_fleet::config::StoreUrl;
use gentoo_updater_fleet::message::{Failure, FailureClass, InstallPackages};
use gentoo_updater_hosts::{Command, ExitStatus, Host};
use gentoo_updater_runtime::ask;
use gentoo_updater_runtime::emerge::PATH;
use gentoo_updater_runtime::signing::Demands;
use serde_json::json;

use binrepos::AUTHORITY;

const FETCH: &str = include_str!("fetch.py");
const CONFIGURE: &str = include_str!("configure.sh");

/// Reads the request, which names may make longer than an argument can be, and then the program.
const LOADER: &str =
    "import json, sys; request = json.loads(sys.stdin.readline()); exec(sys.stdin.read())";

/// Where binaries lie on a guest until they are installed.
const FOLDER: &str = "/var/cache/gentoo-updater/binaries";

/// How long a short question may take.
const LIMIT: Duration = Duration::from_secs(120);

/// A store that is served over HTTP.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    /// Where.
    url: StoreUrl,
    /// The authority of its certificate, in PEM, on this machine.
    authority: Option<PathBuf>,
    /// The file of the guest with that authority.
    trusted: Option<PathBuf>,
    /// How long it may take to fetch a set.
    timeout: Duration,
}

impl Remote {
    /// The store at this address, whose certificate is signed by this authority, in PEM on this
    /// machine, or by one that the guest trusts anyway.
    pub(crate) fn new(url: StoreUrl, authority: Option<PathBuf>, timeout: Duration) -> Self {
        Self {
            url,
            trusted: authority.as_ref().map(|_| AUTHORITY.into()),
            authority,
            timeout,
        }
    }

    /// The guest's folder of what is fetched.
    pub(crate) fn folder() -> &'static Path {
        Path::new(FOLDER)
    }

    /// Tells the guest's own Portage of the store, and its certificate authority.
    ///
    /// # Errors
    /// What keeps the guest from being told, with the remedy.
    pub(crate) async fn introduce(
        &self,
        host: &dyn Host,
        order: &InstallPackages,
        demands: &Demands,
    ) -> Result<(), Failure> {
        let authority = self.authority().await?;
        let has_authority = self.authority.is_some();
        let section = binrepos::section(&self.url, has_authority, demands.requires);
        let parameters = [section, AUTHORITY.to_owned(), authority];
        let command = Command::shell("configure", CONFIGURE, parameters).timeout(LIMIT);
        let output = ask(host, &command).await?;
        match output.status {
            ExitStatus::Code(0) => {
                for file in output.stdout_text().lines() {
                    tracing::info!(guest.name = %order.guest, file, "the guest was told of its store");
                }
                Ok(())
            }
            ExitStatus::Code(20) => {
                let message = "/etc/portage/binrepos.conf of the guest is a file, and what tells it of \
                               its store goes into a folder of that name: `cd /etc/portage && mv \
                               binrepos.conf own.conf && mkdir binrepos.conf && mv own.conf \
                               binrepos.conf/`";
                let class = FailureClass::Permanent;
                Err(Failure::new(
                    class,
                    "BinreposConfIsFile",
                    message.to_owned(),
                ))
            }
            ref status => {
                let said = output.stderr_text();
                let message = format!(
                    "the guest cannot be told of its store in /etc/portage/binrepos.conf ({status}): {}",
                    said.trim()
                );
                Err(Failure::new(
                    FailureClass::Machine,
                    "GuestNotConfigured",
                    message,
                ))
            }
        }
    }

    async fn authority(&self) -> Result<String, Failure> {
        let Some(path) = &self.authority else {
            return Ok(String::new());
        };
        let unusable = |cause: String| {
            let message = format!(
                "the certificate authority {} (url_ca) cannot be used: {cause}; whoever installs \
                 needs it on its machine",
                path.display()
            );
            Failure::new(FailureClass::Permanent, "AuthorityUnusable", message)
        };
        let text = tokio::fs::read_to_string(path).await;
        let text = text.map_err(|error| unusable(error.to_string()))?;
        match text.contains("-----BEGIN CERTIFICATE-----") {
            true => Ok(text),
            false => Err(unusable("it holds no certificate in PEM".to_owned())),
        }
    }

    /// Fetches what is ordered, and the index. What is there already, whole or in part, is not
    /// fetched again; what is ordered no more goes.
    ///
    /// # Errors
    /// Why it is not there, with the remedy.
    pub(crate) async fn fetch(
        &self,
        host: &dyn Host,
        order: &InstallPackages,
    ) -> Result<(), Failure> {
        self.fetch_into(host, order, FOLDER).await
    }

    async fn fetch_into(
        &self,
        host: &dyn Host,
        order: &InstallPackages,
        folder: &str,
    ) -> Result<(), Failure> {
        let began = Instant::now();
        let output = ask(host, &self.question(order, folder)).await?;
        if output.status != ExitStatus::Code(0) {
            let said = output.stderr_text();
            let said = said.trim().lines().last().unwrap_or_default().to_owned();
            let message = format!(
                "binaries cannot be fetched on the guest ({}): {said}",
                output.status
            );
            return Err(Failure::new(
                FailureClass::Machine,
                "DownloadFailed",
                message,
            ));
        }
        let (files, bytes) = answer::read(&output.stdout_text(), self.url.as_str())?;
        tracing::info!(
            guest.name = %order.guest,
            files,
            bytes,
            duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "the guest has fetched its binaries"
        );
        Ok(())
    }

    fn question(&self, order: &InstallPackages, folder: &str) -> Command {
        let files = order.packages.iter().map(|package| {
            let binary = &package.binary;
            json!([binary.path.as_str(), binary.size, binary.sha256.as_str()])
        });
        let request = json!({
            "url": self.url.as_str(),
            "authority": self.trusted,
            "folder": folder,
            "files": files.collect::<Vec<_>>(),
        });
        let path = format!("PATH={PATH}");
        let call = [
            "-i",
            &path,
            "HOME=/root",
            "LC_ALL=C.UTF-8",
            "python3",
            "-I",
            "-c",
            LOADER,
        ];
        Command::new("env")
            .args(call)
            .stdin(format!("{request}\n{FETCH}"))
            .timeout(self.timeout)
    }

    /// Removes what was fetched.
    pub(crate) async fn clear(host: &dyn Host, order: &InstallPackages) {
        let removed = ask(host, &Command::new("rm").args(["-rf", "--", FOLDER])).await;
        let why = match removed {
            Ok(output) if output.status.success() => return,
            Ok(output) => output.stderr_text().trim().to_owned(),
            Err(failure) => failure.message,
        };
        tracing::warn!(guest.name = %order.guest, "what was fetched stays in {FOLDER}: {why}");
    }
}

#[cfg(test)]
mod tests;
