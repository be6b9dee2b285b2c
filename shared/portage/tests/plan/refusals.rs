//! Outputs in another form: an error that leads to the remedy.

use gentoo_updater_portage::plan::{PlanError, parse};

use crate::{read, recording};

#[test]
fn an_output_in_another_form_is_an_error_that_names_the_option() {
    for (name, words) in [
        ("c-quiet", "--quiet"),
        ("za-nothing-quiet", "--quiet"),
        ("f-binary-quiet-rows", "--quiet"),
        ("l-defopt--quiet", "--quiet"),
        ("f-noverbose", "without --verbose"),
        ("a-op-hello", "without --verbose"),
        ("d-columns", "--columns"),
        ("e-columns-noverbose", "--columns"),
        ("l-defopt--columns", "--columns"),
    ] {
        let error = read(name).unwrap_err().to_string();
        assert!(error.contains(words), "{name}: {error}");
    }
}

#[test]
fn what_other_actions_print_is_no_plan() {
    for name in [
        "e-depclean-p",
        "e2-depclean-p-cpv",
        "e6-depclean-quiet-p",
        "p4-guest-depclean",
    ] {
        assert!(read(name).is_err(), "{name}");
    }
    for text in ["", "\n", "garbage\n", "bash: emerge: command not found\n"] {
        for status in [0, 127] {
            let error = parse(text, "", status).unwrap_err();
            assert_eq!(error, PlanError::NotCalculated { status }, "{text:?}");
        }
    }
}

#[test]
fn two_lists_are_no_plan() {
    let first = recording("a-NDpuv1-plain").stdout;
    let second = recording("w-interactive").stdout;
    for both in [first.clone() + &second, second + &first] {
        let error = parse(&both, "", 0).unwrap_err();
        assert!(
            matches!(&error, PlanError::Line { reason, .. } if reason.contains("after the end")),
            "{error}"
        );
    }
}

#[test]
fn an_error_names_the_line_and_its_number() {
    let stdout = recording("a-NDpuv1-plain")
        .stdout
        .replace("[1.0:0/1::gentoo]", "[1.0:0/1::gen/too]");
    let number = 1 + stdout
        .lines()
        .position(|line| line.contains("gen/too"))
        .unwrap();
    let PlanError::Line {
        number: found,
        line,
        reason,
    } = parse(&stdout, "", 0).unwrap_err()
    else {
        panic!("another error")
    };
    assert_eq!(found, number);
    assert!(
        line.starts_with("[ebuild  r  U  ] dev-libs/libalpha-2.0"),
        "{line}"
    );
    assert!(reason.contains("\"gen/too\""), "{reason}");
}
