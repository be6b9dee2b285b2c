//! `broker setup`: the files that make a user for each role and each guest.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use gentoo_updater_bus::amqp::vhost_of;
use gentoo_updater_bus::definitions::{UserDefinition, definitions};
use gentoo_updater_bus::permissions::{Permissions, users};
use gentoo_updater_bus::topology::Topology;
use gentoo_updater_fleet::authority::{User, Users};
use gentoo_updater_fleet::config::{Access, Settings};
use gentoo_updater_fleet::name::GuestName;
use gentoo_updater_fleet::words::counted;

use super::arguments::SetupOptions;
use super::password::{Password, Randomness};
use super::{configured, environment, script};
use crate::WrongUsage;

const DEFINITIONS: &str = "definitions.json";
const SCRIPT: &str = "setup.sh";

/// What is to be written.
struct File {
    name: String,
    mode: u32,
    text: String,
}

/// Writes the files, and says what to do with them.
pub(super) fn setup(settings: &Settings, options: &SetupOptions) -> anyhow::Result<u8> {
    let directory = &options.output;
    let files = files(settings, options, &mut |buffer| {
        getrandom::fill(buffer).context("the system gives no random numbers")
    })?;
    let mut builder = DirBuilder::new();
    let created = builder.recursive(true).mode(0o700).create(directory);
    created.with_context(|| format!("{} cannot be made", directory.display()))?;
    for file in &files {
        let path = directory.join(&file.name);
        write(&path, file).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    say(settings, directory, files.len());
    Ok(crate::EXIT_ALL_UPDATED)
}

fn say(settings: &Settings, directory: &Path, count: usize) {
    let directory = directory.display();
    let files = counted(count, "file");
    println!("{files} written to {directory}. Now, on the broker,");
    println!("    rabbitmqctl import_definitions {directory}/{DEFINITIONS}");
    println!("or {directory}/{SCRIPT}, and give each worker the file of its role or guest.");
    let access = settings.broker.as_ref().map(|broker| broker.access);
    if access != Some(Access::Separate) {
        println!("Set access = \"separate\" in [broker] of the configuration of every machine.");
    }
}

fn files(
    settings: &Settings,
    options: &SetupOptions,
    randomness: Randomness<'_>,
) -> anyhow::Result<Vec<File>> {
    let broker = configured(settings)?;
    let names = Users::new(&broker.user_prefix);
    let vhost = vhost_of(&broker.url)?;
    let mut all = Vec::new();
    let mut files = Vec::new();
    for user in users(settings.guests.keys()) {
        let path = options.output.join(environment::file_name(&user));
        let password = match kept(&path, options.force)? {
            Some(password) => password,
            None => Password::generate(randomness)?,
        };
        files.push(File {
            name: environment::file_name(&user),
            mode: 0o600,
            text: environment::text(&broker.url, &names, &user, &password)?,
        });
        all.push((Permissions::of(user), password));
    }
    let mut defined = Vec::new();
    for (permissions, password) in &all {
        defined.push(UserDefinition {
            permissions: permissions.clone(),
            password_hash: password.hash(randomness)?,
        });
    }
    let topology = Topology::of(settings);
    let document = definitions(&vhost, &topology, &names, &defined);
    let gone = gone(settings, &options.output)?;
    files.extend([
        File {
            name: DEFINITIONS.to_owned(),
            mode: 0o600,
            text: serde_json::to_string_pretty(&document)? + "\n",
        },
        File {
            name: SCRIPT.to_owned(),
            mode: 0o700,
            text: script::script(&vhost, &names, &all, &gone),
        },
    ]);
    for file in &files {
        refuse_to_overwrite(&options.output.join(&file.name), options.force)?;
    }
    Ok(files)
}

fn refuse_to_overwrite(path: &Path, force: bool) -> anyhow::Result<()> {
    if !force && fs::symlink_metadata(path).is_ok() {
        let path = path.display();
        let text = format!("{path} is there; --force writes it again and keeps the passwords");
        return Err(WrongUsage(text).into());
    }
    Ok(())
}

/// The password that a user has already.
fn kept(path: &Path, force: bool) -> anyhow::Result<Option<Password>> {
    refuse_to_overwrite(path, force)?;
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let password = environment::password(&text)
        .with_context(|| format!("{} is none of `broker setup`", path.display()))?;
    Ok(Some(password))
}

/// Guests that have a file, and so a user, and are no longer in the configuration.
fn gone(settings: &Settings, directory: &Path) -> anyhow::Result<Vec<GuestName>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| directory.display().to_string()),
    };
    let mut gone = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let guest = name.to_str().and_then(|name| {
            let guest = name.strip_prefix("guest.")?.strip_suffix(".env")?;
            guest.parse::<GuestName>().ok()
        });
        let is_gone = |guest: &GuestName| !settings.guests.contains_key(guest);
        gone.extend(guest.filter(is_gone));
    }
    gone.sort();
    for guest in &gone {
        let user = User::Guest(guest.clone());
        let file = directory.join(environment::file_name(&user));
        eprintln!(
            "guest {guest} is not in the configuration: {SCRIPT} deletes its user, {DEFINITIONS} \
             cannot; then delete {}",
            file.display()
        );
    }
    Ok(gone)
}

/// Nobody else can open the file at any time, and whoever reads it finds the whole of it.
fn write(path: &Path, file: &File) -> std::io::Result<()> {
    let temporary: PathBuf = path.with_file_name(format!(".{}.new", file.name));
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let mut written = options
        .write(true)
        .create_new(true)
        .mode(file.mode)
        .open(&temporary)?;
    written.write_all(file.text.as_bytes())?;
    written.sync_all()?;
    fs::rename(&temporary, path)
}
