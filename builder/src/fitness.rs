//! What a builder's worker finds out of its machine before it takes work, for whoever asks beside it.

use std::path::Path;

use gentoo_updater_fleet::config::{Builder, CleanRoom};
use gentoo_updater_fleet::doctor::BuilderFacts;
use gentoo_updater_fleet::message::Failure;
use gentoo_updater_fleet::name::BuilderName;
use gentoo_updater_hosts::Host;
use gentoo_updater_runtime::jobs::WORK;

use crate::capacity;
use crate::ready::{self, Needs, Toolchain};
use crate::room::Rooms;

/// Looks as a worker does: whether the store can be written, whether a program can be compiled, and
/// whether a clean room can be made. Each of these makes something, and removes it.
///
/// # Errors
/// When the machine cannot be asked, or its variables name no platform.
pub async fn look(
    host: &dyn Host,
    name: &BuilderName,
    builder: &Builder,
    store: &Path,
    min_free_megabytes: u64,
) -> Result<BuilderFacts, Failure> {
    let (toolchain, _) = Toolchain::ask(host, name).await?;
    let needs = Needs {
        builder: name,
        store,
        min_free_megabytes,
    };
    let unfit = ready::check(host, &needs, &toolchain).await.err();
    let rooms = Rooms::new(name.clone(), builder.clone(), store.to_owned());
    // Without its store no room can be had, which is told already.
    let no_room = match &unfit {
        Some(_) if builder.clean_room == CleanRoom::Auto => None,
        _ => rooms.refusal(host, &toolchain).await?,
    };
    let temporary = toolchain.temporary.display().to_string();
    let temporary = no_room.is_some().then_some(temporary);
    let folders: Vec<String> = temporary.into_iter().chain([WORK.to_owned()]).collect();
    let capacity = capacity::ask_machine(host, name, &folders).await?;
    Ok(BuilderFacts {
        unfit,
        no_room,
        capacity: Some(capacity),
    })
}
