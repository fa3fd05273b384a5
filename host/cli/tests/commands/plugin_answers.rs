//! `millrace plugin …` as somebody new to it types it: what stands in the way is told with the next
//! step.

use tempfile::tempdir;

use crate::fixture::{Server, complaint, millrace, printed, run};

/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:1";

#[test]
fn without_a_server_every_command_says_how_to_start_one() {
    for arguments in [
        &["list"][..],
        &["inspect", "hello"],
        &["logs", "hello"],
        &["logs", "hello", "-f"],
        &["history", "hello"],
        &["rollback", "hello"],
        &["pause", "hello"],
        &["resume", "hello"],
        &["run", "hello", "--stream", "s", "--dry-run"],
    ] {
        let mut command = millrace(&["plugin"]);
        command.args(arguments).args(["--endpoint", NOWHERE]);
        let told = complaint(command.output().unwrap(), 1);
        for words in [NOWHERE, "`millrace serve` starts one", "AWS_ENDPOINT_URL"] {
            assert!(told.contains(words), "{arguments:?}: {told}");
        }
    }
}

#[test]
fn in_a_wrong_folder_every_command_says_what_it_wants() {
    let dir = tempdir().unwrap();
    for command in ["build", "check", "test", "dev", "deploy"] {
        let mut command = millrace(&["plugin", command]);
        command.current_dir(dir.path());
        let told = complaint(command.output().unwrap(), 2);
        for words in ["holds no plugin.toml", "`millrace plugin new NAME`"] {
            assert!(told.contains(words), "{told}");
        }
    }
}

#[test]
fn a_name_that_can_be_none_is_refused_before_a_server_is_asked() {
    for command in ["inspect", "logs", "history", "rollback", "pause", "resume"] {
        let told = complaint(run(&["plugin", command, "up/down"]), 2);
        assert!(
            told.contains("a plugin's name is 1 to 64 letters"),
            "{told}"
        );
    }
}

#[test]
fn a_live_stream_that_is_not_there_is_told_before_a_plugin_is_built() {
    let dir = tempdir().unwrap();
    let server = Server::start(&dir.path().join("data"), &[]);
    let mut new = millrace(&["plugin", "new", "hello"]);
    printed(new.current_dir(dir.path()).output().unwrap());
    let mut dev = millrace(&["plugin", "dev", "hello", "--stream", "guests"]);
    dev.args(["--endpoint", &server.endpoint]);
    let output = dev.current_dir(dir.path()).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = complaint(output, 1);
    assert!(
        told.contains("`millrace stream create NAME` makes one"),
        "{told}"
    );
    assert!(!shown.contains("built"), "{shown}");
}

#[test]
fn a_consumer_is_deployed_with_what_it_still_needs_and_no_delivery_stream_takes_it() {
    let dir = tempdir().unwrap();
    let plugins = dir.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    let plugins = ["--plugins", plugins.to_str().unwrap()];
    let server = Server::start(&dir.path().join("data"), &plugins);
    let folder = dir.path().join("words");
    std::fs::create_dir(&folder).unwrap();
    let component = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../plugins/word-count/word-count.wasm"
    );
    std::fs::copy(component, folder.join("words.wasm")).unwrap();
    let manifest = "name = \"words\"\nversion = \"1\"\n[grants]\ntables = [\"words\"]\n\
                    [application]\nstream = \"text\"\n";
    std::fs::write(folder.join("plugin.toml"), manifest).unwrap();
    printed(server.stream(&["create", "text"]));
    let endpoint = ["--endpoint", &server.endpoint];
    let mut deploy = millrace(&["plugin", "deploy"]);
    let deployed = printed(deploy.arg(&folder).args(endpoint).output().unwrap());
    assert!(deployed.contains(" is in force\n"), "{deployed}");
    assert!(
        deployed.contains("its application is not made: "),
        "{deployed}"
    );
    let lines = "[[plugin_grants]] name = \"words\" tables = [\"words\"]";
    assert!(deployed.contains(lines), "{deployed}");

    let create = [
        "delivery", "create", "out", "--stream", "text", "--plugin", "words",
    ];
    let mut create = millrace(&create);
    let told = complaint(create.args(endpoint).output().unwrap(), 1);
    assert!(told.contains("words is of the world consumer"), "{told}");
    assert!(told.contains("`millrace app create`"), "{told}");
}
