use gentoo_updater_fleet::message::{Failure, FailureClass};
use gentoo_updater_runtime::signing::{Key, State};

use super::builders::{Answers, Asked};
use super::document::PublicDocument;
use super::of;
use crate::testing::{golden, golden_text};

const NOW: u64 = 1_790_000_000;
const DAY: u64 = 24 * 3600;

fn key(digit: char, state: State, days: Option<u64>) -> Key {
    Key {
        fingerprint: digit.to_string().repeat(40).parse().unwrap(),
        name: "gentoo-updater b".to_owned(),
        created: NOW - 100 * DAY,
        expires: days.map(|days| NOW + days * DAY + 7),
        state,
    }
}

async fn asked(name: &str, keys: Vec<Key>) -> Asked {
    use gentoo_updater_hosts::{HostAddress, SshSettings, connect};
    let settings = SshSettings::default();
    Asked {
        name: name.parse().unwrap(),
        platform: "default".parse().unwrap(),
        host: connect(&HostAddress::Local, &settings).await.unwrap(),
        keys,
    }
}

#[tokio::test]
async fn keys_are_shown_with_their_end_and_the_builders_that_have_none_and_those_that_are_silent() {
    let mut revoked = key('3', State::Revoked, Some(500));
    revoked.created = NOW - DAY;
    let b1 = vec![
        key('1', State::InUse, Some(29)),
        key('2', State::Former, Some(400)),
        revoked,
    ];
    let b3 = vec![key('5', State::InUse, None)];
    let b4 = vec![Key {
        expires: Some(NOW - 3 * DAY),
        ..key('6', State::Expired, None)
    }];
    let silent = Failure::new(FailureClass::Transient, "Unreachable", "no route to b9");
    let answers = Answers {
        asked: vec![
            asked("b1", b1).await,
            asked("b2", Vec::new()).await,
            asked("b3", b3).await,
            asked("b4", b4).await,
        ],
        failed: [("b9".parse().unwrap(), silent)].into(),
    };
    let (document, without) = of(&answers, NOW);
    golden("store_keys_list", &document);
    golden_text("store_keys_list.txt", &document.to_text(&without));
    let exported = answers.asked[0].to_export();
    assert_eq!(exported.len(), 3, "a guest learns what is revoked");
    assert_eq!(answers.asked[0].trusted().count(), 2);
}

#[test]
fn a_guest_is_told_what_to_do_with_the_keys() {
    let document = PublicDocument {
        trusted: vec![
            "1".repeat(40).parse().unwrap(),
            "2".repeat(40).parse().unwrap(),
        ],
        armored: "-----BEGIN PGP PUBLIC KEY BLOCK-----\n…\n".to_owned(),
    };
    golden_text("store_keys_show.txt", &document.to_text());
}
