//! `http`: calls that a plugin makes to servers that it asks for and is granted, and what becomes
//! of those that it is not.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use millrace_tests::Setting;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wasm::{AddressRange, GrantSettings, HostPattern, PluginName};

use crate::ground::Ground;
use crate::guest::Guest;

const IMPORT: &str = r#"(import "millrace:plugin/http@0.1.0" "fetch"
    (func $fetch (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))"#;

/// Calls what a marked record names, with this list of headers, and answers the record with the
/// body, or with the words of the error.
fn fetching(headers: &str) -> Guest {
    let attack = format!(
        "(call $fetch (i32.const 256) (i32.const 4) (local.get $bytes) (local.get $length)
          {headers} (i32.const 0) (i32.const 0) (i32.const 300))
        (if (i32.load8_u (i32.const 300)) (then
          (i32.store (i32.const 316) (i32.load (i32.const 308)))
          (i32.store (i32.const 320) (i32.load (i32.const 312)))))
        (i32.store offset=12 (local.get $answer) (i32.load (i32.const 316)))
        (i32.store offset=16 (local.get $answer) (i32.load (i32.const 320)))
        (i32.store (i32.load offset=20 (local.get $answer)) (i32.load (i32.const 320)))"
    );
    Guest {
        imports: IMPORT.to_owned(),
        // A list of one header, `x`, at 264; its value begins at 284.
        fields: r#"(data (i32.const 256) "POST")
          (data (i32.const 264) "\18\01\00\00\01\00\00\00\1c\01\00\00\06\00\00\00")
          (data (i32.const 280) "x\00\00\00a\0d\0ab: c")"#
            .to_owned(),
        ..Guest::attacking(&attack)
    }
}

fn guest() -> Guest {
    fetching("(i32.const 0) (i32.const 0)")
}

/// A server on loopback that answers every request with this, and what it heard.
struct Target {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Target {
    async fn answering(answer: impl Fn(u16) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let hears = Arc::clone(&heard);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else {
                        break;
                    };
                    request.push(byte);
                }
                let request = String::from_utf8(request).unwrap();
                let answer = answer(port);
                hears.lock().unwrap().push(request);
                // Who asked may have gone.
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { port, heard }
    }

    async fn saying(body: &'static str) -> Self {
        let length = body.len();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
        Self::answering(move |_| answer.clone()).await
    }

    async fn leading_to(location: impl Fn(u16) -> String + Send + 'static) -> Self {
        let head = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: ";
        Self::answering(move |port| format!("{head}{}\r\n\r\n", location(port))).await
    }

    fn heard(&self) -> usize {
        self.heard.lock().unwrap().len()
    }
}

fn granting(hosts: &[String], addresses: &[&str]) -> BTreeMap<PluginName, GrantSettings> {
    let (hosts, addresses) = (hosts.iter(), addresses.iter());
    let settings = GrantSettings {
        http: hosts.map(|it| HostPattern::parse(it).unwrap()).collect(),
        addresses: addresses
            .map(|it| AddressRange::parse(it).unwrap())
            .collect(),
        ..GrantSettings::default()
    };
    BTreeMap::from([(PluginName::parse("own").unwrap(), settings)])
}

/// A server whose plugin `own` asks for these hosts and is granted those.
async fn ground_with(
    guest: &Guest,
    asked: &[String],
    granted: BTreeMap<PluginName, GrantSettings>,
) -> Ground {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("own");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("own.wasm"), guest.component()).unwrap();
    let manifest = format!("name = 'own'\nversion = '1'\n[grants]\nhttp = {asked:?}\n");
    fs::write(folder.join("plugin.toml"), manifest).unwrap();
    let setting = Setting {
        plugin_access: granted,
        ..Setting::default()
    };
    let ground = Ground::start_with(directory, setting).await;
    ground.stream("own").await;
    ground
}

/// What comes of a call.
async fn call(ground: &Ground, url: &str) -> String {
    ground.deliver("own", &[url]).await;
    ground.delivered("own").pop().unwrap()
}

#[tokio::test]
async fn a_server_that_is_asked_for_and_granted_is_called_and_counted() {
    let target = Target::saying("good day").await;
    let hosts = [format!("localhost:{}", target.port)];
    let grants = granting(&hosts, &["127.0.0.0/8", "::1"]);
    let ground = ground_with(&guest(), &hosts, grants).await;
    let url = format!("http://localhost:{}/!", target.port);
    assert_eq!(call(&ground, &url).await, "good day");
    let request = target.heard.lock().unwrap()[0].to_lowercase();
    assert!(request.starts_with("post /! http/1.1\r\n"), "{request}");
    assert!(request.contains("user-agent: millrace"), "{request}");
    let page = ground.plugin("own").await;
    assert_eq!(
        (&page["httpCalls"], &page["httpRefused"]),
        (&Value::from(1), &Value::from(0))
    );
    assert!(page["hostWaitUs"].as_u64() > Some(0), "{page}");
    let metrics = ground.client.metrics_of_all().await;
    for line in [
        "millrace_plugin_http_calls_total{plugin=\"own\"} 1",
        "millrace_plugin_http_answer_bytes_total{plugin=\"own\"} 8",
    ] {
        assert!(metrics.contains(line), "{line}");
    }
}

#[tokio::test]
async fn without_one_of_asking_granting_and_an_address_nothing_is_called() {
    let target = Target::saying("good day").await;
    let hosts = [format!("localhost:{}", target.port)];
    let url = format!("http://localhost:{}/!", target.port);
    let loopback = ["127.0.0.0/8", "::1"];
    for (asked, granted, told) in [
        (
            &[][..],
            granting(&hosts, &loopback),
            format!("plugin.toml would say [grants] http = [\"{}\"]", hosts[0]),
        ),
        (
            &hosts[..],
            granting(&[], &loopback),
            format!("[[plugin_grants]] name = \"own\" http = [\"{}\"]", hosts[0]),
        ),
        (
            &hosts[..],
            granting(&hosts, &[]),
            "[[plugin_grants]] name = \"own\" addresses = [".to_owned(),
        ),
    ] {
        let ground = ground_with(&guest(), asked, granted).await;
        let came = call(&ground, &url).await;
        assert!(came.contains(&told), "{came}");
        let page = ground.plugin("own").await;
        assert_eq!(page["httpRefused"], 1, "{page}");
    }
    assert_eq!(target.heard(), 0);
}

/// Everything that lies behind these is granted to nobody.
#[tokio::test]
async fn what_leads_to_this_machine_by_another_name_is_refused() {
    let target = Target::saying("secrets").await;
    let port = target.port;
    let asked: Vec<String> = [
        "localhost",
        "127.0.0.1",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
    ]
    .map(|host| format!("{host}:{port}"))
    .into();
    let ground = ground_with(&guest(), &asked, granting(&asked, &[])).await;
    for host in [
        "localhost",
        "LOCALHOST.",
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::1]",
        "169.254.169.254",
        "public.test@127.0.0.1",
        "127.0.0.1:80@public.test",
    ] {
        let came = call(&ground, &format!("http://{host}:{port}/!")).await;
        let is_told = ["it leads to ", "a URL ", "are not asked for"].iter();
        assert!(
            is_told.into_iter().any(|it| came.contains(it)),
            "{host}: {came}"
        );
    }
    assert_eq!(target.heard(), 0);
    assert_eq!(ground.plugin("own").await["httpRefused"], 14);
}

#[tokio::test]
async fn a_header_with_an_end_of_line_is_sent_to_nobody() {
    let target = Target::saying("good day").await;
    let hosts = [format!("127.0.0.1:{}", target.port)];
    let guest = fetching("(i32.const 264) (i32.const 1)");
    let ground = ground_with(&guest, &hosts, granting(&hosts, &["127.0.0.1"])).await;
    let came = call(&ground, &format!("http://127.0.0.1:{}/!", target.port)).await;
    assert!(
        came.contains("the header x with a control character"),
        "{came}"
    );
    assert_eq!(target.heard(), 0);
}

#[tokio::test]
async fn a_redirect_is_followed_to_what_is_granted_and_nowhere_else() {
    let good = Target::saying("good day").await;
    let hidden = Target::saying("secrets").await;
    let (good_port, hidden_port) = (good.port, hidden.port);
    let to_good = Target::leading_to(move |_| format!("http://127.0.0.1:{good_port}/!")).await;
    let to_hidden = Target::leading_to(move |_| format!("http://127.0.0.1:{hidden_port}/!")).await;
    let to_metadata =
        Target::leading_to(|_| "http://169.254.169.254/latest/meta-data/!".to_owned()).await;
    let round = Target::leading_to(|port| format!("http://127.0.0.1:{port}/!")).await;
    let ports = [
        good.port,
        to_good.port,
        to_hidden.port,
        to_metadata.port,
        round.port,
    ];
    let mut hosts = ports.map(|port| format!("127.0.0.1:{port}")).to_vec();
    // Granted by name, and its address is no one of the internet at large.
    hosts.push("169.254.169.254:80".to_owned());
    let ground = ground_with(&guest(), &hosts, granting(&hosts, &["127.0.0.1"])).await;
    for (from, told) in [
        (&to_good, "good day"),
        (&to_hidden, "a redirect"),
        (
            &to_metadata,
            "it leads to 169.254.169.254, a link-local address",
        ),
        (&round, "more than 3 redirects"),
    ] {
        let came = call(&ground, &format!("http://127.0.0.1:{}/!", from.port)).await;
        let is_told = came.contains(told) || came.contains("are not asked for");
        assert!(is_told, "{came}");
    }
    assert_eq!((hidden.heard(), round.heard(), good.heard()), (0, 4, 1));
}
