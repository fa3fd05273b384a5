//! Plugins that call servers which do not answer, or where none may go: nobody else waits for them,
//! and nothing leaves that may not.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use millrace_tests::Setting;
use server::DeliveryLimits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use wasm::{AddressRange, GrantSettings, GuestThreadLimits, HostPattern, PluginName};

use crate::applications::{Arena, attacking};
use crate::consumer_guest::ConsumerGuest;
use crate::ground::Ground;
use crate::guest::Guest;

const IMPORT: &str = r#"(import "millrace:plugin/http@0.1.0" "fetch"
    (func $fetch (param i32 i32 i32 i32 i32 i32 i32 i32 i32)))"#;
const FIELDS: &str = r#"(data (i32.const 512) "GET")"#;
/// Calls what the batch's text names. What comes of it is at 300: whether it is an error, and the
/// error's words at 308.
const FETCH: &str = "(call $fetch (i32.const 512) (i32.const 3) (local.get $bytes)
    (local.get $length) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 300))";

/// A server on loopback that answers once it is let, and how many have asked.
struct Target {
    port: u16,
    asked: Arc<AtomicUsize>,
    let_go: Arc<Semaphore>,
}

impl Target {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let target = Self {
            port: listener.local_addr().unwrap().port(),
            asked: Arc::default(),
            let_go: Arc::new(Semaphore::new(0)),
        };
        let (asked, let_go) = (Arc::clone(&target.asked), Arc::clone(&target.let_go));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (asked, let_go) = (Arc::clone(&asked), Arc::clone(&let_go));
                tokio::spawn(async move {
                    let mut request = [0; 1024];
                    // Whatever it is, it is answered.
                    let _ = stream.read(&mut request).await;
                    asked.fetch_add(1, Ordering::Relaxed);
                    let _place = let_go.acquire().await.unwrap();
                    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        target
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/!", self.port)
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// The manifest of one that asks for it.
    fn manifest(&self) -> String {
        let port = self.port;
        format!("name = 'attacker'\nversion = '1'\n[grants]\nhttp = ['127.0.0.1:{port}']\n")
    }

    /// One thread for all that is quick, and calls to here at these addresses.
    fn setting(&self, addresses: &[&str]) -> Setting {
        let host = HostPattern::parse(&format!("127.0.0.1:{}", self.port)).unwrap();
        let addresses = addresses.iter();
        let settings = GrantSettings {
            http: vec![host],
            addresses: addresses
                .map(|it| AddressRange::parse(it).unwrap())
                .collect(),
            ..GrantSettings::default()
        };
        let limits = DeliveryLimits::default();
        Setting {
            plugin_access: BTreeMap::from([(PluginName::parse("attacker").unwrap(), settings)]),
            delivery_limits: DeliveryLimits {
                threads: GuestThreadLimits::new(2, 1).unwrap(),
                ..limits
            },
            ..Setting::default()
        }
    }
}

/// The victim works while nobody answers the attacker.
async fn victim_works_meanwhile(ground: &Ground, target: &Target) {
    while target.asked() == 0 {
        ground.victim_works().await;
    }
    for _ in 0..3 {
        ground.victim_works().await;
    }
    assert_eq!(target.asked(), 1, "nobody asked again");
    target.let_go.add_permits(1_000);
}

#[tokio::test]
async fn a_transform_that_waits_for_a_server_has_no_thread_meanwhile() {
    let target = Target::start().await;
    let guest = Guest {
        imports: IMPORT.to_owned(),
        fields: FIELDS.to_owned(),
        ..Guest::attacking(FETCH)
    };
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("attacker");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("plugin.toml"), target.manifest()).unwrap();
    std::fs::write(folder.join("attacker.wasm"), guest.component()).unwrap();
    let ground = Ground::start_with(directory, target.setting(&["127.0.0.1"])).await;
    ground.stream("attacker").await;
    let url = target.url();
    let records = [url.as_str()];
    let attack = ground.deliver("attacker", &records);
    tokio::join!(attack, victim_works_meanwhile(&ground, &target));
    assert_eq!(ground.delivered("attacker"), [url.as_str()]);
}

fn consumer() -> ConsumerGuest {
    let told = "(if (i32.load8_u (i32.const 300)) (then (return (call $fault (i32.const 1)
        (i32.load (i32.const 308)) (i32.load (i32.const 312))))))";
    let mut guest = attacking(&format!("{FETCH} {told}"));
    guest.imports.push_str(IMPORT);
    guest.fields.push_str(FIELDS);
    guest
}

#[tokio::test]
async fn a_consumer_that_waits_for_a_server_has_no_thread_meanwhile() {
    let target = Target::start().await;
    let setting = target.setting(&["127.0.0.1"]);
    let arena = Arena::with(&consumer(), &target.manifest(), setting).await;
    arena.put(&[&target.url()]).await;
    victim_works_meanwhile(arena.ground(), &target).await;
    arena.until(1, 0).await;
}

#[tokio::test]
async fn a_consumer_that_calls_where_none_may_go_is_refused_and_told_why() {
    let target = Target::start().await;
    let arena = Arena::with(&consumer(), &target.manifest(), target.setting(&[])).await;
    arena.put(&[&target.url()]).await;
    arena.until(0, 1).await;
    let told = arena.reason().await;
    assert!(
        told.contains("it leads to 127.0.0.1, a loopback address"),
        "{told}"
    );
    assert_eq!(target.asked(), 0);
}
