//! Our reading of ssh's configuration beside what `ssh` itself does with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gentoo_updater_hosts::ssh::target::{Target, Way, resolve};
use gentoo_updater_hosts::{HostAddress, HostError, SshAddress, SshConfiguration, SshSettings};
use proptest::prelude::*;

use crate::seed::for_each;

pub(crate) fn following(file: PathBuf) -> SshSettings {
    SshSettings {
        known_hosts: vec![PathBuf::from("/own/known_hosts")],
        known_hosts_of_ssh: true,
        identity_files: None,
        configuration: SshConfiguration::File(file),
        ..SshSettings::default()
    }
}

fn address(text: &str) -> SshAddress {
    match text.parse().unwrap() {
        HostAddress::Ssh(address) => address,
        HostAddress::Local => panic!("not ssh"),
    }
}

/// One line below a Host or Match, or one of these.
fn line() -> impl Strategy<Value = String> {
    let pick = prop::sample::select::<&'static str>;
    prop_oneof![
        3 => pick(vec![
            "Host web1", "Host web*", "Host web1 !web2", "Host *", "Host db? web2", "Host *.example",
            "Match host web1", "Match originalhost web2 user larry", "Match user root", "Match all",
            "Match exec \"test %n = web1\"", "Match final host *.example", "Match host *.example",
        ]),
        1 => pick(vec!["Include FOLDER/more", "Include FOLDER/missing", "Include FOLDER/mor?"]),
        8 => pick(vec![
            "HostName %h.example", "HostName 10.0.0.1", "HostName=db1.example", "HostName ::1",
            "Port 2222", "port 24", "User larry", "User root", "User \"moe\"",
            "IdentityFile ~/.ssh/own", "IdentityFile FOLDER/%r-%h-%n", "IdentityFile /keys/%p/%k/%%",
            "IdentityFile \"/with a blank/key\"", "IdentityFile ~/%L_%l_%u_%i_%C",
            "IdentityFile ${HOME}/key", "IdentitiesOnly yes", "IdentityFile none",
            "UserKnownHostsFile FOLDER/known-%h FOLDER/two", "UserKnownHostsFile ~/known_%k",
            "UserKnownHostsFile \"/with a blank/known\"", "GlobalKnownHostsFile FOLDER/global",
            "HostKeyAlias Alias1", "HostKeyAlias alias2", "IdentityAgent none",
            "IdentityAgent FOLDER/agent-%r", "IdentityAgent SSH_AUTH_SOCK",
            "ProxyJump none", "ProxyJump jump1", "ProxyJump moe@jump1:2200,jump2",
            "ProxyJump moe@[::1]:24", "ProxyCommand nc %h %p %r %n", "ProxyCommand none",
        ]),
        1 => pick(vec!["# a comment", "", "ServerAliveInterval 5", "ForwardAgent yes"]),
    ]
    .prop_map(str::to_owned)
}

/// What ssh does: it runs a proxy command of ours, and its log names the identity files.
fn done_by_ssh(file: &Path, address: &SshAddress) -> (String, Vec<PathBuf>) {
    let mut command = Command::new("ssh");
    command
        .arg("-v")
        .arg("-F")
        .arg(file)
        .args(["-o", "BatchMode=yes", "-o"]);
    command.arg("ProxyCommand=sh -c 'echo REACHED %%h=%h %%p=%p %%r=%r >&2; exit 1'");
    with_parts(&mut command, address);
    let output = command.arg("true").stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let reached = said.lines().find_map(|line| line.strip_prefix("REACHED "));
    let identities = said.lines().filter_map(|line| {
        let file = line
            .strip_prefix("debug1: identity file ")?
            .rsplit_once(" type ")?
            .0;
        Some(PathBuf::from(file)).filter(|_| !file.ends_with("-cert"))
    });
    (reached.unwrap_or(&said).to_owned(), identities.collect())
}

fn with_parts(command: &mut Command, address: &SshAddress) {
    if let Some(user) = address.user() {
        command.args(["-l", user]);
    }
    if let Some(port) = address.port() {
        command.args(["-p", &port.to_string()]);
    }
    command.args(["--", address.host()]);
}

/// The value that `ssh -G` prints for a keyword.
fn printed_by_ssh(file: &Path, address: &SshAddress, keyword: &str) -> Option<String> {
    let mut command = Command::new("ssh");
    command.arg("-G").arg("-F").arg(file);
    with_parts(&mut command, address);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines();
    lines.find_map(|line| Some(line.strip_prefix(keyword)?.strip_prefix(' ')?.to_owned()))
}

/// The jump hosts on the way, nearest to the machine first.
fn jumps(target: &Target) -> Vec<String> {
    match &target.way {
        Way::Jump(jump) => std::iter::once(jump.address.to_string())
            .chain(jumps(jump))
            .collect(),
        Way::Direct | Way::Command(_) => Vec::new(),
    }
}

#[test]
fn on_two_hundred_configurations_we_go_where_ssh_goes() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    let at = folder.path().to_str().unwrap();
    let lines = || prop::collection::vec(line(), 1..12);
    let asked = prop::sample::select(vec![
        "ssh://web1",
        "ssh://web2",
        "ssh://db1",
        "ssh://web1.example",
        "ssh://moe@web1",
        "ssh://web1:2022",
        "ssh://larry@web2:22",
        "ssh://10.0.0.9",
    ]);
    for_each(200, &(lines(), lines(), asked), |(lines, more, asked)| {
        let address = address(asked);
        let text = lines.join("\n").replace("FOLDER", at) + "\n";
        fs::write(&file, &text).unwrap();
        // It does not include itself, and its jump hosts have no jump hosts of their own.
        let more: Vec<_> = more
            .into_iter()
            .filter(|line| !line.starts_with("Include"))
            .collect();
        let more = more.join("\n").replace("FOLDER", at) + "\n";
        fs::write(folder.path().join("more"), &more).unwrap();
        let ours = runtime.block_on(resolve(&address, &following(file.clone())));
        let told = format!("{asked} by\n{text}-- more:\n{more}");
        let ours = match ours {
            Ok(ours) => ours,
            Err(HostError::SshConfiguration { cause, .. }) => {
                // What leads in a circle is refused by both, and "::1.example" is no host.
                let is_known = cause.contains("jump") || cause.contains("neither a name");
                prop_assert!(is_known, "{cause}: {told}");
                return Ok(());
            }
            Err(error) => return Err(TestCaseError::fail(format!("{error}: {told}"))),
        };
        let (reached, identities) = done_by_ssh(&file, &address);
        let expected = format!("%h={} %p={} %r={}", ours.host, ours.port, ours.user);
        prop_assert_eq!(expected, reached, "{}", told);
        prop_assert_eq!(&ours.identity_files, &identities, "{}", told);
        let printed = |keyword| printed_by_ssh(&file, &address, keyword);
        let known = ours.known_hosts[1..]
            .iter()
            .map(|file| file.display().to_string());
        let theirs =
            ["userknownhostsfile", "globalknownhostsfile"].map(|list| printed(list).unwrap());
        prop_assert_eq!(
            known.collect::<Vec<_>>().join(" "),
            theirs.join(" "),
            "{}",
            told
        );
        if let Some(alias) = printed("hostkeyalias") {
            prop_assert_eq!(ours.names.name(), alias, "{}", told);
        }
        prop_assert_eq!(
            ours.identities_only,
            printed("identitiesonly").unwrap() == "yes",
            "{}",
            told
        );
        let theirs = printed("proxyjump").unwrap_or_default();
        let mut ours_jumps = jumps(&ours);
        let theirs: Vec<_> = theirs
            .split(',')
            .rev()
            .filter(|jump| !jump.is_empty())
            .collect();
        // The last may have jump hosts by its own lines.
        ours_jumps.truncate(theirs.len());
        let theirs: Vec<_> = theirs.iter().map(|jump| format!("ssh://{jump}")).collect();
        prop_assert_eq!(ours_jumps, theirs, "{}", told);
        let agent = printed("identityagent").filter(|agent| agent.starts_with('/'));
        if let Some(agent) = agent {
            prop_assert_eq!(ours.agent, Some(PathBuf::from(agent)), "{}", told);
        }
        Ok(())
    });
}

#[tokio::test]
async fn what_the_address_says_wins_and_what_is_given_is_not_added_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    let text = "Host *\nUser larry\nPort 24\nIdentityFile /of/ssh\nUserKnownHostsFile /of/ssh\n";
    fs::write(&file, text).unwrap();
    let settings = SshSettings {
        known_hosts_of_ssh: false,
        identity_files: Some(vec![PathBuf::from("/given")]),
        ..following(file)
    };
    let target = resolve(&address("ssh://web1"), &settings).await.unwrap();
    assert_eq!((&*target.user, target.port), ("larry", 24));
    assert_eq!(target.identity_files, [PathBuf::from("/given")]);
    assert!(target.identities_only);
    assert_eq!(target.known_hosts, [PathBuf::from("/own/known_hosts")]);
    let target = resolve(&address("ssh://moe@web1:25"), &settings)
        .await
        .unwrap();
    assert_eq!((&*target.user, target.port), ("moe", 25));
}

#[tokio::test]
async fn a_configuration_that_cannot_be_followed_is_an_error_that_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    for (text, expected) in [
        ("Host *\nNoSuchKeyword 1\n", "nosuchkeyword"),
        ("Host *\nProxyJump web1\n", "loop"),
        ("Host *\nRevokedHostKeys /krl\n", "@revoked"),
        ("Host *\nKnownHostsCommand /bin/true\n", "KnownHostsCommand"),
        ("Host *\nUserKnownHostsFile a b\n", "absolute path"),
        (
            "Host *\nHostName $(id)\n",
            "neither a name nor an IP address",
        ),
        (
            "Host web1\nProxyJump web2\nHost web2\nProxyJump web1\n",
            "more than 8",
        ),
    ] {
        fs::write(&file, text).unwrap();
        let error = resolve(&address("ssh://web1"), &following(file.clone())).await;
        let error = error.unwrap_err();
        assert!(error.to_string().contains(expected), "{text}: {error}");
        assert!(!error.is_transient());
    }
    let missing = following(folder.path().join("missing"));
    let error = resolve(&address("ssh://web1"), &missing).await.unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
}
