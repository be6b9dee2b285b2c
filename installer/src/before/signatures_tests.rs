//! The lines of gpg are those of gpg 2.2.40 below Portage 3.0.83.

use std::path::PathBuf;

use super::*;
use crate::proof::tests::{order, package};

const KEY: &str = "39BB337317CC843D42E1BF6263136F93CB577C76";
const GOOD: [&str; 4] = [
    "[GNUPG:] NEWSIG",
    "[GNUPG:] GOODSIG 63136F93CB577C76 gentoo-updater b1",
    "[GNUPG:] VALIDSIG 39BB337317CC843D42E1BF6263136F93CB577C76 2026-11-27 1795787574 0 4 0 22 10 00 39BB337317CC843D42E1BF6263136F93CB577C76",
    "[GNUPG:] TRUST_ULTIMATE 0 pgp",
];
const FOREIGN: [&str; 3] = [
    "[GNUPG:] PLAINTEXT 74 0 ",
    "[GNUPG:] ERRSIG 63136F93CB577C76 22 10 01 1795786050 9 39BB337317CC843D42E1BF6263136F93CB577C76",
    "[GNUPG:] NO_PUBKEY 63136F93CB577C76",
];
const EXPIRED: [&str; 4] = [
    "[GNUPG:] KEYEXPIRED 1767312000",
    "[GNUPG:] EXPKEYSIG 63136F93CB577C76 other",
    "gpg: Good signature from \"other\" [expired]",
    "[GNUPG:] VALIDSIG 39BB337317CC843D42E1BF6263136F93CB577C76 2026-01-01 1767229200 0 4 0 22 10 01 39BB337317CC843D42E1BF6263136F93CB577C76",
];
const REVOKED: [&str; 3] = [
    "[GNUPG:] REVKEYSIG 63136F93CB577C76 other",
    "[GNUPG:] KEYREVOKED",
    "[GNUPG:] TRUST_ULTIMATE 0 pgp",
];
const UNSIGNED: [&str; 3] = [
    "gpg: no valid OpenPGP data found.",
    "[GNUPG:] NODATA 1",
    "[GNUPG:] NODATA 2",
];
const NO_HOME: &str = "[GNUPG:] ERROR add_keyblock_resource 33587281";

fn answer(path: &str, refused: Option<&str>, status: &[&str]) -> Verified {
    Verified {
        path: format!("/store/{path}"),
        refused: refused.map(str::to_owned),
        words: "GnuPG verification failed".to_owned(),
        status: status.iter().map(|line| (*line).to_owned()).collect(),
    }
}

fn demands() -> Demands {
    Demands {
        requires: true,
        home: PathBuf::from("/root/keys"),
    }
}

fn judged(answers: &[Verified]) -> Result<(), Failure> {
    let order = order(vec![package("app-misc/hello-2.0", 3, &[])]);
    judge(answers, &order, Path::new("/store"), &demands())
}

#[test]
fn each_reason_to_refuse_a_binary_has_its_own_cause_and_its_own_remedy() {
    let invalid = Some("InvalidSignature");
    let bad = ["[GNUPG:] BADSIG 63136F93CB577C76 gentoo-updater b1"];
    let untrusted = [GOOD[1], GOOD[2], "[GNUPG:] TRUST_UNDEFINED 0 pgp"];
    let nowhere = [&[NO_HOME][..], &FOREIGN].concat();
    let cases: [(Option<&str>, &[&str], &str, &str); 11] = [
        (invalid, &UNSIGNED, "SignatureMissing", "sign = true"),
        (
            Some("MissingSignature"),
            &GOOD,
            "SignatureMissing",
            "store keys sign",
        ),
        (invalid, &FOREIGN, "SignatureForeign", "store keys teach"),
        (
            invalid,
            &untrusted,
            "SignatureUntrusted",
            "store keys teach",
        ),
        (invalid, &EXPIRED, "SignatureExpired", "store keys rotate"),
        (
            invalid,
            &["[GNUPG:] EXPSIG 63136F93CB577C76 b1"],
            "SignatureExpired",
            "clock",
        ),
        (
            invalid,
            &bad,
            "SignatureInvalid",
            "changed after they were signed",
        ),
        (
            Some("DigestException"),
            &GOOD,
            "SignatureInvalid",
            "changed after",
        ),
        (invalid, &REVOKED, "KeyRevoked", "store keys retire"),
        (invalid, &nowhere, "VerificationUnusable", "/root/keys"),
        (
            Some("PermissionError"),
            &[],
            "VerificationUnusable",
            "/root/keys",
        ),
    ];
    for (refused, status, cause, words) in cases {
        let path = "app-misc/hello/hello-2.0-3.gpkg.tar";
        let failure = judged(&[answer(path, refused, status)]).unwrap_err();
        assert_eq!(failure.cause, cause, "{status:?}");
        assert_eq!(failure.class, FailureClass::Permanent);
        for words in [words, path, "nothing was touched"] {
            assert!(failure.message.contains(words), "{words}: {failure}");
        }
        let names_key = failure.message.contains(KEY);
        assert_eq!(
            names_key,
            [&FOREIGN[..], &untrusted, &EXPIRED, &nowhere].contains(&status)
                || (cause == "SignatureInvalid" && status == GOOD),
            "{failure}"
        );
    }
}

#[test]
fn all_binaries_are_named_and_the_gravest_reason_is_the_cause() {
    let good = answer("a/a/a-1-1.gpkg.tar", None, &GOOD);
    judged(std::slice::from_ref(&good)).unwrap();
    let mut answers = vec![
        good,
        answer("a/r/r-1-1.gpkg.tar", Some("InvalidSignature"), &REVOKED),
    ];
    for number in 0..12 {
        let path = format!("a/u/u-1-{number}.gpkg.tar");
        answers.push(answer(&path, Some("InvalidSignature"), &UNSIGNED));
    }
    let xpak = answer("a/x/x-1-1.xpak", Some("InvalidBinaryPackageFormat"), &[]);
    answers.insert(0, xpak);
    let failure = judged(&answers).unwrap_err();
    assert_eq!(failure.cause, "KeyRevoked");
    for words in [
        "a/r/r-1-1",
        "not signed: a/x/x-1-1.xpak, a/u/u-1-0",
        "and 3 more",
    ] {
        assert!(failure.message.contains(words), "{words}: {failure}");
    }
    assert!(!failure.message.contains("a/a/a-1-1"), "{failure}");
}

#[test]
fn what_emerge_prints_in_the_middle_tells_the_same() {
    let order = order(vec![package("app-misc/hello-2.0", 3, &[])]);
    let log = |lines: &[&str], end: &str| {
        let lines: Vec<String> = lines.iter().map(|line| format!(" * \t{line}\n")).collect();
        format!(
            ">>> Extracting info\n * Binary package is not usable (verification failed):\n{}{end}\n",
            lines.concat()
        )
    };
    let end = "!!! Error extracting '/store/dev-libs/slotted/slotted-2.0-2.gpkg.tar', GnuPG verification failed";
    let failure = refused_in(&log(&EXPIRED, end), &order).unwrap();
    assert_eq!(failure.cause, "SignatureExpired");
    assert!(failure.message.contains(KEY), "{failure}");
    assert_eq!(
        refused_in(&log(&FOREIGN, end), &order).unwrap().cause,
        "SignatureForeign"
    );
    // So it is printed where nobody requires signatures, and all is well.
    let ignored = log(&FOREIGN, ">>> Extracting dev-libs/tinyhdr-1.0");
    assert_eq!(refused_in(&ignored, &order), None);
}
