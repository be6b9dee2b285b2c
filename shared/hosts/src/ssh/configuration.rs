//! What ssh's configuration says about a machine: `ssh -G` is asked, so that Include, Match, tokens
//! and defaults mean what they mean to `ssh` itself.
//!
//! Where there is no configuration there is nothing to ask, and `ssh` is not needed. Where there is
//! one and no `ssh`, nothing is guessed: that is an error with the remedy.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::SystemTime;

use super::uniform::{self, Call, Known};
use crate::address::{DEFAULT_USER, HostAddress, SshAddress};
use crate::error::HostError;
use crate::host::{SshConfiguration, SshSettings};

/// The configuration for all users (ssh_config(5), FILES).
const SYSTEM: &str = "/etc/ssh/ssh_config";

/// The lines of `ssh -G`: a keyword in lower case and its value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer(Vec<(String, String)>);

impl Answer {
    fn read(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        Self(
            lines
                .map(|(keyword, value)| (keyword.to_ascii_lowercase(), value.to_owned()))
                .collect(),
        )
    }

    /// The values of a keyword that may stand more than once.
    pub(super) fn all<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = &'a str> {
        let lines = self.0.iter().filter(move |(name, _)| name == keyword);
        lines.map(|(_, value)| value.as_str())
    }

    /// The value of a keyword, unless it is `none`.
    pub(super) fn get(&self, keyword: &str) -> Option<&str> {
        let value = self.0.iter().find(|(name, _)| name == keyword);
        value
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.eq_ignore_ascii_case("none"))
    }

    /// The same of another machine, where only the name is another one.
    pub(super) fn about(&self, host: &str, other: &str) -> Self {
        let lines = self.0.iter().map(|(keyword, value)| {
            let is_name = matches!(&**keyword, "host" | "hostname") && value == host;
            let value = if is_name { other } else { value };
            (keyword.clone(), value.to_owned())
        });
        Self(lines.collect())
    }

    /// Whether a value holds this text.
    pub(super) fn contains(&self, text: &str) -> bool {
        self.0.iter().any(|(_, value)| value.contains(text))
    }

    pub(super) fn is_yes(&self, keyword: &str) -> bool {
        self.get(keyword) == Some("yes")
    }
}

/// The files of a list that `ssh -G` prints without quotes. They are absolute, so a slash after a
/// blank begins the next one.
pub(super) fn files(value: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut rest = value;
    while let Some(end) = rest.find(" /") {
        files.push(PathBuf::from(&rest[..end]));
        rest = &rest[end + 1..];
    }
    files.push(PathBuf::from(rest));
    files
}

/// Asks ssh's configuration about one machine.
pub(super) struct Question<'a> {
    address: &'a SshAddress,
    settings: &'a SshSettings,
    /// The jump hosts on the way, where they are not to be those of the configuration.
    jump: Option<&'a str>,
}

impl<'a> Question<'a> {
    pub(super) fn new(
        address: &'a SshAddress,
        settings: &'a SshSettings,
        jump: Option<&'a str>,
    ) -> Self {
        Self {
            address,
            settings,
            jump,
        }
    }

    /// What the configuration says; `None` where there is none.
    pub(super) async fn ask(&self) -> Result<Option<Answer>, HostError> {
        let has_configuration = match &self.settings.configuration {
            SshConfiguration::None => false,
            SshConfiguration::File(_) => true,
            SshConfiguration::OfSsh => own_file().exists() || Path::new(SYSTEM).exists(),
        };
        if !has_configuration {
            return Ok(None);
        }
        let mut answer = self.run(self.file(), &[]).await?;
        if self.address.user().is_none() && !rustix::process::getuid().is_root() {
            // What it prints may be the name of who asks, which is no answer.
            let user = self.user().await?;
            answer.0.retain(|(keyword, _)| keyword != "user");
            answer.0.push(("user".to_owned(), user));
        }
        Ok(Some(answer))
    }

    /// The user that the configuration names, and root where it names none: ssh's own default, the
    /// user who asks, cannot be told from one that is configured.
    pub(super) async fn user(&self) -> Result<String, HostError> {
        let files = match &self.settings.configuration {
            SshConfiguration::None => Vec::new(),
            SshConfiguration::File(file) => vec![file.clone()],
            SshConfiguration::OfSsh => vec![own_file(), PathBuf::from(SYSTEM)],
        };
        let mut text = String::new();
        for file in files {
            let file = file
                .to_str()
                .filter(|file| !file.contains(['"', '\\', '*', '?', '[']));
            let file = file.ok_or_else(|| self.failed("its path cannot stand in an Include"))?;
            text += &format!("Include \"{file}\"\n");
        }
        text += &format!("Host *\nUser {DEFAULT_USER}\n");
        let written = tempfile::NamedTempFile::new().and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            Ok(file)
        });
        let wrapper = written.map_err(|error| self.failed(error))?;
        // A file of its own each time: nothing to remember.
        let call = self.call(Some(wrapper.path()), &[]);
        let (answer, _) = self.ask_ssh(&call).await?;
        Ok(answer.get("user").unwrap_or(DEFAULT_USER).to_owned())
    }

    /// Expands `~`, tokens and variables in the names of files, as `ssh` does it for this machine.
    /// `ssh -G` prints some as they are written, but always expands this keyword's.
    pub(super) async fn expand(
        &self,
        files_as_written: &[&str],
    ) -> Result<Vec<PathBuf>, HostError> {
        let is_expanded = |file: &&str| file.starts_with('/') && !file.contains(['%', '$']);
        if files_as_written.iter().all(is_expanded) {
            return Ok(files_as_written.iter().map(PathBuf::from).collect());
        }
        if files_as_written.iter().any(|file| file.contains('"')) {
            return Err(self.failed("the name of a file has a quotation mark"));
        }
        let quoted: Vec<_> = files_as_written
            .iter()
            .map(|file| format!("\"{file}\""))
            .collect();
        let option = format!("UserKnownHostsFile={}", quoted.join(" "));
        let answer = self.run(self.file(), &["-o", &option]).await?;
        let expanded = answer.get("userknownhostsfile").map(files);
        expanded
            .filter(|expanded| expanded.len() == files_as_written.len())
            .ok_or_else(|| self.failed("the names of its identity files cannot be expanded"))
    }

    fn file(&self) -> Option<&Path> {
        match &self.settings.configuration {
            SshConfiguration::File(file) => Some(file),
            SshConfiguration::None | SshConfiguration::OfSsh => None,
        }
    }

    /// Asks, unless it is known what the answer will be.
    async fn run(&self, file: Option<&Path>, more: &[&str]) -> Result<Answer, HostError> {
        let call = self.call(file, more);
        let host = self.address.host();
        let Some(kept) = uniform::kept(&call, host) else {
            return Ok(self.ask_ssh(&call).await?.0);
        };
        let mut kept = kept.lock().await;
        match kept.as_ref().filter(|known| known.holds()) {
            Some(known) => {
                if let Some(answer) = known.of(host) {
                    return Ok(answer);
                }
                // Each for itself, and side by side.
                drop(kept);
                Ok(self.ask_ssh(&call).await?.0)
            }
            None => {
                *kept = None;
                let asked_at = SystemTime::now();
                let (answer, said) = self.ask_ssh(&call).await?;
                *kept = Known::from(host, &answer, &said, asked_at);
                Ok(answer)
            }
        }
    }

    pub(super) fn call(&self, file: Option<&Path>, more: &[&str]) -> Call {
        let mut call = vec!["-v".to_owned(), "-G".to_owned()];
        call.extend(more.iter().map(|&word| word.to_owned()));
        let mut option = |name: &str, value: Option<String>| {
            call.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
        };
        option("-F", file.map(|file| file.display().to_string()));
        option("-l", self.address.user().map(str::to_owned));
        option("-p", self.address.port().map(|port| port.to_string()));
        option("-J", self.jump.map(str::to_owned));
        call
    }

    /// The answer, and what `ssh` said of how it came about.
    pub(super) async fn ask_ssh(&self, call: &Call) -> Result<(Answer, String), HostError> {
        let mut command = tokio::process::Command::new("ssh");
        command
            .args(call)
            .args(["--", self.address.host()])
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let limit = self.settings.connect_timeout;
        let output = match tokio::time::timeout(limit, command.output()).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(self.failed(
                    "there is no ssh on this machine to read it: install net-misc/openssh, or set \
                     ssh.config = \"none\"",
                ));
            }
            Ok(Err(error)) => return Err(self.failed(error)),
            Err(_) => return Err(self.failed(format!("ssh -G did not end within {limit:?}"))),
        };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            let is_cause =
                |line: &&str| !line.starts_with("debug1: ") && !line.starts_with("OpenSSH_");
            let cause: Vec<&str> = said.lines().map(str::trim).filter(is_cause).collect();
            return Err(self.failed(cause.join("\n")));
        }
        Ok((Answer::read(&String::from_utf8_lossy(&output.stdout)), said))
    }

    pub(super) fn failed(&self, cause: impl ToString) -> HostError {
        HostError::SshConfiguration {
            address: HostAddress::Ssh(self.address.clone()),
            cause: cause.to_string(),
        }
    }
}

/// The configuration of who runs this.
fn own_file() -> PathBuf {
    crate::host::ssh_folder().join("config")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_files_is_split_where_a_path_begins() {
        let split = |value| {
            files(value)
                .iter()
                .map(|f| f.display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(split("/a/b"), ["/a/b"]);
        assert_eq!(split("/a/b /c d/e /f"), ["/a/b", "/c d/e", "/f"]);
    }

    #[test]
    fn none_is_no_value() {
        let answer = Answer::read("proxyjump none\nport 24\nidentityfile a\nidentityfile b c\n");
        assert_eq!(answer.get("proxyjump"), None);
        assert_eq!(answer.get("port"), Some("24"));
        assert_eq!(answer.all("identityfile").collect::<Vec<_>>(), ["a", "b c"]);
    }

    #[tokio::test]
    async fn where_no_user_is_configured_it_is_root_and_not_who_asks() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(&file, "Host web1\nUser larry\nHost *\nPort 24\n").unwrap();
        let settings = SshSettings {
            configuration: SshConfiguration::File(file),
            ..SshSettings::default()
        };
        for (host, expected) in [("web1", "larry"), ("web2", "root")] {
            let Ok(HostAddress::Ssh(address)) = format!("ssh://{host}").parse() else {
                panic!("not ssh")
            };
            let question = Question::new(&address, &settings, None);
            assert_eq!(question.user().await.unwrap(), expected);
        }
    }
}
