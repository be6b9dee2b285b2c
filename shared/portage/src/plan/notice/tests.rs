use super::*;

fn kinds(text: &str) -> Vec<NoticeKind> {
    parse(text.lines())
        .into_iter()
        .map(|notice| notice.kind)
        .collect()
}

#[test]
fn a_warning_that_is_not_known_does_not_hide_behind_one_that_is() {
    let text = "\n!!! Problems have been detected with your world file\n\
                !!! Please run emaint --check world\n\n\n\
                !!! Ebuilds for the following packages are either all\n\
                !!! masked or don't exist:\napp-misc/gone =app-misc/far-1:2\n\
                !!! Something new\n!!! of two lines\n\nWARNING: and another\n\nwords\n";
    let notices = parse(text.lines());
    assert_eq!(notices.len(), 4);
    let atoms = ["app-misc/gone", "=app-misc/far-1:2"].map(|atom| atom.parse().unwrap());
    let expected = NoticeKind::WorldAtomWithoutEbuild {
        atoms: atoms.into(),
    };
    assert_eq!(notices[0].kind, expected);
    assert_eq!(notices[1].kind, NoticeKind::Unrecognised);
    assert_eq!(notices[1].text, "!!! Something new\n!!! of two lines");
    assert_eq!(notices[2].kind, NoticeKind::Unrecognised);
    assert_eq!(notices[3].kind, NoticeKind::Noise);
}

#[test]
fn a_world_file_problem_without_its_atoms_is_not_forgotten() {
    let problem = "!!! Problems have been detected with your world file\n";
    assert_eq!(kinds(problem), [NoticeKind::Unrecognised]);
    let without_atoms =
        format!("{problem}\n!!! Ebuilds for the following packages are either all\n!!! masked or");
    assert_eq!(
        kinds(&without_atoms),
        [NoticeKind::Unrecognised, NoticeKind::Unrecognised]
    );
}

#[test]
fn numbers_of_news_and_configuration_files_do_not_matter() {
    let text = " * IMPORTANT: 12 news items need reading for repository 'gentoo'.\n\
                * Use eselect news read to view new items.\n\n\
                * IMPORTANT: 3 config files in '/etc' need updating.\n";
    assert_eq!(
        kinds(text),
        [NoticeKind::NewsUnread, NoticeKind::ConfigurationFiles]
    );
}

#[test]
fn a_notice_reads_as_json_with_its_kind() {
    let notice = Notice {
        kind: NoticeKind::SlotConflict {
            packages: Vec::new(),
        },
        text: "x".into(),
    };
    let json = serde_json::to_string(&notice).unwrap();
    assert_eq!(json, r#"{"kind":"slot_conflict","packages":[],"text":"x"}"#);
    assert_eq!(serde_json::from_str::<Notice>(&json).unwrap(), notice);
}

#[test]
fn binaries_of_a_server_that_are_left_aside_are_an_objection() {
    for line in [
        "[lab Remote XPAK packages in 'http://a' are ignored due to 'binpkg-request-signature'.",
        "[lab] Remote XPAK packages in 'http://a' are ignored due to 'binpkg-request-signature'.",
        "[my lab] Remote XPAK binpkgs in 'http://a' ignored: signatures are missing (FEATURES=x).",
    ] {
        assert_eq!(kinds(line), [NoticeKind::BinaryUnusable], "{line}");
    }
    let copy = "[lab] Local copy of remote index is up-to-date and will be used.";
    assert_eq!(kinds(copy), [NoticeKind::Noise]);
}
