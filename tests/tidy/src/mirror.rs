//! One kind of thing, one file of that kind, and what must stand beside it: an operation has its
//! end-to-end test, a fuzz target its corpus, a limit its source, a byte on disk its description.

use crate::repository::{File, Repository};

/// The function that makes a file below `ops/` an operation; it may be generic over versions.
const OPERATION: &str = "pub async fn handle";

/// Where every limit stands.
const LIMITS: &str = "host/types/src/limits.rs";

/// Where every byte on disk is described.
const FORMAT: &str = "host/store/FORMAT.md";

/// Operations without an end-to-end test that is built and holds tests.
pub fn untested_operations(repository: &Repository) -> Vec<String> {
    let mut found = Vec::new();
    for (file, service, operation) in operations(repository) {
        let path = format!("tests/{service}/{operation}.rs");
        let holds_tests = repository
            .file(&path)
            .is_some_and(|test| test.text.contains("test]"));
        let main = repository.file(&format!("tests/{service}/main.rs"));
        let declared = main.is_some_and(|main| main.text.contains(&format!("mod {operation};")));
        if !holds_tests || !declared {
            found.push(format!(
                "{}: {path} is missing, empty or not declared",
                file.path
            ));
        }
    }
    found
}

/// Fuzz targets without a corpus, or whose corpus no test replays; an absence of fuzz targets.
pub fn idle_fuzz_targets(repository: &Repository) -> Vec<String> {
    let targets = repository
        .rust()
        .filter(|file| file.path.starts_with("tests/fuzz/fuzz_targets/"));
    let names: Vec<&str> = targets.map(File::stem).collect();
    if names.is_empty() {
        return vec!["tests/fuzz/fuzz_targets: holds no target".to_owned()];
    }
    let mut found = Vec::new();
    for name in names {
        if !repository.has_under(&format!("tests/fuzz/corpus/{name}/")) {
            found.push(format!("tests/fuzz/corpus/{name}: is missing"));
        }
        let target = format!("fuzz/targets/{name}.rs");
        let mut hosts = repository
            .rust()
            .filter(|file| file.path.starts_with("host/"));
        if !hosts.any(|file| file.text.contains(&target)) {
            found.push(format!(
                "tests/{target}: no test of the workspace includes it"
            ));
        }
    }
    found
}

/// Limits without a comment that names where they come from.
pub fn limits_without_source(repository: &Repository) -> Vec<String> {
    let Some(file) = repository.file(LIMITS) else {
        return vec![format!("{LIMITS}: is missing")];
    };
    let mut found = Vec::new();
    let mut comment = String::new();
    for (index, line) in file.text.lines().enumerate() {
        if let Some(text) = line.strip_prefix("///") {
            comment.push_str(text);
            continue;
        }
        let sourced = comment.contains('(') || comment.contains("ours");
        if line.starts_with("pub const") && !sourced {
            found.push(format!(
                "{LIMITS}:{}: does not say where it comes from",
                index + 1
            ));
        }
        comment.clear();
    }
    found
}

/// Magic constants of the store that its description does not name.
pub fn undescribed_magic(repository: &Repository) -> Vec<String> {
    let description = repository
        .file(FORMAT)
        .map_or("", |file| &file.text)
        .to_lowercase();
    let mut found = Vec::new();
    let mut magics = 0;
    let store = repository
        .rust()
        .filter(|file| file.path.starts_with("host/store/src/"));
    for file in store.filter(|file| !repository.is_test(file)) {
        for (index, line) in file.text.lines().enumerate() {
            let Some(value) = magic(line) else { continue };
            magics += 1;
            if !description.contains(&value.to_lowercase()) {
                found.push(format!(
                    "{}:{}: {FORMAT} does not name {value}",
                    file.path,
                    index + 1
                ));
            }
        }
    }
    if magics == 0 {
        found.push("host/store/src: names no magic constant".to_owned());
    }
    found
}

/// The text or number of a line that declares a magic constant.
fn magic(line: &str) -> Option<String> {
    let declaration = line
        .trim_start()
        .trim_start_matches("pub ")
        .trim_start_matches("pub(crate) ");
    let declaration = declaration
        .trim_start_matches("pub(super) ")
        .strip_prefix("const ")?;
    let (name, value) = declaration.split_once('=')?;
    if !name.contains("MAGIC") {
        return None;
    }
    // What escapes write, a version or padding, stands apart in the description.
    let text = value
        .split('"')
        .nth(1)
        .and_then(|text| text.split('\\').next());
    Some(
        text.unwrap_or(value.trim().trim_end_matches(';'))
            .replace('_', ""),
    )
}

/// Every operation: its file, its service and its name.
fn operations(repository: &Repository) -> impl Iterator<Item = (&File, &str, &str)> {
    repository.rust().filter_map(|file| {
        let (service, rest) = file.path.strip_prefix("host/")?.split_once("/src/ops/")?;
        let operation = rest.strip_suffix(".rs")?;
        file.text
            .contains(OPERATION)
            .then_some((file, service, operation))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assertions::{finds, holds};

    const HANDLER: &str = "pub async fn handle(a: u8) {}\n";

    #[test]
    fn every_operation_has_its_end_to_end_test() {
        holds(untested_operations);
        let repository = Repository::of_this_workspace().unwrap();
        assert!(
            15 <= operations(&repository).count(),
            "the operations were not found"
        );
    }

    #[test]
    fn an_operation_without_a_test_that_runs_is_found() {
        let operation = ("host/streams/src/ops/put.rs", HANDLER);
        let test = ("tests/streams/put.rs", "#[test]\nfn a() {}\n");
        let main = ("tests/streams/main.rs", "mod put;\n");
        finds(untested_operations, 0, &[operation, test, main]);
        finds(untested_operations, 1, &[operation, main]);
        finds(untested_operations, 1, &[operation, test]);
        finds(
            untested_operations,
            1,
            &[operation, ("tests/streams/put.rs", "\n"), main],
        );
    }

    #[test]
    fn every_fuzz_target_has_a_corpus_that_a_test_replays() {
        holds(idle_fuzz_targets);
        let target = ("tests/fuzz/fuzz_targets/json.rs", "\n");
        let corpus = ("tests/fuzz/corpus/json/a", "x");
        let replay = (
            "host/a/tests/b.rs",
            "#[path = \"../../fuzz/targets/json.rs\"]\n",
        );
        finds(idle_fuzz_targets, 0, &[target, corpus, replay]);
        finds(idle_fuzz_targets, 1, &[target, replay]);
        finds(idle_fuzz_targets, 1, &[target, corpus]);
        finds(idle_fuzz_targets, 1, &[]);
    }

    #[test]
    fn every_limit_says_where_it_comes_from() {
        holds(limits_without_source);
        let limits = "/// How many (PutRecord).\npub const A: u8 = 1;\n\
            /// How many.\npub const B: u8 = 2;\n";
        finds(limits_without_source, 1, &[(LIMITS, limits)]);
    }

    #[test]
    fn every_magic_constant_is_described() {
        holds(undescribed_magic);
        let code =
            "const WAL_MAGIC: u32 = 0x4d52_574c;\npub const MAGIC: [u8; 4] = *b\"MRSG\\0\\x01\";\n";
        let code = ("host/store/src/a.rs", code);
        finds(undescribed_magic, 2, &[code, (FORMAT, "nothing\n")]);
        finds(
            undescribed_magic,
            0,
            &[code, (FORMAT, "`0x4D52574C` and `MRSG`\n")],
        );
        finds(undescribed_magic, 1, &[(FORMAT, "nothing\n")]);
    }
}
