use tempfile::tempdir;

use crate::fixture::{Server, complaint, millrace, printed, run};

#[test]
fn serve_says_where_it_is_and_who_may_call() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    assert!(!server.endpoint.ends_with(":0"), "{}", server.endpoint);
    let paste = format!(
        "AWS_ENDPOINT_URL={} aws kinesis list-streams",
        server.endpoint
    );
    assert!(server.announced.contains(&paste), "{}", server.announced);
    assert!(
        server.announced.contains("any credentials"),
        "{}",
        server.announced
    );
}

#[test]
fn a_terminated_server_ends_well_and_its_streams_are_there_again() {
    let dir = tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    printed(server.stream(&["create", "kept"]));
    let (code, log) = server.terminate();
    assert_eq!(code, Some(0), "{log}");
    let again = Server::start(dir.path(), &[]);
    assert_eq!(printed(again.stream(&["list"])), "kept\n");
}

#[test]
fn a_second_server_on_the_same_directory_is_refused_by_name() {
    let dir = tempdir().unwrap();
    let _first = Server::start(dir.path(), &[]);
    let data = dir.path().to_str().unwrap();
    let second = run(&["serve", "--listen", "127.0.0.1:0", "--data", data]);
    assert!(complaint(second, 1).contains(data));
}

#[test]
fn a_wrong_configuration_is_refused_with_its_line() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("millrace.toml");
    std::fs::write(&file, "throttle = true\n\nthrotle = true\n").unwrap();
    let file = file.to_str().unwrap();
    let complaint = complaint(run(&["serve", "--config", file]), 1);
    let expected = format!("{file} line 3: unknown key 'throtle'");
    assert!(complaint.contains(&expected), "{complaint}");
}

#[test]
fn what_cannot_be_served_is_refused_before_anything_is_made() {
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    let data = data.to_str().unwrap();
    for (arguments, what) in [
        (
            ["--plugins", "/nowhere/at/all"],
            "/nowhere/at/all is not a directory",
        ),
        (["--config", "/nowhere/at/all"], "/nowhere/at/all: "),
        (["--listen", "0.0.0.0:0"], "[[credentials]]"),
    ] {
        let output = millrace(&["serve", "--data", data])
            .args(arguments)
            .output();
        let complaint = complaint(output.unwrap(), 1);
        assert!(complaint.contains(what), "{complaint}");
    }
    assert!(complaint(run(&["serve", "--lisen", "x"]), 2).contains("--listen"));
}

#[test]
fn configured_credentials_must_be_used() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("millrace.toml");
    let credentials = "[[credentials]]\naccess_key_id = \"AKIDEXAMPLE\"\n\
                       secret_access_key = \"hush-hush\"\naccount = \"000000000042\"\n";
    std::fs::write(&file, credentials).unwrap();
    let data = dir.path().join("data");
    let mut command = millrace(&["serve", "--listen", "127.0.0.1:0", "--config"]);
    command.arg(&file).env("MILLRACE_LOG", "trace");
    let server = Server::with(&mut command, &data);
    let refused = complaint(server.stream(&["list"]), 1);
    assert!(refused.contains("UnrecognizedClientException"), "{refused}");
    assert!(refused.contains("request "), "{refused}");
    let signed = |secret: &str, arguments: &[&str]| {
        let mut command = server.stream_command(arguments);
        command.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
        command
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .output()
            .unwrap()
    };
    let refused = complaint(signed("guess", &["list"]), 1);
    assert!(refused.contains("InvalidSignatureException"), "{refused}");
    let arn = printed(signed("hush-hush", &["create", "mine"]));
    assert_eq!(arn, "arn:aws:kinesis:us-east-1:000000000042:stream/mine\n");
    let (code, log) = server.terminate();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("hush-hush"));
}

#[test]
fn plugins_and_json_logs_are_accepted() {
    let dir = tempdir().unwrap();
    let plugins = dir.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    let more = [
        "--log-format",
        "json",
        "--plugins",
        plugins.to_str().unwrap(),
    ];
    let server = Server::start(&dir.path().join("data"), &more);
    let (code, log) = server.terminate();
    assert_eq!(code, Some(0), "{log}");
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["level"].is_string());
    }
    assert!(log.contains("no more requests are taken"), "{log}");
}

#[test]
fn the_version_is_told_to_people_and_programs() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(printed(run(&["version"])), format!("millrace {version}\n"));
    let told: serde_json::Value =
        serde_json::from_str(&printed(run(&["version", "--json"]))).unwrap();
    assert_eq!(told["version"], version);
}
