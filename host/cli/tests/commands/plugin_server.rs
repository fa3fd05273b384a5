//! `millrace plugin` and a running server: versions are deployed, refused, logged and run dry.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Instant;

use tempfile::{TempDir, tempdir};

use crate::fixture::{Server, complaint, feed, millrace, printed};

const REDACT: &str = "redact-card-numbers";
const PANICS: &str = "panics";

/// A server with an empty plugins directory, and a folder with plugins to deploy.
struct Ground {
    dir: TempDir,
    server: Server,
}

impl Ground {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(more: &[&str]) -> Self {
        let dir = tempdir().unwrap();
        let plugins = dir.path().join("plugins");
        std::fs::create_dir_all(&plugins).unwrap();
        let arguments = [&["--plugins", plugins.to_str().unwrap()], more].concat();
        let server = Server::start(&dir.path().join("data"), &arguments);
        Self { dir, server }
    }

    /// Runs a command against the server.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = millrace(arguments);
        command
            .args(["--endpoint", &self.server.endpoint])
            .env("MILLRACE_CACHE", self.dir.path().join("cache"))
            .current_dir(self.dir.path());
        command.output().unwrap()
    }

    /// A folder with a plugin of this repository, whose mask is `mask`.
    fn redact(&self, mask: &str) -> PathBuf {
        let folder = self.dir.path().join("sources").join(REDACT);
        std::fs::create_dir_all(&folder).unwrap();
        let component = format!("{REDACT}.wasm");
        std::fs::copy(
            repository().join("plugins").join(REDACT).join(&component),
            folder.join(component),
        )
        .unwrap();
        let manifest =
            format!("name = \"{REDACT}\"\nversion = \"{mask}\"\n[config]\nmask = \"{mask}\"\n");
        std::fs::write(folder.join("plugin.toml"), manifest).unwrap();
        folder
    }

    fn deploy(&self, plugin: &Path) -> Output {
        self.run(&["plugin", "deploy", plugin.to_str().unwrap()])
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn a_version_is_deployed_in_the_place_of_another_and_is_there_after_a_restart() {
    let ground = Ground::new();
    let first = printed(ground.deploy(&ground.redact("*")));
    assert!(first.starts_with(&format!("{REDACT} ")) && first.ends_with(" is in force\n"));
    let again = printed(ground.deploy(&ground.redact("*")));
    assert!(again.ends_with(" is in force already\n"), "{again}");
    let second = printed(ground.deploy(&ground.redact("#")));
    assert_ne!(first, second);
    let inspected = printed(ground.run(&["plugin", "inspect", REDACT]));
    assert!(
        inspected.contains("swaps                1\n"),
        "{inspected}"
    );

    let Ground { dir, server } = ground;
    let (code, log) = server.terminate();
    assert_eq!(code, Some(0), "{log}");
    let plugins = dir.path().join("plugins");
    let entries = std::fs::read_dir(&plugins).unwrap().count();
    assert_eq!(entries, 1, "nothing is left aside");
    let data = dir.path().join("data");
    let server = Server::start(&data, &["--plugins", plugins.to_str().unwrap()]);
    let begun = Instant::now();
    loop {
        let list = ["plugin", "inspect", REDACT, "--endpoint", &server.endpoint];
        let listed = printed(millrace(&list).output().unwrap());
        if listed.contains("version              #\n") {
            break;
        }
        assert!(begun.elapsed().as_secs() < 60, "{listed}");
    }
}

#[test]
fn what_is_refused_leaves_the_version_before_in_force_and_in_its_place() {
    let ground = Ground::new();
    let folder = ground.redact("*");
    printed(ground.deploy(&folder));
    let bad_mask = complaint(ground.deploy(&ground.redact("**")), 1);
    assert!(
        bad_mask.contains("PluginRefusedException: init: config mask: "),
        "{bad_mask}"
    );
    let file = folder.join(format!("{REDACT}.wasm"));
    std::fs::write(&file, b"\0asm\x01\0\0\0").unwrap();
    let no_component = complaint(ground.deploy(&folder), 1);
    assert!(
        no_component.contains("it is a core module"),
        "{no_component}"
    );
    std::fs::write(&file, b"text").unwrap();
    let text = complaint(ground.deploy(&folder), 1);
    assert!(text.contains("there is no component in it"), "{text}");
    let listed = printed(ground.run(&["plugin", "list"]));
    assert!(listed.contains(" running "), "{listed}");
    let lies_there = ground
        .dir
        .path()
        .join("plugins")
        .join(REDACT)
        .join("plugin.toml");
    let manifest = std::fs::read_to_string(lies_there).unwrap();
    assert!(manifest.contains("mask = \"*\"\n"), "{manifest}");
}

#[test]
fn a_server_without_a_plugins_directory_takes_none() {
    let dir = tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"), &[]);
    let ground = Ground { dir, server };
    let refused = complaint(ground.deploy(&ground.redact("*")), 1);
    assert!(refused.contains("start it with --plugins"), "{refused}");
}

#[test]
fn only_accounts_that_the_operator_names_deploy_and_read_logs() {
    let dir = tempdir().unwrap();
    let config = dir.path().join("millrace.toml");
    let credentials = |id: &str, account: &str| {
        format!(
            "[[credentials]]\naccess_key_id = \"{id}\"\nsecret_access_key = \"hush-hush\"\n\
             account = \"{account}\"\n"
        )
    };
    let text = format!(
        "plugin_accounts = [\"000000000042\"]\n{}{}",
        credentials("DEPLOYS", "000000000042"),
        credentials("TENANT", "000000000043")
    );
    std::fs::write(&config, text).unwrap();
    let ground = Ground::with(&["--config", config.to_str().unwrap()]);
    let folder = ground.redact("*");
    let as_caller = |id: &str, arguments: &[&str]| {
        let mut command = millrace(arguments);
        command
            .args(["--endpoint", &ground.server.endpoint])
            .env("AWS_ACCESS_KEY_ID", id)
            .env("AWS_SECRET_ACCESS_KEY", "hush-hush");
        command.output().unwrap()
    };
    let deploy = ["plugin", "deploy", folder.to_str().unwrap()];
    let refused = complaint(as_caller("TENANT", &deploy), 1);
    assert!(refused.contains("AccessDeniedException"), "{refused}");
    assert!(refused.contains("plugin_accounts"), "{refused}");
    printed(as_caller("DEPLOYS", &deploy));
    let logs = ["plugin", "logs", REDACT];
    let refused = complaint(as_caller("TENANT", &logs), 1);
    assert!(refused.contains("AccessDeniedException"), "{refused}");
    printed(as_caller("DEPLOYS", &logs));
}

#[test]
fn records_are_delivered_through_what_was_deployed_and_its_log_is_read() {
    let ground = Ground::new();
    let component = repository().join("tests/plugins/panics/panics.wasm");
    printed(ground.deploy(&component));
    printed(ground.run(&["stream", "create", "words"]));
    let created = printed(ground.run(&[
        "delivery",
        "create",
        "out",
        "--stream",
        "words",
        "--plugin",
        PANICS,
        "--interval",
        "0",
        "--prefix",
        "all/",
    ]));
    assert!(created.starts_with("arn:aws:firehose:us-east-1:000000000000:deliverystream/out"));
    let put = ground.server.stream_command(&["put", "words"]);
    printed(feed(put, b"good\npanic\n"));
    printed(ground.run(&["delivery", "flush", "out"]));
    let described = printed(ground.run(&["delivery", "describe", "out"]));
    assert!(described.contains("delivered "), "{described}");

    let logged = printed(ground.run(&["plugin", "logs", PANICS]));
    assert!(
        logged.contains(" ERROR out shardId-000000000000 panicked "),
        "{logged}"
    );
    assert!(logged.contains("asked for it\n"), "{logged}");
    let missing = complaint(ground.run(&["plugin", "logs", "none"]), 1);
    assert!(missing.contains("no such plugin none"), "{missing}");
    let missing = complaint(
        ground.run(&[
            "delivery", "create", "other", "--stream", "words", "--plugin", "none",
        ]),
        1,
    );
    assert!(missing.contains("There is no plugin"), "{missing}");
}

#[test]
fn records_of_a_stream_run_dry_through_a_file_and_through_a_plugin_of_the_server() {
    let ground = Ground::new();
    let folder = ground.redact("#");
    printed(ground.deploy(&folder));
    printed(ground.run(&["stream", "create", "payments"]));
    let put = ground.server.stream_command(&["put", "payments"]);
    printed(feed(put, b"4111111111111111\nnothing\n"));
    for plugin in [folder.to_str().unwrap(), REDACT] {
        let run = [
            "plugin",
            "run",
            plugin,
            "--stream",
            "payments",
            "--from",
            "-5m",
            "--dry-run",
        ];
        let text = printed(ground.run(&run));
        assert!(text.contains("2 records, nothing written\n"), "{text}");
        assert!(text.contains("  ok       2\n"), "{text}");
        assert!(text.contains("############1111"), "{text}");
    }
    let run = ["plugin", "run", REDACT, "--stream", "payments"];
    assert!(complaint(ground.run(&run), 2).contains("--dry-run"));
    let run = [
        "plugin",
        "run",
        "no/such",
        "--stream",
        "payments",
        "--dry-run",
    ];
    assert!(complaint(ground.run(&run), 2).contains("is no file and no folder"));
}

/// Where signatures are required nothing could be deployed: there was no way to hand one in.
#[test]
fn a_signature_is_handed_in_from_beside_a_plugin_or_from_where_it_is_said_to_be() {
    let dir = tempdir().unwrap();
    let [plugins, key, config] =
        ["plugins", "key", "millrace.toml"].map(|name| dir.path().join(name));
    std::fs::create_dir(&plugins).unwrap();
    let key = key.to_str().unwrap().to_owned();
    let public = printed(
        millrace(&["plugin", "sign", "--new-key", &key])
            .output()
            .unwrap(),
    );
    let text = format!(
        "[plugins]\ndirectory = {plugins:?}\nsignatures = \"require\"\ntrusted_keys = [{:?}]\n",
        public.trim()
    );
    std::fs::write(&config, text).unwrap();
    let server = Server::start(
        &dir.path().join("data"),
        &["--config", config.to_str().unwrap()],
    );
    let ground = Ground { dir, server };
    let sign = |plugin: &Path| {
        let arguments = ["plugin", "sign", "--key", &key, plugin.to_str().unwrap()];
        printed(millrace(&arguments).output().unwrap());
    };
    let folder = ground.redact("*");
    let told = complaint(ground.deploy(&folder), 1);
    let how = format!("`millrace plugin sign --key FILE {REDACT}`");
    assert!(told.contains(&how), "{told}");
    sign(&folder);
    printed(ground.deploy(&folder));
    let inspected = printed(ground.run(&["plugin", "inspect", REDACT]));
    assert!(inspected.contains(", signed by "), "{inspected}");

    let component = ground.dir.path().join(format!("{PANICS}.wasm"));
    let built = repository().join("tests/plugins/panics/panics.wasm");
    std::fs::copy(built, &component).unwrap();
    sign(&component);
    let [beside, elsewhere] = [format!("{PANICS}.wasm.sig"), "elsewhere.sig".to_owned()]
        .map(|name| ground.dir.path().join(name));
    std::fs::rename(&beside, &elsewhere).unwrap();
    complaint(ground.deploy(&component), 1);
    let [component_text, elsewhere_text] = [&component, &elsewhere].map(|it| it.to_str().unwrap());
    let deploy = [
        "plugin",
        "deploy",
        component_text,
        "--signature",
        elsewhere_text,
    ];
    printed(ground.run(&deploy));
    std::fs::rename(&elsewhere, &beside).unwrap();
    let again = printed(ground.deploy(&component));
    assert!(again.ends_with(" is in force already\n"), "{again}");
}

#[test]
fn records_of_a_server_go_through_a_version_that_is_not_deployed() {
    let ground = Ground::new();
    let folder = ground.redact("*");
    printed(ground.deploy(&folder));
    printed(ground.run(&["stream", "create", "payments"]));
    let put = ground.server.stream_command(&["put", "payments"]);
    printed(feed(put, b"4111111111111111\nnothing\n"));
    let folder = ground.redact("#");
    let folder = folder.to_str().unwrap();
    let shadow = [
        "plugin", "shadow", folder, "--stream", "payments", "-n", "5",
    ];
    let shown = printed(ground.run(&shadow));
    let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/payments";
    assert!(shown.contains(&format!(" 2 records of {arn}\n")), "{shown}");
    assert!(shown.contains("  differing            1\n"), "{shown}");
    let inspected = printed(ground.run(&["plugin", "inspect", REDACT]));
    assert!(
        inspected.contains("version              *\n"),
        "{inspected}"
    );
    assert!(!inspected.contains("shadow run"), "{inspected}");
    let missing = ["plugin", "shadow", folder, "--stream", "none"];
    let told = complaint(ground.run(&missing), 1);
    assert!(told.contains("no such stream none"), "{told}");
}
