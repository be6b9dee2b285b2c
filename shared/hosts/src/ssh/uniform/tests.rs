use std::time::Instant;

use super::super::configuration::Question;
use super::*;
use crate::address::{HostAddress, SshAddress};
use crate::host::{SshConfiguration, SshSettings};

fn address(host: &str) -> SshAddress {
    match format!("ssh://{host}").parse().unwrap() {
        HostAddress::Ssh(address) => address,
        HostAddress::Local => panic!("not ssh"),
    }
}

fn settings(file: &Path) -> SshSettings {
    SshSettings {
        configuration: SshConfiguration::File(file.to_owned()),
        ..SshSettings::default()
    }
}

/// What one machine's answer tells of others, once the file is old enough to tell.
async fn known(file: &Path) -> Kept {
    let (address, settings) = (address("root@web1"), settings(file));
    let question = Question::new(&address, &settings, None);
    let kept = kept(&question.call(Some(file), &[]), "web1").unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        question.ask().await.unwrap().unwrap();
        if kept.lock().await.is_some() {
            return kept;
        }
        assert!(Instant::now() < deadline, "nothing is kept");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn what_is_said_of_another_machine_is_what_ssh_says_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    let text = "Host *\nPort 24\nProxyJump larry@jump\nIdentityFile ~/.ssh/fleet\n";
    fs::write(&file, text).unwrap();
    let kept = known(&file).await;
    let (web2, settings) = (address("root@web2"), settings(&file));
    let question = Question::new(&web2, &settings, None);
    let asked = question.ask_ssh(&question.call(Some(&file), &[])).await;
    let told = kept.lock().await.as_ref().unwrap().of("web2");
    assert_eq!(told.unwrap(), asked.unwrap().0);
}

#[tokio::test]
async fn a_change_of_a_file_is_noticed_at_once_and_a_new_one_in_a_folder_too() {
    let folder = tempfile::tempdir().unwrap();
    let (file, more) = (folder.path().join("config"), folder.path().join("more"));
    fs::create_dir(&more).unwrap();
    let include = format!("Include {}/*\nHost *\nPort 24\n", more.display());
    fs::write(&file, include).unwrap();
    let (web2, settings) = (address("root@web2"), settings(&file));
    let question = Question::new(&web2, &settings, None);
    for port in ["25", "26"] {
        let kept = known(&file).await;
        assert!(kept.lock().await.as_ref().unwrap().of("web2").is_some());
        fs::write(more.join("port"), format!("Port {port}\n")).unwrap();
        let answer = question.ask().await.unwrap().unwrap();
        assert_eq!(answer.get("port"), Some(port));
    }
}

#[tokio::test]
async fn where_machines_differ_each_is_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    fs::write(&file, "Host web1\nPort 24\nHost web2\nPort 25\n").unwrap();
    let kept = known(&file).await;
    assert!(kept.lock().await.as_ref().unwrap().of("web2").is_none());
    let (web2, settings) = (address("root@web2"), settings(&file));
    let question = Question::new(&web2, &settings, None);
    let answer = question.ask().await.unwrap().unwrap();
    assert_eq!(answer.get("port"), Some("25"));
}

fn line(text: &str) -> Line {
    judge(text, Path::new("/etc/ssh"))
}

#[test]
fn a_line_that_may_say_something_else_of_another_machine_differs() {
    for same in [
        "",
        "# Host web1",
        "Host *",
        "host=*",
        "  SendEnv LANG LC_*",
        "User larry",
        "IdentityFile ~/.ssh/fleet",
        "ProxyJump jump",
    ] {
        assert_eq!(line(same), Line::Same, "{same}");
    }
    for differs in [
        "Host web1",
        "Host * !web1",
        "HOST web*",
        "Match all",
        "Match exec \"true\"",
        "IdentityFile ~/.ssh/%h",
        "HostName %h.example.net",
        "CanonicalizeHostname yes",
        "Include conf.d/*/x",
        "Include ~larry/config",
    ] {
        assert_eq!(line(differs), Line::Differs, "{differs}");
    }
    let included = |text| match line(text) {
        Line::Includes(folders) => folders,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        included("Include conf.d/*.conf"),
        [Path::new("/etc/ssh/conf.d")]
    );
    assert_eq!(
        included("include \"/a/b\" /c/*"),
        [Path::new("/a"), Path::new("/c")]
    );
}

#[test]
fn what_ssh_writes_in_another_way_is_asked_about() {
    for plain in ["web1", "web-1.example.net", "10.0.0.7"] {
        assert!(is_plain(plain), "{plain}");
    }
    for other in ["Web1", "::1", "10.7", "0x7f.1", "010.0.0.7", "größe", ""] {
        assert!(!is_plain(other), "{other}");
    }
}
