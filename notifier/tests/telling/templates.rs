//! Templates of the operator's own.

use gentoo_updater_notifier::Rendering;
use tempfile::TempDir;

use crate::scene::settings;

#[test]
fn templates_that_cannot_be_used_are_found_before_anything_is_told() {
    let folder = TempDir::new().unwrap();
    let template = folder.path().join("text.jinja");
    let check = |source: &str| {
        std::fs::write(&template, source).unwrap();
        let text = format!(
            "[notifications.ops]\ntype = \"command\"\ncommand = [\"/bin/true\"]\ntext_template = \
             {template:?}\n"
        );
        let settings = settings(folder.path(), &text);
        let (name, notification) = settings.notifications.iter().next().unwrap();
        Rendering::check(name, notification).map_err(|error| error.to_string())
    };
    check("{{ headline }} {% if run %}{{ run.short }}{% endif %}").unwrap();
    for source in ["{{ headline", "{{ headlin }}", "{% if run %}"] {
        let error = check(source).unwrap_err();
        let words = ["notifications.ops", "template of the text", "line 1"];
        let has_all = words.iter().all(|words| error.contains(words));
        assert!(has_all, "{source}: {error}");
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
        let error = Rendering::check(name, notification)
            .unwrap_err()
            .to_string();
        assert!(error.contains("is no address of mail"), "{error}");
    }
}
