//! Every command that README.md shows is run as it stands, in a folder with the demo's file.

use std::{fs, path::Path, process::Command};

/// A command that the page shows, and the lines that it shows behind it.
#[derive(Debug, PartialEq)]
struct Shown {
    command: String,
    /// In order; a line `...` stands for any number of lines, and is not kept.
    output: Vec<String>,
}

/// The commands of the page's `console` and `sh` blocks that begin with `aosx`.
fn commands(page: &str) -> Vec<Shown> {
    let mut out: Vec<Shown> = Vec::new();
    let mut block = None;
    for line in page.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            block = if block.is_none() { Some((language.trim(), false)) } else { None };
            continue;
        }
        let Some((language @ ("console" | "sh"), ours)) = block else { continue };
        let command = line.strip_prefix("$ ").or((language == "sh").then_some(line));
        match command {
            Some(command) => {
                let ours = command.starts_with("aosx ");
                if ours {
                    out.push(Shown { command: command.to_string(), output: Vec::new() });
                }
                block = Some((language, ours));
            }
            None if ours && line != "..." => out.last_mut().unwrap().output.push(line.to_string()),
            None => {}
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
    for Shown { command, output } in commands {
        let run =
            Command::new("sh").args(["-c", &command]).env("PATH", &path).current_dir(dir.path()).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "`{command}` exits with {:?}: {said}", run.status.code());
        assert!(!run.stdout.is_empty() || command.contains(" -o "), "`{command}` prints nothing");
        let printed = String::from_utf8_lossy(&run.stdout);
        let mut lines = printed.lines();
        for line in output {
            assert!(lines.any(|l| l == line), "`{command}` does not print `{line}` in its place:\n{printed}");
        }
    }
}

#[test]
fn commands_are_found_where_they_stand() {
    let page = "aosx no\n```console\n$ aosx info a.nc\nout\n...\nend\n$ ls\na.nc\n```\n```text\n$ aosx no\n```\n```sh\naosx reduce b.nc\n```\n";
    let shown = |command: &str, output: &[&str]| Shown {
        command: command.into(),
        output: output.iter().map(|l| l.to_string()).collect(),
    };
    assert_eq!(commands(page), [shown("aosx info a.nc", &["out", "end"]), shown("aosx reduce b.nc", &[])]);
}
