//! Every command that README.md shows is run as it stands, in a folder with the demo's file.

use std::{fs, path::Path, process::Command};

/// The commands of the page's `console` and `sh` blocks that begin with `aosx`.
fn commands(page: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            inside = !inside && matches!(language.trim(), "console" | "sh");
            continue;
        }
        let command = line.trim_start().trim_start_matches("$ ");
        if inside && command.starts_with("aosx ") {
            out.push(command.to_string());
        }
    }
    out
}

#[test]
fn every_command_of_the_readme_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let commands = commands(&fs::read_to_string(root.join("README.md")).unwrap());
    assert!(commands.len() >= 5, "{commands:?}");
    let dir = tempfile::tempdir().unwrap();
    fs::copy(root.join("fixtures/air.nc"), dir.path().join("air.nc")).unwrap();
    let aosx = assert_cmd::cargo::cargo_bin("aosx");
    let path = format!("{}:{}", aosx.parent().unwrap().display(), std::env::var("PATH").unwrap_or_default());
    for command in commands {
        let run =
            Command::new("sh").args(["-c", &command]).env("PATH", &path).current_dir(dir.path()).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "`{command}` exits with {:?}: {said}", run.status.code());
        assert!(!run.stdout.is_empty() || command.contains(" -o "), "`{command}` prints nothing");
    }
}

#[test]
fn commands_are_found_where_they_stand() {
    let page = "aosx no\n```console\n$ aosx info a.nc\nout\n```\n```text\naosx no\n```\n```sh\naosx reduce b.nc\n```\n";
    assert_eq!(commands(page), ["aosx info a.nc", "aosx reduce b.nc"]);
}
