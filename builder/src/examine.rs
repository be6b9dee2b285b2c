//! What came out of a build, before it is put into the store.

use std::path::Path;

use gentoo_updater_fleet::message::{Binary, BuildPackage, Contents, Failure, FailureClass};
use gentoo_updater_fleet::name::StorePath;
use gentoo_updater_portage::build_key::Platform;
use gentoo_updater_portage::packages_index::PackagesIndex;

use crate::check::{UNREADABLE, check_file, fitting};
use crate::store::Store;

/// Checks what lies in the private folder against the key and the machines that it is for, and
/// measures it.
pub(crate) async fn examine(
    store: &Store,
    work: &Path,
    command: &BuildPackage,
    own: &Platform,
) -> Result<Binary, Failure> {
    let key = &command.job.key;
    let unreadable = |what: String| Failure::new(FailureClass::Machine, UNREADABLE, what);
    let build_id = store.read(&work.join("build-id")).await?;
    let build_id: u32 = build_id
        .trim()
        .parse()
        .map_err(|_| unreadable(format!("{} holds no BUILD_ID", work.display())))?;
    let packages = work.join("packages");
    let text = store.read(&packages.join("Packages")).await?;
    let index = PackagesIndex::parse(&text)
        .map_err(|error| unreadable(format!("the index of {}: {error}", packages.display())))?;
    let entry = fitting(&index, key, build_id, &own.chost)?;
    let path: StorePath = entry
        .path_in_store()
        .parse()
        .map_err(|error| unreadable(format!("the index of {}: {error}", packages.display())))?;
    let build_time = entry
        .build_time
        .ok_or_else(|| unreadable(format!("the index names no BUILD_TIME of {path}")))?;
    let file = path.below(&packages);
    let missing = || unreadable(format!("{path} is in the index and not in the folder"));
    check_file(entry, &store.digests(&file).await?.ok_or_else(missing)?)?;
    let measure = store.measure(&file).await?.ok_or_else(missing)?;
    Ok(Binary {
        cpv: key.cpv.clone(),
        slot: key.slot.clone(),
        build_id,
        build_time,
        path,
        size: measure.size,
        sha256: measure.sha256,
        contents: Contents::default(),
        signed_by: None,
    })
}
