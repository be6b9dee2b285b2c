//! What each command line of `gentoo_updater_portage::command` does to real Portage, and what it
//! does not do: on a machine with the settings it came with, and on one whose administrator set
//! everything that could get in the way. Each option is taken away once, and the harm is shown:
//! an option that does nothing has no place there.
//!
//! They need root: `cargo test -p gentoo-updater-tests --test portage_commands [PART OF A NAME]`.
//! All of them share one lab, in which each test has machines of its own that cost nothing
//! ([`room`]): so they run two at a time, whatever `--test-threads` says, and the lab is taken down
//! behind the last one, which cargo's own harness could not do.

mod binaries;
mod building;
mod cleaning;
mod neutrality;
mod planning;
mod questions;
mod renaming;
mod room;
mod settings;
mod sources;
mod workshop;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use gentoo_updater_portage::cpv::{Cpv, ExactPackage};
use gentoo_updater_portage::name::RepositoryName;
use gentoo_updater_tests::fixtures::Lab;

/// How many tests run at a time. Emerge keeps about one processor busy.
const AT_ONCE: usize = 2;

/// A test and its name.
type Test = (&'static str, fn(&Lab));

/// Gives a list of functions their names.
macro_rules! tests {
    ($($module:ident { $($name:ident),* $(,)? })*) => {
        &[$($((concat!(stringify!($module), "::", stringify!($name)), $module::$name)),*),*]
    };
}

const TESTS: &[Test] = tests! {
    sources {
        nobody_else_calls_portage,
    }
    planning {
        the_plan_of_the_world_is_the_same_whatever_the_machine_is_set_to,
        build_dependencies_are_planned_when_they_are_wanted_only,
        without_an_option_the_plan_of_the_world_lacks_something,
    }
    binaries {
        exactly_the_binaries_are_planned_and_installed_and_nothing_else_is_changed,
        what_is_good_enough_stays_and_what_only_builds_need_is_not_installed,
        without_oneshot_the_world_file_grows,
        without_respecting_use_the_wrong_binary_is_installed,
        without_keep_going_one_broken_binary_stops_the_others,
        without_usepkgonly_nothing_can_be_installed_by_its_number,
        without_features_the_settings_of_the_machine_do_harm,
        edited_configuration_files_are_left_alone,
        who_demands_signatures_gets_an_error_and_no_package,
    }
    building {
        only_what_the_build_needs_is_compiled_and_nothing_else_is_changed,
        without_an_option_more_or_less_than_the_dependencies_is_compiled,
        without_looking_deep_a_gap_below_an_installed_library_stays,
        without_ignoring_bindings_dependants_are_compiled_again,
        a_binary_is_built_and_nothing_is_installed,
        without_nodeps_installed_packages_object_to_what_is_not_installed,
        without_buildpkgonly_the_package_is_installed,
        without_features_a_build_packs_what_another_left_behind,
        without_features_folders_are_left_behind,
        without_features_a_binary_has_no_number,
        binaries_are_merged_in_order_with_the_flags_they_have,
        without_an_option_a_merge_looks_at_dependencies_or_changes_the_world,
    }
    cleaning {
        what_nothing_needs_goes_and_the_rest_is_named,
        without_deselect_the_world_file_loses_a_package,
        without_bdeps_what_was_needed_to_build_stays,
        without_ignoring_bindings_a_library_in_use_goes,
        without_verbose_nobody_knows_what_needs_a_package,
        without_clean_delay_it_counts_down,
        without_features_it_leaves_binaries_in_the_store,
    }
    renaming {
        new_names_are_applied_to_the_machine_and_the_store_is_left_alone,
        without_its_pkgdir_a_plan_renames_binaries_in_the_store,
        without_package_moves_off_a_step_renames_binaries_in_the_store,
    }
    questions {
        an_index_is_mended_and_a_good_one_is_left_alone,
        without_features_a_good_index_is_written_again,
        portageq_answers_the_same_whatever_the_machine_is_set_to,
    }
    neutrality {
        no_terminal_no_colour_and_no_language_gets_into_the_output,
        without_a_variable_colours_or_languages_get_into_the_output,
        without_ignoring_default_options_they_do_harm,
        the_environment_of_the_caller_has_no_influence,
    }
};

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let is_wanted = |(name, _): &&Test| {
        wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()))
    };
    let tests: Vec<&Test> = TESTS.iter().filter(is_wanted).collect();
    if std::env::args().any(|argument| argument == "--list") {
        for (name, _) in &tests {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    println!("\nrunning {} tests", tests.len());
    let mut failed: Vec<&str> = Vec::new();
    if !tests.is_empty() {
        let lab = Lab::up(1, 1);
        workshop::fill_the_store(&lab);
        failed = run(&tests, &lab);
    }
    for name in &failed {
        println!("failed: {name}");
    }
    // As cargo's own harness says it: whoever counts reads this line.
    println!(
        "\ntest result: {}. {} passed; {} failed; 0 ignored; 0 measured; {} filtered out",
        if failed.is_empty() { "ok" } else { "FAILED" },
        tests.len() - failed.len(),
        failed.len(),
        TESTS.len() - tests.len()
    );
    ExitCode::from(u8::from(!failed.is_empty()))
}

/// Runs the tests, and gives the names of those that failed.
fn run(tests: &[&Test], lab: &Lab) -> Vec<&'static str> {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    let work = || {
        while let Some((name, test)) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
            let passed = catch_unwind(AssertUnwindSafe(|| test(lab))).is_ok();
            println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
            if !passed {
                failed.lock().expect("no test holds this").push(*name);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    failed.into_inner().expect("no test holds this")
}

/// Binaries by their numbers, as `dev-libs/libbeta-1.0-2`.
fn exact(names: &[&str]) -> Vec<ExactPackage> {
    let parse = |name: &&str| name.parse().expect("a package with a BUILD_ID");
    names.iter().map(parse).collect()
}

/// A version, as `dev-libs/libbeta-1.0`.
fn cpv(name: &str) -> Cpv {
    name.parse().expect("a package with its version")
}

/// The lab's ebuild repository.
fn gentoo() -> RepositoryName {
    "gentoo".parse().expect("the name of a repository")
}
