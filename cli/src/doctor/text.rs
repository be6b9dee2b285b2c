//! What was found, for people.

use std::fmt::Write as _;

use gentoo_updater_fleet::doctor::{Area, Diagnosis, Finding, Subject};
use gentoo_updater_fleet::words::counted;

/// All that was found, area by area and subject by subject.
pub(super) fn text(diagnosis: &Diagnosis) -> String {
    let mut text = String::new();
    for area in Area::ALL {
        let findings: Vec<&Finding> = diagnosis
            .findings
            .iter()
            .filter(|finding| finding.area == area)
            .collect();
        let good: Vec<&Subject> = diagnosis.good(area).collect();
        if findings.is_empty() && good.is_empty() {
            continue;
        }
        text.push_str(title(area));
        text.push('\n');
        let mut told = None;
        for finding in findings {
            if told != Some(&finding.subject) {
                line(&mut text, 2, &finding.subject.to_string());
                told = Some(&finding.subject);
            }
            tell(&mut text, finding);
        }
        if !good.is_empty() {
            let names: Vec<String> = good.iter().map(ToString::to_string).collect();
            line(&mut text, 2, &format!("well: {}", names.join(", ")));
        }
        text.push('\n');
    }
    let Diagnosis {
        errors,
        warnings,
        notes,
        ..
    } = diagnosis;
    let numbers = [(errors, "error"), (warnings, "warning"), (notes, "note")];
    let numbers = numbers.map(|(number, noun)| counted(*number, noun));
    line(&mut text, 0, &numbers.join(", "));
    text
}

fn tell(text: &mut String, finding: &Finding) {
    let (severity, code) = (finding.severity.as_str(), finding.kind.code());
    line(text, 4, &format!("{severity}: {} [{code}]", finding.found));
    line(text, 6, &format!("why: {}", finding.why));
    line(text, 6, &format!("remedy: {}", finding.remedy.text));
    if let Some(command) = &finding.remedy.command {
        line(text, 8, command);
    }
}

fn line(text: &mut String, indent: usize, words: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{:indent$}{words}", "");
}

fn title(area: Area) -> &'static str {
    match area {
        Area::Configuration => "Configuration",
        Area::Broker => "Broker",
        Area::Stores => "Stores",
        Area::Trees => "Ebuild trees",
        Area::Builders => "Builders",
        Area::Guests => "Guests",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gentoo_updater_fleet::config::load;
    use gentoo_updater_fleet::doctor::{
        BrokerFacts, BrokerFault, ConfigurationFacts, Facts, diagnose,
    };
    use gentoo_updater_fleet::message::{Failure, FailureClass};

    use super::*;
    use crate::testing::{golden, golden_text};

    fn diagnosis() -> Diagnosis {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("fleet.toml");
        let text = "[broker]\nurl = \"amqps://fleet:secret@mq/fleet\"\n\
                    [builders.b1]\naddress = \"ssh://b1\"\n[guests.g1]\naddress = \"ssh://g1\"\n";
        std::fs::write(&file, text).unwrap();
        let settings = load(&file).unwrap();
        let failure =
            |cause: &str, message: &str| Err(Failure::new(FailureClass::Permanent, cause, message));
        let machines = [
            (
                Subject::Guest("g1".parse().unwrap()),
                failure(
                    "HostKeyUnknown",
                    "the host key of ssh://root@g1:22 is not known",
                ),
            ),
            (
                Subject::Builder("b1".parse().unwrap()),
                failure("TimedOut", "it did not answer within 60 s"),
            ),
        ];
        let facts = Facts {
            now: 1_800_000_000,
            configuration: Some(ConfigurationFacts {
                path: "/etc/gentoo-updater/fleet.toml".into(),
                ..ConfigurationFacts::default()
            }),
            broker: Some(BrokerFacts {
                vhost: "fleet".to_owned(),
                is_separate: false,
                version: None,
                certificate: None,
                reached: Err(BrokerFault::Unreachable("Connection refused".to_owned())),
            }),
            machines: BTreeMap::from(machines),
            ..Facts::default()
        };
        diagnose(&settings, &facts, &Area::ALL.into())
    }

    #[test]
    fn findings_are_told_by_area_with_their_remedies_and_a_count() {
        golden_text("doctor.txt", &text(&diagnosis()));
    }

    #[test]
    fn programs_read_the_same_as_a_document() {
        golden("doctor", &diagnosis());
    }
}
