//! The files of the repository, read once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::source;

/// What is not ours: build output, fetched packages, version control.
const FOREIGN_DIRECTORIES: [&str; 6] = [
    "target",
    "node_modules",
    ".git",
    "__pycache__",
    "corpus",
    "artifacts",
];

/// One text file.
pub struct File {
    /// The path from the repository's root, with `/`.
    pub path: String,
    /// The whole text.
    pub text: String,
}

impl File {
    /// A file of this path and text.
    pub fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// The file's name without directories and extension.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.split('.').next().unwrap_or(name)
    }

    /// Whether the file is Rust source.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// All text files and the names of all files.
pub struct Repository {
    files: Vec<File>,
    /// Paths of every file, text or not.
    paths: BTreeSet<String>,
    /// Paths (without `.rs`) of the modules that are declared for tests only.
    test_modules: BTreeSet<String>,
}

impl Repository {
    /// A repository of these files.
    pub fn new(files: Vec<File>) -> Self {
        let paths = files.iter().map(|file| file.path.clone()).collect();
        Self::with_paths(files, paths)
    }

    /// The workspace that this crate was built from.
    ///
    /// # Errors
    /// When a directory or a file cannot be read.
    pub fn of_this_workspace() -> io::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut files = Vec::new();
        let mut paths = BTreeSet::new();
        let mut waiting = vec![root.clone()];
        while let Some(directory) = waiting.pop() {
            for entry in fs::read_dir(&directory)? {
                let path = entry?.path();
                if path.is_dir() {
                    // The corpus holds bytes, not text, but its names count.
                    if is_ours(&path) || path.ends_with("corpus") {
                        waiting.push(path);
                    }
                    continue;
                }
                let name = relative(&root, &path);
                let foreign = path.components().any(|part| part.as_os_str() == "corpus");
                if let (false, Ok(text)) = (foreign, fs::read_to_string(&path)) {
                    files.push(File {
                        path: name.clone(),
                        text,
                    });
                }
                paths.insert(name);
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self::with_paths(files, paths))
    }

    fn with_paths(files: Vec<File>, paths: BTreeSet<String>) -> Self {
        let test_modules = files
            .iter()
            .filter(|file| file.is_rust())
            .flat_map(|file| {
                let home = module_directory(&file.path);
                source::test_only_modules(&file.text)
                    .into_iter()
                    .map(move |name| format!("{home}/{name}"))
            })
            .collect();
        Self {
            files,
            paths,
            test_modules,
        }
    }

    /// All text files.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// All Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    /// The text file at `path`.
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether any file's path begins with `prefix`.
    pub fn has_under(&self, prefix: &str) -> bool {
        self.paths.iter().any(|path| path.starts_with(prefix))
    }

    /// Whether the whole file is built for tests only.
    pub fn is_test(&self, file: &File) -> bool {
        let path = file.path.trim_end_matches(".rs");
        let in_tests = path.starts_with("tests/") || path.contains("/tests/");
        let tool = ["tests/tidy/src/", "tests/xtask/", "tests/bench/"]
            .iter()
            .any(|prefix| path.starts_with(prefix));
        let declared = self.test_modules.iter().any(|module| {
            path.strip_prefix(module.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        declared || (in_tests && !tool)
    }

    /// The lines of a Rust file that are built outside of tests, with their numbers, without
    /// comments and the contents of strings.
    pub fn production_code(&self, file: &File) -> Vec<(usize, String)> {
        if self.is_test(file) {
            return Vec::new();
        }
        let code = source::code(&file.text);
        let numbers = source::production_lines(&file.text);
        let lines: Vec<&str> = code.lines().collect();
        let line = |number: usize| lines.get(number - 1).copied().unwrap_or_default();
        numbers
            .into_iter()
            .map(|number| (number, line(number).to_owned()))
            .collect()
    }

    /// The lines of a Rust file that are built for tests only, as `production_code` gives its.
    pub fn test_code(&self, file: &File) -> Vec<(usize, String)> {
        let code = source::code(&file.text);
        let production: BTreeSet<usize> = if self.is_test(file) {
            BTreeSet::new()
        } else {
            source::production_lines(&file.text).into_iter().collect()
        };
        code.lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line.to_owned()))
            .filter(|(number, _)| !production.contains(number))
            .collect()
    }
}

fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| !FOREIGN_DIRECTORIES.contains(&name))
}

fn relative(root: &Path, path: &Path) -> String {
    let path: PathBuf = path.strip_prefix(root).unwrap_or(path).into();
    let parts = path.iter().map(|part| part.to_string_lossy().into_owned());
    parts.collect::<Vec<_>>().join("/")
}

/// Where the modules that a file declares are looked for.
fn module_directory(path: &str) -> String {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name {
        "lib.rs" | "main.rs" | "mod.rs" => directory.to_owned(),
        _ => path.trim_end_matches(".rs").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_declared_for_tests_is_a_test_and_its_neighbour_is_not() {
        let repository = Repository::new(vec![
            File::new("host/a/src/lib.rs", "#[cfg(test)]\nmod suite;\nmod real;\n"),
            File::new("host/a/src/suite.rs", "fn x() {}\n"),
            File::new("host/a/src/suite/more.rs", "fn x() {}\n"),
            File::new("host/a/src/suites.rs", "fn x() {}\n"),
            File::new("host/a/tests/b.rs", "fn x() {}\n"),
        ]);
        let tests: Vec<bool> = repository
            .files()
            .iter()
            .map(|file| repository.is_test(file))
            .collect();
        assert_eq!(tests, [false, true, true, false, true]);
    }

    #[test]
    fn this_workspace_is_found_with_its_crates() {
        let repository = Repository::of_this_workspace().unwrap();
        assert!(repository.file("host/types/src/limits.rs").is_some());
        assert!(!repository.has_under("target/"));
    }
}
