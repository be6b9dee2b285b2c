use super::*;

#[test]
fn each_shell_has_a_script_for_each_program_under_the_name_that_it_looks_for() {
    for (shell, planner) in [
        (Shell::Bash, "gentoo-updater-planner"),
        (Shell::Fish, "gentoo-updater-planner.fish"),
        (Shell::Zsh, "_gentoo-updater-planner"),
    ] {
        let scripts = scripts(shell);
        assert_eq!(scripts.len(), programs().len(), "{shell:?}");
        let names: Vec<&str> = scripts.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.contains(&planner), "{names:?}");
    }
}

#[test]
fn no_script_holds_the_name_of_the_machine_that_it_is_made_on() {
    let host = gentoo_updater_runtime::host_name();
    for shell in Shell::value_variants() {
        for (name, script) in scripts(*shell) {
            assert!(!script.contains(&format!("[default: {host}]")), "{name}");
        }
    }
}
