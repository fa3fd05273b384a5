//! Who may do what: invariants of absence. Each is a word that may stand in the code of some
//! places only.

use crate::repository::Repository;
use crate::source::has_word;

/// Words that only some places may use outside of tests.
struct Owned {
    /// The words, as they stand in code.
    words: &'static [&'static str],
    /// Prefixes of the paths that may use them.
    owners: &'static [&'static str],
    /// Prefixes of the paths that the rule is about.
    about: &'static [&'static str],
    /// The rule in words.
    rule: &'static str,
}

const HOST: &[&str] = &["host/"];

const OWNED: &[Owned] = &[
    Owned {
        words: &["std::fs", "tokio::fs", "rustix", "redb"],
        // The server reads its configuration file and keeps a certificate; the command makes
        // temporary directories; plugins and what is made of them lie in files of their own, and
        // buckets in a directory, and so do the tables of records. Master keys lie in files that
        // the operator can keep elsewhere than the data.
        owners: &[
            "host/store/",
            "host/server/src/config",
            "host/server/src/tls/",
            "host/cli/",
            "host/wasm/",
            "host/delivery/src/objects/local",
            "host/delivery/src/glue_files.rs",
            "host/streams/src/kms/files.rs",
        ],
        about: HOST,
        rule: "only store touches the disk for data",
    },
    Owned {
        words: &["TcpListener", "UnixListener", "TcpSocket"],
        owners: &["host/server/"],
        about: HOST,
        rule: "only server listens",
    },
    Owned {
        words: &["TcpStream::connect", "hyper::client", "hyper_util::client"],
        owners: &[
            "host/cli/",
            "host/delivery/src/objects/http.rs",
            "host/server/src/egress.rs",
        ],
        about: HOST,
        rule: "only the S3 client of delivery, the calls of plugins and the command dial out",
    },
    Owned {
        words: &["parquet::arrow", "parquet::file", "parquet::basic"],
        owners: &["host/formats/"],
        about: HOST,
        rule: "only formats names the crate of Parquet",
    },
    Owned {
        words: &["arrow_array"],
        owners: &["host/formats/", "host/sql/"],
        about: HOST,
        rule: "only formats and sql name the crates of Arrow",
    },
    Owned {
        words: &["wasmtime"],
        owners: &["host/wasm/"],
        about: HOST,
        rule: "only wasm names wasmtime",
    },
    Owned {
        words: &[
            "std::net",
            "std::fs",
            "std::env",
            "std::process",
            "std::thread",
            "tokio",
            "hyper",
        ],
        owners: &[],
        about: &["host/wire/", "host/types/"],
        rule: "wire and types do no I/O",
    },
    Owned {
        words: &["SystemTime", "SystemClock"],
        owners: &[
            "host/types/src/time.rs",
            "host/types/src/lib.rs",
            "host/cli/",
        ],
        about: HOST,
        rule: "time comes from the clock that is handed in",
    },
    Owned {
        words: &[
            "wire::json",
            "wire::cbor",
            "json::parse",
            "json::answer",
            "Codec::Json",
            "Codec::Cbor",
        ],
        owners: &[],
        about: &[
            "host/streams/src/",
            "host/tables/src/",
            "host/delivery/src/ops/",
            "host/analytics/src/ops/",
        ],
        rule: "an operation asks its call to read and to write, and knows no codec",
    },
    Owned {
        words: &["streams.directory"],
        // The names of an account and what it has: the router asks whether they may be told.
        owners: &[
            "host/streams/src/ops/address.rs",
            "host/streams/src/ops/list_streams.rs",
            "host/streams/src/ops/describe_limits.rs",
        ],
        about: &["host/streams/src/ops/"],
        rule: "an operation finds its stream where it is asked whether it may",
    },
    Owned {
        words: &["process::exit", "process::abort"],
        owners: &["host/cli/src/main.rs"],
        about: HOST,
        rule: "only the command ends the process",
    },
];

/// Places that may hold `unsafe` code: the one that loads compiled components.
const UNSAFE_ALLOWED: [&str; 1] = ["host/wasm/src/code_cache.rs"];

/// Owned words in places that do not own them.
pub fn trespasses(repository: &Repository) -> Vec<String> {
    let mut found = Vec::new();
    for file in repository.rust() {
        let begins = |prefixes: &[&str]| prefixes.iter().any(|start| file.path.starts_with(start));
        let concerned: Vec<&Owned> = OWNED
            .iter()
            .filter(|owned| begins(owned.about) && !begins(owned.owners))
            .collect();
        if concerned.is_empty() {
            continue;
        }
        for (number, line) in repository.production_code(file) {
            for owned in &concerned {
                let words = owned.words.iter().filter(|word| has_word(&line, word));
                found.extend(
                    words.map(|word| format!("{}:{number}: {word}: {}", file.path, owned.rule)),
                );
            }
        }
    }
    found
}

/// Manifests below `host/` that name what another crate owns.
pub fn owned_packages(repository: &Repository) -> Vec<String> {
    let owners = [("wasmtime", "wasm"), ("redb", "store")];
    let manifests = repository
        .files()
        .iter()
        .filter(|file| file.path.starts_with("host/") && file.path.ends_with("Cargo.toml"));
    let pairs = manifests.flat_map(|file| owners.iter().map(move |owner| (file, owner)));
    pairs
        .filter(|(file, (package, owner))| {
            let named = file.text.lines().any(|line| line.starts_with(package));
            named && file.path != format!("host/{owner}/Cargo.toml")
        })
        .map(|(file, (package, owner))| format!("{}: {package} belongs to {owner}", file.path))
        .collect()
}

/// `unsafe` outside of the places that may hold it.
pub fn unsafe_code(repository: &Repository) -> Vec<String> {
    let mut found = Vec::new();
    for file in repository
        .rust()
        .filter(|file| !UNSAFE_ALLOWED.contains(&file.path.as_str()))
    {
        let code = crate::source::code(&file.text);
        let lines = code
            .lines()
            .enumerate()
            .filter(|(_, line)| has_word(line, "unsafe"));
        found.extend(lines.map(|(index, _)| format!("{}:{}: unsafe", file.path, index + 1)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assertions::{finds, holds};
    use crate::repository::File;

    #[test]
    fn every_place_keeps_to_what_it_owns() {
        holds(trespasses);
        holds(owned_packages);
    }

    #[test]
    fn each_owned_word_is_found_where_it_does_not_belong() {
        for owned in OWNED {
            for word in owned.words {
                let path = format!("{}x/src/a.rs", owned.about[0]);
                let line = format!("use {word}::A;\n");
                let found = trespasses(&Repository::new(vec![File::new(&path, &line)]));
                let caught = found.iter().any(|fault| fault.ends_with(owned.rule));
                assert!(caught, "{word} in {path} passes");
            }
        }
    }

    #[test]
    fn owners_comments_and_tests_may_use_the_words() {
        let allowed = [
            ("host/store/src/a.rs", "use std::fs;\n"),
            (
                "host/server/src/listen.rs",
                "use tokio::net::TcpListener;\n",
            ),
            (
                "host/streams/src/a.rs",
                "// std::fs\nconst A: &str = \"std::fs\";\n",
            ),
            (
                "host/streams/src/b.rs",
                "#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n",
            ),
            ("host/streams/tests/c.rs", "use std::fs;\n"),
        ];
        finds(trespasses, 0, &allowed);
    }

    #[test]
    fn a_manifest_that_names_the_package_of_another_crate_is_found() {
        finds(
            owned_packages,
            1,
            &[("host/streams/Cargo.toml", "redb.workspace = true\n")],
        );
        finds(
            owned_packages,
            0,
            &[("host/store/Cargo.toml", "redb.workspace = true\n")],
        );
    }

    #[test]
    fn nothing_is_unsafe_but_the_loading_of_compiled_components() {
        holds(unsafe_code);
        finds(
            unsafe_code,
            1,
            &[("host/a/src/lib.rs", "fn a() {\n    unsafe { b() }\n}\n")],
        );
        finds(
            unsafe_code,
            0,
            &[(
                "host/a/src/lib.rs",
                "// unsafe\nconst UNSAFE_CODE: u8 = 1;\n",
            )],
        );
    }
}
