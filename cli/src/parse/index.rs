//! `parse index`: what a store holds.

use gentoo_updater_fleet::words::counted;
use gentoo_updater_portage::build_key::HexDigest;
use gentoo_updater_portage::cpv::Cpv;
use gentoo_updater_portage::name::{RepositoryName, Slot, UseFlag};
use gentoo_updater_portage::packages_index::{Entry, PackagesIndex};
use serde::Serialize;

use super::arguments::IndexOptions;
use super::{NotUnderstood, input};
use crate::output;

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct IndexDocument<'a> {
    /// When the index was written, in seconds since 1970.
    timestamp: u64,
    packages: Vec<EntryDocument<'a>>,
}

/// One binary package.
#[derive(Debug, Serialize)]
struct EntryDocument<'a> {
    cpv: &'a Cpv,
    build_id: Option<u32>,
    /// When it was built, in seconds since 1970.
    build_time: Option<u64>,
    slot: &'a Slot,
    /// `null` where it is the same as the slot.
    subslot: Option<&'a Slot>,
    repository: Option<&'a RepositoryName>,
    /// Of the flags of its IUSE.
    #[serde(rename = "use")]
    flags: Flags,
    /// Below the store.
    path: String,
    size_bytes: u64,
    md5: Option<&'a HexDigest>,
    sha1: Option<&'a HexDigest>,
    chost: Option<&'a str>,
    eapi: &'a str,
    /// The dependencies, each as text in which `:=` holds what was bound; empty where there is none.
    bdepend: &'a str,
    depend: &'a str,
    idepend: &'a str,
    pdepend: &'a str,
    rdepend: &'a str,
}

#[derive(Debug, Serialize)]
struct Flags {
    enabled: Vec<UseFlag>,
    disabled: Vec<UseFlag>,
}

impl<'a> From<&'a Entry> for EntryDocument<'a> {
    fn from(entry: &'a Entry) -> Self {
        let (enabled, disabled): (Vec<_>, Vec<_>) =
            entry.use_of_iuse().into_iter().partition(|(_, on)| *on);
        let names = |flags: Vec<(UseFlag, bool)>| flags.into_iter().map(|(flag, _)| flag).collect();
        let (slot, subslot) = (&entry.slot.slot, &entry.slot.subslot);
        Self {
            cpv: &entry.cpv,
            build_id: entry.build_id,
            build_time: entry.build_time,
            slot,
            subslot: (subslot != slot).then_some(subslot),
            repository: entry.repository.as_ref(),
            flags: Flags {
                enabled: names(enabled),
                disabled: names(disabled),
            },
            path: entry.path_in_store(),
            size_bytes: entry.size,
            md5: entry.md5.as_ref(),
            sha1: entry.sha1.as_ref(),
            chost: entry.chost.as_deref(),
            eapi: &entry.eapi,
            bdepend: &entry.bdepend,
            depend: &entry.depend,
            idepend: &entry.idepend,
            pdepend: &entry.pdepend,
            rdepend: &entry.rdepend,
        }
    }
}

/// Reads an index `Packages`.
pub(super) fn index(options: &IndexOptions) -> anyhow::Result<()> {
    let bytes = input::bytes(&options.file)?;
    let index = PackagesIndex::parse(&bytes)
        .map_err(|error| NotUnderstood(format!("{}: {error}", input::name(&options.file))))?;
    let packages: Vec<_> = index.entries.iter().map(EntryDocument::from).collect();
    if options.json {
        return output::print_json(&IndexDocument {
            timestamp: index.header.timestamp(),
            packages,
        });
    }
    let header = ["package", "slot", "repository", "bytes", "USE"].map(str::to_owned);
    let rows = index.entries.iter().zip(&packages).map(|(entry, shown)| {
        let enabled = shown.flags.enabled.iter().map(ToString::to_string);
        let disabled = shown.flags.disabled.iter().map(|flag| format!("-{flag}"));
        [
            entry.exact_package().to_string(),
            entry.slot.to_string(),
            shown
                .repository
                .map_or_else(String::new, ToString::to_string),
            entry.size.to_string(),
            enabled.chain(disabled).collect::<Vec<_>>().join(" "),
        ]
    });
    let text = output::table(&std::iter::once(header).chain(rows).collect::<Vec<_>>());
    output::print(|output| {
        output.write_all(text.as_bytes())?;
        writeln!(output, "\n{}", counted(packages.len(), "package"))
    })
}
