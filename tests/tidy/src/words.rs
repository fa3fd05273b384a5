//! Words that do not belong here: unfinished work, names that say nothing, places of one machine.

use crate::repository::{File, Repository};
use crate::source;

/// Marks of unfinished work and of text that no author stands for. They are written in two halves
/// so that this table is no finding.
const MARKS: [(&str, &str); 6] = [
    ("todo", "!("),
    ("unimplemented", "!("),
    ("FIX", "ME"),
    ("XX", "X"),
    ("as an ", "AI"),
    ("language ", "model"),
];

/// Names that say nothing about what a thing is.
const EMPTY_NAMES: [&str; 7] = [
    "manager", "helper", "helpers", "util", "utils", "common", "misc",
];

/// Absolute directories that exist on one machine only.
const MACHINE_DIRECTORIES: [&str; 5] = ["home", "root", "work", "Users", "tmp"];

/// Text files whose words count.
const CHECKED: [&str; 8] = [
    ".rs", ".py", ".mjs", ".toml", ".md", ".json", ".sh", ".ci/run",
];

/// Marks of unfinished work.
pub fn marks(repository: &Repository) -> Vec<String> {
    let marks: Vec<String> = MARKS.iter().map(|(a, b)| format!("{a}{b}")).collect();
    in_lines(repository, |line| {
        marks.iter().find(|mark| line.contains(*mark)).cloned()
    })
}

/// Paths that mean something on one machine only.
pub fn machine_paths(repository: &Repository) -> Vec<String> {
    in_lines(repository, |line| {
        MACHINE_DIRECTORIES
            .iter()
            .map(|directory| format!("/{directory}/"))
            .find(|path| stands_at_a_start(line, path))
    })
}

/// Files, modules and types whose name says nothing.
pub fn empty_names(repository: &Repository) -> Vec<String> {
    let mut found = Vec::new();
    for file in repository.files().iter().filter(|file| is_checked(file)) {
        let parts = file.path.split(['/', '.', '_', '-']);
        let empty = parts.filter(|part| EMPTY_NAMES.contains(part));
        found.extend(empty.map(|part| format!("{}: `{part}` in its path", file.path)));
        if file.is_rust() {
            found.extend(empty_declarations(file));
        }
    }
    found
}

fn empty_declarations(file: &File) -> Vec<String> {
    let code = source::code(&file.text);
    let mut found = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        while let Some(word) = words.next() {
            let declares = ["struct", "enum", "trait", "mod", "type"].contains(&word);
            let name = if declares {
                words.next().unwrap_or_default()
            } else {
                ""
            };
            if name_parts(name)
                .iter()
                .any(|part| EMPTY_NAMES.contains(&part.as_str()))
            {
                found.push(format!(
                    "{}:{}: `{name}` says nothing",
                    file.path,
                    index + 1
                ));
            }
        }
    }
    found
}

/// `StreamManager` and `stream_manager` are both `stream`, `manager`.
fn name_parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for character in name.chars() {
        if character == '_' || character.is_uppercase() {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut().filter(|_| character != '_') {
            part.extend(character.to_lowercase());
        }
    }
    parts
}

/// Whether `path` stands in `line` where a path begins, not in the middle of an address.
fn stands_at_a_start(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| c.is_whitespace() || "\"'`(=:<".contains(c))
    })
}

fn is_checked(file: &File) -> bool {
    let lock = file.path.ends_with("package-lock.json");
    !lock && CHECKED.iter().any(|end| file.path.ends_with(end))
}

fn in_lines(repository: &Repository, fault: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    for file in repository.files().iter().filter(|file| is_checked(file)) {
        for (index, line) in file.text.lines().enumerate() {
            if let Some(fault) = fault(line) {
                found.push(format!("{}:{}: {fault}", file.path, index + 1));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assertions::{finds, holds};

    #[test]
    fn nothing_is_marked_as_unfinished() {
        holds(marks);
        for (a, b) in MARKS {
            finds(marks, 1, &[("README.md", &format!("text {a}{b} text\n"))]);
        }
    }

    #[test]
    fn no_path_of_one_machine_stands_here() {
        holds(machine_paths);
        for directory in MACHINE_DIRECTORIES {
            finds(
                machine_paths,
                1,
                &[("a.py", &format!("open('/{directory}/x')\n"))],
            );
            let address = format!("see https://example.org/{directory}/x\n");
            finds(machine_paths, 0, &[("a.md", &address)]);
        }
    }

    #[test]
    fn every_name_says_something() {
        holds(empty_names);
        for name in EMPTY_NAMES {
            finds(
                empty_names,
                1,
                &[(&format!("host/a/src/log_{name}.rs"), "")],
            );
            finds(
                empty_names,
                1,
                &[("host/a/src/a.rs", &format!("mod {name} {{}}\n"))],
            );
        }
        finds(
            empty_names,
            1,
            &[("host/a/src/a.rs", "pub struct StreamManager;\n")],
        );
        finds(
            empty_names,
            0,
            &[("host/a/src/a.rs", "struct Utility;\nmod commonplace;\n")],
        );
    }
}
