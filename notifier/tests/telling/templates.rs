//! Templates of the operator's own.

use std::path::Path;

use gentoo_updater_notifier::{check, files};
use tempfile::TempDir;

use crate::scene::settings;

#[test]
fn templates_that_cannot_be_used_are_found_before_anything_is_told() {
    let folder = TempDir::new().unwrap();
    let template = folder.path().join("text.jinja");
    let checked = |source: &str| {
        std::fs::write(&template, source).unwrap();
        let text = format!(
            "[notifications.ops]\ntype = \"command\"\ncommand = [\"/bin/true\"]\ntext_template = \
             {template:?}\n"
        );
        let settings = settings(folder.path(), &text);
        let (name, notification) = settings.notifications.iter().next().unwrap();
        check(&settings, name, notification).map_err(|error| error.to_string())
    };
    checked("{{ headline }} {% if run %}{{ run.short }}{% endif %}").unwrap();
    for source in ["{{ headline", "{{ headlin }}", "{% if run %}"] {
        let error = checked(source).unwrap_err();
        let words = ["notifications.ops", "template of the text", "line 1"];
        let has_all = words.iter().all(|words| error.contains(words));
        assert!(has_all, "{source}: {error}");
    }
}

/// What `check` says of a subject that is told at these occasions.
fn check_subject(on: &str, subject: &str) -> Result<(), String> {
    let folder = TempDir::new().unwrap();
    let text = format!(
        "[notifications.ops]\ntype = \"command\"\ncommand = [\"/bin/true\"]\non = [{on}]\nsubject = {subject:?}\n"
    );
    let settings = settings(folder.path(), &text);
    let (name, notification) = settings.notifications.iter().next().unwrap();
    check(&settings, name, notification).map_err(|error| error.to_string())
}

#[test]
fn templates_are_tried_with_what_each_occasion_brings_and_with_nothing_else() {
    for (on, subject) in [
        (r#""finished", "failed""#, "run {{ run.short }} is over"),
        (
            r#""finished""#,
            "{{ run.report.guests.g1.outcome }} {{ occasion }}",
        ),
        (r#""missed""#, "{{ missed.schedule }} {{ missed.count }}"),
        (r#""needs_attention""#, "{{ attention.what }}"),
    ] {
        check_subject(on, subject).unwrap();
    }
    for (on, subject) in [
        (r#""failed""#, "{% if run %}{{ run.shorty }}{% endif %}"),
        (r#""finished""#, "{{ run.report.gests.g1 }}"),
        // A run that is over has failed, too, where all of them are told.
        (
            r#""finished""#,
            "{% if occasion == 'failed' %}{{ run.shorty }}{% endif %}",
        ),
        (
            r#""missed""#,
            "{% if missed %}{{ missed.scedule }}{% endif %}",
        ),
        (r#""needs_attention", "failed""#, "{{ run.short }}"),
    ] {
        let error = check_subject(on, subject).unwrap_err();
        assert!(error.contains("undefined"), "{subject}: {error}");
    }
}

#[test]
fn addresses_that_are_none_are_found_before_anything_is_told() {
    let folder = TempDir::new().unwrap();
    for (from, to) in [("nobody", "ops@example.net"), ("fleet@example.net", "a b")] {
        let text = format!(
            "[notifications.ops]\ntype = \"mail\"\nserver = \"smtp.example.net\"\nfrom = {from:?}\nto = \
             [{to:?}]\n"
        );
        let settings = settings(folder.path(), &text);
        let (name, notification) = settings.notifications.iter().next().unwrap();
        let error = check(&settings, name, notification)
            .unwrap_err()
            .to_string();
        assert!(error.contains("is no address of mail"), "{error}");
    }
}

#[test]
fn whoever_tells_has_to_read_secrets_authorities_and_templates() {
    let folder = TempDir::new().unwrap();
    let keys = "ca = \"/ca\"\ntext_template = \"/text\"\nhtml_template = \"/html\"\n";
    for (own, expected) in [
        (
            "type = \"webhook\"\nurl_file = \"/url\"\nsecret_file = \"/secret\"\n",
            &["/secret", "/url", "/ca", "/text", "/html"][..],
        ),
        (
            "type = \"mail\"\nserver = \"mx.example.net\"\nuser = \"fleet\"\npassword_file = \
             \"/password\"\nfrom = \"a@example.net\"\nto = [\"b@example.net\"]\n",
            &["/password", "/ca", "/text", "/html"],
        ),
    ] {
        let settings = settings(folder.path(), &format!("[notifications.ops]\n{own}{keys}"));
        let notification = settings.notifications.values().next().unwrap();
        let expected: Vec<&Path> = expected.iter().map(Path::new).collect();
        assert_eq!(files(notification), expected);
    }
}
