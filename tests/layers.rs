//! The rooms of `src` in order: each imports only rooms above it, so that a circle cannot be built.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every room there may be, in order. One that is not made yet keeps its place.
const ROOMS: [&str; 27] = [
    "units", "error", "shape", "grid", "dtype", "attrs", "sync", "memory", "budget", "block", "kernels", "codec",
    "store", "source", "formats", "spill", "array", "delayed", "plan", "events", "engine", "cf", "dataset", "expr",
    "session", "report", "cli",
];

/// The rooms that may print.
const PRINTERS: [&str; 2] = ["report", "cli"];

const LINES_MAX: usize = 700;

/// Files that are no room: they only name the rooms and call the last.
const ROOTS: [&str; 2] = ["lib", "main"];

fn place(room: &str) -> Option<usize> {
    ROOMS.iter().position(|r| *r == room)
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every Rust file under `folder`.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
    out.sort();
    out
}

/// The room of a file: the first part of its path under `src`.
fn room_of(file: &Path) -> String {
    let inside = file.strip_prefix(src()).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_string()
}

/// A file's code: without comments, without the contents of strings, without test modules.
fn code_of(text: &str) -> String {
    without_tests(&without_comments_and_strings(text))
}

fn without_comments_and_strings(text: &str) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let mut out = String::new();
    let mut k = 0;
    while k < bytes.len() {
        let rest = &bytes[k..];
        match rest {
            ['/', '/', ..] => k += rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => {
                k += 2;
                while k < bytes.len() && !matches!(&bytes[k..], ['*', '/', ..]) {
                    k += 1;
                }
                k += 2;
            }
            ['r', '"', ..] | ['r', '#', '"', ..] if !k.checked_sub(1).is_some_and(|p| bytes[p].is_alphanumeric()) => {
                let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
                k += 2 + hashes;
                while k < bytes.len()
                    && !(bytes[k] == '"' && bytes[k + 1..].iter().take_while(|c| **c == '#').count() >= hashes)
                {
                    k += 1;
                }
                k += 1 + hashes;
                out.push_str("\"\"");
            }
            ['"', ..] => {
                k += 1;
                while k < bytes.len() && bytes[k] != '"' {
                    k += if bytes[k] == '\\' { 2 } else { 1 };
                }
                k += 1;
                out.push_str("\"\"");
            }
            ['\'', '\\', _, '\'', ..] => k += 4,
            ['\'', _, '\'', ..] => k += 3,
            _ => {
                out.push(bytes[k]);
                k += 1;
            }
        }
    }
    out
}

/// Cuts out what stands behind `#[cfg(test)]`: an item up to its `;` or its closing brace.
fn without_tests(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..at]);
        rest = &rest[at + "#[cfg(test)]".len()..];
        let mut depth = 0;
        let mut end = rest.len();
        for (k, c) in rest.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            if depth == 0 && (c == '}' || c == ';') {
                end = k + 1;
                break;
            }
        }
        rest = &rest[end..];
    }
    out + rest
}

/// The rooms that code names behind `root` (`crate::`), in paths and in `use crate::{...}`.
fn imports(code: &str, root: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (at, _) in code.match_indices(root) {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + root.len()..];
        match rest.strip_prefix('{') {
            Some(list) => out.extend(first_words(list)),
            None => out.push(word(rest)),
        }
    }
    out
}

/// The first word of each entry of a `use` list, which may be nested.
fn first_words(list: &str) -> Vec<String> {
    let (mut out, mut depth, mut fresh) = (Vec::new(), 0, true);
    for (k, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && !c.is_whitespace() => {
                out.push(word(&list[k..]));
                fresh = false;
            }
            _ => {}
        }
    }
    out
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn each_room_imports_only_rooms_above_it() {
    let mut wrong = Vec::new();
    for file in rust_files(&src()) {
        let room = room_of(&file);
        if ROOTS.contains(&room.as_str()) {
            continue;
        }
        let Some(here) = place(&room) else {
            wrong.push(format!("{}: the room '{room}' is not in the list", file.display()));
            continue;
        };
        let code = code_of(&fs::read_to_string(&file).unwrap());
        let mut named = imports(&code, "crate::");
        // In a room's own file `super` is the root of the crate.
        if file.parent() == Some(&src()) || file.ends_with(format!("{room}/mod.rs")) {
            named.extend(imports(&code, "super::"));
        }
        for import in named {
            // Macros of the crate's root, such as `with_dtype!`, belong to no room.
            let Some(there) = place(&import) else { continue };
            if there > here {
                wrong.push(format!("{}: '{room}' imports '{import}', which comes later", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn only_report_and_cli_print() {
    let mut wrong = Vec::new();
    for file in rust_files(&src()) {
        if PRINTERS.contains(&room_of(&file).as_str()) {
            continue;
        }
        let code = code_of(&fs::read_to_string(&file).unwrap());
        for name in ["println!", "eprintln!", "print!", "eprint!", "dbg!"] {
            let found = code.match_indices(name).any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric()));
            if found {
                wrong.push(format!("{}: {name}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn files_are_short_enough_to_read() {
    let long: Vec<String> = rust_files(&src())
        .into_iter()
        .map(|f| (fs::read_to_string(&f).unwrap().lines().count(), f))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, f)| format!("{}: {lines} lines", f.display()))
        .collect();
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

/// The map lists the rooms in the same order.
#[test]
fn the_architecture_page_lists_the_rooms_that_exist() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let mut from = 0;
    for room in ROOMS {
        if !src().join(room).is_dir() && !src().join(format!("{room}.rs")).is_file() {
            continue;
        }
        let found = page[from..].find(&format!("| `{room}` |"));
        from += found.unwrap_or_else(|| panic!("ARCHITECTURE.md: no row of the room '{room}' in its place"));
    }
}

#[test]
fn the_reader_of_imports_sees_what_matters() {
    let code = code_of(
        r##"
        use crate::{error::{Error, Result}, plan::Plan, shape};
        // use crate::cli::x;
        fn f() { crate::engine::run("crate::report::x", '"', r#"crate::session"#, '\''); $crate::dtype::DType; }
        #[cfg(test)]
        mod tests { use crate::cli::y; fn g() { println!("{}", 1) } }
        #[cfg(test)]
        pub(crate) mod sample;
        use crate::kernels::k;
        "##,
    );
    assert_eq!(imports(&code, "crate::"), ["error", "plan", "shape", "engine", "dtype", "kernels"]);
    assert!(!code.contains("println!"));
}
