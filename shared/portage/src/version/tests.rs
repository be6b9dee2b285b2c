use super::*;
use proptest::prelude::*;

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

#[test]
fn the_grammar_is_that_of_pms() {
    for text in [
        "0",
        "1",
        "1.0",
        "01.002.3",
        "1a",
        "1.2b",
        "1_alpha",
        "1_alpha1",
        "1.2.3b_rc4_p5-r6",
        "1-r0",
        "1_pre_p_beta2",
        "20261122",
        "9999",
        "1.0-r00012",
        "123456789012345678901234567890.1",
    ] {
        assert_eq!(version(text).to_string(), text);
    }
    for text in [
        "",
        "a",
        "1.",
        ".1",
        "1..2",
        "1ab",
        "1A",
        "1_",
        "1_foo",
        "1_alphabet",
        "1-r",
        "1-1",
        "1-r1-r2",
        "1.0-r1a",
        "1 ",
        "1.0_p-1",
        "-1",
        "1a.2",
        "1b2",
        "1+",
        "1.0-3",
        "1_p1.2",
    ] {
        assert!(text.parse::<Version>().is_err(), "{text:?} was accepted");
    }
}

#[test]
fn the_order_is_that_of_portage() {
    // Each line ascends strictly. From PMS 3.3 and from Portage's own test of vercmp.
    for line in [
        "0 1 2 9 10 11 100",
        "1 1.0 1.0.0 1.1",
        "1.001 1.002 1.01 1.02 1.1 1.2 1.10",
        "1.0 1.01 1.1 1.9 1.10",
        "6.0 6.1 6.1a 6.1b 6.1.1",
        "12.2 12.2b 12.2.5",
        "1_alpha 1_alpha1 1_alpha2 1_beta 1_pre 1_rc 1 1_p 1_p1 1_p2 1a 1b 1.0",
        "1_alpha_alpha 1_alpha_beta 1_alpha 1_alpha_p 1_alpha_p1",
        "1.0_rc1 1.0_rc2 1.0_rc10 1.0 1.0-r1 1.0-r2 1.0-r10 1.0_p0",
        "1.0_pre20040101 1.0_pre20040102 1.0",
        "2.9.9.99999999999999999999 2.9.9.100000000000000000000",
        "1.0.1 1.0.1_p1_alpha 1.0.1_p1 1.0.1_p1-r1",
        "4.0 5",
        "5.0 5.0.0",
        "0.09 0.1 0.9 0.10",
    ] {
        let versions: Vec<Version> = line.split(' ').map(version).collect();
        for (i, a) in versions.iter().enumerate() {
            for (j, b) in versions.iter().enumerate() {
                assert_eq!(a.vercmp(b), i.cmp(&j), "{a} against {b}");
                assert_eq!(a.cmp(b), i.cmp(&j), "{a} against {b}");
            }
        }
    }
}

#[test]
fn versions_that_pms_calls_equal_are_still_different_texts() {
    for (a, b) in [
        ("1.0", "1.0-r0"),
        ("1.0", "1.00"),
        ("1", "01"),
        ("1_p", "1_p0"),
        ("1-r1", "1-r01"),
        ("1.010", "1.01"),
        ("1_alpha", "1_alpha0"),
        ("1_p00", "1_p"),
        ("0", "000"),
    ] {
        let (a, b) = (version(a), version(b));
        assert_eq!(a.vercmp(&b), Ordering::Equal, "{a} against {b}");
        assert_ne!(a, b);
        assert_ne!(a.cmp(&b), Ordering::Equal);
    }
}

proptest! {
    #[test]
    fn order_is_total_and_consistent(
        a in "[0-9]{1,2}(\\.0?[0-9]{1,2}){0,2}[ab]?(_(alpha|beta|pre|rc|p)[0-2]?){0,2}(-r[0-2])?",
        b in "[0-9]{1,2}(\\.0?[0-9]{1,2}){0,2}[ab]?(_(alpha|beta|pre|rc|p)[0-2]?){0,2}(-r[0-2])?",
        c in "[0-9]{1,2}(\\.0?[0-9]{1,2}){0,2}[ab]?(_(alpha|beta|pre|rc|p)[0-2]?){0,2}(-r[0-2])?",
    ) {
        let (a, b, c) = (version(&a), version(&b), version(&c));
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a.cmp(&b) == Ordering::Equal, a == b);
        if a.vercmp(&b).is_le() && b.vercmp(&c).is_le() {
            prop_assert!(a.vercmp(&c).is_le());
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,20}") {
        let _ = text.parse::<Version>();
    }
}
