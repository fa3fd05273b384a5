//! `millrace plugin`: the versions of a plugin from a terminal, and its signature.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::time::Instant;

use tempfile::{TempDir, tempdir};

use crate::fixture::{Server, complaint, printed, run};

/// A component of the repository, which any plugin may have.
const COMPONENT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../plugins/redact-card-numbers/redact-card-numbers.wasm"
);

/// A directory with a folder `own` in it, of this version.
fn put(directory: &Path, version: &str) {
    let folder = directory.join("own");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(COMPONENT, folder.join("own.wasm")).unwrap();
    let manifest = format!("name = 'own'\nversion = '{version}'\n[config]\nmask = '*'\n");
    fs::write(directory.join("staged"), manifest).unwrap();
    fs::rename(directory.join("staged"), folder.join("plugin.toml")).unwrap();
}

/// A server with version `one`, and the directory of its plugins.
fn start(data: &TempDir) -> (Server, std::path::PathBuf) {
    let plugins = data.path().join("plugins-here");
    fs::create_dir(&plugins).unwrap();
    put(&plugins, "one");
    let server = Server::start(data.path(), &["--plugins", plugins.to_str().unwrap()]);
    until_inspected(&server, "one");
    (server, plugins)
}

fn plugin(server: &Server, arguments: &[&str]) -> Output {
    let mut all = vec!["plugin"];
    all.extend(arguments);
    all.extend(["--endpoint", &server.endpoint]);
    run(&all)
}

/// Inspects the plugin until what is said of it has this text.
fn until_inspected(server: &Server, text: &str) -> String {
    let begun = Instant::now();
    loop {
        let said = plugin(server, &["inspect", "own"]);
        let said = String::from_utf8(said.stdout).unwrap();
        if said.contains(text) {
            return said;
        }
        assert!(begun.elapsed().as_secs() < 60, "{said}");
    }
}

/// The words of each line.
fn words(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines();
    lines
        .map(|line| line.split_whitespace().collect())
        .collect()
}

#[test]
fn versions_are_listed_taken_back_paused_named_and_tried_with_a_share() {
    let data = tempdir().unwrap();
    let (server, plugins) = start(&data);
    put(&plugins, "two");
    until_inspected(&server, "two");
    let back = printed(plugin(&server, &["rollback", "own"]));
    assert!(back.starts_with("own: version 1 (one "), "{back}");
    assert!(back.ends_with(") is in force\n"), "{back}");
    let history = printed(plugin(&server, &["history", "own"]));
    let rows = words(&history);
    let shown: Vec<_> = rows[1..]
        .iter()
        .map(|row| (row[1], row[2], row[3]))
        .collect();
    let wanted = [
        ("1", "rollback", "one"),
        ("2", "file", "two"),
        ("1", "file", "one"),
    ];
    assert_eq!(shown, wanted, "{history}");
    let list = printed(plugin(&server, &["list"]));
    assert!(
        list.contains("own: what lies there is set aside: rolled-back (version 2, "),
        "{list}"
    );

    assert_eq!(
        printed(plugin(&server, &["pause", "own"])),
        "own is paused\n"
    );
    until_inspected(&server, "paused");
    assert_eq!(
        printed(plugin(&server, &["resume", "own"])),
        "own goes on\n"
    );
    let taken = printed(plugin(&server, &["resume", "own"]));
    assert!(taken.starts_with("own: version 2 (two "), "{taken}");
    let told = complaint(plugin(&server, &["resume", "own"]), 1);
    assert!(told.contains("nothing of it was set aside"), "{told}");

    let named = printed(plugin(&server, &["alias", "own", "live", "1"]));
    assert!(named.ends_with(") is live\n"), "{named}");
    until_inspected(&server, "live = 1");
    let gone = printed(plugin(&server, &["alias", "own", "live", "--delete"]));
    assert_eq!(gone, "own: live is no alias any more\n");

    let begun = printed(plugin(
        &server,
        &["canary", "own", "--version", "1", "--share", "10"],
    ));
    assert!(begun.ends_with(") is a canary with 10 %\n"), "{begun}");
    until_inspected(&server, "1 with 10 %");
    let ended = printed(plugin(&server, &["canary", "own", "--end"]));
    assert_eq!(ended, "own: there is no canary any more\n");
    printed(plugin(
        &server,
        &["canary", "own", "--version", "1", "--share", "10"],
    ));
    let promoted = printed(plugin(&server, &["canary", "own", "--promote"]));
    assert!(promoted.starts_with("own: version 1 (one "), "{promoted}");
}

#[test]
fn what_makes_no_sense_together_is_said_before_a_server_is_asked() {
    for arguments in [
        &["plugin", "canary", "own"][..],
        &["plugin", "canary", "own", "--promote", "--end"],
        &["plugin", "canary", "own", "--version", "1"],
        &["plugin", "alias", "own", "live"],
        &["plugin", "alias", "own", "live", "1", "--delete"],
        &["plugin", "sign", "own.wasm"],
        &["plugin", "sign"],
    ] {
        assert_eq!(run(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_key_is_made_once_and_what_it_signs_is_taken() {
    let dir = tempdir().unwrap();
    let key = dir.path().join("key");
    let file = key.to_str().unwrap();
    let public = printed(run(&["plugin", "sign", "--new-key", file]));
    let public = public.trim();
    let mode = fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let told = complaint(run(&["plugin", "sign", "--new-key", file]), 1);
    assert!(told.contains("exists"), "{told}");

    let data = tempdir().unwrap();
    let plugins = data.path().join("plugins-here");
    fs::create_dir(&plugins).unwrap();
    put(&plugins, "one");
    let config = data.path().join("millrace.toml");
    let text = format!(
        "[plugins]\ndirectory = \"{}\"\nsignatures = \"require\"\ntrusted_keys = [\"{public}\"]\n",
        plugins.display()
    );
    fs::write(&config, text).unwrap();
    let server = Server::start(data.path(), &["--config", config.to_str().unwrap()]);
    until_inspected(
        &server,
        "it has no signature: own.wasm.sig, or plugin.sig in its folder",
    );
    let folder = plugins.join("own");
    let signed = run(&["plugin", "sign", folder.to_str().unwrap(), "--key", file]);
    let signed = printed(signed);
    assert!(signed.contains("plugin.sig is signed by "), "{signed}");
    let said = until_inspected(&server, "running");
    assert!(
        said.contains(&format!("signed by {}", &public[..12])),
        "{said}"
    );

    let beside = folder.join("own.wasm");
    let told = complaint(
        run(&["plugin", "sign", beside.to_str().unwrap(), "--key", file]),
        1,
    );
    assert!(told.contains("name the folder"), "{told}");
}
